//! Directories that Pebble v2.1.5 wrote at three format versions, with
//! overwrites, all kinds of deletes, virtual tables, value blocks, indexes of
//! two levels, live and stale logs. All three hold the same state.

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Bound;
use std::sync::Arc;

use baton_pebble::{Db, MemorySource, Result};

/// One directory.
pub struct Fixture {
    pub name: &'static str,
    pub version: u32,
    packed: &'static [u8],
}

pub const ALL: [Fixture; 3] = [
    Fixture {
        name: "v4-snappy",
        version: 16,
        packed: include_bytes!("../fixtures/pebble-v4-snappy.tar.zst"),
    },
    Fixture {
        name: "v5-zstd",
        version: 19,
        packed: include_bytes!("../fixtures/pebble-v5-zstd.tar.zst"),
    },
    Fixture {
        name: "v7-snappy",
        version: 24,
        packed: include_bytes!("../fixtures/pebble-v7-snappy.tar.zst"),
    },
];

/// Visible rows of each directory.
pub const ROWS: usize = 2222;
/// SHA-256 over (length of the key, length of the value, both as 32 bits,
/// key, value) of all of them, as Pebble's own iteration gives.
pub const DIGEST: &str = "9ba260a237a2f0503861f8d74fd3d4028371715731c76eec268c461e9a411e8a";

impl Fixture {
    pub fn source(&self) -> MemorySource {
        let mut tar = Vec::new();
        zstd::Decoder::new(self.packed)
            .unwrap()
            .read_to_end(&mut tar)
            .unwrap();
        untar(&tar)
    }

    pub fn open(&self) -> Db {
        Db::open(Arc::new(self.source())).unwrap()
    }
}

/// The files of a plain tar: headers of 512 bytes, contents padded to that.
fn untar(mut tar: &[u8]) -> MemorySource {
    let mut source = MemorySource::new();
    while let Some((header, rest)) = tar.split_at_checked(512) {
        let field = |from: usize, to: usize| {
            let text = std::str::from_utf8(&header[from..to]).unwrap();
            text.trim_end_matches(['\0', ' ']).to_owned()
        };
        let name = field(0, 100);
        if name.is_empty() {
            break;
        }
        let size = usize::from_str_radix(&field(124, 136), 8).unwrap();
        if header[156] == b'0' {
            let name = name.rsplit('/').next().unwrap();
            source.insert(name, rest[..size].to_vec());
        }
        tar = &rest[size.next_multiple_of(512)..];
    }
    source
}

/// All visible rows.
pub fn rows(db: &Db) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut iter = db.range(Bound::Unbounded, Bound::Unbounded)?;
    let mut rows = BTreeMap::new();
    while let Some((key, value)) = iter.next()? {
        let last = rows.last_key_value().map(|(key, _): (&Vec<u8>, _)| key);
        assert!(last.is_none_or(|last| &last[..] < key));
        rows.insert(key.to_vec(), value.to_vec());
    }
    Ok(rows)
}
