//! How many grants an expansion derives, known before any is made.
//!
//! First a bound, from numbers of holders alone. Where that is too high, the
//! grants are counted: with one bit per principal, and the holders of
//! entitlements that are passed on, but without sources or rows.

use crate::error::{DERIVED_GRANTS, Error, Result};
use crate::graph::Plan;
use crate::index::ResourceType;
use crate::propagate::{Flagged, Holders};

/// A set of principals.
struct Bits(Vec<u64>);

impl Bits {
    fn new(size: usize) -> Self {
        Self(vec![0; size.div_ceil(64)])
    }

    fn clear(&mut self) {
        self.0.fill(0);
    }

    fn insert(&mut self, number: u32) {
        let number = number as usize;
        if let Some(word) = self.0.get_mut(number / 64) {
            *word |= 1 << (number % 64);
        }
    }

    fn contains(&self, number: u32) -> bool {
        let number = number as usize;
        self.0
            .get(number / 64)
            .is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    fn len(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        (0_u32..).zip(&self.0).flat_map(|(at, word)| {
            let bits = (0..64).filter(move |bit| word >> bit & 1 == 1);
            bits.map(move |bit| at * 64 + bit)
        })
    }
}

/// At least as many as are derived; takes no time to speak of.
pub(crate) fn bound(plan: &Plan, holders: &Holders) -> u64 {
    let principals = holders.principals() as u64;
    let mut held: Vec<u64> = holders.of.iter().map(|list| list.len() as u64).collect();
    let mut derived = 0_u64;
    for node in 0..plan.node_count() {
        let incoming = plan.incoming(node).iter();
        let sources = incoming.flat_map(|edge| plan.members(edge.source));
        let reached: u64 = sources
            .map(|source| held[source.0 as usize])
            .fold(0, u64::saturating_add);
        let reached = reached.min(principals);
        for destination in plan.members(node) {
            derived = derived.saturating_add(reached);
            let of = &mut held[destination.0 as usize];
            *of = of.saturating_add(reached).min(principals);
        }
    }
    derived
}

/// The number itself.
///
/// # Errors
/// [`Error::TooMany`] if it is above `most`, and what `look` returns, which is
/// called now and then.
pub(crate) fn count(
    plan: &Plan,
    kinds: &[ResourceType],
    mut holders: Holders,
    most: u64,
    look: &dyn Fn() -> Result<()>,
) -> Result<u64> {
    let size = holders.principals();
    let (mut reached, mut held) = (Bits::new(size), Bits::new(size));
    let mut derived = 0_u64;
    for node in 0..plan.node_count() {
        let incoming = plan.incoming(node);
        if incoming.is_empty() {
            continue;
        }
        look()?;
        reached.clear();
        for edge in incoming {
            for &source in plan.members(edge.source) {
                let list = &holders.of[source.0 as usize];
                let passing = list.iter().filter(|h| edge.rule.passes(**h, kinds));
                passing.for_each(|h| reached.insert(h.number()));
            }
        }
        let hands_on = plan.outgoing_count(node) > 0;
        let all = reached.len();
        for &destination in plan.members(node) {
            let list = &mut holders.of[destination.0 as usize];
            held.clear();
            for holder in list.iter().filter(|h| reached.contains(h.number())) {
                held.insert(holder.number());
            }
            derived += all - held.len();
            if derived > most {
                return Err(Error::TooMany {
                    what: DERIVED_GRANTS,
                    limit: most,
                });
            }
            if hands_on {
                let new = reached.iter().filter(|number| !held.contains(*number));
                list.extend(new.map(|number| Flagged::new(number, false)));
            } else {
                *list = Vec::new();
            }
        }
    }
    Ok(derived)
}

#[cfg(test)]
mod tests {
    use crate::graph::{Graph, Rule};
    use crate::index::{Entitlement, Principal};
    use crate::propagate::propagate;

    use super::*;

    /// Numbers that look random, the same each time.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, limit: u32) -> u32 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            u32::try_from(self.0 >> 33).unwrap_or(0) % limit
        }
    }

    /// A graph with cycles, shallow and filtered edges, and duplicate grants.
    fn made(seed: u64) -> (Plan, Vec<ResourceType>, Holders) {
        let mut dice = Dice(seed);
        let (entitlements, principals) = (2 + dice.below(9), 1 + dice.below(200));
        let mut graph = Graph::new(entitlements);
        for _ in 0..dice.below(14) {
            let [source, destination] = [0; 2].map(|_| Entitlement(dice.below(entitlements)));
            let kinds: Vec<_> = (0..dice.below(2)).map(ResourceType).collect();
            graph.add_edge(source, destination, Rule::new(dice.below(3) == 0, &kinds));
        }
        let mut holders = Holders::new(entitlements);
        for _ in 0..dice.below(300) {
            let held = Entitlement(dice.below(entitlements));
            let holder = Principal(dice.below(principals));
            let direct = dice.below(2) == 0;
            holders.add(held, holder, direct).expect("small numbers");
        }
        let kinds = (0..principals).map(|_| ResourceType(dice.below(2)));
        (graph.into_plan(), kinds.collect(), holders)
    }

    #[test]
    fn the_count_is_what_propagation_derives_and_the_bound_is_above() {
        let mut some = 0;
        for seed in 0..2_000 {
            let (plan, kinds, holders) = made(seed);
            let mut derived = 0;
            propagate(&plan, &kinds, holders.clone(), &mut |derivation| {
                derived += derivation.new.len() as u64;
                Ok(())
            })
            .expect("propagated");
            some += u64::from(derived > 0);
            assert!(bound(&plan, &holders) >= derived, "seed {seed}");
            let look = || Ok(());
            let counted = count(&plan, &kinds, holders.clone(), u64::MAX, &look);
            assert_eq!(counted.expect("counted"), derived, "seed {seed}");
            if derived > 0 {
                let most = derived - 1;
                let error = count(&plan, &kinds, holders, most, &look).expect_err("too many");
                assert!(
                    matches!(error, Error::TooMany { .. }),
                    "seed {seed}: {error}"
                );
            }
        }
        assert!(some > 500, "{some}");
    }
}
