//! Fixtures, and files made by hand with nothing but SQLite and zstd.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use baton_c1z::{C1zFile, ReadOptions, Result};
use tempfile::TempDir;

/// Every v1 fixture.
pub const V1: &[&str] = &[
    "v1-small.c1z",
    "v1-small-slim-grants.c1z",
    "v1-multi-sync.c1z",
    "atlassian-org/sync.c1z",
    "baton-cli/v1-unfinished.c1z",
    "baton-cli/v1-missing-entitlement.c1z",
    "baton-cli/v1-missing-type.c1z",
    "baton-cli/v1-no-users.c1z",
    "baton-cli/v1-rollback.c1z",
];

/// Every v3 fixture.
pub const V3: &[&str] = &[
    "v3-small.c1z",
    "v3-small-tar.c1z",
    "v3-small-tarzstd.c1z",
    "v3-handmade-sst.c1z",
    "v3-handmade-wal.c1z",
    "v3-virtual-tables.c1z",
    "v3-compacted-fold.c1z",
    "atlassian-org/sync-v3.c1z",
];

/// The five syncs of `v1-multi-sync.c1z` in storage order.
pub const MULTI: [&str; 5] = [
    "3MVxu8TPzbrXYSgzAZZNFghIhQ9",
    "3MVxu5SqJsghMXPen1aZOWJ9srT",
    "3MVxu9EN9kTSscBV1C3Z7TfRAGw",
    "3MVxu6VqoovxQi1GHEi7MWdrDvs",
    "3MVxuAupqrnEuBjoK0rOxf4hcLw",
];

/// 2026-11-23 16:03:00 UTC, right after the fixtures were written.
pub fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::new(1_795_449_780, 0)
}

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// The handmade files with earlier engine names and layouts, by name.
pub fn earlier() -> std::collections::BTreeMap<String, Vec<u8>> {
    let archive = fs::read(fixture("pebble2/handmade.tar.zst")).expect("read");
    let archive = zstd::decode_all(archive.as_slice()).expect("decodes");
    let mut files = std::collections::BTreeMap::new();
    for entry in tar::Archive::new(archive.as_slice())
        .entries()
        .expect("a tar")
    {
        let mut entry = entry.expect("an entry");
        let name = entry.path().expect("a path").to_string_lossy().into_owned();
        let mut bytes = Vec::new();
        std::io::copy(&mut entry, &mut bytes).expect("in memory");
        files.insert(name, bytes);
    }
    files
}

pub fn open(path: &Path) -> Result<C1zFile> {
    C1zFile::open(path, &ReadOptions::default())
}

pub fn open_fixture(name: &str) -> C1zFile {
    open(&fixture(name)).expect(name)
}

/// A folder for the files of one test.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("folder"))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes `bytes` to `name`.
    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, bytes).expect("written");
        path
    }

    /// A c1z around these database bytes.
    pub fn c1z(&self, name: &str, database: &[u8]) -> PathBuf {
        self.file(name, &envelope(database))
    }

    /// A c1z whose database `change` made out of that of a fixture, or out
    /// of nothing.
    pub fn c1z_with(
        &self,
        base: Option<&str>,
        change: impl FnOnce(&rusqlite::Connection),
    ) -> PathBuf {
        let path = self.path().join("made.db");
        let bytes = base
            .map(|name| database(&fixture(name)))
            .unwrap_or_default();
        fs::write(&path, bytes).expect("written");
        let conn = rusqlite::Connection::open(&path).expect("opens");
        change(&conn);
        conn.close().map_err(|(_, e)| e).expect("closes");
        let bytes = fs::read(&path).expect("read");
        fs::remove_file(&path).expect("removed");
        self.c1z("made.c1z", &bytes)
    }

    /// Names of all files.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.path())
            .expect("folder")
            .map(|e| e.expect("entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

/// The envelope as Go writes it, by zstd alone.
pub fn envelope(content: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(b"C1ZF\0".to_vec(), 3).expect("encoder");
    encoder.include_checksum(true).expect("flag");
    encoder
        .set_pledged_src_size(Some(content.len() as u64))
        .expect("size");
    encoder.write_all(content).expect("in memory");
    encoder.finish().expect("in memory")
}

/// The decompressed database of a c1z, by zstd alone.
pub fn database(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).expect("read");
    zstd::decode_all(&bytes[5..]).expect("decodes")
}

/// A small random number generator with a fixed sequence per seed.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, below: usize) -> usize {
        // Splitmix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % below as u64).expect("below a usize")
    }
}
