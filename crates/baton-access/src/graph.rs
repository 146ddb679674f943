//! The entitlement graph: edges, cycle merging, topological order.
//!
//! An edge `S -> D` means that holders of `S` also get `D`. Parallel edges
//! become one, as wide as the widest of them; entitlements that reach each
//! other become one node whose inner edges vanish. Knows numbers only: no
//! names, no rows. Sync-runtime specification, §4.2 and §4.3.

use crate::index::{Entitlement, ResourceType};

/// What an edge lets through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    shallow: bool,
    /// Sorted, unique; empty lets every type through.
    types: Vec<ResourceType>,
}

impl Rule {
    /// A rule. `shallow` lets only direct holders through; `types` limits the
    /// principals' resource types, none of them meaning no limit.
    pub fn new(shallow: bool, types: &[ResourceType]) -> Self {
        let mut types = types.to_vec();
        types.sort_unstable();
        types.dedup();
        Self { shallow, types }
    }

    /// Whether only direct holders pass.
    pub fn is_shallow(&self) -> bool {
        self.shallow
    }

    /// Whether principals of this type pass.
    pub fn admits(&self, kind: ResourceType) -> bool {
        self.types.is_empty() || self.types.binary_search(&kind).is_ok()
    }

    /// Whether principals of every type pass.
    pub fn admits_all(&self) -> bool {
        self.types.is_empty()
    }

    /// Makes this rule let through what either lets through.
    fn widen(&mut self, other: &Rule) {
        self.shallow &= other.shallow;
        if self.types.is_empty() || other.types.is_empty() {
            self.types.clear();
        } else if self.types != other.types {
            self.types.extend_from_slice(&other.types);
            self.types.sort_unstable();
            self.types.dedup();
        }
    }
}

/// Edges between entitlements, as they are read.
#[derive(Debug, Default)]
pub struct Graph {
    entitlements: u32,
    edges: Vec<Edge>,
}

#[derive(Debug)]
struct Edge {
    source: u32,
    destination: u32,
    rule: Rule,
}

impl Graph {
    /// An empty graph over the entitlements `0..entitlements`.
    pub fn new(entitlements: u32) -> Self {
        Self {
            entitlements,
            edges: Vec::new(),
        }
    }

    /// Adds `source -> destination`. Both must be below the count given to
    /// [`Graph::new`]; an edge that is not is ignored.
    pub fn add_edge(&mut self, source: Entitlement, destination: Entitlement, rule: Rule) {
        let in_range = source.0 < self.entitlements && destination.0 < self.entitlements;
        debug_assert!(in_range, "edge outside of the graph");
        if in_range {
            self.edges.push(Edge {
                source: source.0,
                destination: destination.0,
                rule,
            });
        }
    }

    /// Merges parallel edges and cycles, and orders the nodes.
    pub fn into_plan(mut self) -> Plan {
        merge_parallel(&mut self.edges);
        let edges = self.edges.len();
        let self_loops = self
            .edges
            .iter()
            .filter(|e| e.source == e.destination)
            .count();
        let out = Adjacency::of(self.entitlements, &self.edges);
        let (node_of, nodes) = components(&out);
        drop(out);
        for edge in &mut self.edges {
            edge.source = node_of[edge.source as usize];
            edge.destination = node_of[edge.destination as usize];
        }
        self.edges.retain(|e| e.source != e.destination);
        merge_parallel(&mut self.edges);
        Plan::assemble(&node_of, nodes, self.edges, edges, self_loops)
    }
}

/// Sorts by (source, destination) and unites edges of one pair.
fn merge_parallel(edges: &mut Vec<Edge>) {
    edges.sort_unstable_by_key(|e| (e.source, e.destination));
    edges.dedup_by(|next, kept| {
        let same = next.source == kept.source && next.destination == kept.destination;
        if same {
            kept.rule.widen(&next.rule);
        }
        same
    });
}

/// Outgoing neighbours of every entitlement, in one array.
struct Adjacency {
    starts: Vec<u32>,
    targets: Vec<u32>,
}

impl Adjacency {
    /// `edges` must be sorted by source.
    fn of(count: u32, edges: &[Edge]) -> Self {
        let mut starts = vec![0_u32; count as usize + 1];
        for edge in edges {
            starts[edge.source as usize + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let targets = edges.iter().map(|e| e.destination).collect();
        Self { starts, targets }
    }

    fn count(&self) -> u32 {
        // One start more than entitlements, whose number came in as u32.
        u32::try_from(self.starts.len() - 1).unwrap_or(u32::MAX)
    }
}

const UNSEEN: u32 = u32::MAX;

/// Strongly connected components by Tarjan's algorithm, without recursion.
/// Gives the node of every entitlement and the number of nodes; the nodes are
/// numbered so that every edge goes from a lower to a higher one.
fn components(out: &Adjacency) -> (Vec<u32>, u32) {
    let count = out.count();
    let n = count as usize;
    let mut order = vec![UNSEEN; n];
    let mut low = vec![UNSEEN; n];
    let mut node_of = vec![UNSEEN; n];
    let mut open: Vec<u32> = Vec::new();
    // (entitlement, position of its next outgoing edge)
    let mut path: Vec<(u32, u32)> = Vec::new();
    let mut clock = 0_u32;
    let mut nodes = 0_u32;
    for root in 0..count {
        if order[root as usize] != UNSEEN {
            continue;
        }
        path.push((root, out.starts[root as usize]));
        while let Some(&mut (v, ref mut next)) = path.last_mut() {
            let at = v as usize;
            if order[at] == UNSEEN {
                order[at] = clock;
                low[at] = clock;
                clock += 1;
                open.push(v);
            }
            if *next < out.starts[at + 1] {
                let w = out.targets[*next as usize];
                *next += 1;
                if order[w as usize] == UNSEEN {
                    path.push((w, out.starts[w as usize]));
                } else if node_of[w as usize] == UNSEEN {
                    low[at] = low[at].min(order[w as usize]);
                }
                continue;
            }
            path.pop();
            if let Some(&(parent, _)) = path.last() {
                low[parent as usize] = low[parent as usize].min(low[at]);
            }
            if low[at] == order[at] {
                while let Some(w) = open.pop() {
                    node_of[w as usize] = nodes;
                    if w == v {
                        break;
                    }
                }
                nodes += 1;
            }
        }
    }
    // A component is closed only after everything it reaches: reversed, the
    // numbers run along the edges.
    for node in &mut node_of {
        *node = nodes - 1 - *node;
    }
    (node_of, nodes)
}

/// An edge into a node.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) source: u32,
    pub(crate) rule: Rule,
}

/// The graph made ready for propagation: nodes in topological order, each with
/// its entitlements and its incoming edges.
#[derive(Debug)]
pub struct Plan {
    member_starts: Vec<u32>,
    members: Vec<Entitlement>,
    edge_starts: Vec<u32>,
    incoming: Vec<Incoming>,
    outgoing: Vec<u32>,
    edges: usize,
    self_loops: usize,
}

impl Plan {
    fn assemble(
        node_of: &[u32],
        nodes: u32,
        mut edges: Vec<Edge>,
        read_edges: usize,
        self_loops: usize,
    ) -> Self {
        let mut member_starts = vec![0_u32; nodes as usize + 1];
        for &node in node_of {
            member_starts[node as usize + 1] += 1;
        }
        let mut edge_starts = vec![0_u32; nodes as usize + 1];
        let mut outgoing = vec![0_u32; nodes as usize];
        for edge in &edges {
            edge_starts[edge.destination as usize + 1] += 1;
            outgoing[edge.source as usize] += 1;
        }
        for i in 1..member_starts.len() {
            member_starts[i] += member_starts[i - 1];
            edge_starts[i] += edge_starts[i - 1];
        }
        let mut fill = member_starts.clone();
        let mut members = vec![Entitlement(0); node_of.len()];
        for (entitlement, &node) in (0_u32..).zip(node_of) {
            let at = &mut fill[node as usize];
            members[*at as usize] = Entitlement(entitlement);
            *at += 1;
        }
        edges.sort_unstable_by_key(|e| (e.destination, e.source));
        let incoming = edges
            .into_iter()
            .map(|e| Incoming {
                source: e.source,
                rule: e.rule,
            })
            .collect();
        Self {
            member_starts,
            members,
            edge_starts,
            incoming,
            outgoing,
            edges: read_edges,
            self_loops,
        }
    }

    /// Number of nodes. They are numbered along the edges.
    pub fn node_count(&self) -> u32 {
        u32::try_from(self.outgoing.len()).unwrap_or(u32::MAX)
    }

    /// Number of different (source, destination) pairs that were added.
    pub fn edge_count(&self) -> usize {
        self.edges
    }

    /// Number of entitlements with an edge to themselves.
    pub fn self_loop_count(&self) -> usize {
        self.self_loops
    }

    /// The merged cycles: the entitlements of every node that has several.
    pub fn cycles(&self) -> impl Iterator<Item = &[Entitlement]> {
        (0..self.node_count())
            .map(|node| self.members(node))
            .filter(|members| members.len() > 1)
    }

    /// The entitlements that feed others. What others hold is never asked for.
    pub fn feeders(&self) -> impl Iterator<Item = Entitlement> {
        (0..self.node_count())
            .filter(|&node| self.outgoing_count(node) > 0)
            .flat_map(|node| self.members(node).iter().copied())
    }

    /// The entitlements of a node, ascending.
    pub(crate) fn members(&self, node: u32) -> &[Entitlement] {
        let at = node as usize;
        &self.members[self.member_starts[at] as usize..self.member_starts[at + 1] as usize]
    }

    /// The edges into a node, by ascending source.
    pub(crate) fn incoming(&self, node: u32) -> &[Incoming] {
        let at = node as usize;
        &self.incoming[self.edge_starts[at] as usize..self.edge_starts[at + 1] as usize]
    }

    /// Number of nodes that a node feeds.
    pub(crate) fn outgoing_count(&self, node: u32) -> u32 {
        self.outgoing[node as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(count: u32, edges: &[(u32, u32)]) -> Plan {
        let mut graph = Graph::new(count);
        for &(s, d) in edges {
            graph.add_edge(Entitlement(s), Entitlement(d), Rule::new(false, &[]));
        }
        graph.into_plan()
    }

    fn numbers(members: &[Entitlement]) -> Vec<u32> {
        members.iter().map(|e| e.0).collect()
    }

    #[test]
    fn edges_run_from_lower_to_higher_nodes() {
        let plan = plan(6, &[(5, 0), (0, 3), (3, 1), (5, 1), (2, 3)]);
        assert_eq!(plan.node_count(), 6);
        for node in 0..plan.node_count() {
            for edge in plan.incoming(node) {
                assert!(edge.source < node);
            }
        }
    }

    #[test]
    fn a_cycle_is_one_node_and_loses_its_inner_edges() {
        let plan = plan(5, &[(0, 1), (1, 2), (2, 0), (3, 1), (2, 4)]);
        let cycles: Vec<_> = plan.cycles().map(numbers).collect();
        assert_eq!(cycles, [[0, 1, 2]]);
        assert_eq!(plan.node_count(), 3);
        let edges: usize = (0..3).map(|n| plan.incoming(n).len()).sum();
        assert_eq!(edges, 2);
    }

    #[test]
    fn a_self_loop_leaves_no_edge_and_is_no_cycle_of_several() {
        let plan = plan(2, &[(0, 0), (0, 1)]);
        assert_eq!(plan.cycles().count(), 0);
        assert_eq!(plan.self_loop_count(), 1);
        assert_eq!(plan.incoming(1).len(), 1);
        assert!(plan.incoming(0).is_empty());
    }

    #[test]
    fn parallel_edges_merge_to_the_widest() {
        let (user, app) = (ResourceType(1), ResourceType(2));
        let mut graph = Graph::new(3);
        let edge = |d| (Entitlement(0), Entitlement(d));
        for (d, rule) in [
            (1, Rule::new(true, &[user])),
            (1, Rule::new(true, &[app])),
            (2, Rule::new(true, &[])),
            (2, Rule::new(false, &[user])),
        ] {
            let (s, d) = edge(d);
            graph.add_edge(s, d, rule);
        }
        let plan = graph.into_plan();
        assert_eq!(plan.edge_count(), 2);
        for node in 0..plan.node_count() {
            for edge in plan.incoming(node) {
                let expected = match plan.members(node)[0].0 {
                    1 => Rule::new(true, &[user, app]),
                    _ => Rule::new(false, &[]),
                };
                assert_eq!(edge.rule, expected);
            }
        }
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_needs_no_stack() {
        let edges: Vec<_> = (0..100_000).map(|i| (i, i + 1)).collect();
        assert_eq!(plan(100_001, &edges).node_count(), 100_001);
    }
}
