//! Static entitlements: a template of a type becomes an entitlement on each
//! resource of that type (sync-runtime.md §1.4).

use baton_connector::resource::EntitlementId;
use baton_proto::c1::connector::v2;
use baton_proto::field::c1::connector::v2 as field;
use baton_proto::{any, encode, wire};

use crate::error::{Error, Result};

/// The row of `template` on `resource`, whose stored bytes are embedded as
/// they are.
pub(crate) fn instantiate(
    template: &v2::Entitlement,
    resource: &v2::Resource,
    stored: &[u8],
) -> Result<Vec<u8>> {
    let id = resource.id.clone().unwrap_or_default();
    let or = |own: &String, fallback: &String| if own.is_empty() { fallback } else { own }.clone();
    let mut entitlement = v2::Entitlement {
        resource: None,
        id: EntitlementId::of(&id, &template.slug).into_string(),
        display_name: or(&template.display_name, &resource.display_name),
        description: or(&template.description, &resource.description),
        grantable_to: template.grantable_to.clone(),
        annotations: template.annotations.clone(),
        purpose: template.purpose,
        slug: template.slug.clone(),
    };
    scope_group(&mut entitlement, &id.resource)?;
    // The embedded resource is the first field, so it simply goes in front.
    let mut row = Vec::new();
    wire::put_bytes(&mut row, field::entitlement::RESOURCE, stored);
    row.extend_from_slice(&encode::to_vec(&entitlement));
    Ok(row)
}

/// Gives each resource an exclusion group of its own where that is asked for.
fn scope_group(entitlement: &mut v2::Entitlement, resource_id: &str) -> Result<()> {
    let group = any::find::<v2::EntitlementExclusionGroup>(&entitlement.annotations);
    let group = group.map_err(|source| Error::Annotation {
        record: format!("entitlement `{}`", entitlement.id),
        source,
    })?;
    if let Some(mut group) = group
        && group.scope_to_resource
    {
        group.exclusion_group_id = format!("{}-{resource_id}", group.exclusion_group_id);
        any::update(&mut entitlement.annotations, &group);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    fn resource() -> v2::Resource {
        v2::Resource {
            id: Some(v2::ResourceId {
                resource_type: "team".to_owned(),
                resource: "t:1".to_owned(),
                ..v2::ResourceId::default()
            }),
            display_name: "Team".to_owned(),
            description: "All of it".to_owned(),
            ..v2::Resource::default()
        }
    }

    fn row(template: &v2::Entitlement) -> v2::Entitlement {
        let stored = encode::to_vec(&resource());
        let bytes = instantiate(template, &resource(), &stored).expect("valid");
        let row = v2::Entitlement::decode(bytes.as_slice()).expect("valid");
        assert_eq!(encode::to_vec(&row), bytes, "encoded in the usual order");
        row
    }

    #[test]
    fn names_fall_back_to_those_of_the_resource() {
        let template = v2::Entitlement {
            slug: "member".to_owned(),
            ..v2::Entitlement::default()
        };
        let row = row(&template);
        assert_eq!(row.id, "team:t:1:member");
        assert_eq!(row.display_name, "Team");
        assert_eq!(row.description, "All of it");
        assert_eq!(row.resource, Some(resource()));
    }

    #[test]
    fn a_scoped_exclusion_group_gets_the_resource_id() {
        let group = |id: &str, scoped| v2::EntitlementExclusionGroup {
            exclusion_group_id: id.to_owned(),
            scope_to_resource: scoped,
            ..v2::EntitlementExclusionGroup::default()
        };
        for (given, wanted) in [
            (group("level", true), group("level-t:1", true)),
            (group("level", false), group("level", false)),
        ] {
            let template = v2::Entitlement {
                slug: "member".to_owned(),
                display_name: "Member".to_owned(),
                annotations: vec![any::pack(&given)],
                ..v2::Entitlement::default()
            };
            let row = row(&template);
            assert_eq!(row.display_name, "Member");
            assert_eq!(row.annotations, [any::pack(&wanted)]);
        }
    }
}
