//! Workspace rules. Each test names the rule; the table of allowed
//! dependencies is the crate map of `ARCHITECTURE.md` as data.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Who may depend on whom (normal dependencies). A crate that is missing here
/// fails the test, so that a new one has to be placed on the map first.
const ALLOWED: &[(&str, &[&str])] = &[
    ("baton-proto", &[]),
    ("baton-pebble", &[]),
    ("baton-term", &["baton-proto"]),
    ("baton-flags", &["baton-proto", "baton-term"]),
    ("baton-c1z", &["baton-proto", "baton-pebble"]),
    ("baton-query", &["baton-proto", "baton-c1z"]),
    ("baton-crypto", &["baton-proto"]),
    ("baton-access", &["baton-proto", "baton-c1z"]),
    ("baton-ops", &["baton-proto"]),
    ("baton-connector", &["baton-crypto", "baton-proto"]),
    ("baton-grpc", &["baton-connector", "baton-proto"]),
    ("baton-otel", &["baton-grpc", "baton-proto", "baton-term"]),
    (
        "baton-sync",
        &[
            "baton-proto",
            "baton-c1z",
            "baton-access",
            "baton-connector",
        ],
    ),
    (
        "baton-service",
        &[
            "baton-c1z",
            "baton-connector",
            "baton-crypto",
            "baton-grpc",
            "baton-proto",
            "baton-sync",
        ],
    ),
    (
        "baton-metrics",
        &[
            "baton-connector",
            "baton-proto",
            "baton-service",
            "baton-sync",
        ],
    ),
    (
        "baton-runtime",
        &[
            "baton-proto",
            "baton-c1z",
            "baton-access",
            "baton-connector",
            "baton-crypto",
            "baton-flags",
            "baton-grpc",
            "baton-metrics",
            "baton-ops",
            "baton-otel",
            "baton-query",
            "baton-service",
            "baton-sync",
            "baton-term",
        ],
    ),
    (
        "baton-testkit",
        &[
            "baton-c1z",
            "baton-connector",
            "baton-grpc",
            "baton-proto",
            "baton-runtime",
            "baton-sync",
        ],
    ),
    (
        "baton-atlassian",
        &[
            "baton-connector",
            "baton-proto",
            "baton-runtime",
            "atlassian-sim",
            "c1-sim",
        ],
    ),
    ("atlassian-sim", &["baton-term"]),
    ("c1-sim", &["baton-grpc", "baton-proto", "baton-term"]),
    (
        "baton-cli",
        &[
            "baton-c1z",
            "baton-access",
            "baton-flags",
            "baton-proto",
            "baton-query",
            "baton-term",
        ],
    ),
    (
        "fault-sim",
        &[
            "atlassian-sim",
            "baton-atlassian",
            "baton-c1z",
            "baton-connector",
            "baton-proto",
            "baton-runtime",
            "baton-sync",
        ],
    ),
    (
        "baton-drive",
        &[
            "baton-connector",
            "baton-grpc",
            "baton-proto",
            "baton-runtime",
        ],
    ),
    ("baton-csv", &["baton-connector", "baton-runtime"]),
    ("baton-forge", &["baton-connector", "baton-runtime"]),
    (
        "fuzz-targets",
        &[
            "baton-pebble",
            "baton-c1z",
            "baton-crypto",
            "baton-grpc",
            "baton-proto",
            "baton-query",
        ],
    ),
    ("tidy", &[]),
    ("xtask", &[]),
];

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

pub(crate) fn metadata() -> serde_json::Value {
    let out = Command::new(env::var("CARGO").unwrap_or_else(|_| "cargo".into()))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "cargo metadata failed: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    serde_json::from_slice(&out.stdout).unwrap()
}

pub(crate) fn ours(meta: &serde_json::Value) -> Vec<&serde_json::Value> {
    meta["packages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|p| p["source"].is_null())
        .collect()
}

#[test]
fn dependencies_between_our_crates_point_one_way() {
    let meta = metadata();
    let allowed: BTreeMap<_, BTreeSet<_>> = ALLOWED
        .iter()
        .map(|(name, deps)| (*name, deps.iter().copied().collect()))
        .collect();
    let mut wrong = Vec::new();
    for package in ours(&meta) {
        let name = package["name"].as_str().unwrap();
        let Some(may) = allowed.get(name) else {
            wrong.push(format!("{name} is not on the crate map"));
            continue;
        };
        for dependency in package["dependencies"].as_array().unwrap() {
            let target = dependency["name"].as_str().unwrap();
            // Tests may look further: only normal and build edges are the architecture.
            if dependency["kind"] == "dev" || dependency["path"].is_null() {
                continue;
            }
            if !may.contains(target) {
                wrong.push(format!("{name} must not depend on {target}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn test_only_edges_do_not_close_a_circle_through_the_architecture() {
    let meta = metadata();
    let order: Vec<_> = ALLOWED.iter().map(|(name, _)| *name).collect();
    let low = [
        "baton-proto",
        "baton-pebble",
        "baton-c1z",
        "baton-access",
        "baton-connector",
    ];
    for package in ours(&meta) {
        let name = package["name"].as_str().unwrap();
        for dependency in package["dependencies"].as_array().unwrap() {
            let target = dependency["name"].as_str().unwrap();
            if dependency["kind"] == "dev" && !dependency["path"].is_null() && low.contains(&name) {
                let place = |n: &str| order.iter().position(|o| *o == n).unwrap();
                assert!(
                    place(target) <= place(name),
                    "tests of {name} use {target}, which lies above it"
                );
            }
        }
    }
}

/// The words of one string list of `deny.toml`.
fn deny_list(key: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("deny.toml")).unwrap();
    let start = text
        .find(&format!("\n{key} = ["))
        .unwrap_or_else(|| panic!("deny.toml lacks `{key}`"));
    let body = &text[start..];
    let end = body.find("\n]").unwrap();
    body[..end]
        .split('"')
        .skip(1)
        .step_by(2)
        .map(ToOwned::to_owned)
        .collect()
}

#[test]
fn every_dependency_has_a_licence_that_deny_toml_allows() {
    let meta = metadata();
    let allowed = deny_list("allow");
    let mut wrong = Vec::new();
    for package in meta["packages"].as_array().unwrap() {
        let licence = package["license"].as_str().unwrap_or("none");
        // SPDX subset in use: `A OR B`, `A AND B`, `A WITH B`, `A/B`.
        let normal = licence.replace('/', " OR ").replace(['(', ')'], "");
        let fine = normal
            .split(" AND ")
            .all(|part| part.split(" OR ").any(|l| allowed.contains(l.trim())));
        if !fine {
            wrong.push(format!(
                "{} {}: {licence}",
                package["name"], package["version"]
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn banned_crates_stay_out() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for name in ["openssl", "openssl-sys", "native-tls", "aws-lc-sys"] {
        assert!(
            !lock.contains(&format!("\nname = \"{name}\"\n")),
            "{name} must not be in the tree: rustls with ring is what we build on"
        );
    }
}

/// Our source files, with their text.
fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("crates"), root().join("examples")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found
}

#[test]
fn source_files_can_be_read_in_one_sitting() {
    let sources = sources().into_iter();
    let lines = sources.map(|(path, text)| (path, text.lines().count()));
    let long: Vec<_> = lines
        .filter(|(_, lines)| *lines > 900)
        .map(|(path, lines)| format!("{} has {lines} lines", path.display()))
        .collect();
    assert!(long.is_empty(), "split by what they do: {long:#?}");
}

#[test]
fn source_files_have_no_licence_headers() {
    // LICENSE covers the repository; a header would have to be kept true in each file.
    let header = |text: &str| {
        let mut first = text.lines().take(10);
        first.any(|line| line.contains("SPDX-License") || line.contains("Copyright "))
    };
    let sources = sources().into_iter();
    let found: Vec<_> = sources.filter(|(_, text)| header(text)).collect();
    let found: Vec<_> = found.iter().map(|(path, _)| path).collect();
    assert!(found.is_empty(), "{found:?}");
}

/// Whether a line of code formats with a width or precision that is only known
/// when it runs: `{:width$}`, `{x:>1$}`, `{:.*}`.
fn formats_with_a_width(line: &str) -> bool {
    line.split('{').skip(1).any(|rest| {
        let spec = rest.split('}').next().unwrap_or_default();
        match spec.split_once(':') {
            Some((name, spec)) => {
                let is_name = |c: char| c.is_alphanumeric() || c == '_';
                name.chars().all(is_name)
                    && (spec.contains(".*") || spec.trim_end_matches('?').contains('$'))
                    && spec.len() < 40
            }
            None => false,
        }
    })
}

#[test]
fn widths_known_only_at_run_time_are_not_format_widths() {
    for line in [
        r#"write!(out, "{:width$}", "")"#,
        r#"format!("{label:labels$}  {number:>0$}")"#,
        r#"format!("{:.*}", 2, x)"#,
        r#"format!("{x:.digits$}")"#,
    ] {
        assert!(formats_with_a_width(line), "{line}");
    }
    assert!(!formats_with_a_width(r#"format!("{x:>3} {y:?} {z:.2}")"#));
    assert!(!formats_with_a_width(
        "($($args:tt)*) => { info!($($args)*) }"
    ));
    // Such a width is a u16: a value above 65,535 panics.
    let mut found = Vec::new();
    for (path, text) in sources() {
        if path.ends_with("tidy/tests/it/workspace.rs") {
            continue;
        }
        let lines = text.lines().enumerate();
        let lines = lines.filter(|(_, line)| formats_with_a_width(line));
        found.extend(lines.map(|(at, line)| format!("{}:{}: {line}", path.display(), at + 1)));
    }
    assert!(found.is_empty(), "pad by hand instead: {found:#?}");
}

#[test]
fn no_profile_aborts_on_panic() {
    // A panic must end as an error that says what was being done.
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(!manifest.contains("panic ="), "a profile sets `panic`");
    let folder = root().join(".cargo");
    for name in ["config.toml", "config"] {
        let config = fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert!(!config.contains("panic"), "{name} sets `panic`");
    }
}

#[test]
fn shipped_binaries_carry_no_symbols() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let profile = |name: &str| {
        let start = manifest.find(&format!("\n[profile.{name}]\n")).unwrap();
        let body = &manifest[start + 2..];
        body.split("\n[").next().unwrap().to_owned()
    };
    assert!(profile("release").contains("strip = \"symbols\""));
    assert!(!profile("release").contains("debug"));
    let symbols = profile("release-symbols");
    assert!(symbols.contains("inherits = \"release\"") && symbols.contains("strip = \"none\""));
}

#[test]
fn the_project_stands_alone() {
    let out = Command::new("git")
        .args(["ls-files"])
        .current_dir(root())
        .output()
        .unwrap();
    // An exported source tree has no git data: then there is nothing to ask.
    if !out.status.success() {
        return;
    }
    let outside = concat!("../", "shared/");
    for file in String::from_utf8_lossy(&out.stdout).lines() {
        if let Ok(text) = fs::read_to_string(root().join(file)) {
            assert!(!text.contains(outside), "{file} points outside the project");
        }
    }
}
