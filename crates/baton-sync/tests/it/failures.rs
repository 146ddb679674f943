//! Errors of the connector: what fails, what is partial, what is tried anew.

use std::sync::Arc;

use baton_c1z::{Format, Table};
use baton_connector::Error as Refusal;
use baton_proto::{Advice, Advise, Code};
use baton_sync::{Completeness, Error, Event, Observer, Phase, SkipKind, SyncHost, SyncRequest};

use crate::sandbox::{Sandbox, ids, open, rows};
use crate::world::{Twist, World};

fn failing(list: &'static str, code: Code) -> World {
    World::small().hooked(move |asked, _, _| {
        (asked == list).then(|| Twist::Fail(Refusal::stated(code, "no").with_hint("ask nicely")))
    })
}

#[tokio::test]
async fn invalid_settings_leave_no_file_and_no_working_folder() {
    let mut world = World::small();
    world.invalid = Some(|| Refusal::stated(Code::Unauthenticated, "the key has expired"));
    let sandbox = Sandbox::new();
    let world = Arc::new(world);
    let error = sandbox
        .run(&world, sandbox.request())
        .await
        .expect_err("invalid");
    assert_eq!(error.code(), Code::Unauthenticated);
    assert_eq!(error.to_string(), "the key has expired");
    assert!(sandbox.files().is_empty(), "{:?}", sandbox.files());
    assert!(world.calls().is_empty());
}

#[tokio::test]
async fn a_failed_root_list_fails_the_sync_with_its_code() {
    for list in ["types", "resources user", "static site"] {
        for code in [
            Code::PermissionDenied,
            Code::Unauthenticated,
            Code::NotFound,
            Code::Unavailable,
        ] {
            let sandbox = Sandbox::new();
            let error = sandbox.fail(failing(list, code)).await;
            assert_eq!(error.code(), code, "{list}");
            assert_eq!(error.advice(), [Advice::sentence("ask nicely")]);
            assert!(!sandbox.target().exists());
            assert!(!error.discards_work());
        }
    }
}

#[tokio::test]
async fn an_error_names_the_list() {
    let sandbox = Sandbox::new();
    let world = failing("grants group:g2", Code::Unauthenticated);
    let error = sandbox.fail(world).await;
    assert_eq!(error.to_string(), "cannot list grants of group `g2`");
    let cause = std::error::Error::source(&error).expect("the connector's words");
    assert_eq!(cause.to_string(), "no");
}

#[tokio::test]
async fn a_plain_not_found_of_one_object_fails_too() {
    let sandbox = Sandbox::new();
    let error = sandbox
        .fail(failing("grants group:g2", Code::NotFound))
        .await;
    assert_eq!(error.code(), Code::NotFound);
    assert!(!sandbox.target().exists());
}

#[tokio::test]
async fn an_object_that_may_not_be_read_makes_the_result_partial_and_is_named() {
    let sandbox = Sandbox::new();
    // Refused on its second page: nothing of the list counts.
    let world = World::small().hooked(|list, token, _| {
        let refused = Refusal::stated(Code::PermissionDenied, "no").with_hint("ask nicely");
        (list == "grants group:g3" && token == "p2").then_some(Twist::Fail(refused))
    });
    let report = sandbox.sync(world).await;
    assert_eq!(report.completeness, Completeness::Partial);
    assert_eq!(
        report.path,
        sandbox.partial().canonicalize().expect("beside")
    );
    assert!(!sandbox.target().exists());
    assert_eq!((report.unreadable, report.vanished), (1, 0));
    let [skipped] = report.skipped.as_slice() else {
        panic!("{:?}", report.skipped);
    };
    assert_eq!(skipped.what, "grants");
    assert_eq!(skipped.resource, "group:g3");
    assert_eq!(skipped.kind, SkipKind::Forbidden);
    assert_eq!(skipped.reason, "no");
    assert_eq!(skipped.advice, [Advice::sentence("ask nicely")]);
    assert!(
        sandbox
            .events()
            .contains(&Event::ListSkipped(skipped.clone()))
    );
    let grants = ids(&sandbox.partial(), Table::Grants);
    assert!(
        !grants.iter().any(|id| id.starts_with("group:g3:")),
        "{grants:?}"
    );
    assert!(grants.iter().any(|id| id.starts_with("group:g2:")));
}

#[tokio::test]
async fn children_that_may_not_be_read_are_one_object_too() {
    let sandbox = Sandbox::new();
    let world = failing("resources site<org:o1", Code::PermissionDenied);
    let report = sandbox.sync(world).await;
    assert_eq!(report.completeness, Completeness::Partial);
    assert_eq!(report.skipped[0].resource, "org:o1");
    assert_eq!(report.skipped[0].resource_type, "site");
    let found = ids(&sandbox.partial(), Table::Resources);
    assert!(found.contains(&"org:o1".to_owned()) && !found.contains(&"site:o1/s1".to_owned()));
}

#[tokio::test]
async fn a_partial_result_goes_to_the_target_if_that_is_allowed() {
    let sandbox = Sandbox::new();
    let request = SyncRequest {
        allow_partial: true,
        ..sandbox.request()
    };
    let world = Arc::new(failing("grants group:g3", Code::PermissionDenied));
    let report = sandbox.run(&world, request).await.expect("sealed");
    assert_eq!(report.completeness, Completeness::Partial);
    assert_eq!(sandbox.files(), ["sync.c1z"]);
}

#[tokio::test]
async fn a_partial_file_has_no_history_and_replaces_the_one_before() {
    let mut sandbox = Sandbox::new();
    sandbox.sync(World::small()).await;
    let target = std::fs::read(sandbox.target()).expect("there");
    for hours in 1..=2 {
        sandbox.hours = hours;
        let report = sandbox
            .sync(failing("grants group:g3", Code::PermissionDenied))
            .await;
        let runs = open(&sandbox.partial()).sync_runs().to_vec();
        assert_eq!(runs.len(), 1);
        assert_eq!(runs[0].id, report.sync_id);
    }
    assert_eq!(std::fs::read(sandbox.target()).expect("there"), target);
}

#[tokio::test]
async fn a_dead_cursor_begins_the_list_anew() {
    let sandbox = Sandbox::new();
    let undisturbed = Sandbox::new();
    undisturbed.sync(World::small()).await;
    for (list, page) in [
        ("types", "p2"),
        ("resources user", "p4"),
        ("entitlements group:g1", "p2"),
        ("grants group:g3", "p4"),
    ] {
        let mut world = World::small().hooked(move |asked, token, before| {
            (asked == list && token == page && before == 0)
                .then(|| Twist::Fail(Refusal::stated(Code::InvalidArgument, "cursor expired")))
        });
        if list.starts_with("entitlements") {
            world.give("group", "g1", "owner", []);
            world.give("group", "g1", "guest", []);
        }
        let world = Arc::new(world);
        let report = sandbox
            .run(&world, sandbox.request())
            .await
            .expect("complete");
        assert_eq!(report.completeness, Completeness::Complete);
        if !list.starts_with("entitlements") {
            assert_eq!(
                rows(&sandbox.target()),
                rows(&undisturbed.target()),
                "{list}"
            );
        }
        let asked = world.calls();
        assert_eq!(
            asked.iter().filter(|c| **c == format!("{list} @")).count(),
            2
        );
        std::fs::remove_file(sandbox.target()).expect("there");
    }
    let restarts = sandbox.events();
    let restarts = restarts
        .iter()
        .filter(|e| matches!(e, Event::ListRestarted { .. }));
    assert_eq!(restarts.count(), 4);
}

#[tokio::test]
async fn children_of_a_parent_that_a_restarted_list_does_not_bring_again_are_left_out() {
    let mut world = World::small();
    world.page_size = 1;
    // The first attempt shows `o1` first, the second one begins behind it.
    let world = world.hooked(|list, token, before| match (list, token, before) {
        ("resources org", "p1", 0) => Some(Twist::Fail(Refusal::stated(
            Code::InvalidArgument,
            "cursor expired",
        ))),
        _ => None,
    });
    let world = Arc::new(Moved(world));
    let sandbox = Sandbox::new();
    baton_sync::run(world, sandbox.request(), sandbox.host())
        .await
        .expect("complete");
    let found = ids(&sandbox.target(), Table::Resources);
    assert!(found.contains(&"site:o2/s1".to_owned()));
    assert!(!found.iter().any(|id| id.contains("o1")), "{found:?}");
    let found = ids(&sandbox.target(), Table::Entitlements);
    assert!(!found.iter().any(|id| id.contains("o1")), "{found:?}");
}

/// Forgets organization `o1` after its list was asked for once.
struct Moved(World);

mod moved {
    use async_trait::async_trait;
    use baton_connector::{Call, Connector, Page, Result, Row};
    use baton_proto::c1::connector::v2;
    use prost_types::Any;

    #[async_trait]
    impl Connector for super::Moved {
        async fn metadata(&self, call: &Call) -> Result<v2::ConnectorMetadata> {
            self.0.metadata(call).await
        }
        async fn validate(&self, call: &Call) -> Result<Vec<Any>> {
            self.0.validate(call).await
        }
        async fn list_resource_types(&self, call: &Call) -> Result<Page<v2::ResourceType>> {
            self.0.list_resource_types(call).await
        }
        async fn list_resources(
            &self,
            call: &Call,
            type_id: &str,
            parent: Option<&v2::ResourceId>,
        ) -> Result<Page<v2::Resource>> {
            let asked = self.0.calls();
            let mut page = self.0.list_resources(call, type_id, parent).await?;
            if asked.contains(&"resources org @".to_owned()) {
                page.retain(|item| item.id.as_ref().is_none_or(|id| id.resource != "o1"));
            }
            Ok(page)
        }
        async fn list_static_entitlements(
            &self,
            call: &Call,
            type_id: &str,
        ) -> Result<Page<v2::Entitlement>> {
            self.0.list_static_entitlements(call, type_id).await
        }
        async fn list_entitlements(
            &self,
            call: &Call,
            resource: &v2::Resource,
        ) -> Result<Page<v2::Entitlement>> {
            self.0.list_entitlements(call, resource).await
        }
        async fn list_grants(
            &self,
            call: &Call,
            resource: &v2::Resource,
        ) -> Result<Page<v2::Grant>> {
            self.0.list_grants(call, resource).await
        }
        async fn get_resource(
            &self,
            call: &Call,
            id: &v2::ResourceId,
            parent: Option<&v2::ResourceId>,
        ) -> Result<Option<Row<v2::Resource>>> {
            self.0.get_resource(call, id, parent).await
        }
        async fn cleanup(&self, call: &Call) -> Result<()> {
            self.0.cleanup(call).await
        }
    }
}

#[tokio::test]
async fn a_cursor_that_dies_again_fails_the_sync() {
    let sandbox = Sandbox::new();
    let world = World::small().hooked(|list, token, _| {
        (list == "resources user" && token == "p4")
            .then(|| Twist::Fail(Refusal::stated(Code::InvalidArgument, "cursor expired")))
    });
    let error = sandbox.fail(world).await;
    assert_eq!(error.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_panic_in_the_connector_is_an_error() {
    let sandbox = Sandbox::new();
    let world = World::small().hooked(|list, _, _| {
        assert!(list != "grants group:g1", "a fault in the connector");
        None
    });
    let error = sandbox.fail(world).await;
    assert_eq!(
        error.to_string(),
        "internal error while listing grants of group `g1`: a fault in the connector"
    );
    assert_eq!(error.code(), Code::Internal);
}

/// Panics in one step of the sealing.
struct Faulty(&'static str);

impl Observer for Faulty {
    fn event(&self, event: &Event) {
        if let Event::Sealing { step, .. } = event {
            assert!(*step != self.0, "a fault in the engine");
        }
    }
}

#[tokio::test]
async fn a_panic_while_the_file_is_made_names_the_step_and_keeps_the_work() {
    for format in [Format::V1, Format::V3] {
        for (step, doing) in [
            ("sort", "sorting the rows of the sync"),
            ("expand", "expanding grants"),
            ("write", "writing the rows of the sync file"),
            ("index", "writing the indexes of the sync file"),
            ("compress", "compressing the sync file"),
        ] {
            let sandbox = Sandbox::new();
            let request = SyncRequest {
                format: Some(format),
                ..sandbox.request()
            };
            let host = SyncHost {
                observer: Arc::new(Faulty(step)),
                ..sandbox.host()
            };
            let world = Arc::new(World::small());
            let error = baton_sync::run(world.clone(), request.clone(), host)
                .await
                .expect_err("a panic");
            assert_eq!(
                error.to_string(),
                format!("internal error while {doing}: a fault in the engine"),
                "{format:?}"
            );
            assert_eq!(error.code(), Code::Internal);
            assert!(!sandbox.target().exists(), "{format:?}, {step}");
            let calls = world.calls().len();
            sandbox.sync_as(&world, request).await;
            let again = &world.calls()[calls..];
            assert!(again.len() < calls / 2, "{format:?}, {step}: {again:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn cancelling_keeps_what_is_in_flight_and_ends_the_run() {
    let sandbox = Sandbox::new();
    let cancel = sandbox.cancel.clone();
    let world = World::small().slow(3).hooked(move |list, _, _| {
        if list == "grants group:g1" {
            cancel.cancel();
        }
        None
    });
    let world = Arc::new(world);
    let error = sandbox
        .run(&world, sandbox.request())
        .await
        .expect_err("cancelled");
    assert!(
        matches!(
            error,
            Error::Interrupted {
                phase: Phase::Grants
            }
        ),
        "{error}"
    );
    assert_eq!(error.code(), Code::Canceled);
    let before = world.calls();
    assert!(!before.contains(&"cleanup".to_owned()));

    let again = Sandbox::new();
    let world = Arc::new(World::small());
    let report = baton_sync::run(world.clone(), sandbox.request(), again.host())
        .await
        .expect("complete");
    assert!(report.resumed);
    let repeated: Vec<_> = world
        .calls()
        .into_iter()
        .filter(|c| before.contains(c))
        .collect();
    assert!(repeated.is_empty(), "{repeated:?}");
}

#[tokio::test]
async fn cancelling_before_the_first_request_leaves_nothing() {
    let sandbox = Sandbox::new();
    sandbox.cancel.cancel();
    let error = sandbox.fail(World::small()).await;
    assert!(matches!(
        error,
        Error::Interrupted {
            phase: Phase::Validate
        }
    ));
    assert!(sandbox.files().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_holds_up_neither_a_cancelled_nor_a_failed_run_for_long() {
    for fails in [false, true] {
        let sandbox = Sandbox::new();
        let cancel = sandbox.cancel.clone();
        let world = World::small().hooked(move |list, _, _| match list {
            "grants group:g1" => Some(Twist::Hang),
            "grants group:g2" if fails => {
                Some(Twist::Fail(Refusal::stated(Code::Unauthenticated, "no")))
            }
            "grants group:g2" => {
                cancel.cancel();
                None
            }
            _ => None,
        });
        let start = tokio::time::Instant::now();
        let error = sandbox.fail(world).await;
        let code = if fails {
            Code::Unauthenticated
        } else {
            Code::Canceled
        };
        assert_eq!(error.code(), code);
        assert!(start.elapsed() <= std::time::Duration::from_secs(10));
    }
}
