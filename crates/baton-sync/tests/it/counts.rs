//! Lists against the application's own counts of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use baton_connector::{Error as Refusal, UpstreamCount};
use baton_proto::Code;
use baton_proto::c1::connector::v2;
use baton_sync::{Completeness, Event, Miscount, Report, SyncRequest, Workers};

use crate::sandbox::Sandbox;
use crate::world::{Twist, World, user};

fn counted(rows: u64) -> Twist {
    Twist::UpstreamCount(UpstreamCount::Rows(rows))
}

/// The first page of the users says how many there are: seven are listed.
async fn users_counted(rows: u64) -> Report {
    let world = World::small();
    let hook = move |list: &str, token: &str, _| {
        let first = list == "resources user" && token.is_empty();
        first.then(|| counted(rows))
    };
    Sandbox::new().sync(world.hooked(hook)).await
}

fn short(
    what: &str,
    resource_type: &str,
    resource: &str,
    (listed, counted): (u64, u64),
) -> Miscount {
    Miscount {
        what: what.to_owned(),
        resource_type: resource_type.to_owned(),
        resource: resource.to_owned(),
        listed,
        counted,
    }
}

#[tokio::test]
async fn a_list_with_fewer_rows_than_were_counted_is_told_of_and_stays_complete() {
    let report = users_counted(9).await;
    assert_eq!(report.completeness, Completeness::Complete);
    assert_eq!(report.shortfalls, [short("resources", "user", "", (7, 9))]);
    let told = "resources of type `user`: 7 listed, but the application counts 9";
    assert_eq!(report.warnings[0], told);
    assert!(
        report.warnings[1].contains("sync again at a quiet"),
        "{:?}",
        report.warnings
    );
}

#[tokio::test]
async fn as_many_rows_as_were_counted_are_no_shortfall_and_more_are_a_surplus() {
    for rows in [5, 6, 7] {
        let report = users_counted(rows).await;
        assert!(report.shortfalls.is_empty(), "{rows}");
        assert_eq!(report.surpluses.len(), usize::from(rows < 7));
        assert_eq!(
            report.warnings.len(),
            usize::from(rows < 7),
            "{:?}",
            report.warnings
        );
    }
}

#[tokio::test]
async fn a_shortfall_is_an_event_too() {
    let sandbox = Sandbox::new();
    let hook = |list: &str, _: &str, _| (list == "resources org").then(|| counted(3));
    sandbox.sync(World::small().hooked(hook)).await;
    let told = sandbox.events().into_iter().any(|event| match event {
        Event::Warning { message } => message.contains("2 listed"),
        _ => false,
    });
    assert!(told);
}

#[tokio::test]
async fn the_largest_of_several_counts_holds() {
    let hook = |list: &str, token: &str, _| match (list, token) {
        ("resources user", "p2") => Some(counted(8)),
        ("resources user", _) => Some(counted(7)),
        _ => None,
    };
    let report = Sandbox::new().sync(World::small().hooked(hook)).await;
    assert_eq!(report.shortfalls, [short("resources", "user", "", (7, 8))]);
}

#[tokio::test]
async fn a_resource_that_comes_twice_does_not_hide_one_that_is_missing() {
    let mut world = World::small();
    world.add("user", user("u3"));
    let hook = |list: &str, token: &str, _| match (list, token) {
        ("resources user", "") => Some(counted(8)),
        _ => None,
    };
    let report = Sandbox::new().sync(world.hooked(hook)).await;
    assert_eq!(report.shortfalls, [short("resources", "user", "", (7, 8))]);
}

#[tokio::test]
async fn rows_that_are_left_out_were_listed_all_the_same() {
    let mut world = World::small();
    world.add("user", v2::Resource::default());
    let hook = |list: &str, token: &str, _| match (list, token) {
        ("resources user", "") => Some(counted(8)),
        ("grants group:g1", "") => Some(counted(2)),
        _ => None,
    };
    let sandbox = Sandbox::new();
    let request = SyncRequest {
        // Grants to users are left out.
        resource_type_filter: vec!["group".to_owned()],
        ..sandbox.request()
    };
    let world = Arc::new(world.hooked(hook));
    let report = sandbox.sync_as(&world, request).await;
    assert!(report.dropped.filtered_grants >= 2);
    assert_eq!(report.shortfalls, []);
    let report = sandbox.sync_as(&world, sandbox.request()).await;
    assert_eq!(report.dropped.invalid_resources, 1);
    assert_eq!(report.shortfalls, []);
}

#[tokio::test]
async fn what_follows_the_counted_rows_of_a_list_does_not_make_up_for_them() {
    // Six grants on three pages: the first two pages are what was counted.
    let hook = |list: &str, token: &str, _| match (list, token) {
        ("grants group:g3", "") => Some(counted(5)),
        ("grants group:g3", "p2") => Some(Twist::EndsCounted),
        _ => None,
    };
    let report = Sandbox::new().sync(World::small().hooked(hook)).await;
    let expected = short("grants", "group", "group:g3", (4, 5));
    assert_eq!(report.shortfalls, [expected]);
    let told = "grants of `group:g3`: 4 listed, but the application counts 5";
    assert_eq!(report.warnings[0], told);
}

#[tokio::test]
async fn a_count_that_could_not_be_had_is_told_of() {
    let hook = |list: &str, token: &str, _| {
        let first = list == "resources user" && token.is_empty();
        first.then(|| Twist::UpstreamCount(UpstreamCount::Failed("refused (403)".to_owned())))
    };
    let report = Sandbox::new().sync(World::small().hooked(hook)).await;
    assert_eq!(report.shortfalls, []);
    assert_eq!(report.uncounted.len(), 1);
    assert_eq!(report.uncounted[0].resource_type, "user");
    assert_eq!(
        report.warnings,
        [
            "resources of type `user`: not compared with the application's own count: refused \
             (403)"
        ]
    );
}

#[tokio::test]
async fn many_shortfalls_are_told_in_few_lines() {
    let mut world = World::small();
    for n in 4..=9 {
        world.add("group", crate::world::group(&format!("g{n}")));
    }
    let hook = |list: &str, token: &str, _| {
        let first = list.starts_with("grants group:") && token.is_empty();
        first.then(|| counted(10))
    };
    let report = Sandbox::new().sync(world.hooked(hook)).await;
    assert_eq!(report.shortfalls.len(), 9);
    assert_eq!(report.warnings.len(), 5, "{:?}", report.warnings);
    // 9 lists that should have 10 rows each; g1, g2 and g3 are named.
    let rest = "6 more lists of grants of type `group` have fewer rows than counted, 60 in all";
    assert_eq!(report.warnings[3], rest);
}

/// Counts that do not agree, of resources and of grants that several pages hold.
fn disagreeing(list: &str, token: &str) -> Option<Twist> {
    match (list, token) {
        ("resources user", "") => Some(counted(9)),
        ("resources site<org:o1", "") => Some(counted(4)),
        ("resources group", "") => Some(counted(3)),
        ("grants group:g3", "") => Some(counted(8)),
        ("grants group:g3", "p2") => Some(Twist::EndsCounted),
        ("grants group:g2", "") => {
            Some(Twist::UpstreamCount(UpstreamCount::Failed("no".to_owned())))
        }
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_resumed_run_compares_what_one_without_interruption_does() {
    let whole = Sandbox::new();
    let world = Arc::new(World::small().hooked(|list, token, _| disagreeing(list, token)));
    let expected = whole.sync_as(&world, whole.request()).await;
    assert_eq!(expected.shortfalls.len(), 3, "{:?}", expected.shortfalls);
    assert_eq!(expected.uncounted.len(), 1);
    for stop in 1..world.calls().len() {
        let sandbox = Sandbox::new();
        let (cancel, count) = (sandbox.cancel.clone(), AtomicUsize::new(0));
        let first = World::small().hooked(move |list, token, _| {
            if count.fetch_add(1, Ordering::Relaxed) + 1 == stop {
                cancel.cancel();
            }
            disagreeing(list, token)
        });
        let request = SyncRequest {
            workers: Workers::AtMost(3),
            ..sandbox.request()
        };
        let first = sandbox.run(&Arc::new(first), request.clone()).await;
        let report = if let Ok(report) = first {
            report
        } else {
            let again = World::small().hooked(|list, token, _| disagreeing(list, token));
            let host = Sandbox::new().host();
            let report = baton_sync::run(Arc::new(again), request, host).await;
            report.expect("complete")
        };
        assert_eq!(report.shortfalls, expected.shortfalls, "stopped at {stop}");
        assert_eq!(report.uncounted, expected.uncounted, "stopped at {stop}");
        assert_eq!(report.warnings, expected.warnings, "stopped at {stop}");
    }
}

#[tokio::test]
async fn a_list_that_begins_anew_is_counted_anew() {
    let hook = |list: &str, token: &str, before: usize| match (list, token, before) {
        ("resources user", "", 0) => Some(counted(100)),
        ("resources user", "", _) => Some(counted(7)),
        ("resources user", "p4", 0) => {
            Some(Twist::Fail(Refusal::stated(Code::InvalidArgument, "dead")))
        }
        _ => None,
    };
    let report = Sandbox::new().sync(World::small().hooked(hook)).await;
    assert_eq!(report.shortfalls, []);
}

#[tokio::test]
async fn a_list_that_is_left_out_is_not_short_as_well() {
    let hook = |list: &str, token: &str, _| match (list, token) {
        ("grants group:g3", "") => Some(counted(8)),
        ("grants group:g3", _) => Some(Twist::Fail(Refusal::stated(Code::PermissionDenied, "no"))),
        _ => None,
    };
    let report = Sandbox::new().sync(World::small().hooked(hook)).await;
    assert_eq!(report.completeness, Completeness::Partial);
    assert_eq!(report.shortfalls, []);
}
