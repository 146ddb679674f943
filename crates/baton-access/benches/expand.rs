//! Expansion on numbers: no rows, no files.
//!
//! `nested`: one group of 10,000 nested in 1,000 groups, 10 million derived
//! grants. `layers`: 232 entitlements and 787 edges, 30 layers deep, about
//! 380,000 resulting grants. Prints the best and the median of several runs
//! and the peak memory of the process so far.

#![allow(clippy::print_stdout)] // a bench reports on stdout
#![allow(clippy::unwrap_used)] // and may end on anything unexpected

use std::time::{Duration, Instant};

use baton_access::{
    Derivation, Entitlement, Graph, Holders, Plan, Principal, ResourceType, Rule, propagate,
};

struct Input {
    plan: Plan,
    holders: Holders,
    kinds: Vec<ResourceType>,
    stored: usize,
}

/// Group 0 with 10,000 members is a member of groups 1 to 1,000.
fn nested() -> Input {
    const MEMBERS: u32 = 10_000;
    const GROUPS: u32 = 1_000;
    let mut graph = Graph::new(GROUPS + 1);
    let mut holders = Holders::new(GROUPS + 1);
    for group in 1..=GROUPS {
        graph.add_edge(Entitlement(0), Entitlement(group), Rule::new(false, &[]));
        // The group itself, which comes behind all users.
        holders
            .add(Entitlement(group), Principal(MEMBERS), true)
            .unwrap();
    }
    for user in 0..MEMBERS {
        holders.add(Entitlement(0), Principal(user), true).unwrap();
    }
    Input {
        plan: graph.into_plan(),
        holders,
        kinds: vec![ResourceType(0); MEMBERS as usize + 1],
        stored: (MEMBERS + GROUPS) as usize,
    }
}

/// Layers of eight entitlements; each feeds some of the next layers.
fn layers() -> Input {
    const ENTITLEMENTS: u32 = 232;
    const EDGES: usize = 787;
    const WIDTH: u32 = 8;
    const USERS: u64 = 2_600;
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |limit: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        u32::try_from(random % limit).unwrap()
    };
    let mut graph = Graph::new(ENTITLEMENTS);
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < EDGES {
        let source = below(u64::from(ENTITLEMENTS - WIDTH));
        let layer = source / WIDTH + 1;
        let destination = layer * WIDTH + below(u64::from(WIDTH));
        let shallow = below(4) == 0;
        let filter = [ResourceType(0)];
        let types = if below(4) == 0 { &filter[..] } else { &[] };
        if seen.insert((source, destination)) {
            let rule = Rule::new(shallow, types);
            graph.add_edge(Entitlement(source), Entitlement(destination), rule);
        }
    }
    let mut holders = Holders::new(ENTITLEMENTS);
    let mut stored = 0;
    for entitlement in 0..ENTITLEMENTS {
        for _ in 0..125 {
            let holder = Principal(below(USERS));
            holders.add(Entitlement(entitlement), holder, true).unwrap();
            stored += 1;
        }
    }
    Input {
        plan: graph.into_plan(),
        holders,
        kinds: (0..USERS)
            .map(|user| ResourceType(u32::from(user % 10 == 0)))
            .collect(),
        stored,
    }
}

fn measure(name: &str, make: fn() -> Input) {
    const RUNS: usize = 7;
    let mut times: Vec<Duration> = Vec::new();
    let mut summary = String::new();
    for _ in 0..RUNS {
        let start = Instant::now();
        let input = make();
        let mut all: Vec<Derivation> = Vec::new();
        propagate(
            &input.plan,
            &input.kinds,
            input.holders,
            &mut |derivation| {
                all.push(derivation);
                Ok(())
            },
        )
        .unwrap();
        times.push(start.elapsed());
        let new: usize = all.iter().map(|d| d.new.len()).sum();
        let changed: usize = all.iter().map(|d| d.existing.len()).sum();
        summary = format!(
            "{} stored grants, {} edges, {new} derived, {changed} changed",
            input.stored,
            input.plan.edge_count()
        );
    }
    times.sort_unstable();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "{name}: best {:.1} ms, median {:.1} ms of {RUNS} (graph and propagation); {summary}; peak {}",
        ms(times[0]),
        ms(times[RUNS / 2]),
        peak()
    );
}

/// Peak resident memory, where the system tells.
fn peak() -> String {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
            let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
            Some(format!("{} MiB", kib / 1024))
        })
        .unwrap_or_else(|| "unknown".to_owned())
}

fn main() {
    measure("layers", layers);
    measure("nested", nested);
}
