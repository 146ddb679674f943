//! Exclusion groups must make sense as a whole (sync-runtime.md §3.3, I5):
//! judged on the rows that will be in the file, just before it is written.

use std::collections::BTreeMap;

use baton_proto::c1::connector::v2;
use baton_proto::field::c1::connector::v2 as field;
use baton_proto::{any, wire};
use prost::Name;
use prost_types::Any;

use crate::error::{Error, Result};

/// Entitlements that one exclusion group may have.
const MAX_ENTITLEMENTS: u64 = 50;

#[derive(Debug)]
struct Group {
    resource_type: String,
    entitlements: u64,
    default: Option<String>,
}

/// The groups met so far.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    groups: BTreeMap<String, Group>,
}

impl Groups {
    /// Takes note of an entitlement; fails when it breaks a rule.
    pub(crate) fn add(&mut self, id: &str, resource_type: &str, entitlement: &[u8]) -> Result<()> {
        let name = v2::EntitlementExclusionGroup::full_name();
        let marked = wire::split_annotation(entitlement, field::entitlement::ANNOTATIONS, &name);
        let unreadable = |source| Error::Annotation {
            record: format!("entitlement `{id}`"),
            source,
        };
        let (_, payloads) = marked.map_err(unreadable)?;
        for payload in payloads {
            let group = any::unpack::<v2::EntitlementExclusionGroup>(&Any {
                type_url: name.clone(),
                value: payload,
            });
            self.add_member(id, resource_type, group.map_err(unreadable)?)?;
        }
        Ok(())
    }

    fn add_member(
        &mut self,
        id: &str,
        resource_type: &str,
        member: v2::EntitlementExclusionGroup,
    ) -> Result<()> {
        let name = member.exclusion_group_id;
        let group = self.groups.entry(name.clone()).or_insert_with(|| Group {
            resource_type: resource_type.to_owned(),
            entitlements: 0,
            default: None,
        });
        group.entitlements += 1;
        let problem = if group.resource_type != resource_type {
            format!(
                "spans the resource types `{}` and `{resource_type}`",
                group.resource_type
            )
        } else if group.entitlements > MAX_ENTITLEMENTS {
            format!("has more than {MAX_ENTITLEMENTS} entitlements")
        } else if !member.is_default {
            return Ok(());
        } else if let Some(first) = group.default.replace(id.to_owned()) {
            format!("has two defaults, `{first}` and `{id}`")
        } else {
            return Ok(());
        };
        Err(Error::ExclusionGroup {
            group: name,
            problem,
        })
    }
}

#[cfg(test)]
mod tests {
    use baton_proto::encode;

    use super::*;

    fn entitlement(group: &str, is_default: bool) -> Vec<u8> {
        let group = v2::EntitlementExclusionGroup {
            exclusion_group_id: group.to_owned(),
            is_default,
            ..v2::EntitlementExclusionGroup::default()
        };
        encode::to_vec(&v2::Entitlement {
            annotations: vec![
                any::pack(&v2::EntitlementImmutable::default()),
                any::pack(&group),
            ],
            ..v2::Entitlement::default()
        })
    }

    fn problem(result: Result<()>) -> String {
        result.expect_err("broken rule").to_string()
    }

    #[test]
    fn a_group_over_two_types_is_refused() {
        let mut groups = Groups::default();
        groups
            .add("a", "team", &entitlement("g", false))
            .expect("first");
        let found = problem(groups.add("b", "site", &entitlement("g", false)));
        assert_eq!(
            found,
            "ingest invariant I5 violated: exclusion group `g` spans the resource types `team` and `site`"
        );
    }

    #[test]
    fn a_second_default_is_refused() {
        let mut groups = Groups::default();
        groups
            .add("a", "team", &entitlement("g", true))
            .expect("first");
        groups
            .add("b", "team", &entitlement("g", false))
            .expect("no default");
        assert!(problem(groups.add("c", "team", &entitlement("g", true))).contains("`a` and `c`"));
    }

    #[test]
    fn the_fifty_first_entitlement_of_a_group_is_refused() {
        let mut groups = Groups::default();
        for n in 0..MAX_ENTITLEMENTS {
            let id = n.to_string();
            groups
                .add(&id, "team", &entitlement("g", false))
                .expect("within the limit");
        }
        assert!(
            problem(groups.add("x", "team", &entitlement("g", false))).contains("more than 50")
        );
    }

    #[test]
    fn an_unreadable_annotation_is_refused() {
        let row = encode::to_vec(&v2::Entitlement {
            annotations: vec![Any {
                type_url: format!(
                    "type.googleapis.com/{}",
                    v2::EntitlementExclusionGroup::full_name()
                ),
                value: vec![0x0a, 0x7f],
            }],
            ..v2::Entitlement::default()
        });
        assert!(Groups::default().add("a", "team", &row).is_err());
    }
}
