//! How much of a server's quota the limiter uses, and how many of its requests
//! are answered with 429, in virtual time: the numbers are the same everywhere.
//!
//! 128 senders send as much as they are let to a simulator that keeps quotas,
//! 64 in flight at most; six whole minutes are counted. A third table shows how
//! a run begins where nothing is announced: slow start, what the first refusal
//! costs, and what happens where answers take longer the more are in flight.

#![allow(clippy::print_stdout)] // a bench reports on stdout
#![allow(clippy::unwrap_used)] // and may end on anything unexpected

#[path = "../tests/it/flood.rs"]
mod flood;
#[path = "../tests/it/in_process.rs"]
mod in_process;

use std::time::Duration;

use atlassian_sim::RateLimits;

use flood::{Counted, Flood, MINUTES};

/// A name, the flood, and the budget of a minute.
type Case = (&'static str, Flood, u64);

fn announced() -> Vec<Case> {
    let minute = |limit| Flood::of(RateLimits::per_minute(limit));
    let second = |limit| Flood::of(RateLimits::per_second(limit));
    let all = |flood| Flood {
        share: 1.0,
        ..flood
    };
    let slow = |flood, ms| Flood {
        latency: Duration::from_millis(ms),
        ..flood
    };
    let minutes_only = RateLimits {
        reset_without_seconds: true,
        ..RateLimits::per_minute(500)
    };
    let two = Flood {
        clients: 2,
        ..minute(500)
    };
    let late = Flood {
        begins_at: 59,
        ..minute(500)
    };
    vec![
        (
            "10 per minute, 0.8, 5 s latency",
            slow(minute(10), 5_000),
            8,
        ),
        ("60 per minute, 0.8", minute(60), 48),
        ("60 per minute, 1.0", all(minute(60)), 60),
        ("500 per minute, 0.8", minute(500), 400),
        ("500 per minute, 1.0", all(minute(500)), 500),
        (
            "500 per minute, 0.8, 1 s latency",
            slow(minute(500), 1_000),
            400,
        ),
        (
            "500 per minute, 0.8, begun a second before a new one",
            late,
            400,
        ),
        (
            "500 per minute, 0.8, reset without seconds",
            Flood::of(minutes_only),
            400,
        ),
        ("500 per minute, 0.8, two clients", two, 400),
        ("20 per second, 0.8", second(20), 960),
        ("100 per second, 0.8", second(100), 4_800),
    ]
}

fn silent() -> Vec<(&'static str, Flood)> {
    let told = |limits| RateLimits {
        headers: false,
        ..limits
    };
    let bare = |limits| RateLimits {
        bare_refusals: true,
        ..told(limits)
    };
    let minute = RateLimits::per_minute(500);
    let second = RateLimits::per_second(40);
    vec![
        (
            "500 per minute, `Retry-After`",
            Flood::of(told(minute.clone())),
        ),
        ("500 per minute, bare refusals", Flood::of(bare(minute))),
        (
            "40 per second, `Retry-After`",
            Flood::of(told(second.clone())),
        ),
        ("40 per second, bare refusals", Flood::of(bare(second))),
    ]
}

/// How a run begins: where nothing is announced, and most of it is refused or
/// queued.
fn begun() -> Vec<(&'static str, Flood)> {
    let quiet = |limits| {
        Flood::of(RateLimits {
            headers: false,
            ..limits
        })
    };
    let free = Flood::of(RateLimits::off());
    vec![
        ("no limit", free.clone()),
        (
            "no limit, 200 ms latency",
            Flood {
                latency: Duration::from_millis(200),
                ..free.clone()
            },
        ),
        (
            "16 served at once, all others queue",
            Flood {
                served_at_once: Some(16),
                ..free.clone()
            },
        ),
        (
            "4 served at once, all others queue",
            Flood {
                served_at_once: Some(4),
                ..free
            },
        ),
        (
            "500 per minute, `Retry-After`",
            quiet(RateLimits::per_minute(500)),
        ),
        (
            "40 per second, `Retry-After`",
            quiet(RateLimits::per_second(40)),
        ),
        (
            "200 per second, `Retry-After`",
            quiet(RateLimits::per_second(200)),
        ),
    ]
}

fn milliseconds(reached: Option<Duration>) -> String {
    reached.map_or_else(|| "never".to_owned(), |at| at.as_millis().to_string())
}

/// `12,345`.
fn figure(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn refused(counted: Counted) -> String {
    let per_mille = counted.refused_per_mille();
    format!(
        "{} ({}.{} %)",
        figure(counted.refused),
        per_mille / 10,
        per_mille % 10
    )
}

fn run(flood: &Flood) -> Counted {
    virtually(flood.run())
}

/// Runs in virtual time.
fn virtually<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(work)
}

fn main() {
    println!("| quota, share | used | refused with 429 |");
    println!("|---|---|---|");
    for (name, flood, budget) in announced() {
        let counted = run(&flood);
        let budget = budget * MINUTES;
        println!(
            "| {name} | {} of {} ({} %) | {} |",
            figure(counted.let_through),
            figure(budget),
            counted.let_through * 100 / budget,
            refused(counted)
        );
    }
    println!();
    println!("| without `X-RateLimit-*` | let through | refused with 429 |");
    println!("|---|---|---|");
    for (name, flood) in silent() {
        let counted = run(&flood);
        println!(
            "| {name} | {} | {} |",
            figure(counted.let_through),
            refused(counted)
        );
    }
    println!();
    println!(
        "| without `X-RateLimit-*`, first 12 s | ms to 8, 16, 32, 64 in flight | answers in the first second | first refusals, later ones | in flight at last |"
    );
    println!("|---|---|---|---|---|");
    for (name, flood) in begun() {
        let start = virtually(flood.begin(12));
        println!(
            "| {name} | {} | {} | {}, {} | {:.0} |",
            start.reached.map(milliseconds).join(", "),
            figure(start.answered),
            start.first_refusals,
            start.later_refusals,
            start.settled_at
        );
    }
}
