//! Reading 1,000,000 rows like grants from tables of about 8 MiB.
//!
//! `cargo bench -p baton-pebble --bench read -- [runs]` prints, for tables in
//! rows without compression and in columns with Snappy, the median of going
//! through all rows, of opening and reading one page in the middle, and of
//! gets in random order.

#![allow(
    clippy::disallowed_methods,
    reason = "a bench measures real time and real files"
)]
// A bench speaks to whoever runs it, and stops where it fails.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]
#![allow(clippy::cast_precision_loss, reason = "rates are rough")]

mod columnar;

use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_pebble::write::{
    FORMAT_MARKER, MANIFEST_MARKER, MANIFEST_NAME, TableBuilder, TableMeta, manifest, table_name,
};
use baton_pebble::{Db, MemorySource};
use columnar::Row;

const ROWS: usize = 1_000_000;
const ROWS_PER_TABLE: usize = 40_000;
const PAGE: usize = 100;

fn rows() -> Vec<Row> {
    let row = |n: usize| {
        let scattered = (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let key = format!(
            "\x03\x04\0group\0g-{:08}\x001\0member\0user\0u-{scattered:016x}",
            n / 1000
        );
        let value = format!("{key}:{key}:{scattered:x}");
        Row {
            key: key.into_bytes(),
            value: value.into_bytes(),
        }
    };
    let mut rows: Vec<_> = (0..ROWS).map(row).collect();
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    rows
}

fn by_row(rows: &[Row]) -> Vec<u8> {
    let mut builder = TableBuilder::default();
    for row in rows {
        builder.add(&row.key, &row.value).unwrap();
    }
    builder.finish().bytes
}

fn directory(rows: &[Row], write: impl Fn(&[Row]) -> Vec<u8>) -> Arc<MemorySource> {
    let mut source = MemorySource::new();
    let mut tables = Vec::new();
    for (number, rows) in (4..).zip(rows.chunks(ROWS_PER_TABLE)) {
        let bytes = write(rows);
        let bound = |row: &Row| [&row.key, &[1, 0, 0, 0, 0, 0, 0, 0][..]].concat();
        tables.push(TableMeta {
            number,
            size: bytes.len() as u64,
            smallest: bound(&rows[0]),
            largest: bound(&rows[rows.len() - 1]),
        });
        source.insert(table_name(number), bytes);
    }
    source.insert(MANIFEST_NAME, manifest(&tables, None, 1000, 0));
    source.insert(MANIFEST_MARKER, &b""[..]);
    source.insert(FORMAT_MARKER, &b""[..]);
    Arc::new(source)
}

fn median(runs: usize, mut run: impl FnMut()) -> Duration {
    let mut times: Vec<_> = (0..runs)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

fn main() {
    let runs = std::env::args()
        .nth(1)
        .and_then(|arg| arg.parse().ok())
        .unwrap_or(5);
    let rows = rows();
    let bytes: usize = rows.iter().map(|row| row.key.len() + row.value.len()).sum();
    println!("{ROWS} rows of {} bytes", bytes / ROWS);
    for (name, source) in [
        ("rows, none", directory(&rows, by_row)),
        ("columns, Snappy", directory(&rows, columnar::table)),
    ] {
        let scan = median(runs, || {
            let db = Db::open(source.clone()).unwrap();
            let mut iter = db.range(Bound::Unbounded, Bound::Unbounded).unwrap();
            let (mut count, mut sum) = (0, 0);
            while let Some((key, value)) = iter.next().unwrap() {
                count += 1;
                sum += key.len() + value.len();
            }
            assert_eq!((count, sum), (ROWS, bytes));
        });
        let page = median(runs, || {
            let db = Db::open(source.clone()).unwrap();
            let from = &rows[ROWS / 2].key[..];
            let mut iter = db.range(Bound::Excluded(from), Bound::Unbounded).unwrap();
            for row in &rows[ROWS / 2 + 1..][..PAGE] {
                assert_eq!(iter.next().unwrap().unwrap().0, row.key);
            }
        });
        let db = Db::open(source.clone()).unwrap();
        let gets = median(runs, || {
            for n in 0..10_000 {
                let row = &rows[n * 7_919 % ROWS];
                assert_eq!(db.get(&row.key).unwrap().unwrap(), row.value);
            }
        });
        println!(
            "{name}: all rows {:.3} s ({:.1} M/s), open and a page {:.3} ms, get {:.2} us",
            scan.as_secs_f64(),
            ROWS as f64 / scan.as_secs_f64() / 1e6,
            page.as_secs_f64() * 1e3,
            gets.as_secs_f64() * 1e6 / 1e4,
        );
    }
}
