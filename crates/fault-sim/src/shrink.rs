//! Finds the mishaps that a failure needs.

use crate::plan::Plan;
use crate::play::{Violation, play};

/// Takes mishaps out of a failing plan one by one, as long as it still fails,
/// and returns what is left with how that fails.
pub fn shrink(plan: Plan, violation: Violation) -> (Plan, Violation) {
    let (mut plan, mut violation) = (plan, violation);
    'smaller: loop {
        for place in plan.places() {
            let smaller = plan.without(place);
            if let Err(found) = play(&smaller) {
                (plan, violation) = (smaller, found);
                continue 'smaller;
            }
        }
        for at in 0..plan.attempts.len() {
            if !plan.attempts[at].mishaps.is_empty() {
                continue;
            }
            let mut smaller = plan.clone();
            smaller.attempts.remove(at);
            if let Err(found) = play(&smaller) {
                (plan, violation) = (smaller, found);
                continue 'smaller;
            }
        }
        return (plan, violation);
    }
}
