//! SIGINT and SIGTERM.

use std::sync::Arc;

use baton_runtime::{Engine, Signal, Signals};
use baton_sync::{Error, Phase};

use crate::stage::Stage;

/// Waits for the cancellation and ends as the engine does.
fn waiting_engine() -> Engine {
    Arc::new(|_, _, host| {
        Box::pin(async move {
            host.cancel.cancelled().await;
            Err(Error::Interrupted {
                phase: Phase::Grants,
            })
        })
    })
}

fn stage(engine: Engine, signals: &[Signal]) -> Stage {
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    for signal in signals {
        sender.try_send(*signal).unwrap();
    }
    let mut stage = Stage::ready().engine(engine);
    stage.signals = Some(Signals::Given(receiver));
    stage
}

#[test]
fn the_first_signal_stops_the_run_resumably() {
    for (signal, code) in [(Signal::Interrupt, 130), (Signal::Terminate, 143)] {
        let outcome = stage(waiting_engine(), &[signal]).run(&["--log-level", "error"]);
        assert_eq!(outcome.status.code(), code);
        assert!(
            outcome.stderr.contains("a second signal stops at once"),
            "{}",
            outcome.stderr
        );
        assert!(
            outcome
                .stderr
                .contains("interrupted during grants; run the same command again to resume"),
            "{}",
            outcome.stderr
        );
        assert!(!outcome.stderr.contains("error:"), "{}", outcome.stderr);
    }
}

#[test]
fn the_second_signal_ends_a_run_that_does_not_stop() {
    let stuck: Engine = Arc::new(|_, _, _| Box::pin(std::future::pending()));
    let outcome = stage(stuck, &[Signal::Interrupt, Signal::Terminate]).run(&[]);
    assert_eq!(outcome.status.code(), 143);
    assert!(
        outcome
            .stderr
            .contains("stopped at once; the next run resumes"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_failure_after_the_signal_keeps_its_own_code() {
    let failing: Engine = Arc::new(|_, _, host| {
        Box::pin(async move {
            host.cancel.cancelled().await;
            Err(Error::Journal { what: "phase" })
        })
    });
    let outcome = stage(failing, &[Signal::Interrupt]).run(&[]);
    assert_eq!(outcome.status.code(), 15);
    assert!(outcome.stderr.contains("error: "), "{}", outcome.stderr);
}

#[test]
fn a_run_that_finishes_in_spite_of_the_signal_is_a_success() {
    let outcome = stage(crate::sync::complete_engine(), &[Signal::Interrupt]).run(&[]);
    assert_eq!(outcome.status.code(), 0);
}
