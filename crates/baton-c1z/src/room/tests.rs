//! Every operation of this crate, on a disk that is full at each of the places
//! where room is asked for, and with a request to stop at each of the places
//! where that is looked for: an error that states it, and nothing is left.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::*;
use crate::files::SystemFiles;
use crate::stop::Stop;
use crate::{
    C1zFile, CompactEntry, CompactPlan, DiffPlan, Filter, Fingerprint, Format, ListId, MergeSteps,
    NewRun, PageHeader, PageLog, PageRow, ReadOptions, RewriteOptions, SealPlan, SealSteps,
    Strategy, SyncType, Table, View, WorkDir,
};

thread_local! {
    static DISK: RefCell<Option<Disk>> = const { RefCell::new(None) };
}

/// A disk that is full when so many askers have been served.
struct Disk {
    served: usize,
    refused: Option<Work>,
}

/// What is free on the disk of the test that this thread runs.
pub(super) fn pretended(work: Work, needed: u64) -> Option<u64> {
    DISK.with_borrow_mut(|disk| {
        let disk = disk.as_mut()?;
        if needed == 0 || disk.served > 0 {
            disk.served -= usize::from(needed > 0);
            return Some(u64::MAX);
        }
        disk.refused.get_or_insert(work);
        Some(0)
    })
}

/// Does work on such a disk. Gives what was refused.
fn on_disk(served: usize, work: impl FnOnce() -> Result<()>) -> (Result<()>, Option<Work>) {
    let disk = Disk {
        served,
        refused: None,
    };
    DISK.set(Some(disk));
    let done = work();
    (done, DISK.take().and_then(|disk| disk.refused))
}

#[test]
fn both_numbers_are_in_the_error() {
    let folder = tempfile::tempdir().expect("folder");
    check(&SystemFiles, folder.path(), 1, Work::Unpack).expect("room for a byte");
    if free_bytes(folder.path()).is_some() {
        let error = check(&SystemFiles, folder.path(), u64::MAX, Work::Unpack);
        let error = error.expect_err("no disk is so large");
        assert!(error.to_string().contains(&u64::MAX.to_string()), "{error}");
        assert_eq!(error.code(), baton_proto::Code::ResourceExhausted);
    }
}

/// Where an operation works: a file to read, a folder for private files.
struct Stage {
    folder: tempfile::TempDir,
    temp: tempfile::TempDir,
}

impl Stage {
    fn new(source: &[u8]) -> Self {
        let this = Self {
            folder: tempfile::tempdir().expect("folder"),
            temp: tempfile::tempdir().expect("folder"),
        };
        fs::write(this.source(), source).expect("written");
        this
    }

    fn source(&self) -> PathBuf {
        self.folder.path().join("source.c1z")
    }

    fn target(&self) -> PathBuf {
        self.folder.path().join("target.c1z")
    }

    fn rewrite(&self) -> RewriteOptions {
        RewriteOptions {
            temp_dir: Some(self.temp.path().to_owned()),
            stop: Stop::current(),
            now: now(),
            ..RewriteOptions::default()
        }
    }

    fn read(&self) -> ReadOptions {
        ReadOptions {
            temp_dir: Some(self.temp.path().to_owned()),
            memory_budget_bytes: 0,
            ..ReadOptions::default()
        }
    }

    /// Fails if there is anything but the unchanged source.
    fn assert_untouched(&self, source: &[u8], what: &str) {
        let names = |folder: &Path| {
            let entries = fs::read_dir(folder).expect("listed");
            let names = entries.map(|entry| entry.expect("entry").file_name());
            names.collect::<BTreeSet<_>>()
        };
        let there = names(self.folder.path());
        let expected: BTreeSet<_> = [self.source().file_name().expect("named").to_owned()].into();
        assert_eq!(there, expected, "{what}");
        assert!(fs::read(self.source()).expect("there") == source, "{what}");
        assert!(names(self.temp.path()).is_empty(), "{what}");
    }
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::new(1_795_449_780, 0)
}

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    fs::read(folder.join(name)).expect("a fixture")
}

/// A file in an earlier layout of format v3.
fn earlier() -> Vec<u8> {
    let archive = fixture("pebble2/handmade.tar.zst");
    let archive = zstd::decode_all(archive.as_slice()).expect("decodes");
    let mut archive = tar::Archive::new(archive.as_slice());
    let mut bytes = Vec::new();
    for entry in archive.entries().expect("a tar") {
        let mut entry = entry.expect("an entry");
        if entry.path().expect("a path").as_ref() == Path::new("damage-plain.c1z") {
            entry.read_to_end(&mut bytes).expect("in memory");
        }
    }
    assert!(!bytes.is_empty());
    bytes
}

/// A v1 file that is so large that at first only its beginning is unpacked.
fn large() -> Vec<u8> {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("made.db");
    let content = zstd::decode_all(&fixture("v1-small.c1z")[5..]).expect("decodes");
    fs::write(&path, content).expect("written");
    let conn = rusqlite::Connection::open(&path).expect("opens");
    conn.execute_batch(
        "insert into v1_assets (external_id, content_type, data, sync_id, discovered_at)
         select 'large', 'x', zeroblob(72 << 20), sync_id, '' from v1_sync_runs limit 1",
    )
    .expect("added");
    conn.close().map_err(|(_, e)| e).expect("closes");
    let content = fs::read(&path).expect("there");
    let mut file = Vec::new();
    let size = content.len() as u64;
    crate::envelope::encode(&mut content.as_slice(), size, 1, &mut file).expect("in memory");
    file
}

/// Reads a table to its end, so that what is behind the beginning counts.
fn read_all(stage: &Stage) -> Result<()> {
    let file = C1zFile::open(&stage.source(), &stage.read())?;
    let view = file.view(View::AllRows)?;
    for table in Table::ALL {
        view.count(table, &Filter::default())?;
    }
    view.recount().map(drop)
}

/// Reads tables whose rows have to be sorted.
fn read_in_order(stage: &Stage) -> Result<()> {
    let file = C1zFile::open(&stage.source(), &stage.read())?;
    let view = file.view(View::AllRows)?;
    for table in Table::ALL {
        view.scan_sorted(table, &Filter::default(), &mut |_| {
            Ok(ControlFlow::Continue(()))
        })?;
    }
    Ok(())
}

fn seal(stage: &Stage, format: Format) -> Result<()> {
    let dir = WorkDir::locate(&stage.source(), Some(stage.temp.path()), now())?;
    let sealed = (|| {
        let (mut log, _) = PageLog::open(&dir, &Fingerprint::default(), now(), true)?;
        let header = PageHeader {
            list: &ListId::resource_types(),
            generation: 0,
            page: 0,
            request_token: "",
            next_token: "",
        };
        // The id of a resource type: field 1, four bytes.
        log.append_page(&header, &[PageRow::resource_type(b"\x0a\x04user")])?;
        let run = NewRun {
            id: "3MXvu0000000000000000000000".into(),
            sync_type: SyncType::Full,
            started_at: now(),
            ended_at: now(),
            parent_sync_id: String::new(),
            token: String::new(),
            supports_diff: true,
            ingest_invariant: crate::IngestInvariant::default(),
        };
        let plan = SealPlan {
            format,
            ..SealPlan::new(stage.source(), run)
        };
        crate::seal(log, plan, SealSteps::default(), &mut |_| {}).map(drop)
    })();
    // The log stays for the next run; it is not what is looked at here.
    let _ = dir.remove();
    let _ = fs::remove_dir_all(dir.path());
    sealed
}

fn compact(stage: &Stage) -> Result<()> {
    let entry = CompactEntry {
        path: stage.source(),
        sync_id: None,
    };
    let plan = CompactPlan {
        entries: vec![entry.clone(), entry],
        output_dir: stage.folder.path().to_owned(),
        sync_id: "3MXvu0000000000000000000000".to_owned(),
        format: None,
        strategy: Strategy::Auto,
        skip_expansion: true,
        ingest_invariant: crate::InvariantByFormat::default(),
    };
    crate::compact(&plan, &stage.rewrite(), MergeSteps::default()).map(drop)
}

/// Rows that stay as they are.
struct Same;

impl crate::RowRewriter for Same {
    fn row(&mut self, _: Table, row: &crate::Row<'_>) -> baton_proto::Result<crate::NewContent> {
        Ok(crate::NewContent {
            data: row.data.to_vec(),
            expansion: row.expansion.map(<[u8]>::to_vec),
        })
    }

    fn asset(&mut self, id: &str, asset: crate::Asset) -> crate::NewAsset {
        crate::NewAsset {
            id: id.to_owned(),
            content_type: asset.content_type,
            data: asset.data,
        }
    }
}

fn rewrite_rows(stage: &Stage, format: Format) -> Result<()> {
    let file = C1zFile::open(&stage.source(), &stage.read())?;
    let run = file.sync_runs().first().expect("a sync").clone();
    drop(file);
    let syncs = [crate::RewrittenSync {
        source_id: run.id.clone(),
        run,
    }];
    let (source, target) = (stage.source(), stage.target());
    crate::rewrite_syncs(
        &source,
        &target,
        format,
        &syncs,
        &mut Same,
        &stage.rewrite(),
    )
    .map(drop)
}

fn difference(stage: &Stage) -> Result<()> {
    let path = stage.source();
    let plan = DiffPlan {
        path: &path,
        base_sync_id: "3MVxu8TPzbrXYSgzAZZNFghIhQ9",
        applied_sync_id: "3MVxu5SqJsghMXPen1aZOWJ9srT",
        new_sync_id: "3MXvu0000000000000000000000",
    };
    crate::diff_syncs(&plan, &stage.rewrite())
}

type Operation = fn(&Stage) -> Result<()>;

/// Every operation on files, with the file that it works on.
fn operations() -> Vec<(&'static str, Vec<u8>, Operation)> {
    let (v1, v3) = (fixture("v1-small.c1z"), fixture("v3-small.c1z"));
    let tar = fixture("v3-small-tarzstd.c1z");
    let rewrite: [(&'static str, Operation); 7] = [
        ("copy", |s| {
            crate::clone_sync(&s.source(), None, &s.target(), &s.rewrite()).map(drop)
        }),
        ("dump", |s| {
            crate::dump(&s.source(), &s.target(), &s.rewrite()).map(drop)
        }),
        ("count", |s| {
            crate::recalculate_stats(&s.source(), None, &s.rewrite(), &mut |_| ()).map(drop)
        }),
        ("expand", |s| {
            let options = s.rewrite();
            crate::expand_sync(
                &s.source(),
                None,
                &s.target(),
                &options,
                MergeSteps::default(),
            )
            .map(drop)
        }),
        ("compact", compact),
        ("rewrite as v1", |s| rewrite_rows(s, Format::V1)),
        ("rewrite as v3", |s| rewrite_rows(s, Format::V3)),
    ];
    let mut all: Vec<(&'static str, Vec<u8>, Operation)> = vec![
        ("read v1", v1.clone(), read_all),
        ("read a large v1", large(), read_all),
        ("read v3", v3.clone(), read_all),
        ("read v3 packed as one", tar, read_all),
        ("read an earlier v3", earlier(), read_all),
        ("read in order", fixture("v1-multi-sync.c1z"), read_in_order),
        ("peek v1", v1.clone(), |s| {
            crate::peek(&s.source(), &s.read()).map(drop)
        }),
        ("seal v1", v1.clone(), |s| seal(s, Format::V1)),
        ("seal v3", v3.clone(), |s| seal(s, Format::V3)),
        ("optimize", v1.clone(), |s| {
            crate::optimize(&s.source(), &s.rewrite()).map(drop)
        }),
        ("roll back", fixture("baton-cli/v1-rollback.c1z"), |s| {
            crate::roll_back(&s.source(), None, &s.target(), false, &s.rewrite()).map(drop)
        }),
        ("difference", fixture("v1-multi-sync.c1z"), difference),
        ("to v3", v1.clone(), |s| {
            crate::to_v3(&s.source(), None, &s.target(), &s.rewrite()).map(drop)
        }),
        ("to v1", v3.clone(), |s| {
            crate::to_v1(&s.source(), &s.target(), &s.rewrite()).map(drop)
        }),
    ];
    for (name, operation) in rewrite {
        all.push((name, v1.clone(), operation));
        all.push((name, v3.clone(), operation));
    }
    all
}

#[test]
fn a_disk_that_is_too_small_is_noticed_before_each_piece_of_work() {
    let mut seen = BTreeSet::new();
    for (name, source, operation) in operations() {
        for served in 0.. {
            let stage = Stage::new(&source);
            let (done, refused) = on_disk(served, || operation(&stage));
            let what = format!("{name}, {served} served: {done:?}");
            let Some(work) = refused else {
                done.expect(&what);
                assert!(served > 0 || name == "read v3", "{what}");
                break;
            };
            assert!(matches!(done, Err(Error::NoRoom { .. })), "{what}");
            stage.assert_untouched(&source, &what);
            seen.insert(work);
        }
    }
    assert_eq!(seen, Work::ALL.into());
}

#[test]
fn a_request_to_stop_is_noticed_before_and_during_each_operation() {
    for (name, source, operation) in operations() {
        let mut stopped = 0;
        for shift in 0.. {
            let stage = Stage::new(&source);
            let stop = Stop::after(1 << shift);
            let done = stop.during(|| operation(&stage));
            let what = format!("{name}, at look {}: {done:?}", 1_u64 << shift);
            if done.is_ok() {
                break;
            }
            assert!(matches!(done, Err(Error::Stopped)), "{what}");
            stage.assert_untouched(&source, &what);
            stopped += 1;
        }
        assert!(stopped >= 2, "{name}: {stopped}");
    }
}

/// Private folders are made for a purpose and a size, or explicitly without a
/// size; except where a new file is put together, which checks by itself.
#[test]
fn private_folders_are_made_for_a_size() {
    fn search(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).expect("listed") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                search(&path, found);
            } else if !path.ends_with("tests.rs") && !path.ends_with("scratch.rs") {
                let text = fs::read_to_string(&path).expect("text");
                let used = ["Scratch::new(", "Scratch::beside("]
                    .map(|made| text.matches(made).count())
                    .iter()
                    .sum::<usize>();
                let name = path.file_name().expect("named").to_string_lossy();
                found.extend((0..used).map(|_| name.clone().into_owned()));
            }
        }
    }
    let mut found = Vec::new();
    search(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut found,
    );
    assert_eq!(found, ["save.rs"]);
}
