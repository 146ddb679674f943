//! The part of a sort that is in memory.
//!
//! Keys and data are in two separate arenas: sorting touches the keys only,
//! which then fit the processor's caches.

use super::Entry;
use crate::error::Result;

/// Budget per entry besides its bytes.
const SLOT_BYTES: usize = std::mem::size_of::<Slot>() + std::mem::size_of::<(u64, u32)>();

#[derive(Debug, Clone, Copy)]
struct Slot {
    page: u64,
    row: u32,
    key_at: u32,
    key_len: u32,
    data_at: u32,
    data_len: u32,
}

/// Entries in memory, in order after [`Chunk::sort`].
#[derive(Debug)]
pub(super) struct Chunk {
    budget_bytes: usize,
    keys: Vec<u8>,
    data: Vec<u8>,
    slots: Vec<Slot>,
    /// A piece of the key, and the slot. Sorted.
    order: Vec<(u64, u32)>,
}

impl Chunk {
    pub(super) fn new(budget_bytes: usize) -> Self {
        Self {
            budget_bytes,
            keys: Vec::new(),
            data: Vec::new(),
            slots: Vec::new(),
            order: Vec::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Whether the entry fits in the budget. An empty chunk takes any.
    pub(super) fn has_room(&self, entry: &Entry<'_>) -> bool {
        let used = self.keys.len() + self.data.len() + self.slots.len() * SLOT_BYTES;
        self.is_empty()
            || used + entry.key.len() + entry.data.len() + SLOT_BYTES <= self.budget_bytes
    }

    /// Adds an entry. Lengths and offsets fit 32 bits: the budget is below
    /// that, and so is the largest row, which may come on top.
    pub(super) fn push(&mut self, entry: &Entry<'_>) {
        if self.data.capacity() == 0 {
            // Reserved at once, since growing would copy and for a moment
            // hold twice as much; pages not touched cost nothing.
            self.data.reserve_exact(self.budget_bytes);
        }
        self.slots.push(Slot {
            page: entry.page,
            row: entry.row,
            key_at: offset(self.keys.len()),
            key_len: offset(entry.key.len()),
            data_at: offset(self.data.len()),
            data_len: offset(entry.data.len()),
        });
        self.keys.extend_from_slice(entry.key);
        self.data.extend_from_slice(entry.data);
    }

    pub(super) fn sort(&mut self) {
        let skip = self.common_prefix();
        self.order = (0u32..)
            .zip(&self.slots)
            .map(|(n, slot)| (piece(self.key(slot), skip), n))
            .collect();
        let mut order = std::mem::take(&mut self.order);
        order.sort_unstable_by(|a, b| {
            a.0.cmp(&b.0)
                .then_with(|| self.entry(a.1).order().cmp(&self.entry(b.1).order()))
        });
        self.order = order;
    }

    /// The first entry after sorting.
    pub(super) fn first(&self) -> Option<Entry<'_>> {
        self.get(0)
    }

    /// The entry at a position after sorting.
    pub(super) fn get(&self, position: usize) -> Option<Entry<'_>> {
        self.order.get(position).map(|(_, slot)| self.entry(*slot))
    }

    /// Position of the first entry whose key begins with `from` or more.
    pub(super) fn position(&self, from: u8) -> usize {
        self.order
            .partition_point(|(_, slot)| self.entry(*slot).key.first().copied() < Some(from))
    }

    /// Hands out all entries in order, and empties the chunk.
    pub(super) fn drain(&mut self, take: &mut dyn FnMut(Entry<'_>) -> Result<()>) -> Result<()> {
        for (_, slot) in &self.order {
            take(self.entry(*slot))?;
        }
        self.order.clear();
        self.slots.clear();
        self.keys.clear();
        self.data.clear();
        // One huge row must not make the chunk huge for good.
        self.data.shrink_to(self.budget_bytes);
        Ok(())
    }

    fn key(&self, slot: &Slot) -> &[u8] {
        slice(&self.keys, slot.key_at, slot.key_len)
    }

    fn entry(&self, slot: u32) -> Entry<'_> {
        // Slots are only named by `order`, which was made from them.
        let slot = &self.slots[slot as usize];
        Entry {
            key: self.key(slot),
            page: slot.page,
            row: slot.row,
            data: slice(&self.data, slot.data_at, slot.data_len),
        }
    }

    /// How many bytes all keys begin with in common.
    fn common_prefix(&self) -> usize {
        let Some(first) = self.slots.first().map(|slot| self.key(slot)) else {
            return 0;
        };
        self.slots.iter().fold(first.len(), |common, slot| {
            let key = self.key(slot);
            let same = first.iter().zip(key).take(common);
            same.take_while(|(a, b)| a == b).count()
        })
    }
}

fn slice(arena: &[u8], at: u32, len: u32) -> &[u8] {
    // Every slot was made when its bytes were put into the arena.
    &arena[at as usize..][..len as usize]
}

/// A length as 32 bits; see [`Chunk::push`].
fn offset(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// Eight bytes of the key behind the prefix that all share, as a number that
/// orders as they do; padded with zeros, so equal ones need a closer look.
fn piece(key: &[u8], skip: usize) -> u64 {
    let rest = key.get(skip..).unwrap_or_default();
    let mut bytes = [0; 8];
    for (to, from) in bytes.iter_mut().zip(rest) {
        *to = *from;
    }
    u64::from_be_bytes(bytes)
}
