//! What a shell offers for values.

use std::path::Path;

use baton_cli::Process;

use crate::program::{fixture, process, run_in, words};

fn offered(line: &[&str]) -> String {
    let outcome = words(&[&["complete-value", "--"], line].concat());
    assert_eq!((outcome.status, &*outcome.stderr), (0, ""), "{line:?}");
    outcome.stdout
}

/// What is offered once the machine is fast enough: on a busy one the time may be over before
/// anything is found.
pub fn in_time(expected: &str, offer: impl Fn() -> String) -> String {
    let mut offers = offer();
    for _ in 0..100 {
        if offers.starts_with(expected) {
            break;
        }
        offers = offer();
    }
    offers
}

#[test]
fn types_ids_and_names_come_from_the_file_that_the_line_names() {
    for file in ["v1-small.c1z", "v3-small.c1z"].map(fixture) {
        let offers = |line: &[&str]| offered(&[&["grants", "-f", &file], line].concat());
        for (line, expected) in [
            (&["-t", "gr"][..], "group\n"),
            (&["-e", "group:g1"], "group:g1:member\n"),
            (&["-e", "Cus"], "Custom\n"),
            (&["-t", "user", "-r", "u3"], "u3\n"),
            (&["-t", "user", "-r", "User 4"], "User 4\n"),
            (&["--principal", "user:u5"], "user:u5\n"),
            (
                &["--columns", "grant.id,principal.em"],
                "grant.id,principal.email\n",
            ),
            (&["--columns", "resource_type.t"], "resource_type.traits\n"),
            (&["--sort", "-grant.im"], "-grant.immutable\n"),
            (&["-o", "y"], "yaml\n"),
            (&["-o", "summ"], ""),
            (&["--resource-type=gr"], "group\n"),
            (&["--resource-type=user", "--resource=u3"], "u3\n"),
            (&["--output-format=nd"], "ndjson\n"),
            (&["--where=gr"], ""),
            (&["--limit", "1"], ""),
            (&["-t", "nothing like it"], ""),
        ] {
            assert_eq!(in_time(expected, || offers(line)), expected, "{line:?}");
        }
        let show = || offered(&["-f", &file, "show", "Acm"]);
        assert_eq!(in_time("Acme\n", show), "Acme\n");
        let syncs = in_time("3", || offers(&["--sync-id", ""]));
        assert_eq!(syncs.lines().count(), 1);
    }
}

#[test]
fn whatever_is_wrong_nothing_is_offered_and_nothing_is_reported() {
    let damaged = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(damaged.path(), b"C1ZF\0 and no content").unwrap();
    let damaged = damaged.path().display().to_string();
    for line in [
        &[][..],
        &[""],
        &["grants", "-t"],
        &["grants", "-f", "no-such.c1z", "-t", ""],
        &["grants", "-f", &damaged, "-t", ""],
        &["grants", "-t", "", "-f"],
    ] {
        assert_eq!(offered(line), "", "{line:?}");
    }
}

#[test]
fn each_command_has_its_own_values() {
    let (small, multi) = (fixture("v1-small.c1z"), fixture("v1-multi-sync.c1z"));
    for (line, expected) in [
        (&["diff", "-o", "su"][..], "summary\n"),
        (&["diff", "--only", "resources,gr"], "resources,grants\n"),
        (&["resources", "--columns", "grant."], ""),
        (&["syncs", "-o", "con"], "console\n"),
        (&["export", "csv", "--layout", "t"], "tables\n"),
        (&["sanitize", "--out-engine", "p"], "pebble\n"),
        (
            &["expand", &small, "--sync-id", "3"],
            "3J6Cz1nrHpHCmBrCeQpn8s6LEnW\n",
        ),
        (&["show", "-f", &small, "g1", "g"], ""),
    ] {
        let expected = match line {
            // Whatever the id is.
            [.., "--sync-id", _] => words(&["syncs", "-o", "csv", "-f", &small])
                .stdout
                .lines()
                .nth(1)
                .and_then(|row| row.split_once(','))
                .map(|(id, _)| format!("{id}\n"))
                .unwrap(),
            _ => expected.to_owned(),
        };
        assert_eq!(in_time(&expected, || offered(line)), expected, "{line:?}");
    }
    // Of two files, each flag looks into its own.
    let lines = |line: &[&str]| offered(line).lines().count();
    for (flag, count) in [("--sync-id", 5), ("--other-sync-id", 1)] {
        let line = ["diff", &small, &multi, flag, ""];
        let found = (0..100).map(|_| lines(&line)).find(|found| *found == count);
        assert_eq!(found, Some(count), "{flag}");
    }
    let compared = [
        "principals",
        "compare",
        "-f",
        "no-such.c1z",
        "--compare-file",
        &small,
    ];
    let other = || offered(&[&compared[..], &["--compare-entitlement", "Cus"]].concat());
    assert_eq!(in_time("Custom\n", other), "Custom\n");
    let base = offered(&[&compared[..], &["-e", "Cus"]].concat());
    assert_eq!(base, "");
}

#[test]
fn the_own_folder_of_the_user_is_found_as_a_shell_writes_it() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let at = |home: Option<&Path>| {
        run_in(&Process {
            home: home.map(Path::to_owned),
            ..process(&[
                "complete-value",
                "--",
                "grants",
                "-f",
                "~/golden/v1-small.c1z",
                "-t",
                "gr",
            ])
        })
        .stdout
    };
    assert_eq!(in_time("group\n", || at(Some(&home))), "group\n");
    assert_eq!(at(None), "");
}
