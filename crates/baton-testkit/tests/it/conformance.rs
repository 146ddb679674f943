//! The checks of behaviour, each with a connector that fails it.

use std::sync::Arc;

use baton_connector::Connector;
use baton_testkit::{CheckResult, Verdict, conformance, over_grpc};

use crate::breach::{Breach, Breaching};
use crate::toy::{self, Flaw};

async fn results(breach: Breach) -> Vec<CheckResult> {
    conformance(Breaching::connector(breach)).await
}

/// The names and findings of failed checks.
fn failed(results: &[CheckResult]) -> Vec<(&str, String)> {
    let failed = results.iter().filter_map(|check| match &check.verdict {
        Verdict::Fail(found) => Some((check.name, found.join("\n"))),
        _ => None,
    });
    failed.collect()
}

#[tokio::test(start_paused = true)]
async fn a_connector_with_every_part_passes_every_check() {
    let results = results(Breach::Nothing).await;
    assert_eq!(results.len(), 27);
    let other = |check: &&CheckResult| check.verdict != Verdict::Pass;
    let others: Vec<_> = results.iter().filter(other).collect();
    assert!(others.is_empty(), "{others:#?}");
}

#[tokio::test(start_paused = true)]
async fn each_breach_fails_its_check_alone_and_is_named() {
    let mut wrong = Vec::new();
    for (breach, check, names) in [
        (
            Breach::NoMetadata,
            "announced resource types are listed",
            "the metadata cannot be read: Internal: no metadata today",
        ),
        (
            Breach::HidesType,
            "announced resource types are listed",
            "type `team` is listed, but not announced",
        ),
        (
            Breach::HidesCapability,
            "announced resource types are listed",
            "type `user` has CAPABILITY_TARGETED_SYNC, but the connector does not announce it",
        ),
        (
            Breach::NoProvisioning,
            "announced changes are offered",
            "CAPABILITY_PROVISION is announced, but the connector has no such part",
        ),
        (
            Breach::NoAccountSchema,
            "accounts and credentials are as announced",
            "CAPABILITY_ACCOUNT_PROVISIONING is announced, but the metadata have no account \
             creation schema",
        ),
        (
            Breach::NoPreferredOption,
            "accounts and credentials are as announced",
            "the preferred credential option of CAPABILITY_CREDENTIAL_ROTATION is not among",
        ),
        (
            Breach::NoIssueOptions,
            "accounts and credentials are as announced",
            "has CAPABILITY_CREDENTIAL_ISSUE, but no options of it",
        ),
        (
            Breach::NoCredentialDetails,
            "accounts and credentials are as announced",
            "CAPABILITY_CREDENTIAL_ROTATION is announced without credential details",
        ),
        (
            Breach::NoOptions,
            "accounts and credentials are as announced",
            "CAPABILITY_CREDENTIAL_ROTATION is announced without a credential option",
        ),
        (
            Breach::FeedTwice,
            "event feeds are as announced",
            "event feed `log` is listed more than once",
        ),
        (
            Breach::ActionOfOtherType,
            "actions are as announced",
            "action `rename` is not among the actions of type `user`",
        ),
        (
            Breach::NoFeeds,
            "event feeds are as announced",
            "CAPABILITY_EVENT_FEED_V2 is announced, but there are no event feeds",
        ),
        (
            Breach::HidesFeeds,
            "event feeds are as announced",
            "there are event feeds, but CAPABILITY_EVENT_FEED_V2 is not announced",
        ),
        (
            Breach::NoSchemaOfAction,
            "actions are as announced",
            "action `lock` is listed, but: NotFound: no such action",
        ),
        (
            Breach::ActionOfNoType,
            "actions are as announced",
            "action `rename` is of type `robot`, which is not listed",
        ),
        (
            Breach::TicketsUnimplemented,
            "tickets are as announced",
            "cannot list kinds of ticket: Unimplemented: ticket manager not implemented",
        ),
        (
            Breach::OtherTicketSchema,
            "tickets are as announced",
            "kind of ticket `bug` is `task`",
        ),
        (
            Breach::GetsNothing,
            "single resources are as listed",
            "resource `user:0`: it is listed, but not found",
        ),
        (
            Breach::GetsUnannounced,
            "single resources are as listed",
            "resource `team:1`: it is answered, but its type does not announce",
        ),
        (
            Breach::GetsAnything,
            "unknown resources are not found",
            "the answer to `user:baton-selftest-no-such-id` is",
        ),
        (
            Breach::UnmarkedGrants,
            "lists of whole types are as marked",
            "grants of type `team`: it has rows, but the type is not marked",
        ),
        (
            Breach::AnyType,
            "unknown resource types are refused",
            "resources of type `baton-selftest-no-such-id`: it is answered; expected NotFound",
        ),
        (
            Breach::AnyFeed,
            "unknown feeds and actions are not found",
            "event feed `baton-selftest-no-such-id`: it is answered",
        ),
        (
            Breach::AnyAction,
            "unknown feeds and actions are not found",
            "state of action `baton-selftest-no-such-id`: it is answered",
        ),
        (
            Breach::AnswersNothing,
            "empty requests are refused",
            "resources of type ``: it is answered; expected InvalidArgument",
        ),
        (
            Breach::PanicsOnNothing,
            "empty requests are refused",
            "no type, as a bug would",
        ),
        (
            Breach::TokensOnce,
            "a list can be requested twice",
            "its second page cannot be read: InvalidArgument: a used token",
        ),
        (
            Breach::StopIsUnknown,
            "stopped calls end",
            "resources of type `user`, stopped before it began: expected Canceled; Unknown",
        ),
        (
            Breach::NeverStops,
            "stopped calls end",
            "resources of type `user`, stopped before it began: it does not end within 60 s",
        ),
        (
            Breach::Overloaded,
            "200 calls at once are answered",
            "resource types: Internal: too many at once",
        ),
        (
            Breach::CleansOnce,
            "validation and cleanup can be repeated",
            "the second cleanup fails: Internal: nothing to clean up",
        ),
    ] {
        let results = results(breach).await;
        let failed = failed(&results);
        let expected = failed.len() == 1 && failed[0].0 == check && failed[0].1.contains(names);
        if !expected {
            wrong.push(format!("{breach:?}: {failed:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_and_leaves_the_connector_busy_fails() {
    let results = results(Breach::Jams).await;
    let failed = failed(&results);
    let (name, found) = &failed[0];
    assert_eq!(
        *name, "dropped calls leave the connector usable",
        "{results:#?}"
    );
    let expected = "resources of type `user` after dropped calls: Internal: another call";
    assert!(found.contains(expected), "{found}");
}

#[tokio::test(start_paused = true)]
async fn what_the_contract_allows_does_not_fail() {
    for (breach, check, verdict) in [
        (
            Breach::NoCapabilities,
            "announced resource types are listed",
            Verdict::Skip("the metadata have no capabilities"),
        ),
        (
            Breach::TicketsDisabled,
            "tickets are as announced",
            Verdict::Skip("the connector does not serve tickets now"),
        ),
        (
            Breach::HidesExistence,
            "unknown resources are not found",
            Verdict::Note(vec![
                "`user:baton-selftest-no-such-id`: PermissionDenied: not for you".to_owned(),
            ]),
        ),
        (Breach::NoParts, "actions are as announced", Verdict::Pass),
        (
            Breach::SyncOnly,
            "a list can be requested twice",
            Verdict::Pass,
        ),
    ] {
        let results = results(breach).await;
        let found = results.iter().find(|result| result.name == check).unwrap();
        assert_eq!(found.verdict, verdict, "{breach:?}");
        assert!(failed(&results).is_empty(), "{breach:?}: {results:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_row_twice_is_a_note_where_the_connector_cannot_state_that_it_is_meant() {
    let connector =
        |flaw| -> Arc<dyn Connector> { Arc::new(toy::connector(flaw, &Arc::default()).unwrap()) };
    let unique = |results: Vec<CheckResult>| {
        let mut results = results.into_iter();
        results
            .find(|check| check.name == "ids are unique")
            .unwrap()
            .verdict
    };
    let same = vec!["resource `user:7` was listed 2 times, with the same content".to_owned()];
    let other = vec!["resource `user:7` was listed 2 times".to_owned()];
    let here = conformance(connector(Flaw::Again)).await;
    assert_eq!(unique(here), Verdict::Fail(same.clone()));
    let there = conformance(over_grpc(connector(Flaw::Again))).await;
    assert_eq!(unique(there), Verdict::Note(same));
    let there = conformance(over_grpc(connector(Flaw::Twice))).await;
    assert_eq!(unique(there), Verdict::Fail(other));
}

#[tokio::test(start_paused = true)]
async fn a_connector_with_every_part_passes_over_grpc() {
    let results = conformance(over_grpc(Breaching::connector(Breach::Nothing))).await;
    let other = |check: &&CheckResult| check.verdict != Verdict::Pass;
    let others: Vec<_> = results.iter().filter(other).collect();
    assert!(others.is_empty(), "{others:#?}");
}

#[tokio::test(start_paused = true)]
async fn breaches_are_found_over_grpc() {
    for (breach, check) in [
        (Breach::HidesType, "announced resource types are listed"),
        (Breach::NoFeeds, "event feeds are as announced"),
        (Breach::NoSchemaOfAction, "actions are as announced"),
        (Breach::TicketsUnimplemented, "tickets are as announced"),
        (Breach::GetsNothing, "single resources are as listed"),
        (Breach::AnyType, "unknown resource types are refused"),
        (Breach::AnyFeed, "unknown feeds and actions are not found"),
        (Breach::TokensOnce, "a list can be requested twice"),
        (Breach::Jams, "dropped calls leave the connector usable"),
        (Breach::Overloaded, "200 calls at once are answered"),
        (Breach::CleansOnce, "validation and cleanup can be repeated"),
    ] {
        let results = conformance(over_grpc(Breaching::connector(breach))).await;
        let failed = failed(&results);
        assert!(
            failed.iter().any(|(name, _)| *name == check),
            "{breach:?}: {results:#?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_call_that_does_not_end_no_other_is_made() {
    let results = results(Breach::HangsOutside).await;
    let failed = failed(&results);
    let (name, found) = &failed[0];
    assert_eq!(
        *name, "page tokens of other lists are refused",
        "{results:#?}"
    );
    let mut lines = found.lines();
    assert!(
        lines.next().unwrap().ends_with("the call does not end"),
        "{found}"
    );
    for line in lines {
        assert!(
            line.ends_with("not asked, since an earlier call does not end"),
            "{found}"
        );
    }
    for check in [
        "dropped calls leave the connector usable",
        "200 calls at once are answered",
    ] {
        let skipped = results.iter().find(|result| result.name == check).unwrap();
        let expected = Verdict::Skip("an undisturbed call has no answer");
        assert_eq!(skipped.verdict, expected, "{results:#?}");
    }
}
