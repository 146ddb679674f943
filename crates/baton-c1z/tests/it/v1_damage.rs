//! Files that are not what they should be: each a typed error, in bounded
//! time and space, never a panic.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use baton_c1z::{
    C1zFile, Error, Filter, Limits, ReadOptions, Result, RewriteOptions, Table, View, detect, dump,
    peek,
};
use baton_proto::{Advice, Advise, Code};

use crate::support::{Dice, Folder, database, envelope, fixture, now, open};

/// Opens the file and reads all that is in it.
fn read_all(path: &Path, options: &ReadOptions) -> Result<u64> {
    let file = C1zFile::open(path, options)?;
    let mut bytes = 0;
    for view in [View::AllRows, View::Default { now: now() }] {
        let snapshot = file.view(view)?;
        for table in Table::ALL {
            snapshot.scan(table, &Filter::default(), &mut |row| {
                bytes += row.data.len() as u64;
                Ok(ControlFlow::Continue(()))
            })?;
        }
        snapshot.recount()?;
        snapshot.asset("asset-1")?;
    }
    Ok(bytes)
}

fn small() -> Vec<u8> {
    fs::read(fixture("v1-small.c1z")).expect("fixture")
}

fn default() -> ReadOptions {
    ReadOptions::default()
}

#[test]
fn other_files_are_no_c1z() {
    let folder = Folder::new();
    for bytes in [
        &b"C"[..],
        b"C1ZF",
        b"C1ZF\x01rest",
        b"any text at all",
        b"SQLite format 3\0",
        b"\x28\xb5\x2f\xfd\0\0\0\0",
        b"c1zf\0",
    ] {
        let path = folder.file("x.c1z", bytes);
        for error in [
            open(&path).map(|_| ()).expect_err("refused"),
            detect(&path).map(|_| ()).expect_err("refused"),
            peek(&path, &default()).map(|_| ()).expect_err("refused"),
        ] {
            assert!(matches!(error, Error::NotC1z { .. }), "{error}");
            assert_eq!(error.code(), Code::InvalidArgument);
            assert!(error.to_string().contains("x.c1z"));
        }
    }
}

#[test]
fn a_format_that_is_not_known_is_named() {
    let folder = Folder::new();
    for (bytes, name) in [(b"C1Z4\0rest", "`C1Z4`"), (b"C1ZG\0rest", "`C1ZG`")] {
        let path = folder.file("x.c1z", bytes);
        for error in [
            open(&path).map(|_| ()).expect_err("refused"),
            detect(&path).map(|_| ()).expect_err("refused"),
            peek(&path, &default()).map(|_| ()).expect_err("refused"),
        ] {
            assert!(matches!(error, Error::Unsupported { .. }), "{error}");
            assert_eq!(error.code(), Code::Unimplemented);
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}

#[test]
fn a_folder_is_no_c1z() {
    let folder = Folder::new();
    let error = open(folder.path()).map(|_| ()).expect_err("refused");
    assert!(matches!(error, Error::NotRegular { .. }), "{error}");
}

#[test]
fn a_file_cut_off_at_any_byte_is_an_error() {
    let folder = Folder::new();
    let whole = small();
    for len in 1..whole.len() {
        let path = folder.file("cut.c1z", &whole[..len]);
        let error = open(&path).map(|_| ()).expect_err("cut off");
        match len {
            1..5 => assert!(matches!(error, Error::NotC1z { .. }), "{len}: {error}"),
            _ => assert!(matches!(error, Error::Compressed { .. }), "{len}: {error}"),
        }
        if len % 10 == 0 {
            assert!(peek(&path, &default()).is_err(), "{len}");
        }
    }
}

#[test]
fn bytes_behind_the_stream_are_an_error() {
    let folder = Folder::new();
    for tail in [&b"x"[..], b"xxxx", b"\0\0\0\0\0\0\0\0"] {
        let path = folder.file("tail.c1z", &[&small(), tail].concat());
        assert!(
            matches!(open(&path), Err(Error::Compressed { .. })),
            "{tail:?}"
        );
    }
}

#[test]
fn several_frames_are_one_content() {
    let folder = Folder::new();
    let content = database(&fixture("v1-small.c1z"));
    let (a, b) = content.split_at(content.len() / 3);
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    for middle in [&[][..], &skippable] {
        let bytes = [&envelope(a)[..], middle, &envelope(b)[5..]].concat();
        let path = folder.file("frames.c1z", &bytes);
        assert_eq!(
            read_all(&path, &default()).expect("opens"),
            read_all(&fixture("v1-small.c1z"), &default()).expect("opens")
        );
        peek(&path, &default()).expect("peek");
    }
}

#[test]
fn flipped_bits_are_found_by_the_checksum() {
    let folder = Folder::new();
    let whole = small();
    let mut dice = Dice(1);
    for _ in 0..300 {
        let mut bytes = whole.clone();
        let at = 5 + dice.roll(bytes.len() - 5);
        bytes[at] ^= 1 << dice.roll(8);
        let path = folder.file("flipped.c1z", &bytes);
        // A flip may hit a bit without meaning, such as a reserved one.
        if let Ok(read) = read_all(&path, &default()) {
            assert_eq!(
                read,
                read_all(&fixture("v1-small.c1z"), &default()).expect("opens")
            );
        }
        let _ = peek(&path, &default());
    }
}

#[test]
fn flipped_bits_inside_the_database_never_panic_or_hang() {
    let folder = Folder::new();
    let content = database(&fixture("v1-small.c1z"));
    let mut dice = Dice(2);
    let mut failed = 0;
    for _ in 0..400 {
        let mut bytes = content.clone();
        for _ in 0..=dice.roll(8) {
            let at = dice.roll(bytes.len());
            bytes[at] ^= 1 << dice.roll(8);
        }
        let path = folder.c1z("flipped.c1z", &bytes);
        if let Err(error) = read_all(&path, &default()) {
            failed += 1;
            let typed = matches!(error, Error::Database { .. } | Error::Row { .. });
            assert!(typed, "{error:?}");
        }
        let _ = peek(&path, &default());
    }
    assert!(failed > 0, "some flips must be noticed");
}

#[test]
fn overwritten_pages_never_panic_or_hang() {
    let folder = Folder::new();
    let content = database(&fixture("v1-small.c1z"));
    let pages = content.len() / 4096;
    let mut dice = Dice(3);
    for _ in 0..200 {
        let mut bytes = content.clone();
        let (from, to) = (dice.roll(pages), 1 + dice.roll(pages - 1));
        bytes.copy_within(from * 4096..(from + 1) * 4096, to * 4096);
        let path = folder.c1z("pages.c1z", &bytes);
        let _ = read_all(&path, &default());
        let _ = peek(&path, &default());
    }
}

/// Sixteen levels of interior pages, each of whose 400 children is the same
/// page of the next level: a table of few kilobytes with 400^16 rows.
fn with_endless_grants() -> Vec<u8> {
    let mut db = database(&fixture("v1-small.c1z"));
    let grants: i64 = {
        let folder = Folder::new();
        let path = folder.file("a.db", &db);
        rusqlite::Connection::open(path)
            .and_then(|c| {
                let sql = "select rootpage from sqlite_master where name = 'v1_grants'";
                c.query_row(sql, [], |row| row.get(0))
            })
            .expect("root")
    };
    let page = 4096;
    let root = usize::try_from(grants - 1).expect("page") * page;
    let leaf = db[root..root + page].to_vec();
    let first_new = db.len() / page + 1;
    let levels = 16;
    for level in 0..levels {
        let child = u32::try_from(first_new + level + 1)
            .expect("page")
            .to_be_bytes();
        let mut interior = vec![0; page];
        interior[0] = 5;
        interior[3..5].copy_from_slice(&400_u16.to_be_bytes());
        interior[8..12].copy_from_slice(&child);
        for cell in 0..400 {
            let at = page - (cell + 1) * 5;
            interior[at..at + 4].copy_from_slice(&child);
            interior[at + 4] = 1;
            interior[12 + cell * 2..14 + cell * 2]
                .copy_from_slice(&u16::try_from(at).expect("in page").to_be_bytes());
        }
        interior[5..7].copy_from_slice(&u16::try_from(page - 2000).expect("in page").to_be_bytes());
        db.extend_from_slice(&interior);
    }
    db.extend_from_slice(&leaf);
    let top = db[(first_new - 1) * page..first_new * page].to_vec();
    db[root..root + page].copy_from_slice(&top);
    let pages = u32::try_from(db.len() / page).expect("few").to_be_bytes();
    db[28..32].copy_from_slice(&pages);
    db
}

#[test]
fn pages_that_multiply_without_end_are_given_up() {
    let folder = Folder::new();
    let path = folder.c1z("endless.c1z", &with_endless_grants());
    let file = open(&path).expect("its runs are fine");
    let all = file.view(View::AllRows).expect("view");
    let one = file.view(View::Default { now: now() }).expect("view");
    let some = Filter {
        resource_type_id: Some("nope"),
        ..Filter::default()
    };
    let goes_on = |_: &baton_c1z::Row<'_>| Ok(ControlFlow::Continue(()));
    for error in [
        all.scan(Table::Grants, &Filter::default(), &mut goes_on.clone())
            .expect_err("repeats"),
        all.scan(Table::Grants, &some, &mut goes_on.clone())
            .expect_err("endless"),
        one.count(Table::Grants, &some)
            .map(|_| ())
            .expect_err("endless"),
        all.recount().map(|_| ()).expect_err("endless"),
    ] {
        assert!(matches!(error, Error::Database { .. }), "{error:?}");
    }
}

#[test]
fn a_database_that_is_none_is_an_error() {
    let folder = Folder::new();
    let garbage: Vec<u8> = (0..10_000_u32).map(|i| (i * 7 % 251) as u8).collect();
    let mut cut = database(&fixture("v1-small.c1z"));
    cut.truncate(cut.len() / 2);
    for content in [&garbage[..], b"x", &cut] {
        let path = folder.c1z("garbage.c1z", content);
        let error = read_all(&path, &default()).expect_err("garbage");
        assert!(matches!(error, Error::Database { .. }), "{error:?}");
        assert_eq!(error.code(), Code::DataLoss);
        assert!(error.to_string().contains("garbage.c1z"));
        assert_eq!(error.advice(), [Advice::CopyAgain]);
    }
}

#[test]
fn other_schemas_and_values_are_errors() {
    let folder = Folder::new();
    for sql in [
        "drop table v1_grants; create view v1_grants as select * from v1_resources",
        "drop table v1_resources; create table v1_resources (a)",
        "update v1_sync_runs set started_at = 'soon'",
        "update v1_sync_runs set ended_at = 5",
        "update v1_grants set external_id = cast(x'ff' as text) where id = 1",
        "update v1_grants set data = 7",
        "update v1_grants set data = x'ff'",
        "update v1_entitlements set resource_id = x'00'",
    ] {
        let path = folder.c1z_with(Some("v1-small.c1z"), |conn| {
            conn.execute_batch(sql).expect(sql);
        });
        let error = read_all(&path, &default()).expect_err(sql);
        let typed = matches!(error, Error::Database { .. } | Error::Row { .. });
        assert!(typed, "{sql}: {error:?}");
    }
}

#[test]
fn a_declared_size_above_the_limit_is_refused_before_decoding() {
    let folder = Folder::new();
    let path = folder.c1z("bomb.c1z", &vec![0; 1 << 20]);
    let mut options = default();
    options.limits.max_decoded_bytes = (1 << 20) - 1;
    let temp = Folder::new();
    options.temp_dir = Some(temp.path().to_owned());
    for error in [
        C1zFile::open(&path, &options)
            .map(|_| ())
            .expect_err("bomb"),
        peek(&path, &options).map(|_| ()).expect_err("bomb"),
    ] {
        assert!(matches!(error, Error::TooLarge { .. }), "{error}");
        assert_eq!(error.code(), Code::ResourceExhausted);
        assert!(error.to_string().contains("1048575 bytes"), "{error}");
    }
    assert!(temp.names().is_empty());
    options.limits.max_decoded_bytes += 1;
    let error = C1zFile::open(&path, &options)
        .map(|_| ())
        .expect_err("no database");
    assert!(matches!(error, Error::Database { .. }), "{error}");
}

/// A database whose header does not say how long it is, then zeros.
fn stale(len: usize) -> Vec<u8> {
    let mut content = database(&fixture("v1-small.c1z"));
    // The count of changes for which the number of pages was right.
    content[92] ^= 1;
    content.resize(len.max(content.len()), 0);
    content
}

#[test]
fn content_that_is_longer_than_its_database_says_is_refused_before_it_is_unpacked() {
    let folder = Folder::new();
    let temp = Folder::new();
    let options = ReadOptions {
        temp_dir: Some(temp.path().to_owned()),
        ..default()
    };
    let whole = database(&fixture("v1-small.c1z"));
    for extra in [1, 4096, 64 << 20] {
        let mut content = whole.clone();
        content.resize(whole.len() + extra, 0);
        let mut undeclared = b"C1ZF\0".to_vec();
        zstd::stream::copy_encode(&content[..], &mut undeclared, 1).expect("in memory");
        for bytes in [envelope(&content), undeclared] {
            let path = folder.file("long.c1z", &bytes);
            let out = folder.path().join("out.db");
            for error in [
                C1zFile::open(&path, &options)
                    .map(|_| ())
                    .expect_err("too long"),
                peek(&path, &options).map(|_| ()).expect_err("too long"),
                dump(&path, &out, &RewriteOptions::default())
                    .map(|_| ())
                    .expect_err("too long"),
            ] {
                let Error::LongContent { announced, .. } = &error else {
                    panic!("{error}");
                };
                assert_eq!(*announced, whole.len() as u64);
                assert_eq!(error.code(), Code::DataLoss);
                assert!(
                    error.to_string().contains(&announced.to_string()),
                    "{error}"
                );
            }
            assert!(temp.names().is_empty());
            assert_eq!(folder.names(), ["long.c1z"]);
        }
    }
}

/// Writers that do not keep the number of pages leave a header that SQLite
/// does not go by.
#[test]
fn a_stale_number_of_pages_is_no_reason_to_refuse_a_file() {
    let folder = Folder::new();
    let expected = read_all(&fixture("v1-small.c1z"), &default()).expect("intact");
    for pages in [0_u32, 1, u32::MAX] {
        let mut content = stale(0);
        content[28..32].copy_from_slice(&pages.to_be_bytes());
        let path = folder.c1z("stale.c1z", &content);
        assert_eq!(read_all(&path, &default()).expect("readable"), expected);
        peek(&path, &default()).expect("readable");
    }
}

#[test]
fn content_without_a_database_is_refused_by_its_first_page() {
    let folder = Folder::new();
    let mut broken = database(&fixture("v1-small.c1z"));
    // No size that a page can have.
    broken[16..18].copy_from_slice(&[0, 3]);
    let zeros = vec![0; 8 << 20];
    for content in [&zeros[..], &zeros[..1], b"SQLite format 3\0", &broken] {
        let path = folder.c1z("none.c1z", content);
        for error in [
            open(&path).map(|_| ()).expect_err("no database"),
            peek(&path, &default())
                .map(|_| ())
                .expect_err("no database"),
        ] {
            assert!(matches!(error, Error::Database { .. }), "{error}");
        }
    }
    read_all(&folder.c1z("empty.c1z", b""), &default()).expect("an empty database");
}

#[test]
fn an_undeclared_bomb_is_cut_off_at_the_limit() {
    let folder = Folder::new();
    let zeros = stale(32 << 20);
    // One frame without a size, and several that declare small ones.
    let mut undeclared = b"C1ZF\0".to_vec();
    zstd::stream::copy_encode(&zeros[..], &mut undeclared, 1).expect("in memory");
    let one = envelope(&zeros[..1 << 20]);
    let mut many = one.clone();
    for _ in 0..31 {
        many.extend_from_slice(&envelope(&vec![0; 1 << 20])[5..]);
    }
    let options = ReadOptions {
        limits: Limits {
            max_decoded_bytes: 4 << 20,
            ..Limits::default()
        },
        ..default()
    };
    for bytes in [&undeclared, &many] {
        let path = folder.file("bomb.c1z", bytes);
        let error = C1zFile::open(&path, &options)
            .map(|_| ())
            .expect_err("bomb");
        assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    }
    let lazy = ReadOptions {
        limits: Limits {
            fail_fast_on_content_size: false,
            max_decoded_bytes: 4 << 20,
            ..Limits::default()
        },
        ..default()
    };
    let path = folder.c1z("late.c1z", &zeros);
    assert!(matches!(
        C1zFile::open(&path, &lazy),
        Err(Error::TooLarge { .. })
    ));
}

#[test]
fn a_window_above_the_limit_is_refused() {
    let folder = Folder::new();
    let content = database(&fixture("v1-small.c1z"));
    // A window of 256 MiB, in an otherwise small frame.
    let mut encoder = zstd::Encoder::new(b"C1ZF\0".to_vec(), 1).expect("encoder");
    encoder.long_distance_matching(true).expect("flag");
    encoder.window_log(28).expect("window");
    std::io::Write::write_all(&mut encoder, &content).expect("in memory");
    let path = folder.file("window.c1z", &encoder.finish().expect("in memory"));
    let error = open(&path).map(|_| ()).expect_err("window");
    match &error {
        Error::WindowTooLarge { window, limit, .. } => {
            assert_eq!((*window, *limit), (256 << 20, 128 << 20));
        }
        other => panic!("{other}"),
    }
    // The same behind a harmless first frame, where only the decoder sees it.
    let bytes = fs::read(&path).expect("read");
    let path = folder.file("later.c1z", &[&envelope(b"")[..], &bytes[5..]].concat());
    assert!(matches!(open(&path), Err(Error::Compressed { .. })));
    let mut options = default();
    options.limits.max_window_bytes = 256 << 20;
    read_all(&folder.path().join("window.c1z"), &options).expect("allowed");
}

#[test]
fn a_temp_folder_that_does_not_exist_is_named() {
    let options = ReadOptions {
        temp_dir: Some("/nonexistent/folder".into()),
        ..default()
    };
    let error = C1zFile::open(&fixture("v1-small.c1z"), &options)
        .map(|_| ())
        .expect_err("no folder");
    assert!(error.to_string().contains("/nonexistent/folder"), "{error}");
    assert_eq!(error.code(), Code::NotFound);
}
