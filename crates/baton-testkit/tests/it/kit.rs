//! The harness, the script and the walk.

use std::sync::Arc;

use baton_connector::http::{
    ClientCredentials, Credential, HttpClient, NoApiErrors, Request, TransportErrorKind,
};
use baton_connector::{Call, ConnectorBuilder, Page, ResourceSyncer, Result, Secret, TypeSpec};
use baton_connector::{Types, async_trait, resource, v2};
use baton_runtime::{App, Built};
use baton_testkit::{ExitStatus, Harness, Phase, Reply, Script, read_all};
use url::Url;

use crate::toy::{Flaw, app};

#[test]
fn a_run_that_is_interrupted_is_resumed_to_the_same_file() {
    let (mut harness, mut calm) = (
        Harness::new(|| app(Flaw::Nothing)),
        Harness::new(|| app(Flaw::Nothing)),
    );
    let outcome = harness.interrupt_after(Phase::Grants, 1).run(&[]);
    assert_eq!(outcome.status, ExitStatus::Terminated, "{}", outcome.stderr);
    assert!(outcome.report.is_none());
    let resumed = harness.run(&[]);
    let undisturbed = calm.run(&[]);
    assert_eq!(resumed.status, ExitStatus::Success, "{}", resumed.stderr);
    assert!(resumed.report.as_ref().unwrap().resumed);
    let (resumed, undisturbed) = (resumed.file(), undisturbed.file());
    assert_eq!(resumed.grants(), undisturbed.grants());
    assert_eq!(resumed.resources().len(), 252);
    assert_eq!(resumed.entitlements(), ["team:1:member", "team:2:member"]);
    assert_eq!(resumed.grants().len(), 300);
}

/// Lists things over HTTP, with a token that must be got first.
struct Things {
    client: HttpClient,
    key: Credential,
}

#[async_trait]
impl ResourceSyncer for Things {
    async fn list(&self, call: &Call, _: Option<&v2::ResourceId>) -> Result<Page<v2::Resource>> {
        let base = Url::parse("https://api.test").unwrap();
        let request = Request::get(&base, "/things", &[])?.credential(&self.key);
        let ids: Vec<String> = self.client.on(call).json(&request).await?;
        let thing = |id| {
            resource::ResourceBuilder::new("thing", id)
                .display_name("x")
                .build()
        };
        Ok(Page::last(
            ids.into_iter().map(thing).collect::<Result<_>>()?,
        ))
    }
}

fn things() -> Result<Types<(HttpClient, Credential)>> {
    let kind = resource::ResourceTypeBuilder::new("thing", "Thing").skip_entitlements_and_grants();
    let made = |(client, key): &(HttpClient, Credential)| {
        let (client, key) = (client.clone(), key.clone());
        Ok(Things { client, key })
    };
    Ok(Types::new().with(TypeSpec::new(kind.build()?, made)))
}

fn over_http() -> App {
    let connect = |config: &_, env: &baton_runtime::ConnectorEnv| {
        let client = env.http(config, NoApiErrors)?;
        let base = Url::parse("https://api.test").unwrap();
        let source = ClientCredentials::new(&base, "/token", "me", &Secret::new("hunter2"));
        let connected = (client.clone(), Credential::renewed("access token", source));
        let connector = ConnectorBuilder::new()
            .http(&client)
            .types(&things()?, &connected)?;
        Ok(Built {
            connector: Arc::new(connector.build()?),
            content_facts: std::collections::BTreeMap::new(),
        })
    };
    App::new("baton-things", "1.2.3", Box::new(connect)).types(|_| things())
}

fn token() -> Reply {
    Reply::json(r#"{"access_token":"t0ken-of-the-run","expires_in":3600}"#)
}

#[test]
fn a_network_is_put_under_a_program_and_its_waits_cost_no_time() {
    let limited = Reply::status(429, "{}").header("retry-after", "600");
    let script = Script::new().on("POST", "/token", [token()]).get(
        "/things",
        [
            Reply::fails(TransportErrorKind::Reset),
            limited,
            Reply::json(r#"["a"]"#),
        ],
    );
    let mut harness = Harness::new(over_http).network(&script);
    let outcome = harness.run(&[]);
    assert_eq!(outcome.status, ExitStatus::Success, "{}", outcome.stderr);
    assert_eq!(outcome.file().resources(), ["thing:a"]);
    assert_eq!(
        script.requests(),
        ["POST /token", "GET /things", "GET /things", "GET /things"]
    );
    let agent = script.seen()[1].headers()["user-agent"].clone();
    assert_eq!(agent, "baton-things/1.2.3");
    let traffic = outcome.report.unwrap().traffic.unwrap();
    assert_eq!(traffic.total().requests, 4);
    assert!(traffic.waited.total_ms >= 600_000, "{traffic:?}");
    assert!(script.unexpected().is_empty());
}

#[test]
fn a_token_that_was_got_during_the_run_is_hidden_wherever_a_server_repeats_it() {
    let echo = Reply::status(400, "").header("x-request-id", "id-t0ken-of-the-run-id");
    let script = Script::new()
        .on("POST", "/token", [token()])
        .get("/things", [echo]);
    let mut harness = Harness::new(over_http).network(&script);
    let outcome = harness.run(&["--log-level", "debug"]);
    assert_ne!(outcome.status, ExitStatus::Success);
    assert!(outcome.stderr.contains("[secret]"), "{}", outcome.stderr);
    assert!(
        !outcome.stderr.contains("t0ken-of-the-run"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_path_that_the_script_does_not_know_is_told() {
    let script = Script::new().on("POST", "/token", [token()]);
    let outcome = Harness::new(over_http).network(&script).run(&[]);
    assert_eq!(outcome.status.code(), 5, "{}", outcome.stderr);
    assert!(outcome.error().contains("thing"), "{}", outcome.error());
    assert_eq!(script.unexpected(), ["GET /things"]);
}

#[tokio::test]
async fn a_walk_gives_every_row_of_every_list() {
    struct Three;
    #[async_trait]
    impl ResourceSyncer for Three {
        async fn list(
            &self,
            call: &Call,
            _: Option<&v2::ResourceId>,
        ) -> Result<Page<v2::Resource>> {
            let call = call.clone().with_page_size(2);
            baton_connector::paging::slice("things", &call, &["a", "b", "b"], |id| {
                resource::ResourceBuilder::new("thing", *id)
                    .display_name(*id)
                    .build()
            })
        }
    }
    let kind = resource::ResourceTypeBuilder::new("thing", "Thing").skip_entitlements_and_grants();
    let types = Types::new().with(TypeSpec::new(kind.build().unwrap(), |(): &()| Ok(Three)));
    let connector = ConnectorBuilder::new()
        .types(&types, &())
        .unwrap()
        .build()
        .unwrap();
    let recorded = read_all(Arc::new(connector)).await.unwrap();
    let names: Vec<&str> = recorded
        .resources
        .iter()
        .map(|row| &*row.display_name)
        .collect();
    assert_eq!(names, ["a", "b", "b"], "as they came, duplicates too");
    assert_eq!(recorded.types.len(), 1);
}
