//! Runs with the file of another connector: stopped, repeated, refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use baton_c1z::{Format, Table};
use baton_connector::resource::Profile;
use baton_proto::c1::connector::v2::resource_type::Trait;
use baton_proto::{Advice, Advise, Code};
use baton_sync::{
    Error, Event, ExternalResources, Observer, Phase, SyncHost, SyncRequest, Workers,
};
use tokio_util::sync::CancellationToken;

use crate::directory::*;
use crate::sandbox::{Sandbox, ids, rows};
use crate::world::kind;

#[tokio::test]
async fn the_result_does_not_depend_on_workers() {
    let mut expected = None;
    for workers in [Workers::Sequential, Workers::AtMost(3), Workers::Auto] {
        let placeholders = [
            all(Trait::User),
            by_id("eng"),
            inherited(&["bid:e:group/eng-here:member"]),
        ];
        let (sandbox, _) = sync_with(
            world(placeholders),
            directory(),
            [Format::V3, Format::V1],
            |request| {
                request.workers = workers;
            },
        )
        .await;
        let found = rows(&sandbox.target());
        assert_eq!(*expected.get_or_insert(found.clone()), found);
    }
}

#[tokio::test]
async fn copied_users_are_none_that_the_connector_had_before() {
    let sandbox = Sandbox::new();
    let path = file_of(&sandbox, directory(), Format::V1).await;
    let request = request(&sandbox, ExternalResources::new(path), Format::V1);
    let without = SyncRequest {
        external: None,
        ..request.clone()
    };
    for request in [request.clone(), request, without] {
        let world = Arc::new(world([]));
        sandbox
            .run(&world, request)
            .await
            .expect("not taken for a loss");
    }
}

#[tokio::test]
async fn own_users_beside_copied_ones_of_the_same_type_may_not_vanish() {
    let sandbox = Sandbox::new();
    let path = file_of(&sandbox, directory(), Format::V1).await;
    let request = request(&sandbox, ExternalResources::new(path), Format::V1);
    let with = |people: &[&str]| {
        let mut world = world([]);
        world.types.push(kind("person", Some(Trait::User)));
        for id in people {
            world.add("person", person(id, "a@example.com", Profile::new()));
        }
        Arc::new(world)
    };
    let own = with(&["zoe", "zora"]);
    sandbox.run(&own, request.clone()).await.expect("synced");
    let error = sandbox.run(&with(&[]), request).await.expect_err("refused");
    assert!(
        matches!(
            error,
            Error::Empty {
                what: "users",
                before: 2,
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_doubtful_file_is_told() {
    let sandbox = Sandbox::new();
    let path = sandbox.folder().join("directory.c1z");
    let part = SyncRequest {
        targets: vec!["bid:r:person/ada".parse().expect("valid")],
        ..SyncRequest::new(&path)
    };
    let source = Arc::new(directory());
    sandbox.run(&source, part).await.expect("synced");
    let request = request(&sandbox, ExternalResources::new(path), Format::V1);
    let report = sandbox.run(&Arc::new(world([])), request.clone()).await;
    let told = report.expect("synced").warnings.join("\n");
    assert!(told.contains("is of type partial"), "{told}");
}

#[tokio::test]
async fn a_file_that_is_also_the_one_to_be_written_is_refused() {
    let sandbox = Sandbox::new();
    let source = Arc::new(directory());
    let target = sandbox.target();
    let first = SyncRequest::new(&target);
    sandbox.run(&source, first).await.expect("synced");
    let before = std::fs::read(&target).expect("there");
    let other = sandbox.folder().join("other-name.c1z");
    std::fs::hard_link(&target, &other).expect("link");
    let names = [
        target.clone(),
        other,
        sandbox.folder().join("sub/../sync.partial.c1z"),
    ];
    std::fs::create_dir(sandbox.folder().join("sub")).expect("folder");
    for name in names {
        let partial = baton_sync::partial_path(&target);
        if name.ends_with("sub/../sync.partial.c1z") {
            std::fs::copy(&target, &partial).expect("copy");
        }
        let request = request(&sandbox, ExternalResources::new(name), Format::V1);
        let error = sandbox.run(&Arc::new(world([])), request).await;
        let error = error.expect_err("the same file");
        assert_eq!(error.code(), baton_proto::Code::InvalidArgument, "{error}");
        assert_eq!(std::fs::read(&target).expect("there"), before);
    }
}

/// Cancels when a phase begins.
struct StopAt(Phase, CancellationToken);

impl Observer for StopAt {
    fn event(&self, event: &Event) {
        if matches!(event, Event::PhaseStarted { phase, .. } if *phase == self.0) {
            self.1.cancel();
        }
    }
}

#[tokio::test]
async fn a_run_that_stops_while_copying_goes_on_without_asking_again() {
    let sandbox = Sandbox::new();
    let path = file_of(&sandbox, directory(), Format::V1).await;
    let request = request(&sandbox, ExternalResources::new(path), Format::V1);
    let cancel = CancellationToken::new();
    let host = SyncHost {
        cancel: cancel.clone(),
        observer: Arc::new(StopAt(Phase::ExternalResources, cancel)),
        ..sandbox.host()
    };
    let first = Arc::new(world([all(Trait::User)]));
    let stopped = baton_sync::run(first.clone(), request.clone(), host).await;
    let error = stopped.expect_err("stopped");
    assert_eq!(error.to_string(), "interrupted during external-resources");
    assert!(!first.calls().is_empty());
    let second = Arc::new(world([all(Trait::User)]));
    let report = sandbox.run(&second, request).await.expect("synced");
    assert_eq!(second.calls(), ["cleanup"]);
    assert!(report.resumed);
    assert_eq!(report.stats.grants, 11);
    assert_eq!(
        holders(&sandbox.target()),
        ["person:ada", "person:bob", "person:eve"]
    );
}

/// Cancels when so many pages of another file have been stored.
struct StopAfter(AtomicUsize, CancellationToken);

impl Observer for StopAfter {
    fn event(&self, event: &Event) {
        let copied = |phase: &Phase| *phase == Phase::ExternalResources;
        if matches!(event, Event::Page { phase, .. } if copied(phase))
            && self.0.fetch_sub(1, Ordering::Relaxed) == 1
        {
            self.1.cancel();
        }
    }
}

#[tokio::test]
async fn a_copy_that_stops_halfway_leaves_nothing_twice() {
    let undisturbed = sync(world([all(Trait::User)]), crowded(), [Format::V1; 2]).await;
    let expected = rows(&undisturbed.0.target());
    let sandbox = Sandbox::new();
    let path = file_of(&sandbox, crowded(), Format::V1).await;
    let request = request(&sandbox, ExternalResources::new(path), Format::V1);
    for pages in [1, 3, 2] {
        let cancel = CancellationToken::new();
        let host = SyncHost {
            cancel: cancel.clone(),
            observer: Arc::new(StopAfter(AtomicUsize::new(pages), cancel)),
            ..sandbox.host()
        };
        let world = Arc::new(world([all(Trait::User)]));
        let stopped = baton_sync::run(world, request.clone(), host).await;
        assert!(
            matches!(stopped, Err(Error::Interrupted { .. })),
            "{stopped:?}"
        );
    }
    let world = Arc::new(world([all(Trait::User)]));
    let report = sandbox.run(&world, request).await.expect("synced");
    assert_eq!(world.calls(), ["cleanup"]);
    assert_eq!(report.duplicates, 0);
    assert_eq!(rows(&sandbox.target()), expected);
}

/// Ends the work when the last page of another file has been stored.
struct CrashAtEnd;

impl Observer for CrashAtEnd {
    fn event(&self, event: &Event) {
        if let Event::Page { phase, last, .. } = event {
            assert!(*phase != Phase::ExternalResources || !last, "a crash");
        }
    }
}

#[tokio::test]
async fn a_crash_right_after_the_copy_leaves_nothing_twice() {
    let undisturbed = sync(world([all(Trait::User)]), directory(), [Format::V1; 2]).await;
    let expected = rows(&undisturbed.0.target());
    let sandbox = Sandbox::new();
    let path = file_of(&sandbox, directory(), Format::V1).await;
    let request = request(&sandbox, ExternalResources::new(path), Format::V1);
    let host = SyncHost {
        observer: Arc::new(CrashAtEnd),
        ..sandbox.host()
    };
    let first = Arc::new(world([all(Trait::User)]));
    let crashed = baton_sync::run(first, request.clone(), host).await;
    assert!(matches!(crashed, Err(Error::Crashed { .. })), "{crashed:?}");
    let second = Arc::new(world([all(Trait::User)]));
    let report = sandbox.run(&second, request).await.expect("synced");
    assert_eq!(second.calls(), ["cleanup"]);
    assert_eq!(report.duplicates, 0);
    assert_eq!(rows(&sandbox.target()), expected);
}

#[tokio::test]
async fn another_file_begins_another_sync() {
    let sandbox = Sandbox::new();
    let path = file_of(&sandbox, directory(), Format::V1).await;
    let request = request(&sandbox, ExternalResources::new(&path), Format::V1);
    let cancel = CancellationToken::new();
    let host = SyncHost {
        cancel: cancel.clone(),
        observer: Arc::new(StopAt(Phase::ExternalResources, cancel)),
        ..sandbox.host()
    };
    let first = Arc::new(world([all(Trait::User)]));
    let stopped = baton_sync::run(first, request.clone(), host).await;
    stopped.expect_err("stopped");
    let mut other = directory();
    other.add("person", person("new", "new@example.com", Profile::new()));
    std::fs::remove_file(&path).expect("removed");
    file_of(&sandbox, other, Format::V1).await;
    let second = Arc::new(world([all(Trait::User)]));
    sandbox.run(&second, request).await.expect("synced");
    assert!(!second.calls().is_empty());
    let set_aside = |event: &Event| match event {
        Event::SetAside { reason } => reason == "other settings: external resources",
        _ => false,
    };
    assert!(
        sandbox.events().iter().any(set_aside),
        "{:?}",
        sandbox.events()
    );
    assert!(holders(&sandbox.target()).contains(&"person:new".to_owned()));
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_refused_before_anything_is_asked_for() {
    let sandbox = Sandbox::new();
    let folder = sandbox.folder();
    std::fs::write(folder.join("text"), "not a sync file").expect("written");
    std::fs::write(folder.join("empty"), "").expect("written");
    let good = std::fs::read(file_of(&sandbox, directory(), Format::V1).await).expect("readable");
    std::fs::write(folder.join("cut"), &good[..good.len() / 2]).expect("written");
    for (name, code, words) in [
        (
            "missing",
            Code::NotFound,
            "cannot read external resources from ",
        ),
        (
            "text",
            Code::InvalidArgument,
            "cannot read external resources from ",
        ),
        (
            "cut",
            Code::DataLoss,
            "cannot read external resources from ",
        ),
        ("empty", Code::FailedPrecondition, "holds no finished sync"),
    ] {
        let mut unasked = world([]);
        unasked.invalid = Some(|| unreachable!("the connector is not asked"));
        let world = Arc::new(unasked);
        let external = ExternalResources::new(folder.join(name));
        let request = request(&sandbox, external, Format::V1);
        let error = sandbox.run(&world, request).await.expect_err("refused");
        assert!(error.to_string().contains(words), "{name}: {error}");
        assert_eq!(error.code(), code, "{name}: {error:?}");
        let advice = error.advice();
        assert_eq!(advice.len(), 1, "{advice:?}");
        assert_eq!(advice == [Advice::CopyAgain], name == "cut", "{advice:?}");
        assert!(world.calls().is_empty(), "{name}: {:?}", world.calls());
        assert!(!sandbox.target().exists());
    }
}

#[tokio::test]
async fn a_filter_by_an_entitlement_that_is_not_there_ends_the_sync() {
    let sandbox = Sandbox::new();
    let path = file_of(&sandbox, directory(), Format::V1).await;
    let mut request = request(&sandbox, ExternalResources::new(path), Format::V1);
    external(&mut request).entitlement_filter = Some("team:eng:boss".to_owned());
    let world = Arc::new(world([]));
    let error = sandbox.run(&world, request).await.expect_err("refused");
    assert!(
        matches!(error, Error::ExternalEntitlement { .. }),
        "{error:?}"
    );
    assert!(
        matches!(&error.advice()[..], [Advice::ListEntitlements(_)]),
        "{:?}",
        error.advice()
    );
    assert!(world.calls().is_empty(), "{:?}", world.calls());
    assert!(!sandbox.target().exists());
}

#[tokio::test]
async fn a_targeted_sync_takes_nothing_from_the_file_and_says_so() {
    let (sandbox, report) = sync_with(world([]), directory(), [Format::V1; 2], |request| {
        request.targets = vec!["bid:r:role/admin".parse().expect("valid")];
    })
    .await;
    assert_eq!(ids(&sandbox.target(), Table::Resources), ["role:admin"]);
    let told = report.warnings.join("\n");
    assert!(
        told.contains("the file of external resources is not used"),
        "{told}"
    );
}

#[tokio::test]
async fn many_copied_rows_are_many_pages() {
    for formats in [[Format::V1, Format::V3], [Format::V3, Format::V1]] {
        let (sandbox, report) = sync(world([all(Trait::User)]), crowded(), formats).await;
        assert_eq!(holders(&sandbox.target()).len(), 2_503);
        assert_eq!(report.stats.resources, 2_506);
    }
}
