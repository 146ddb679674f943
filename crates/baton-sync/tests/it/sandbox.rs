//! A folder to sync into, with a clock and a random source that stand still,
//! and what a file holds as lines of text.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use baton_c1z::{C1zFile, Filter, ReadOptions, Table, View};
use baton_connector::{Clock, SplitMix};
use baton_sync::{Error, Event, Observer, Report, Result, SyncHost, SyncRequest, Workers};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::world::World;

#[derive(Debug)]
pub struct Standing(pub u64);

impl Clock for Standing {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_760_000_000 + self.0)
    }
}

/// Keeps the events.
#[derive(Default)]
pub struct Listener(pub Mutex<Vec<Event>>);

impl Observer for Listener {
    fn event(&self, event: &Event) {
        self.0.lock().expect("no panic").push(event.clone());
    }
}

pub struct Sandbox {
    dir: TempDir,
    pub cancel: CancellationToken,
    pub listener: Arc<Listener>,
    /// Seconds that the clock is ahead of its start.
    pub hours: u64,
}

impl Sandbox {
    pub fn new() -> Self {
        Self {
            dir: tempfile::tempdir().expect("a temporary folder"),
            cancel: CancellationToken::new(),
            listener: Arc::default(),
            hours: 0,
        }
    }

    pub fn target(&self) -> PathBuf {
        self.dir.path().join("sync.c1z")
    }

    pub fn partial(&self) -> PathBuf {
        self.dir.path().join("sync.partial.c1z")
    }

    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    pub fn request(&self) -> SyncRequest {
        SyncRequest::new(self.target())
    }

    pub fn host(&self) -> SyncHost {
        SyncHost {
            clock: Arc::new(Standing(self.hours * 3600)),
            random: Arc::new(SplitMix::seeded(self.hours)),
            cancel: self.cancel.clone(),
            observer: self.listener.clone(),
        }
    }

    pub async fn run(&self, world: &Arc<World>, request: SyncRequest) -> Result<Report> {
        baton_sync::run(world.clone(), request, self.host()).await
    }

    pub async fn sync(&self, world: World) -> Report {
        let world = Arc::new(world);
        self.run(&world, self.request())
            .await
            .expect("a complete sync")
    }

    pub async fn sync_as(&self, world: &Arc<World>, request: SyncRequest) -> Report {
        self.run(world, request).await.expect("a complete sync")
    }

    pub async fn fail(&self, world: World) -> Error {
        let world = Arc::new(world);
        self.run(&world, self.request())
            .await
            .expect_err("a failed sync")
    }

    pub fn events(&self) -> Vec<Event> {
        self.listener.0.lock().expect("no panic").clone()
    }

    /// Names of everything in the folder.
    pub fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.path()).expect("readable");
        let names = entries.map(|e| e.expect("readable").file_name());
        let mut names: Vec<String> = names.map(|n| n.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// What a request with so many workers leaves behind, as lines.
pub async fn rows_with(world: World, workers: Workers) -> Vec<String> {
    let sandbox = Sandbox::new();
    let request = SyncRequest {
        workers,
        ..sandbox.request()
    };
    let world = Arc::new(world);
    sandbox.run(&world, request).await.expect("complete");
    rows(&sandbox.target())
}

/// All rows of the newest sync of a file, with everything in them.
pub fn rows(path: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    scan(path, |table, row| {
        lines.push(format!("{} {row:?}", table.name()));
    });
    lines
}

/// Only the ids, by table.
pub fn ids(path: &Path, table: Table) -> Vec<String> {
    let mut ids = Vec::new();
    scan(path, |found, row| {
        if found == table {
            ids.push(row.id.to_owned());
        }
    });
    ids.sort();
    ids
}

pub fn scan(path: &Path, mut visit: impl FnMut(Table, &baton_c1z::Row<'_>)) {
    let file = open(path);
    let now = Standing(0).now();
    let view = file.view(View::Default { now }).expect("a sync");
    for table in Table::ALL {
        view.scan(table, &Filter::default(), &mut |row| {
            visit(table, row);
            Ok(ControlFlow::Continue(()))
        })
        .expect("readable");
    }
}

pub fn open(path: &Path) -> C1zFile {
    C1zFile::open(path, &ReadOptions::default()).expect("a c1z file")
}
