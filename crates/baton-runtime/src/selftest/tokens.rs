//! Whether page tokens are bound to their lists.

use super::Verdict;
use super::caller::{Caller, Fault};
use super::recorder::{Asked, Recorded};

/// Page tokens that are passed to other lists, at most.
const TOKENS: usize = 20;
/// Lists that each of them is passed to, at most.
const LISTS_PER_TOKEN: usize = 2;

/// Passes page tokens to lists that they do not belong to.
pub(super) async fn check(caller: &Caller, recorded: &Recorded) -> Verdict {
    let mut found = Vec::new();
    let mut tried = 0;
    for (owner, token, other) in misplaced(recorded) {
        tried += 1;
        let call = caller.call().at(token);
        let name = other.name();
        match caller.ask(other.page(caller.connector(), &call)).await {
            Err(Fault::Refused(_)) => {}
            Ok(_) => {
                let owner = owner.name();
                found.push(format!("a token of {owner} was accepted for {name}"));
            }
            Err(fault) => found.push(format!("{name}: {fault}")),
        }
    }
    match (found.is_empty(), tried) {
        (true, 0) => Verdict::Skip("no list has two pages"),
        _ => Verdict::of(found),
    }
}

/// Page tokens with their lists, and lists that they do not belong to.
fn misplaced(recorded: &Recorded) -> Vec<(&Asked, &str, &Asked)> {
    let mut all = Vec::new();
    for (number, (owner, token)) in recorded.tokens.iter().take(TOKENS).enumerate() {
        for other in other_lists(recorded, owner, number) {
            all.push((owner, token.as_str(), other));
        }
    }
    all
}

/// Lists other than `owner`, different ones for each number, that have page
/// tokens or are of the same kind as `owner`. A list that has one page only may
/// ignore tokens.
fn other_lists<'a>(recorded: &'a Recorded, owner: &Asked, number: usize) -> Vec<&'a Asked> {
    let with_tokens = recorded.tokens.iter().map(|(list, _)| list);
    let alike = recorded.lists.iter().filter(|list| list.is_like(owner));
    let mut all: Vec<&Asked> = with_tokens
        .chain(alike)
        .filter(|list| *list != owner)
        .collect();
    if !all.is_empty() {
        let first = number % all.len();
        all.rotate_left(first);
    }
    all.truncate(LISTS_PER_TOKEN);
    all
}
