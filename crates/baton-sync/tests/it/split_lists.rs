//! Lists that are made up of several, and lists of a whole type.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use baton_c1z::{Format, Table};
use baton_connector::Error as Refusal;
use baton_connector::resource::{GrantBuilder, resource_id};
use baton_proto::Code;
use baton_proto::any;
use baton_proto::c1::connector::v2;
use baton_sync::{Completeness, Error, SyncRequest, Workers};

use crate::sandbox::{Sandbox, ids, rows, rows_with};
use crate::world::{Twist, World, group};

/// The grants of the third group come as three lists instead of one.
fn split(list: &str, token: &str) -> Option<Twist> {
    match (list, token) {
        ("grants group:g3", "") => Some(Twist::Spawn("", &["p2", "p4"])),
        ("grants group:g3", "p2") => Some(Twist::Next("")),
        _ => None,
    }
}

/// The users come as three lists, of which one has two pages.
fn split_resources(list: &str, token: &str) -> Option<Twist> {
    match (list, token) {
        ("resources user", "") => Some(Twist::Spawn("", &["p2", "p6"])),
        ("resources user", "p4") => Some(Twist::Next("")),
        _ => None,
    }
}

#[tokio::test]
async fn lists_of_resources_may_be_several_too() {
    let expected = rows_with(World::small(), Workers::Sequential).await;
    for workers in [Workers::Sequential, Workers::AtMost(8)] {
        let world = World::small().hooked(|list, token, _| split_resources(list, token));
        assert_eq!(rows_with(world, workers).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_of_resources_that_is_several_is_continued_where_it_stopped() {
    let undisturbed = Sandbox::new();
    let split = || Arc::new(World::small().hooked(|list, token, _| split_resources(list, token)));
    let world = split();
    undisturbed
        .run(&world, undisturbed.request())
        .await
        .expect("complete");
    let mut all = world.calls();
    all.sort();
    let expected = rows(&undisturbed.target());
    for stop in 1..all.len() {
        let sandbox = Sandbox::new();
        let cancel = sandbox.cancel.clone();
        let count = AtomicUsize::new(0);
        let first = World::small()
            .slow(stop as u64)
            .hooked(move |list, token, _| {
                if count.fetch_add(1, Ordering::Relaxed) + 1 == stop {
                    cancel.cancel();
                }
                split_resources(list, token)
            });
        let first = Arc::new(first);
        let request = sandbox.request();
        let mut result = sandbox.run(&first, request.clone()).await;
        let mut asked = first.calls();
        if result.is_err() {
            let second = split();
            result = baton_sync::run(second.clone(), request, Sandbox::new().host()).await;
            asked.extend(second.calls());
        }
        result.expect("complete");
        asked.sort();
        assert_eq!(asked, all, "stopped at call {stop}");
        assert_eq!(rows(&sandbox.target()), expected, "stopped at call {stop}");
    }
}

#[tokio::test]
async fn a_part_of_the_resources_that_may_not_be_read_ends_the_sync() {
    let sandbox = Sandbox::new();
    let world = World::small().hooked(|list, token, _| match (list, token) {
        ("resources user", "p6") => Some(refused(Code::PermissionDenied)),
        _ => split_resources(list, token),
    });
    let error = sandbox.fail(world).await;
    assert_eq!(error.code(), Code::PermissionDenied);
    assert!(!sandbox.target().exists());
}

fn refused(code: Code) -> Twist {
    Twist::Fail(Refusal::stated(code, "refused"))
}

#[tokio::test]
async fn several_lists_make_up_the_same_file() {
    let expected = rows_with(World::small(), Workers::Sequential).await;
    for workers in [Workers::Sequential, Workers::AtMost(3)] {
        let world = World::small().hooked(|list, token, _| split(list, token));
        assert_eq!(rows_with(world, workers).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_made_up_of_several_is_continued_where_it_stopped() {
    let undisturbed = Sandbox::new();
    let world = Arc::new(World::small().hooked(|list, token, _| split(list, token)));
    undisturbed
        .run(&world, undisturbed.request())
        .await
        .expect("complete");
    let mut all = world.calls();
    all.sort();
    let expected = rows(&undisturbed.target());
    for stop in 1..all.len() {
        let sandbox = Sandbox::new();
        let cancel = sandbox.cancel.clone();
        let count = AtomicUsize::new(0);
        let first = World::small()
            .slow(stop as u64)
            .hooked(move |list, token, _| {
                if count.fetch_add(1, Ordering::Relaxed) + 1 == stop {
                    cancel.cancel();
                }
                split(list, token)
            });
        let first = Arc::new(first);
        let request = SyncRequest {
            workers: Workers::AtMost(3),
            ..sandbox.request()
        };
        let mut result = sandbox.run(&first, request.clone()).await;
        let mut asked = first.calls();
        if result.is_err() {
            let second = Arc::new(World::small().hooked(|list, token, _| split(list, token)));
            let host = Sandbox::new().host();
            result = baton_sync::run(second.clone(), request, host).await;
            asked.extend(second.calls());
        }
        result.expect("complete");
        asked.sort();
        assert_eq!(asked, all, "stopped at call {stop}");
        assert_eq!(rows(&sandbox.target()), expected, "stopped at call {stop}");
    }
}

#[tokio::test]
async fn a_part_that_may_not_be_read_takes_the_whole_list_out() {
    for refused_token in ["p2", "p4"] {
        let sandbox = Sandbox::new();
        let world = World::small().hooked(move |list, token, _| {
            if list == "grants group:g3" && token == refused_token {
                return Some(refused(Code::PermissionDenied));
            }
            split(list, token)
        });
        let request = SyncRequest {
            allow_partial: true,
            ..sandbox.request()
        };
        let report = sandbox
            .run(&Arc::new(world), request)
            .await
            .expect("sealed");
        assert_eq!(report.completeness, Completeness::Partial);
        assert_eq!((report.unreadable, report.skipped.len()), (1, 1));
        assert_eq!(report.skipped[0].resource, "group:g3");
        let grants = ids(&sandbox.target(), Table::Grants);
        assert!(
            !grants.iter().any(|id| id.starts_with("group:g3")),
            "{grants:?}"
        );
        assert!(grants.contains(&"group:g2:member:user:u4".to_owned()));
    }
}

/// A list of several with a bad record, the last page of which is refused.
fn refused_late() -> World {
    let mut world = World::small();
    let stranger = GrantBuilder::new(group("g3"), "member", resource_id("alien", "a"));
    let grants = world.grants.get_mut("group:g3").expect("there");
    grants.insert(2, stranger.build().expect("valid"));
    world
}

fn refuses_late(list: &str, token: &str) -> Option<Twist> {
    if list == "grants group:g3" && token == "p6" {
        return Some(refused(Code::PermissionDenied));
    }
    split(list, token)
}

fn partial(sandbox: &Sandbox, workers: Workers) -> SyncRequest {
    SyncRequest {
        workers,
        allow_partial: true,
        ..sandbox.request()
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_told_of_a_refused_list_of_several_does_not_depend_on_timing() {
    let sandbox = Sandbox::new();
    let world = Arc::new(refused_late().hooked(|list, token, _| refuses_late(list, token)));
    let wanted = sandbox.run(&world, partial(&sandbox, Workers::Sequential));
    let wanted = wanted.await.expect("sealed");
    assert!(wanted.dropped.is_empty(), "its bad record is out with it");
    assert_eq!((wanted.unreadable, wanted.skipped.len()), (1, 1));
    let expected = rows(&sandbox.target());
    for seed in 0..12 {
        let sandbox = Sandbox::new();
        let world = refused_late().slow(seed);
        let world = Arc::new(world.hooked(|list, token, _| refuses_late(list, token)));
        let report = sandbox.run(&world, partial(&sandbox, Workers::AtMost(4)));
        let report = report.await.expect("sealed");
        assert_eq!(report.dropped, wanted.dropped, "seed {seed}");
        assert_eq!(report.skipped, wanted.skipped, "seed {seed}");
        assert_eq!(rows(&sandbox.target()), expected, "seed {seed}");
    }
}

#[tokio::test]
async fn a_list_of_several_is_taken_out_whole_wherever_the_work_breaks_off() {
    let undisturbed = Sandbox::new();
    let world = Arc::new(refused_late().hooked(|list, token, _| refuses_late(list, token)));
    let wanted = undisturbed.run(&world, partial(&undisturbed, Workers::Sequential));
    let wanted = wanted.await.expect("sealed");
    let expected = rows(&undisturbed.target());

    // Ends with an error right after the list was taken out.
    let sandbox = Sandbox::new();
    let broken = refused_late().hooked(|list, token, _| match list {
        "grants role:r:1" => Some(refused(Code::Internal)),
        _ => refuses_late(list, token),
    });
    let request = partial(&sandbox, Workers::Sequential);
    let error = sandbox.run(&Arc::new(broken), request).await;
    assert_eq!(error.expect_err("failed").code(), Code::Internal);
    let log = |sandbox: &Sandbox| sandbox.folder().join(".sync.c1z.baton-work/pages.log");
    let bytes = std::fs::read(log(&sandbox)).expect("there");
    let mut resumed = 0;
    for cut in (0..1200).step_by(30) {
        let copy = Sandbox::new();
        let folder = copy.folder().join(".sync.c1z.baton-work");
        std::fs::create_dir(&folder).expect("writable");
        std::fs::write(log(&copy), &bytes[..bytes.len() - cut]).expect("writable");
        let world = Arc::new(refused_late().hooked(|list, token, _| refuses_late(list, token)));
        let report = copy.run(&world, partial(&copy, Workers::AtMost(3))).await;
        let report = report.expect("sealed");
        resumed += usize::from(report.resumed);
        assert_eq!(rows(&copy.target()), expected, "{cut} bytes cut");
        assert_eq!(report.dropped, wanted.dropped, "{cut} bytes cut");
        assert_eq!(report.skipped, wanted.skipped, "{cut} bytes cut");
        assert_eq!(report.unreadable, 1, "{cut} bytes cut");
    }
    assert_eq!(resumed, 40);
}

#[tokio::test]
async fn further_tokens_beyond_the_bounds_fail_the_sync() {
    let named = |count: usize, bytes: usize| {
        let tokens = (0..count).map(|n| {
            let n = format!("{n:04}");
            "x".repeat(bytes - n.len()) + &n
        });
        any::pack(&v2::EnqueuePageTokens {
            page_tokens: tokens.collect(),
            ..v2::EnqueuePageTokens::default()
        })
    };
    for (mark, problem) in [
        (named(1025, 4), "more than 1024"),
        (named(1, (1 << 20) + 1), "more than 1 MiB"),
        (named(17, 1 << 20), "more than 16 MiB"),
    ] {
        for list in ["grants group:g1", "entitlements group:g1"] {
            let mark = mark.clone();
            let world = World::small()
                .hooked(move |asked, _, _| (asked == list).then(|| Twist::Annotate(mark.clone())));
            let error = Sandbox::new().fail(world).await;
            assert!(matches!(error, Error::Cursors { .. }), "{error}");
            assert!(error.to_string().contains(problem), "{error}");
        }
    }
    // Nowhere else may a list be split.
    let mark = named(1, 4);
    let world = World::small()
        .hooked(move |asked, _, _| (asked == "static site").then(|| Twist::Annotate(mark.clone())));
    let error = Sandbox::new().fail(world).await;
    assert_eq!(error.code(), Code::Unimplemented);
}

#[tokio::test]
async fn tokens_that_contradict_themselves_fail_the_sync() {
    for (next, further) in [("", &[""][..]), ("", &["p2", "p2"]), ("p2", &["p2"])] {
        let sandbox = Sandbox::new();
        let world = World::small().hooked(move |list, token, _| {
            (list == "entitlements group:g1" && token.is_empty())
                .then_some(Twist::Spawn(next, further))
        });
        let error = sandbox.fail(world).await;
        assert!(matches!(error, Error::Cursors { .. }), "{error}");
        assert_eq!(error.code(), Code::Internal);
    }
}

#[tokio::test]
async fn a_token_that_was_named_before_is_followed_once_with_a_warning() {
    let sandbox = Sandbox::new();
    let world = World::small().hooked(|list, token, _| match (list, token) {
        ("grants group:g3", "p4") => Some(Twist::Spawn("", &["p2"])),
        _ => split(list, token),
    });
    let world = Arc::new(world);
    let report = sandbox
        .run(&world, sandbox.request())
        .await
        .expect("complete");
    let asked = world
        .calls()
        .iter()
        .filter(|c| *c == "grants group:g3 @p2")
        .count();
    assert_eq!(asked, 1);
    assert!(report.warnings[0].starts_with("1 further page token is listed more than once"));
}

#[tokio::test]
async fn when_a_cursor_dies_a_list_of_several_begins_anew_with_the_next_run() {
    let sandbox = Sandbox::new();
    let world = World::small().hooked(|list, token, _| {
        if list == "grants group:g3" && token == "p4" {
            return Some(refused(Code::InvalidArgument));
        }
        split(list, token)
    });
    let error = sandbox.fail(world).await;
    assert!(matches!(error, Error::CursorDied { .. }), "{error}");
    let report = sandbox
        .sync(World::small().hooked(|list, token, _| split(list, token)))
        .await;
    assert!(!report.resumed);
}

#[tokio::test]
async fn types_can_be_asked_about_as_a_whole() {
    let expected = rows_with(World::small(), Workers::Sequential).await;
    let scoped = || {
        let mut world = World::small();
        for kind in &mut world.types {
            if kind.id == "group" {
                let marks = &mut kind.annotations;
                any::append(marks, &v2::TypeScopedEntitlements::default());
                any::append(marks, &v2::TypeScopedGrants::default());
            }
        }
        world
    };
    for workers in [Workers::Sequential, Workers::AtMost(3)] {
        let sandbox = Sandbox::new();
        let world = Arc::new(scoped().hooked(|list, token, _| {
            (list == "all grants group" && token.is_empty()).then_some(Twist::Spawn("p2", &["p8"]))
        }));
        let request = SyncRequest {
            workers,
            ..sandbox.request()
        };
        sandbox.run(&world, request).await.expect("complete");
        let per_resource = |call: &String| {
            call.starts_with("grants group") || call.starts_with("entitlements group")
        };
        assert!(
            !world.calls().iter().any(per_resource),
            "{:?}",
            world.calls()
        );
        // All but the type itself, which carries the marks.
        let found = rows(&sandbox.target());
        let data = |rows: &[String]| -> Vec<String> {
            let rows = rows.iter().filter(|row| !row.starts_with("resource_types"));
            rows.cloned().collect()
        };
        assert_eq!(data(&found), data(&expected));
    }
    // Its failure is not about one object.
    let sandbox = Sandbox::new();
    let error = sandbox
        .fail(scoped().hooked(|list, _, _| match list {
            "all grants group" => Some(refused(Code::PermissionDenied)),
            _ => None,
        }))
        .await;
    assert_eq!(error.code(), Code::PermissionDenied);
    assert!(
        error
            .to_string()
            .contains("grants of all resources of type `group`")
    );
}

/// Groups are asked about as a whole, and their grants come as several lists.
fn scoped(list: &str, token: &str) -> Option<Twist> {
    (list == "all grants group" && token.is_empty()).then_some(Twist::Spawn("p2", &["p8"]))
}

fn marked(kind: &str, marks: &[prost_types::Any]) -> World {
    let mut world = World::small();
    let types = world.types.iter_mut();
    for found in types.filter(|found| found.id == kind) {
        found.annotations.extend_from_slice(marks);
    }
    world
}

fn both_marks() -> [prost_types::Any; 2] {
    [
        any::pack(&v2::TypeScopedEntitlements::default()),
        any::pack(&v2::TypeScopedGrants::default()),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_list_of_a_type_is_continued_where_it_stopped_in_both_formats() {
    for format in [Format::V1, Format::V3] {
        let request = |sandbox: &Sandbox| SyncRequest {
            format: Some(format),
            workers: Workers::AtMost(3),
            ..sandbox.request()
        };
        let undisturbed = Sandbox::new();
        let world = Arc::new(marked("group", &both_marks()).hooked(|l, t, _| scoped(l, t)));
        let wanted = undisturbed.run(&world, request(&undisturbed)).await;
        wanted.expect("complete");
        let mut all = world.calls();
        all.sort();
        let expected = rows(&undisturbed.target());
        for stop in (1..all.len()).step_by(2) {
            let sandbox = Sandbox::new();
            let cancel = sandbox.cancel.clone();
            let count = AtomicUsize::new(0);
            let first = marked("group", &both_marks()).slow(stop as u64);
            let first = Arc::new(first.hooked(move |list, token, _| {
                if count.fetch_add(1, Ordering::Relaxed) + 1 == stop {
                    cancel.cancel();
                }
                scoped(list, token)
            }));
            let mut result = sandbox.run(&first, request(&sandbox)).await;
            let mut asked = first.calls();
            if result.is_err() {
                let second = marked("group", &both_marks()).hooked(|l, t, _| scoped(l, t));
                let second = Arc::new(second);
                let host = Sandbox::new().host();
                result = baton_sync::run(second.clone(), request(&sandbox), host).await;
                asked.extend(second.calls());
            }
            result.expect("complete");
            asked.sort();
            assert_eq!(asked, all, "stopped at call {stop}");
            assert_eq!(rows(&sandbox.target()), expected, "stopped at call {stop}");
        }
    }
}

#[tokio::test]
async fn marks_to_skip_count_for_lists_of_a_type_too() {
    for (mark, asked) in [
        (
            any::pack(&v2::SkipEntitlements::default()),
            &["all grants group @"][..],
        ),
        (any::pack(&v2::SkipEntitlementsAndGrants::default()), &[]),
        // Of no effect on a type.
        (
            any::pack(&v2::SkipGrants::default()),
            &["all entitlements group @", "all grants group @"],
        ),
    ] {
        let [entitlements, grants] = both_marks();
        let world = Arc::new(marked("group", &[entitlements, grants, mark]));
        let sandbox = Sandbox::new();
        let report = sandbox.run(&world, sandbox.request()).await;
        report.expect("complete");
        let mut calls = world.calls();
        calls.retain(|call| call.starts_with("all ") && call.ends_with(" @"));
        calls.sort();
        assert_eq!(calls, asked);
        let per_resource = |call: &String| call.contains(" group:g");
        assert!(!world.calls().iter().any(per_resource));
    }
}

#[tokio::test]
async fn a_sync_of_named_resources_asks_about_no_type() {
    let world = Arc::new(marked("group", &both_marks()));
    let sandbox = Sandbox::new();
    let request = SyncRequest {
        targets: vec!["bid:r:group/g1".parse().expect("a resource")],
        ..sandbox.request()
    };
    let report = sandbox.run(&world, request).await.expect("sealed");
    assert_eq!((report.stats.resources, report.stats.grants), (1, 0));
    let mut calls = world.calls();
    calls.retain(|call| !call.starts_with("types"));
    assert_eq!(calls, ["get group:g1 @", "cleanup"]);
}
