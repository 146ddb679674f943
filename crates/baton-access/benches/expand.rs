//! Expansion on numbers, and once with rows around it.
//!
//! `nested`: one group of 10,000 nested in 1,000 groups, 10 million derived
//! grants. `layers`: 232 entitlements and 787 edges, 30 layers deep, about
//! 380,000 resulting grants. `nested rows`: the first again, from rows in memory
//! to the bytes of every change, principals of 300 bytes. Prints the best and the median of several runs
//! and the peak memory of the process so far.

#![allow(
    clippy::disallowed_methods,
    reason = "a bench measures real time and real files"
)]
#![allow(clippy::print_stdout)] // a bench reports on stdout
#![allow(clippy::unwrap_used)] // and may end on anything unexpected

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use baton_access::{
    Derivation, Entitlement, Graph, GraphExpander, Holders, Plan, Principal, ResourceType, Rule,
    propagate,
};
use baton_c1z::{Expander, OwnedRow, Row, SortedRows, Table};
use baton_proto::c1::connector::v2;
use baton_proto::encode;

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
    const USERS: u64 = 2_000;
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

type Visit<'v> = dyn FnMut(&Row<'_>) -> baton_c1z::Result<ControlFlow<()>> + 'v;

/// The nested groups as rows.
struct Rows {
    entitlements: Vec<OwnedRow>,
    grants: Vec<OwnedRow>,
}

fn resource(kind: &str, id: &str) -> v2::Resource {
    v2::Resource {
        id: Some(v2::ResourceId {
            resource_type: kind.to_owned(),
            resource: id.to_owned(),
            ..Default::default()
        }),
        display_name: format!("{kind} {id}"),
        description: "x".repeat(260),
        ..Default::default()
    }
}

impl Rows {
    fn new() -> Self {
        let mut rows = Self {
            entitlements: Vec::new(),
            grants: Vec::new(),
        };
        for group in 0..=1_000 {
            let id = format!("g{group:04}");
            let entitlement = v2::Entitlement {
                id: format!("group:{id}:member"),
                resource: Some(resource("group", &id)),
                ..Default::default()
            };
            rows.entitlements.push(OwnedRow {
                id: entitlement.id.clone(),
                resource_type_id: "group".to_owned(),
                resource_id: id,
                data: encode::to_vec(&entitlement),
                ..Default::default()
            });
            if group == 0 {
                for user in 0..10_000 {
                    rows.grant(&entitlement, "user", &format!("u{user:05}"), None);
                }
            } else {
                let expandable = v2::GrantExpandable {
                    entitlement_ids: vec!["group:g0000:member".to_owned()],
                    ..Default::default()
                };
                rows.grant(&entitlement, "group", "g0000", Some(&expandable));
            }
        }
        rows
    }

    fn grant(
        &mut self,
        on: &v2::Entitlement,
        kind: &str,
        id: &str,
        expandable: Option<&v2::GrantExpandable>,
    ) {
        let grant = v2::Grant {
            id: format!("{}:{kind}:{id}", on.id),
            entitlement: Some(on.clone()),
            principal: Some(resource(kind, id)),
            ..Default::default()
        };
        let of = on.resource.as_ref().and_then(|r| r.id.as_ref()).unwrap();
        self.grants.push(OwnedRow {
            id: grant.id.clone(),
            resource_type_id: of.resource_type.clone(),
            resource_id: of.resource.clone(),
            entitlement_id: on.id.clone(),
            principal_type_id: kind.to_owned(),
            principal_id: id.to_owned(),
            data: encode::to_vec(&grant),
            expansion: expandable.map(encode::to_vec),
            ..Default::default()
        });
    }
}

impl SortedRows for Rows {
    fn scan(&self, table: Table, visit: &mut Visit<'_>) -> baton_c1z::Result<()> {
        let rows = match table {
            Table::Entitlements => &self.entitlements,
            Table::Grants => &self.grants,
            _ => return Ok(()),
        };
        for row in rows {
            if visit(&row.as_row())?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn scan_entitlement(&self, id: &str, visit: &mut Visit<'_>) -> baton_c1z::Result<()> {
        for row in self.grants.iter().filter(|row| row.entitlement_id == id) {
            if visit(&row.as_row())?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn expandable_count(&self) -> u64 {
        let expandable = self.grants.iter().filter(|row| row.expansion.is_some());
        expandable.count() as u64
    }
}

fn measure_rows() {
    let rows = Rows::new();
    let start = Instant::now();
    let expansion = GraphExpander::default().expand(&rows).unwrap();
    let ready = start.elapsed();
    let mut changes = expansion.changes.map(Result::unwrap).count();
    if let Some(mut inserts) = expansion.inserts {
        while inserts.advance().unwrap() {
            inserts.make().unwrap();
            changes += 1;
        }
    }
    println!(
        "nested rows: {:.1} s until the first change, {:.1} s until the last of {changes}; peak {}",
        ready.as_secs_f64(),
        start.elapsed().as_secs_f64(),
        peak()
    );
}

fn main() {
    measure("layers", layers);
    measure("nested", nested);
    measure_rows();
}
