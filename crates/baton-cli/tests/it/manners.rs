//! Manners on a terminal and in a pipe: pager, colours, quiet, standard input,
//! hints.

use std::process::Command;

use baton_cli::{PagerSettings, Process, StandardInput, run_on_screen};

use crate::program::{fixture, process, run_in, words};

const MISSING: &str = "v1-missing-entitlement.c1z";

#[test]
fn quiet_leaves_errors_and_data() {
    let file = fixture(MISSING);
    for args in [
        &["grants"][..],
        &["grants", "-e", "nope"],
        &["grants", "--explain"],
        &["resources", "further", "words"],
        &["principals", "--where", "resource.profile.x == 1"],
    ] {
        let loud = words(&[args, &["-f", &file]].concat());
        assert_ne!(loud.stderr, "", "{args:?}");
        for flag in ["--quiet", "-q"] {
            let quiet = words(&[args, &[flag, "-f", &file]].concat());
            assert_eq!((quiet.status, quiet.stderr), (0, String::new()), "{args:?}");
            assert_eq!(quiet.stdout, loud.stdout);
        }
    }
    let outcome = words(&["grants", "-q", "-f", "no-such.c1z"]);
    assert_eq!(outcome.status, 2);
    assert!(
        outcome
            .stderr
            .starts_with("error: no-such.c1z does not exist")
    );
}

fn piped(args: &[&str], bytes: Vec<u8>, folder: &std::path::Path) -> crate::program::Outcome {
    run_in(&Process {
        stdin: StandardInput::Given(bytes.into()),
        temp_dir: Some(folder.to_owned()),
        max_decoded_mb: Some("1".to_owned()),
        ..process(args)
    })
}

#[test]
fn a_dash_reads_standard_input_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["v1-small.c1z", "v3-small.c1z", "v1-multi-sync.c1z"] {
        let bytes = std::fs::read(fixture(name)).unwrap();
        for list in [&["grants"][..], &["syncs"], &["stats", "-o", "json"]] {
            let outcome = piped(&[list, &["-f", "-"]].concat(), bytes.clone(), folder.path());
            assert_eq!(outcome.status, 0, "{}", outcome.stderr);
            let direct = words(&[list, &["-f", &fixture(name)]].concat());
            assert_eq!(outcome.stdout, direct.stdout, "{name} {list:?}");
        }
    }
    for (bytes, text) in [
        (Vec::new(), "does not exist or is empty"),
        (b"no sync file at all".to_vec(), "error: "),
        (
            vec![0; (1 << 20) + 1],
            "standard input has more than 1048576 bytes",
        ),
    ] {
        let outcome = piped(&["grants", "-f", "-"], bytes, folder.path());
        assert_eq!((outcome.status, &*outcome.stdout), (2, ""));
        assert!(outcome.stderr.contains(text), "{}", outcome.stderr);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let outcome = piped(&["recalculate-stats", "-f", "-"], Vec::new(), folder.path());
    assert_eq!(outcome.status, 2);
    let text = "error: `baton recalculate-stats` changes the file: it cannot be standard input\n";
    assert!(outcome.stderr.starts_with(text), "{}", outcome.stderr);
}

#[test]
fn an_address_in_s3_is_refused_with_what_to_do() {
    let outcome = words(&["grants", "-f", "s3://bucket/key.c1z"]);
    assert_eq!(
        (outcome.status, &*outcome.stderr),
        (
            2,
            "error: cannot read s3://bucket/key.c1z: files in S3 are not supported yet\n\
             hint: download it first, as in `aws s3 cp s3://bucket/key.c1z - | baton stats -f -`\n"
        )
    );
}

#[cfg(unix)]
#[test]
fn long_output_on_a_screen_goes_through_the_pager_unless_it_is_not_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let paged = folder.path().join("paged");
    let file = fixture(MISSING);
    let show = |lines, args: &[&str]| {
        let _ = std::fs::remove_file(&paged);
        let settings = PagerSettings {
            pager: Some(format!("tee {}", paged.display()).into()),
            has_less_settings: true,
            lines,
        };
        let process = Process {
            terminal: Some(100),
            ..process(args)
        };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let status = run_on_screen(&process, settings, &mut out, &mut err);
        let paged = std::fs::read_to_string(&paged).unwrap_or_default();
        (
            status,
            paged,
            String::from_utf8(out).unwrap(),
            String::from_utf8(err).unwrap(),
        )
    };
    let list = ["grants", "-f", &file];
    let (status, paged, plain, err) = show(100, &list);
    assert_eq!((status, &*paged), (0, ""));
    assert!(err.starts_with("warning: "), "{err}");
    let whole = (0, plain.clone(), String::new(), err.clone());
    assert_eq!(show(4, &list), whole);
    let unpaged = (0, String::new(), plain, err);
    assert_eq!(show(4, &[&list[..], &["--no-pager"]].concat()), unpaged);
    // Making a file shows nothing that needs a pager.
    let out = folder.path().join("out.c1z").display().to_string();
    let (status, paged, plain, _) = show(1, &["to-pebble", "-f", &file, "--out", &out]);
    assert_eq!((status, &*paged), (0, ""));
    assert!(plain.lines().count() > 4);
}

#[test]
fn colours_are_for_terminals_unless_they_are_forced_or_unwanted() {
    let file = fixture("v1-small.c1z");
    let list = |env: &[(&str, &str)]| {
        let output = Command::new(env!("CARGO_BIN_EXE_baton"))
            .args(["resources", "-f", &file])
            .env_clear()
            .envs(env.iter().copied())
            .output()
            .unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap().contains('\x1b')
    };
    for (env, coloured) in [
        (&[][..], false),
        (&[("CLICOLOR_FORCE", "1")], true),
        (&[("CLICOLOR_FORCE", "0")], false),
        (&[("CLICOLOR_FORCE", "")], false),
        (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
        (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "")], true),
    ] {
        assert_eq!(list(env), coloured, "{env:?}");
    }
}

#[test]
fn typing_errors_get_a_hint() {
    for (args, hint) in [
        (&["grnats"][..], "a similar command exists: grants"),
        (&["export", "xslx"], "a similar command exists: xlsx"),
        (&["grants", "--limt", "3"], "a similar flag exists: --limit"),
        (
            &["grants", "--serach", "x"],
            "a similar flag exists: --search",
        ),
    ] {
        let outcome = words(args);
        assert_eq!(outcome.status, 2);
        let expected = format!("hint: {hint}\n");
        assert!(outcome.stderr.ends_with(&expected), "{}", outcome.stderr);
    }
}
