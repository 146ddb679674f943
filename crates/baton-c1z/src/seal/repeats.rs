//! Which new grants may have an id that another grant has too.
//!
//! Only hashes of ids are compared, in bounded memory: of more than fit at
//! once, a part of all possible hashes is looked at in each pass. Passes make
//! no messages, so they cost little beside writing the grants.

use crate::error::Result;
use crate::row::{Row, Table};
use crate::sort::Sorted;

use super::collect::hash;
use super::duplicate_ids::split_hashes;
use super::expand::NewGrants;
use super::key::table_byte;

/// The hash of a grant's id, as the list of ids has it.
pub(super) fn id_hash(grant: &Row<'_>) -> u64 {
    hash(table_byte(Table::Grants), grant.id.as_bytes())
}

/// The hashes that occur more than once, among the new grants or with a row,
/// in order. `ids` are the hashes of the rows' ids; `most` new grants are
/// looked at at once.
pub(super) fn repeats(grants: &mut dyn NewGrants, ids: &Sorted, most: usize) -> Result<Vec<u64>> {
    let mut found = Vec::new();
    let mut rows = ids.merge(0);
    rows.next()?;
    // At once, since growing would copy; pages not touched cost nothing.
    let mut hashes = Vec::with_capacity(most);
    let (mut from, mut to) = (0, u64::MAX);
    loop {
        hashes.clear();
        grants.rewind();
        while grants.advance()? {
            let hash = id_hash(&grants.row());
            if hashes.len() >= most && from < to && (from..=to).contains(&hash) {
                to = from + (to - from) / 2;
                hashes.retain(|hash| *hash <= to);
            }
            if (from..=to).contains(&hash) {
                hashes.push(hash);
            }
        }
        hashes.sort_unstable();
        for same in hashes.chunk_by(|a, b| a == b) {
            let hash = same[0];
            while let Some(row) = rows.current() {
                if split_hashes(row.key).0 >= hash {
                    break;
                }
                rows.next()?;
            }
            let row = rows.current().map(|row| split_hashes(row.key).0);
            if same.len() > 1 || row == Some(hash) {
                found.push(hash);
            }
        }
        if to == u64::MAX {
            return Ok(found);
        }
        // Each pass finds its own end, since hashes may lie unevenly.
        (from, to) = (to + 1, u64::MAX);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::files::SystemFiles;
    use crate::sort::{Entry, Place, Sorter};

    struct Ids(Vec<String>, usize);

    impl NewGrants for Ids {
        fn advance(&mut self) -> Result<bool> {
            self.1 += 1;
            Ok(self.1 <= self.0.len())
        }

        fn make(&mut self) -> Result<()> {
            unreachable!("ids are enough")
        }

        fn row(&self) -> Row<'_> {
            Row {
                id: &self.0[self.1 - 1],
                ..Row::default()
            }
        }

        fn rewind(&mut self) {
            self.1 = 0;
        }
    }

    fn hash_of(id: &str) -> u64 {
        id_hash(&Row {
            id,
            ..Row::default()
        })
    }

    #[test]
    fn repeated_ids_are_found_however_little_fits_at_once() {
        let folder = tempfile::tempdir().expect("folder");
        let mut sorter = Sorter::new(Place {
            files: Arc::new(SystemFiles),
            dir: folder.path().to_owned(),
            name: "ids",
            budget_bytes: 1 << 20,
        });
        for n in 0..100 {
            let mut key = hash_of(&format!("row {n}")).to_be_bytes().to_vec();
            key.extend([0; 8]);
            sorter
                .push(Entry {
                    key: &key,
                    page: 0,
                    row: 0,
                    data: &[],
                })
                .expect("room");
        }
        let rows = sorter.finish().expect("sorted");
        let mut ids: Vec<String> = (0..1000).map(|n| format!("new {n}")).collect();
        ids.extend(["row 7", "new 3", "row 99", "new 999", "new 3"].map(str::to_owned));
        let mut grants = Ids(ids, 0);
        let mut expected = ["row 7", "row 99", "new 3", "new 999"].map(hash_of);
        expected.sort_unstable();
        for most in [1, 2, 10, 300, 10_000] {
            let found = repeats(&mut grants, &rows, most).expect("found");
            assert_eq!(found, expected, "{most} at once");
        }
    }
}
