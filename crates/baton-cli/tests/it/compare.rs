//! `principals compare`: what it warns of, and which file it reads.

use std::process::Command;

use crate::program::{fixture, words};

fn compare(more: &[&str]) -> crate::program::Outcome {
    words(&[&["principals", "compare"], more].concat())
}

#[test]
fn an_id_that_no_entitlement_has_counts_as_unheld_and_near_ones_are_listed() {
    let file = fixture("v1-small.c1z");
    let known = "group:g1:member";
    for (base, other) in [("group:g1:membr", known), (known, "group:g1:membr")] {
        let more = ["-e", base, "--compare-entitlement", other, "-f", &file];
        let outcome = compare(&more);
        assert_eq!(outcome.status, 0);
        let expected = format!(
            "warning: {file} has no entitlement with the id or name `group:g1:membr`; near \
             matches: `group:g1:member` (`Group 1 member`), `group:g2:member` (`Group 2 member`), \
             `group:g3:member` (`Group 3 member`)\n"
        );
        assert_eq!(outcome.stderr, expected);
        assert_eq!(
            outcome.stdout.contains("Extra Principals"),
            base != known,
            "{}",
            outcome.stdout
        );
    }
}

#[test]
fn two_wrong_ids_match_only_with_two_warnings() {
    let file = fixture("v3-small.c1z");
    let outcome = compare(&["-e", "nope", "--compare-entitlement", "nada", "-f", &file]);
    assert_eq!(outcome.status, 0);
    assert_eq!(outcome.stderr.matches("warning: ").count(), 2);
    assert!(outcome.stdout.ends_with("appear to match!"));
}

#[test]
fn an_entitlement_that_is_not_given_is_named() {
    let file = fixture("v1-small.c1z");
    let outcome = compare(&["-o", "json", "-f", &file]);
    assert_eq!((outcome.status, &*outcome.stdout), (0, "{}"));
    assert_eq!(
        outcome.stderr,
        "warning: no entitlement is given with `--entitlement`: there are no principals to \
         compare\nwarning: no entitlement is given with `--compare-entitlement`: there are no \
         principals to compare\n"
    );
}

#[test]
fn a_name_that_one_entitlement_has_stands_for_it() {
    for file in ["v1-small.c1z", "v3-small.c1z"].map(fixture) {
        let by = |base, other| {
            let more = ["-e", base, "--compare-entitlement", other, "-f", &file];
            let outcome = compare(&more);
            assert_eq!((outcome.status, &*outcome.stderr), (0, ""));
            outcome.stdout
        };
        let ids = by("group:g1:member", "group:g2:member");
        assert_eq!(by("Group 1 member", "Group 2:member"), ids);
    }
}

/// The Go tool reads `sync.c1z` of the folder instead.
#[test]
fn without_another_file_both_entitlements_are_in_the_one_that_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("sync.c1z"), b"no sync file").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_baton"))
        .args(["principals", "compare", "-e", "group:g1:member"])
        .args(["--compare-entitlement", "group:g1:member", "-f"])
        .arg(fixture("v1-small.c1z"))
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success());
    assert!(output.stdout.ends_with(b"appear to match!"));
}

#[test]
fn the_file_that_cannot_be_read_is_named() {
    let file = fixture("v1-small.c1z");
    let garbage = fixture("cases.tsv");
    for (other, status, said) in [
        ("", 2, "error: the path of the sync file is empty\n"),
        (
            "no/such.c1z",
            2,
            "error: no/such.c1z does not exist or is empty\nhint: pass another file with --compare-file\n",
        ),
        (&garbage, 2, "cases.tsv"),
    ] {
        let more = [
            "--compare-file",
            other,
            "-e",
            "group:g1:member",
            "-f",
            &file,
        ];
        let outcome = compare(&more);
        assert_eq!((outcome.status, &*outcome.stdout), (status, ""), "{other}");
        assert!(outcome.stderr.contains(said), "{}", outcome.stderr);
    }
}

#[test]
fn files_of_two_formats_are_compared() {
    let (v1, v3) = (fixture("v1-small.c1z"), fixture("v3-small.c1z"));
    let outcome = compare(&[
        "-e",
        "group:g1:member",
        "--compare-entitlement",
        "group:g1:member",
        "-f",
        &v1,
        "--compare-file",
        &v3,
    ]);
    assert!(
        outcome.stdout.ends_with("appear to match!"),
        "{}",
        outcome.stdout
    );
}

#[test]
fn other_formats_have_a_row_per_difference() {
    let file = fixture("v1-small.c1z");
    let by = |format| {
        let outcome = compare(&[
            "-e",
            "group:g1:member",
            "--compare-entitlement",
            "group:g2:member",
            "-o",
            format,
            "-f",
            &file,
        ]);
        assert_eq!((outcome.status, &*outcome.stderr), (0, ""));
        outcome.stdout
    };
    assert_eq!(
        by("csv"),
        "Difference,ID,Display Name,Resource Type,Parent Resource\n\
         missing,u1,User 1,User,\nmissing,u3,User 3,User,\nmissing,u5,User 5,User,\n\
         extra,u2,User 2,User,\nextra,u4,User 4,User,\n"
    );
    assert_eq!(by("markdown").lines().count(), 7);
    assert!(by("yaml").starts_with("missing:\n"), "{}", by("yaml"));
    let lines = by("ndjson");
    let sides: Vec<String> = lines
        .lines()
        .map(|line| {
            let object: serde_json::Value = serde_json::from_str(line).unwrap();
            let id = &object["principal"]["resource"]["id"]["resource"];
            format!("{} {}", object["difference"], id).replace('"', "")
        })
        .collect();
    assert_eq!(
        sides,
        [
            "missing u1",
            "missing u3",
            "missing u5",
            "extra u2",
            "extra u4"
        ]
    );
}

#[test]
fn two_syncs_of_one_file_are_compared_by_their_ids() {
    let file = fixture("v1-multi-sync.c1z");
    let syncs = words(&["syncs", "-o", "json", "-f", &file]).stdout;
    let syncs: serde_json::Value = serde_json::from_str(&syncs).unwrap();
    let ids: Vec<&str> = syncs["syncs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sync| sync["id"].as_str().unwrap())
        .collect();
    let member = "group:g1:member";
    let holders = |id: &str| -> Vec<serde_json::Value> {
        let list = ["principals", "-e", member, "--sync-id", id];
        let list = words(&[&list[..], &["-o", "json", "-f", &file]].concat()).stdout;
        let list: serde_json::Value = serde_json::from_str(&list).unwrap();
        list["resources"].as_array().cloned().unwrap_or_default()
    };
    let mut differing = 0;
    for base in &ids {
        for other in &ids {
            let outcome = compare(&[
                "-e",
                member,
                "--sync-id",
                base,
                "--compare-entitlement",
                member,
                "--compare-sync-id",
                other,
                "-o",
                "json",
                "-f",
                &file,
            ]);
            assert_eq!(outcome.status, 0, "{}", outcome.stderr);
            let shown: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
            for (key, id) in [("base", base), ("compared", other)] {
                let shown = shown[key].as_array().cloned().unwrap_or_default();
                assert_eq!(shown, holders(id), "{base} {other} {key}");
            }
            differing += usize::from(shown.get("missing").or(shown.get("extra")).is_some());
        }
    }
    assert!(differing > 0);
    for flag in ["--sync-id", "--compare-sync-id"] {
        let outcome = compare(&[
            "-e",
            member,
            "--compare-entitlement",
            member,
            flag,
            "nope",
            "-f",
            &file,
        ]);
        assert_eq!(outcome.status, 5, "{flag}: {}", outcome.stderr);
        assert!(
            outcome.stderr.contains("error: no sync `nope` in "),
            "{flag}"
        );
    }
}
