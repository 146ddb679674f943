//! Objects that are deleted while the sync runs: told apart from other 404s
//! by the application's own error code, through the real HTTP client.

use std::sync::Arc;

use async_trait::async_trait;
use baton_c1z::Table;
use baton_connector::http::{
    ApiError, BodyStream, ErrorResponse, HttpClient, HttpParts, HttpSettings, ReadApiError,
    Request, Transport, TransportError, whole_body,
};
use baton_connector::{Call, Error as Refusal};
use baton_proto::{Advice, Advise, Code};
use baton_sync::{Completeness, Error, SkipKind};
use bytes::Bytes;

use crate::sandbox::{Sandbox, ids};
use crate::world::{Twist, World, group};

/// Answers 404 with this body.
#[derive(Debug)]
struct NotFound(&'static str);

#[async_trait]
impl Transport for NotFound {
    async fn send(
        &self,
        _: http::Request<Bytes>,
    ) -> Result<http::Response<BodyStream>, TransportError> {
        let answer = http::Response::builder().status(404);
        Ok(answer.body(whole_body(self.0)).expect("valid"))
    }
}

#[derive(Debug)]
struct Gone {
    declared: bool,
}

impl ReadApiError for Gone {
    fn read(&self, _: &ErrorResponse<'_>) -> ApiError {
        ApiError {
            code: Some("GROUP-404".to_owned()),
            vanished: self.declared,
            ..ApiError::default()
        }
    }
}

/// The error of a request for something that the application says is gone,
/// whether or not the connector knows that.
async fn not_found(body: &'static str, declared: bool) -> Refusal {
    let mut parts = HttpParts::new(Arc::new(NotFound(body)), 7);
    parts.api_errors = Arc::new(Gone { declared });
    let client = HttpClient::new(parts, HttpSettings::default()).expect("valid settings");
    let base = url::Url::parse("https://api.example.test").expect("a URL");
    let request = Request::get(&base, "/groups/{group}", &["g"]).expect("valid");
    let error = client
        .on(&Call::alone())
        .json::<serde_json::Value>(&request)
        .await
        .expect_err("404");
    assert_eq!(error.is_vanished(), declared);
    error
}

/// A world where these lists are gone.
fn without(world: World, lists: Vec<String>) -> World {
    answering(world, lists, "gone", true)
}

/// A world where these lists are answered with 404.
fn answering(world: World, lists: Vec<String>, body: &'static str, declared: bool) -> World {
    let runtime = tokio::runtime::Handle::current();
    world.hooked(move |list, token, _| {
        let last = token == "p2" || !list.ends_with("g3");
        let hit = last && lists.iter().any(|gone| gone == list);
        hit.then(|| {
            let error = std::thread::scope(|scope| {
                let error = scope.spawn(|| runtime.block_on(not_found(body, declared)));
                error.join().expect("no panic")
            });
            Twist::Fail(error)
        })
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_gone_is_left_out_whole_and_the_result_is_complete() {
    let sandbox = Sandbox::new();
    let lists = vec!["grants group:g3".to_owned()];
    let report = sandbox.sync(without(World::small(), lists)).await;
    assert_eq!(report.completeness, Completeness::Complete);
    assert_eq!((report.vanished, report.unreadable), (1, 0));
    assert_eq!(report.skipped[0].kind, SkipKind::Vanished);
    let grants = ids(&sandbox.target(), Table::Grants);
    assert!(
        !grants.iter().any(|id| id.starts_with("group:g3:")),
        "{grants:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_404_that_nobody_declared_has_a_hint_where_an_object_was_asked_for() {
    let hint = [Advice::DeclareGone(Some("GROUP-404".to_owned()))];
    for (list, body, expected) in [
        ("grants group:g3", r#"{"code":"GROUP-404"}"#, &hint[..]),
        ("resources group", r#"{"code":"GROUP-404"}"#, &[]),
        ("grants group:g3", "no route", &[]),
    ] {
        let sandbox = Sandbox::new();
        let world = answering(World::small(), vec![list.to_owned()], body, false);
        let error = sandbox.fail(world).await;
        assert_eq!(error.code(), Code::NotFound);
        assert_eq!(error.advice(), expected, "{list} {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_list_cannot_be_gone() {
    let sandbox = Sandbox::new();
    let lists = vec!["resources group".to_owned()];
    let error = sandbox.fail(without(World::small(), lists)).await;
    assert_eq!(error.code(), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_too_much_is_gone_the_sync_fails_and_its_work_is_not_kept() {
    for (gone, of, fails) in [(10, 20, false), (11, 20, true), (11, 300, false)] {
        let mut world = World::small();
        let mut lists = Vec::new();
        for n in 100..100 + of {
            world.add("group", group(&format!("g{n}")));
            if n < 100 + gone {
                lists.push(format!("grants group:g{n}"));
            }
        }
        let sandbox = Sandbox::new();
        let world = Arc::new(without(world, lists));
        let result = sandbox.run(&world, sandbox.request()).await;
        assert_eq!(result.is_err(), fails, "{gone} of {of}");
        if let Err(error) = result {
            assert!(
                matches!(error, Error::TooManyWarnings { warnings: 11, .. }),
                "{error}"
            );
            assert!(
                error
                    .to_string()
                    .starts_with("too many warnings, exiting sync")
            );
            assert!(sandbox.files().is_empty());
        }
    }
}

/// A world in which the grants of `g3` cannot be listed, for a reason that
/// says nothing of the group, and in which the group itself is gone or not.
fn failing(is_gone: bool) -> World {
    let mut world = World::small();
    if is_gone {
        let groups = world.resources.get_mut("group").expect("groups");
        groups.retain(|group| group.id.as_ref().is_some_and(|id| id.resource != "g3"));
    }
    world.hooked(|list, token, _| {
        let last = list == "grants group:g3" && token == "p2";
        let error = || Refusal::stated(Code::NotFound, "no route");
        last.then(|| Twist::Fail(error()))
    })
}

#[tokio::test]
async fn what_ended_a_run_and_is_gone_is_left_out_by_the_next() {
    let sandbox = Sandbox::new();
    let error = sandbox.fail(failing(false)).await;
    assert_eq!(error.code(), Code::NotFound);
    let world = Arc::new(failing(true));
    let report = sandbox.sync_as(&world, sandbox.request()).await;
    assert_eq!(report.completeness, Completeness::Complete);
    assert_eq!((report.vanished, report.unreadable), (1, 0));
    assert_eq!(report.skipped[0].kind, SkipKind::Vanished);
    assert_eq!(report.skipped[0].resource, "group:g3");
    let calls = world.calls();
    assert_eq!(calls.iter().filter(|c| c.starts_with("get ")).count(), 1);
    assert_eq!(calls[0], "get group:g3 @", "{calls:?}");
    assert!(!calls.iter().any(|c| c.starts_with("grants group:g3")));
    let grants = ids(&sandbox.target(), Table::Grants);
    assert!(!grants.iter().any(|id| id.starts_with("group:g3:")));
}

#[tokio::test]
async fn what_ended_a_run_and_is_there_is_asked_again() {
    let sandbox = Sandbox::new();
    sandbox.fail(failing(false)).await;
    let error = sandbox.fail(failing(false)).await;
    assert_eq!(error.code(), Code::NotFound);
    let world = Arc::new(World::small());
    let report = sandbox.sync_as(&world, sandbox.request()).await;
    assert_eq!((report.vanished, report.skipped.len()), (0, 0));
    assert_eq!(world.calls()[0], "get group:g3 @");
    let grants = ids(&sandbox.target(), Table::Grants);
    assert!(grants.iter().any(|id| id.starts_with("group:g3:")));
}

#[tokio::test]
async fn a_list_of_everything_that_ended_a_run_asks_for_no_object() {
    let sandbox = Sandbox::new();
    let world = World::small().hooked(|list, _, _| {
        let error = || Refusal::stated(Code::NotFound, "no route");
        (list == "resources group").then(|| Twist::Fail(error()))
    });
    sandbox.fail(world).await;
    let world = Arc::new(World::small());
    sandbox.sync_as(&world, sandbox.request()).await;
    assert!(!world.calls().iter().any(|call| call.starts_with("get ")));
}
