//! A folder of tables, and the two programs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::SystemTime;
use std::{fs, str};

use baton_proto::c1::connector::v2;
use serde_json::Value;
use tempfile::TempDir;

/// The tables of a folder.
pub const TABLES: [&str; 5] = [
    "users.csv",
    "groups.csv",
    "roles.csv",
    "members.csv",
    "assignments.csv",
];

/// The example's own folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// An empty place to work in, with a copy of the sample tables in `tables`.
pub struct Harness {
    pub dir: TempDir,
}

impl Harness {
    pub fn new() -> Self {
        let dir = TempDir::new().unwrap();
        fs::create_dir(dir.path().join("tables")).unwrap();
        for table in TABLES {
            let sample = root().join("sample").join(table);
            fs::copy(sample, dir.path().join("tables").join(table)).unwrap();
        }
        Self { dir }
    }

    pub fn table(&self, name: &str) -> PathBuf {
        self.dir.path().join("tables").join(name)
    }

    /// Adds a line to a table.
    pub fn add(&self, table: &str, line: &str) {
        let path = self.table(table);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("{text}{line}\n")).unwrap();
    }

    /// Runs the connector as a process, with nothing from this one's environment.
    pub fn sync(&self, args: &[&str]) -> Outcome {
        let output = Command::new(env!("CARGO_BIN_EXE_baton-csv"))
            .args(["--folder", "tables", "-f", "access.c1z"])
            .args(args)
            .current_dir(&self.dir)
            .env_clear()
            .output()
            .unwrap();
        Outcome::of(&output)
    }

    /// What `baton` says of the file.
    pub fn baton(&self, args: &[&str]) -> String {
        let mut words = vec!["baton".into()];
        words.extend(args.iter().map(Into::into));
        words.extend(["-f".into(), self.dir.path().join("access.c1z").into()]);
        let process = baton_cli::Process {
            args: words,
            temp_dir: Some(self.dir.path().to_path_buf()),
            max_decoded_mb: None,
            max_window_mb: None,
            colour: false,
            colour_err: false,
            terminal: None,
            now: SystemTime::now(),
            home: None,
            sheet_rows: None,
            signals: baton_cli::Signals::Given(baton_cli::Stopping::default()),
            stdin: baton_cli::StandardInput::OfProcess,
            paging: baton_cli::Paging::default(),
        };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let status = baton_cli::run(&process, &mut out, &mut err);
        assert_eq!(status, 0, "{}", String::from_utf8_lossy(&err));
        String::from_utf8(out).unwrap()
    }

    /// The ids of all grants, with their sources.
    pub fn grants(&self) -> BTreeMap<String, Vec<String>> {
        let listed: Value = serde_json::from_str(&self.baton(&["grants", "-o", "json"])).unwrap();
        let grants = listed["grants"].as_array().unwrap().iter();
        grants
            .map(|entry| {
                let grant = &entry["grant"];
                let sources = grant["sources"]["sources"].as_object();
                let sources = sources.map(|map| map.keys().cloned().collect());
                let id = grant["id"].as_str().unwrap().to_owned();
                (id, sources.unwrap_or_default())
            })
            .collect()
    }
}

/// A resource with an id and nothing else.
pub fn resource(type_id: &str, id: &str) -> v2::Resource {
    v2::Resource {
        id: Some(v2::ResourceId {
            resource_type: type_id.to_owned(),
            resource: id.to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// What a process left behind.
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: str::from_utf8(&output.stdout).unwrap().to_owned(),
            stderr: str::from_utf8(&output.stderr).unwrap().to_owned(),
        }
    }

    /// The lines that are not log lines.
    pub fn said(&self) -> String {
        let lines = self.stderr.lines().filter(|line| !line.starts_with('{'));
        lines.collect::<Vec<_>>().join("\n")
    }
}
