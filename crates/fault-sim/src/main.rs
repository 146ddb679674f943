//! Plays more seeds than the tests do: `fault-sim [FIRST] [COUNT]`. With a
//! count of 1 the plan is shown, and how each attempt ended.
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

use fault_sim::{Plan, play, shrink};

fn main() {
    let mut numbers = std::env::args().skip(1).map(|word| word.parse::<u64>());
    let (Ok(first), Ok(count)) = (
        numbers.next().unwrap_or(Ok(0)),
        numbers.next().unwrap_or(Ok(10_000)),
    ) else {
        println!("usage: fault-sim [FIRST] [COUNT]");
        std::process::exit(2);
    };
    let began = Instant::now();
    for seed in first..first.saturating_add(count) {
        let plan = Plan::of(seed);
        match play(&plan) {
            Ok(played) if count == 1 => println!("{plan}{played:#?}"),
            Ok(_) => {}
            Err(violation) => {
                println!("{violation}\n{plan}");
                let (plan, violation) = shrink(plan, violation);
                println!("FAILED, at the least: {violation}\n{plan}");
                std::process::exit(1);
            }
        }
        let done = seed - first + 1;
        if done.is_multiple_of(100) {
            println!("{done} seeds in {:.1?}", began.elapsed());
        }
    }
    println!("{count} seeds held, in {:.1?}", began.elapsed());
}
