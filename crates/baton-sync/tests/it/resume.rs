//! A run that ends anywhere is continued, repeats nothing, and leaves the
//! same file.

use std::sync::Arc;
use std::time::Duration;

use baton_connector::Error as Refusal;
use baton_connector::resource::ResourceBuilder;
use baton_proto::Code;
use baton_proto::c1::connector::v2;
use baton_sync::{Event, Observer, Phase, SyncHost, SyncRequest, Workers};
use tokio_util::sync::CancellationToken;

use crate::sandbox::{Sandbox, rows};
use crate::world::{Twist, World, kind};

/// An organization with everything that resuming has to remember: dropped
/// records, a refused object, templates.
fn eventful() -> World {
    let mut world = World::small();
    world.add("user", v2::Resource::default());
    world
}

fn refuses(list: &str) -> Option<Twist> {
    (list == "grants group:g2").then(|| Twist::Fail(Refusal::stated(Code::PermissionDenied, "no")))
}

fn request(sandbox: &Sandbox, workers: Workers) -> SyncRequest {
    SyncRequest {
        workers,
        allow_partial: true,
        ..sandbox.request()
    }
}

fn calls_of(world: &World) -> Vec<String> {
    let mut calls = world.calls();
    calls.sort();
    calls
}

#[tokio::test(start_paused = true)]
async fn a_run_stopped_after_any_page_is_continued_to_the_same_file() {
    let undisturbed = Sandbox::new();
    let world = Arc::new(eventful().hooked(|list, _, _| refuses(list)));
    let wanted = undisturbed
        .run(&world, request(&undisturbed, Workers::Sequential))
        .await
        .expect("sealed");
    let all = calls_of(&world);
    let expected = rows(&undisturbed.target());
    // Without the call of `cleanup`.
    for stop in 1..all.len() {
        for workers in [Workers::Sequential, Workers::AtMost(3)] {
            let sandbox = Sandbox::new();
            let cancel = sandbox.cancel.clone();
            let count = std::sync::atomic::AtomicUsize::new(0);
            let first = eventful().slow(stop as u64).hooked(move |list, _, _| {
                if count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1 == stop {
                    cancel.cancel();
                }
                refuses(list)
            });
            let first = Arc::new(first);
            let result = sandbox.run(&first, request(&sandbox, workers)).await;
            let mut asked = calls_of(&first);
            let report = if let Ok(report) = result {
                report
            } else {
                let resuming = Sandbox::new();
                let second = Arc::new(eventful().hooked(|list, _, _| refuses(list)));
                let request = request(&sandbox, workers);
                let host = resuming.host();
                let report = baton_sync::run(second.clone(), request, host).await;
                asked.extend(second.calls());
                report.expect("sealed")
            };
            asked.sort();
            assert_eq!(asked, all, "stopped at call {stop}");
            assert_eq!(rows(&sandbox.target()), expected, "stopped at call {stop}");
            assert_eq!(report.sync_id, wanted.sync_id);
            assert_eq!(report.dropped, wanted.dropped);
            assert_eq!(report.skipped, wanted.skipped);
            assert_eq!(report.completeness, wanted.completeness);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_dropped_at_any_moment_is_continued_to_the_same_file() {
    let undisturbed = Sandbox::new();
    undisturbed.sync(World::small()).await;
    let expected = rows(&undisturbed.target());
    for seconds in 0..40 {
        let sandbox = Sandbox::new();
        let slow = Arc::new(World::small().slow(seconds));
        let request = SyncRequest {
            workers: Workers::AtMost(2),
            ..sandbox.request()
        };
        let limit = Duration::from_millis(seconds * 400);
        let stopped = tokio::time::timeout(limit, sandbox.run(&slow, request.clone())).await;
        if stopped.is_err() {
            // The log is closed by the task that holds it, a moment later.
            let again = Arc::new(World::small());
            let mut result = sandbox.run(&again, request.clone()).await;
            while let Err(baton_sync::Error::Store(baton_c1z::Error::Busy { .. })) = result {
                tokio::task::yield_now().await;
                result = sandbox.run(&again, request.clone()).await;
            }
            result.expect("complete");
        }
        assert_eq!(rows(&sandbox.target()), expected, "dropped after {limit:?}");
    }
}

#[tokio::test]
async fn a_failed_run_is_continued_and_says_so() {
    let sandbox = Sandbox::new();
    let world = World::small().hooked(|list, _, before| {
        (list == "grants role:r:1" && before == 0)
            .then(|| Twist::Fail(Refusal::stated(Code::Unavailable, "down")))
    });
    let world = Arc::new(world);
    sandbox
        .run(&world, sandbox.request())
        .await
        .expect_err("down");
    let asked = world.calls().len();
    let report = sandbox
        .run(&world, sandbox.request())
        .await
        .expect("complete");
    assert!(report.resumed);
    assert!(world.calls().len() < asked + 10, "little is asked twice");
    let resumed = sandbox
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Started { resumed_pages, .. } => Some(resumed_pages),
            _ => None,
        });
    let resumed: Vec<u64> = resumed.collect();
    assert!(resumed[0] == 0 && resumed[1] > 20, "{resumed:?}");
}

async fn interrupted(sandbox: &Sandbox) {
    let world = World::small().hooked(|list, _, _| {
        (list == "grants role:r:1").then(|| Twist::Fail(Refusal::stated(Code::Unavailable, "down")))
    });
    sandbox.fail(world).await;
}

#[tokio::test]
async fn work_of_other_content_and_unwanted_work_is_set_aside_and_that_is_said() {
    type Change = fn(&mut SyncRequest);
    let changes: [(Change, &str); 4] = [
        (|r| r.fresh = true, "a fresh start was asked for"),
        (
            |r| r.resource_type_filter = vec!["user".to_owned()],
            "other settings: resource types",
        ),
        (
            |r| r.skip_entitlements_and_grants = true,
            "other settings: sync type",
        ),
        (
            |r| {
                let fact = ("organization".to_owned(), "o-2".to_owned());
                r.content_facts.extend([fact]);
            },
            "other settings: fact: organization",
        ),
    ];
    for (change, reason) in changes {
        let sandbox = Sandbox::new();
        interrupted(&sandbox).await;
        let mut request = sandbox.request();
        change(&mut request);
        let world = Arc::new(World::small());
        let report = sandbox.run(&world, request).await.expect("complete");
        assert!(!report.resumed);
        let aside = Event::SetAside {
            reason: reason.to_owned(),
        };
        assert!(sandbox.events().contains(&aside), "{reason}");
        assert_eq!(sandbox.files(), ["sync.c1z"]);
    }
}

#[tokio::test]
async fn work_older_than_a_week_is_set_aside() {
    let mut sandbox = Sandbox::new();
    interrupted(&sandbox).await;
    sandbox.hours = 7 * 24 + 1;
    let report = sandbox.sync(World::small()).await;
    assert!(!report.resumed);
    let aside = Event::SetAside {
        reason: "it is older than 7 days".to_owned(),
    };
    assert!(sandbox.events().contains(&aside));
}

#[tokio::test]
async fn the_order_of_a_filter_does_not_matter_for_resuming() {
    let sandbox = Sandbox::new();
    let request = |types: &[&str]| SyncRequest {
        resource_type_filter: types.iter().map(ToString::to_string).collect(),
        ..sandbox.request()
    };
    let world = World::small().hooked(|list, _, before| {
        (list == "grants group:g1" && before == 0)
            .then(|| Twist::Fail(Refusal::stated(Code::Unavailable, "down")))
    });
    let world = Arc::new(world);
    sandbox
        .run(&world, request(&["user", "group"]))
        .await
        .expect_err("down");
    let report = sandbox
        .run(&world, request(&["group", "user", "group"]))
        .await;
    assert!(report.expect("complete").resumed);
}

#[tokio::test]
async fn a_damaged_end_of_the_work_is_cut_off_and_that_is_said() {
    let undisturbed = Sandbox::new();
    undisturbed.sync(World::small()).await;
    let sandbox = Sandbox::new();
    interrupted(&sandbox).await;
    let folder = sandbox.folder().join(".sync.c1z.baton-work");
    let log = folder.join("pages.log");
    let bytes = std::fs::read(&log).expect("there");
    for keep in (0..=bytes.len()).rev().step_by(97) {
        let copy = Sandbox::new();
        let folder = copy.folder().join(".sync.c1z.baton-work");
        std::fs::create_dir(&folder).expect("writable");
        std::fs::write(folder.join("pages.log"), &bytes[..keep]).expect("writable");
        copy.sync(World::small()).await;
        assert_eq!(
            rows(&copy.target()),
            rows(&undisturbed.target()),
            "{keep} bytes left"
        );
    }
    let mut flipped = bytes;
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    std::fs::write(&log, flipped).expect("writable");
    sandbox.sync(World::small()).await;
    assert_eq!(rows(&sandbox.target()), rows(&undisturbed.target()));
    let events = sandbox.events();
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::Damaged { .. }))
    );
}

/// Cancels at the first rows that the engine makes of templates.
struct StopAtRows(CancellationToken);

impl Observer for StopAtRows {
    fn event(&self, event: &Event) {
        let made = matches!(
            event,
            Event::Page {
                phase: Phase::StaticEntitlements,
                rows: 1..,
                ..
            }
        );
        if made {
            self.0.cancel();
        }
    }
}

#[tokio::test]
async fn rows_of_templates_are_made_once_however_often_that_is_interrupted() {
    let world = || {
        let mut world = World::empty();
        world.page_size = 5000;
        world.types = vec![kind("room", None)];
        for n in 0..3000 {
            let room = ResourceBuilder::new("room", format!("{n:04}"));
            world.add("room", room.build().expect("valid"));
        }
        let template = v2::Entitlement {
            slug: "guest".to_owned(),
            ..v2::Entitlement::default()
        };
        world.templates.insert("room".to_owned(), vec![template]);
        Arc::new(world)
    };
    let undisturbed = Sandbox::new();
    undisturbed
        .run(&world(), undisturbed.request())
        .await
        .expect("complete");
    let sandbox = Sandbox::new();
    let mut runs = 0;
    loop {
        runs += 1;
        let cancel = CancellationToken::new();
        let host = SyncHost {
            cancel: cancel.clone(),
            observer: Arc::new(StopAtRows(cancel)),
            ..sandbox.host()
        };
        if baton_sync::run(world(), sandbox.request(), host)
            .await
            .is_ok()
        {
            break;
        }
    }
    assert_eq!(runs, 4);
    assert_eq!(rows(&sandbox.target()), rows(&undisturbed.target()));
}
