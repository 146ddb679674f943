//! The flags themselves, against those of the Go program.

use std::collections::BTreeMap;

use crate::stage::Stage;

/// Flags whose default differs from the Go program's on purpose.
const OTHER_DEFAULT: [&str; 1] = ["workers"];

/// Flags that the Go program shows and this one hides, since they have no effect yet.
const HIDDEN_HERE: [&str; 1] = ["skip-full-sync"];

const OURS: [&str; 11] = [
    "allow-empty",
    "allow-partial",
    "audit-log",
    "dry-run",
    "force-protected",
    "fresh",
    "max-grants",
    "max-requests-per-second",
    "output",
    "rate-share",
    "sync-after",
];

/// Name to (shorthand, type, default, hidden), from the program's own reference page.
fn ours() -> BTreeMap<String, (String, String, String, bool)> {
    let page = baton_runtime::common_flags_markdown()
        + &baton_runtime::flags_markdown(&crate::stage::fields());
    page.lines()
        .filter(|line| line.starts_with("| `--"))
        .map(|line| {
            let cells: Vec<&str> = line.split(" | ").collect();
            let mut names = cells[0].trim_start_matches("| ").split(", ");
            let name = names
                .next()
                .unwrap()
                .trim_matches('`')
                .trim_start_matches("--")
                .to_owned();
            let short = names
                .next()
                .map_or("", |short| short.trim_matches('`').trim_start_matches('-'));
            let (kind, zero) = match cells[1] {
                "switch" => ("bool", "false"),
                "string" | "path" => ("string", ""),
                "int" => ("int", "0"),
                "strings" => ("stringSlice", "[]"),
                other => panic!("unknown type word {other}"),
            };
            let shown = cells[2].trim_matches('`').trim_matches('"');
            let default = if shown.is_empty() { zero } else { shown };
            let hidden = line.contains("not shown in the help");
            (
                name,
                (
                    short.to_owned(),
                    kind.to_owned(),
                    default.to_owned(),
                    hidden,
                ),
            )
        })
        .collect()
}

#[test]
fn names_types_defaults_and_visibility_equal_the_go_program() {
    let golden = include_str!("../fixtures/flags.tsv");
    let go: BTreeMap<&str, Vec<&str>> = golden
        .lines()
        .skip(1)
        .map(|line| (line.split('\t').next().unwrap(), line.split('\t').collect()))
        .collect();
    for (name, (short, kind, default, hidden)) in ours() {
        let Some(row) = go.get(name.as_str()) else {
            assert!(
                OURS.contains(&name.as_str()),
                "--{name} is neither Go's nor listed as ours"
            );
            continue;
        };
        assert_eq!(row[1], short, "--{name}");
        assert_eq!(row[2], kind, "--{name}");
        let differs = row[3].trim_matches('"') != default;
        assert_eq!(
            differs,
            OTHER_DEFAULT.contains(&name.as_str()),
            "default of --{name}"
        );
        let shown_in_go = row[4] == "false";
        let hidden_here = shown_in_go && HIDDEN_HERE.contains(&name.as_str());
        assert_eq!(hidden, !shown_in_go || hidden_here, "--{name}");
    }
}

#[test]
fn flags_of_the_go_program_that_do_nothing_here_are_unknown() {
    let ours = ours();
    let golden = include_str!("../fixtures/flags.tsv");
    for line in golden.lines().skip(1) {
        let name = line.split('\t').next().unwrap();
        if ours.contains_key(name) || ["help", "version"].contains(&name) {
            continue;
        }
        let outcome = Stage::ready().run(&[&format!("--{name}=x")]);
        assert_eq!(outcome.error(), format!("unknown flag: --{name}"));
        assert_eq!(outcome.status.code(), 2);
    }
}

/// The page in the repository is the generated one. To refresh it, run this test with
/// `UPDATE_DOCS=1`.
#[test]
fn the_reference_page_is_up_to_date() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/flags.md");
    let generated = baton_runtime::common_flags_markdown();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path)
        .unwrap()
        .replace("\r\n", "\n");
    assert!(
        committed == generated,
        "docs/flags.md is stale: run this test with UPDATE_DOCS=1"
    );
}
