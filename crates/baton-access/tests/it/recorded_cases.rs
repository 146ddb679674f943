//! Cases with results recorded from another implementation
//! (`tests/fixtures/expansion`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::model::{Entitlement, File, Grant, Pair, Seen};

#[derive(Debug, Deserialize)]
pub struct Case {
    pub name: String,
    pub entitlements: Vec<Entitlement>,
    pub grants: Vec<Grant>,
    #[serde(default)]
    expected: Vec<Expected>,
    pub expected_error: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Expected {
    id: String,
    entitlement: String,
    principal: Pair,
    sources: BTreeMap<String, bool>,
    immutable: bool,
}

impl Case {
    pub fn expected(&self) -> BTreeMap<String, Seen> {
        let seen = |e: &Expected| Seen {
            entitlement: e.entitlement.clone(),
            principal: e.principal.clone(),
            sources: e.sources.clone(),
            immutable: e.immutable,
            label: String::new(),
        };
        self.expected
            .iter()
            .map(|e| (e.id.clone(), seen(e)))
            .collect()
    }
}

pub fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/expansion");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the fixtures")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    let read = |path: &PathBuf| {
        let text = std::fs::read(path).expect("readable");
        serde_json::from_slice(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    };
    paths.iter().map(read).collect()
}

#[test]
fn recorded_failures_fail_with_the_recorded_message() {
    let mut seen = 0;
    for case in cases() {
        let Some(expected) = &case.expected_error else {
            continue;
        };
        let mut file = File::new(&case.entitlements, &case.grants);
        let error = file.expand().expect_err(&case.name);
        let text = baton_proto::causes::one_line(&error);
        assert!(text.ends_with(expected.as_str()), "{}: {text}", case.name);
        seen += 1;
    }
    assert!(seen >= 1);
}

#[test]
fn recorded_cases_give_the_recorded_grants_and_expanding_again_nothing() {
    let mut seen = 0;
    for case in cases() {
        if case.expected_error.is_some() {
            continue;
        }
        let mut file = File::new(&case.entitlements, &case.grants);
        file.expand().expect(&case.name);
        assert_eq!(file.seen(), case.expected(), "{}", case.name);
        let again = file.expand().expect(&case.name);
        assert_eq!(again, 0, "{}: expanding again", case.name);
        seen += 1;
    }
    assert!(seen >= 20, "only {seen} cases");
}

#[test]
fn the_order_of_the_input_does_not_matter() {
    for case in cases().into_iter().filter(|c| c.expected_error.is_none()) {
        let mut plain = File::new(&case.entitlements, &case.grants);
        plain.expand().expect(&case.name);
        for turn in 1..case.grants.len().min(8) {
            let mut grants = case.grants.clone();
            grants.rotate_left(turn);
            grants[turn..].reverse();
            let mut shuffled = File::new(&case.entitlements, &grants);
            shuffled.expand().expect(&case.name);
            assert_eq!(shuffled.grants, plain.grants, "{}", case.name);
        }
    }
}
