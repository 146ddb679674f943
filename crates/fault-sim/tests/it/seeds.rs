//! Seeds, as many as the time allows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use fault_sim::{Plan, Played, play, shrink};

/// Seeds that are played, unless the environment gives a number.
const SEEDS: u64 = 1000;
/// After this time no further seed begins.
const TIME_BOX: Duration = Duration::from_mins(2);
/// Every so many seeds are played twice.
const TWICE: u64 = 10;
const THREADS: usize = 2;

/// What must be equal if a seed is played twice. Of several lists that fail in
/// one attempt, which one fails first differs.
fn comparable(mut played: Played) -> Played {
    for ending in &mut played.endings {
        if let Some((code, _)) = ending.split_once(':') {
            *ending = code.to_owned();
        }
    }
    played
}

#[test]
fn whatever_happens_a_sync_ends_true_or_partial_or_failed() {
    let _alone = crate::STARTING
        .write()
        .unwrap_or_else(PoisonError::into_inner);
    let named = std::env::var("FAULT_SIM_SEEDS").ok();
    let named = named.map(|text| text.parse::<u64>().expect("FAULT_SIM_SEEDS is a number"));
    let seeds = named.unwrap_or(SEEDS);
    let (next, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let failed = Mutex::new(None);
    let began = Instant::now();
    let worker = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let late = named.is_none() && began.elapsed() > TIME_BOX;
            if seed >= seeds || late || failed.lock().unwrap().is_some() {
                return;
            }
            let plan = Plan::of(seed);
            let played = play(&plan);
            if let Err(violation) = &played {
                *failed.lock().unwrap() = Some((plan, violation.clone()));
                return;
            }
            if seed.is_multiple_of(TWICE) {
                let again = play(&plan).map(comparable);
                let played = played.map(comparable);
                assert_eq!(again, played, "seed {seed} is not the same twice");
            }
            done.fetch_add(1, Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(worker);
        }
    });
    let (took, done) = (began.elapsed(), done.into_inner());
    // Past the capture of the test's output: how many there were is a result.
    let line = format!("fault simulation: {done} seeds in {took:.0?}\n");
    std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
    if let Some((plan, violation)) = failed.into_inner().unwrap() {
        let whole = plan.seed;
        let (plan, violation) = shrink(plan, violation);
        panic!("seed {whole}: {violation}\nthe least that fails:\n{plan}");
    }
}
