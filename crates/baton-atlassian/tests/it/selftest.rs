//! `validate` and `selftest` of the built program, against the simulator.

use std::process::Command;

use atlassian_sim::Simulator;
use tokio::net::TcpListener;

use crate::simulated::{simulator, spec};

#[tokio::test(flavor = "multi_thread")]
async fn the_connector_passes_its_own_test_and_leaves_no_file() {
    let simulator = simulator(spec(30, 6));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let server = simulator.serve(listener).unwrap();
    let base = Simulator::base_url(server.address());
    for (command, says) in [
        ("validate", "settings and credentials are accepted\n"),
        ("selftest", "pass  references lead to listed rows\n"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_baton-atlassian"))
            .arg(command)
            .args(["--access-token", simulator.access_token()])
            .args(["--organization-id", simulator.organization_id()])
            .args(["--base-url", &base])
            .current_dir(folder.path())
            .env_clear()
            .output()
            .unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{stdout}");
        assert!(stdout.contains(says), "{stdout}");
        assert!(!stdout.contains("FAIL"), "{stdout}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
