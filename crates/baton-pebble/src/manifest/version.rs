//! The tables that are live after all edits. Spec §5.2.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::edit::{NewTable, VersionEdit, too_many};
use crate::error::Fault;
use crate::key;
use crate::log::Records;

/// The state of the manifest after its last edit.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Version {
    /// Live tables by level and number.
    pub tables: BTreeMap<(u8, u64), NewTable>,
    /// Sizes in bytes of the files behind virtual tables, by file number.
    pub backings: BTreeMap<u64, u64>,
    /// Logs with lower numbers are in tables already.
    pub min_log: u64,
    blobs: BTreeSet<(u64, u64)>,
}

/// Replays a manifest.
pub(crate) fn live_version(manifest: Bytes) -> Result<Version, Fault> {
    let mut records = Records::of_manifest(manifest);
    let mut version = Version::default();
    while let Some(record) = records.next()? {
        version.apply(VersionEdit::parse(&record)?)?;
    }
    version.check()?;
    Ok(version)
}

impl Version {
    /// Applies one edit as a whole.
    ///
    /// # Errors
    /// An edit that contradicts what is there: tables removed that are not
    /// live, added twice, with bounds in the wrong order, or virtual without
    /// a file. More tables than the limit.
    pub fn apply(&mut self, edit: VersionEdit) -> Result<(), Fault> {
        if let Some(min_log) = edit.min_log {
            self.min_log = min_log;
        }
        self.backings.extend(edit.backings);
        for table in &edit.removed {
            if self.tables.remove(table).is_none() {
                return Err(Fault::Damaged(
                    format!(
                        "table {} is removed from level {} without being there",
                        table.1, table.0
                    )
                    .into(),
                ));
            }
        }
        for table in edit.added {
            self.check_new(&table)?;
            let number = table.number;
            if self.tables.insert((table.level, number), table).is_some() {
                return Err(Fault::Damaged(
                    format!("table {number} is added twice").into(),
                ));
            }
        }
        for number in edit.backings_removed {
            self.backings.remove(&number);
        }
        self.blobs.extend(edit.blobs);
        for blob in edit.blobs_removed {
            self.blobs.remove(&blob);
        }
        let most = self
            .tables
            .len()
            .max(self.backings.len())
            .max(self.blobs.len());
        if most > super::edit::MAX_TABLES {
            return Err(too_many());
        }
        Ok(())
    }

    fn check_new(&self, table: &NewTable) -> Result<(), Fault> {
        let number = table.number;
        let smallest = (&table.smallest.user[..], table.smallest.trailer);
        let largest = (&table.largest.user[..], table.largest.trailer);
        if key::compare(smallest, largest).is_gt() {
            return Err(Fault::Damaged(
                format!("the bounds of table {number} are in the wrong order").into(),
            ));
        }
        if table
            .sequences
            .is_some_and(|(least, greatest)| least > greatest)
        {
            return Err(Fault::Damaged(
                format!("the sequence numbers of table {number} are in the wrong order").into(),
            ));
        }
        if table
            .backing
            .is_some_and(|file| !self.backings.contains_key(&file))
        {
            return Err(Fault::Damaged(
                format!("the file behind the virtual table {number} was never announced").into(),
            ));
        }
        Ok(())
    }

    /// Checks what must hold after the last edit.
    fn check(&self) -> Result<(), Fault> {
        if let Some(reason) = self.tables.values().find_map(|table| table.unsupported) {
            return Err(Fault::unsupported(reason));
        }
        if !self.blobs.is_empty() {
            return Err(Fault::unsupported("a blob file"));
        }
        for table in self.tables.values() {
            // The file may have been given up in a later edit.
            self.check_new(table)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::edit::tests::Edit;
    use super::*;

    fn applied(edits: impl IntoIterator<Item = Edit>) -> Result<Version, Fault> {
        let mut version = Version::default();
        for edit in edits {
            version.apply(edit.parse()?)?;
        }
        version.check()?;
        Ok(version)
    }

    fn edit() -> Edit {
        Edit::default()
    }

    #[test]
    fn edits_that_contradict_each_other_are_damage() {
        let virtual_table = || edit().table(103, 6, 4, b"a", b"b").numbers(&[66, 9, 1]);
        for edits in [
            vec![edit().numbers(&[6, 6, 4])],
            vec![edit().table(100, 6, 4, b"a", b"b"); 2],
            vec![edit().table(100, 6, 4, b"b", b"a")],
            vec![virtual_table()],
            vec![
                edit().numbers(&[105, 9, 10]),
                virtual_table(),
                edit().numbers(&[106, 9]),
            ],
        ] {
            let fault = applied(edits).unwrap_err();
            assert!(matches!(fault, Fault::Damaged(_)), "{fault:?}");
        }
    }

    #[test]
    fn what_is_not_supported_is_refused_only_while_it_is_live() {
        let blob = edit().numbers(&[107, 1, 2, 3, 4, 5]);
        let table = edit()
            .table(103, 6, 4, b"a", b"b")
            .numbers(&[69, 1, 1, 9, 9, 1]);
        for live in [blob.clone(), table.clone()] {
            assert!(matches!(applied([live]), Err(Fault::Unsupported(_))));
        }
        let gone = [blob, table, edit().numbers(&[108, 1, 2, 6, 6, 4])];
        assert!(applied(gone).unwrap().tables.is_empty());
    }

    #[test]
    fn a_table_moves_between_levels_within_one_edit() {
        let moved = edit().table(100, 6, 4, b"a", b"b").numbers(&[6, 0, 4]);
        let version = applied([edit().table(100, 0, 4, b"a", b"b"), moved]).unwrap();
        assert_eq!(version.tables.keys().collect::<Vec<_>>(), [&(6, 4)]);
    }

    #[test]
    fn a_manifest_without_records_is_an_empty_version() {
        let version = live_version(Bytes::new()).unwrap();
        assert!(version.tables.is_empty());
    }

    #[test]
    fn a_backing_may_be_announced_in_the_edit_that_needs_it() {
        let both = edit()
            .table(103, 6, 4, b"a", b"b")
            .numbers(&[66, 9, 1])
            .numbers(&[105, 9, 10]);
        let version = applied([both]).unwrap();
        assert_eq!(version.backings.get(&9), Some(&10));
    }
}
