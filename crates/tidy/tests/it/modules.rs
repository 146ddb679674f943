//! Modules of a crate form no circle: each can be read after those that it uses.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{env, fs};

type Edges = BTreeMap<String, BTreeSet<String>>;

/// Crates whose top modules form no circle.
const CRATES: &[&str] = &[
    "baton-atlassian",
    "baton-cli",
    "baton-connector",
    "baton-flags",
    "baton-ops",
    "baton-pebble",
    "baton-proto",
    "baton-runtime",
    "baton-sync",
    "baton-term",
    "baton-testkit",
];

/// Folders of modules within a crate that form no circle.
const FOLDERS: &[(&str, &str)] = &[("baton-c1z", "seal"), ("baton-c1z", "merge")];

fn sources(name: &str) -> PathBuf {
    let tidy = PathBuf::from(env::var("CARGO_MANIFEST_DIR").unwrap());
    tidy.join("..").join(name).join("src")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            all.push(path);
        }
    }
    all
}

/// Which top modules a source names, tests and comments aside.
fn named(source: &str) -> BTreeSet<String> {
    named_below("crate::", source)
}

/// Which modules below `root` a source names.
fn named_below(root: &str, source: &str) -> BTreeSet<String> {
    let code = source.split("#[cfg(test)]").next().unwrap();
    let lines = code.lines().filter(|line| !line.trim().starts_with("//"));
    let mut named = BTreeSet::new();
    for line in lines {
        for rest in line.split(root).skip(1) {
            let name = rest
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .next();
            named.extend(name.map(str::to_owned));
        }
    }
    named
}

fn edges(name: &str) -> Edges {
    let root = sources(name);
    let mut edges = Edges::new();
    for file in files(&root) {
        let below = file.strip_prefix(&root).unwrap().with_extension("");
        let module = below.iter().next().unwrap().to_string_lossy().into_owned();
        let is_test = below.ends_with("tests");
        if module != "lib" && !is_test {
            let source = fs::read_to_string(&file).unwrap();
            edges.entry(module).or_default().extend(named(&source));
        }
    }
    edges
}

/// Which modules the files of a folder name beside themselves.
fn folder_edges(name: &str, folder: &str) -> Edges {
    let mut edges = Edges::new();
    for entry in fs::read_dir(sources(name).join(folder)).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_string_lossy().into_owned();
        // The parent module holds the others together.
        if path.is_file() && module != "mod" {
            let source = fs::read_to_string(&path).unwrap();
            edges.insert(module, named_below("super::", &source));
        }
    }
    edges
}

/// What is left when modules that use nothing of the rest are taken away, one
/// after the other.
fn circle(mut edges: Edges) -> Vec<String> {
    loop {
        let all: BTreeSet<String> = edges.keys().cloned().collect();
        let is_leaf = |(module, uses): (&String, &BTreeSet<String>)| {
            !uses.iter().any(|used| used != module && all.contains(used))
        };
        let leaves: Vec<String> = edges
            .iter()
            .filter(|edge| is_leaf(*edge))
            .map(|(module, _)| module.clone())
            .collect();
        if leaves.is_empty() {
            return all.into_iter().collect();
        }
        edges.retain(|module, _| !leaves.contains(module));
    }
}

#[test]
fn the_modules_of_a_crate_form_no_circle() {
    for name in CRATES {
        assert_eq!(circle(edges(name)), Vec::<String>::new(), "{name}");
    }
    let edges = edges("baton-sync");
    assert!(
        edges.len() > 20 && edges["run"].contains("drive"),
        "{edges:?}"
    );
}

#[test]
fn the_modules_of_a_folder_form_no_circle() {
    for (name, folder) in FOLDERS {
        let edges = folder_edges(name, folder);
        assert_eq!(circle(edges), Vec::<String>::new(), "{name}/{folder}");
    }
    let edges = folder_edges("baton-c1z", "seal");
    assert!(
        edges.len() > 15 && edges["finish"].contains("write"),
        "{edges:?}"
    );
}

#[test]
fn a_circle_is_found() {
    let uses = |used: &[&str]| used.iter().map(|name| (*name).to_owned()).collect();
    let edges = Edges::from([
        ("a".to_owned(), uses(&["b", "c"])),
        ("b".to_owned(), uses(&["a"])),
        ("c".to_owned(), uses(&[])),
    ]);
    assert_eq!(circle(edges), ["a", "b"]);
    let source = "use crate::one::X;\n// crate::two\nfn f() { crate::three::g() }\n#[cfg(test)]\ncrate::four";
    assert_eq!(named(source), uses(&["one", "three"]));
}
