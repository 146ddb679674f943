//! Collectors that do not work: the program is not held up.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::Dispatch;
use tracing::instrument::WithSubscriber as _;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::collector::Behaviour;
use crate::stage::Stage;

/// Keeps the warnings of the export.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

struct Text(String);

impl tracing::field::Visit for Text {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        write!(self.0, "{}={value:?} ", field.name()).unwrap();
    }
}

impl<S: tracing::Subscriber> Layer<S> for Warnings {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        // As logs do, which hear of other packages from this level on.
        if *event.metadata().level() > tracing::Level::WARN {
            return;
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.lock().unwrap().push(text.0);
    }
}

/// Sends many rows to a collector that behaves like this, for ten minutes, and ends.
async fn ten_minutes(behaviour: Behaviour) -> (Stage, Vec<String>) {
    let warnings = Warnings::default();
    let log = Dispatch::new(tracing_subscriber::registry().with(warnings.clone()));
    // For tasks that are spawned, too: they run on this thread.
    let _default = tracing::dispatcher::set_default(&log);
    let stage = Stage::new();
    stage.collector.behave(behaviour);
    for round in 0..600 {
        let began = Instant::now();
        for row in 0..100 {
            stage.log(&format!("line {round} {row}"));
            stage.within(|| drop(tracing::info_span!("work").entered()));
        }
        assert_eq!(began.elapsed(), Duration::ZERO, "the program waited");
        sleep(Duration::from_secs(1)).await;
    }
    let warned = warnings.0.lock().unwrap().clone();
    (stage, warned)
}

async fn ends_in_time(stage: Stage) {
    let began = Instant::now();
    let collector = stage.shutdown().await;
    assert!(
        began.elapsed() <= Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    drop(collector);
}

#[tokio::test(start_paused = true)]
async fn a_collector_that_refuses_or_dies_or_hangs_holds_nothing_up() {
    for behaviour in [
        Behaviour::Refuses("14"),
        Behaviour::Refuses("7"),
        Behaviour::Dies,
        Behaviour::Hangs,
    ] {
        let (stage, warnings) = ten_minutes(behaviour.clone()).await;
        // At 0, 5 and perhaps 10 minutes.
        assert!(
            (1..=3).contains(&warnings.len()),
            "{behaviour:?}: {warnings:#?}"
        );
        assert!(warnings[0].contains("cannot export"), "{warnings:#?}");
        assert!(warnings[0].contains("otel.test:4317"), "{warnings:#?}");
        assert!(
            !warnings[1].contains("lost=0"),
            "{behaviour:?}: {warnings:#?}"
        );
        assert!(stage.collector.received().logs.is_empty());
        ends_in_time(stage).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_collector_gets_what_it_can_take() {
    let (stage, warnings) = ten_minutes(Behaviour::Slow(Duration::from_secs(8))).await;
    assert!((1..=3).contains(&warnings.len()), "{warnings:#?}");
    let taken = stage.collector.received().logs.len();
    assert!((30_000..60_000).contains(&taken), "{taken}");
    ends_in_time(stage).await;
}

#[tokio::test(start_paused = true)]
async fn a_collector_that_comes_back_gets_what_waited() {
    let stage = Stage::new();
    stage.collector.behave(Behaviour::Refuses("14"));
    stage.log("before");
    sleep(Duration::from_secs(5)).await;
    assert!(stage.collector.received().requests >= 2);
    stage.collector.behave(Behaviour::Dies);
    sleep(Duration::from_secs(4)).await;
    stage.collector.behave(Behaviour::Takes);
    sleep(Duration::from_secs(20)).await;
    assert_eq!(stage.collector.received().logs.len(), 1);
    stage.log("after");
    let collector = stage.shutdown().await;
    assert_eq!(collector.received().logs.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_refused_for_good_is_sent_once() {
    let stage = Stage::new();
    stage.collector.behave(Behaviour::Refuses("3"));
    stage.log("refused");
    sleep(Duration::from_mins(2)).await;
    assert_eq!(stage.collector.received().requests, 1);
    ends_in_time(stage).await;
}

#[tokio::test(start_paused = true)]
async fn requests_stay_below_the_size_that_collectors_accept() {
    let stage = Stage::new();
    let large = "x".repeat(100_000);
    for _ in 0..400 {
        stage.log(&large);
    }
    let collector = stage.shutdown().await;
    let received = collector.received();
    assert_eq!(received.logs.len(), 400, "long texts are cut");
    assert!(received.requests >= 3, "{}", received.requests);
}

#[tokio::test(start_paused = true)]
async fn the_exports_log_nothing_that_would_be_exported() {
    let warnings = Warnings::default();
    let stage = Stage::new();
    let log = Dispatch::new(tracing_subscriber::registry().with(warnings.clone()));
    let work = async {
        stage.log("one line");
        sleep(Duration::from_secs(3)).await;
        stage.shutdown().await
    };
    let collector = work.with_subscriber(log).await;
    assert_eq!(collector.received().requests, 1);
    assert!(warnings.0.lock().unwrap().is_empty());
}
