//! Value rules of fields, and the texts of their violations.
//!
//! The texts are a contract (connector CLI specification, §2.3): scripts match on them. A zero
//! value skips every rule save `required`, unless `validate_empty` is set; the first failing rule
//! of a field wins, in the order in which the rule structs list them.

use std::fmt::Write as _;

use baton_proto::WellKnown;

/// Rules for string fields. Lengths count bytes.
#[derive(Debug, Clone, Copy, Default)]
#[allow(
    missing_docs,
    reason = "each field is named after its rule in the exported schema"
)]
pub struct StringRules {
    pub required: bool,
    pub validate_empty: bool,
    pub eq: Option<&'static str>,
    pub len: Option<u64>,
    pub min_len: Option<u64>,
    pub max_len: Option<u64>,
    pub prefix: Option<&'static str>,
    pub suffix: Option<&'static str>,
    pub contains: Option<&'static str>,
    pub one_of: &'static [&'static str],
    pub not_one_of: &'static [&'static str],
    pub well_known: Option<WellKnown>,
}

/// Rules for integer fields.
#[derive(Debug, Clone, Copy, Default)]
#[allow(
    missing_docs,
    reason = "each field is named after its rule in the exported schema"
)]
pub struct IntRules {
    pub required: bool,
    pub validate_empty: bool,
    pub eq: Option<i64>,
    pub lt: Option<i64>,
    pub lte: Option<i64>,
    pub gt: Option<i64>,
    pub gte: Option<i64>,
    pub one_of: &'static [i64],
    pub not_one_of: &'static [i64],
}

/// Rules for list fields.
#[derive(Debug, Clone, Copy, Default)]
#[allow(
    missing_docs,
    reason = "each field is named after its rule in the exported schema"
)]
pub struct ListRules {
    pub required: bool,
    pub validate_empty: bool,
    pub min_items: Option<u64>,
    pub max_items: Option<u64>,
    pub unique: bool,
    pub item: Option<StringRules>,
}

/// Replaces the value of a secret field in a violation.
const SECRET_SHOWN: &str = "[secret]";

impl StringRules {
    /// No rule, to begin with in constants.
    pub const NONE: Self = Self {
        required: false,
        validate_empty: false,
        eq: None,
        len: None,
        min_len: None,
        max_len: None,
        prefix: None,
        suffix: None,
        contains: None,
        one_of: &[],
        not_one_of: &[],
        well_known: None,
    };

    /// The violation, as the text that follows `field <name>`; `None` when the value is fine.
    ///
    /// `secret` keeps the value out of the text.
    pub(crate) fn violation(&self, value: &str, secret: bool) -> Option<String> {
        if value.is_empty() {
            if self.required {
                return Some(required("string"));
            }
            if !self.validate_empty {
                return None;
            }
        }
        let shown = if secret { SECRET_SHOWN } else { value };
        let len = value.len() as u64;
        let must = |rule: String| Some(format!(": value must {rule} but got '{shown}'"));
        if let Some(want) = self.eq.filter(|want| *want != value) {
            return Some(format!(": expected '{want}' but got '{shown}'"));
        }
        let lengths = [
            (self.len.filter(|want| len != *want), "exactly"),
            (self.min_len.filter(|want| len < *want), "at least"),
            (self.max_len.filter(|want| len > *want), "at most"),
        ];
        for (broken, word) in lengths {
            if let Some(want) = broken {
                return Some(format!(
                    ": value must be {word} {want} characters long but got {len}"
                ));
            }
        }
        if let Some(want) = self.prefix.filter(|want| !value.starts_with(want)) {
            return must(format!("have prefix '{want}'"));
        }
        if let Some(want) = self.suffix.filter(|want| !value.ends_with(want)) {
            return must(format!("have suffix '{want}'"));
        }
        if let Some(want) = self.contains.filter(|want| !value.contains(want)) {
            return must(format!("contain '{want}'"));
        }
        if !self.one_of.is_empty() && !self.one_of.contains(&value) {
            return must(format!("be one of [{}]", self.one_of.join(" ")));
        }
        if self.not_one_of.contains(&value) {
            return must(format!("not be one of [{}]", self.not_one_of.join(" ")));
        }
        if let Some(kind) = self.well_known.filter(|kind| !kind.matches(value)) {
            return must(format!("be a valid {}", kind.word()));
        }
        None
    }
}

impl IntRules {
    /// No rule, to begin with in constants.
    pub const NONE: Self = Self {
        required: false,
        validate_empty: false,
        eq: None,
        lt: None,
        lte: None,
        gt: None,
        gte: None,
        one_of: &[],
        not_one_of: &[],
    };

    /// As [`StringRules::violation`].
    pub(crate) fn violation(&self, value: i64) -> Option<String> {
        if value == 0 {
            if self.required {
                return Some(required("int"));
            }
            if !self.validate_empty {
                return None;
            }
        }
        if let Some(want) = self.eq.filter(|want| *want != value) {
            return Some(format!(": expected {want} but got {value}"));
        }
        let bounds = [
            (self.lt.filter(|want| value >= *want), "less than"),
            (
                self.lte.filter(|want| value > *want),
                "less than or equal to",
            ),
            (self.gt.filter(|want| value <= *want), "greater than"),
            (
                self.gte.filter(|want| value < *want),
                "greater than or equal to",
            ),
        ];
        for (broken, word) in bounds {
            if let Some(want) = broken {
                return Some(format!(": value must be {word} {want} but got {value}"));
            }
        }
        if !self.one_of.is_empty() && !self.one_of.contains(&value) {
            return Some(format!(
                ": value must be one of [{}] but got {value}",
                spaced(self.one_of)
            ));
        }
        if self.not_one_of.contains(&value) {
            return Some(format!(
                ": value must not be one of [{}] but got {value}",
                spaced(self.not_one_of)
            ));
        }
        None
    }
}

impl ListRules {
    /// No rule, to begin with in constants.
    pub const NONE: Self = Self {
        required: false,
        validate_empty: false,
        min_items: None,
        max_items: None,
        unique: false,
        item: None,
    };

    /// As [`StringRules::violation`].
    pub(crate) fn violation(&self, value: &[String], secret: bool) -> Option<String> {
        if value.is_empty() {
            if self.required {
                return Some(required("[]string"));
            }
            if !self.validate_empty {
                return None;
            }
        }
        let count = value.len() as u64;
        if let Some(min) = self.min_items.filter(|min| count < *min) {
            return Some(format!(
                ": value must have at least {min} items but got {count}"
            ));
        }
        if let Some(max) = self.max_items.filter(|max| count > *max) {
            return Some(format!(
                ": value must have at most {max} items but got {count}"
            ));
        }
        if self.unique {
            let mut seen = std::collections::BTreeSet::new();
            if let Some(twice) = value.iter().find(|item| !seen.insert(item.as_str())) {
                let shown = if secret { SECRET_SHOWN } else { twice.as_str() };
                return Some(format!(
                    ": value must not contain duplicate items but got multiple \"{shown}\""
                ));
            }
        }
        let item_rules = self.item.as_ref()?;
        value.iter().enumerate().find_map(|(index, item)| {
            item_rules
                .violation(item, secret)
                .map(|text| format!(" invalid item at field {index}{text}"))
        })
    }
}

pub(crate) fn required(type_name: &str) -> String {
    format!(" of type {type_name} is marked as required but it has a zero-value")
}

fn spaced(items: &[i64]) -> String {
    let mut text = String::new();
    for (index, item) in items.iter().enumerate() {
        let space = if index == 0 { "" } else { " " };
        // Writing to a string cannot fail.
        let _ = write!(text, "{space}{item}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(rules: &StringRules, value: &str) -> String {
        rules.violation(value, false).unwrap_or_default()
    }

    #[test]
    fn each_string_rule_has_its_text() {
        let base = StringRules::default;
        let cases: Vec<(StringRules, &str, &str)> = vec![
            (
                StringRules {
                    required: true,
                    ..base()
                },
                "",
                " of type string is marked as required but it has a zero-value",
            ),
            (
                StringRules {
                    eq: Some("a"),
                    ..base()
                },
                "b",
                ": expected 'a' but got 'b'",
            ),
            (
                StringRules {
                    len: Some(3),
                    ..base()
                },
                "abcde",
                ": value must be exactly 3 characters long but got 5",
            ),
            (
                StringRules {
                    min_len: Some(3),
                    ..base()
                },
                "é",
                ": value must be at least 3 characters long but got 2",
            ),
            (
                StringRules {
                    max_len: Some(1),
                    ..base()
                },
                "abc",
                ": value must be at most 1 characters long but got 3",
            ),
            (
                StringRules {
                    prefix: Some("a"),
                    ..base()
                },
                "b",
                ": value must have prefix 'a' but got 'b'",
            ),
            (
                StringRules {
                    suffix: Some("a"),
                    ..base()
                },
                "b",
                ": value must have suffix 'a' but got 'b'",
            ),
            (
                StringRules {
                    contains: Some("a"),
                    ..base()
                },
                "b",
                ": value must contain 'a' but got 'b'",
            ),
            (
                StringRules {
                    one_of: &["", "sqlite", "pebble"],
                    ..base()
                },
                "x",
                ": value must be one of [ sqlite pebble] but got 'x'",
            ),
            (
                StringRules {
                    not_one_of: &["x"],
                    ..base()
                },
                "x",
                ": value must not be one of [x] but got 'x'",
            ),
            (
                StringRules {
                    well_known: Some(WellKnown::Email),
                    ..base()
                },
                "x",
                ": value must be a valid email address but got 'x'",
            ),
        ];
        for (rules, value, want) in cases {
            assert_eq!(string(&rules, value), want);
        }
    }

    #[test]
    fn zero_values_skip_rules_unless_told() {
        let rules = IntRules {
            gte: Some(1),
            ..IntRules::default()
        };
        assert_eq!(rules.violation(0), None);
        let rules = IntRules {
            validate_empty: true,
            ..rules
        };
        assert_eq!(
            rules.violation(0).as_deref(),
            Some(": value must be greater than or equal to 1 but got 0")
        );
        assert_eq!(
            string(
                &StringRules {
                    eq: Some("a"),
                    ..StringRules::default()
                },
                ""
            ),
            ""
        );
    }

    #[test]
    fn each_int_rule_has_its_text() {
        let base = IntRules::default;
        let cases: Vec<(IntRules, i64, &str)> = vec![
            (
                IntRules {
                    required: true,
                    ..base()
                },
                0,
                " of type int is marked as required but it has a zero-value",
            ),
            (
                IntRules {
                    eq: Some(5),
                    ..base()
                },
                7,
                ": expected 5 but got 7",
            ),
            (
                IntRules {
                    lt: Some(5),
                    ..base()
                },
                7,
                ": value must be less than 5 but got 7",
            ),
            (
                IntRules {
                    lte: Some(5),
                    ..base()
                },
                7,
                ": value must be less than or equal to 5 but got 7",
            ),
            (
                IntRules {
                    gt: Some(7),
                    ..base()
                },
                7,
                ": value must be greater than 7 but got 7",
            ),
            (
                IntRules {
                    gte: Some(8),
                    ..base()
                },
                7,
                ": value must be greater than or equal to 8 but got 7",
            ),
            (
                IntRules {
                    one_of: &[1, 2],
                    ..base()
                },
                3,
                ": value must be one of [1 2] but got 3",
            ),
            (
                IntRules {
                    not_one_of: &[1, 2],
                    ..base()
                },
                1,
                ": value must not be one of [1 2] but got 1",
            ),
        ];
        for (rules, value, want) in cases {
            assert_eq!(rules.violation(value).as_deref(), Some(want));
        }
    }

    #[test]
    fn each_list_rule_has_its_text() {
        let list = |items: &[&str]| items.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let base = ListRules::default;
        let item = StringRules {
            one_of: &["a"],
            ..StringRules::default()
        };
        let cases: Vec<(ListRules, Vec<String>, &str)> = vec![
            (
                ListRules {
                    required: true,
                    ..base()
                },
                list(&[]),
                " of type []string is marked as required but it has a zero-value",
            ),
            (
                ListRules {
                    min_items: Some(2),
                    ..base()
                },
                list(&["a"]),
                ": value must have at least 2 items but got 1",
            ),
            (
                ListRules {
                    max_items: Some(1),
                    ..base()
                },
                list(&["a", "b"]),
                ": value must have at most 1 items but got 2",
            ),
            (
                ListRules {
                    unique: true,
                    ..base()
                },
                list(&["a", "b", "a"]),
                ": value must not contain duplicate items but got multiple \"a\"",
            ),
            (
                ListRules {
                    item: Some(item),
                    ..base()
                },
                list(&["a", "b"]),
                " invalid item at field 1: value must be one of [a] but got 'b'",
            ),
        ];
        for (rules, value, want) in cases {
            assert_eq!(rules.violation(&value, false).as_deref(), Some(want));
        }
    }

    #[test]
    fn a_secret_value_is_not_in_the_text() {
        let rules = StringRules {
            prefix: Some("key_"),
            ..StringRules::default()
        };
        assert_eq!(
            rules.violation("hunter2", true).as_deref(),
            Some(": value must have prefix 'key_' but got '[secret]'")
        );
    }
}
