//! What Pebble wrote is what is read.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Bound;
use std::sync::Arc;

use baton_pebble::{Db, Error, FolderSource};
use sha2::{Digest, Sha256};

use crate::fixtures::{ALL, DIGEST, ROWS, rows};

fn digest(rows: &BTreeMap<Vec<u8>, Vec<u8>>) -> String {
    let mut sha = Sha256::new();
    for (key, value) in rows {
        for len in [key.len(), value.len()] {
            sha.update(u32::try_from(len).unwrap().to_le_bytes());
        }
        sha.update(key);
        sha.update(value);
    }
    let mut text = String::new();
    for byte in sha.finalize() {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

#[test]
fn a_table_that_is_missing_or_of_another_size_is_refused() {
    for fixture in ALL {
        let tables: Vec<_> = fixture
            .open()
            .tables()
            .map(|table| table.file_number)
            .collect();
        assert!(!tables.is_empty());
        for number in tables {
            let name = format!("{number:06}.sst");
            let mut source = fixture.source();
            let content = source.remove(&name).unwrap();
            let error = Db::open(Arc::new(source.clone())).unwrap_err();
            assert!(matches!(&error, Error::Damaged { file, .. } if *file == name));
            let mut padded = content.to_vec();
            padded.push(0);
            source.insert(&*name, padded);
            let error = Db::open(Arc::new(source)).unwrap_err();
            assert!(matches!(&error, Error::Damaged { file, .. } if *file == name));
        }
    }
}

#[test]
fn all_visible_rows_are_those_of_pebble() {
    for fixture in ALL {
        let db = fixture.open();
        assert_eq!(db.format_version(), fixture.version);
        let rows = rows(&db).unwrap();
        assert_eq!(rows.len(), ROWS, "{}", fixture.name);
        assert_eq!(digest(&rows), DIGEST, "{}", fixture.name);
    }
}

#[test]
fn the_fixtures_have_what_they_are_for() {
    for fixture in ALL {
        let db = fixture.open();
        assert_eq!(db.tables().count(), 5);
        assert_eq!(db.tables().filter(|table| table.is_virtual).count(), 4);
    }
}

#[test]
fn gets_agree_with_the_rows() {
    for fixture in ALL {
        let db = fixture.open();
        let rows = rows(&db).unwrap();
        for (key, value) in &rows {
            assert_eq!(db.get(key).unwrap().as_deref(), Some(&value[..]));
            let mut behind = key.clone();
            behind.push(0);
            assert_eq!(db.get(&behind).unwrap(), None);
        }
        assert_eq!(db.get(b"").unwrap(), None);
        assert_eq!(db.get(&[0xff; 40]).unwrap(), None);
    }
}

#[test]
fn keys_that_were_deleted_have_no_value() {
    // Whatever is stored in the tables, but not visible.
    for fixture in ALL {
        let db = fixture.open();
        let rows = rows(&db).unwrap();
        let mut hidden = 0;
        for n in 0..10_000 {
            for key in [format!("key{n:05}"), format!("k{n:06}"), format!("{n:05}")] {
                if !rows.contains_key(key.as_bytes()) {
                    assert_eq!(db.get(key.as_bytes()).unwrap(), None);
                    hidden += 1;
                }
            }
        }
        assert!(hidden > 0);
    }
}

#[test]
fn ranges_agree_with_the_rows() {
    for fixture in ALL {
        let db = fixture.open();
        let rows = rows(&db).unwrap();
        let keys: Vec<_> = rows.keys().collect();
        for (n, from) in keys.iter().enumerate().step_by(61) {
            let to = keys[(n + 97).min(keys.len() - 1)];
            for bounds in [
                (Bound::Included(&from[..]), Bound::Excluded(&to[..])),
                (Bound::Excluded(&from[..]), Bound::Included(&to[..])),
                (Bound::Unbounded, Bound::Included(&from[..])),
            ] {
                let mut iter = db.range(bounds.0, bounds.1).unwrap();
                let expected = rows.range::<[u8], _>(bounds);
                for (key, value) in expected {
                    assert_eq!(iter.next().unwrap(), Some((&key[..], &value[..])));
                }
                assert_eq!(iter.next().unwrap(), None);
                assert_eq!(iter.next().unwrap(), None);
            }
        }
        let mut empty = db
            .range(Bound::Excluded(keys[5]), Bound::Excluded(keys[5]))
            .unwrap();
        assert_eq!(empty.next().unwrap(), None);
        let mut reversed = db
            .range(Bound::Included(keys[9]), Bound::Included(keys[5]))
            .unwrap();
        assert_eq!(reversed.next().unwrap(), None);
    }
}

#[test]
fn an_iteration_can_be_moved_anywhere_within_its_range() {
    for fixture in ALL {
        let db = fixture.open();
        let rows = rows(&db).unwrap();
        let keys: Vec<_> = rows.keys().collect();
        let (from, to) = (keys[100], keys[2000]);
        let mut iter = db
            .range(Bound::Included(from), Bound::Excluded(to))
            .unwrap();
        // Far, near, back, before the start, behind the end.
        for n in [1500, 1501, 120, 0, 700, 99, 2100, 1999, 300] {
            let mut target = keys[n].clone();
            for exact in [true, false] {
                if !exact {
                    target.push(0);
                }
                iter.seek(&target).unwrap();
                let start = target.clone().max(from.clone());
                let mut expected = rows.range(start.clone()..(*to).clone().max(start)).take(40);
                for _ in 0..40 {
                    let row = expected.next().map(|(key, value)| (&key[..], &value[..]));
                    assert_eq!(iter.next().unwrap(), row);
                }
            }
        }
    }
}

#[test]
fn a_folder_gives_the_same_rows() {
    let folder = tempfile::tempdir().unwrap();
    let source = ALL[2].source();
    for name in baton_pebble::Source::names(&source) {
        std::fs::write(folder.path().join(&name), source.get(&name).unwrap()).unwrap();
    }
    let listed = FolderSource::list(folder.path()).unwrap();
    let rows = rows(&Db::open(Arc::new(listed)).unwrap()).unwrap();
    assert_eq!(digest(&rows), DIGEST);
}

#[test]
fn several_threads_read_one_database() {
    let db = ALL[2].open();
    let expected = rows(&db).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                assert_eq!(rows(&db).unwrap(), expected);
                for (key, value) in expected.iter().step_by(17) {
                    assert_eq!(db.get(key).unwrap().as_deref(), Some(&value[..]));
                }
            });
        }
    });
}
