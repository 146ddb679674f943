//! Values that a connector keeps for itself live as long as the sync,
//! interruptions included; and a run ends when its time is up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use baton_c1z::Table;
use baton_connector::resource::{ResourceBuilder, ResourceTypeBuilder};
use baton_connector::{
    Call, Connector, ConnectorBuilder, Error as Refusal, Page, ResourceSyncer, TypeSpec, Types,
};
use baton_proto::Code;
use baton_proto::c1::connector::v2;
use baton_sync::{Error, SyncRequest, Workers};

use crate::sandbox::{Sandbox, ids, rows};
use crate::world::World;

const PAGES: usize = 6;

/// Lists five diaries, and as the last one what it kept of the pages before.
struct Diary {
    /// The call that fails, counted over all.
    fails_at: usize,
    calls: AtomicUsize,
}

#[async_trait]
impl ResourceSyncer for Diary {
    async fn list(
        &self,
        call: &Call,
        _: Option<&v2::ResourceId>,
    ) -> baton_connector::Result<Page<v2::Resource>> {
        let session = call.session().prefixed("diary/");
        // Lets another sync go first.
        tokio::task::yield_now().await;
        let page: usize = call.token().parse().unwrap_or_default();
        let kept: Option<String> = session.get_json("kept").await?;
        let mut kept = kept.unwrap_or_default();
        let id = if page + 1 == PAGES {
            kept
        } else {
            kept.push_str(&page.to_string());
            session.set_json("kept", &kept).await?;
            format!("page {page}")
        };
        if self.calls.fetch_add(1, Ordering::Relaxed) == self.fails_at {
            return Err(Refusal::stated(Code::Unavailable, "down"));
        }
        let diary = ResourceBuilder::new("diary", id).display_name("Diary");
        let next = match page + 1 {
            PAGES => String::new(),
            next => next.to_string(),
        };
        Ok(Page::new(vec![diary.build()?], next))
    }
}

fn diary(fails_at: usize) -> Arc<dyn Connector> {
    let named = ResourceTypeBuilder::named("Diary").build().expect("named");
    let types = Types::new().with(TypeSpec::new(named, move |(): &()| {
        Ok(Diary {
            fails_at,
            calls: AtomicUsize::new(0),
        })
    }));
    let connector = ConnectorBuilder::new().types(&types, &());
    Arc::new(
        connector
            .and_then(ConnectorBuilder::build)
            .expect("one type"),
    )
}

#[tokio::test]
async fn kept_values_come_back_with_the_pages_that_were_stored_after_them() {
    for fails_at in 0..=PAGES {
        let sandbox = Sandbox::new();
        let first = diary(fails_at);
        let result = baton_sync::run(first, sandbox.request(), sandbox.host()).await;
        if fails_at < PAGES {
            let error = result.expect_err("it is down");
            assert_eq!(error.code(), Code::Unavailable);
            // The value that the failed call kept is gone with its page.
            let second = diary(usize::MAX);
            let result = baton_sync::run(second, sandbox.request(), sandbox.host()).await;
            result.expect("complete");
        }
        let found = ids(&sandbox.target(), Table::Resources);
        assert!(found.contains(&"diary:01234".to_owned()), "{found:?}");
    }
}

#[tokio::test]
async fn syncs_at_once_on_one_connector_keep_their_own_values() {
    let (one, other) = (Sandbox::new(), Sandbox::new());
    let connector = diary(usize::MAX);
    let (first, second) = tokio::join!(
        baton_sync::run(connector.clone(), one.request(), one.host()),
        baton_sync::run(connector.clone(), other.request(), other.host()),
    );
    first.and(second).expect("complete");
    for sandbox in [one, other] {
        let found = ids(&sandbox.target(), Table::Resources);
        assert!(found.contains(&"diary:01234".to_owned()), "{found:?}");
    }
}

#[tokio::test]
async fn kept_values_are_gone_when_the_sync_has_ended() {
    let sandbox = Sandbox::new();
    let connector = diary(usize::MAX);
    for _ in 0..2 {
        baton_sync::run(connector.clone(), sandbox.request(), sandbox.host())
            .await
            .expect("complete");
        let found = ids(&sandbox.target(), Table::Resources);
        assert!(found.contains(&"diary:01234".to_owned()), "{found:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_time_is_up_says_so_and_is_continued_to_the_same_file() {
    let undisturbed = Sandbox::new();
    undisturbed.sync(World::small()).await;
    let sandbox = Sandbox::new();
    let request = SyncRequest {
        workers: Workers::AtMost(2),
        max_duration: Some(Duration::from_secs(3)),
        ..sandbox.request()
    };
    let mut runs = 0;
    loop {
        runs += 1;
        let world = Arc::new(World::small().slow(runs));
        match sandbox.run(&world, request.clone()).await {
            Ok(report) => {
                assert!(report.resumed);
                break;
            }
            Err(error) => {
                assert!(matches!(error, Error::OutOfTime { .. }), "{error}");
                assert_eq!(error.code(), Code::DeadlineExceeded);
                assert!(!sandbox.target().exists());
            }
        }
    }
    assert!(runs > 2, "{runs}");
    assert_eq!(rows(&sandbox.target()), rows(&undisturbed.target()));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_cancelled_before_its_time_is_up_is_interrupted() {
    let sandbox = Sandbox::new();
    let cancel = sandbox.cancel.clone();
    let world = World::small().slow(1).hooked(move |list, _, _| {
        if list == "resources user" {
            cancel.cancel();
        }
        None
    });
    let request = SyncRequest {
        max_duration: Some(Duration::from_secs(1_000)),
        ..sandbox.request()
    };
    let result = sandbox.run(&Arc::new(world), request).await;
    assert!(matches!(result, Err(Error::Interrupted { .. })));
}
