//! Seeds of changes, as many as the time allows.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use fault_sim::{ChangePlan, play_changes, shrink_changes};

/// Seeds that are played, unless the environment says how many.
const SEEDS: u64 = 3000;
/// After this time no further seed begins.
const TIME_BOX: Duration = Duration::from_secs(25);
/// Every so many seeds are played twice.
const TWICE: u64 = 20;

/// How a change ended, in a word.
fn kind(ending: &str) -> &'static str {
    let kinds = ["killed", "Done", "Already", "Failed", "Partial", "Unknown"];
    let found = kinds.into_iter().find(|kind| ending.contains(kind));
    found.unwrap_or("nothing sent")
}

#[test]
fn whatever_happens_a_change_is_made_or_not_and_its_record_is_true() {
    let _alone = crate::STARTING
        .write()
        .unwrap_or_else(PoisonError::into_inner);
    let named = std::env::var("FAULT_SIM_SEEDS").ok();
    let named = named.map(|text| text.parse::<u64>().expect("FAULT_SIM_SEEDS is a number"));
    let (began, mut done) = (Instant::now(), 0);
    let mut endings = BTreeMap::new();
    for seed in 0..named.unwrap_or(SEEDS) {
        if named.is_none() && began.elapsed() > TIME_BOX {
            break;
        }
        let plan = ChangePlan::of(seed);
        let played = play_changes(&plan);
        if let Err(violation) = &played {
            let (plan, violation) = shrink_changes(plan, violation.clone());
            panic!("seed {seed}: {violation}\nthe least that fails:\n{plan}");
        }
        if seed.is_multiple_of(TWICE) {
            assert_eq!(
                play_changes(&plan),
                played,
                "seed {seed} is not the same twice"
            );
        }
        done += 1;
        for ending in played.unwrap_or_default() {
            *endings.entry(kind(&ending)).or_insert(0) += 1;
        }
    }
    let line = format!(
        "changes: {done} seeds in {:.0?}: {endings:?}\n",
        began.elapsed()
    );
    std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
}
