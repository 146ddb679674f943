//! Resources read ahead, in the order of the file. Fetching each from where
//! it lies would decode every part of a large file again and again. The first
//! stay in memory, the others go to a private temporary file; in memory is
//! then only where each lies.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufWriter, Write};
use std::rc::Rc;

use crate::lookups::Found;

/// Bytes of resources that are kept in memory.
const MEMORY_BYTES: usize = 32 << 20;
/// Bytes that are gathered before they are written to the temporary file.
const WRITE_BYTES: usize = 256 << 10;
/// Most resources that are kept; each takes about 20 bytes of memory.
const MAX_RESOURCES: usize = 4 << 20;
/// How many of those read last are at hand. What many rows share, as the
/// resource of a list of its grants, is so read once.
const RECENT: usize = 256;
/// Bits of a place that hold the length; the others hold the offset.
const LENGTH_BITS: u32 = 24;
const MAX_OFFSET: u64 = 1 << (u64::BITS - LENGTH_BITS);

/// Takes resources in.
pub(crate) struct Reader {
    /// Hash of type and id, and the place of the entry.
    index: Vec<(u64, u64)>,
    memory: Vec<u8>,
    disk: Option<BufWriter<File>>,
    /// Bytes in memory and on disk.
    len: u64,
    entry: Vec<u8>,
}

/// Resources that were taken in.
pub(crate) struct Ahead {
    /// In the order of the hashes.
    index: Vec<(u64, u64)>,
    /// Where in the index hashes begin whose first bits are those of the
    /// position.
    starts: Vec<u32>,
    memory: Vec<u8>,
    disk: Option<File>,
    /// The entry read from disk last.
    entry: Vec<u8>,
    /// Some of those read last, each where its hash says.
    recent: Vec<Option<Recent>>,
}

struct Recent {
    type_id: Box<str>,
    id: Box<str>,
    found: Rc<Found>,
}

#[expect(clippy::disallowed_methods, reason = "a cache of this process")]
fn hash_of(type_id: &str, id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (type_id, id).hash(&mut hasher);
    hasher.finish()
}

impl Reader {
    pub fn new() -> Self {
        Self {
            index: Vec::new(),
            memory: Vec::new(),
            disk: None,
            len: 0,
            entry: Vec::new(),
        }
    }

    /// Takes one resource in. False if there is no room for it.
    pub fn take(&mut self, type_id: &str, id: &str, found: &Found) -> io::Result<bool> {
        let (parent_type, parent_id) = found
            .parent
            .as_deref()
            .map_or(("", ""), |(type_id, id)| (type_id, id));
        self.entry.clear();
        self.entry.push(u8::from(found.parent.is_some()));
        for part in [
            type_id.as_bytes(),
            id.as_bytes(),
            parent_type.as_bytes(),
            parent_id.as_bytes(),
            found.name.as_bytes(),
            &found.json,
        ] {
            let Ok(len) = u32::try_from(part.len()) else {
                return Ok(false);
            };
            self.entry.extend_from_slice(&len.to_le_bytes());
            self.entry.extend_from_slice(part);
        }
        let len = self.entry.len() as u64;
        let is_full = self.index.len() == MAX_RESOURCES || self.len >= MAX_OFFSET;
        if is_full || len >> LENGTH_BITS != 0 {
            return Ok(false);
        }
        self.put_entry()?;
        let place = self.len << LENGTH_BITS | len;
        self.index.push((hash_of(type_id, id), place));
        self.len += len;
        Ok(true)
    }

    fn put_entry(&mut self) -> io::Result<()> {
        if let Some(disk) = &mut self.disk {
            return disk.write_all(&self.entry);
        }
        if self.memory.len() + self.entry.len() <= MEMORY_BYTES {
            self.memory.extend_from_slice(&self.entry);
            return Ok(());
        }
        let mut disk = BufWriter::with_capacity(WRITE_BYTES, tempfile::tempfile()?);
        disk.write_all(&self.entry)?;
        self.disk = Some(disk);
        Ok(())
    }

    /// All that was taken in. Where two have the same type and id, the first
    /// one counts.
    pub fn finish(mut self) -> io::Result<Ahead> {
        self.index.sort_unstable();
        let disk = match self.disk {
            Some(disk) => Some(disk.into_inner().map_err(io::IntoInnerError::into_error)?),
            None => None,
        };
        Ok(Ahead {
            starts: starts(&self.index),
            index: self.index,
            memory: self.memory,
            disk,
            entry: self.entry,
            recent: std::iter::repeat_with(|| None).take(RECENT).collect(),
        })
    }
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

impl Ahead {
    /// The resource, if it was taken in.
    pub fn get(&mut self, type_id: &str, id: &str) -> io::Result<Option<Rc<Found>>> {
        let hash = hash_of(type_id, id);
        let slot = usize::try_from(hash % RECENT as u64).unwrap_or_default();
        if let Some(Some(recent)) = self.recent.get(slot)
            && (&*recent.type_id, &*recent.id) == (type_id, id)
        {
            return Ok(Some(Rc::clone(&recent.found)));
        }
        let found = self.read(hash, type_id, id)?.map(Rc::new);
        if let (Some(found), Some(slot)) = (&found, self.recent.get_mut(slot)) {
            *slot = Some(Recent {
                type_id: type_id.into(),
                id: id.into(),
                found: Rc::clone(found),
            });
        }
        Ok(found)
    }

    fn read(&mut self, hash: u64, type_id: &str, id: &str) -> io::Result<Option<Found>> {
        let first = first_of(hash, first_bits(self.index.len()));
        let start = |at: usize| self.starts.get(at).map_or(0, |start| *start as usize);
        for at in start(first)..start(first + 1) {
            let Some((_, place)) = self.index.get(at).filter(|(other, _)| *other == hash) else {
                continue;
            };
            let (offset, len) = (place >> LENGTH_BITS, place & ((1 << LENGTH_BITS) - 1));
            let entry = entry_at(
                &self.memory,
                self.disk.as_ref(),
                offset,
                len,
                &mut self.entry,
            )?;
            let Some((found_type, found_id, found)) = parse(entry) else {
                return Err(io::ErrorKind::InvalidData.into());
            };
            if (found_type, found_id) == (type_id, id) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

/// The entry at an offset, from memory or read into `buf`.
fn entry_at<'e>(
    memory: &'e [u8],
    disk: Option<&File>,
    offset: u64,
    len: u64,
    buf: &'e mut Vec<u8>,
) -> io::Result<&'e [u8]> {
    let size = usize::try_from(len).unwrap_or_default();
    let Some(offset_on_disk) = offset.checked_sub(memory.len() as u64) else {
        let start = usize::try_from(offset).unwrap_or_default();
        let entry = memory.get(start..).and_then(|entry| entry.get(..size));
        return entry.ok_or_else(|| io::ErrorKind::UnexpectedEof.into());
    };
    let disk = disk.ok_or(io::ErrorKind::UnexpectedEof)?;
    buf.resize(size, 0);
    read_at(disk, offset_on_disk, buf)?;
    Ok(buf)
}

#[cfg(unix)]
fn read_at(file: &File, offset: u64, buf: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buf, offset)
}

#[cfg(not(unix))]
fn read_at(mut file: &File, offset: u64, buf: &mut [u8]) -> io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(buf)
}

/// Type, id and the rest of an entry.
fn parse(entry: &[u8]) -> Option<(&str, &str, Found)> {
    fn part<'e>(entry: &mut &'e [u8]) -> Option<&'e [u8]> {
        let (len, rest) = entry.split_first_chunk()?;
        let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
        let (part, rest) = rest.split_at_checked(len)?;
        *entry = rest;
        Some(part)
    }
    fn text<'e>(entry: &mut &'e [u8]) -> Option<&'e str> {
        str::from_utf8(part(entry)?).ok()
    }
    let (has_parent, mut rest) = entry.split_first()?;
    let type_id = text(&mut rest)?;
    let id = text(&mut rest)?;
    let parent = (text(&mut rest)?, text(&mut rest)?);
    let found = Found {
        parent: (*has_parent == 1).then(|| Box::new((parent.0.to_owned(), parent.1.to_owned()))),
        name: text(&mut rest)?.into(),
        json: part(&mut rest)?.into(),
        slug: Box::default(),
        is_missing: false,
    };
    Some((type_id, id, found))
}

#[cfg(test)]
// In tests a failed expectation is the finding.
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn found(name: &str, json: &[u8], parent: Option<(&str, &str)>) -> Found {
        Found {
            name: name.into(),
            json: json.into(),
            parent: parent.map(|(t, i)| Box::new((t.to_owned(), i.to_owned()))),
            slug: Box::default(),
            is_missing: false,
        }
    }

    #[test]
    fn what_was_taken_in_comes_out_from_memory_and_from_disk() {
        let mut reader = Reader::new();
        let json = vec![b'x'; 1 << 10];
        let count = MEMORY_BYTES / json.len() + 10;
        for n in 0..count {
            let parent = (n % 2 == 0).then_some(("org", "acme"));
            let found = found(&format!("name {n}"), &json, parent);
            assert!(reader.take("user", &n.to_string(), &found).unwrap());
        }
        let mut ahead = reader.finish().unwrap();
        assert!(ahead.disk.is_some());
        for n in [0, 1, count / 2, count - 1] {
            let found = ahead.get("user", &n.to_string()).unwrap().unwrap();
            assert_eq!(&*found.name, format!("name {n}"));
            assert_eq!(&*found.json, json);
            assert_eq!(found.parent.is_some(), n % 2 == 0);
        }
        assert!(ahead.get("user", &count.to_string()).unwrap().is_none());
        assert!(ahead.get("group", "0").unwrap().is_none());
    }

    #[test]
    fn of_two_with_the_same_id_the_first_counts() {
        let mut reader = Reader::new();
        for name in ["first", "second"] {
            assert!(reader.take("user", "a", &found(name, b"{}", None)).unwrap());
        }
        let mut ahead = reader.finish().unwrap();
        assert_eq!(&*ahead.get("user", "a").unwrap().unwrap().name, "first");
    }

    #[test]
    fn one_that_is_too_large_is_left_out() {
        let mut reader = Reader::new();
        let huge = found("n", &vec![0; 1 << LENGTH_BITS], None);
        assert!(!reader.take("user", "a", &huge).unwrap());
        assert!(reader.finish().unwrap().get("user", "a").unwrap().is_none());
    }
}
