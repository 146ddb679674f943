//! Files and command lines that cannot work, and what is said about them.

use std::fs;

use crate::program::{fixture, words};

#[test]
fn a_missing_file_is_named_with_a_way_out() {
    let outcome = words(&["grants", "-f", "no/such/file.c1z"]);
    assert_eq!(outcome.status, 2);
    assert!(outcome.stdout.is_empty());
    assert!(
        outcome
            .stderr
            .starts_with("error: no/such/file.c1z does not exist or is empty\n")
    );
    assert!(outcome.stderr.contains("hint: "));
}

#[test]
fn every_truncation_of_a_file_ends_in_an_error() {
    let whole = fs::read(fixture("v1-small.c1z")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.c1z");
    let name = path.display().to_string();
    // The storage crate cuts at every byte; here a stride shows the messages.
    for length in (0..whole.len()).step_by(97) {
        fs::write(&path, &whole[..length]).unwrap();
        let outcome = words(&["resources", "-f", &name]);
        assert_eq!(outcome.status, 2, "{length}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(&name), "{}", outcome.stderr);
    }
}

#[test]
fn an_unknown_sync_is_not_found_and_the_way_to_the_known_ones_is_shown() {
    let outcome = words(&[
        "resources",
        "--sync-id",
        "nope",
        "-f",
        &fixture("v1-small.c1z"),
    ]);
    assert_eq!(outcome.status, 5);
    assert!(outcome.stderr.contains("no sync `nope`"));
    assert!(outcome.stderr.contains("baton syncs"));
}

#[test]
fn references_to_missing_objects_are_one_warning_and_a_list_on_request() {
    let files = ["v1-missing-entitlement.c1z", "v1-missing-type.c1z"].map(fixture);
    let lists = [
        &["resource-types"][..],
        &["resources"],
        &["entitlements"],
        &["grants"],
        &["principals"],
        &["access", "-t", "user", "-r", "u1"],
    ];
    let mut warned = 0;
    for (file, list) in files.iter().flat_map(|f| lists.map(|list| (f, list))) {
        for format in ["console", "json", "ndjson", "csv", "yaml", "markdown"] {
            let said = |more: &[&str]| {
                let words_of = [list, &["-o", format, "-f", file], more].concat();
                let outcome = words(&words_of);
                assert_eq!(outcome.status, 0, "{words_of:?}");
                outcome.stderr
            };
            let (short, long) = (said(&[]), said(&["--verbose"]));
            let Some(first) = short.lines().next() else {
                assert_eq!(long, "", "{file} {list:?}");
                continue;
            };
            warned += 1;
            let number = first
                .strip_prefix("warning: ")
                .and_then(|rest| rest.split_once(" reference"))
                .map(|(number, _)| number.parse::<u64>().unwrap());
            let hint = "hint: list the missing objects with --verbose";
            assert_eq!(short.lines().skip(1).collect::<Vec<_>>(), [hint]);
            let listed: u64 = long
                .lines()
                .skip(1)
                .map(|line| line.rsplit_once(": ").unwrap().1)
                .map(|count| count.split(' ').next().unwrap().parse::<u64>().unwrap())
                .sum();
            assert_eq!(long.lines().next(), Some(first));
            assert_eq!(Some(listed), number, "{long}");
        }
    }
    assert!(warned > 4, "{warned}");
}

#[test]
fn only_references_of_listed_rows_count() {
    let file = fixture("v1-missing-type.c1z");
    let outcome = words(&["entitlements", "-t", "user", "-f", &file]);
    assert_eq!((outcome.status, &*outcome.stderr), (0, ""));
}

#[test]
fn a_principal_that_is_not_in_the_file_is_named() {
    let file = fixture("v1-small.c1z");
    let outcome = words(&["access", "-t", "user", "-r", "nobody", "-f", &file]);
    assert_eq!(outcome.status, 0);
    let expected =
        format!("warning: {file} has no resource of type `user` with the id or name `nobody`\n");
    assert_eq!(outcome.stderr, expected);
}

#[test]
fn access_lists_a_missing_entitlement_under_a_stand_in() {
    let file = fixture("v1-missing-entitlement.c1z");
    let outcome = words(&["access", "-t", "user", "-r", "u1", "-f", &file]);
    assert_eq!(outcome.status, 0);
    assert!(
        outcome
            .stdout
            .contains("MISSING ENTITLEMENT (group:g1:member)")
    );
}

#[test]
fn help_and_version_need_no_file() {
    let help = words(&["--help"]);
    assert_eq!(help.status, 0);
    assert!(help.stdout.contains("principals"));
    assert_eq!(words(&[]).status, 0);
    let version = words(&["--version"]).stdout;
    assert!(version.starts_with("baton version "));
    assert_eq!(version.lines().count(), 1);
    let all = words(&["version"]);
    assert_eq!(all.status, 0);
    let (first, commit) = all.stdout.split_once("commit: ").unwrap();
    assert_eq!(first, version);
    assert!(commit.contains(&format!("\nplatform: {}-", std::env::consts::ARCH)));
    for shell in ["bash", "zsh", "fish", "powershell"] {
        assert!(words(&["completion", shell]).stdout.len() > 500, "{shell}");
    }
}

#[test]
fn an_empty_path_is_named_as_such() {
    let file = fixture("v1-small.c1z");
    for command in [
        vec!["grants", "-f", ""],
        vec!["syncs", "-f", ""],
        vec!["recalculate-stats", "-f", ""],
        vec!["expand", "", "--out", "x.c1z"],
        vec!["to-pebble", "-f", "", "--out", "x.c1z"],
    ] {
        let outcome = words(&command);
        assert_eq!(outcome.status, 2, "{command:?}");
        let expected = "error: the path of the sync file is empty\nhint: ";
        assert!(outcome.stderr.starts_with(expected), "{}", outcome.stderr);
    }
    let outcome = words(&["expand", &file, "--out", ""]);
    assert!(outcome.stderr.contains("--out"), "{}", outcome.stderr);
}

/// However early the handles run out: the message says so, and how to get
/// more; a file is never called damaged for it.
#[cfg(unix)]
#[test]
fn too_few_file_handles_are_named_whatever_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let (v1, v3) = (fixture("v1-small.c1z"), fixture("v3-small.c1z"));
    let target = folder.path().join("out.c1z").display().to_string();
    let book = folder.path().join("out.xlsx").display().to_string();
    let secret = folder.path().join("out.c1z.secret");
    let mut refused = 0;
    for command in [
        vec!["grants", "-f", &v1],
        vec!["grants", "-f", &v3],
        vec!["stats", "-f", &v1],
        vec!["expand", &v1, "--out", &target],
        vec!["expand", &v3, "--out", &target],
        vec!["to-pebble", "-f", &v1, "--out", &target],
        vec!["to-sqlite", "-f", &v3, "--out", &target],
        vec!["export", "c1z", "-f", &v1, "--out", &target],
        vec!["dump-db", "-f", &v1, "--out", &target],
        vec!["export", "csv", "-f", &v1, "--out", &target],
        vec!["export", "xlsx", "-f", &v3, "--out", &book],
        vec!["sanitize", "-f", &v1, "--out", &target],
    ] {
        for handles in 4..16 {
            let _ = fs::remove_file(&target);
            let _ = fs::remove_file(&secret);
            let output = std::process::Command::new("/bin/sh")
                .args(["-c", &format!("ulimit -n {handles}; exec \"$0\" \"$@\"")])
                .arg(env!("CARGO_BIN_EXE_baton"))
                .args(&command)
                .output()
                .unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            if output.status.success() {
                continue;
            }
            refused += 1;
            let named = stderr.contains("Too many open files") && stderr.contains("ulimit -n");
            // The loader of the program itself may be what fails.
            assert!(
                named || stderr.contains("shared libraries"),
                "{handles} handles, {command:?}: {stderr}"
            );
        }
    }
    assert!(refused >= 9, "only {refused} runs were refused");
}

/// Whichever file is made: the folder that is missing is named, not a
/// temporary file of ours.
#[test]
fn a_missing_folder_is_named_as_such() {
    let (v1, v3) = (fixture("v1-small.c1z"), fixture("v3-small.c1z"));
    let rolled = fixture("v1-rollback.c1z");
    for command in [
        vec!["export", "c1z", "-f", &v1],
        vec!["dump-db", "-f", &v1],
        vec!["dump-db", "-f", &v3],
        vec!["to-pebble", "-f", &v1],
        vec!["to-sqlite", "-f", &v3],
        vec!["expand", &v1],
        vec!["rollback-expansion", "-f", &rolled],
        vec!["export", "csv", "-f", &v1],
        vec!["export", "csv", "--layout", "tables", "-f", &v1],
        vec!["sanitize", "-f", &v1],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        let target = missing.join("new.c1z").display().to_string();
        let outcome = words(&[command.clone(), vec!["--out", &target]].concat());
        assert_eq!(outcome.status, 5, "{command:?}: {}", outcome.stderr);
        let expected = format!(
            "error: the folder {} does not exist\nhint: create the folder, or name another path\n",
            missing.display()
        );
        assert_eq!(outcome.stderr, expected, "{command:?}");
    }
}

#[test]
fn a_folder_for_temporary_files_that_cannot_be_used_is_named_with_its_variable() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_baton"))
        .args(["grants", "-f", &fixture("v1-small.c1z")])
        .env("BATON_TMPDIR", &missing)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{stderr}");
    let start = format!(
        "error: cannot use the folder for temporary files {}\n",
        missing.display()
    );
    assert!(stderr.starts_with(&start), "{stderr}");
    let end = "hint: name a writable folder with BATON_TMPDIR\n";
    assert!(stderr.ends_with(end), "{stderr}");
}

/// The system's answer is the same as for a folder that is missing.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_exists_and_takes_no_files_is_not_called_missing() {
    let (v1, v3) = (fixture("v1-small.c1z"), fixture("v3-small.c1z"));
    for (command, target) in [
        (vec!["export", "csv", "-f", &v1], "/proc/x.csv"),
        (vec!["export", "xlsx", "-f", &v3], "/proc/x.xlsx"),
        (vec!["export", "c1z", "-f", &v1], "/proc/x.c1z"),
        (vec!["to-pebble", "-f", &v1], "/proc/x.c1z"),
        (vec!["dump-db", "-f", &v1], "/proc/x.db"),
        (vec!["sanitize", "-f", &v1], "/proc/x.c1z"),
    ] {
        let outcome = words(&[command.clone(), vec!["--out", target]].concat());
        let lines: Vec<&str> = outcome.stderr.lines().collect();
        assert_eq!(outcome.status, 2, "{command:?}");
        assert_eq!(
            [lines[0], lines[2]],
            [
                "error: the folder /proc takes no new files",
                "hint: pass another path with --out"
            ],
            "{command:?}: {}",
            outcome.stderr
        );
        assert!(
            lines[1].starts_with("caused by: No such file or directory"),
            "{}",
            outcome.stderr
        );
    }
}
