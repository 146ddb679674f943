//! Actions: registration, and their life cycle in paused time.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use baton_connector::resource::{Profile, ResourceTypeBuilder};
use baton_connector::{
    Action, ActionSchema, ActionState, Argument, Arguments, BuiltConnector, Call, Change,
    ChangeSettings, Clock, Code, Connector as _, ConnectorBuilder, Creation, Error, Invoke, Page,
    Plan, Recorder, Report, ResourceSyncer, Result, SplitMix, TypeSpec, Types, Write, async_trait,
    new_ksuid, v2,
};
use prost_types::Struct;
use tokio_util::sync::CancellationToken;
use v2::BatonActionStatus as Status;

/// What the actions of a connector did.
#[derive(Debug, Default)]
struct Done {
    described: AtomicUsize,
    written: AtomicUsize,
}

/// A clock that stands still, so that ids are known.
#[derive(Debug)]
struct Noon;

impl Clock for Noon {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_hours(500_000)
    }
}

/// What an action does.
#[derive(Debug, Clone, Copy)]
enum Does {
    Work,
    TakesSeconds(u64),
    /// A write that takes so long and cannot be stopped.
    WritesFor(u64),
    Fails,
    Panics,
    NeverEnds,
    AnswersNothing,
    AnswersBytes(usize),
}

struct Robot(Arc<Done>, Does);

#[async_trait]
impl Action for Robot {
    async fn describe(&self, call: &Call, arguments: &Arguments) -> Result<Creation<Struct>> {
        self.0.described.fetch_add(1, Ordering::Relaxed);
        let mut answer = Profile::new().flag("success", true);
        let mut write_seconds = 0;
        match self.1 {
            Does::Work => {}
            Does::TakesSeconds(seconds) => {
                let wait = tokio::time::sleep(Duration::from_secs(seconds));
                call.unless_stopped(wait).await?;
            }
            Does::WritesFor(seconds) => write_seconds = seconds,
            Does::Fails => {
                let cause = Error::stated(Code::PermissionDenied, "no permission");
                return Err(cause.during("cannot read the robot"));
            }
            Does::Panics => panic!("made to\npanic"),
            Does::NeverEnds => pending().await,
            Does::AnswersNothing => answer = Profile::new(),
            Does::AnswersBytes(bytes) => answer = answer.text("long", "x".repeat(bytes)),
        }
        if !answer.is_empty() {
            answer = answer.maybe_text("a", arguments.maybe_text("a"));
        }
        let answer = answer.build();
        let done = Arc::clone(&self.0);
        let write = Write::local("move an arm", move |_call| {
            let done = Arc::clone(&done);
            async move {
                tokio::time::sleep(Duration::from_secs(write_seconds)).await;
                done.written.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
        });
        let change = Change::create().write(write);
        Ok(change.gives(move |_call, _made| async move { Ok(answer) }))
    }
}

fn actions() -> [(&'static str, Does); 8] {
    [
        ("work", Does::Work),
        ("slow", Does::TakesSeconds(10)),
        ("writes", Does::WritesFor(30)),
        ("fails", Does::Fails),
        ("panics", Does::Panics),
        ("never", Does::NeverEnds),
        ("nothing", Does::AnswersNothing),
        ("large", Does::AnswersBytes(2 << 20)),
    ]
}

fn robots() -> (BuiltConnector, Arc<Done>) {
    let done = Arc::new(Done::default());
    let mut types = Types::new();
    for (name, does) in actions() {
        let schema = ActionSchema::new(name).argument(Argument::text("a"));
        types = types.action(schema, move |done: &Arc<Done>| {
            Ok(Robot(Arc::clone(done), does))
        });
    }
    let connector = built(&types, &done).unwrap();
    (connector, done)
}

fn built<C: 'static>(types: &Types<C>, connected: &C) -> Result<BuiltConnector> {
    let random = Arc::new(SplitMix::seeded(7));
    let builder = ConnectorBuilder::new().clock(Arc::new(Noon)).random(random);
    builder.types(types, connected)?.build()
}

async fn invoke(
    connector: &BuiltConnector,
    call: &Call,
    name: &str,
    seconds: u64,
) -> Result<ActionState> {
    let arguments = Profile::new().text("a", "1").number("n", 2.0).build();
    let wanted = Invoke {
        name,
        type_id: None,
        arguments: &arguments,
        inline_wait: Duration::from_secs(seconds),
    };
    connector.actions().unwrap().invoke(call, wanted).await
}

async fn status(connector: &BuiltConnector, id: &str) -> Result<ActionState> {
    let actions = connector.actions().unwrap();
    actions.status(&Call::alone(), id).await
}

#[tokio::test(start_paused = true)]
async fn a_fast_action_is_complete_when_the_call_returns() {
    let (connector, done) = robots();
    let state = invoke(&connector, &Call::alone(), "work", 0).await.unwrap();
    assert_eq!(
        (state.name.as_str(), state.status),
        ("work", Status::Complete)
    );
    assert_eq!(state.id.len(), 27);
    let answer = Profile::new().flag("success", true).text("a", "1").build();
    assert_eq!(state.response, Some(answer));
    assert_eq!(status(&connector, &state.id).await.unwrap(), state);
    assert_eq!(done.written.load(Ordering::Relaxed), 1);
    let unknown = status(&connector, "x").await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    assert_eq!(unknown.to_string(), "action id x not found");
}

#[tokio::test(start_paused = true)]
async fn a_slow_action_outlives_its_call_and_is_waited_for_as_asked() {
    let (connector, _) = robots();
    for (wait, waited, status) in [
        (0, 1, Status::Running),
        (3, 3, Status::Running),
        (60, 10, Status::Complete),
        (100_000, 10, Status::Complete),
    ] {
        let began = tokio::time::Instant::now();
        let state = invoke(&connector, &Call::alone(), "slow", wait).await;
        assert_eq!(state.unwrap().status, status, "{wait}");
        assert_eq!(began.elapsed().as_secs(), waited, "{wait}");
    }
    let state = invoke(&connector, &Call::alone(), "slow", 0).await.unwrap();
    assert!(!state.is_final());
    tokio::time::sleep(Duration::from_secs(10)).await;
    let state = status(&connector, &state.id).await.unwrap();
    assert_eq!(state.status, Status::Complete);
}

#[tokio::test(start_paused = true)]
async fn a_failure_and_a_panic_are_states_with_their_text() {
    let (connector, _) = robots();
    for (name, text) in [
        ("fails", "cannot read the robot: no permission"),
        ("panics", "panic in action handler: made to panic"),
    ] {
        let state = invoke(&connector, &Call::alone(), name, 0).await.unwrap();
        assert_eq!(state.status, Status::Failed);
        assert_eq!(state.failure(), Some(text));
    }
    let nothing = invoke(&connector, &Call::alone(), "nothing", 0)
        .await
        .unwrap();
    assert_eq!((nothing.status, nothing.response), (Status::Complete, None));
    let large = invoke(&connector, &Call::alone(), "large", 0)
        .await
        .unwrap();
    let response = large.response.unwrap();
    assert!(prost::Message::encoded_len(&response) > 2 << 20);
}

#[tokio::test(start_paused = true)]
async fn an_action_that_never_ends_fails_after_an_hour() {
    let (connector, _) = robots();
    let state = invoke(&connector, &Call::alone(), "never", 7200)
        .await
        .unwrap();
    assert_eq!(
        state.status,
        Status::Running,
        "no call waits longer than an hour"
    );
    tokio::time::sleep(Duration::from_mins(11)).await;
    let state = status(&connector, &state.id).await.unwrap();
    let text = "time limit of 1 h reached; the action did not end";
    assert_eq!(
        (state.status, state.failure()),
        (Status::Failed, Some(text))
    );
}

#[tokio::test(start_paused = true)]
async fn an_action_is_failed_while_its_caller_is_gone_and_has_its_outcome_afterwards() {
    let (connector, done) = robots();
    let stop = CancellationToken::new();
    let call = Call::alone().stopped_by(stop.clone());
    let (ended, ()) = tokio::join!(invoke(&connector, &call, "slow", 60), async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        stop.cancel();
    });
    assert_eq!(ended.unwrap_err().code(), Code::Canceled);
    // A call that was canceled before it began anything begins nothing.
    let refused = invoke(&connector, &call, "work", 0).await.unwrap_err();
    assert_eq!(refused.code(), Code::Canceled);
    assert_eq!(done.described.load(Ordering::Relaxed), 1);
    // The id is the first of this connector's.
    let id = new_ksuid(Noon.now(), &SplitMix::seeded(7));
    let state = status(&connector, &id).await.unwrap();
    let text = "the call was canceled; the action continues";
    assert_eq!(
        (state.status, state.failure()),
        (Status::Failed, Some(text))
    );
    tokio::time::sleep(Duration::from_secs(10)).await;
    let state = status(&connector, &id).await.unwrap();
    assert_eq!(state.status, Status::Complete);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_counts_as_canceled() {
    let (connector, _) = robots();
    let call = Call::alone();
    let waiting = invoke(&connector, &call, "slow", 60);
    let cut = tokio::time::timeout(Duration::from_secs(2), waiting).await;
    assert!(cut.is_err());
    let id = new_ksuid(Noon.now(), &SplitMix::seeded(7));
    let state = status(&connector, &id).await.unwrap();
    assert_eq!(state.status, Status::Failed);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let state = status(&connector, &id).await.unwrap();
    assert_eq!(state.status, Status::Complete);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_connector_ends_its_actions_and_brings_writes_to_their_end() {
    let (connector, done) = robots();
    let waits = invoke(&connector, &Call::alone(), "slow", 0).await.unwrap();
    let writes = invoke(&connector, &Call::alone(), "writes", 0)
        .await
        .unwrap();
    connector.local().unwrap().end_actions().await;
    let waits = status(&connector, &waits.id).await.unwrap();
    let text = "the connector is to stop: the run is to stop";
    assert_eq!(waits.failure(), Some(text));
    let writes = status(&connector, &writes.id).await.unwrap();
    assert_eq!(writes.status, Status::Complete);
    assert_eq!(done.written.load(Ordering::Relaxed), 1);
    // One that ignores the request is dropped.
    let (connector, _) = robots();
    let never = invoke(&connector, &Call::alone(), "never", 0)
        .await
        .unwrap();
    let began = tokio::time::Instant::now();
    connector.local().unwrap().end_actions().await;
    assert_eq!(began.elapsed().as_secs(), 600);
    let never = status(&connector, &never.id).await.unwrap();
    let text = "the connector is to stop; the action did not end";
    assert_eq!(never.failure(), Some(text));
    // A dropped connector cancels them.
    let (connector, done) = robots();
    invoke(&connector, &Call::alone(), "writes", 0)
        .await
        .unwrap();
    drop(connector);
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(done.written.load(Ordering::Relaxed), 0);
}

/// Keeps the operations that it is asked to record.
#[derive(Debug, Default)]
struct Kept(Mutex<Vec<String>>);

#[async_trait]
impl Recorder for Kept {
    async fn planned(&self, plan: &Plan<'_>) -> Result<()> {
        let line = format!("planned {}", plan.operation.name());
        self.0.lock().unwrap().push(line);
        Ok(())
    }

    async fn intended(&self, plan: &Plan<'_>) -> Result<()> {
        let line = format!("intended {}", plan.writes[0].target);
        self.0.lock().unwrap().push(line);
        Ok(())
    }

    async fn finished(&self, report: &Report<'_>) -> Result<()> {
        self.0
            .lock()
            .unwrap()
            .push(report.outcome.name().to_owned());
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn an_action_is_recorded_and_dry_run_as_every_change() {
    let (connector, done) = robots();
    let kept = Arc::new(Kept::default());
    for dry_run in [true, false] {
        let call = Call::alone().with_changes(ChangeSettings {
            dry_run,
            recorder: Some(Arc::clone(&kept) as Arc<dyn Recorder>),
            ..ChangeSettings::default()
        });
        let state = invoke(&connector, &call, "work", 0).await.unwrap();
        assert_eq!(state.status, Status::Complete);
        assert_eq!(state.response.is_none(), dry_run);
    }
    assert_eq!(done.written.load(Ordering::Relaxed), 1);
    assert_eq!(
        *kept.0.lock().unwrap(),
        [
            "planned action",
            "planned action",
            "intended move an arm",
            "done"
        ]
    );
}

struct Doors;

#[async_trait]
impl ResourceSyncer for Doors {
    async fn list(
        &self,
        _call: &Call,
        _parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        Ok(Page::empty())
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "registration wants a function that can fail"
)]
fn robot(done: &Arc<Done>) -> Result<Robot> {
    Ok(Robot(Arc::clone(done), Does::Work))
}

type Spec = TypeSpec<Arc<Done>, Doors>;

fn door(id: &str) -> Spec {
    let door = ResourceTypeBuilder::new(id, "Door").build().unwrap();
    TypeSpec::new(door, |_: &Arc<Done>| Ok(Doors))
}

#[tokio::test]
async fn actions_are_found_by_their_type_and_name() {
    let lock = ActionSchema::new("lock").action_type(v2::ActionType::ResourceDisable);
    let types = Types::new()
        .action(ActionSchema::new("ring"), robot)
        .action(ActionSchema::new("lock"), robot)
        .with(door("door").action(lock, robot))
        .with(door("gate"));
    let announced = types.capabilities().unwrap();
    let connector = built(&types, &Arc::default()).unwrap();
    let call = Call::alone();
    let metadata = connector.metadata(&call).await.unwrap();
    assert_eq!(metadata.capabilities, Some(announced.clone()));
    let all = [v2::Capability::Sync, v2::Capability::Actions].map(i32::from);
    assert_eq!(announced.connector_capabilities, all);
    let of_door = &announced.resource_type_capabilities[0].capabilities;
    assert_eq!(of_door, &[i32::from(v2::Capability::Sync)]);
    let actions = connector.actions().unwrap();
    for (type_id, names) in [
        (None, "lock, ring, door/lock"),
        (Some(""), "lock, ring, door/lock"),
        (Some("door"), "door/lock"),
        (Some("gate"), ""),
        (Some("x"), ""),
    ] {
        let schemas = actions.schemas(&call, type_id).await.unwrap();
        let schemas = schemas
            .iter()
            .map(|schema| match schema.resource_type_id.as_str() {
                "" => schema.name.clone(),
                type_id => format!("{type_id}/{}", schema.name),
            });
        assert_eq!(schemas.collect::<Vec<_>>().join(", "), names, "{type_id:?}");
    }
    assert_eq!(actions.schema(&call, "ring").await.unwrap().name, "ring");
    let scoped = actions.schema(&call, "x").await.unwrap_err();
    assert_eq!(scoped.to_string(), "action x not found");
    let arguments = Struct::default();
    for (name, type_id, text) in [
        ("lock", Some("door"), ""),
        ("ring", None, ""),
        ("x", None, "handler for action x not found"),
        (
            "ring",
            Some("door"),
            "handler for action ring not found for resource type door",
        ),
        (
            "lock",
            Some("gate"),
            "no actions found for resource type gate",
        ),
    ] {
        let wanted = Invoke {
            name,
            type_id,
            arguments: &arguments,
            inline_wait: Duration::ZERO,
        };
        match actions.invoke(&call, wanted).await {
            Ok(state) => assert_eq!((state.status, text), (Status::Complete, "")),
            Err(error) => {
                assert_eq!(
                    (error.code(), error.to_string().as_str()),
                    (Code::NotFound, text)
                );
            }
        }
    }
}

#[test]
fn what_cannot_be_registered_is_refused_by_name() {
    let kind = || ActionSchema::new("b").action_type(v2::ActionType::AccountDisable);
    let pattern = |pattern: &str| {
        let rules = baton_connector::config::StringRules {
            pattern: Some(pattern.to_owned()),
            ..Default::default()
        };
        let field = baton_connector::config::StringField {
            rules: Some(rules),
            ..Default::default()
        };
        let kind = baton_connector::config::field::Field::StringField(field);
        ActionSchema::new("a").argument(Argument::of_kind("x", kind))
    };
    let dynamic = || ActionSchema::new("a").action_type(v2::ActionType::Dynamic);
    let one = |schema: ActionSchema| Types::new().action(schema, robot);
    let unnamed = baton_connector::config::Field::default();
    let of_no_kind = baton_connector::config::Field {
        name: "x".to_owned(),
        ..Default::default()
    };
    let a = || Argument::text("x");
    let cases = [
        (one(ActionSchema::new("")), "``: its name is empty"),
        (
            one(ActionSchema::new("a")).action(ActionSchema::new("a"), robot),
            "`a`: another action",
        ),
        (
            Types::new().with(door("door").action(kind(), robot).action(
                ActionSchema::new("c").action_type(v2::ActionType::AccountDisable),
                robot,
            )),
            "`c` of resource type `door`: the type has another action of kind",
        ),
        (
            one(ActionSchema::new("a").argument(unnamed)),
            "`a`: an argument has no name",
        ),
        (
            one(ActionSchema::new("a").argument(of_no_kind)),
            "`a`: argument `x` has no kind",
        ),
        (
            one(ActionSchema::new("a").argument(a()).argument(a())),
            "`x` is declared twice",
        ),
        (
            one(ActionSchema::new("a").at_least_one(["y"])),
            "a constraint names `y`",
        ),
        (
            one(pattern("a(")),
            "the pattern of argument `x` cannot be used",
        ),
        (
            one(pattern("a{1000}{1000}")),
            "the pattern of argument `x` cannot be used",
        ),
    ];
    for (types, text) in cases {
        let error = types.capabilities().unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
        assert_eq!(error.code(), Code::InvalidArgument);
        assert!(built(&types, &Arc::default()).is_err(), "{text}");
    }
    // Kinds without a meaning may come twice, and kinds of different types.
    let types = Types::new()
        .action(kind(), robot)
        .action(dynamic(), robot)
        .with(door("door").action(kind(), robot).action(dynamic(), robot))
        .with(door("gate").action(kind(), robot));
    types.capabilities().unwrap();
    let builder = ConnectorBuilder::new()
        .types(&types, &Arc::default())
        .unwrap();
    assert!(
        builder
            .build()
            .unwrap_err()
            .to_string()
            .contains("need random numbers")
    );
}
