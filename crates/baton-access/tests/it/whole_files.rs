//! Expansion of whole files, outside any sync, by itself and behind a
//! compaction.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use baton_access::{Error, ExpandOptions, GraphExpander};
use baton_c1z::{
    C1zFile, CompactEntry, CompactPlan, Expanded, Filter, Format, MergeSteps, OwnedRow,
    ReadOptions, RewriteOptions, Strategy, SyncRun, Table, View, compact, expand_sync, to_v1,
    to_v3,
};
use baton_proto::Code;
use tempfile::TempDir;

use crate::model::File;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../baton-c1z/tests/fixtures")
        .join(name)
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_900_000_000)
}

fn options(folder: &TempDir) -> RewriteOptions {
    RewriteOptions {
        temp_dir: Some(folder.path().to_owned()),
        now: now(),
        ..RewriteOptions::default()
    }
}

fn expand(
    source: &Path,
    sync_id: Option<&str>,
    target: &Path,
    folder: &TempDir,
) -> baton_c1z::Result<Expanded> {
    let mut expander = GraphExpander::default();
    expand_sync(
        source,
        sync_id,
        target,
        &options(folder),
        MergeSteps::expand(&mut expander),
    )
}

fn rows(path: &Path, sync_id: &str, table: Table) -> Vec<OwnedRow> {
    let file = C1zFile::open(path, &ReadOptions::default()).expect("opens");
    let view = file.view(View::Sync(sync_id)).expect("has the sync");
    let mut rows = Vec::new();
    view.scan(table, &Filter::default(), &mut |row| {
        rows.push(row.to_owned());
        Ok(ControlFlow::Continue(()))
    })
    .expect("rows");
    rows.sort_by(|a, b| a.id.cmp(&b.id));
    rows
}

fn runs(path: &Path) -> Vec<SyncRun> {
    let file = C1zFile::open(path, &ReadOptions::default()).expect("opens");
    file.sync_runs().to_vec()
}

/// Everything but grants is as it was; grants are those that the expander
/// makes of rows in memory.
fn check(source: &Path, sync_id: &str, done: &Expanded) {
    for table in [Table::ResourceTypes, Table::Resources, Table::Entitlements] {
        assert_eq!(
            rows(&done.path, sync_id, table),
            rows(source, sync_id, table)
        );
    }
    let mut model = File::from_rows(
        rows(source, sync_id, Table::Entitlements),
        rows(source, sync_id, Table::Grants),
    );
    model.expand().expect("expands");
    let strip = |mut row: OwnedRow| {
        row.data.clear();
        row
    };
    let mut expected: Vec<_> = model.grants.iter().cloned().map(strip).collect();
    expected.sort_by(|a, b| a.id.cmp(&b.id));
    let found = rows(&done.path, sync_id, Table::Grants);
    let found: Vec<_> = found.into_iter().map(strip).collect();
    assert_eq!(found, expected);
    assert_eq!(done.stats.grants, i64::try_from(found.len()).expect("few"));
}

#[test]
fn a_file_of_either_format_gets_the_grants_that_its_expansions_stand_for() {
    for name in [
        "v1-small.c1z",
        "v1-small-slim-grants.c1z",
        "v3-small.c1z",
        "v3-virtual-tables.c1z",
        "atlassian-org/sync.c1z",
        "atlassian-org/sync-v3.c1z",
    ] {
        let folder = tempfile::tempdir().expect("folder");
        let target = folder.path().join("out.c1z");
        let source = fixture(name);
        let before = fs::read(&source).expect("readable");
        let done = expand(&source, None, &target, &folder).expect(name);
        check(&source, &done.run.id, &done);
        let [run] = &runs(&target)[..] else {
            panic!("{name}: more than one run");
        };
        let of_source = runs(&source);
        let old = of_source.iter().find(|old| old.id == run.id).expect("kept");
        assert_eq!(run.started_at, old.started_at, "{name}");
        assert_eq!(run.ended_at, old.ended_at, "{name}");
        assert!(run.supports_diff, "{name}");
        assert_eq!(run.stats.as_ref(), Some(&done.stats), "{name}");
        assert_eq!(fs::read(&source).expect("readable"), before, "{name}");
        assert_eq!(fs::read_dir(&folder).expect("folder").count(), 1, "{name}");
    }
}

#[test]
fn expanding_twice_adds_nothing() {
    for name in ["v1-small.c1z", "v3-small.c1z"] {
        let folder = tempfile::tempdir().expect("folder");
        let once = folder.path().join("once.c1z");
        let twice = folder.path().join("twice.c1z");
        let first = expand(&fixture(name), None, &once, &folder).expect(name);
        assert!(first.grants_inserted > 0, "{name}");
        let second = expand(&once, None, &twice, &folder).expect(name);
        assert_eq!((second.grants_inserted, second.grants_replaced), (0, 0));
        let id = &first.run.id;
        assert_eq!(
            rows(&once, id, Table::Grants),
            rows(&twice, id, Table::Grants)
        );
    }
}

#[test]
fn both_formats_give_the_same_grants() {
    let folder = tempfile::tempdir().expect("folder");
    let path = |name: &str| folder.path().join(name);
    let source = fixture("v1-small.c1z");
    let done = expand(&source, None, &path("v1.c1z"), &folder).expect("v1");
    to_v3(&source, None, &path("plain.c1z"), &options(&folder)).expect("converts");
    expand(&path("plain.c1z"), None, &path("v3.c1z"), &folder).expect("v3");
    to_v1(&path("v3.c1z"), &path("back.c1z"), &options(&folder)).expect("converts");
    let ids = |name: &str| -> Vec<String> {
        let rows = rows(&path(name), &done.run.id, Table::Grants);
        rows.into_iter().map(|row| row.id).collect()
    };
    assert_eq!(ids("v1.c1z"), ids("back.c1z"));
}

#[test]
fn an_unfinished_sync_is_taken_if_asked_for_or_alone_and_has_ended_then() {
    let source = fixture("baton-cli/v1-unfinished.c1z");
    let folder = tempfile::tempdir().expect("folder");
    let id = runs(&source)[0].id.clone();
    for (number, wanted) in [None, Some(id.as_str())].into_iter().enumerate() {
        let target = folder.path().join(number.to_string());
        let done = expand(&source, wanted, &target, &folder).expect("the only one");
        assert_eq!(done.run.id, id);
        assert_eq!(done.run.ended_at, Some(now().into()));
        assert_eq!(runs(&target)[0].ended_at, Some(now().into()));
    }
}

#[test]
fn what_cannot_be_expanded_leaves_no_file() {
    let folder = tempfile::tempdir().expect("folder");
    let target = folder.path().join("out.c1z");
    let small = fixture("v1-small.c1z");
    let missing = folder.path().join("missing.c1z");
    for (source, id, to, code) in [
        (&small, Some("nope"), &target, Code::NotFound),
        (&missing, None, &target, Code::NotFound),
        (&small, None, &small, Code::AlreadyExists),
    ] {
        let error = expand(source, id, to, &folder).expect_err("refused");
        assert_eq!(error.code(), code, "{error}");
    }
    assert_eq!(fs::read_dir(&folder).expect("folder").count(), 0);
}

#[test]
fn the_estimate_comes_first_and_the_limit_leaves_no_file() {
    for name in ["v1-small.c1z", "v3-small.c1z"] {
        let folder = tempfile::tempdir().expect("folder");
        let target = folder.path().join("out.c1z");
        let mut limit = 0;
        loop {
            let mut told = None;
            let mut expander = GraphExpander::new(ExpandOptions {
                max_derived_grants: limit,
                ..ExpandOptions::default()
            })
            .on_estimate(|estimate| {
                assert!(!target.exists());
                told = Some(*estimate);
            });
            let source = fixture(name);
            let done = expand_sync(
                &source,
                None,
                &target,
                &options(&folder),
                MergeSteps::expand(&mut expander),
            );
            drop(expander);
            let told = told.expect("estimated");
            match done {
                Err(baton_c1z::Error::Caller(failure)) => {
                    let cause: Option<&Error> = failure.cause().downcast_ref();
                    let Some(Error::TooManyDerived { derived, .. }) = cause else {
                        panic!("{failure}");
                    };
                    assert_eq!(*derived, told.derived_grants);
                    assert_eq!(fs::read_dir(&folder).expect("folder").count(), 0);
                    limit = *derived;
                }
                done => {
                    let done = done.expect(name);
                    assert!(limit > 0, "{name}: nothing was refused");
                    assert_eq!(told.derived_grants, done.grants_inserted, "{name}");
                    assert_eq!(told.expandable_grants, done.expandable_grants, "{name}");
                    break;
                }
            }
        }
    }
}

fn compacted(names: [&str; 2], format: Format, strategy: Strategy, folder: &TempDir) -> PathBuf {
    let plan = CompactPlan {
        entries: names
            .iter()
            .map(|name| CompactEntry {
                path: fixture(name),
                sync_id: None,
            })
            .collect(),
        output_dir: folder.path().to_owned(),
        sync_id: "3MXvu0000000000000000000000".to_owned(),
        format: Some(format),
        strategy,
        skip_expansion: false,
        ingest_invariant: baton_c1z::InvariantByFormat::default(),
    };
    let done = compact(
        &plan,
        &options(folder),
        MergeSteps::expand(&mut GraphExpander::default()),
    )
    .expect("compacts");
    assert!(done.run.supports_diff);
    assert_eq!(done.run.ended_at, Some(now().into()));
    done.path
}

#[test]
fn compacting_what_the_go_tools_compacted_gives_the_same_rows() {
    let golden = fixture("v3-compacted-fold.c1z");
    let golden_id = &runs(&golden)[0].id;
    for strategy in [Strategy::Fold, Strategy::Overlay, Strategy::Kway] {
        let folder = tempfile::tempdir().expect("folder");
        let names = ["v3-small.c1z", "v1-small.c1z"];
        let path = compacted(names, Format::V3, strategy, &folder);
        let run = &runs(&path)[0];
        for table in Table::ALL {
            assert_eq!(
                rows(&path, &run.id, table),
                rows(&golden, golden_id, table),
                "{strategy:?}"
            );
        }
        let token: serde_json::Value = serde_json::from_str(&run.sync_token).expect("JSON");
        let theirs = &runs(&golden)[0].sync_token;
        let theirs: serde_json::Value = serde_json::from_str(theirs).expect("JSON");
        let (ours, theirs) = (&token["compaction"], &theirs["compaction"]);
        for key in [
            "base_sync_id",
            "partial_sync_ids",
            "partial_count",
            "record_counts",
        ] {
            assert_eq!(ours[key], theirs[key], "{key}");
        }
    }
}

#[test]
fn v1_files_compact_into_a_v1_file_whose_grants_are_expanded() {
    let folder = tempfile::tempdir().expect("folder");
    let names = ["v1-small.c1z", "v1-small-slim-grants.c1z"];
    let path = compacted(names, Format::V1, Strategy::Auto, &folder);
    let grants = rows(&path, &runs(&path)[0].id, Table::Grants);
    assert_eq!(grants.len(), 10);
    let derived = |row: &&OwnedRow| row.id == "group:g3:member:user:u3";
    assert_eq!(grants.iter().filter(derived).count(), 1);
}
