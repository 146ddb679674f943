//! Packed values of resources, read in file order. The first stay in memory,
//! the others go to a private file; memory then holds only their offsets.

use std::fs::File;
use std::io;
use std::path::Path;
use std::rc::Rc;

use xxhash_rust::xxh64::xxh64;

use crate::files::DataFile;
use crate::scratch::Scratch;

/// Bytes that are gathered before they are written to the private file.
const WRITE_BYTES: usize = 256 << 10;
/// Most resources that are kept; each takes about 20 bytes of memory.
const MAX_RESOURCES: usize = 4 << 20;
/// How many values read last are remembered. A value that many rows share, such
/// as the resource of a list of grants, is so read once.
const RECENT: usize = 256;
/// Bits of a location that hold the length; the others hold the offset.
const LENGTH_BITS: u32 = 24;
const MAX_OFFSET: u64 = 1 << (u64::BITS - LENGTH_BITS);

/// Collects values.
pub(super) struct Builder<'d> {
    /// Hash of type and id, and the location of the entry.
    index: Vec<(u64, u64)>,
    memory_bytes: usize,
    temp_dir: Option<&'d Path>,
    memory: Vec<u8>,
    disk: Option<Disk>,
    /// Bytes in memory and on disk.
    len: u64,
    entry: Vec<u8>,
}

/// The private file, written forward.
struct Disk {
    file: File,
    written: u64,
    buf: Vec<u8>,
    /// `None` where the system lets an open file lose its name.
    _scratch: Option<Scratch>,
}

impl Disk {
    fn create(temp_dir: Option<&Path>) -> io::Result<Self> {
        let scratch = Scratch::of_unknown_size(temp_dir).map_err(io::Error::other)?;
        Ok(Self {
            file: scratch.create_file().map_err(io::Error::other)?,
            written: 0,
            buf: Vec::with_capacity(WRITE_BYTES),
            _scratch: (!cfg!(unix)).then_some(scratch),
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.buf.len() + bytes.len() > WRITE_BYTES {
            self.flush()?;
        }
        self.buf.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all_at(&self.buf, self.written)?;
        self.written += self.buf.len() as u64;
        self.buf.clear();
        Ok(())
    }
}

impl<'d> Builder<'d> {
    pub fn new(memory_bytes: usize, temp_dir: Option<&'d Path>) -> Self {
        Self {
            index: Vec::new(),
            memory_bytes,
            temp_dir,
            memory: Vec::new(),
            disk: None,
            len: 0,
            entry: Vec::new(),
        }
    }

    /// Adds one resource, whose value `pack` appends. False if there is no room
    /// for it.
    pub fn add(
        &mut self,
        type_id: &str,
        id: &str,
        pack: impl FnOnce(&mut Vec<u8>),
    ) -> io::Result<bool> {
        self.entry.clear();
        for part in [type_id.as_bytes(), id.as_bytes()] {
            let Ok(len) = u32::try_from(part.len()) else {
                return Ok(false);
            };
            self.entry.extend_from_slice(&len.to_le_bytes());
            self.entry.extend_from_slice(part);
        }
        pack(&mut self.entry);
        let len = self.entry.len() as u64;
        let is_full = self.index.len() == MAX_RESOURCES || self.len >= MAX_OFFSET;
        if is_full || len >> LENGTH_BITS != 0 {
            return Ok(false);
        }
        self.put_entry()?;
        let location = self.len << LENGTH_BITS | len;
        self.index.push((hash_of(type_id, id), location));
        self.len += len;
        Ok(true)
    }

    fn put_entry(&mut self) -> io::Result<()> {
        if self.disk.is_none() && self.memory.len() + self.entry.len() <= self.memory_bytes {
            self.memory.extend_from_slice(&self.entry);
            return Ok(());
        }
        let disk = match &mut self.disk {
            Some(disk) => disk,
            none => none.insert(Disk::create(self.temp_dir)?),
        };
        disk.write(&self.entry)
    }

    /// All values. Of two with the same type and id, the first one counts.
    pub fn finish<V>(mut self) -> io::Result<ReadAhead<V>> {
        self.index.sort_unstable();
        if let Some(disk) = &mut self.disk {
            disk.flush()?;
            disk.buf = Vec::new();
        }
        Ok(ReadAhead {
            starts: starts(&self.index),
            index: self.index,
            memory: self.memory,
            disk: self.disk,
            entry: self.entry,
            recent: std::iter::repeat_with(|| None).take(RECENT).collect(),
        })
    }
}

/// Values that were read ahead.
pub(super) struct ReadAhead<V> {
    /// In the order of the hashes.
    index: Vec<(u64, u64)>,
    /// For each value of the first bits of a hash, the index of the first such
    /// hash.
    starts: Vec<u32>,
    memory: Vec<u8>,
    disk: Option<Disk>,
    /// The entry read from disk last.
    entry: Vec<u8>,
    /// Some of those read last, each at the slot of its hash.
    recent: Vec<Option<Recent<V>>>,
}

struct Recent<V> {
    type_id: Box<str>,
    id: Box<str>,
    value: Rc<V>,
}

impl<V> ReadAhead<V> {
    /// The value of a resource, if there is one.
    pub fn get(
        &mut self,
        type_id: &str,
        id: &str,
        unpack: impl Fn(&[u8]) -> Option<V>,
    ) -> io::Result<Option<Rc<V>>> {
        let hash = hash_of(type_id, id);
        let slot = usize::try_from(hash % RECENT as u64).unwrap_or_default();
        if let Some(Some(recent)) = self.recent.get(slot)
            && (&*recent.type_id, &*recent.id) == (type_id, id)
        {
            return Ok(Some(Rc::clone(&recent.value)));
        }
        let value = self.read(hash, type_id, id, unpack)?.map(Rc::new);
        if let (Some(value), Some(slot)) = (&value, self.recent.get_mut(slot)) {
            *slot = Some(Recent {
                type_id: type_id.into(),
                id: id.into(),
                value: Rc::clone(value),
            });
        }
        Ok(value)
    }

    fn read(
        &mut self,
        hash: u64,
        type_id: &str,
        id: &str,
        unpack: impl Fn(&[u8]) -> Option<V>,
    ) -> io::Result<Option<V>> {
        let first = first_of(hash, first_bits(self.index.len()));
        let start = |at: usize| self.starts.get(at).map_or(0, |start| *start as usize);
        for at in start(first)..start(first + 1) {
            let Some((_, location)) = self.index.get(at).filter(|(other, _)| *other == hash) else {
                continue;
            };
            let entry = entry_at(&self.memory, self.disk.as_ref(), *location, &mut self.entry)?;
            let damaged = io::ErrorKind::InvalidData;
            let (found_type, found_id, packed) = parse(entry).ok_or(damaged)?;
            if (found_type, found_id) == (type_id.as_bytes(), id.as_bytes()) {
                return Ok(Some(unpack(packed).ok_or(damaged)?));
            }
        }
        Ok(None)
    }
}

/// The entry at a location, from memory or read into `buf`.
fn entry_at<'e>(
    memory: &'e [u8],
    disk: Option<&Disk>,
    location: u64,
    buf: &'e mut Vec<u8>,
) -> io::Result<&'e [u8]> {
    let (offset, len) = (location >> LENGTH_BITS, location & ((1 << LENGTH_BITS) - 1));
    let size = usize::try_from(len).unwrap_or_default();
    let Some(offset_on_disk) = offset.checked_sub(memory.len() as u64) else {
        let start = usize::try_from(offset).unwrap_or_default();
        let entry = memory.get(start..).and_then(|entry| entry.get(..size));
        return entry.ok_or_else(|| io::ErrorKind::UnexpectedEof.into());
    };
    let disk = disk.ok_or(io::ErrorKind::UnexpectedEof)?;
    buf.resize(size, 0);
    let file: &dyn DataFile = &disk.file;
    file.read_exact_at(buf, offset_on_disk)?;
    Ok(buf)
}

/// Type, id and packed value of an entry.
fn parse(entry: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (type_id, rest) = take_part(entry)?;
    let (id, value) = take_part(rest)?;
    Some((type_id, id, value))
}

fn take_part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*len)).ok()?)
}

fn hash_of(type_id: &str, id: &str) -> u64 {
    xxh64(id.as_bytes(), xxh64(type_id.as_bytes(), 0))
}

/// For each value of the first bits of a hash, and one more, how many hashes
/// are less. There are about as many values as hashes.
fn starts(index: &[(u64, u64)]) -> Vec<u32> {
    let bits = first_bits(index.len());
    let mut starts = vec![0_u32; (1 << bits) + 1];
    for (hash, _) in index {
        if let Some(count) = starts.get_mut(first_of(*hash, bits) + 1) {
            *count += 1;
        }
    }
    let mut sum = 0;
    for start in &mut starts {
        sum += *start;
        *start = sum;
    }
    starts
}

fn first_bits(len: usize) -> u32 {
    len.max(2).ilog2()
}

fn first_of(hash: u64, bits: u32) -> usize {
    usize::try_from(hash >> (u64::BITS - bits)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> Option<String> {
        String::from_utf8(bytes.to_vec()).ok()
    }

    fn add(builder: &mut Builder<'_>, id: &str, value: &[u8]) -> io::Result<bool> {
        builder.add("user", id, |out| out.extend_from_slice(value))
    }

    #[test]
    fn values_come_back_from_memory_and_from_disk() {
        let temp = tempfile::tempdir().expect("folder");
        let mut builder = Builder::new(10_000, Some(temp.path()));
        let value = "x".repeat(100);
        for n in 0..200 {
            let added = add(
                &mut builder,
                &n.to_string(),
                format!("{value}{n}").as_bytes(),
            );
            assert!(added.expect("added"));
        }
        let mut read = builder.finish().expect("written");
        assert!(!read.memory.is_empty() && read.disk.is_some());
        for n in [0, 1, 99, 100, 199] {
            let found = read.get("user", &n.to_string(), text).expect("read");
            assert_eq!(found.as_deref(), Some(&format!("{value}{n}")));
        }
        assert!(read.get("user", "200", text).expect("read").is_none());
        assert!(read.get("group", "0", text).expect("read").is_none());
        drop(read);
        assert_eq!(std::fs::read_dir(temp.path()).expect("listed").count(), 0);
    }

    #[test]
    fn of_two_with_the_same_id_the_first_counts() {
        let mut builder = Builder::new(1 << 20, None);
        for value in ["first", "second"] {
            assert!(add(&mut builder, "a", value.as_bytes()).expect("added"));
        }
        let mut read = builder.finish().expect("whole");
        let found = read.get("user", "a", text).expect("read");
        assert_eq!(found.as_deref().map(String::as_str), Some("first"));
    }

    #[test]
    fn a_value_that_is_too_large_is_left_out() {
        let mut builder = Builder::new(1 << 20, None);
        let huge = vec![0; 1 << LENGTH_BITS];
        assert!(!add(&mut builder, "a", &huge).expect("refused"));
        let mut read = builder.finish().expect("whole");
        assert!(read.get("user", "a", text).expect("read").is_none());
    }
}
