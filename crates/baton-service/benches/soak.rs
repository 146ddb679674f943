//! What a service needs: 10,000 tasks of all kinds, of which 200 are full syncs of 50
//! users, in paused time and with the simulator at the other end of a pipe in memory;
//! and the upload of a file of 200 MB. Each measurement runs in a process of its own.
//!
//! Memory is that of the service and of the simulator, which keeps numbers only. Live
//! bytes are what the allocator of Rust gave out; what SQLite and zstd ask the system for
//! is in the resident set alone.
//!
//! Arguments: `soak` or `upload`; without them both.

#![allow(
    clippy::disallowed_methods,
    reason = "a bench measures real time and real files"
)]
#![allow(clippy::print_stdout)] // a bench reports
#![allow(clippy::unwrap_used, clippy::expect_used)] // and may end on anything unexpected
#![allow(
    dead_code,
    unused_imports,
    reason = "the modules of the tests have more than a bench uses"
)]

#[path = "../tests/it/arms.rs"]
mod arms;
mod counting;
#[path = "../tests/it/people.rs"]
mod people;
#[path = "../tests/it/rich.rs"]
mod rich;
#[path = "../tests/it/rich_actions.rs"]
mod rich_actions;
#[path = "../tests/it/rich_events.rs"]
mod rich_events;
#[path = "../tests/it/rich_tickets.rs"]
mod rich_tickets;
#[path = "../tests/it/serving.rs"]
mod serving;
#[path = "../tests/it/soak.rs"]
mod soak;
#[path = "../tests/it/stage.rs"]
mod stage;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use people::People;
use soak::Soak;
use stage::Stage;

/// Runs of each measurement; the median counts.
const RUNS: usize = 3;
const TASKS: usize = 10_000;
const FIRST_TASKS: usize = 1_000;
/// As many results of actions as a connector keeps. Memory is measured when it keeps all.
const KEPT_ACTIONS: usize = 1_000;
const UPLOAD_BYTES: u64 = 200_000_000;
const SMALL_BYTES: u64 = 1_000_000;

/// A value of this process in MB, from `/proc/self/status`.
fn status_mb(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.unwrap().trim_matches([':', ' ', '\t', 'k', 'B']);
    number.parse::<f64>().unwrap() / 1024.0
}

fn resident_mb() -> f64 {
    status_mb("VmRSS")
}

fn print(numbers: &[f64]) {
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    println!("{}", numbers.join(" "));
}

/// Seconds, and the live bytes and the resident set after the first and after all tasks.
async fn soak(batch: bool) {
    let mut soak = Soak::start(batch, false);
    soak.invoke(KEPT_ACTIONS).await;
    let began = Instant::now();
    soak.up_to(FIRST_TASKS).await;
    let first = [counting::live_mb(), resident_mb()];
    soak.up_to(TASKS).await;
    let all = [counting::live_mb(), resident_mb()];
    let took = began.elapsed().as_secs_f64();
    soak.end().await;
    print(&[took, first[0], all[0], first[1], all[1]]);
}

/// The peak of the resident set while a small file is uploaded, and while a large one is;
/// and the seconds of the large one.
async fn upload() {
    let bytes = Arc::new(AtomicU64::new(SMALL_BYTES));
    let mut stage = Stage::configured(People::of(1).connector(), |config| {
        config.keep_uploads = false;
        config.keep_records = false;
    });
    stage.engine = {
        let bytes = Arc::clone(&bytes);
        Arc::new(move |connector, request, host| {
            let bytes = Arc::clone(&bytes);
            Box::pin(async move {
                let report = baton_sync::run(connector, request, host).await?;
                let file = std::fs::OpenOptions::new().write(true).open(&report.path);
                file.unwrap()
                    .set_len(bytes.load(Ordering::Relaxed))
                    .unwrap();
                Ok(report)
            })
        })
    };
    let mut running = stage.start();
    let mut peaks = Vec::new();
    let mut began = Instant::now();
    for (nth, size) in [SMALL_BYTES, SMALL_BYTES, UPLOAD_BYTES]
        .into_iter()
        .enumerate()
    {
        bytes.store(size, Ordering::Relaxed);
        // The peak begins at what is resident now.
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        began = Instant::now();
        stage.plan(&format!("S{nth}x"), "\"syncFull\": {}");
        running.finished(nth + 1).await;
        peaks.push(status_mb("VmHWM"));
    }
    let took = began.elapsed().as_secs_f64();
    running.end().await.unwrap();
    stage.assert_fine();
    print(&[peaks[1], peaks[2], took]);
}

/// The numbers that a process of this program prints, as medians.
fn medians(what: &str) -> Vec<f64> {
    let mut columns: Vec<Vec<f64>> = Vec::new();
    for _ in 0..RUNS {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["measure", what])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let why = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}{why}");
        let numbers: Vec<f64> = text
            .split_whitespace()
            .map(|number| number.parse().unwrap())
            .collect();
        columns.resize(numbers.len(), Vec::new());
        for (column, number) in columns.iter_mut().zip(numbers) {
            column.push(number);
        }
    }
    for column in &mut columns {
        column.sort_by(f64::total_cmp);
    }
    columns.iter().map(|column| column[RUNS / 2]).collect()
}

/// A measurement in this process.
fn measure(what: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        match what {
            "single" => soak(false).await,
            "batch" => soak(true).await,
            _ => upload().await,
        }
    });
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let wanted = args.first().map(String::as_str);
    if wanted == Some("measure") {
        measure(&args[1]);
        return;
    }
    if wanted != Some("upload") {
        for what in ["single", "batch"] {
            let [took, live_first, live, resident_first, resident] = medians(what)[..] else {
                panic!("other numbers");
            };
            let per_second = f64::from(u32::try_from(TASKS).unwrap()) / took;
            println!(
                "{TASKS} tasks, {what:6} (medians of {RUNS}): {took:.1} s, {per_second:.0} a second; \
                 after {FIRST_TASKS} and all: live {live_first:.2} and {live:.2} MB, \
                 resident {resident_first:.1} and {resident:.1} MB"
            );
        }
    }
    if wanted != Some("soak") {
        let [small, large, took] = medians("upload")[..] else {
            panic!("other numbers");
        };
        println!(
            "upload of {} MB (medians of {RUNS}): {took:.1} s, peak {large:.1} MB, \
             {:+.1} MB to that of a small file",
            UPLOAD_BYTES / 1_000_000,
            large - small
        );
    }
}
