//! Sets of ids in eight bytes each.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};

/// Digests hash to themselves.
#[derive(Default)]
pub(crate) struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = n;
    }
}

/// Ids as digests of 64 bits: among a million of them, one that is missing
/// passes for another with a chance of one in ten million million.
pub(crate) type Digests = HashSet<u64, BuildHasherDefault<Same>>;

/// The digest of an id that consists of these parts.
#[expect(clippy::disallowed_methods, reason = "compared within one process")]
pub(crate) fn digest(parts: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}
