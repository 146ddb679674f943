//! The program as a child of this project's own parent.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use baton_connector::{Call, Connector as _};
use baton_grpc::child::{Child, ChildError, Credentials, Launch};
use baton_grpc::{ClientSettings, RemoteConnector, channel};
use tokio_util::sync::CancellationToken;

use crate::harness::Harness;

/// A busy machine starts a program slowly.
const PATIENCE: Duration = Duration::from_mins(1);

fn launch(harness: &Harness) -> Launch {
    let credentials = Credentials::issue(SystemTime::now()).unwrap();
    let mut launch = Launch::new(env!("CARGO_BIN_EXE_baton-csv"), credentials);
    let words = ["--folder", "tables", "--ticketing"];
    launch.args = words.map(OsString::from).to_vec();
    launch.cwd = Some(harness.dir.path().to_owned());
    launch.to_serve = PATIENCE;
    launch
}

fn connector(child: &Child) -> RemoteConnector {
    let dialer = child.dialer();
    let settings = ClientSettings::new(dialer.address().to_string());
    let channel = channel(move || {
        let dialer = dialer.clone();
        async move { dialer.dial().await }
    });
    RemoteConnector::new(channel, settings)
}

/// The processes whose current folder is that of the harness.
fn processes_in(harness: &Harness) -> usize {
    let folder = harness.dir.path().canonicalize().unwrap();
    let processes = std::fs::read_dir("/proc").unwrap();
    processes
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path().join("cwd")).ok())
        .filter(|cwd| *cwd == folder)
        .count()
}

async fn no_process_is_left(harness: &Harness) {
    let gone = async {
        while processes_in(harness) > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone)
        .await
        .expect("no process");
}

#[tokio::test]
async fn a_child_is_driven_and_ended() {
    let harness = Harness::new();
    let child = launch(&harness).start().await.unwrap();
    assert_eq!(processes_in(&harness), 1);
    let connector = connector(&child);
    connector.validate(&Call::alone()).await.unwrap();
    let users = connector.list_resources(&Call::alone(), "user", None).await;
    assert!(!users.unwrap().items().is_empty());
    let ended = tokio::time::timeout(PATIENCE, child.end()).await.unwrap();
    assert!(ended.unwrap().status.success());
    assert_eq!(processes_in(&harness), 0);
    // The listening socket went with it.
    let error = connector.validate(&Call::alone()).await.unwrap_err();
    assert_eq!(error.code(), baton_connector::Code::Unavailable);
}

#[tokio::test]
async fn a_child_that_is_dropped_ends() {
    let harness = Harness::new();
    let child = launch(&harness).start().await.unwrap();
    drop(child);
    no_process_is_left(&harness).await;
}

#[tokio::test]
async fn the_death_of_a_child_at_any_time_is_noticed() {
    let harness = Harness::new();
    for wait in (0..30).map(|step| Duration::from_millis(step * step / 3)) {
        let stop = CancellationToken::new();
        let killing = async {
            while processes_in(&harness) == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            tokio::time::sleep(wait).await;
            kill_all_in(&harness);
        };
        let driving = async {
            let error = match launch(&harness).start().await {
                Err(error) => error,
                Ok(child) => {
                    let connector = Arc::new(connector(&child));
                    let call = Call::alone().stopped_by(stop.clone());
                    tokio::select! {
                        error = child.ended() => error,
                        // Calls that fail do not end it.
                        () = async {
                            loop {
                                let _ = connector.list_resources(&call, "user", None).await;
                                tokio::time::sleep(Duration::from_millis(1)).await;
                            }
                        } => unreachable!("the loop has no end"),
                    }
                }
            };
            let text = error.to_string();
            assert!(text.contains("signal: 9"), "{text}");
            assert!(matches!(
                error,
                ChildError::EndedEarly { .. } | ChildError::Ended { .. }
            ));
        };
        let both = async { tokio::join!(killing, driving) };
        tokio::time::timeout(PATIENCE, both)
            .await
            .expect("an error");
        no_process_is_left(&harness).await;
    }
}

/// Kills the processes whose current folder is that of the harness.
fn kill_all_in(harness: &Harness) {
    let folder = harness.dir.path().canonicalize().unwrap();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let cwd = std::fs::read_link(entry.path().join("cwd"));
        let id = entry.file_name().to_string_lossy().parse::<i32>();
        if let (Ok(cwd), Ok(id)) = (cwd, id)
            && cwd == folder
        {
            let id = rustix::process::Pid::from_raw(id).unwrap();
            let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
        }
    }
}
