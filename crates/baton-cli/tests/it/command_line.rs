//! Command lines: what is refused, in the words that scripts know, and what they mean.

use crate::program::{fixture, words};

/// The error of a refused command line.
fn refused(args: &[&str]) -> String {
    let outcome = words(args);
    assert_eq!(outcome.status, 2, "{args:?}: {}", outcome.stderr);
    assert_eq!(outcome.stdout, "", "{args:?}");
    let first = outcome.stderr.lines().next().unwrap_or_default();
    first.trim_start_matches("error: ").to_owned()
}

#[test]
fn refusals_begin_with_the_words_of_the_go_tool() {
    let together =
        "if any flags in the group [resource-type resource] are set they must all be set; missing ";
    for (args, text) in [
        (&["nope"][..], "unknown command \"nope\" for \"baton\""),
        (
            &["export", "nope"],
            "unknown command \"nope\" for \"baton export\"",
        ),
        (
            &["completion", "tcsh"],
            "unknown command \"tcsh\" for \"baton completion\"",
        ),
        (&["resources", "--nope"], "unknown flag: --nope"),
        (&["resources", "--nope=1"], "unknown flag: --nope"),
        (&["resources", "-z"], "unknown shorthand flag: 'z' in -z"),
        (&["resources", "-v"], "unknown shorthand flag: 'v' in -v"),
        (&["resources", "--file"], "flag needs an argument: --file"),
        (&["resources", "-f"], "flag needs an argument: 'f' in -f"),
        (
            &["to-pebble", "--batch-size", "many"],
            "invalid argument \"many\" for \"--batch-size\" flag: strconv.ParseInt: parsing \"many\": invalid syntax",
        ),
        (
            &["to-pebble", "--batch-size=-1"],
            "batch-size must be greater than zero",
        ),
        (&["access"], "--resource-type and --resource are required"),
        (&["access", "-t", "x"], &format!("{together}[resource]")),
        (
            &["principals", "-r", "x"],
            &format!("{together}[resource-type]"),
        ),
        (
            &["grants", "-r", "x"],
            "--resource-type and --resource are required",
        ),
        (&["grants", "-t", ""], "--resource-type is required"),
        (&["grants", "-e", ""], "--entitlement-id is required"),
        (
            &["expand", "a.c1z", "-f", "b.c1z"],
            "the file is named twice: `a.c1z` and `--file b.c1z`",
        ),
    ] {
        assert_eq!(refused(args), text, "{args:?}");
    }
}

#[test]
fn a_near_miss_gets_a_hint_and_the_rest_the_way_to_the_help() {
    let hint = |args: &[&str]| {
        let outcome = words(args);
        let hint = outcome
            .stderr
            .lines()
            .find_map(|line| line.strip_prefix("hint: "));
        hint.unwrap_or_default().to_owned()
    };
    assert_eq!(hint(&["grant"]), "a similar command exists: grants");
    assert_eq!(
        hint(&["syncs", "--fil", "x"]),
        "a similar flag exists: --file"
    );
    assert_eq!(
        hint(&["zzz"]),
        "list its commands and flags with `baton --help`"
    );
}

#[test]
fn common_flags_stand_before_or_after_the_command() {
    let file = fixture("v1-small.c1z");
    let after = words(&["syncs", "-f", &file, "-o", "json"]);
    assert_eq!(after.status, 0, "{}", after.stderr);
    assert_eq!(
        words(&["-f", &file, "-ojson", "syncs"]).stdout,
        after.stdout
    );
    assert_eq!(
        words(&["-f", &file, "syncs", "-o=json"]).stdout,
        after.stdout
    );
    // The last one counts.
    let both = words(&[
        "-f", "nope.c1z", "syncs", "-f", &file, "-o", "console", "-ojson",
    ]);
    assert_eq!(both.stdout, after.stdout);
}

#[test]
fn further_words_are_reported_and_ignored() {
    let file = fixture("v1-small.c1z");
    let plain = words(&["resources", "-f", &file]);
    let outcome = words(&["resources", "x", "-f", &file]);
    assert_eq!((outcome.status, outcome.stdout), (0, plain.stdout));
    assert_eq!(outcome.stderr, "warning: ignored argument `x`\n");
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.c1z").display().to_string();
    let outcome = words(&["expand", &file, "more", "--out", &out]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("ignored argument `more`"));
    assert!(
        !outcome
            .stderr
            .contains(&format!("ignored argument `{file}`"))
    );
}

#[cfg(unix)]
#[test]
fn a_path_need_not_be_text() {
    use std::os::unix::ffi::OsStrExt as _;

    let folder = tempfile::tempdir().unwrap();
    let name = std::ffi::OsStr::from_bytes(b"odd\xff.c1z");
    let path = folder.path().join(name);
    if std::fs::copy(fixture("v1-small.c1z"), &path).is_err() {
        // Some file systems take text only.
        return;
    }
    let mut process = crate::program::process(&["syncs", "-f"]);
    process.args.push(path.into_os_string());
    let outcome = crate::program::run_in(&process);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
}

#[test]
fn no_variable_and_no_config_file_sets_a_flag() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(fixture("v1-small.c1z"), folder.path().join("sync.c1z")).unwrap();
    let syncs = |env: &[(&str, &str)]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_baton"))
            .arg("syncs")
            .current_dir(folder.path())
            .env_clear()
            .envs(env.iter().copied())
            .output()
            .unwrap();
        assert!(output.status.success());
        output.stdout
    };
    let plain = syncs(&[]);
    std::fs::write(folder.path().join(".baton.yaml"), "output-format: json\n").unwrap();
    let set = syncs(&[
        ("BATON_FILE", "other.c1z"),
        ("BATON_OUTPUT_FORMAT", "json"),
        ("BATON_CONFIG_PATH", ".baton.yaml"),
        ("BATON_VERBOSE", "true"),
    ]);
    assert_eq!(set, plain);
}
