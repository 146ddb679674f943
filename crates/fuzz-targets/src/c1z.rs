//! Targets for the decoders of sync files and of what is made of them.

use std::fs;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;
use std::str::FromStr;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use baton_c1z::{
    C1zFile, Cursor, Filter, Fingerprint, Format, Limits, LogEvent, OwnedRow, PageLog, ReadOptions,
    Resumed, Snapshot, Stats, Table, View, WorkDir, fuzzing, peek,
};
use xxhash_rust::xxh64::xxh64;

use crate::{MAX_STEPS, repair};

/// Bytes that a file may decompress to.
const MAX_DECODED_BYTES: u64 = 8 << 20;
/// Rows that are kept to be looked up again.
const MAX_KEPT: usize = 7;
/// When page logs are opened, in seconds since 1970.
pub const LOG_TIME: Duration = Duration::from_hours(490_896);
/// What page logs are of: the only entry of their fingerprint.
pub const LOG_FINGERPRINT: (&str, &str) = ("connector", "test");
/// Name of a page log in its folder.
const LOG_NAME: &str = "pages.log";
/// A file whose database is patched.
const V1_FILE: &[u8] = include_bytes!("../../baton-c1z/tests/fixtures/v1-small.c1z");
const V1_MAGIC: &[u8] = b"C1ZF\0";

/// A folder for one run; tests of a decoder need one.
#[allow(clippy::expect_used, reason = "no fault of the input")]
fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[allow(clippy::expect_used, reason = "no fault of the input")]
#[expect(clippy::disallowed_methods, reason = "the file that the decoder reads")]
fn write(path: &Path, data: &[u8]) {
    fs::write(path, data).expect("a file in a temporary folder");
}

/// Input: a file of either format.
pub fn envelope(data: &[u8]) {
    let folder = folder();
    let path = folder.path().join("sync.c1z");
    write(&path, data);
    read_file(&path, folder.path());
    let after = fs::read(&path).unwrap_or_default();
    assert!(after == data, "reading changed the file");
    let files = fs::read_dir(folder.path()).map_or(0, Iterator::count);
    assert_eq!(files, 1, "reading left files behind");
}

fn read_file(path: &Path, folder: &Path) {
    let mut limits = Limits::default();
    limits.cap_decoded_bytes(MAX_DECODED_BYTES);
    limits.max_window_bytes = MAX_DECODED_BYTES;
    let options = ReadOptions {
        limits,
        temp_dir: Some(folder.to_owned()),
        memory_budget_bytes: 1 << 20,
    };

    let _ = peek(path, &options);
    let Ok(file) = C1zFile::open(path, &options) else {
        return;
    };
    let _ = file.latest_finished(None);
    let now = SystemTime::UNIX_EPOCH + LOG_TIME;
    for view in [View::Default { now }, View::AllRows] {
        if let Ok(view) = file.view(view) {
            read_view(&view);
        }
    }
    for run in file.sync_runs() {
        if let Ok(view) = file.view(View::Sync(&run.id)) {
            let _ = view.stats();
        }
    }
}

fn read_view(view: &Snapshot<'_>) {
    let _ = view.stats();
    let _ = view.recount();
    let _ = view.asset("asset");
    for table in Table::ALL {
        let all = Filter::default();
        let _ = view.count(table, &all);
        let mut kept: Vec<OwnedRow> = Vec::new();
        let mut steps = 0;
        let scanned = view.scan(table, &all, &mut |row| {
            if kept.len() < MAX_KEPT {
                kept.push(row.to_owned());
            }
            steps += 1;
            Ok(if steps < MAX_STEPS {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            })
        });
        let paged = page_through(view, table, kept.len());
        // With rows out of order a database finds other rows by number than it
        // lists, and no checksum shows it.
        if view.file().format() == Format::V3
            && scanned.is_ok()
            && let Some(paged) = paged
        {
            assert!(paged == kept, "pages and scan differ");
        }
        for row in &kept {
            let _ = view.get(table, &row.id);
            if table == Table::Resources {
                let _ = view.get_resource(&row.resource_type_id, &row.resource_id);
            }
            let mut filter = Filter {
                resource_type_id: Some(&row.resource_type_id),
                ..Filter::default()
            };
            let _ = view.count(table, &filter);
            filter.entitlement_id = Some(&row.entitlement_id);
            filter.principal = Some((&row.principal_type_id, &row.principal_id));
            let _ = view.page(table, &filter, 3, None);
        }
    }
}

/// The first rows, page by page; `None` if that fails.
fn page_through(view: &Snapshot<'_>, table: Table, most: usize) -> Option<Vec<OwnedRow>> {
    let mut paged = Vec::new();
    let mut cursor: Option<Cursor> = None;
    while paged.len() < most {
        let filter = Filter::default();
        let page = view.page(table, &filter, 2, cursor.as_ref()).ok()?;
        assert!(page.rows.len() <= 2, "a page is too large");
        paged.extend(page.rows);
        let Some(next) = page.next else {
            break;
        };
        assert_eq!(Cursor::from_str(&next.to_string()).ok(), Some(next.clone()));
        assert!(!paged.is_empty(), "a page without rows names a next page");
        cursor = Some(next);
    }
    paged.truncate(most);
    Some(paged)
}

/// Input: the length of the index (4 bytes, least significant first), then a
/// file of format v3 with indexed frames up to the end of its index. The
/// footer, with the checksum of the index, is added.
pub fn index(data: &[u8]) {
    let Some((len, file)) = data.split_first_chunk::<4>() else {
        return;
    };
    let len = u32::from_le_bytes(*len);
    let start = usize::try_from(len)
        .ok()
        .and_then(|len| file.len().checked_sub(len))
        .unwrap_or_default();
    let index = file.get(start..).unwrap_or_default();
    let footer = [
        &(start as u64).to_be_bytes()[..],
        &len.to_be_bytes(),
        &xxh64(index, 0).to_be_bytes(),
        b"C1ZIDX1\0",
    ];
    envelope(&[file, &footer.concat()].concat());
}

/// Input: patches of a database, each a place (3 bytes) and a byte that is
/// put there. The database is that of a small file of format v1.
pub fn database_v1(data: &[u8]) {
    static DATABASE: OnceLock<Vec<u8>> = OnceLock::new();
    let mut database = DATABASE.get_or_init(v1_database).clone();
    for patch in data.chunks_exact(4) {
        if let [a, b, c, byte] = *patch {
            let at = u32::from_be_bytes([0, a, b, c]);
            let at = usize::try_from(at).unwrap_or_default() % database.len().max(1);
            if let Some(place) = database.get_mut(at) {
                *place = byte;
            }
        }
    }
    let packed = zstd::bulk::compress(&database, 1).unwrap_or_default();
    envelope(&[V1_MAGIC, &packed].concat());
}

fn v1_database() -> Vec<u8> {
    let mut database = Vec::new();
    let frames = V1_FILE.get(V1_MAGIC.len()..).unwrap_or_default();
    // Without the file, there is a database of no bytes to be read.
    if let Ok(mut decoder) = zstd::Decoder::new(frames) {
        let _ = decoder.read_to_end(&mut database);
    }
    database
}

/// Input: a record of format v3, read as one of each table.
pub fn record(data: &[u8]) {
    for table in Table::ALL {
        let rewrite = |record: &[u8]| {
            fuzzing::read_record(table, record)
                .and_then(|row| fuzzing::write_record(table, &row.as_row()))
        };
        // The first time drops what is not known, which may leave an empty
        // message; the second time drops that.
        let Ok(settled) = rewrite(data).and_then(|once| rewrite(&once)) else {
            continue;
        };
        assert_eq!(rewrite(&settled).ok(), Some(settled), "{table:?}");
    }
}

/// Input: a page log. It is resumed as it is, and with repaired checksums.
pub fn page_log(data: &[u8]) {
    let mut repaired = data.to_vec();
    repair::page_log(&mut repaired);
    resume(data);
    if repaired != data {
        resume(&repaired);
    }
}

fn resume(data: &[u8]) {
    let folder = folder();
    let now = SystemTime::UNIX_EPOCH + LOG_TIME;
    let target = folder.path().join("sync.c1z");
    let Ok(dir) = WorkDir::locate(&target, None, now) else {
        return;
    };
    write(&dir.path().join(LOG_NAME), data);
    let mut fingerprint = Fingerprint::default();
    let (key, value) = LOG_FINGERPRINT;
    fingerprint.0.insert(key.into(), value.into());
    let Ok((log, resumed)) = PageLog::open(&dir, &fingerprint, now, false) else {
        return;
    };
    if let Resumed::Continued { records, damage } = &resumed {
        let lost = damage.as_ref().map_or(0, |damage| damage.lost_bytes);
        assert_eq!(log.size_bytes() + lost, data.len() as u64);
        let (seen, rows) = replay(&log);
        assert_eq!(seen, Some(*records), "not all that is intact is replayed");
        for (at, row) in rows {
            assert_eq!(log.read_row(at).ok(), Some(row));
        }
        drop(log);
        let again = PageLog::open(&dir, &fingerprint, now, false);
        match again {
            Ok((_, Resumed::Continued { records: n, damage })) => {
                assert!(n == *records && damage.is_none(), "damage is left");
            }
            other => panic!("a log that was resumed is gone: {other:?}"),
        }
    } else {
        assert!(
            data.is_empty() == matches!(resumed, Resumed::New),
            "a log was not found"
        );
    }
}

type KeptRows = Vec<(baton_c1z::RowRef, Vec<u8>)>;

/// The number of events, if all can be read, and some rows.
fn replay(log: &PageLog) -> (Option<u64>, KeptRows) {
    let mut events = 0;
    let mut kept = Vec::new();
    let all = log.replay(&mut |event| {
        events += 1;
        if let LogEvent::Page(page) = event {
            let mut rows = 0;
            for (at, row) in page.rows {
                rows += 1;
                if kept.len() < MAX_KEPT {
                    kept.push((at, row.data.to_vec()));
                }
            }
            assert_eq!(rows, page.row_count);
        }
        Ok(())
    });
    (all.ok().map(|()| events), kept)
}

/// Input: the text of a cursor.
pub fn cursor(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(cursor) = Cursor::from_str(&text) {
        let again = Cursor::from_str(&cursor.to_string());
        assert_eq!(again.ok(), Some(cursor));
    }
}

/// Input: the stored text of statistics.
pub fn stats(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some(stats) = Stats::from_text(&text) {
        let again = Stats::from_text(&stats.to_text());
        assert_eq!(again, Some(stats));
    }
}
