//! One version edit. Spec §5.2.
//!
//! An edit may mention things that are not supported, but gone by the last
//! edit: they are noted with the table and refused only if it is still live.
//! What would make the rest of the edit unreadable is refused at once.

use bytes::Bytes;

use crate::error::Fault;
use crate::key::InternalKey;
use crate::wire::Wire;

/// The only order of keys that is supported.
pub const COMPARER: &str = "leveldb.BytewiseComparator";
/// Levels are 0 to 6.
pub const LEVELS: u8 = 7;
/// Most tables that a database, or one edit, may have.
pub const MAX_TABLES: usize = 1 << 18;

/// A table that an edit adds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewTable {
    /// 0 to 6.
    pub level: u8,
    /// Identifies the table within its level.
    pub number: u64,
    /// Bytes; an estimate for a virtual table.
    pub size: u64,
    /// No row is before this key.
    pub smallest: InternalKey,
    /// No row is after this key.
    pub largest: InternalKey,
    /// The least and the greatest sequence number of its entries, if known.
    pub sequences: Option<(u64, u64)>,
    /// Number of the file that holds the rows, if the table is virtual: a
    /// window on a file.
    pub backing: Option<u64>,
    /// What keeps the table from being read.
    pub unsupported: Option<&'static str>,
}

/// The changes that one record of the manifest makes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VersionEdit {
    /// Least number of a log that is not yet in tables.
    pub min_log: Option<u64>,
    /// Greater than every file number in use.
    pub next_file: Option<u64>,
    /// Greatest sequence number in use.
    pub last_sequence: Option<u64>,
    /// Level and number of tables that are gone.
    pub removed: Vec<(u8, u64)>,
    /// Tables that are new.
    pub added: Vec<NewTable>,
    /// Number and size of files that virtual tables show parts of.
    pub backings: Vec<(u64, u64)>,
    /// Numbers of such files that are no longer needed.
    pub backings_removed: Vec<u64>,
    /// Id and file number of files that hold values apart from their tables.
    pub blobs: Vec<(u64, u64)>,
    /// Id and file number of such files that are gone.
    pub blobs_removed: Vec<(u64, u64)>,
}

mod tag {
    pub(super) const COMPARER: u64 = 1;
    pub(super) const MIN_LOG: u64 = 2;
    pub(super) const NEXT_FILE: u64 = 3;
    pub(super) const LAST_SEQUENCE: u64 = 4;
    pub(super) const COMPACT_POINTER: u64 = 5;
    pub(super) const REMOVED: u64 = 6;
    pub(super) const TABLE_WITHOUT_SEQUENCES: u64 = 7;
    pub(super) const PREVIOUS_LOG: u64 = 9;
    pub(super) const TABLE: u64 = 100;
    pub(super) const TABLE_WITH_PATH: u64 = 102;
    pub(super) const TABLE_WITH_FIELDS: u64 = 103;
    pub(super) const TABLE_WITH_RANGE_KEYS: u64 = 104;
    pub(super) const BACKING: u64 = 105;
    pub(super) const BACKING_REMOVED: u64 = 106;
    pub(super) const BLOB: u64 = 107;
    pub(super) const BLOB_REMOVED: u64 = 108;
    pub(super) const COLUMN_FAMILIES: std::ops::RangeInclusive<u64> = 200..=203;
}

mod field {
    pub(super) const END: u64 = 1;
    pub(super) const PATH: u64 = 65;
    pub(super) const BACKING: u64 = 66;
    pub(super) const PREFIX: u64 = 67;
    pub(super) const SUFFIX: u64 = 68;
    pub(super) const BLOB_REFERENCES: u64 = 69;
    /// Fields with this bit may not be skipped.
    pub(super) const MUST_BE_KNOWN: u64 = 64;
}

/// Bits of the byte that states what the bounds of tag 104 are of.
mod bounds {
    pub(super) const HAS_POINTS: u8 = 1;
    pub(super) const SMALLEST_IS_POINT: u8 = 2;
    pub(super) const LARGEST_IS_POINT: u8 = 4;
}

impl VersionEdit {
    /// Reads one record of a manifest.
    ///
    /// # Errors
    /// Bytes that are no edit, another order of keys, and features that make
    /// the rest unreadable.
    pub fn parse(record: &Bytes) -> Result<Self, Fault> {
        let mut wire = Wire::new(record, "an edit");
        let mut edit = Self::default();
        while !wire.is_empty() {
            let tag = wire.uvarint()?;
            edit.parse_tag(tag, record, &mut wire)?;
            let entries = edit.removed.len()
                + edit.added.len()
                + edit.backings.len()
                + edit.backings_removed.len()
                + edit.blobs.len()
                + edit.blobs_removed.len();
            if entries > 2 * MAX_TABLES {
                return Err(too_many());
            }
        }
        Ok(edit)
    }

    fn parse_tag(&mut self, tag: u64, record: &Bytes, wire: &mut Wire<'_>) -> Result<(), Fault> {
        match tag {
            tag::COMPARER => comparer(wire.bytes()?)?,
            tag::MIN_LOG => self.min_log = Some(wire.uvarint()?),
            tag::NEXT_FILE => self.next_file = Some(wire.uvarint()?),
            tag::LAST_SEQUENCE => self.last_sequence = Some(wire.uvarint()?),
            tag::COMPACT_POINTER => {
                wire.uvarint()?;
                wire.bytes()?;
            }
            tag::REMOVED => self.removed.push((level(wire)?, wire.uvarint()?)),
            tag::PREVIOUS_LOG => {
                wire.uvarint()?;
            }
            tag::TABLE_WITHOUT_SEQUENCES
            | tag::TABLE
            | tag::TABLE_WITH_PATH
            | tag::TABLE_WITH_FIELDS
            | tag::TABLE_WITH_RANGE_KEYS => self.added.push(table(tag, record, wire)?),
            tag::BACKING => self.backings.push((wire.uvarint()?, wire.uvarint()?)),
            tag::BACKING_REMOVED => self.backings_removed.push(wire.uvarint()?),
            tag::BLOB => {
                self.blobs.push((wire.uvarint()?, wire.uvarint()?));
                // Size, size of the values, time of creation.
                for _ in 0..3 {
                    wire.uvarint()?;
                }
            }
            tag::BLOB_REMOVED => self.blobs_removed.push((wire.uvarint()?, wire.uvarint()?)),
            tag if tag::COLUMN_FAMILIES.contains(&tag) => {
                return Err(Fault::unsupported("an edit of column families"));
            }
            tag => {
                return Err(Fault::Unsupported(
                    format!("an edit with the unknown tag {tag}").into(),
                ));
            }
        }
        Ok(())
    }
}

pub(super) fn too_many() -> Fault {
    Fault::Limit {
        what: "the number of tables",
        limit: MAX_TABLES as u64,
    }
}

/// Refuses another order of keys.
pub(crate) fn comparer(name: &[u8]) -> Result<(), Fault> {
    if name == COMPARER.as_bytes() {
        return Ok(());
    }
    Err(Fault::Unsupported(
        format!("the comparer {:?}", Name(name)).into(),
    ))
}

/// A name from a file, shortened and escaped for a message.
pub(crate) struct Name<'a>(pub &'a [u8]);

impl std::fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.get(..100) {
            Some(shown) if shown.len() < self.0.len() => write!(f, "`{}…`", shown.escape_ascii()),
            _ => write!(f, "`{}`", self.0.escape_ascii()),
        }
    }
}

fn level(wire: &mut Wire<'_>) -> Result<u8, Fault> {
    match u8::try_from(wire.uvarint()?) {
        Ok(level) if level < LEVELS => Ok(level),
        _ => Err(Fault::damaged("an edit names a level beyond 6")),
    }
}

fn table(tag: u64, record: &Bytes, wire: &mut Wire<'_>) -> Result<NewTable, Fault> {
    let level = level(wire)?;
    let number = wire.uvarint()?;
    if tag == tag::TABLE_WITH_PATH && wire.uvarint()? != 0 {
        return Err(Fault::unsupported("a table in another folder"));
    }
    let size = wire.uvarint()?;
    let (smallest, largest) = if tag == tag::TABLE_WITH_RANGE_KEYS {
        bounds_with_range_keys(wire)?
    } else {
        (wire.bytes()?, wire.bytes()?)
    };
    let sequences = match tag {
        tag::TABLE_WITHOUT_SEQUENCES => None,
        _ => Some((wire.uvarint()?, wire.uvarint()?)),
    };
    let mut table = NewTable {
        level,
        number,
        size,
        smallest: InternalKey::parse(record, smallest)?,
        largest: InternalKey::parse(record, largest)?,
        sequences,
        backing: None,
        unsupported: (tag == tag::TABLE_WITH_RANGE_KEYS).then_some("a table with range keys"),
    };
    if matches!(tag, tag::TABLE_WITH_FIELDS | tag::TABLE_WITH_RANGE_KEYS) {
        custom_fields(&mut table, wire)?;
    }
    Ok(table)
}

fn bounds_with_range_keys<'a>(wire: &mut Wire<'a>) -> Result<(&'a [u8], &'a [u8]), Fault> {
    let marker = wire.u8()?;
    let points = if marker & bounds::HAS_POINTS != 0 {
        Some((wire.bytes()?, wire.bytes()?))
    } else {
        None
    };
    let ranges = (wire.bytes()?, wire.bytes()?);
    let (smallest_point, largest_point) = points.unwrap_or(ranges);
    let pick = |bit, point, range| if marker & bit != 0 { point } else { range };
    Ok((
        pick(bounds::SMALLEST_IS_POINT, smallest_point, ranges.0),
        pick(bounds::LARGEST_IS_POINT, largest_point, ranges.1),
    ))
}

fn custom_fields(table: &mut NewTable, wire: &mut Wire<'_>) -> Result<(), Fault> {
    loop {
        match wire.uvarint()? {
            field::END => return Ok(()),
            field::PATH => return Err(Fault::unsupported("a table in another folder")),
            field::BACKING => table.backing = Some(wire.uvarint()?),
            field::PREFIX | field::SUFFIX => {
                if !wire.bytes()?.is_empty() {
                    table.unsupported = Some("a table with synthetic key parts");
                }
            }
            field::BLOB_REFERENCES => {
                wire.uvarint()?;
                let references = wire.uvarint()?;
                for _ in 0..references {
                    wire.uvarint()?;
                    wire.uvarint()?;
                }
                table.unsupported = Some("a table whose values are in blob files");
            }
            unknown if unknown & field::MUST_BE_KNOWN != 0 => {
                return Err(Fault::Unsupported(
                    format!("a table with the unknown field {unknown}").into(),
                ));
            }
            _ => {
                wire.bytes()?;
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Writes edits as a database would.
    #[derive(Clone, Default)]
    pub(in crate::manifest) struct Edit(pub Vec<u8>);

    impl Edit {
        pub fn number(mut self, mut value: u64) -> Self {
            while value >= 0x80 {
                self.0.push(value.to_le_bytes()[0] | 0x80);
                value >>= 7;
            }
            self.0.push(value.to_le_bytes()[0]);
            self
        }

        pub fn numbers(self, values: &[u64]) -> Self {
            values.iter().fold(self, |edit, value| edit.number(*value))
        }

        pub fn bytes(self, value: &[u8]) -> Self {
            let mut edit = self.number(value.len() as u64);
            edit.0.extend(value);
            edit
        }

        pub fn bound(self, user: &[u8], trailer: u64) -> Self {
            let mut key = user.to_vec();
            key.extend(trailer.to_le_bytes());
            self.bytes(&key)
        }

        /// Tag, level, number, size, bounds, sequence numbers.
        pub fn table(self, tag: u64, level: u64, number: u64, from: &[u8], to: &[u8]) -> Self {
            self.numbers(&[tag, level, number, 10])
                .bound(from, 1)
                .bound(to, 1)
                .numbers(&[0, 0])
        }

        pub fn parse(self) -> Result<VersionEdit, Fault> {
            VersionEdit::parse(&self.0.into())
        }
    }

    fn edit() -> Edit {
        Edit::default()
    }

    fn refused(edit: Edit, name: &str) {
        let fault = edit.parse().unwrap_err();
        assert!(matches!(fault, Fault::Unsupported(_)), "{fault:?}");
        assert!(fault.to_string().contains(name), "{fault}");
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        refused(edit().number(1).bytes(b"other"), "comparer `other`");
        refused(edit().number(8), "unknown tag 8");
        refused(edit().number(201), "column families");
        refused(
            edit().numbers(&[102, 6, 4, 1, 10]),
            "a table in another folder",
        );
        let fields = || edit().table(103, 6, 4, b"a", b"b");
        refused(fields().number(65).bytes(b"x"), "another folder");
        refused(fields().number(70).bytes(b"x"), "unknown field 70");
    }

    #[test]
    fn what_is_not_supported_but_readable_is_noted_with_the_table() {
        let fields = || edit().table(103, 6, 4, b"a", b"b");
        for (edit, name) in [
            (fields().number(67).bytes(b"p").number(1), "synthetic"),
            (fields().number(68).bytes(b"s").number(1), "synthetic"),
            (fields().numbers(&[69, 1, 2, 9, 9, 8, 8, 1]), "blob files"),
            (
                edit()
                    .numbers(&[104, 0, 4, 10])
                    .number(0)
                    .bound(b"r", 1)
                    .bound(b"s", 1)
                    .numbers(&[0, 0, 1]),
                "range keys",
            ),
        ] {
            let table = edit.parse().unwrap().added.remove(0);
            assert!(table.unsupported.unwrap().contains(name));
        }
    }

    #[test]
    fn an_edit_that_is_cut_off_is_damaged() {
        let whole = edit()
            .number(1)
            .bytes(COMPARER.as_bytes())
            .numbers(&[2, 300, 3, 5, 4, 6])
            .table(103, 6, 4, b"abc", b"abd")
            .number(6)
            .bytes(b"\x01")
            .numbers(&[66, 900, 1])
            .numbers(&[105, 900, 77]);
        let bytes = Bytes::from(whole.0);
        let mut whole = 0;
        for len in 0..bytes.len() {
            match VersionEdit::parse(&bytes.slice(..len)) {
                Ok(_) => whole += 1,
                Err(fault) => assert!(matches!(fault, Fault::Damaged(_)), "{fault:?}"),
            }
        }
        // Before each of the six tags.
        assert_eq!(whole, 6);
    }

    #[test]
    fn a_level_beyond_the_last_is_damage() {
        for level in [7, 255, 256, u64::MAX] {
            let fault = edit().numbers(&[6, level, 1]).parse().unwrap_err();
            assert!(matches!(fault, Fault::Damaged(_)));
        }
    }

    #[test]
    fn an_endless_list_of_blob_references_ends_with_the_bytes() {
        let fields = edit().table(103, 6, 4, b"a", b"b");
        let fault = fields.numbers(&[69, 1, u64::MAX]).parse().unwrap_err();
        assert_eq!(fault, Fault::damaged("an edit is cut off"));
    }

    #[test]
    fn more_tables_than_the_limit_are_refused() {
        let mut bytes = edit();
        for number in 0..=2 * MAX_TABLES as u64 {
            bytes = bytes.numbers(&[6, 0, number]);
        }
        assert!(matches!(bytes.parse(), Err(Fault::Limit { .. })));
    }

    #[test]
    fn every_form_of_a_table_is_read() {
        let plain = edit().table(100, 6, 4, b"a", b"b").parse().unwrap();
        let expected = NewTable {
            level: 6,
            number: 4,
            size: 10,
            smallest: InternalKey {
                user: Bytes::from_static(b"a"),
                trailer: 1,
            },
            largest: InternalKey {
                user: Bytes::from_static(b"b"),
                trailer: 1,
            },
            sequences: Some((0, 0)),
            backing: None,
            unsupported: None,
        };
        assert_eq!(plain.added, std::slice::from_ref(&expected));

        let level_db = edit()
            .numbers(&[7, 6, 4, 10])
            .bound(b"a", 1)
            .bound(b"b", 1)
            .parse()
            .unwrap();
        assert_eq!(level_db.added[0].sequences, None);

        let with_path = edit()
            .numbers(&[102, 6, 4, 0, 10])
            .bound(b"a", 1)
            .bound(b"b", 1)
            .numbers(&[0, 0])
            .parse()
            .unwrap();
        assert_eq!(with_path.added, std::slice::from_ref(&expected));

        let virtual_table = edit()
            .table(103, 6, 4, b"a", b"b")
            .number(2)
            .bytes(b"\x01")
            .number(6)
            .bytes(b"\x80\x01")
            .number(67)
            .bytes(b"")
            .number(30)
            .bytes(b"skipped")
            .numbers(&[66, 900, 1])
            .parse()
            .unwrap();
        let backed = NewTable {
            backing: Some(900),
            ..expected
        };
        assert_eq!(virtual_table.added, [backed]);
    }

    #[test]
    fn overall_bounds_of_a_table_with_range_keys_are_taken_as_marked() {
        let with = |marker| {
            edit()
                .numbers(&[104, 0, 4, 10, marker])
                .bound(b"b", 1)
                .bound(b"c", 1)
                .bound(b"a", 1)
                .bound(b"d", 1)
                .numbers(&[0, 0, 1])
                .parse()
                .unwrap()
                .added
                .remove(0)
        };
        let bounds = |table: &NewTable| (table.smallest.user.clone(), table.largest.user.clone());
        assert_eq!(bounds(&with(1)), ("a".into(), "d".into()));
        assert_eq!(bounds(&with(3)), ("b".into(), "d".into()));
        assert_eq!(bounds(&with(7)), ("b".into(), "c".into()));
    }
}
