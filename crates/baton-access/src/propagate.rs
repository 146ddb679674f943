//! Propagation: who gets which entitlement from where.
//!
//! Nodes are worked off in topological order, one destination at a time. What
//! comes out of a destination is complete and never revisited; who holds an
//! entitlement is forgotten once nothing ahead asks for it. Sync-runtime
//! specification, §4.4.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::graph::{Plan, Rule};
use crate::index::{Entitlement, Principal, ResourceType, narrow};

/// Most principals or entitlements in one graph: one bit of the number carries
/// whether a grant is direct.
pub const MAX_NUMBER: u32 = u32::MAX >> 1;

/// One number with the flag `direct` in its lowest bit. Sorts by number first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Flagged(u32);

impl Flagged {
    pub(crate) fn new(number: u32, direct: bool) -> Self {
        debug_assert!(number <= MAX_NUMBER);
        Self(number << 1 | u32::from(direct))
    }

    pub(crate) fn number(self) -> u32 {
        self.0 >> 1
    }

    fn direct(self) -> bool {
        self.0 & 1 == 1
    }
}

/// Who holds the entitlements of the graph before expansion.
#[derive(Debug, Clone)]
pub struct Holders {
    pub(crate) of: Vec<Vec<Flagged>>,
}

impl Holders {
    /// No principal holds anything, over the entitlements `0..entitlements`.
    pub fn new(entitlements: u32) -> Self {
        Self {
            of: vec![Vec::new(); entitlements as usize],
        }
    }

    /// Notes a stored grant. `direct`: whether the grant stems from its own
    /// entitlement: its sources are empty or name it. Several grants of one
    /// pair are one holding, direct if any of them is.
    ///
    /// # Errors
    /// [`Error::TooMany`] for a principal above [`MAX_NUMBER`]. An entitlement
    /// outside of the graph is ignored.
    pub fn add(&mut self, held: Entitlement, holder: Principal, direct: bool) -> Result<()> {
        if holder.0 > MAX_NUMBER {
            return Err(Error::TooMany {
                what: "principals",
                limit: u64::from(MAX_NUMBER),
            });
        }
        if let Some(list) = self.of.get_mut(held.0 as usize) {
            list.push(Flagged::new(holder.0, direct));
        }
        Ok(())
    }

    /// Number of principals: one more than the greatest.
    pub(crate) fn principals(&self) -> usize {
        let numbers = self.of.iter().flatten().map(|holder| holder.number());
        numbers.max().map_or(0, |greatest| greatest as usize + 1)
    }

    /// Gives every principal its final number: `numbers[old]`.
    pub(crate) fn renumber(&mut self, numbers: &[u32]) {
        for holder in self.of.iter_mut().flatten() {
            *holder = Flagged::new(numbers[holder.number() as usize], holder.direct());
        }
    }

    /// Sorts one list and unites the grants of a pair.
    fn settle(list: &mut Vec<Flagged>) {
        list.sort_unstable();
        list.dedup_by(|next, kept| {
            let same = next.number() == kept.number();
            if same {
                kept.0 |= next.0;
            }
            same
        });
        list.shrink_to_fit();
    }
}

/// One source of a holding: an entitlement, and whether it was held directly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// The entitlement that hands the destination on.
    pub entitlement: Entitlement,
    /// Whether a grant on it is direct (`is_direct`).
    pub direct: bool,
}

/// A principal that reaches the destination, with the number of its source set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Who.
    pub principal: Principal,
    /// Whence: for [`Derivation::sources`].
    pub set: u32,
}

/// What expansion brings to one destination entitlement.
#[derive(Debug)]
pub struct Derivation {
    /// The destination.
    pub destination: Entitlement,
    /// Principals without a grant on the destination, ascending: each gets one.
    pub new: Vec<Claim>,
    /// Principals with one or more grants on it, ascending: those grants get
    /// the sources that they lack.
    pub existing: Vec<Claim>,
    set_starts: Vec<u32>,
    set_members: Vec<Flagged>,
}

impl Derivation {
    /// The sources of a claim of this derivation, ascending by entitlement;
    /// never empty, never the destination itself.
    pub fn sources(&self, set: u32) -> impl ExactSizeIterator<Item = Source> + '_ {
        let at = set as usize;
        let range = match (self.set_starts.get(at), self.set_starts.get(at + 1)) {
            (Some(&start), Some(&end)) => start as usize..end as usize,
            _ => 0..0,
        };
        self.set_members[range].iter().map(|flagged| Source {
            entitlement: Entitlement(flagged.number()),
            direct: flagged.direct(),
        })
    }

    /// The claim of a principal that gets a new grant.
    pub fn find_new(&self, principal: u32) -> Option<Claim> {
        find(&self.new, principal)
    }

    /// The claim of a principal whose grants are there already.
    pub fn find_existing(&self, principal: u32) -> Option<Claim> {
        find(&self.existing, principal)
    }

    /// Number of different source sets: they are numbered from 0.
    pub fn set_count(&self) -> u32 {
        u32::try_from(self.set_starts.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }
}

fn find(claims: &[Claim], principal: u32) -> Option<Claim> {
    let at = claims
        .binary_search_by_key(&principal, |claim| claim.principal.0)
        .ok()?;
    claims.get(at).copied()
}

/// Runs the expansion.
///
/// `kinds[p]` is the resource type of principal `p`; a principal without one
/// passes unfiltered edges only. `emit` gets every destination that anybody
/// reaches, once, in no order that a caller may rely on.
///
/// # Errors
/// What `emit` returns, and [`Error::TooMany`] when one destination has more
/// than `u32::MAX` contributions.
pub fn propagate(
    plan: &Plan,
    kinds: &[ResourceType],
    mut holders: Holders,
    emit: &mut dyn FnMut(Derivation) -> Result<()>,
) -> Result<()> {
    for list in &mut holders.of {
        Holders::settle(list);
    }
    let mut waiting: Vec<u32> = (0..plan.node_count())
        .map(|node| plan.outgoing_count(node))
        .collect();
    let mut gathered = Gather::default();
    for node in 0..plan.node_count() {
        let incoming = plan.incoming(node);
        if incoming.is_empty() {
            continue;
        }
        gathered.collect(plan, node, kinds, &holders)?;
        for &destination in plan.members(node) {
            let at = destination.0 as usize;
            let derivation = gathered.derive(destination, &holders.of[at]);
            if waiting[node as usize] == 0 {
                holders.of[at] = Vec::new();
            } else {
                add_indirect(&mut holders.of[at], &derivation.new);
            }
            if !(derivation.new.is_empty() && derivation.existing.is_empty()) {
                emit(derivation)?;
            }
        }
        for edge in incoming {
            let left = &mut waiting[edge.source as usize];
            *left -= 1;
            if *left == 0 {
                for member in plan.members(edge.source) {
                    holders.of[member.0 as usize] = Vec::new();
                }
            }
        }
    }
    Ok(())
}

/// Merges new holders, none of them direct, into a settled list.
fn add_indirect(list: &mut Vec<Flagged>, new: &[Claim]) {
    if new.is_empty() {
        return;
    }
    let old = std::mem::take(list);
    list.reserve_exact(old.len() + new.len());
    let mut old = old.into_iter().peekable();
    for claim in new {
        while let Some(held) = old.next_if(|held| held.number() < claim.principal.0) {
            list.push(held);
        }
        list.push(Flagged::new(claim.principal.0, false));
    }
    list.extend(old);
}

impl Rule {
    /// Whether a holder of the source gets the destination.
    pub(crate) fn passes(&self, holder: Flagged, kinds: &[ResourceType]) -> bool {
        let admitted = match kinds.get(holder.number() as usize) {
            Some(&kind) => self.admits(kind),
            None => self.admits_all(),
        };
        admitted && (!self.is_shallow() || holder.direct())
    }
}

/// All contributions to one node: the same for each of its entitlements.
#[derive(Debug, Default)]
struct Gather {
    /// Principal in the upper half; below it the flagged source.
    contributions: Vec<u64>,
}

impl Gather {
    fn collect(
        &mut self,
        plan: &Plan,
        node: u32,
        kinds: &[ResourceType],
        holders: &Holders,
    ) -> Result<()> {
        self.contributions.clear();
        for edge in plan.incoming(node) {
            let rule = &edge.rule;
            for &source in plan.members(edge.source) {
                let held = &holders.of[source.0 as usize];
                let passing = held.iter().filter(|h| rule.passes(**h, kinds));
                self.contributions.extend(passing.map(|h| {
                    let source = Flagged::new(source.0, h.direct());
                    u64::from(h.number()) << 32 | u64::from(source.0)
                }));
            }
        }
        if u32::try_from(self.contributions.len()).is_err() {
            return Err(Error::TooMany {
                what: "contributions to one entitlement",
                limit: u64::from(u32::MAX),
            });
        }
        // The stable sort finds the ascending runs, one per source, and merges
        // them; a single run costs one comparison per entry.
        #[allow(clippy::stable_sort_primitive)] // for the runs
        self.contributions.sort();
        Ok(())
    }

    /// Groups the contributions by principal. `held` is settled.
    fn derive(&self, destination: Entitlement, held: &[Flagged]) -> Derivation {
        let mut sets = SetTable::default();
        let mut new = Vec::new();
        let mut existing = Vec::new();
        let mut held = held.iter().peekable();
        let mut members: Vec<Flagged> = Vec::new();
        for group in self
            .contributions
            .chunk_by(|&a, &b| halves(a).0 == halves(b).0)
        {
            let Some(principal) = group.first().map(|&entry| halves(entry).0) else {
                continue;
            };
            members.clear();
            members.extend(group.iter().map(|&entry| halves(entry).1));
            let claim = Claim {
                principal: Principal(principal),
                set: sets.number_of(&members),
            };
            while held.next_if(|h| h.number() < principal).is_some() {}
            if held.peek().is_some_and(|h| h.number() == principal) {
                existing.push(claim);
            } else {
                new.push(claim);
            }
        }
        new.shrink_to_fit();
        existing.shrink_to_fit();
        Derivation {
            destination,
            new,
            existing,
            set_starts: sets.starts,
            set_members: sets.members,
        }
    }
}

/// Principal and flagged source of a contribution.
#[allow(clippy::cast_possible_truncation)] // the halves are meant
fn halves(entry: u64) -> (u32, Flagged) {
    ((entry >> 32) as u32, Flagged(entry as u32))
}

/// The source sets of one destination, each stored once.
#[derive(Debug)]
struct SetTable {
    starts: Vec<u32>,
    members: Vec<Flagged>,
    numbers: HashMap<Box<[Flagged]>, u32>,
    /// The two sets asked for last: neighbours mostly share theirs, or differ
    /// in directness only.
    recent: [u32; 2],
}

impl Default for SetTable {
    fn default() -> Self {
        Self {
            starts: vec![0],
            members: Vec::new(),
            numbers: HashMap::new(),
            recent: [0; 2],
        }
    }
}

impl SetTable {
    fn get(&self, number: u32) -> &[Flagged] {
        let at = number as usize;
        match (self.starts.get(at), self.starts.get(at + 1)) {
            (Some(&start), Some(&end)) => &self.members[start as usize..end as usize],
            _ => &[],
        }
    }

    fn number_of(&mut self, set: &[Flagged]) -> u32 {
        let [last, before] = self.recent;
        if self.get(last) == set {
            return last;
        }
        let number = if self.get(before) == set {
            before
        } else if let Some(&known) = self.numbers.get(set) {
            known
        } else {
            // Sets and their members are bounded by the contributions, which
            // were counted against u32.
            let number = narrow(self.starts.len() - 1);
            self.members.extend_from_slice(set);
            self.starts.push(narrow(self.members.len()));
            self.numbers.insert(set.into(), number);
            number
        };
        self.recent = [number, last];
        number
    }
}
