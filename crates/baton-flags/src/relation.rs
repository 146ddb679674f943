//! Fields that go together, or do not.
//!
//! A relationship is looked at twice, as in the Go SDK (connector CLI specification, §2): first by
//! whether a flag was *set* (also to an empty value), then by whether its value is present. The
//! two looks have their own texts. [`Relation::DependentOn`] is part of the second look only.

use crate::config::Config;
use crate::error::{Error, Result};
use crate::field::AnyField;
use crate::violation::Violation;

/// A rule over several fields of a connector.
#[derive(Debug, Clone)]
pub enum Relation {
    /// All or none.
    RequiredTogether(Vec<&'static str>),
    /// At most one.
    MutuallyExclusive(Vec<&'static str>),
    /// One or more.
    AtLeastOne(Vec<&'static str>),
    /// The fields make sense only when all of the second list are present.
    DependentOn {
        /// The dependent fields.
        fields: Vec<&'static str>,
        /// What they need.
        on: Vec<&'static str>,
    },
}

impl Relation {
    /// The fields that it is about; for dependent ones, those that depend.
    pub fn members(&self) -> &[&'static str] {
        match self {
            Self::RequiredTogether(fields)
            | Self::MutuallyExclusive(fields)
            | Self::AtLeastOne(fields)
            | Self::DependentOn { fields, .. } => fields,
        }
    }

    /// The order in which the kinds are tried in the first look; dependent is not.
    fn rank(&self) -> Option<u8> {
        match self {
            Self::RequiredTogether(_) => Some(0),
            Self::AtLeastOne(_) => Some(1),
            Self::MutuallyExclusive(_) => Some(2),
            Self::DependentOn { .. } => None,
        }
    }

    fn violation_of_set(&self, is_set: impl Fn(&str) -> bool) -> Option<Violation> {
        let group = self.members().to_vec();
        let (mut set, mut missing): (Vec<_>, Vec<_>) = group.iter().partition(|name| is_set(name));
        set.sort_unstable();
        missing.sort_unstable();
        match self {
            Self::RequiredTogether(_) if !set.is_empty() && !missing.is_empty() => {
                Some(Violation::NotAllSet { group, missing })
            }
            Self::AtLeastOne(_) if set.is_empty() => Some(Violation::NoneSet { group }),
            Self::MutuallyExclusive(_) if set.len() > 1 => Some(Violation::ManySet { group, set }),
            _ => None,
        }
    }

    fn violation_of_values(&self, is_present: impl Fn(&str) -> bool) -> Option<Violation> {
        let group = self.members().to_vec();
        let (set, missing): (Vec<_>, Vec<_>) = group.iter().partition(|name| is_present(name));
        match self {
            Self::RequiredTogether(_) if !set.is_empty() && !missing.is_empty() => {
                Some(Violation::NotAllPresent { missing })
            }
            Self::AtLeastOne(_) if set.is_empty() => Some(Violation::NonePresent { group }),
            Self::MutuallyExclusive(_) if set.len() > 1 => Some(Violation::ManyPresent { set }),
            Self::DependentOn { on, .. } if !set.is_empty() => {
                let absent: Vec<_> = on
                    .iter()
                    .copied()
                    .filter(|name| !is_present(name))
                    .collect();
                (!absent.is_empty()).then_some(Violation::Dependent { set, on: absent })
            }
            _ => None,
        }
    }
}

/// The declaration check: run once per start, before anything is parsed.
pub(crate) fn check_declared(relations: &[&Relation], fields: &[&AnyField]) -> Result<()> {
    for relation in relations {
        let members = relation.members();
        let known = |name: &&'static str| fields.iter().any(|field| field.name == *name);
        let distinct = |names: &[&str]| {
            names
                .iter()
                .collect::<std::collections::BTreeSet<_>>()
                .len()
                == names.len()
        };
        let mut sound = distinct(members) && members.iter().all(known);
        match relation {
            Relation::RequiredTogether(_) | Relation::AtLeastOne(_) => sound &= members.len() > 1,
            Relation::MutuallyExclusive(_) => {
                let required = |name: &&str| {
                    fields
                        .iter()
                        .any(|field| field.name == *name && field.is_required())
                };
                sound &= members.len() > 1 && !members.iter().any(required);
            }
            Relation::DependentOn { on, .. } => {
                sound &= !members.is_empty()
                    && !on.is_empty()
                    && distinct(on)
                    && on.iter().all(known)
                    && !on.iter().any(|name| members.contains(name));
            }
        }
        if !sound {
            return Err(Error::MalformedRelation {
                fields: members.to_vec(),
            });
        }
    }
    Ok(())
}

/// The first look: by what was set. `available` are the fields of the invoked command; a group
/// counts only where all its fields exist.
pub(crate) fn check_set(
    relations: &[&Relation],
    available: &[&AnyField],
    config: &Config,
) -> Result<()> {
    let mut ordered: Vec<(u8, String, &Relation)> = relations
        .iter()
        .filter(|relation| {
            relation
                .members()
                .iter()
                .all(|name| available.iter().any(|field| field.name == *name))
        })
        .filter_map(|relation| Some((relation.rank()?, relation.members().join(" "), *relation)))
        .collect();
    ordered.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    for (_, _, relation) in ordered {
        if let Some(violation) = relation.violation_of_set(|name| config.is_set(name)) {
            return Err(violation.into());
        }
    }
    Ok(())
}

/// The second look: by values, in declaration order.
pub(crate) fn check_values(relations: &[&Relation], config: &Config) -> Result<()> {
    for relation in relations {
        if let Some(violation) = relation.violation_of_values(|name| config.is_present(name)) {
            return Err(violation.into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(relation: &Relation, names: &[&str]) -> String {
        relation
            .violation_of_set(|name| names.contains(&name))
            .map_or_else(String::new, |violation| violation.to_string())
    }

    fn values(relation: &Relation, names: &[&str]) -> String {
        relation
            .violation_of_values(|name| names.contains(&name))
            .map_or_else(String::new, |violation| violation.to_string())
    }

    #[test]
    fn set_flags_are_judged_with_the_parser_texts() {
        let together = Relation::RequiredTogether(vec!["client-id", "client-secret"]);
        assert_eq!(
            set(&together, &["client-id"]),
            "if any flags in the group [client-id client-secret] are set they must all be set; missing [client-secret]"
        );
        assert_eq!(set(&together, &[]), "");
        assert_eq!(set(&together, &["client-id", "client-secret"]), "");
        let exclusive = Relation::MutuallyExclusive(vec!["b", "a", "c"]);
        assert_eq!(
            set(&exclusive, &["a", "b"]),
            "if any flags in the group [b a c] are set none of the others can be; [a b] were all set"
        );
        let one = Relation::AtLeastOne(vec!["a", "b"]);
        assert_eq!(
            set(&one, &[]),
            "at least one of the flags in the group [a b] is required"
        );
        let dependent = Relation::DependentOn {
            fields: vec!["a"],
            on: vec!["b"],
        };
        assert_eq!(set(&dependent, &["a"]), "");
    }

    #[test]
    fn values_are_judged_with_the_config_texts() {
        let together = Relation::RequiredTogether(vec!["a", "b"]);
        assert_eq!(
            values(&together, &["a"]),
            "fields marked as needed together are missing: ('b')"
        );
        let exclusive = Relation::MutuallyExclusive(vec!["a", "b"]);
        assert_eq!(
            values(&exclusive, &["a", "b"]),
            "fields marked as mutually exclusive were set: ('a' and 'b')"
        );
        let one = Relation::AtLeastOne(vec!["a", "b", "c"]);
        assert_eq!(
            values(&one, &[]),
            "at least one field was expected, any of: ('a', 'b', and 'c')"
        );
        let dependent = Relation::DependentOn {
            fields: vec!["a"],
            on: vec!["b"],
        };
        assert_eq!(
            values(&dependent, &["a"]),
            "set fields ('a') are dependent on ('b') being set"
        );
        assert_eq!(values(&dependent, &["a", "b"]), "");
        assert_eq!(values(&dependent, &["b"]), "");
    }

    #[test]
    fn a_relationship_that_cannot_hold_is_refused() {
        use crate::field::Field;
        let fields = [
            Field::string("a", "").any(),
            Field::string("b", "").any(),
            Field::string("must", "").required().any(),
        ];
        let fields: Vec<&AnyField> = fields.iter().collect();
        let bad = [
            Relation::RequiredTogether(vec!["a"]),
            Relation::RequiredTogether(vec!["a", "a"]),
            Relation::AtLeastOne(vec!["a", "nope"]),
            Relation::MutuallyExclusive(vec!["a", "must"]),
            Relation::DependentOn {
                fields: vec![],
                on: vec!["a"],
            },
            Relation::DependentOn {
                fields: vec!["a"],
                on: vec!["a", "b"],
            },
        ];
        for relation in bad {
            let error = check_declared(&[&relation], &fields).unwrap_err();
            assert_eq!(
                error.to_string(),
                "invalid config: invalid relationship constraint"
            );
        }
        let good = [
            Relation::RequiredTogether(vec!["a", "b"]),
            Relation::DependentOn {
                fields: vec!["a"],
                on: vec!["must"],
            },
        ];
        check_declared(&good.iter().collect::<Vec<_>>(), &fields).unwrap();
    }
}
