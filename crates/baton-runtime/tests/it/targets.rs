//! Every flag that names a file to be written, with every kind of thing as
//! its value: what is not a regular file is refused and stays as it is.

use std::path::{Path, PathBuf};

use crate::kinds::{self, ALL, INPUT, Kinds};
use crate::stage::{Outcome, Stage};
use crate::whole::{Upstream, sync};

const HEALTHY: Upstream = Upstream::Healthy { users: 3 };

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../baton-c1z/tests/fixtures")
        .join(name)
}

/// A stage in a folder with every kind, unless this kind is missing there.
fn stage(kind: &str) -> Option<Stage> {
    let kinds = Kinds::new(&fixture("v1-small.c1z"));
    (!kinds.missing.contains(&kind)).then(|| {
        let mut stage = Stage::ready();
        stage.dir = kinds.into_folder();
        stage
    })
}

/// Runs with each kind as the value of `flag`, and compares what changes.
fn each_kind(
    run: impl Fn(&mut Stage, &str) -> Outcome,
    changes: impl Fn(&str) -> Option<&'static str>,
) {
    for kind in ALL {
        let Some(mut stage) = stage(kind) else {
            continue;
        };
        let before = kinds::snapshot(stage.path());
        let outcome = run(&mut stage, kind);
        let code = outcome.status.code();
        let what = format!("{kind}: {code}\n{}", outcome.stderr);
        let changed = kinds::changed(stage.path(), &before);
        match changes(kind) {
            Some(name) => {
                assert_eq!(code, 0, "{what}");
                assert_eq!(changed, [PathBuf::from(name)], "{what}");
            }
            None => {
                assert_ne!(code, 0, "{what}");
                assert_eq!(changed, Vec::<PathBuf>::new(), "{what}");
            }
        }
    }
}

#[test]
fn a_sync_writes_to_regular_files_only() {
    each_kind(
        |stage, kind| sync(stage, HEALTHY, &["--allow-empty", "--file", kind]),
        |kind| match kind {
            "new" => Some("new"),
            "regular" | "to-regular" => Some("regular"),
            "dangling" => Some("made"),
            "same" => Some(INPUT),
            "hard" => Some("hard"),
            _ => None,
        },
    );
}

#[test]
fn metrics_go_to_regular_files_only() {
    each_kind(
        |stage, kind| {
            stage.engine = crate::sync::complete_engine();
            stage.run(&["--metrics-file", kind])
        },
        |kind| match kind {
            "new" => Some("new"),
            "regular" | "to-regular" => Some("regular"),
            "dangling" => Some("made"),
            "same" => Some(INPUT),
            "hard" => Some("hard"),
            _ => None,
        },
    );
}

/// What lies beside the target counts as well: a partial result goes there.
#[test]
fn a_partial_result_goes_to_regular_files_only() {
    for kind in ["pipe", "null", "folder", "socket", "to-null", "to-pipe"] {
        let Some(mut stage) = stage(kind) else {
            continue;
        };
        let partial = stage.path().join("sync.partial.c1z");
        std::fs::rename(stage.path().join(kind), &partial).unwrap();
        let before = kinds::snapshot(stage.path());
        let outcome = sync(&mut stage, Upstream::OneForbidden, &[]);
        assert!(outcome.status.code() != 0 && outcome.status.code() != 20);
        let changed = kinds::changed(stage.path(), &before);
        let is_work = |path: &PathBuf| path.starts_with(".sync.c1z.baton-work");
        assert!(changed.iter().all(is_work), "{kind}: {changed:?}");
    }
}

#[test]
fn a_difference_is_added_to_regular_files_only() {
    each_kind(
        |stage, kind| {
            stage.run(&[
                "--diff-syncs",
                "--base-sync-id=a",
                "--applied-sync-id=b",
                "--file",
                kind,
            ])
        },
        // No file here holds such syncs: nothing succeeds, and nothing waits.
        |_| None,
    );
}

#[test]
fn a_compaction_makes_its_file_in_folders_only() {
    for kind in ALL {
        let Some(mut stage) = stage(kind) else {
            continue;
        };
        let before = kinds::snapshot(stage.path());
        let output = format!("--compact-output-path={kind}");
        let files = format!("--compact-file-paths={INPUT},same");
        let outcome = stage.run(&["--compact-syncs", &output, &files, "--compact-sync-ids=a,b"]);
        let changed = kinds::changed(stage.path(), &before);
        let what = format!("{kind}: {}", outcome.stderr);
        if matches!(kind, "folder" | "to-folder") {
            // Two inputs may be one file.
            assert_eq!(outcome.status.code(), 0, "{what}");
            let is_new = |path: &PathBuf| path.starts_with("folder/") && path.extension().is_some();
            assert!(
                changed.len() == 1 && changed.iter().all(is_new),
                "{changed:?} {what}"
            );
        } else {
            assert_ne!(outcome.status.code(), 0, "{what}");
            assert_eq!(changed, Vec::<PathBuf>::new(), "{what}");
        }
    }
}

#[test]
fn external_resources_come_from_regular_files_only() {
    for kind in ALL {
        let Some(mut stage) = stage(kind) else {
            continue;
        };
        let before = kinds::snapshot(stage.path());
        let external = ["--external-resource-c1z", kind];
        let outcome = sync(&mut stage, HEALTHY, &external);
        let is_file = matches!(kind, "regular" | "to-regular" | "same" | "hard");
        let what = format!("{kind}: {}", outcome.stderr);
        assert_eq!(outcome.status.code() == 0, is_file, "{what}");
        let changed = kinds::changed(stage.path(), &before);
        let made: &[PathBuf] = &[PathBuf::from("sync.c1z")];
        assert_eq!(changed, if is_file { made } else { &[] }, "{what}");
    }
}

#[test]
fn a_log_goes_to_files_pipes_and_devices_and_never_waits() {
    for kind in ALL {
        let Some(mut stage) = stage(kind) else {
            continue;
        };
        let before = kinds::snapshot(stage.path());
        let outcome = sync(&mut stage, HEALTHY, &["--log-path", kind]);
        let what = format!("{kind}: {}", outcome.stderr);
        let changed = kinds::changed(stage.path(), &before);
        let log = match kind {
            "new" => "new",
            "regular" | "to-regular" => "regular",
            "dangling" => "made",
            "null" | "full" | "to-null" | "to-full" => "",
            // A log that is a second name of another file is fine here.
            "same" | "hard" => INPUT,
            _ => {
                assert_ne!(outcome.status.code(), 0, "{what}");
                assert_eq!(changed, Vec::<PathBuf>::new(), "{what}");
                continue;
            }
        };
        assert_eq!(outcome.status.code(), 0, "{what}");
        assert!(changed.contains(&PathBuf::from("sync.c1z")), "{what}");
        assert!(
            log.is_empty() || changed.contains(&PathBuf::from(log)),
            "{changed:?} {what}"
        );
    }
}

/// Every pair of flags that could name one file, by every name of it.
#[test]
fn a_file_that_is_written_is_named_once() {
    let pairs: [(&[&str], &str); 8] = [
        (&["--file", INPUT, "--log-path"], INPUT),
        (&["--file", INPUT, "--external-resource-c1z"], INPUT),
        (&["--file", "x.c1z", "--log-path"], "x.c1z"),
        (&["--file", "x.c1z", "--log-path"], "x.partial.c1z"),
        (&["--file", "x.c1z", "--log-path"], ".x.c1z.new.tmp"),
        (&["--external-resource-c1z", INPUT, "--log-path"], INPUT),
        (&["--file", "dangling", "--log-path"], "made"),
        (&["--file", "dangling", "--log-path"], "dangling"),
    ];
    for (words, other) in pairs {
        let names: &[&str] = if other == INPUT {
            &[INPUT, "same", "hard", "./input.c1z", "folder/../same"]
        } else {
            &[other]
        };
        for name in names {
            let mut stage = stage(INPUT).unwrap();
            let before = kinds::snapshot(stage.path());
            let args = [words, &[*name]].concat();
            let outcome = sync(&mut stage, HEALTHY, &args);
            assert_eq!(outcome.status.code(), 3, "{args:?}: {}", outcome.stderr);
            assert!(
                outcome.stderr.starts_with("error: the "),
                "{}",
                outcome.stderr
            );
            let changed = kinds::changed(stage.path(), &before);
            assert_eq!(changed, Vec::<PathBuf>::new(), "{args:?}");
        }
    }
}

#[test]
fn the_file_of_a_secret_is_not_the_log() {
    let mut stage = Stage::ready().file("token", "hunter2");
    let args = ["--access-token", "@token", "--log-path", "token"];
    let outcome = stage.run(&args);
    assert_eq!(outcome.status.code(), 3, "{}", outcome.stderr);
    let kept = std::fs::read_to_string(stage.path().join("token")).unwrap();
    assert_eq!(kept, "hunter2");
}
