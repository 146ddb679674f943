//! The program as a user starts it: exit codes, what is said, what is left.

use std::path::Path;
use std::process::{Command, Output};

use baton_c1z::{C1zFile, ReadOptions};

/// Runs the program in a folder, with no environment but what is given.
fn program(folder: &Path, args: &[&str], env: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_baton-atlassian"))
        .args(args)
        .current_dir(folder)
        .env_clear()
        .envs(env.iter().copied())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[test]
fn what_must_be_set_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let output = program(folder.path(), &[], &[]);
    assert_eq!(output.status.code(), Some(2));
    let first = "error: required flag(s) \"access-token\", \"organization-id\" not set";
    assert!(said(&output).starts_with(first), "{}", said(&output));
    assert_eq!(entries(folder.path()), 0);
}

#[test]
fn environment_names_of_older_documentation_count_as_set() {
    let folder = tempfile::tempdir().unwrap();
    let env = [("BATON_API_TOKEN", "s3cr3t"), ("BATON_ORG", "o")];
    // Nothing listens on port 1: the flags are there, the server is not.
    let args = ["--base-url", "http://127.0.0.1:1/admin"];
    let output = program(folder.path(), &args, &env);
    assert_eq!(output.status.code(), Some(14), "{}", said(&output));
    assert!(
        said(&output).contains("connection refused"),
        "{}",
        said(&output)
    );
    assert!(!said(&output).contains("s3cr3t"));
    assert_eq!(entries(folder.path()), 0);
}

#[test]
fn certificates_that_cannot_be_read_are_named_before_any_request() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.pem");
    let missing = missing.to_str().unwrap();
    for variable in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
        let env = [
            ("BATON_ACCESS_TOKEN", "t"),
            ("BATON_ORGANIZATION_ID", "o"),
            (variable, missing),
        ];
        let args = ["--base-url", "https://127.0.0.1:1/admin"];
        let output = program(folder.path(), &args, &env);
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        let text = format!("cannot use {variable}: ");
        assert!(said(&output).contains(&text), "{}", said(&output));
        assert!(said(&output).contains("missing.pem"), "{}", said(&output));
        assert_eq!(entries(folder.path()), 0);
        // Without a network the variable does not matter.
        let output = program(folder.path(), &["capabilities"], &env);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    }
}

#[test]
fn values_that_cannot_be_used_end_like_wrong_flags() {
    let folder = tempfile::tempdir().unwrap();
    let pasted = "https://admin.atlassian.com/o/abc/";
    for (args, words) in [
        (["--organization-id", pasted], "invalid organization-id"),
        (["--base-url", "nope"], "invalid base-url"),
        (["--access-token", "@nothing-here"], "access-token"),
        (["--file", "missing/folder/x.c1z"], "does not exist"),
        (["--storage-engine", "pebble2"], "pebble2"),
        (["--request-plan", "clever"], "request-plan"),
        (
            ["--workers", "many"],
            "invalid argument \"many\" for \"--workers\" flag",
        ),
    ] {
        let env = [("BATON_ACCESS_TOKEN", "t"), ("BATON_ORGANIZATION_ID", "o")];
        let output = program(folder.path(), &args, &env);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", said(&output));
        assert!(said(&output).contains(words), "{args:?}: {}", said(&output));
        assert_eq!(entries(folder.path()), 0);
    }
}

#[test]
fn the_automatic_plan_and_go_compatibility_contradict_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let env = [("BATON_ACCESS_TOKEN", "t"), ("BATON_ORGANIZATION_ID", "o")];
    let args = ["--request-plan", "auto", "--go-compatible"];
    for args in [args.to_vec(), [&["demo"], &args[..]].concat()] {
        let output = program(folder.path(), &args, &env);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", said(&output));
        assert!(said(&output).contains("contradict"), "{}", said(&output));
        assert_eq!(entries(folder.path()), 0);
    }
}

#[test]
fn a_target_that_is_no_sync_file_is_refused_before_any_request() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("notes.txt");
    std::fs::write(&target, "not a sync file").unwrap();
    let env = [("BATON_ACCESS_TOKEN", "t"), ("BATON_ORGANIZATION_ID", "o")];
    let args = [
        "--file",
        "notes.txt",
        "--base-url",
        "http://127.0.0.1:1/admin",
    ];
    let output = program(folder.path(), &args, &env);
    assert_ne!(output.status.code(), Some(0));
    assert!(
        said(&output).contains("not a c1z file"),
        "{}",
        said(&output)
    );
    assert_eq!(std::fs::read(&target).unwrap(), b"not a sync file");
}

#[test]
fn the_demo_leaves_a_file_and_replaces_only_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let output = program(folder.path(), &["demo"], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(output.stdout.is_empty(), "results go to the file");
    assert!(
        said(&output).contains(" grants -f demo.c1z"),
        "{}",
        said(&output)
    );
    let demo = folder.path().join("demo.c1z");
    let runs = C1zFile::open(&demo, &ReadOptions::default()).unwrap();
    let stats = runs.latest_finished(None).cloned().unwrap().stats.unwrap();
    assert_eq!(stats.resources_by_type.get("user"), Some(&500));
    assert!(stats.grants > 1000);
    drop(runs);

    assert_eq!(
        program(folder.path(), &["demo"], &[]).status.code(),
        Some(0)
    );
    let plain = program(
        folder.path(),
        &["demo", "--go-compatible", "-f", "plain.c1z"],
        &[],
    );
    assert_eq!(plain.status.code(), Some(0), "{}", said(&plain));
    // A file of the Go connector's form names no writer: it is not a demo's.
    let refused = program(folder.path(), &["demo", "-f", "plain.c1z"], &[]);
    assert_eq!(refused.status.code(), Some(9), "{}", said(&refused));
    assert!(said(&refused).contains("was not written by a demo"));
}

#[test]
fn the_demo_as_a_service_carries_out_three_tasks_and_saves_the_uploaded_file() {
    let folder = tempfile::tempdir().unwrap();
    let temp = tempfile::tempdir().unwrap();
    let env = [
        ("TMPDIR", temp.path().to_str().unwrap()),
        // Nothing of it leaves the machine.
        ("HTTPS_PROXY", "http://127.0.0.1:1"),
        ("HTTP_PROXY", "http://127.0.0.1:1"),
    ];
    let output = program(folder.path(), &["demo", "--service"], &env);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let steps = [
        "log in: 200",
        "the connector introduces itself: OK",
        "task 1 is handed out",
        "task 1: the file is uploaded",
        "task 1 is reported",
        "task 2 is handed out",
        "task 2 is reported",
        "task 3 is handed out",
        "task 3 is reported",
        "in the organization: ",
        " and is suspended",
        "found no fault",
        " grants -f demo.c1z",
    ];
    let mut rest = text.as_str();
    for step in steps {
        let (_, after) = rest
            .split_once(step)
            .unwrap_or_else(|| panic!("{step}: {text}"));
        rest = after;
    }
    // The key of the simulated tenant is not shown.
    assert!(!text.contains("secret-token"), "{text}");
    assert_eq!(entries(temp.path()), 0, "nothing is left behind");
    let runs = C1zFile::open(&folder.path().join("demo.c1z"), &ReadOptions::default()).unwrap();
    let stats = runs.latest_finished(None).cloned().unwrap().stats.unwrap();
    assert_eq!(stats.resources_by_type.get("user"), Some(&500));
    drop(runs);
    // It replaces its own file.
    let again = program(folder.path(), &["demo", "--service"], &env);
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
}

/// The commands that a demo ends with, run by a shell.
#[cfg(unix)]
#[test]
fn the_commands_that_the_demo_ends_with_work_when_pasted() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path().join("bin");
    let work = folder.path().join("my work");
    std::fs::create_dir_all(&bin).unwrap();
    std::fs::create_dir_all(&work).unwrap();
    let exe = bin.join("baton-atlassian");
    std::fs::copy(env!("CARGO_BIN_EXE_baton-atlassian"), &exe).unwrap();
    // Stands for `baton`: shows its arguments, one per line, if the file is there.
    let stand_in = "#!/bin/sh\nfor last; do :; done\ntest -f \"$last\" && printf '%s\\n' \"$@\"\n";
    let baton = bin.join("baton");
    std::fs::write(&baton, stand_in).unwrap();
    std::fs::set_permissions(&baton, std::fs::Permissions::from_mode(0o755)).unwrap();
    let search_path = format!("{}:/usr/bin:/bin", bin.display());
    for (path, start) in [
        ("/usr/bin:/bin", format!("  {} ", baton.display())),
        (search_path.as_str(), "  baton ".to_owned()),
    ] {
        let output = Command::new(&exe)
            .args(["demo", "-f", "it's mine.c1z"])
            .current_dir(&work)
            .env_clear()
            .env("PATH", path)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        let said = said(&output);
        let commands: Vec<&str> = said
            .lines()
            .filter(|line| line.starts_with(&start))
            .collect();
        assert_eq!(commands.len(), 4, "{said}");
        for command in commands {
            let pasted = Command::new("/bin/sh")
                .args(["-c", command])
                .current_dir(&work)
                .env_clear()
                .env("PATH", path)
                .output()
                .unwrap();
            assert!(pasted.status.success(), "{command}");
            let words = String::from_utf8(pasted.stdout).unwrap();
            assert!(words.ends_with("-f\nit's mine.c1z\n"), "{command}: {words}");
            assert!(!words.contains('<'), "{command}: {words}");
        }
    }
}

#[test]
fn capabilities_are_told_without_settings() {
    let folder = tempfile::tempdir().unwrap();
    let told = |args: &[&str]| -> serde_json::Value {
        let output = program(folder.path(), args, &[]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let golden = crate::recording::golden("capabilities.json");
    let by_meaning = |mut told: serde_json::Value| {
        told.as_object_mut().unwrap().remove("@type");
        let all = told["connectorCapabilities"].as_array_mut().unwrap();
        all.sort_by_key(ToString::to_string);
        for row in told["resourceTypeCapabilities"].as_array_mut().unwrap() {
            let all = row["capabilities"].as_array_mut().unwrap();
            all.sort_by_key(ToString::to_string);
        }
        told
    };
    let as_go = by_meaning(told(&["capabilities", "--go-compatible"]));
    assert_eq!(as_go, by_meaning(golden));
    let ours = by_meaning(told(&["capabilities"]));
    assert_eq!(ours["credentialDetails"], as_go["credentialDetails"]);
    let types = |told: &serde_json::Value| {
        let rows = told["resourceTypeCapabilities"].as_array().unwrap();
        rows.clone()
    };
    assert_eq!(types(&ours).len(), types(&as_go).len());
    for (ours, theirs) in types(&ours).iter().zip(types(&as_go)) {
        assert_eq!(ours["resourceType"], theirs["resourceType"]);
        let added: &[&str] = match ours["resourceType"]["id"].as_str().unwrap() {
            "user" | "group" => &["TARGETED_SYNC"],
            "organization" => &["TARGETED_SYNC", "PROVISION"],
            "api_token" => &["RESOURCE_DELETE"],
            _ => &[],
        };
        let mut expected = theirs["capabilities"].as_array().unwrap().clone();
        expected.extend(added.iter().map(|name| format!("CAPABILITY_{name}").into()));
        expected.sort_by_key(ToString::to_string);
        assert_eq!(ours["capabilities"], serde_json::json!(expected));
    }
}
