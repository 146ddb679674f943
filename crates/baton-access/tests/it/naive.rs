//! Expansion once more, as plainly as it can be put: strings, maps, and one
//! pass over everything per step. What the product is held against.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Entitlement, Grant};

#[derive(Debug, Clone)]
struct Edge {
    shallow: bool,
    types: BTreeSet<String>,
}

type Edges = BTreeMap<(usize, usize), Edge>;

fn widen(edges: &mut Edges, ends: (usize, usize), edge: &Edge) {
    let Some(known) = edges.get_mut(&ends) else {
        edges.insert(ends, edge.clone());
        return;
    };
    known.shallow &= edge.shallow;
    if known.types.is_empty() || edge.types.is_empty() {
        known.types.clear();
    } else {
        known.types.extend(edge.types.iter().cloned());
    }
}

/// Expands `grants` in place. All sources must belong to their principals.
pub fn expand(entitlements: &[Entitlement], grants: &mut Vec<Grant>) {
    let mut stored: Vec<&Entitlement> = entitlements.iter().filter(|e| e.stored).collect();
    stored.sort_by_key(|e| place(e));
    let number = |id: &str| stored.iter().position(|e| e.id == id);
    let mut edges = Edges::new();
    for grant in grants.iter().filter(|g| g.needs_expansion) {
        let Some(expandable) = &grant.expandable else {
            continue;
        };
        let edge = Edge {
            shallow: expandable.shallow,
            types: expandable.resource_type_ids.iter().cloned().collect(),
        };
        for source in &expandable.entitlement_ids {
            if let (Some(s), Some(d)) = (number(source), number(&grant.entitlement)) {
                widen(&mut edges, (s, d), &edge);
            }
        }
    }
    let node_of = nodes(stored.len(), &edges);
    let mut between = Edges::new();
    for (&(s, d), edge) in &edges {
        if node_of[s] != node_of[d] {
            widen(&mut between, (node_of[s], node_of[d]), edge);
        }
    }
    let mut left: BTreeSet<usize> = node_of.iter().copied().collect();
    while let Some(node) = left.iter().copied().find(|&node| {
        let waits = |&(s, d): &(usize, usize)| d == node && left.contains(&s);
        !between.keys().any(waits)
    }) {
        left.remove(&node);
        for destination in (0..stored.len()).filter(|&e| node_of[e] == node) {
            let found = contributions(destination, node, &stored, &node_of, &between, grants);
            for (principal, (label, sources)) in found {
                give(&stored[destination].id, principal, label, sources, grants);
            }
        }
    }
    assert!(left.is_empty(), "nodes without a cycle have an order");
}

/// Where an entitlement stands in a file.
fn place(e: &Entitlement) -> (String, String, bool, String) {
    let own = format!("{}:{}:", e.resource.0, e.resource.1);
    let tail = e.id.strip_prefix(&own);
    (
        e.resource.0.clone(),
        e.resource.1.clone(),
        tail.is_some(),
        tail.unwrap_or(&e.id).to_owned(),
    )
}

/// The lowest entitlement that each one reaches and is reached by.
fn nodes(count: usize, edges: &Edges) -> Vec<usize> {
    let mut reach = vec![vec![false; count]; count];
    for &(s, d) in edges.keys() {
        reach[s][d] = true;
    }
    for via in 0..count {
        for from in 0..count {
            for to in 0..count {
                reach[from][to] |= reach[from][via] && reach[via][to];
            }
        }
    }
    let together = |a: usize, b: usize| a == b || (reach[a][b] && reach[b][a]);
    (0..count)
        .map(|e| (0..count).find(|&other| together(e, other)).unwrap_or(e))
        .collect()
}

type Found = BTreeMap<(String, String), (String, BTreeMap<String, bool>)>;

fn contributions(
    destination: usize,
    node: usize,
    stored: &[&Entitlement],
    node_of: &[usize],
    between: &Edges,
    grants: &[Grant],
) -> Found {
    let mut found = Found::new();
    for source in (0..stored.len()).filter(|&s| s != destination) {
        let Some(edge) = between.get(&(node_of[source], node)) else {
            continue;
        };
        let id = &stored[source].id;
        let direct = |g: &Grant| g.sources.is_empty() || g.sources.contains_key(id);
        let mut held: Vec<&Grant> = grants.iter().filter(|g| g.entitlement == *id).collect();
        held.sort_by_key(|g| (&g.principal, !direct(g), &g.id));
        for grant in held {
            let (principal, direct) = (&grant.principal, direct(grant));
            let wanted = edge.types.is_empty() || edge.types.contains(&principal.0);
            if wanted && (direct || !edge.shallow) {
                let first = || (grant.label.clone(), BTreeMap::new());
                let entry = found.entry(principal.clone()).or_insert_with(first);
                *entry.1.entry(id.clone()).or_default() |= direct;
            }
        }
    }
    found
}

fn give(
    destination: &str,
    principal: (String, String),
    label: String,
    sources: BTreeMap<String, bool>,
    grants: &mut Vec<Grant>,
) {
    let mut known = false;
    for grant in grants.iter_mut() {
        if grant.entitlement != destination || grant.principal != principal {
            continue;
        }
        known = true;
        if grant.sources.is_empty() {
            grant.sources.insert(destination.to_owned(), true);
        }
        for (source, direct) in &sources {
            *grant.sources.entry(source.clone()).or_default() |= direct;
        }
    }
    if !known {
        grants.push(Grant {
            id: format!("{destination}:{}:{}", principal.0, principal.1),
            entitlement: destination.to_owned(),
            principal,
            expandable: None,
            sources,
            immutable: true,
            needs_expansion: false,
            label,
        });
    }
}
