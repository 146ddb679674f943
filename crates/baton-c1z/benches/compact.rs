//! Compaction of files that lie there already.
//!
//! `cargo bench -p baton-c1z --bench compact -- BASE.c1z PARTIAL.c1z...`
//! prints seconds, processor seconds and the peak of resident memory of one
//! compaction, without expansion, into a folder beside the base that is
//! removed. `--bench seal -- 1 1000 keep=FOLDER` makes a base of a million
//! grants.

#![allow(
    clippy::disallowed_methods,
    reason = "a bench measures real time and real files"
)]
// A bench speaks to whoever runs it, and stops where it fails.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::path::PathBuf;
use std::time::{Duration, Instant, UNIX_EPOCH};

use baton_c1z::{CompactEntry, CompactPlan, MergeSteps, RewriteOptions, Strategy, compact};

fn main() {
    let paths: Vec<PathBuf> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .map(Into::into)
        .collect();
    if paths.len() < 2 {
        println!("names of files are missing: nothing is measured");
        return;
    }
    let folder = tempfile::tempdir_in(paths[0].parent().unwrap()).unwrap();
    let plan = CompactPlan {
        entries: paths
            .into_iter()
            .map(|path| CompactEntry {
                path,
                sync_id: None,
            })
            .collect(),
        output_dir: folder.path().to_owned(),
        sync_id: "3MXvu0000000000000000000000".to_owned(),
        format: None,
        strategy: Strategy::Auto,
        skip_expansion: true,
        ingest_invariant: baton_c1z::InvariantByFormat::default(),
    };
    let options = RewriteOptions {
        now: UNIX_EPOCH + Duration::from_hours(490_896),
        ..RewriteOptions::default()
    };
    let begun = Instant::now();
    let done = compact(&plan, &options, MergeSteps::default()).unwrap();
    let wall = begun.elapsed().as_secs_f64();
    println!(
        "{wall:.2} s ({:.2} s of processors), peak {} MiB; {} grants, of which {} replaced and {} added; {} MiB",
        processor_seconds(),
        peak_bytes() >> 20,
        done.stats.grants,
        done.tables[3].replaced,
        done.tables[3].added,
        std::fs::metadata(&done.path).unwrap().len() >> 20,
    );
}

/// User and system time, in hundredths of a second on Linux.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks.filter_map(|n| n.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Peak of resident memory in bytes; 0 where it is not known.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}
