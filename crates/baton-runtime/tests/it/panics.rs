//! A panic anywhere ends as one error that says what was being done.

use std::sync::Arc;

use async_trait::async_trait;
use baton_connector::{Call, Connector, Page, Row};
use baton_proto::Code;
use baton_proto::c1::connector::v2;
use baton_runtime::{Engine, ExitStatus, ExtraCommand};

use crate::stage::{Outcome, Stage, Toy};

type Answer<T> = baton_connector::Result<T>;

/// Knows one user, and panics in the call that it is named after.
struct Bomb(&'static str);

impl Bomb {
    fn call(&self, name: &str) {
        assert!(self.0 != name, "boom\nin two lines");
    }
}

fn user() -> v2::Resource {
    v2::Resource {
        id: Some(v2::ResourceId {
            resource_type: "user".to_owned(),
            resource: "u1".to_owned(),
            ..v2::ResourceId::default()
        }),
        ..v2::Resource::default()
    }
}

#[async_trait]
impl Connector for Bomb {
    async fn metadata(&self, _: &Call) -> Answer<v2::ConnectorMetadata> {
        self.call("metadata");
        Ok(v2::ConnectorMetadata {
            display_name: "Bomb".to_owned(),
            ..v2::ConnectorMetadata::default()
        })
    }

    async fn validate(&self, _: &Call) -> Answer<Vec<prost_types::Any>> {
        self.call("validate");
        Ok(Vec::new())
    }

    async fn list_resource_types(&self, _: &Call) -> Answer<Page<v2::ResourceType>> {
        self.call("resource types");
        Ok(Page::last(vec![v2::ResourceType {
            id: "user".to_owned(),
            display_name: "User".to_owned(),
            ..v2::ResourceType::default()
        }]))
    }

    async fn list_resources(
        &self,
        _: &Call,
        _: &str,
        _: Option<&v2::ResourceId>,
    ) -> Answer<Page<v2::Resource>> {
        self.call("resources");
        Ok(Page::last(vec![user()]))
    }

    async fn list_static_entitlements(&self, _: &Call, _: &str) -> Answer<Page<v2::Entitlement>> {
        self.call("static entitlements");
        Ok(Page::empty())
    }

    async fn list_entitlements(&self, _: &Call, _: &v2::Resource) -> Answer<Page<v2::Entitlement>> {
        self.call("entitlements");
        Ok(Page::empty())
    }

    async fn list_grants(&self, _: &Call, _: &v2::Resource) -> Answer<Page<v2::Grant>> {
        self.call("grants");
        Ok(Page::empty())
    }

    async fn get_resource(
        &self,
        _: &Call,
        _: &v2::ResourceId,
        _: Option<&v2::ResourceId>,
    ) -> Answer<Option<Row<v2::Resource>>> {
        self.call("resource");
        Ok(Some(user().into()))
    }

    async fn cleanup(&self, _: &Call) -> Answer<()> {
        self.call("cleanup");
        Ok(())
    }
}

fn real_engine() -> Engine {
    Arc::new(|connector, request, host| Box::pin(baton_sync::run(connector, request, host)))
}

/// One error line, with this text and code 13; nothing of how panics look.
#[track_caller]
fn assert_one_error(outcome: &Outcome, doing: &str) {
    let Outcome { status, stderr, .. } = outcome;
    assert_eq!(*status, ExitStatus::Failed(Code::Internal), "{stderr}");
    assert_eq!(status.code(), 13);
    assert_eq!(
        outcome.error(),
        format!("internal error while {doing}: boom in two lines")
    );
    assert_eq!(stderr.matches("boom").count(), 1, "{stderr}");
    for word in ["panicked", "task ", "backtrace", "caused by"] {
        assert!(!stderr.contains(word), "{stderr}");
    }
}

macro_rules! bombs {
    ($($call:literal => $doing:expr,)*) => {
        [$((|| -> Arc<dyn Connector> { Arc::new(Bomb($call)) }, $call, $doing),)*]
    };
}

type Made = fn() -> Arc<dyn Connector>;

#[test]
fn a_panic_in_any_call_to_the_connector_names_the_call() {
    let bombs: [(Made, &str, &str); 7] = bombs! {
        "validate" => "validating the connector's settings",
        "metadata" => "reading the connector's metadata",
        "resource types" => "listing resource types",
        "resources" => "listing resources of type `user`",
        "static entitlements" => "listing static entitlements of type `user`",
        "entitlements" => "listing entitlements of user `u1`",
        "grants" => "listing grants of user `u1`",
    };
    for (connect, call, doing) in bombs {
        let mut stage = Stage::ready().engine(real_engine());
        stage.connect = Arc::new(connect);
        let outcome = stage.run(&["--workers", "4"]);
        assert_one_error(&outcome, doing);
        assert!(!stage.path().join("sync.c1z").exists(), "{call}");
    }
}

#[test]
fn a_panic_in_the_read_of_one_resource_names_it() {
    let mut stage = Stage::ready().engine(real_engine());
    stage.connect = Arc::new(|| Arc::new(Bomb("resource")));
    let outcome = stage.run(&["--sync-resources", "bid:r:user/u1"]);
    assert_one_error(&outcome, "listing user `u1`");
}

#[test]
fn a_panic_after_the_file_was_made_is_a_warning() {
    let mut stage = Stage::ready().engine(real_engine());
    stage.connect = Arc::new(|| Arc::new(Bomb("cleanup")));
    let outcome = stage.run(&[]);
    assert_eq!(outcome.status, ExitStatus::Success, "{}", outcome.stderr);
    assert!(stage.path().join("sync.c1z").exists());
    assert!(
        outcome
            .stderr
            .contains("internal error while cleaning up after the sync: boom in two lines"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_panic_while_the_connector_is_made_or_asked_what_it_can_do_is_an_error() {
    let mut stage = Stage::ready();
    stage.connect = Arc::new(|| panic!("boom\nin two lines"));
    assert_one_error(&stage.run(&[]), "setting up the connector");
    stage.types = Some(|| panic!("boom\nin two lines"));
    let doing = "reading the connector's capabilities";
    assert_one_error(&stage.run(&["capabilities"]), doing);
    stage.connect = Arc::new(|| Arc::new(Toy));
    assert_one_error(&stage.run(&[]), doing);
}

#[test]
fn a_panic_in_a_command_of_the_program_or_in_the_engine_is_an_error() {
    let mut stage = Stage::ready();
    stage.commands.push(ExtraCommand::new(
        "show",
        "Show",
        Box::new(|_| Box::pin(async { panic!("boom\nin two lines") })),
    ));
    assert_one_error(&stage.run(&["show"]), "running the command `show`");
    let engine: Engine = Arc::new(|_, _, _| Box::pin(async { panic!("boom\nin two lines") }));
    let mut stage = Stage::ready().engine(engine);
    assert_one_error(&stage.run(&[]), "syncing");
}
