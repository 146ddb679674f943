//! What a connector keeps between the calls of a sync (sync-runtime.md §9).
//!
//! Values live in memory; every change is also written into the page log,
//! right before the next pages. So a run that resumes finds the values that
//! those pages were made with, and none that belong to pages which got lost.
//! Nothing of it reaches the file.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use baton_connector::session::{self, Found, SessionPage, SessionStore};
use baton_connector::{Error as Refusal, Result as Answer};
use baton_proto::Code;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::records;

/// Bytes of keys and values that one sync may keep.
const MAX_TOTAL_BYTES: usize = 256 << 20;

/// The values of a sync: key and value, by key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Values {
    items: BTreeMap<String, Vec<u8>>,
    bytes: usize,
}

/// A change, as it stands in the log: this as JSON, a line break, then the
/// values one after the other.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Change {
    /// Keys, each with the length of its value.
    Set(Vec<(String, usize)>),
    Delete(String),
    /// All keys with this prefix.
    Clear(String),
}

impl Values {
    fn set(&mut self, key: String, value: Vec<u8>) {
        self.bytes += session::item_bytes(&key, &value);
        if let Some((key, old)) = self.items.remove_entry(&key) {
            self.bytes -= session::item_bytes(&key, &old);
        }
        self.items.insert(key, value);
    }

    fn delete(&mut self, key: &str) -> bool {
        let Some((key, old)) = self.items.remove_entry(key) else {
            return false;
        };
        self.bytes -= session::item_bytes(&key, &old);
        true
    }

    fn clear(&mut self, prefix: &str) -> bool {
        let before = self.items.len();
        self.items.retain(|key, _| !key.starts_with(prefix));
        let bytes = |(key, value): (&String, &Vec<u8>)| session::item_bytes(key, value);
        self.bytes = self.items.iter().map(bytes).sum();
        self.items.len() < before
    }

    /// Repeats a change that the log holds.
    pub(crate) fn replay(&mut self, payload: &[u8]) -> Result<()> {
        let unreadable = || Error::Journal {
            what: "session value",
        };
        let split = payload.iter().position(|b| *b == b'\n');
        let (head, rest) = payload.split_at(split.ok_or_else(unreadable)?);
        let mut rest = rest.get(1..).unwrap_or_default();
        match records::from_bytes(head, "session value")? {
            Change::Delete(key) => {
                self.delete(&key);
            }
            Change::Clear(prefix) => {
                self.clear(&prefix);
            }
            Change::Set(keys) => {
                for (key, len) in keys {
                    let (value, behind) = rest.split_at_checked(len).ok_or_else(unreadable)?;
                    self.set(key, value.to_vec());
                    rest = behind;
                }
            }
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
struct State {
    values: Values,
    /// Changes that are not in the log yet.
    pending: Vec<Vec<u8>>,
}

impl State {
    fn note(&mut self, change: &Change, values: &[Vec<u8>]) {
        let mut record = records::to_text(change).into_bytes();
        record.push(b'\n');
        for value in values {
            record.extend_from_slice(value);
        }
        self.pending.push(record);
    }
}

/// See the module's header.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    state: Mutex<State>,
}

impl Sessions {
    /// The store of a sync that has these values already.
    pub(crate) fn new(values: Values) -> Self {
        Self {
            state: Mutex::new(State {
                values,
                pending: Vec::new(),
            }),
        }
    }

    /// Takes the changes that are to be written into the log.
    pub(crate) fn take_changes(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.lock().pending)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic halfway through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check_keys<'k>(keys: impl ExactSizeIterator<Item = &'k str>) -> Answer<()> {
    let refuse = |message| Err(Refusal::stated(Code::InvalidArgument, message));
    if keys.len() > session::MAX_KEYS {
        return refuse(format!(
            "the session store takes at most {} keys at once, not {}",
            session::MAX_KEYS,
            keys.len()
        ));
    }
    for key in keys {
        if key.is_empty() || key.chars().count() > session::MAX_KEY_CHARS {
            return refuse(format!(
                "a session key has 1 to {} characters",
                session::MAX_KEY_CHARS
            ));
        }
    }
    Ok(())
}

#[async_trait]
impl SessionStore for Sessions {
    async fn get_many(&self, keys: &[String]) -> Answer<Found> {
        check_keys(keys.iter().map(String::as_str))?;
        let state = self.lock();
        let mut found = Found::default();
        let mut bytes = 0;
        for key in keys {
            let Some(value) = state.values.items.get(key) else {
                continue;
            };
            bytes += session::item_bytes(key, value);
            if bytes > session::MAX_BYTES && !found.items.is_empty() {
                found.unprocessed.push(key.clone());
            } else {
                found.items.insert(key.clone(), value.clone());
            }
        }
        Ok(found)
    }

    async fn set_many(&self, items: Vec<(String, Vec<u8>)>) -> Answer<()> {
        check_keys(items.iter().map(|(key, _)| key.as_str()))?;
        let bytes: usize = items.iter().map(|(k, v)| session::item_bytes(k, v)).sum();
        if bytes > session::MAX_BYTES {
            return Err(Refusal::stated(
                Code::InvalidArgument,
                format!(
                    "the session store takes at most {} bytes at once, not {bytes}",
                    session::MAX_BYTES
                ),
            ));
        }
        let mut state = self.lock();
        if state.values.bytes + bytes > MAX_TOTAL_BYTES {
            return Err(Refusal::stated(
                Code::ResourceExhausted,
                format!("the session store of a sync holds at most {MAX_TOTAL_BYTES} bytes"),
            ));
        }
        let (keys, values): (Vec<String>, Vec<Vec<u8>>) = items.into_iter().unzip();
        let lengths = keys.iter().cloned().zip(values.iter().map(Vec::len));
        state.note(&Change::Set(lengths.collect()), &values);
        for (key, value) in keys.into_iter().zip(values) {
            state.values.set(key, value);
        }
        Ok(())
    }

    async fn delete(&self, key: &str) -> Answer<()> {
        check_keys([key].into_iter())?;
        let mut state = self.lock();
        if state.values.delete(key) {
            state.note(&Change::Delete(key.to_owned()), &[]);
        }
        Ok(())
    }

    async fn clear(&self, prefix: &str) -> Answer<()> {
        let mut state = self.lock();
        if state.values.clear(prefix) {
            state.note(&Change::Clear(prefix.to_owned()), &[]);
        }
        Ok(())
    }

    async fn page(&self, prefix: &str, from: &str) -> Answer<SessionPage> {
        let state = self.lock();
        let mut page = SessionPage::default();
        let mut bytes = 0;
        for (key, value) in state.values.items.range(from.to_owned()..) {
            if !key.starts_with(prefix) {
                // Keys with a prefix follow each other.
                if key.as_str() > prefix {
                    break;
                }
                continue;
            }
            bytes += session::item_bytes(key, value);
            let full = page.items.len() == session::MAX_KEYS || bytes > session::MAX_BYTES;
            if full && !page.items.is_empty() {
                page.next.clone_from(key);
                break;
            }
            page.items.push((key.clone(), value.clone()));
        }
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use baton_connector::session::Session;
    use std::sync::Arc;

    use super::*;

    fn bound(store: &Arc<Sessions>) -> Session {
        Session::of(Some(store.clone()))
    }

    #[tokio::test]
    async fn what_the_log_holds_gives_the_same_values_again() {
        let store = Arc::new(Sessions::default());
        let session = bound(&store);
        session.set("a", b"1\n2".to_vec()).await.expect("stored");
        session.set("a", b"".to_vec()).await.expect("stored");
        session.set("b", b"x".to_vec()).await.expect("stored");
        let other = session.prefixed("p/");
        other.set("c", b"y".to_vec()).await.expect("stored");
        session.delete("b").await.expect("deleted");
        session.delete("b").await.expect("no error without a value");
        let mut values = Values::default();
        let changes = store.take_changes();
        assert_eq!(changes.len(), 5, "a deletion of nothing is no change");
        for change in &changes {
            values.replay(change).expect("ours");
        }
        assert_eq!(values, store.lock().values);
        other.clear().await.expect("cleared");
        for change in store.take_changes() {
            values.replay(&change).expect("ours");
        }
        assert_eq!(values, store.lock().values);
        assert_eq!(values.items.len(), 1);
        assert_eq!(values.bytes, session::item_bytes("a", b""));
    }

    #[test]
    fn damaged_changes_are_errors() {
        for payload in [&b""[..], b"{}", b"{}\n", b"{\"set\":[[\"a\",3]]}\nxy"] {
            let result = Values::default().replay(payload);
            assert!(matches!(result, Err(Error::Journal { .. })), "{payload:?}");
        }
    }

    #[tokio::test]
    async fn many_and_large_values_come_in_parts_and_whole() {
        let store = Arc::new(Sessions::default());
        let session = bound(&store).prefixed("x/");
        let large = vec![7; session::MAX_BYTES / 2 - 100];
        let keys: Vec<String> = (0..250).map(|n| format!("k{n:03}")).collect();
        let items = keys.iter().zip(0..).map(|(key, n)| {
            let value = if n < 5 { large.clone() } else { vec![1] };
            (key.as_str(), value)
        });
        session.set_many(items).await.expect("stored");
        bound(&store).set("y", b"other".to_vec()).await.expect("ok");
        let all = session.get_all().await.expect("read");
        assert_eq!(all.len(), 250);
        let named = session.get_many(keys.iter().map(String::as_str)).await;
        assert_eq!(named.expect("read"), all);
        assert_eq!(all.get("k004"), Some(&large));
        assert_eq!(session.get("k250").await.expect("read"), None);
    }

    #[tokio::test]
    async fn keys_and_values_beyond_the_limits_are_refused() {
        let store = Arc::new(Sessions::default());
        let session = bound(&store);
        let long = "é".repeat(session::MAX_KEY_CHARS);
        session.set(&long, b"1".to_vec()).await.expect("512 fit");
        for (key, bytes) in [
            ("", 1),
            (format!("{long}x").as_str(), 1),
            ("k", session::MAX_BYTES),
        ] {
            let refused = session.set(key, vec![0; bytes]).await.expect_err("limits");
            assert_eq!(refused.code(), Code::InvalidArgument);
        }
        let keys: Vec<String> = (0..=session::MAX_KEYS).map(|n| n.to_string()).collect();
        let refused = store.get_many(&keys).await.expect_err("too many");
        assert_eq!(refused.code(), Code::InvalidArgument);
        let part = vec![0; session::MAX_BYTES - 100];
        for n in 0.. {
            if let Err(refused) = session.set(&n.to_string(), part.clone()).await {
                assert_eq!(refused.code(), Code::ResourceExhausted);
                assert_eq!(n, MAX_TOTAL_BYTES / session::MAX_BYTES);
                return;
            }
            store.take_changes();
        }
    }

    #[tokio::test]
    async fn json_values_are_read_as_what_they_were_stored() {
        let store = Arc::new(Sessions::default());
        let session = bound(&store);
        session.set_json("n", &[1, 2]).await.expect("stored");
        let read: Option<Vec<u8>> = session.get_json("n").await.expect("read");
        assert_eq!(read, Some(vec![1, 2]));
        let other = session.get_json::<String>("n").await.expect_err("no text");
        assert_eq!(other.code(), Code::DataLoss);
        let none: Option<String> = session.get_json("m").await.expect("read");
        assert_eq!(none, None);
    }

    #[tokio::test]
    async fn without_a_sync_every_call_fails() {
        let session = Session::default();
        let refused = session.get("a").await.expect_err("no store");
        assert_eq!(refused.code(), Code::FailedPrecondition);
    }
}
