//! Crates can be packaged: `packaging/release/crates` does it, which takes
//! longer than these tests.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use crate::source::sources;
use crate::workspace::{metadata, ours};

/// Crates that only the repository uses.
const INTERNAL: [&str; 6] = [
    "baton-csv",
    "baton-forge",
    "fault-sim",
    "fuzz-targets",
    "tidy",
    "xtask",
];

/// `publish = false` in a manifest is an empty list of registries here.
fn is_internal(package: &Value) -> bool {
    package["publish"].as_array().is_some_and(Vec::is_empty)
}

#[test]
fn only_crates_of_the_repository_itself_are_internal() {
    let meta = metadata();
    let packages = ours(&meta).into_iter();
    let mut found: Vec<_> = packages
        .filter(|package| is_internal(package))
        .map(|package| package["name"].as_str().unwrap())
        .collect();
    found.sort_unstable();
    assert_eq!(found, INTERNAL);
}

#[test]
fn packages_name_the_versions_of_our_crates_and_depend_on_packages() {
    let meta = metadata();
    let by_name: BTreeMap<_, _> = ours(&meta)
        .into_iter()
        .map(|package| (package["name"].as_str().unwrap(), package))
        .collect();
    let mut wrong = Vec::new();
    for (name, package) in &by_name {
        if is_internal(package) {
            continue;
        }
        for key in ["description", "license", "readme"] {
            if package[key].as_str().is_none_or(str::is_empty) {
                wrong.push(format!("{name} has no {key}"));
            }
        }
        for dependency in package["dependencies"].as_array().unwrap() {
            let target = dependency["name"].as_str().unwrap();
            let Some(other) = by_name.get(target) else {
                continue;
            };
            let wanted = format!("^{}", other["version"].as_str().unwrap());
            if is_internal(other) {
                wrong.push(format!("{name} depends on {target}, which is internal"));
            } else if dependency["req"] != wanted.as_str() {
                wrong.push(format!("{name} depends on {target} without its version"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The paths that a source includes at compile time, as they are written.
fn included(source: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for name in ["include_str!(\"", "include_bytes!(\"", "include!(\""] {
        let parts = source.split(name).skip(1);
        found.extend(parts.filter_map(|rest| rest.split('"').next()));
    }
    found
}

/// The path without `..`, which need not exist.
fn resolved(path: &Path) -> PathBuf {
    let mut found = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                found.pop();
            }
            part => found.push(part),
        }
    }
    found
}

/// Whether a file that `source` includes is missing in a package of `folder`,
/// which has neither files of other folders nor tests.
fn is_missing(folder: &Path, source: &Path, included: &str) -> bool {
    let path = resolved(&source.parent().unwrap().join(included));
    !path.starts_with(folder) || path.starts_with(folder.join("tests"))
}

#[test]
fn packages_hold_the_files_that_their_sources_include() {
    let meta = metadata();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for package in ours(&meta) {
        let manifest = Path::new(package["manifest_path"].as_str().unwrap());
        let folder = manifest.parent().unwrap();
        if is_internal(package) {
            continue;
        }
        let build = folder.join("build.rs");
        let mut files = sources(&folder.join("src"));
        files.extend(build.is_file().then_some(build));
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            for path in included(&text) {
                seen += 1;
                if is_missing(folder, &file, path) {
                    wrong.push(format!("{} includes {path}", file.display()));
                }
            }
        }
    }
    assert!(seen > 5, "only {seen} files are included");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_file_of_another_folder_or_of_the_tests_is_missing_in_a_package() {
    let (folder, source) = (
        Path::new("/w/crates/a"),
        Path::new("/w/crates/a/src/b/c.rs"),
    );
    for path in [
        "../../../../docs/flags.md",
        "../../tests/x.bin",
        "../../../b/x",
    ] {
        assert!(is_missing(folder, source, path), "{path}");
    }
    for path in ["../../README.md", "d.txt", "tests/x"] {
        assert!(!is_missing(folder, source, path), "{path}");
    }
    let text = "include_str!(\"../README.md\"), include_bytes!(\"x\")";
    assert_eq!(included(text), ["../README.md", "x"]);
}
