//! The outermost layer of a c1z: five bytes of magic, then compressed content.
//!
//! Everything read here is hostile until it has passed the limits.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use crate::error::{Error, Result};

const MAGIC_LEN: usize = 5;
const MAGIC_V1: [u8; MAGIC_LEN] = *b"C1ZF\0";
const MAGIC_V3: [u8; MAGIC_LEN] = *b"C1Z3\0";

/// What a path holds, judged by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detected {
    /// Nothing is there: an empty store.
    Missing,
    /// A file of length 0: an empty store.
    Empty,
    /// A file of format v1.
    V1,
    /// A file of format v3.
    V3,
}

/// Looks at the first bytes of `path`. Any other content than the two magics,
/// and a file of 1 to 4 bytes, is [`Error::NotC1z`] (c1z specification §0).
pub fn detect(path: &Path) -> Result<Detected> {
    match File::open(path) {
        Ok(mut file) => read_magic(path, &mut file),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(Detected::Missing),
        Err(e) => Err(Error::io("open", path, e)),
    }
}

/// Reads the magic and leaves `file` right behind it.
fn read_magic(path: &Path, file: &mut File) -> Result<Detected> {
    let mut magic = Vec::with_capacity(MAGIC_LEN);
    file.take(MAGIC_LEN as u64)
        .read_to_end(&mut magic)
        .map_err(|e| Error::io("read", path, e))?;
    if magic.is_empty() {
        Ok(Detected::Empty)
    } else if magic == MAGIC_V1 {
        Ok(Detected::V1)
    } else if magic == MAGIC_V3 {
        Ok(Detected::V3)
    } else {
        Err(Error::NotC1z {
            path: path.to_owned(),
        })
    }
}
