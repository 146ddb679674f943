//! The rules of a field (`c1.config.v1`), on values of arguments. Semantics and
//! words are those of settings (connector CLI specification, §2.3): an empty value
//! skips all rules unless `validate_empty` is set, and the first broken rule counts.

use std::collections::{BTreeMap, BTreeSet};

use baton_proto::WellKnown;
use baton_proto::c1::config::v1 as config;
use baton_proto::c1::connector::v2;
use regex::Regex;

use crate::page::shorten;

/// The compiled patterns of a schema, by their text.
pub(super) type Patterns = BTreeMap<String, Regex>;

/// What a value is shown as.
fn shown(value: &str, secret: bool) -> String {
    if secret {
        "[secret]".to_owned()
    } else {
        format!("`{}`", shorten(value))
    }
}

pub(super) fn text(
    rules: &config::StringRules,
    patterns: &Patterns,
    value: &str,
    secret: bool,
) -> Option<String> {
    if value.is_empty() && !rules.validate_empty {
        return None;
    }
    let got = || shown(value, secret);
    let must = |rule: String| Some(format!("must {rule}, not {}", got()));
    let length = value.len() as u64;
    if let Some(want) = rules.eq.as_ref().filter(|want| *want != value) {
        return must(format!("be `{want}`"));
    }
    for (broken, word) in [
        (rules.len.filter(|want| length != *want), "exactly"),
        (rules.min_len.filter(|want| length < *want), "at least"),
        (rules.max_len.filter(|want| length > *want), "at most"),
    ] {
        if let Some(want) = broken {
            return Some(format!("must have {word} {want} bytes, not {length}"));
        }
    }
    if let Some(want) = &rules.pattern
        && patterns
            .get(want)
            .is_some_and(|regex| !regex.is_match(value))
    {
        return must(format!("match pattern `{want}`"));
    }
    if let Some(want) = rules
        .prefix
        .as_ref()
        .filter(|want| !value.starts_with(*want))
    {
        return must(format!("begin with `{want}`"));
    }
    if let Some(want) = rules.suffix.as_ref().filter(|want| !value.ends_with(*want)) {
        return must(format!("end with `{want}`"));
    }
    if let Some(want) = rules
        .contains
        .as_ref()
        .filter(|want| !value.contains(*want))
    {
        return must(format!("contain `{want}`"));
    }
    let not_contained = rules.not_contains.as_ref();
    if let Some(want) = not_contained.filter(|want| value.contains(*want)) {
        return must(format!("not contain `{want}`"));
    }
    if !rules.r#in.is_empty() && !rules.r#in.iter().any(|one| one == value) {
        return must(format!("be one of {}", names(&rules.r#in)));
    }
    if rules.not_in.iter().any(|one| one == value) {
        return must(format!("be none of {}", names(&rules.not_in)));
    }
    let form = WellKnown::of_rule(rules.well_known());
    let broken = form.filter(|form| !form.matches(value))?;
    must(format!("be a valid {}", broken.word()))
}

pub(super) fn number(rules: &config::Int64Rules, value: i64) -> Option<String> {
    if value == 0 && !rules.validate_empty {
        return None;
    }
    let bounds = [
        (rules.eq.filter(|want| value != *want), "be"),
        (rules.lt.filter(|want| value >= *want), "be less than"),
        (rules.lte.filter(|want| value > *want), "be at most"),
        (rules.gt.filter(|want| value <= *want), "be greater than"),
        (rules.gte.filter(|want| value < *want), "be at least"),
    ];
    let broken = bounds
        .into_iter()
        .find_map(|(broken, word)| broken.map(|want| format!("{word} {want}")));
    let broken = broken.or_else(|| {
        (!rules.r#in.is_empty() && !rules.r#in.contains(&value))
            .then(|| format!("be one of {}", names(&rules.r#in)))
    });
    let broken = broken.or_else(|| {
        let is_in = rules.not_in.contains(&value);
        is_in.then(|| format!("be none of {}", names(&rules.not_in)))
    });
    broken.map(|rule| format!("must {rule}, not {value}"))
}

pub(super) fn flag(rules: config::BoolRules, value: bool) -> Option<String> {
    let want = rules.eq.filter(|want| *want != value)?;
    Some(format!("must be {want}, not {value}"))
}

/// The rules of a list as a whole.
pub(super) struct ListRules {
    pub min_items: Option<u64>,
    pub max_items: Option<u64>,
    pub unique: bool,
    pub validate_empty: bool,
}

impl ListRules {
    pub(super) fn broken<T: Ord>(&self, items: &[T]) -> Option<String> {
        if items.is_empty() && !self.validate_empty {
            return None;
        }
        let count = items.len() as u64;
        for (broken, word) in [
            (self.min_items.filter(|want| count < *want), "at least"),
            (self.max_items.filter(|want| count > *want), "at most"),
        ] {
            if let Some(want) = broken {
                let items = baton_proto::figures::counted(want, "item", "items");
                return Some(format!("must have {word} {items}, not {count}"));
            }
        }
        let mut seen = BTreeSet::new();
        let twice = items.iter().position(|item| !seen.insert(item));
        let twice = twice.filter(|_| self.unique)?;
        Some(format!(
            "must not have an item twice, as item {}",
            twice + 1
        ))
    }
}

/// The type of a resource among those that are allowed, if any are named.
pub(super) fn resource_type(allowed: &[String], id: &v2::ResourceId) -> Option<String> {
    let broken = !allowed.is_empty() && !allowed.contains(&id.resource_type);
    broken.then(|| {
        let got = shorten(&id.resource_type);
        format!("must be a resource of type {}, not `{got}`", names(allowed))
    })
}

fn names<T: std::fmt::Display>(values: &[T]) -> String {
    let names: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
    names.join(", ")
}
