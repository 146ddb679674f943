//! Real processes that are killed, resumed, and killed again.
//!
//! A chain of runs continues from kill to kill until one run is done. The n-th
//! scripted chain dies first in the n-th operation on files, and later ones in
//! later operations, so that together they die in every one; random chains
//! die at random times. Afterwards the file must be, row by
//! row, the one that an undisturbed run makes, and no page that was stored may
//! have been asked for again. Every fifth chain goes by the automatic plan of
//! requests, whose overview is asked again by a run that was killed while taking it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use baton_c1z::Table;
use fault_sim::Dice;

use crate::process::{Stage, output_text, rows};

/// Kills that are wanted.
const KILLS: u64 = 320;
/// After this time no further chain begins.
const TIME_BOX: Duration = Duration::from_mins(3);
const THREADS: u64 = 2;
/// Operations between two kills of a scripted chain.
const STRIDE: u64 = 7;
/// Scripted chains take turns with random ones, this many to one.
const SCRIPTED: u64 = 3;
/// Chains by the plain plan take turns with the automatic one, this many to one.
const PLAIN: u64 = 4;

const USERS: u32 = 25;
const WORKERS: [u64; 3] = [1, 4, 16];
const ENGINES: [&str; 2] = ["sqlite", "pebble"];

type Rows = Vec<(Table, String, Vec<u8>)>;

/// What an undisturbed run makes, and the requests that every run begins with.
struct Undisturbed {
    rows: Vec<Rows>,
    preamble: BTreeSet<String>,
}

fn undisturbed() -> Undisturbed {
    let rows = ENGINES.map(|engine| {
        let stage = Stage::new(USERS, Duration::ZERO);
        let output = stage.run(&["--storage-engine", engine]);
        assert!(output.status.success(), "{}", output_text(&output));
        rows(&stage.target)
    });
    let stage = Stage::new(USERS, Duration::ZERO);
    // The log is made after the credentials were checked, before any page.
    let output = stage.run_to(5, &[]);
    assert!(!output.status.success() && stage.log_bytes() == 0);
    let preamble = stage.asked().into_keys().collect();
    Undisturbed {
        rows: rows.into(),
        preamble,
    }
}

/// One chain; gives the number of kills, and whether there was any operation
/// left to die in.
fn chain(number: u64, expected: &Undisturbed) -> (u64, bool) {
    let mut dice = Dice::new(number, 11);
    let scripted = !number.is_multiple_of(SCRIPTED + 1);
    let workers = WORKERS[usize::try_from(number % 3).unwrap()];
    let engine = usize::try_from(number % 2).unwrap();
    let workers_text = workers.to_string();
    let plain = !number.is_multiple_of(PLAIN + 1);
    let args = [
        "--workers",
        &workers_text,
        "--storage-engine",
        ENGINES[engine],
        "--request-plan",
        if plain { "plain" } else { "auto" },
    ];
    let stage = Stage::new(USERS, Duration::ZERO);
    let mut old = None;
    if dice.one_in(2) {
        let output = stage.run(&args);
        assert!(
            output.status.success(),
            "chain {number}: {}",
            output_text(&output)
        );
        old = Some(std::fs::read(&stage.target).unwrap());
        stage.simulator.reset_log();
    }
    let mut kills = 0;
    let mut runs = 0;
    let mut operation = number - number / (SCRIPTED + 1);
    loop {
        let output = if scripted {
            let output = stage.run_to(operation, &args);
            operation += STRIDE;
            output
        } else if runs < 8 {
            let mut child = stage.start(&args);
            std::thread::sleep(Duration::from_millis(dice.between(20, 150)));
            child.kill().unwrap();
            child.wait_with_output().unwrap()
        } else {
            stage.run(&args)
        };
        runs += 1;
        if output.status.success() {
            break;
        }
        assert_eq!(
            output.status.code(),
            None,
            "chain {number}, run {runs} was not killed: {}",
            output_text(&output)
        );
        kills += 1;
        let found = std::fs::read(&stage.target).ok();
        if found != old {
            // Killed after the last step: then it is whole.
            assert!(
                rows(&stage.target) == expected.rows[engine],
                "chain {number}"
            );
            old = found;
            if stage.log_bytes() == 0 {
                // All was done: another run would be another sync.
                let _ = std::fs::remove_dir_all(stage.work());
                // So its temporary files wait for the next start.
                let _ = std::fs::remove_dir_all(stage.temp.path());
                std::fs::create_dir(stage.temp.path()).unwrap();
                break;
            }
        }
    }
    assert!(
        rows(&stage.target) == expected.rows[engine],
        "chain {number}: after {kills} kills the file is another one"
    );
    assert_eq!(stage.names(), ["sync.c1z"], "chain {number}");
    let left = std::fs::read_dir(stage.temp.path()).unwrap().count();
    assert_eq!(left, 0, "chain {number}: temporary files are left");
    if plain {
        check_requests(&stage, number, (kills, runs, workers), expected);
    }
    (kills, scripted && kills == 0)
}

/// Only what was in flight at a kill is asked again.
fn check_requests(stage: &Stage, number: u64, did: (u64, u64, u64), expected: &Undisturbed) {
    let (kills, runs, workers) = did;
    let mut again = 0;
    for (request, times) in stage.asked() {
        if expected.preamble.contains(&request) {
            // Asked by every run, and perhaps once more for a page.
            assert!(times <= 2 * runs, "chain {number}: {times} times {request}");
        } else {
            again += times - 1;
        }
    }
    assert!(
        again <= kills * workers,
        "chain {number}: {kills} kills with {workers} workers, but {again} requests again"
    );
}

#[test]
fn a_killed_process_is_resumed_to_the_same_file_and_asks_no_page_again() {
    let _starting = crate::STARTING
        .read()
        .unwrap_or_else(PoisonError::into_inner);
    let expected = undisturbed();
    let (next, kills) = (AtomicU64::new(0), AtomicU64::new(0));
    let all_scripted = AtomicBool::new(false);
    let chains = Mutex::new(0);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let enough = || {
                    kills.load(Ordering::Relaxed) >= KILLS && all_scripted.load(Ordering::Relaxed)
                };
                while !enough() && began.elapsed() < TIME_BOX {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let (killed, was_last) = chain(number, &expected);
                    kills.fetch_add(killed, Ordering::Relaxed);
                    all_scripted.fetch_or(was_last, Ordering::Relaxed);
                    *chains.lock().unwrap() += 1;
                }
            });
        }
    });
    let (kills, chains) = (kills.into_inner(), chains.into_inner().unwrap());
    let took = began.elapsed();
    let line = format!(
        "crash harness: {kills} kills in {chains} chains (seeds 0 to {chains}), {took:.0?}\n"
    );
    std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
}

/// Cuts the log as a loss of power might, anywhere, and resumes.
#[test]
fn a_log_cut_at_any_byte_is_resumed_to_the_same_file() {
    let _starting = crate::STARTING
        .read()
        .unwrap_or_else(PoisonError::into_inner);
    let stage = Stage::new(USERS, Duration::ZERO);
    let output = stage.run(&["--file", "whole.c1z"]);
    assert!(output.status.success(), "{}", output_text(&output));
    let expected = rows(&stage.folder.path().join("whole.c1z"));
    let mut dice = Dice::new(5, 12);
    for round in 0..24 {
        // Dies while sealing: the log is whole then.
        let mut operation = 60;
        while stage.log_bytes() < 2000 {
            let output = stage.run_to(operation, &[]);
            assert_eq!(output.status.code(), None, "{}", output_text(&output));
            operation += 20;
        }
        let log = stage.work().join("pages.log");
        let mut bytes = std::fs::read(&log).unwrap();
        let at = usize::try_from(dice.below(bytes.len() as u64)).unwrap();
        if round % 3 == 0 {
            bytes[at] ^= 1 << dice.below(8);
        } else {
            bytes.truncate(at);
        }
        std::fs::write(&log, bytes).unwrap();
        let output = stage.run(&[]);
        assert!(
            output.status.success(),
            "byte {at}: {}",
            output_text(&output)
        );
        assert!(rows(&stage.target) == expected, "byte {at}");
        std::fs::remove_file(&stage.target).unwrap();
    }
}
