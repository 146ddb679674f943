//! A run that is interrupted goes on where it stopped.

use std::fs;
use std::sync::{Arc, Mutex};

use baton_runtime::{ExitStatus, Signal, Signals, Stderr, World};
use baton_sync::{Event, Observer, Phase};
use tokio::sync::mpsc::Sender;

use crate::stage::Stage;

/// Asks the run to stop once the first page of grants is stored.
struct StopAtGrants {
    stop: Sender<Signal>,
    inner: Arc<dyn Observer>,
}

impl Observer for StopAtGrants {
    fn event(&self, event: &Event) {
        self.inner.event(event);
        if matches!(
            event,
            Event::Page {
                phase: Phase::Grants,
                ..
            }
        ) {
            // The first request is enough; later ones find the channel full or closed.
            let _ = self.stop.try_send(Signal::Terminate);
        }
    }
}

/// One run of the program in this process, stopped in the middle of the grants.
fn interrupt(stage: &Stage) -> ExitStatus {
    let (stop, signals) = tokio::sync::mpsc::channel(1);
    let stop = Mutex::new(stop);
    let world = World::of_process().unwrap();
    let engine = world.engine;
    let world = World {
        args: ["--folder", "tables", "-f", "access.c1z"]
            .map(Into::into)
            .to_vec(),
        env: baton_runtime::Environment::default(),
        exe: None,
        cwd: stage.dir.path().to_path_buf(),
        stdout: Box::new(std::io::sink()),
        stderr: Stderr::new(Box::new(std::io::sink()), false, false),
        signals: Signals::Given(signals),
        engine: Arc::new(move |connector, request, mut host| {
            host.observer = Arc::new(StopAtGrants {
                stop: stop.lock().unwrap().clone(),
                inner: host.observer,
            });
            engine(connector, request, host)
        }),
        ..world
    };
    baton_runtime::run(&baton_csv::app(), world)
}

#[test]
fn an_interrupted_run_is_resumed_and_ends_as_if_undisturbed() {
    let (stage, calm) = (Stage::new(), Stage::new());
    assert_eq!(interrupt(&stage), ExitStatus::Terminated);
    assert!(!stage.dir.path().join("access.c1z").exists());
    let outcome = stage.sync(&[]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains(r#""resumed":true"#),
        "{}",
        outcome.stderr
    );
    assert_eq!(calm.sync(&[]).code, Some(0));
    assert_eq!(stage.grants(), calm.grants());
}

#[test]
fn work_on_other_tables_is_not_resumed() {
    let stage = Stage::new();
    assert_eq!(interrupt(&stage), ExitStatus::Terminated);
    let users = fs::read_to_string(stage.table("users.csv")).unwrap();
    fs::write(
        stage.table("users.csv"),
        users.replace("Ada Byron", "Ada King"),
    )
    .unwrap();
    let outcome = stage.sync(&[]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains(r#""resumed":false"#),
        "{}",
        outcome.stderr
    );
    assert!(
        stage
            .baton(&["resources", "-t", "user"])
            .contains("Ada King")
    );
}
