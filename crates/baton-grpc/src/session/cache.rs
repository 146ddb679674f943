//! Values of sessions that this process wrote or read, so that they are not
//! requested again.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use tokio::time::Instant;

/// How long an entry is used after it was written.
const LIFETIME: Duration = Duration::from_mins(10);
/// What an entry weighs beyond its key and value, in bytes.
const ENTRY_BYTES: usize = 32;

/// Sync id and key.
type Key = (String, String);

struct Entry {
    value: Vec<u8>,
    /// Its place in the order of writes.
    number: u64,
    written: Instant,
}

/// Counters of changes; keys share them by their hash.
const COUNTERS: usize = 256;

/// A bounded cache. The entry that was written first is dropped first.
pub(super) struct Cache {
    max_bytes: usize,
    bytes: usize,
    entries: HashMap<Key, Entry>,
    order: BTreeMap<u64, Key>,
    last: u64,
    /// How often keys were changed.
    changes: Vec<u64>,
    hasher: RandomState,
}

/// A request about a key is under way. Its value is kept only if no other request has
/// changed the key since.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Begun(u64);

fn weight(key: &Key, value: &[u8]) -> usize {
    key.0.len() + key.1.len() + value.len() + ENTRY_BYTES
}

impl Cache {
    /// A cache of at most `max_bytes`; with zero nothing is kept.
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            bytes: 0,
            entries: HashMap::new(),
            order: BTreeMap::new(),
            last: 0,
            changes: vec![0; COUNTERS],
            hasher: RandomState::new(),
        }
    }

    fn counter(&mut self, sync_id: &str, key: &str) -> Option<&mut u64> {
        let hash = self.hasher.hash_one((sync_id, key));
        let at = usize::try_from(hash % COUNTERS as u64).unwrap_or_default();
        self.changes.get_mut(at)
    }

    /// A request that reads the key begins.
    pub(super) fn reads(&mut self, sync_id: &str, key: &str) -> Begun {
        Begun(self.counter(sync_id, key).map_or(0, |counter| *counter))
    }

    /// A request that changes the key begins: its value is not known until it ends.
    pub(super) fn changes(&mut self, sync_id: &str, key: &str) -> Begun {
        self.remove(&(sync_id.to_owned(), key.to_owned()));
        if let Some(counter) = self.counter(sync_id, key) {
            *counter += 1;
        }
        self.reads(sync_id, key)
    }

    /// Keeps the value that a request read or wrote.
    pub(super) fn keep(
        &mut self,
        (sync_id, key): (&str, &str),
        value: Vec<u8>,
        begun: Begun,
        now: Instant,
    ) {
        if self.reads(sync_id, key) == begun {
            self.set(sync_id, key, value, now);
        }
    }

    pub(super) fn get(&mut self, sync_id: &str, key: &str, now: Instant) -> Option<&[u8]> {
        let key = (sync_id.to_owned(), key.to_owned());
        let entry = self.entries.get(&key)?;
        if now.duration_since(entry.written) >= LIFETIME {
            self.remove(&key);
            return None;
        }
        self.entries.get(&key).map(|entry| entry.value.as_slice())
    }

    fn set(&mut self, sync_id: &str, key: &str, value: Vec<u8>, now: Instant) {
        let key = (sync_id.to_owned(), key.to_owned());
        self.remove(&key);
        let weight = weight(&key, &value);
        if weight > self.max_bytes {
            return;
        }
        self.last += 1;
        self.bytes += weight;
        self.order.insert(self.last, key.clone());
        let entry = Entry {
            value,
            number: self.last,
            written: now,
        };
        self.entries.insert(key, entry);
        while self.bytes > self.max_bytes {
            let Some((_, oldest)) = self.order.first_key_value() else {
                return;
            };
            let oldest = oldest.clone();
            self.remove(&oldest);
        }
    }

    /// Drops the entries of a sync whose keys begin with `prefix`.
    pub(super) fn clear(&mut self, sync_id: &str, prefix: &str) {
        self.changes.iter_mut().for_each(|counter| *counter += 1);
        let keys = self.entries.keys();
        let cleared = keys.filter(|(of, key)| of == sync_id && key.starts_with(prefix));
        for key in cleared.cloned().collect::<Vec<_>>() {
            self.remove(&key);
        }
    }

    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= weight(key, &entry.value);
            self.order.remove(&entry.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_kept_for_ten_minutes_after_they_were_written() {
        let mut cache = Cache::new(1_000);
        let begin = Instant::now();
        cache.set("s", "k", vec![1], begin);
        let late = begin + LIFETIME;
        assert_eq!(
            cache.get("s", "k", late - Duration::from_secs(1)),
            Some(&[1][..])
        );
        assert_eq!(cache.get("s", "k", late), None);
        assert_eq!(cache.bytes, 0);
        cache.set("s", "k", vec![2], late);
        assert_eq!(cache.get("s", "k", late), Some(&[2][..]));
        assert_eq!(cache.get("other", "k", late), None, "another sync");
    }

    #[test]
    fn the_oldest_entries_make_room() {
        let now = Instant::now();
        // Each entry weighs 32 + 1 + 1 + 66.
        let mut cache = Cache::new(250);
        for key in ["a", "b", "c"] {
            cache.set("s", key, vec![0; 66], now);
        }
        assert_eq!(cache.get("s", "a", now), None);
        assert!(cache.get("s", "b", now).is_some());
        assert_eq!(cache.bytes, 200);
        cache.set("s", "large", vec![0; 300], now);
        assert!(
            cache.get("s", "b", now).is_some(),
            "what cannot fit is not kept"
        );
        cache.set("s", "b", vec![0; 300], now);
        assert_eq!(cache.get("s", "b", now), None, "an older value is not kept");
    }

    #[test]
    fn a_value_that_was_changed_while_it_was_requested_is_not_kept() {
        let now = Instant::now();
        let mut cache = Cache::new(10_000);
        let read = cache.reads("s", "k");
        let write = cache.changes("s", "k");
        cache.keep(("s", "k"), vec![2], write, now);
        cache.keep(("s", "k"), vec![1], read, now);
        assert_eq!(cache.get("s", "k", now), Some(&[2][..]));
        let read = cache.reads("s", "k");
        cache.clear("s", "");
        cache.keep(("s", "k"), vec![2], read, now);
        assert_eq!(cache.get("s", "k", now), None);
    }

    #[test]
    fn a_cache_without_size_keeps_nothing() {
        let now = Instant::now();
        let mut cache = Cache::new(0);
        cache.set("s", "k", Vec::new(), now);
        assert_eq!(cache.get("s", "k", now), None);
    }

    #[test]
    fn deleted_and_cleared_entries_are_gone() {
        let now = Instant::now();
        let mut cache = Cache::new(10_000);
        for (sync, key) in [("s", "a/1"), ("s", "a/2"), ("s", "b"), ("t", "a/1")] {
            cache.set(sync, key, vec![1], now);
        }
        cache.changes("s", "b");
        assert_eq!(cache.get("s", "b", now), None);
        cache.clear("s", "a/");
        assert_eq!(cache.get("s", "a/1", now), None);
        assert_eq!(cache.get("s", "a/2", now), None);
        assert!(cache.get("t", "a/1", now).is_some());
        cache.clear("t", "");
        assert_eq!((cache.bytes, cache.order.len()), (0, 0));
    }
}
