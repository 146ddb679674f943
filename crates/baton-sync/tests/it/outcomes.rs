//! What happens to the target: replaced as a whole, or untouched.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use baton_c1z::{C1zFile, Filter, Format, ReadOptions, Table, View};
use baton_connector::Error as Refusal;
use baton_proto::Code;
use baton_sync::{Completeness, Event, Provenance, SyncRequest};

use crate::sandbox::{Sandbox, ids, open};
use crate::world::{Twist, World};

fn empty_of(kind: &str) -> World {
    let mut world = World::small();
    world.resources.remove(kind);
    world
}

#[tokio::test]
async fn no_users_or_groups_where_there_were_some_fails_and_asks_anew_next_time() {
    for (kind, what) in [("user", "users"), ("group", "groups")] {
        let mut sandbox = Sandbox::new();
        sandbox.sync(World::small()).await;
        let before = std::fs::read(sandbox.target()).expect("there");
        sandbox.hours = 1;
        let error = sandbox.fail(empty_of(kind)).await;
        assert_eq!(error.code(), Code::FailedPrecondition);
        assert!(
            error
                .to_string()
                .starts_with(&format!("the sync found no {what}, the last one")),
            "{error}"
        );
        assert_eq!(std::fs::read(sandbox.target()).expect("there"), before);
        assert_eq!(sandbox.files(), ["sync.c1z"]);

        let request = SyncRequest {
            allow_empty: true,
            ..sandbox.request()
        };
        let world = Arc::new(empty_of(kind));
        let report = sandbox.run(&world, request).await.expect("allowed");
        assert_eq!(report.stats.resources_by_type.get(kind), Some(&0));
    }
}

#[tokio::test]
async fn a_first_sync_may_be_empty_and_so_may_types_that_a_filter_leaves_out() {
    let mut sandbox = Sandbox::new();
    sandbox.sync(empty_of("user")).await;
    sandbox.hours = 1;
    sandbox.sync(World::small()).await;
    sandbox.hours = 2;
    let request = SyncRequest {
        resource_type_filter: vec!["group".to_owned()],
        ..sandbox.request()
    };
    let world = Arc::new(World::small());
    sandbox.run(&world, request).await.expect("no users wanted");
}

#[tokio::test]
async fn earlier_syncs_stay_as_many_as_asked_for_and_the_last_one_is_reported() {
    let mut sandbox = Sandbox::new();
    let first = sandbox.sync(World::small()).await;
    assert_eq!(first.previous, None);
    let mut seen = vec![first.sync_id];
    for hours in 1..=3 {
        sandbox.hours = hours;
        let report = sandbox.sync(World::small()).await;
        assert_eq!(report.previous.as_ref(), Some(&first.stats));
        seen.push(report.sync_id);
    }
    let kept = |sandbox: &Sandbox| -> Vec<String> {
        let runs = open(&sandbox.target()).sync_runs().to_vec();
        runs.into_iter().map(|run| run.id).collect()
    };
    assert_eq!(kept(&sandbox), seen[2..]);

    sandbox.hours = 4;
    let request = SyncRequest {
        skip_cleanup: true,
        ..sandbox.request()
    };
    let world = Arc::new(World::small());
    sandbox.run(&world, request).await.expect("complete");
    assert_eq!(kept(&sandbox).len(), 3);

    sandbox.hours = 5;
    let request = SyncRequest {
        keep_syncs: Some(1),
        ..sandbox.request()
    };
    sandbox.run(&world, request).await.expect("complete");
    assert_eq!(kept(&sandbox).len(), 1);
}

fn provenance(request: SyncRequest) -> SyncRequest {
    SyncRequest {
        provenance: Some(Provenance {
            tool: "baton-world".to_owned(),
            version: "1.2.3".to_owned(),
        }),
        ..request
    }
}

fn asset(path: &std::path::Path) -> Option<String> {
    let file = open(path);
    let run = file.latest_finished(None).cloned().expect("a run");
    let view = file.view(View::Sync(&run.id)).expect("there");
    let asset = view.asset("baton.provenance.v1").expect("readable")?;
    assert_eq!(asset.content_type, "application/json");
    Some(String::from_utf8(asset.data).expect("text"))
}

#[tokio::test]
async fn a_file_says_who_wrote_it_and_whether_it_is_complete() {
    let sandbox = Sandbox::new();
    let world = Arc::new(World::small());
    let request = provenance(SyncRequest {
        resource_type_filter: vec!["user".to_owned(), "group".to_owned()],
        ..sandbox.request()
    });
    sandbox.run(&world, request).await.expect("complete");
    assert_eq!(
        asset(&sandbox.target()).as_deref(),
        Some(concat!(
            r#"{"tool":"baton-world","version":"1.2.3","sync_type":"full","#,
            r#""resource_types":["group","user"],"completeness":"complete","#,
            r#""unreadable_lists":0,"vanished_lists":0}"#
        ))
    );
    let sandbox = Sandbox::new();
    sandbox.sync(World::small()).await;
    assert_eq!(asset(&sandbox.target()), None);
}

#[tokio::test]
async fn a_partial_file_says_what_is_missing() {
    let sandbox = Sandbox::new();
    let mut world = World::small();
    world.add("user", baton_proto::c1::connector::v2::Resource::default());
    let world = Arc::new(world.hooked(|list, _, _| {
        (list == "entitlements group:g3")
            .then(|| Twist::Fail(Refusal::stated(Code::PermissionDenied, "request 4711")))
    }));
    let report = sandbox
        .run(&world, provenance(sandbox.request()))
        .await
        .expect("sealed");
    assert_eq!(report.completeness, Completeness::Partial);
    assert_eq!(
        asset(&sandbox.partial()).as_deref(),
        Some(concat!(
            r#"{"tool":"baton-world","version":"1.2.3","sync_type":"full","completeness":"partial","#,
            r#""unreadable_lists":1,"vanished_lists":0,"#,
            r#""skipped":[{"what":"entitlements","resource_type":"group","resource":"group:g3","why":"forbidden"}],"#,
            r#""dropped":{"invalid_resources":1}}"#
        ))
    );
}

#[tokio::test]
async fn what_cannot_be_written_is_refused_before_the_first_request() {
    let sandbox = Sandbox::new();
    let world = Arc::new(World::small());
    for (content, code) in [
        (&b"C1Z3\0 and more"[..], Code::DataLoss),
        (b"not a c1z file", Code::InvalidArgument),
        (b"C1Z", Code::InvalidArgument),
        (b"C1ZF\0 cut off", Code::DataLoss),
    ] {
        std::fs::write(sandbox.target(), content).expect("writable");
        let error = sandbox
            .run(&world, sandbox.request())
            .await
            .expect_err("refused");
        assert_eq!(error.code(), code, "{error}");
        assert_eq!(std::fs::read(sandbox.target()).expect("there"), content);
        assert_eq!(sandbox.files(), ["sync.c1z"]);
    }
    std::fs::remove_file(sandbox.target()).expect("there");
    let request = SyncRequest::new(sandbox.folder().join("missing/sync.c1z"));
    let error = sandbox.run(&world, request).await.expect_err("refused");
    assert!(error.to_string().contains("missing"), "{error}");
    assert!(world.calls().is_empty());
}

#[tokio::test]
async fn without_expansion_there_are_the_grants_that_were_listed() {
    for format in [Format::V1, Format::V3] {
        let world = Arc::new(World::small());
        let counts = [false, true].map(|skip_expansion| (Sandbox::new(), skip_expansion));
        let mut grants = Vec::new();
        for (sandbox, skip_expansion) in counts {
            let request = SyncRequest {
                format: Some(format),
                skip_expansion,
                ..sandbox.request()
            };
            let report = sandbox.run(&world, request).await.expect("complete");
            assert_eq!(report.completeness, Completeness::Complete);
            grants.push(report.stats.grants);
        }
        // The two members of the first group would hold the role.
        assert_eq!(grants[0] - grants[1], 2);
    }
}

#[tokio::test]
async fn a_sync_in_format_v3_has_the_rows_of_one_in_v1() {
    let v1 = Sandbox::new();
    v1.sync(World::small()).await;
    let v3 = Sandbox::new();
    let request = || SyncRequest {
        format: Some(Format::V3),
        ..v3.request()
    };
    let report = v3
        .run(&Arc::new(World::small()), request())
        .await
        .expect("complete");
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    let held = |path: &std::path::Path| {
        let file = C1zFile::open(path, &ReadOptions::default()).expect("opens");
        let run = file.latest_finished(None).cloned().expect("one");
        let view = file.view(View::Sync(&run.id)).expect("there");
        let mut ids = Vec::new();
        for table in Table::ALL {
            view.scan(table, &Filter::default(), &mut |row| {
                ids.push((table, row.id.to_owned(), row.expansion.is_some()));
                Ok(ControlFlow::Continue(()))
            })
            .expect("rows");
        }
        (file.format(), ids)
    };
    let (format, rows) = held(&v1.target());
    assert_eq!(format, Format::V1);
    assert_eq!(held(&v3.target()), (Format::V3, rows.clone()));
    // The next sync finds what the last one held, and takes its place.
    let again = v3
        .run(&Arc::new(World::small()), v3.request())
        .await
        .expect("complete");
    assert_eq!(again.previous.as_ref(), Some(&report.stats));
    assert_eq!(held(&v3.target()), (Format::V3, rows.clone()));
    // A v1 file is only converted when that is asked for, and not silently.
    let request = SyncRequest {
        format: Some(Format::V3),
        ..v1.request()
    };
    let report = v1
        .run(&Arc::new(World::small()), request)
        .await
        .expect("complete");
    assert!(
        report.warnings.iter().any(|w| w.contains("earlier ones")),
        "{:?}",
        report.warnings
    );
    assert_eq!(held(&v1.target()), (Format::V3, rows));
}

#[tokio::test]
async fn an_empty_file_is_a_target_like_a_missing_one() {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.target(), b"").expect("writable");
    let report = sandbox.sync(World::small()).await;
    assert_eq!(report.previous, None);
    assert_eq!(report.stats.resources, 17);
}

#[tokio::test(start_paused = true)]
async fn a_second_run_on_the_same_target_is_refused() {
    let sandbox = Sandbox::new();
    let (one, two) = (Arc::new(World::small().slow(1)), Arc::new(World::small()));
    let first = sandbox.run(&one, sandbox.request());
    let second = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        sandbox.run(&two, sandbox.request()).await
    };
    let (first, second) = tokio::join!(first, second);
    first.expect("undisturbed");
    let error = second.expect_err("busy");
    assert!(error.to_string().contains("process"), "{error}");
    assert!(two.calls().is_empty());
}

#[tokio::test]
async fn the_target_survives_a_failure_in_every_phase() {
    let mut sandbox = Sandbox::new();
    sandbox.sync(World::small()).await;
    let before = std::fs::read(sandbox.target()).expect("there");
    sandbox.hours = 1;
    for list in [
        "types",
        "resources site<org:o1",
        "static site",
        "entitlements role:r:1",
        "grants user:u7",
    ] {
        let world = World::small().hooked(move |asked, _, _| {
            (asked == list).then(|| Twist::Fail(Refusal::stated(Code::Unavailable, "down")))
        });
        sandbox.fail(world).await;
        assert_eq!(
            std::fs::read(sandbox.target()).expect("there"),
            before,
            "{list}"
        );
    }
}

#[tokio::test]
async fn working_files_can_lie_elsewhere() {
    let sandbox = Sandbox::new();
    let elsewhere = tempfile::tempdir().expect("a folder");
    let request = SyncRequest {
        temp_dir: Some(elsewhere.path().to_owned()),
        ..sandbox.request()
    };
    let world = World::small().hooked(|list, _, before| {
        (list == "grants user:u7" && before == 0)
            .then(|| Twist::Fail(Refusal::stated(Code::Unavailable, "down")))
    });
    let world = Arc::new(world);
    sandbox
        .run(&world, request.clone())
        .await
        .expect_err("down");
    assert!(sandbox.files().is_empty());
    assert_eq!(
        std::fs::read_dir(elsewhere.path()).expect("there").count(),
        1
    );
    let report = sandbox.run(&world, request).await.expect("complete");
    assert!(report.resumed);
    assert_eq!(
        std::fs::read_dir(elsewhere.path()).expect("there").count(),
        0
    );
    assert!(!ids(&sandbox.target(), baton_c1z::Table::Grants).is_empty());
}

#[tokio::test]
async fn long_abandoned_working_folders_of_others_are_removed_and_that_is_said() {
    let sandbox = Sandbox::new();
    let year = Duration::from_hours(365 * 24);
    for (name, age) in [("old", year), ("new", Duration::ZERO)] {
        let folder = sandbox.folder().join(format!(".{name}.c1z.baton-work"));
        std::fs::create_dir(&folder).expect("writable");
        let file = std::fs::File::create(folder.join("lock")).expect("writable");
        file.set_modified(sandbox.host().clock.now() - age)
            .expect("settable");
    }
    sandbox.sync(World::small()).await;
    assert_eq!(sandbox.files(), [".new.c1z.baton-work", "sync.c1z"]);
    let said = sandbox.events().into_iter().any(|event| match event {
        Event::Warning { message } => message.contains(".old.c1z.baton-work"),
        _ => false,
    });
    assert!(said);
}
