//! The flags themselves, against those of the Go program.

use std::collections::{BTreeMap, BTreeSet};

use crate::stage::Stage;

/// Flags that differ from the Go program's on purpose, as the documentation lists
/// them: `| \`--flag\` | how | why |`.
fn declared(how: &str) -> BTreeSet<String> {
    let page = include_str!("../../../../docs/compatibility.md");
    let rows = page.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `--")?.split(" | ");
        let name = cells.next()?.trim_end_matches('`');
        (cells.next()? == how).then(|| name.to_owned())
    });
    rows.collect()
}

/// Name to (shorthand, type, default, hidden), from the program's own reference page.
fn ours() -> BTreeMap<String, Shape> {
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
                "string" | "path" | "duration" => ("string", ""),
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

type Shape = (String, String, String, bool);

/// Name to shape of the Go program's flags.
fn of_go() -> BTreeMap<String, Shape> {
    let golden = include_str!("../fixtures/flags.tsv");
    let rows = golden.lines().skip(1).map(|line| {
        let cells: Vec<&str> = line.split('\t').collect();
        let text = |at: usize| cells[at].trim_matches('"').to_owned();
        (text(0), (text(1), text(2), text(3), text(4) == "true"))
    });
    rows.filter(|(name, _)| !["help", "version"].contains(&name.as_str()))
        .collect()
}

#[test]
fn names_types_defaults_and_visibility_equal_the_go_program() {
    let (ours, go) = (ours(), of_go());
    let names = |flags: &BTreeMap<String, Shape>| flags.keys().cloned().collect::<BTreeSet<_>>();
    let (our_names, go_names) = (names(&ours), names(&go));
    let only_ours: BTreeSet<_> = our_names.difference(&go_names).cloned().collect();
    assert_eq!(only_ours, declared("ours"), "flags that only we have");
    let missing: BTreeSet<_> = go_names.difference(&our_names).cloned().collect();
    assert_eq!(missing, declared("missing"), "flags that only Go has");
    let differing = |part: fn(&Shape) -> String| -> BTreeSet<String> {
        let both = our_names.intersection(&go_names);
        both.filter(|name| part(&ours[*name]) != part(&go[*name]))
            .cloned()
            .collect()
    };
    assert_eq!(
        differing(|shape| shape.0.clone()),
        BTreeSet::new(),
        "shorthands"
    );
    assert_eq!(differing(|shape| shape.1.clone()), BTreeSet::new(), "types");
    let defaults = differing(|shape| shape.2.clone());
    assert_eq!(defaults, declared("other default"), "defaults");
    let hidden = differing(|shape| shape.3.to_string());
    assert_eq!(hidden, declared("hidden"), "visibility");
}

#[test]
fn variables_are_derived_from_the_names() {
    for line in baton_runtime::common_flags_markdown().lines() {
        let Some(row) = line.strip_prefix("| `--") else {
            continue;
        };
        let name = row.split('`').next().unwrap();
        let variable = format!("`BATON_{}`", name.to_uppercase().replace('-', "_"));
        assert!(line.contains(&variable), "{line}");
    }
}

#[test]
fn flags_of_the_go_program_that_do_nothing_here_are_unknown() {
    for name in declared("missing") {
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
