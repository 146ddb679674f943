//! The modes that work on sync files: `--compact-syncs` and `--diff-syncs`.

use std::path::{Path, PathBuf};

use baton_c1z::{C1zFile, Format, ReadOptions, SyncRun};
use baton_runtime::{Signal, Signals};

use crate::stage::{Outcome, Stage};

/// The two newest finished full syncs of `v1-multi-sync.c1z`.
const OLDER: &str = "3MVxu8TPzbrXYSgzAZZNFghIhQ9";
const NEWER: &str = "3MVxu5SqJsghMXPen1aZOWJ9srT";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../baton-c1z/tests/fixtures")
        .join(name)
}

/// A stage with copies of fixtures, under short names.
fn stage(files: &[(&str, &str)]) -> Stage {
    let stage = Stage::ready();
    std::fs::create_dir(stage.path().join("out")).unwrap();
    for (name, from) in files {
        std::fs::copy(fixture(from), stage.path().join(name)).unwrap();
        let mut mode = std::fs::metadata(stage.path().join(name))
            .unwrap()
            .permissions();
        #[allow(clippy::permissions_set_readonly_false)]
        mode.set_readonly(false);
        std::fs::set_permissions(stage.path().join(name), mode).unwrap();
    }
    stage
}

fn compact(stage: &mut Stage, files: &str, ids: &str, more: &[&str]) -> Outcome {
    let mut args = vec![
        "--compact-syncs",
        "--compact-output-path=out",
        "--compact-file-paths",
        files,
        "--compact-sync-ids",
        ids,
        "--log-format=json",
    ];
    args.extend(more);
    stage.run(&args)
}

fn made(stage: &Stage) -> Vec<PathBuf> {
    std::fs::read_dir(stage.path().join("out"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect()
}

fn runs(path: &Path) -> Vec<SyncRun> {
    let file = C1zFile::open(path, &ReadOptions::default()).unwrap();
    file.sync_runs().to_vec()
}

/// The log line with this text.
fn told(outcome: &Outcome, text: &str) -> serde_json::Value {
    outcome
        .stderr
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .find(|line: &serde_json::Value| line["msg"] == text)
        .unwrap_or_else(|| panic!("not told: {}", outcome.stderr))
}

#[test]
fn compaction_makes_one_file_that_the_log_names() {
    for (second, engine, format) in [
        ("v1-small.c1z", "", Format::V1),
        ("v1-small.c1z", "pebble", Format::V3),
        ("v3-small.c1z", "", Format::V3),
    ] {
        let mut stage = stage(&[("a.c1z", "v1-small.c1z"), ("b.c1z", second)]);
        let engine = format!("--storage-engine={engine}");
        let outcome = compact(&mut stage, "a.c1z,b.c1z", ",", &[&engine]);
        assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
        assert_eq!(outcome.stdout, "");
        assert!(outcome.config.is_none(), "a connector was made");
        let [path] = &made(&stage)[..] else {
            panic!("{:?}", made(&stage));
        };
        let [run] = &runs(path)[..] else {
            panic!("{:?}", runs(path));
        };
        let line = told(&outcome, "compacted file");
        assert_eq!(line["sync_id"], run.id.as_str());
        let name = format!("compacted-{}.c1z", run.id);
        assert!(line["file_path"].as_str().unwrap().ends_with(&name));
        assert_eq!(run.stats.as_ref().unwrap().grants, 10, "expanded");
        let file = C1zFile::open(path, &ReadOptions::default()).unwrap();
        assert_eq!(file.format(), format);
    }
}

#[test]
fn compaction_can_be_asked_for_by_the_environment() {
    let mut stage = stage(&[("a.c1z", "v1-small.c1z"), ("b.c1z", "v3-small.c1z")])
        .env("BATON_COMPACT_SYNCS", "true")
        .env("BATON_COMPACT_OUTPUT_PATH", "out")
        .env("BATON_COMPACT_FILE_PATHS", "b.c1z,a.c1z")
        .env("BATON_COMPACT_SYNC_IDS", "x,3MVxu1fAkCi8scufhFJpQZ20696")
        .env("BATON_EXPERIMENTAL_PEBBLE_COMPACTOR", "kway");
    let outcome = stage.run(&[]);
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
    let [path] = &made(&stage)[..] else {
        panic!("{:?}", made(&stage));
    };
    assert!(runs(path)[0].sync_token.contains("\"kway\""));
}

#[test]
fn what_cannot_be_compacted_ends_with_the_code_of_the_go_program() {
    let files = [("a.c1z", "v1-small.c1z"), ("b.c1z", "v3-small.c1z")];
    for (paths, ids, more, code, text) in [
        (
            "a.c1z,b.c1z",
            "x",
            &[][..],
            2,
            "sync-compactor: must include exactly one syncID per file",
        ),
        (
            "a.c1z",
            "x",
            &[],
            2,
            "must provide two or more files to compact",
        ),
        (
            "a.c1z,b.c1z",
            ",",
            &["--storage-engine=sqlite"],
            2,
            "cannot be compacted",
        ),
        (
            "a.c1z,none.c1z",
            ",",
            &[],
            5,
            "none.c1z does not exist or is empty",
        ),
        ("a.c1z,b.c1z", "x,x", &[], 5, "no sync `x`"),
        (
            "a.c1z,b.c1z",
            ",",
            &["--diff-syncs"],
            2,
            "if any flags in the group",
        ),
    ] {
        let mut stage = stage(&files);
        let outcome = compact(&mut stage, paths, ids, more);
        assert_eq!(outcome.status.code(), code, "{}", outcome.stderr);
        assert!(outcome.stderr.contains(text), "{}", outcome.stderr);
        assert!(made(&stage).is_empty());
    }
}

#[test]
fn flags_of_a_mode_go_together() {
    for (args, missing) in [
        (
            &["--compact-syncs"][..],
            "missing [compact-file-paths compact-output-path compact-sync-ids]",
        ),
        (&["--diff-syncs"], "missing [applied-sync-id base-sync-id]"),
        (
            &["--base-sync-id=x"],
            "missing [applied-sync-id diff-syncs]",
        ),
    ] {
        let outcome = Stage::ready().run(args);
        assert_eq!(outcome.status.code(), 2);
        assert!(outcome.error().contains(missing), "{}", outcome.stderr);
    }
    let outcome = Stage::ready().run(&[
        "--diff-syncs=false",
        "--base-sync-id=x",
        "--applied-sync-id=y",
    ]);
    assert_eq!(outcome.status.code(), 2);
    assert!(outcome.error().contains("diff-syncs"), "{}", outcome.stderr);
}

fn diff(stage: &mut Stage, file: &str, base: &str, applied: &str) -> Outcome {
    stage.run(&[
        "--diff-syncs",
        "--base-sync-id",
        base,
        "--applied-sync-id",
        applied,
        "-f",
        file,
        "--log-format=json",
    ])
}

#[test]
fn a_diff_adds_a_sync_to_the_file_that_the_log_names() {
    let mut stage = stage(&[("multi.c1z", "v1-multi-sync.c1z")]);
    let path = stage.path().join("multi.c1z");
    let before = runs(&path);
    let outcome = diff(&mut stage, "multi.c1z", OLDER, NEWER);
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
    assert_eq!(outcome.stdout, "");
    let after = runs(&path);
    let (new, rest) = after.split_last().unwrap();
    assert_eq!(rest, before);
    assert_eq!(
        (new.sync_type.as_str(), new.parent_sync_id.as_str()),
        ("partial", OLDER)
    );
    let line = told(&outcome, "generated diff of syncs");
    assert_eq!(line["new_sync_id"], new.id.as_str());
}

#[test]
fn a_diff_that_cannot_be_made_leaves_the_file() {
    let mut stage = stage(&[
        ("multi.c1z", "v1-multi-sync.c1z"),
        ("v3.c1z", "v3-small.c1z"),
    ]);
    for (file, base, code, text) in [
        ("multi.c1z", "nope", 5, "no sync `nope`"),
        ("v3.c1z", OLDER, 2, "unsupported"),
        ("none.c1z", OLDER, 5, "does not exist or is empty"),
    ] {
        let before = std::fs::read(stage.path().join(file)).ok();
        let outcome = diff(&mut stage, file, base, NEWER);
        assert_eq!(outcome.status.code(), code, "{}", outcome.stderr);
        assert!(outcome.stderr.contains(text), "{}", outcome.stderr);
        assert_eq!(std::fs::read(stage.path().join(file)).ok(), before);
    }
}

#[test]
fn a_compacted_sync_is_marked_as_that_of_the_go_tools() {
    let golden = runs(&fixture("v3-compacted-fold.c1z"))[0]
        .ingest_invariant
        .clone();
    assert_eq!(golden.mode, "compaction_merge");
    let mut stage = stage(&[("a.c1z", "v3-small.c1z"), ("b.c1z", "v1-small.c1z")]);
    let outcome = compact(&mut stage, "a.c1z,b.c1z", ",", &[]);
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
    assert_eq!(runs(&made(&stage)[0])[0].ingest_invariant, golden);
}

#[test]
fn each_sync_that_is_merged_is_told_and_one_that_was_named_in_vain_is_warned_of() {
    let mut stage = stage(&[("a.c1z", "v1-small.c1z"), ("m.c1z", "v1-multi-sync.c1z")]);
    let ids = format!(",{OLDER}");
    let outcome = compact(&mut stage, "a.c1z,m.c1z", &ids, &[]);
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
    let line = told(&outcome, "merged sync");
    assert!(line["file_path"].as_str().unwrap().ends_with("a.c1z"));
    let warned = outcome
        .stderr
        .lines()
        .find(|line| line.contains("ignored the requested sync id"));
    assert!(
        warned.is_some_and(|line| line.contains(OLDER)),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_missing_folder_for_the_result_is_refused_before_the_work() {
    let mut stage = stage(&[("a.c1z", "v1-small.c1z"), ("b.c1z", "v1-small.c1z")]);
    std::fs::remove_dir(stage.path().join("out")).unwrap();
    let outcome = compact(&mut stage, "a.c1z,none.c1z", ",", &[]);
    assert_eq!(outcome.status.code(), 2, "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("does not exist"),
        "{}",
        outcome.stderr
    );
    assert!(
        outcome.stderr.contains("output folder"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_signal_ends_the_merge_and_leaves_nothing() {
    let mut stage = stage(&[("a.c1z", "v1-small.c1z"), ("b.c1z", "v1-small.c1z")]);
    std::fs::create_dir(stage.path().join("tmp")).unwrap();
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    sender.try_send(Signal::Interrupt).unwrap();
    stage.signals = Some(Signals::Given(receiver));
    let outcome = compact(&mut stage, "a.c1z,b.c1z", ",", &["--c1z-temp-dir=tmp"]);
    // Whoever is first: the result is whole and told, or there is none.
    match outcome.status.code() {
        130 => {
            let line = "the compaction was interrupted: nothing was changed";
            assert!(outcome.stderr.contains(line), "{}", outcome.stderr);
            assert!(made(&stage).is_empty());
        }
        0 => assert_eq!(made(&stage).len(), 1),
        other => panic!("{other}: {}", outcome.stderr),
    }
    assert!(
        !outcome.stderr.contains("requests in flight"),
        "{}",
        outcome.stderr
    );
    let left = std::fs::read_dir(stage.path().join("tmp")).unwrap().count();
    assert_eq!(left, 0);
}
