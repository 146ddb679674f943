//! A connector in another process, asked again where that may help.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use baton_connector::{
    ActionState, Actions, Call, CallRetryPolicy, Connector, Error, EventFeeds, Invoke, Page,
    Result, Retrying, Row, Run, SplitMix, Struct, SystemClock, Tickets,
};
use baton_proto::Code;
use baton_proto::any;
use baton_proto::c1::connector::v2;
use prost_types::{Any, Timestamp};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

type Refuse = Box<dyn Fn(u32) -> Option<Error> + Send + Sync>;

/// Refuses calls as it is told, by their number.
struct Flaky {
    refuse: Mutex<Refuse>,
    asked: AtomicU32,
}

impl Flaky {
    fn answer<T>(&self, answer: T) -> Result<T> {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        match (self.refuse.lock().unwrap())(number) {
            Some(error) => Err(error),
            None => Ok(answer),
        }
    }
}

#[async_trait]
impl Connector for &'static Flaky {
    async fn metadata(&self, _: &Call) -> Result<v2::ConnectorMetadata> {
        self.answer(v2::ConnectorMetadata::default())
    }

    async fn validate(&self, _: &Call) -> Result<Vec<Any>> {
        self.answer(Vec::new())
    }

    async fn list_resource_types(&self, _: &Call) -> Result<Page<v2::ResourceType>> {
        self.answer(Page::empty())
    }

    async fn list_resources(
        &self,
        _: &Call,
        _: &str,
        _: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        self.answer(Page::empty())
    }

    async fn list_static_entitlements(&self, _: &Call, _: &str) -> Result<Page<v2::Entitlement>> {
        self.answer(Page::empty())
    }

    async fn list_entitlements(&self, _: &Call, _: &v2::Resource) -> Result<Page<v2::Entitlement>> {
        self.answer(Page::empty())
    }

    async fn list_grants(&self, _: &Call, _: &v2::Resource) -> Result<Page<v2::Grant>> {
        self.answer(Page::empty())
    }

    async fn list_entitlements_of_type(&self, _: &Call, _: &str) -> Result<Page<v2::Entitlement>> {
        self.answer(Page::empty())
    }

    async fn list_grants_of_type(&self, _: &Call, _: &str) -> Result<Page<v2::Grant>> {
        self.answer(Page::empty())
    }

    async fn get_resource(
        &self,
        _: &Call,
        _: &v2::ResourceId,
        _: Option<&v2::ResourceId>,
    ) -> Result<Option<Row<v2::Resource>>> {
        self.answer(None)
    }

    async fn added_entitlement(
        &self,
        _: &Call,
        _: &v2::Resource,
        _: &str,
    ) -> Result<Option<v2::Entitlement>> {
        self.answer(None)
    }

    async fn cleanup(&self, _: &Call) -> Result<()> {
        self.answer(())
    }

    fn event_feeds(&self) -> Option<&dyn EventFeeds> {
        Some(self)
    }

    fn tickets(&self) -> Option<&dyn Tickets> {
        Some(self)
    }

    fn actions(&self) -> Option<&dyn Actions> {
        Some(self)
    }
}

#[async_trait]
impl EventFeeds for &'static Flaky {
    async fn list_feeds(&self, _: &Call) -> Result<Vec<v2::EventFeedMetadata>> {
        self.answer(Vec::new())
    }

    async fn list_events(
        &self,
        _: &Call,
        _: &v2::ListEventsRequest,
    ) -> Result<v2::ListEventsResponse> {
        self.answer(v2::ListEventsResponse::default())
    }
}

#[async_trait]
impl Tickets for &'static Flaky {
    async fn list_schemas(&self, _: &Call) -> Result<Page<v2::TicketSchema>> {
        self.answer(Page::empty())
    }

    async fn get_schema(&self, _: &Call, _: &str) -> Result<v2::TicketSchema> {
        self.answer(v2::TicketSchema::default())
    }

    async fn create_ticket(
        &self,
        _: &Call,
        _: &v2::TicketsServiceCreateTicketRequest,
    ) -> Result<v2::TicketsServiceCreateTicketResponse> {
        self.answer(v2::TicketsServiceCreateTicketResponse::default())
    }

    async fn bulk_create_tickets(
        &self,
        _: &Call,
        _: &v2::TicketsServiceBulkCreateTicketsRequest,
    ) -> Result<v2::TicketsServiceBulkCreateTicketsResponse> {
        self.answer(v2::TicketsServiceBulkCreateTicketsResponse::default())
    }

    async fn get_ticket(
        &self,
        _: &Call,
        _: &v2::TicketsServiceGetTicketRequest,
    ) -> Result<v2::TicketsServiceGetTicketResponse> {
        self.answer(v2::TicketsServiceGetTicketResponse::default())
    }

    async fn bulk_get_tickets(
        &self,
        _: &Call,
        _: &v2::TicketsServiceBulkGetTicketsRequest,
    ) -> Result<v2::TicketsServiceBulkGetTicketsResponse> {
        self.answer(v2::TicketsServiceBulkGetTicketsResponse::default())
    }
}

#[async_trait]
impl Actions for &'static Flaky {
    async fn schemas(&self, _: &Call, _: Option<&str>) -> Result<Vec<v2::BatonActionSchema>> {
        self.answer(Vec::new())
    }

    async fn schema(&self, _: &Call, _: &str) -> Result<v2::BatonActionSchema> {
        self.answer(v2::BatonActionSchema::default())
    }

    async fn invoke(&self, call: &Call, wanted: Invoke<'_>) -> Result<ActionState> {
        self.status(call, wanted.name).await
    }

    async fn status(&self, _: &Call, id: &str) -> Result<ActionState> {
        self.answer(ActionState {
            id: id.to_owned(),
            name: String::new(),
            status: v2::BatonActionStatus::Complete,
            response: None,
        })
    }
}

struct Stage {
    flaky: &'static Flaky,
    connector: Retrying<&'static Flaky>,
    run: Run,
}

impl Stage {
    fn new(refuse: impl Fn(u32) -> Option<Error> + Send + Sync + 'static) -> Self {
        let flaky: &Flaky = Box::leak(Box::new(Flaky {
            refuse: Mutex::new(Box::new(refuse)),
            asked: AtomicU32::new(0),
        }));
        let policy = CallRetryPolicy::default();
        let connector = Retrying::new(
            flaky,
            policy,
            Arc::new(SystemClock),
            Arc::new(SplitMix::seeded(7)),
        );
        let run = Run::begin(None);
        Self {
            flaky,
            connector,
            run,
        }
    }

    async fn types(&self) -> Result<()> {
        let call = self.run.call();
        self.connector.list_resource_types(&call).await.map(drop)
    }

    fn asked(&self) -> u32 {
        self.flaky.asked.swap(0, Ordering::Relaxed)
    }
}

fn remote(code: Code) -> Error {
    Error::remote(code, "not now", Vec::new())
}

/// An error that asks for a wait, as Go connectors do.
fn busy(wait: Duration) -> Error {
    let reset = SystemTime::now() + wait + Duration::from_millis(500);
    let limit = v2::RateLimitDescription {
        reset_at: Some(Timestamp::from(reset)),
        ..v2::RateLimitDescription::default()
    };
    Error::remote(Code::Unavailable, "busy", vec![any::pack(&limit)])
}

#[tokio::test(start_paused = true)]
async fn only_errors_that_can_pass_are_met_with_another_try() {
    for code in Code::ALL {
        let stage = Stage::new(move |_| Some(remote(code)));
        let error = stage.types().await.expect_err("refused");
        assert_eq!(error.code(), code);
        let expected = match code {
            Code::Unavailable | Code::DeadlineExceeded => 3,
            _ => 1,
        };
        assert_eq!(stage.asked(), expected, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_states_a_wait_passes() {
    let limit = |number| {
        let busy = busy(Duration::from_secs(10));
        let limit = Error::remote(Code::ResourceExhausted, "busy", busy.details());
        (number < 5).then_some(limit)
    };
    let stage = Stage::new(limit);
    stage.types().await.expect("an answer in the end");
    assert_eq!(stage.asked(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_had_an_answer_is_more_patient_and_the_next_is_not() {
    let mut stage = Stage::new(|number| {
        (1..=20)
            .contains(&number)
            .then(|| remote(Code::Unavailable))
    });
    stage.types().await.expect("an answer");
    let began = Instant::now();
    stage.types().await.expect("an answer after many tries");
    assert_eq!(stage.asked(), 1 + 21);
    // 1 s, 2 s, and so on, of which the second half is drawn.
    let waited = began.elapsed().as_secs();
    assert!((105..=210).contains(&waited), "{waited}");
    *stage.flaky.refuse.lock().unwrap() = Box::new(|_| Some(remote(Code::Unavailable)));
    stage.run = Run::begin(None);
    stage.types().await.expect_err("refused");
    assert_eq!(stage.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_stated_wait_is_kept_to_and_is_no_try() {
    let stage = Stage::new(|number| (number < 7).then(|| busy(Duration::from_secs(30))));
    let began = Instant::now();
    stage.types().await.expect("an answer in the end");
    assert_eq!(stage.asked(), 8);
    let waited = began.elapsed().as_secs();
    assert!((7 * 30..7 * 32).contains(&waited), "{waited}");
}

#[tokio::test(start_paused = true)]
async fn thirty_minutes_without_a_success_end_a_run_with_unavailable() {
    for code in [Code::Unavailable, Code::DeadlineExceeded] {
        let stage = Stage::new(move |number| (number > 0).then(|| remote(code)));
        stage.types().await.expect("an answer");
        let began = Instant::now();
        let error = stage.types().await.expect_err("refused");
        assert_eq!(error.code(), Code::Unavailable);
        assert_eq!(
            error.to_string(),
            "no call to the connector has succeeded for 30 minutes"
        );
        let waited = began.elapsed().as_secs();
        assert!((29 * 60..=30 * 60).contains(&waited), "{waited}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_hour_is_not_an_hour_of_failures() {
    let stage = Stage::new(|number| (1..=3).contains(&number).then(|| remote(Code::Unavailable)));
    stage.types().await.expect("an answer");
    tokio::time::sleep(Duration::from_hours(1)).await;
    stage.types().await.expect("an answer in the end");
    assert_eq!(stage.asked(), 1 + 4);
}

#[tokio::test(start_paused = true)]
async fn a_period_that_ends_late_is_asked_about_each_minute() {
    let stage = Stage::new(|_| Some(busy(Duration::from_hours(2))));
    let began = Instant::now();
    stage.types().await.expect_err("refused");
    assert_eq!(stage.asked(), 30);
    assert_eq!(began.elapsed().as_secs(), 29 * 60);
}

#[tokio::test(start_paused = true)]
async fn another_success_of_the_run_gives_more_time() {
    let stage = Stage::new(|number| (number > 0).then(|| remote(Code::Unavailable)));
    stage.types().await.expect("an answer");
    let began = Instant::now();
    let other = async {
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_mins(20)).await;
            *stage.flaky.refuse.lock().unwrap() = Box::new(|_| None);
            stage.types().await.expect("an answer");
            *stage.flaky.refuse.lock().unwrap() = Box::new(|_| Some(remote(Code::Unavailable)));
        }
    };
    let (ended, ()) = tokio::join!(stage.types(), other);
    ended.expect_err("refused");
    let waited = began.elapsed().as_secs();
    assert!((89 * 60..=90 * 60).contains(&waited), "{waited}");
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_its_call() {
    let stage = Stage::new(|_| Some(busy(Duration::from_mins(10))));
    let stop = CancellationToken::new();
    let call = stage.run.call().stopped_by(stop.clone());
    let types = stage.connector.list_resource_types(&call);
    let (ended, ()) = tokio::join!(types, async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stop.cancel();
    });
    assert_eq!(ended.expect_err("stopped").code(), Code::Canceled);
}

#[tokio::test(start_paused = true)]
async fn every_read_is_repeated_and_nothing_else() {
    let stage = Stage::new(|_| Some(remote(Code::Unavailable)));
    let (connector, call) = (&stage.connector, &stage.run.call());
    let (resource, id) = (v2::Resource::default(), v2::ResourceId::default());
    let mut asked = Vec::new();
    let mut note = |name, failed: bool| {
        assert!(failed, "{name}");
        asked.push((name, stage.asked()));
    };
    note("metadata", connector.metadata(call).await.is_err());
    note("validate", connector.validate(call).await.is_err());
    note("types", connector.list_resource_types(call).await.is_err());
    let listed = connector.list_resources(call, "t", None).await;
    note("resources", listed.is_err());
    let listed = connector.list_static_entitlements(call, "t").await;
    note("static entitlements", listed.is_err());
    let listed = connector.list_entitlements(call, &resource).await;
    note("entitlements", listed.is_err());
    let listed = connector.list_grants(call, &resource).await;
    note("grants", listed.is_err());
    let listed = connector.list_entitlements_of_type(call, "t").await;
    note("entitlements of a type", listed.is_err());
    let listed = connector.list_grants_of_type(call, "t").await;
    note("grants of a type", listed.is_err());
    let got = connector.get_resource(call, &id, None).await;
    note("resource", got.is_err());
    let made = connector.added_entitlement(call, &resource, "s").await;
    note("added entitlement", made.is_err());
    assert!(asked.iter().all(|(_, times)| *times == 3), "{asked:?}");
    connector.cleanup(call).await.expect_err("refused");
    assert_eq!(stage.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn reads_of_feeds_tickets_and_actions_are_repeated_and_their_writes_are_not() {
    let stage = Stage::new(|_| Some(remote(Code::Unavailable)));
    let (connector, call) = (&stage.connector, &stage.run.call());
    let mut asked = Vec::new();
    let mut note = |failed: bool| {
        assert!(failed);
        asked.push(stage.asked());
    };
    let feeds = connector.event_feeds().unwrap();
    note(feeds.list_feeds(call).await.is_err());
    let wanted = v2::ListEventsRequest::default();
    note(feeds.list_events(call, &wanted).await.is_err());
    let tickets = connector.tickets().unwrap();
    note(tickets.list_schemas(call).await.is_err());
    note(tickets.get_schema(call, "s").await.is_err());
    let got = v2::TicketsServiceGetTicketRequest::default();
    note(tickets.get_ticket(call, &got).await.is_err());
    let got = v2::TicketsServiceBulkGetTicketsRequest::default();
    note(tickets.bulk_get_tickets(call, &got).await.is_err());
    let actions = connector.actions().unwrap();
    note(actions.schemas(call, None).await.is_err());
    note(actions.schema(call, "a").await.is_err());
    note(actions.status(call, "a").await.is_err());
    let wanted = v2::TicketsServiceCreateTicketRequest::default();
    note(tickets.create_ticket(call, &wanted).await.is_err());
    let wanted = v2::TicketsServiceBulkCreateTicketsRequest::default();
    note(tickets.bulk_create_tickets(call, &wanted).await.is_err());
    let arguments = Struct::default();
    let wanted = Invoke {
        name: "a",
        type_id: None,
        arguments: &arguments,
        inline_wait: Duration::ZERO,
    };
    note(actions.invoke(call, wanted).await.is_err());
    assert_eq!(asked, [3, 3, 3, 3, 3, 3, 3, 3, 3, 1, 1, 1]);
    assert!(connector.provisioning().is_none());
}
