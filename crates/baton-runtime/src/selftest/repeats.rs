//! Whether the same request has the same answer.

use super::caller::{Answer, Caller};
use super::recorder::{Asked, Recorded, Seen};
use super::{CheckResult, Verdict};

/// Lists of each kind that are read twice, at most.
const LISTS: usize = 3;

const FIRST_PAGES: &str = "a list can be requested twice";
const ENDS: &str = "validation and cleanup can be repeated";

/// Reads the beginnings of some lists twice.
pub(super) async fn lists(caller: &Caller, recorded: &Recorded) -> CheckResult {
    let mut found = Vec::new();
    let mut read = 0;
    for list in recorded.sample(LISTS) {
        match twice(caller, list).await {
            Ok(true) => read += 1,
            Ok(false) => {}
            Err(finding) => found.push(format!("{}: {finding}", list.name())),
        }
    }
    let verdict = match (read, found.is_empty()) {
        (0, true) => Verdict::Skip("no list can be read outside a sync"),
        _ => Verdict::of(found),
    };
    CheckResult {
        name: FIRST_PAGES,
        verdict,
    }
}

async fn page(caller: &Caller, list: &Asked, token: &str) -> Answer<Seen> {
    let call = caller.call().at(token);
    caller.ask(list.page(caller.connector(), &call)).await
}

/// Whether the list could be read, both times alike.
async fn twice(caller: &Caller, list: &Asked) -> Result<bool, String> {
    let first = page(caller, list, "").await;
    let second = page(caller, list, "").await;
    let (first, second) = match (first, second) {
        (Ok(first), Ok(second)) => (first, second),
        // A list may need values of a sync.
        (Err(one), Err(other)) if one.code().is_some() && one.code() == other.code() => {
            return Ok(false);
        }
        (Ok(_), Err(fault)) => return Err(format!("refused the second time: {fault}")),
        (Err(fault), _) => return Err(fault.to_string()),
    };
    if first.rows != second.rows {
        return Err("its first page has other rows the second time".to_owned());
    }
    match (first.next.as_str(), second.next.as_str()) {
        ("", "") => return Ok(true),
        ("", _) | (_, "") => return Err("only one of two requests has a next page".to_owned()),
        _ => {}
    }
    let unusable = |fault| format!("its second page cannot be read: {fault}");
    let one = page(caller, list, &first.next).await.map_err(unusable)?;
    let other = page(caller, list, &second.next).await.map_err(unusable)?;
    if one.rows != other.rows {
        return Err("its second page has other rows the second time".to_owned());
    }
    Ok(true)
}

/// Validates twice and cleans up twice; the connector must be usable afterwards.
/// The last check, since a cleanup ends a sync.
pub(super) async fn ends(caller: &Caller) -> CheckResult {
    let mut found = Vec::new();
    for time in ["first", "second"] {
        let call = caller.call();
        if let Err(fault) = caller.ask(caller.connector().validate(&call)).await {
            found.push(format!("the {time} validation fails: {fault}"));
        }
    }
    for time in ["first", "second"] {
        let call = caller.call();
        if let Err(fault) = caller.ask(caller.connector().cleanup(&call)).await {
            found.push(format!("the {time} cleanup fails: {fault}"));
        }
    }
    let call = caller.call();
    let types = caller.connector().list_resource_types(&call);
    if let Err(fault) = caller.ask(types).await {
        found.push(format!(
            "the resource types cannot be listed after a cleanup: {fault}"
        ));
    }
    CheckResult {
        name: ENDS,
        verdict: Verdict::of(found),
    }
}
