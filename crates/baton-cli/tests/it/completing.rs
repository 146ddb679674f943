//! What a shell offers for values.

use crate::program::{fixture, words};

fn offered(line: &[&str]) -> String {
    let outcome = words(&[&["complete-value", "--"], line].concat());
    assert_eq!((outcome.status, &*outcome.stderr), (0, ""), "{line:?}");
    outcome.stdout
}

/// What is offered once the machine is fast enough: on a busy one the time may be over before
/// anything is found.
fn in_time(expected: &str, offer: impl Fn() -> String) -> String {
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
            (&["-o", "y"], "yaml\n"),
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

#[cfg(unix)]
#[test]
fn the_script_for_bash_offers_values_of_the_file() {
    let script = words(&["completion", "bash"]).stdout;
    let file = fixture("v1-small.c1z");
    let program = env!("CARGO_BIN_EXE_baton");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("baton.bash");
    std::fs::write(&path, script).unwrap();
    let ask = format!(
        "source {}; COMP_WORDS=(baton grants -f {file} --principal User); COMP_CWORD=5; \
         _baton_with_values {program} User --principal; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        path.display()
    );
    let shell = || {
        std::process::Command::new("bash")
            .args(["-c", &ask])
            .output()
    };
    if shell().is_err() {
        // Not every system has it.
        return;
    }
    let expected = "User\\ 1\nUser\\ 2\n";
    let ask = || String::from_utf8(shell().unwrap().stdout).unwrap();
    let offers = in_time(expected, ask);
    assert!(offers.starts_with(expected), "{offers}");
}
