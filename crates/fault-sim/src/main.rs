//! Plays more seeds than the tests do: `fault-sim [changes] [FIRST] [COUNT]`.
//! With a count of 1 the plan is shown, and how each attempt or change ended.
#![allow(
    clippy::disallowed_methods,
    reason = "the entry point reads the arguments and measures real time"
)]
#![allow(
    clippy::print_stdout,
    clippy::exit,
    reason = "this program is there to print"
)]

use std::time::Instant;

use fault_sim::{ChangePlan, Plan, play, play_changes, shrink, shrink_changes};

fn main() {
    let mut words = std::env::args().skip(1).peekable();
    let changes = words.next_if_eq("changes").is_some();
    let mut numbers = words.map(|word| word.parse::<u64>());
    let (Ok(first), Ok(count)) = (
        numbers.next().unwrap_or(Ok(0)),
        numbers.next().unwrap_or(Ok(10_000)),
    ) else {
        println!("usage: fault-sim [changes] [FIRST] [COUNT]");
        std::process::exit(2);
    };
    let began = Instant::now();
    for seed in first..first.saturating_add(count) {
        let held = if changes {
            change(seed, count == 1)
        } else {
            sync(seed, count == 1)
        };
        if !held {
            std::process::exit(1);
        }
        let done = seed - first + 1;
        if done.is_multiple_of(100) {
            println!("{done} seeds in {:.1?}", began.elapsed());
        }
    }
    println!("{count} seeds held, in {:.1?}", began.elapsed());
}

/// Plays the syncs of a seed; true if nothing was violated.
fn sync(seed: u64, shown: bool) -> bool {
    let plan = Plan::of(seed);
    match play(&plan) {
        Ok(played) if shown => println!("{plan}{played:#?}"),
        Ok(_) => {}
        Err(violation) => {
            println!("{violation}\n{plan}");
            let (plan, violation) = shrink(plan, violation);
            println!("FAILED, at the least: {violation}\n{plan}");
            return false;
        }
    }
    true
}

/// Plays the changes of a seed; true if nothing was violated.
fn change(seed: u64, shown: bool) -> bool {
    let plan = ChangePlan::of(seed);
    match play_changes(&plan) {
        Ok(endings) if shown => println!("{plan}{endings:#?}"),
        Ok(_) => {}
        Err(violation) => {
            println!("{violation}\n{plan}");
            let (plan, violation) = shrink_changes(plan, violation);
            println!("FAILED, at the least: {violation}\n{plan}");
            return false;
        }
    }
    true
}
