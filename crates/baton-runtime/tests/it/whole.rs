//! Runs with the real engine: a connector in, a file and an exit code out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use baton_connector::{
    Call, ConnectorBuilder, Error, Page, ResourceSyncer, TypeSpec, Types, Validator,
};
use baton_proto::Code;
use baton_proto::c1::connector::v2;
use baton_runtime::{Built, Engine, ExtraCommand, Field};

use crate::stage::{Outcome, Stage};

type Answer<T> = baton_connector::Result<T>;

/// What the application behind the connector does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upstream {
    Healthy {
        users: u32,
    },
    /// One user's grants are off limits.
    OneForbidden,
    /// The key is not accepted.
    Unauthorized,
    /// The list of users fails on its second page.
    Broken,
}

impl Upstream {
    fn users(self) -> u32 {
        match self {
            Self::Healthy { users } => users,
            _ => 3,
        }
    }
}

fn refusal(code: Code) -> Error {
    Error::stated(code, "GET /users answered with a refusal").with_hint("use another key")
}

struct Users(Upstream);

#[async_trait]
impl ResourceSyncer for Users {
    async fn list(&self, call: &Call, _: Option<&v2::ResourceId>) -> Answer<Page<v2::Resource>> {
        let token = call.token();
        if self.0 == Upstream::Broken && !token.is_empty() {
            return Err(refusal(Code::Unavailable));
        }
        let at: u32 = token.parse().unwrap_or(0);
        let person = v2::Resource {
            id: Some(v2::ResourceId {
                resource_type: "person".to_owned(),
                resource: format!("p{at}"),
                ..v2::ResourceId::default()
            }),
            display_name: format!("Person {at}"),
            ..v2::Resource::default()
        };
        let next = at + 1;
        let next = if next < self.0.users() {
            next.to_string()
        } else {
            String::new()
        };
        Ok(Page::new(vec![person], next))
    }

    async fn grants(&self, _: &Call, resource: &v2::Resource) -> Answer<Page<v2::Grant>> {
        let second = resource.id.as_ref().is_some_and(|id| id.resource == "p1");
        if self.0 == Upstream::OneForbidden && second {
            return Err(refusal(Code::PermissionDenied));
        }
        Ok(Page::empty())
    }
}

fn person() -> TypeSpec<Upstream, Users> {
    let person = v2::ResourceType {
        id: "person".to_owned(),
        display_name: "Person".to_owned(),
        ..v2::ResourceType::default()
    };
    TypeSpec::new(person, |upstream| Ok(Users(*upstream)))
}

struct Check(Upstream);

#[async_trait]
impl Validator for Check {
    async fn validate(&self, _: &Call) -> Answer<Vec<prost_types::Any>> {
        match self.0 {
            Upstream::Unauthorized => Err(refusal(Code::Unauthenticated)),
            _ => Ok(Vec::new()),
        }
    }
}

fn real_engine() -> Engine {
    Arc::new(|connector, request, host| Box::pin(baton_sync::run(connector, request, host)))
}

/// The common flag.
const FILE: Field<PathBuf> = Field::path("file", "").default("sync.c1z");

/// Runs a command that syncs from `upstream` into `sync.c1z`.
pub fn sync(stage: &mut Stage, upstream: Upstream, args: &[&str]) -> Outcome {
    stage.engine = real_engine();
    stage.commands.push(ExtraCommand::new(
        "go",
        "Sync from the made-up application",
        Box::new(move |context| {
            Box::pin(async move {
                let connector = ConnectorBuilder::new()
                    .metadata(v2::ConnectorMetadata {
                        display_name: "Toy".to_owned(),
                        ..v2::ConnectorMetadata::default()
                    })
                    .validate_with(Arc::new(Check(upstream)))
                    .types(&Types::new().with(person()), &upstream)?
                    .build()?;
                let built = Built {
                    connector: Arc::new(connector),
                    content_facts: BTreeMap::new(),
                };
                let target = context.config().get(&FILE).to_owned();
                Ok(context.sync(built, &target).await?.status)
            })
        }),
    ));
    let args: Vec<&str> = std::iter::once("go").chain(args.iter().copied()).collect();
    stage.run(&args)
}

fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_refused_key_ends_with_16_and_without_a_file() {
    let mut stage = Stage::new();
    let outcome = sync(
        &mut stage,
        Upstream::Unauthorized,
        &["--log-level", "error"],
    );
    assert_eq!(outcome.status.code(), 16, "{}", outcome.stderr);
    assert_eq!(
        outcome.stderr,
        "error: GET /users answered with a refusal\nhint: use another key\n"
    );
    assert_eq!(files(stage.path()), [""; 0]);
}

#[test]
fn a_failed_run_leaves_the_target_alone_and_is_resumed() {
    let mut stage = Stage::new();
    assert_eq!(
        sync(&mut stage, Upstream::Healthy { users: 2 }, &[])
            .status
            .code(),
        0
    );
    let before = std::fs::read(stage.path().join("sync.c1z")).unwrap();
    let outcome = sync(&mut stage, Upstream::Broken, &[]);
    assert_eq!(outcome.status.code(), 14, "{}", outcome.stderr);
    assert_eq!(
        std::fs::read(stage.path().join("sync.c1z")).unwrap(),
        before
    );
    let outcome = sync(&mut stage, Upstream::Healthy { users: 3 }, &[]);
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("resuming an interrupted sync"),
        "{}",
        outcome.stderr
    );
    assert!(
        outcome.stderr.contains("    person        3  +1\n"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn an_object_that_may_not_be_read_makes_the_result_partial() {
    let mut stage = Stage::new();
    let outcome = sync(&mut stage, Upstream::OneForbidden, &[]);
    assert_eq!(outcome.status.code(), 20, "{}", outcome.stderr);
    assert!(!stage.path().join("sync.c1z").exists());
    assert_eq!(files(stage.path()), ["sync.partial.c1z"]);
    let last = outcome.stderr.lines().last().unwrap();
    assert_eq!(
        last,
        "partial: `sync.partial.c1z` lacks 1 list that could not be read; `sync.c1z` is unchanged (accept with --allow-partial)"
    );
    assert!(
        outcome.stderr.contains("  grants of `person:p1`: "),
        "{}",
        outcome.stderr
    );
    assert!(
        outcome.stderr.contains("  hint: use another key\n"),
        "{}",
        outcome.stderr
    );
    let outcome = sync(&mut stage, Upstream::OneForbidden, &["--allow-partial"]);
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
    assert!(stage.path().join("sync.c1z").exists());
}

#[test]
fn a_complete_sync_can_be_read_and_a_second_one_shows_the_change() {
    let mut stage = Stage::new();
    let outcome = sync(&mut stage, Upstream::Healthy { users: 5 }, &[]);
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
    assert!(
        outcome
            .stderr
            .contains("  (the file held no earlier sync to compare with)\n")
    );
    let outcome = sync(&mut stage, Upstream::Healthy { users: 4 }, &[]);
    assert!(
        outcome.stderr.contains("    person        4  -1\n"),
        "{}",
        outcome.stderr
    );
    assert_eq!(files(stage.path()), ["sync.c1z"]);
    let file = baton_c1z::C1zFile::open(
        &stage.path().join("sync.c1z"),
        &baton_c1z::ReadOptions::default(),
    )
    .unwrap();
    assert_eq!(file.sync_runs().to_vec().len(), 2);
}
