//! A real process that syncs from a simulator in this one.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use atlassian_sim::{
    Config, OrganizationSpec, PageFill, Paging, RateLimits, ServerHandle, Simulator,
};
use baton_c1z::{C1zFile, Filter, ReadOptions, Table, View};
use tokio::runtime::Runtime;

/// A simulator on a socket, and a folder to sync into.
pub struct Stage {
    pub simulator: Simulator,
    pub folder: tempfile::TempDir,
    /// For temporary files.
    pub temp: tempfile::TempDir,
    pub target: PathBuf,
    base_url: String,
    runtime: Runtime,
    server: Option<ServerHandle>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            // Later requests get no answer: the client has left.
            let _ = self.runtime.block_on(async {
                tokio::time::timeout(Duration::from_secs(1), server.shutdown()).await
            });
        }
    }
}

impl Stage {
    /// A small organization on many short pages; answers take `latency`.
    pub fn new(users: u32, latency: Duration) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (simulator, address, server) = runtime.block_on(async {
            let simulator = Simulator::new(Config {
                organization: OrganizationSpec {
                    users,
                    groups: 4,
                    seed: 7,
                    workspaces: 3,
                    events: Some(0),
                    ..OrganizationSpec::default()
                },
                paging: Paging {
                    fill: PageFill::Short,
                    ..Paging::default()
                },
                limits: RateLimits::off(),
                latency,
                ..Config::default()
            })
            .unwrap();
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let server = simulator.serve(listener).unwrap();
            let address = server.address();
            (simulator, address, server)
        });
        let folder = tempfile::tempdir().unwrap();
        Self {
            simulator,
            target: folder.path().join("sync.c1z"),
            folder,
            temp: tempfile::tempdir().unwrap(),
            base_url: Simulator::base_url(address),
            runtime,
            server: Some(server),
        }
    }

    /// The program, ready to be started.
    pub fn command(&self, target: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sync-victim"));
        command
            .args(["--base-url", &self.base_url, "--file"])
            .arg(target)
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("TMPDIR", self.temp.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("BATON_ACCESS_TOKEN", self.simulator.access_token())
            .env("BATON_ORGANIZATION_ID", self.simulator.organization_id())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(&self.target, args).output().unwrap()
    }

    /// Runs the program until it is killed in an operation on files.
    pub fn run_to(&self, operation: u64, args: &[&str]) -> Output {
        self.command(&self.target, args)
            .env("VICTIM_DIES_AT", operation.to_string())
            .output()
            .unwrap()
    }

    pub fn start(&self, args: &[&str]) -> Child {
        self.command(&self.target, args).spawn().unwrap()
    }

    /// The working folder of the target.
    pub fn work(&self) -> PathBuf {
        self.folder.path().join(".sync.c1z.baton-work")
    }

    /// Length of the page log; 0 while there is none.
    pub fn log_bytes(&self) -> u64 {
        let log = self.work().join("pages.log").metadata();
        log.map_or(0, |found| found.len())
    }

    /// Waits until that many requests have come.
    pub fn wait_for_requests(&self, count: u64) {
        wait_until(|| self.simulator.total() >= count);
    }

    /// How often each request was made.
    pub fn asked(&self) -> BTreeMap<String, u64> {
        let mut asked = BTreeMap::new();
        for request in self.simulator.requests() {
            let key = format!(
                "{} {}?{} {}",
                request.method, request.path, request.query, request.body
            );
            *asked.entry(key).or_default() += 1;
        }
        asked
    }

    /// Names in the folder, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

/// Waits for something that is bound to happen.
pub fn wait_until(happened: impl Fn() -> bool) {
    let mut patience = 6000;
    while !happened() {
        assert!(patience > 0, "it does not happen within a minute");
        patience -= 1;
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// All rows of the newest finished sync.
pub fn rows(path: &Path) -> Vec<(Table, String, Vec<u8>)> {
    let file = C1zFile::open(path, &ReadOptions::default()).unwrap();
    let newest = file.latest_finished(None).cloned().unwrap().id;
    let view = file.view(View::Sync(&newest)).unwrap();
    let mut all = Vec::new();
    for table in Table::ALL {
        view.scan(table, &Filter::default(), &mut |row| {
            all.push((table, row.id.to_owned(), row.data.to_vec()));
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    }
    all
}

pub fn output_text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
