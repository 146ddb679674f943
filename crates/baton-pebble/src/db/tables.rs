//! The live tables, checked against the files, in sequences that do not
//! overlap. Spec §5.2, §5.4.

use bytes::Bytes;

use super::{covering, successor};
use crate::error::{Fault, Result};
use crate::key;
use crate::manifest::{NewTable, Version};
use crate::source::Source;
use crate::table::{Span, Table, clip};
use crate::write::table_name;

/// Most sequences of tables without overlaps: a read looks at one table of
/// each.
pub const MAX_RUNS: usize = 1_000;

/// A live table, for diagnostics.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableInfo {
    /// 0 to 6; rows of lower levels are usually newer.
    pub level: u8,
    /// Identifies the table within its level.
    pub number: u64,
    /// Number of the file that holds its rows.
    pub file_number: u64,
    /// Whether the table is a window on a file that others may share.
    pub is_virtual: bool,
    /// Bytes; an estimate for a virtual table.
    pub size: u64,
    /// No row is before this user key.
    pub smallest: Bytes,
    /// No row is after this user key.
    pub largest: Bytes,
}

/// A live table, for reading.
#[derive(Debug)]
pub(super) struct RunTable {
    pub info: TableInfo,
    /// First user key that rows may have.
    pub start: Bytes,
    /// First user key behind them.
    pub end: Bytes,
    /// Sequence number of all entries, instead of those in the file.
    synthetic: Option<u64>,
    /// Of two entries with the same sequence number, that of the lower rank
    /// wins.
    pub rank: u32,
}

impl RunTable {
    fn new(table: &NewTable) -> Self {
        let (smallest, largest) = (&table.smallest, &table.largest);
        Self {
            info: TableInfo {
                level: table.level,
                number: table.number,
                file_number: table.backing.unwrap_or(table.number),
                is_virtual: table.backing.is_some(),
                size: table.size,
                smallest: smallest.user.clone(),
                largest: largest.user.clone(),
            },
            start: smallest.user.clone(),
            end: if largest.is_exclusive() {
                largest.user.clone()
            } else {
                successor(&largest.user)
            },
            synthetic: match table.sequences {
                Some((least, greatest)) if least == greatest && least != 0 => Some(least),
                _ => None,
            },
            rank: 0,
        }
    }

    /// The sequence number of an entry with this stored trailer.
    #[inline]
    pub fn sequence(&self, trailer: u64) -> u64 {
        self.synthetic.unwrap_or_else(|| key::sequence(trailer))
    }

    /// Its range tombstones, within its bounds.
    pub fn spans(&self, file: &Table) -> Vec<Span> {
        clip(file.spans(), &self.start, &self.end, self.synthetic)
    }

    /// Entries of `key`, which is within the bounds, are gone below this
    /// sequence number.
    pub fn covered_below(&self, file: &Table, key: &[u8]) -> u64 {
        match (covering(file.spans(), key), self.synthetic) {
            (0, _) | (_, None) => covering(file.spans(), key),
            (_, Some(synthetic)) => synthetic,
        }
    }
}

/// The live tables of `version`, whose files are all there.
pub(super) fn check(version: &Version, source: &dyn Source) -> Result<Vec<RunTable>> {
    let mut tables = Vec::with_capacity(version.tables.len());
    for new in version.tables.values() {
        let table = RunTable::new(new);
        let number = table.info.file_number;
        let expected = match new.backing {
            Some(backing) => version.backings.get(&backing).copied(),
            None => Some(new.size),
        };
        let name = table_name(number);
        let fault = match source.size(&name) {
            None => Fault::damaged("the manifest names it, but it is missing"),
            Some(size) if Some(size) != expected => Fault::Damaged(
                format!(
                    "it has {size} bytes; the manifest states {}",
                    expected.unwrap_or_default()
                )
                .into(),
            ),
            Some(_) => {
                tables.push(table);
                continue;
            }
        };
        return Err(fault.of_file(&name));
    }
    Ok(tables)
}

/// Distributes tables to sequences in which they do not overlap. Levels 1 to
/// 6 should be one each; nothing relies on it.
pub(super) fn runs(mut tables: Vec<RunTable>) -> std::result::Result<Vec<Vec<RunTable>>, Fault> {
    tables.sort_by_key(|table| (table.info.level, std::cmp::Reverse(table.info.number)));
    for (rank, table) in (1..).zip(&mut tables) {
        table.rank = rank;
    }
    tables.sort_by(|a, b| (a.info.level, &a.start).cmp(&(b.info.level, &b.start)));
    let mut runs: Vec<Vec<RunTable>> = Vec::new();
    for table in tables {
        let fits = |run: &&mut Vec<RunTable>| {
            run.last()
                .is_some_and(|last| last.info.level == table.info.level && last.end <= table.start)
        };
        if let Some(run) = runs.iter_mut().find(fits) {
            run.push(table);
        } else if runs.len() < MAX_RUNS {
            runs.push(vec![table]);
        } else {
            return Err(Fault::Limit {
                what: "the number of tables that overlap",
                limit: MAX_RUNS as u64,
            });
        }
    }
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemorySource;
    use crate::key::{InternalKey, SENTINEL_SEQUENCE};

    fn table(level: u8, number: u64, from: &'static str, to: &'static str) -> NewTable {
        let bound = |user: &'static str| InternalKey {
            user: user.into(),
            trailer: 1,
        };
        let text = b"\x67\x06\x04\x0a\x09a\0\0\0\0\0\0\0\0\x09b\0\0\0\0\0\0\0\0\0\0\x01";
        let edit = crate::manifest::VersionEdit::parse(&Bytes::from_static(text)).unwrap();
        let mut table = edit.added.into_iter().next().unwrap();
        (table.level, table.number) = (level, number);
        (table.smallest, table.largest) = (bound(from), bound(to));
        table
    }

    fn version(tables: Vec<NewTable>) -> Version {
        let mut version = Version::default();
        for table in tables {
            version.tables.insert((table.level, table.number), table);
        }
        version
    }

    #[test]
    fn tables_whose_files_differ_from_the_manifest_are_damage() {
        let mut source = MemorySource::new();
        let version = version(vec![table(6, 4, "a", "b")]);
        let text = |source: &MemorySource| check(&version, source).unwrap_err().to_string();
        assert!(text(&source).contains("000004.sst is damaged: the manifest names it"));
        source.insert("000004.sst", vec![0; 9]);
        assert!(text(&source).contains("it has 9 bytes; the manifest states 10"));
        source.insert("000004.sst", vec![0; 10]);
        assert_eq!(check(&version, &source).unwrap().len(), 1);
    }

    #[test]
    fn more_overlapping_tables_than_the_limit_are_refused() {
        let tables = (0..=MAX_RUNS as u64)
            .map(|n| RunTable::new(&table(0, n, "a", "b")))
            .collect();
        assert!(matches!(runs(tables), Err(Fault::Limit { .. })));
    }

    #[test]
    fn tables_that_overlap_are_in_different_runs() {
        let mut exclusive = table(6, 9, "a", "c");
        exclusive.largest.trailer = SENTINEL_SEQUENCE << 8 | 15;
        let tables = [
            table(0, 1, "a", "m"),
            table(0, 2, "l", "z"),
            table(0, 3, "x", "y"),
            table(0, 4, "n", "o"),
            exclusive,
            table(6, 8, "c", "d"),
            table(6, 7, "d", "e"),
        ];
        let runs = runs(tables.iter().map(RunTable::new).collect()).unwrap();
        let numbers: Vec<Vec<_>> = runs
            .iter()
            .map(|run| run.iter().map(|table| table.info.number).collect())
            .collect();
        // Table 7 begins with the last key of 8: two levels' worth.
        assert_eq!(numbers, [vec![1, 4, 3], vec![2], vec![9, 8], vec![7]]);
        let rank = |number| {
            let mut all = runs.iter().flatten();
            all.find(|table| table.info.number == number).unwrap().rank
        };
        assert!(rank(4) < rank(1) && rank(1) < rank(9));
    }
}
