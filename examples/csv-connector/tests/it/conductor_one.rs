//! The program as a service of ConductorOne: the built program, over TLS.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use c1_sim::{Call, ClientKey, Config, Listener, PlannedTask, ServerHandle, Simulator};
use tokio::process::{Child, Command};

use crate::harness::Harness;

const SYNC: &str = r#"{"id": "S00000000000000000000000001", "syncFull": {}}"#;
const GRANT: &str = r#"{"id": "G00000000000000000000000001", "grant": {
    "entitlement": {"id": "group:platform:member", "slug": "member",
        "resource": {"id": {"resourceType": "group", "resource": "platform"}}},
    "principal": {"id": {"resourceType": "user", "resource": "cleo"}}}}"#;
const LONGEST: Duration = Duration::from_mins(1);

struct World {
    harness: Harness,
    simulator: Simulator,
    server: ServerHandle,
    key: ClientKey,
    client_id: String,
}

impl World {
    async fn new() -> Self {
        let harness = Harness::new();
        let address = "127.0.0.1:0".parse().unwrap();
        let listener = Listener::bind(address, &[]).await.unwrap();
        let port = listener.address().port();
        fs::write(harness.dir.path().join("ca.pem"), listener.authority()).unwrap();
        let key = ClientKey::from_seed([7; 32]).unwrap();
        let client_id = format!("csv@localhost:{port}/valet");
        let now = c1_sim::Timestamp::now();
        let simulator = Simulator::new(Config::new(&client_id, &key, now).unwrap());
        simulator.forbid("the client secret", key.client_secret().as_bytes());
        let server = simulator.serve(listener);
        Self {
            harness,
            simulator,
            server,
            key,
            client_id,
        }
    }

    fn start(&self) -> Child {
        let folder = self.harness.dir.path();
        fs::write(folder.join("secret"), self.key.client_secret()).unwrap();
        let temp = folder.join("temp");
        fs::create_dir_all(&temp).unwrap();
        Command::new(env!("CARGO_BIN_EXE_baton-csv"))
            .args(["--folder", "tables", "--provisioning"])
            .args(["--audit-log", "audit.jsonl"])
            .args(["--client-id", &self.client_id, "--client-secret", "@secret"])
            .current_dir(folder)
            .env_clear()
            .env("SSL_CERT_FILE", folder.join("ca.pem"))
            .env("TMPDIR", temp)
            .env("BATON_HOST_ID", "test")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    /// Ends the program with a signal; gives its standard error.
    async fn end(self, child: Child) -> String {
        signal(&child, rustix::process::Signal::TERM);
        let output = tokio::time::timeout(LONGEST, child.wait_with_output()).await;
        let output = output.unwrap().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{text}");
        assert_eq!(output.stdout, b"");
        let mut verdict = self.simulator.verdict_at_end();
        // A new secret gets a new token, though the old one still counts.
        verdict.retain(|complaint| !matches!(complaint.call, Some((Call::Token, _))));
        assert!(verdict.is_empty(), "{verdict:#?}");
        self.server.shutdown().await;
        assert!(!text.contains(&self.key.client_secret()));
        text
    }
}

fn signal(child: &Child, signal: rustix::process::Signal) {
    let id = i32::try_from(child.id().unwrap()).unwrap();
    let id = rustix::process::Pid::from_raw(id).unwrap();
    rustix::process::kill_process(id, signal).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_built_program_carries_out_tasks_over_tls() {
    let world = World::new().await;
    let child = world.start();
    world.simulator.plan(PlannedTask::from_json(SYNC).unwrap());
    let finished = world.simulator.wait_finished(1);
    tokio::time::timeout(LONGEST, finished).await.unwrap();
    let result = world.simulator.finished().remove(0);
    assert!(result.is_success(), "{result:?}");
    world.simulator.plan(PlannedTask::from_json(GRANT).unwrap());
    let finished = world.simulator.wait_finished(2);
    tokio::time::timeout(LONGEST, finished).await.unwrap();
    let result = world.simulator.finished().remove(1);
    assert!(result.is_success(), "{result:?}");
    let members = fs::read_to_string(world.harness.table("members.csv")).unwrap();
    assert!(members.contains("platform,user,cleo"), "{members}");
    let log = fs::read_to_string(world.harness.dir.path().join("audit.jsonl")).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 2, "{log}");
    for (line, event) in lines.iter().zip(["intent", "outcome"]) {
        assert!(line.contains(&format!("\"event\":\"{event}\"")), "{line}");
        assert!(
            line.contains("\"id\":\"G00000000000000000000000001-"),
            "{line}"
        );
    }
    let upload = world.simulator.uploads().remove(0);
    let file = world.harness.dir.path().join("uploaded.c1z");
    fs::write(&file, upload.bytes).unwrap();
    let text = world.end(child).await;
    assert!(text.contains("a task is done"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_secret_in_its_file_is_used_without_a_restart() {
    let mut world = World::new().await;
    let child = world.start();
    let polled = world.simulator.wait_calls(Call::GetTask, 1);
    tokio::time::timeout(LONGEST, polled).await.unwrap();
    // The service knows the new key only, and refuses the token of the old one.
    world.key = ClientKey::from_seed([8; 32]).unwrap();
    let secret = world.harness.dir.path().join("secret");
    fs::write(&secret, world.key.client_secret()).unwrap();
    world.simulator.set_keys(vec![world.key.public()]);
    signal(&child, rustix::process::Signal::HUP);
    world.simulator.plan(PlannedTask::from_json(SYNC).unwrap());
    let finished = world.simulator.wait_finished(1);
    tokio::time::timeout(LONGEST, finished).await.unwrap();
    let text = world.end(child).await;
    assert!(
        text.contains("the client secret was read again and has changed"),
        "{text}"
    );
}
