//! Opening a finished file, one page of it, its resources, and all grants.
//!
//! `cargo bench -p baton-c1z --bench read -- FILE...` prints medians of nine
//! runs. `--bench seal -- 1 1000 order keep=FOLDER` makes files of a million
//! grants.

#![allow(
    clippy::disallowed_methods,
    reason = "a bench measures real time and real files"
)]
// A bench speaks to whoever runs it, and stops where it fails.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use baton_c1z::{C1zFile, Filter, ReadOptions, Snapshot, Table, View, peek};

const RUNS: usize = 9;
const PAGE_ROWS: u32 = 100;

fn median_ms(mut run: impl FnMut()) -> f64 {
    let mut all: Vec<f64> = (0..RUNS)
        .map(|_| {
            let begun = Instant::now();
            run();
            begun.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    all.sort_by(f64::total_cmp);
    all[RUNS / 2]
}

fn open(path: &Path) -> C1zFile {
    C1zFile::open(path, &ReadOptions::default()).unwrap()
}

fn view(file: &C1zFile) -> Snapshot<'_> {
    let now = SystemTime::now();
    file.view(View::Default { now }).unwrap()
}

fn main() {
    let files: Vec<PathBuf> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .map(PathBuf::from)
        .collect();
    for path in &files {
        println!("{}, milliseconds:", path.display());
        let all = Filter::default();
        let page = median_ms(|| {
            let file = open(path);
            let page = view(&file).page(Table::Grants, &all, PAGE_ROWS, None);
            assert!(!page.unwrap().rows.is_empty());
        });
        println!("  open, and a page of {PAGE_ROWS} grants  {page:10.2}");
        let resources = median_ms(|| {
            let file = open(path);
            let mut rows = 0;
            view(&file)
                .scan(Table::Resources, &all, &mut |_| {
                    rows += 1;
                    Ok(ControlFlow::Continue(()))
                })
                .unwrap();
            assert!(rows > 0);
        });
        println!("  open, and all resources        {resources:10.2}");
        let stats = median_ms(|| {
            let peeked = peek(path, &ReadOptions::default()).unwrap();
            assert!(peeked.runs.iter().any(|run| run.stats.is_some()));
        });
        println!("  the counts of its syncs        {stats:10.2}");
        let file = open(path);
        let snapshot = view(&file);
        let mut rows = 0_u64;
        let scan = median_ms(|| {
            rows = 0;
            snapshot
                .scan(Table::Grants, &all, &mut |_| {
                    rows += 1;
                    Ok(ControlFlow::Continue(()))
                })
                .unwrap();
        });
        println!("  a scan of {rows} grants        {scan:10.2}");
    }
}
