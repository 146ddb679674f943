//! Rows become records of format v3 (c1z specification §2.4).
//!
//! Works on the wire format: fields come out in number order, map entries
//! sorted by key and whole, as Go's deterministic encoder writes them, and
//! annotations are copied as they are, so that unknown ones survive. What a
//! record has no field for is left out; embedded objects shrink to ids.

use std::collections::BTreeMap;

use baton_proto::c1::connector::v2;
use baton_proto::field::c1::connector::v2::{
    asset_ref, entitlement, grant, grant_expandable, grant_sources, grant_sources::grant_source,
    grant_sources::sources_entry, resource, resource_type,
};
use baton_proto::field::c1::storage::v3::{
    entitlement_record, grant_record, grant_source_record, principal_ref, resource_record,
    resource_type_record, status_record,
};
use baton_proto::wire::{self, Value};
use prost_types::Timestamp;

use super::fields::{Record, put_header, text_field_len};
use crate::row::{Row, Table};

type Result<T> = baton_proto::Result<T>;

/// Appends the record of a row to `out`. `discovered_at` is the encoded time
/// at which it was found, see [`timestamp`].
pub(crate) fn record(
    table: Table,
    row: &Row<'_>,
    discovered_at: &[u8],
    out: &mut Vec<u8>,
) -> Result<()> {
    match table {
        Table::ResourceTypes => resource_type(row, discovered_at, out),
        Table::Resources => resource(row, discovered_at, out),
        Table::Entitlements => entitlement(row, discovered_at, out),
        Table::Grants => grant(row, discovered_at, out),
    }
}

/// The bytes of a `google.protobuf.Timestamp`.
pub(crate) fn timestamp(at: &Timestamp) -> Vec<u8> {
    let mut out = Vec::with_capacity(16);
    for (number, value) in [(1, at.seconds), (2, i64::from(at.nanos))] {
        if value != 0 {
            wire::put_varint(&mut out, number, value.cast_unsigned());
        }
    }
    out
}

/// The parent in the record of a resource.
pub(super) fn parent(record: &[u8]) -> Result<Option<(&str, &str)>> {
    let Some(parent) = wire::last_bytes(record, resource_record::PARENT)? else {
        return Ok(None);
    };
    Ok(Some((
        wire::last_str(parent, principal_ref::RESOURCE_TYPE_ID)?,
        wire::last_str(parent, principal_ref::RESOURCE_ID)?,
    )))
}

/// Whether the record of a grant requires an expansion.
pub(crate) fn needs_expansion(record: &[u8]) -> Result<bool> {
    Ok(wire::last_varint(record, grant_record::NEEDS_EXPANSION)? != 0)
}

fn resource_type(row: &Row<'_>, discovered_at: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let message = Record::read(row.data)?;
    wire::put_str(out, resource_type_record::EXTERNAL_ID, row.id);
    message.copy_text(
        resource_type::DISPLAY_NAME,
        out,
        resource_type_record::DISPLAY_NAME,
    )?;
    for field in wire::fields(row.data) {
        let field = field?;
        match (field.number, field.value) {
            (resource_type::TRAITS, Value::Varint(value)) => put_trait(value, out),
            (resource_type::TRAITS, Value::Bytes(packed)) => {
                for value in wire::packed_varints(packed) {
                    put_trait(value?, out);
                }
            }
            _ => {}
        }
    }
    message.copy_list(
        resource_type::ANNOTATIONS,
        out,
        resource_type_record::ANNOTATIONS,
    )?;
    wire::put_bytes(out, resource_type_record::DISCOVERED_AT, discovered_at);
    message.copy_text(
        resource_type::DESCRIPTION,
        out,
        resource_type_record::DESCRIPTION,
    )?;
    if message.number(resource_type::SOURCED_EXTERNALLY) != 0 {
        wire::put_varint(out, resource_type_record::SOURCED_EXTERNALLY, 1);
    }
    Ok(())
}

fn put_trait(value: u64, out: &mut Vec<u8>) {
    match v2::resource_type::Trait::try_from(enum_number(value)) {
        Ok(known) => put_name(
            out,
            resource_type_record::TRAITS,
            known.as_str_name(),
            "TRAIT_",
        ),
        // A value from a later version, as Go prints it.
        Err(_) => wire::put_bytes(
            out,
            resource_type_record::TRAITS,
            enum_number(value).to_string().as_bytes(),
        ),
    }
}

fn resource(row: &Row<'_>, discovered_at: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let message = Record::read(row.data)?;
    wire::put_str(out, resource_record::RESOURCE_TYPE_ID, row.resource_type_id);
    wire::put_str(out, resource_record::RESOURCE_ID, row.resource_id);
    message.copy_text(resource::DISPLAY_NAME, out, resource_record::DISPLAY_NAME)?;
    message.copy_text(resource::DESCRIPTION, out, resource_record::DESCRIPTION)?;
    if let Some((parent_type, parent)) = row.parent.filter(|(_, id)| !id.is_empty()) {
        put_texts(out, resource_record::PARENT, &[parent_type, parent]);
    }
    message.copy_list(resource::ANNOTATIONS, out, resource_record::ANNOTATIONS)?;
    wire::put_bytes(out, resource_record::DISCOVERED_AT, discovered_at);
    message.copy_message(resource::PROFILE, out, resource_record::PROFILE);
    if message.has(resource::STATUS) {
        let stated = message.bytes(resource::STATUS);
        let parts = Record::read(stated)?;
        let mut status = Vec::with_capacity(stated.len());
        if parts.number(status_record::STATUS) != 0 {
            wire::put_varint(
                &mut status,
                status_record::STATUS,
                parts.number(status_record::STATUS),
            );
        }
        parts.copy_text(status_record::DETAILS, &mut status, status_record::DETAILS)?;
        wire::put_bytes(out, resource_record::STATUS, &status);
    }
    message.copy_message(resource::CREATED_AT, out, resource_record::CREATED_AT);
    let icon = Record::read(message.bytes(resource::ICON))?;
    icon.copy_text(asset_ref::ID, out, resource_record::ICON_ASSET_EXTERNAL_ID)
}

fn entitlement(row: &Row<'_>, discovered_at: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let message = Record::read(row.data)?;
    wire::put_str(out, entitlement_record::EXTERNAL_ID, row.id);
    let resource = [row.resource_type_id, row.resource_id];
    put_texts(out, entitlement_record::RESOURCE, &resource);
    message.copy_text(
        entitlement::DISPLAY_NAME,
        out,
        entitlement_record::DISPLAY_NAME,
    )?;
    message.copy_text(
        entitlement::DESCRIPTION,
        out,
        entitlement_record::DESCRIPTION,
    )?;
    let purpose = enum_number(message.number(entitlement::PURPOSE));
    match v2::entitlement::PurposeValue::try_from(purpose) {
        Ok(v2::entitlement::PurposeValue::Unspecified) => {}
        Ok(known) => put_name(
            out,
            entitlement_record::PURPOSE,
            known.as_str_name(),
            "PURPOSE_VALUE_",
        ),
        Err(_) => wire::put_bytes(
            out,
            entitlement_record::PURPOSE,
            purpose.to_string().as_bytes(),
        ),
    }
    message.copy_list(
        entitlement::ANNOTATIONS,
        out,
        entitlement_record::ANNOTATIONS,
    )?;
    wire::put_bytes(out, entitlement_record::DISCOVERED_AT, discovered_at);
    message.copy_text(entitlement::SLUG, out, entitlement_record::SLUG)?;
    message.each(entitlement::GRANTABLE_TO, |grantable_to| {
        let id = wire::last_str(grantable_to, resource_type::ID)?;
        wire::put_bytes(
            out,
            entitlement_record::GRANTABLE_TO_RESOURCE_TYPE_IDS,
            id.as_bytes(),
        );
        Ok(())
    })
}

fn grant(row: &Row<'_>, discovered_at: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let message = Record::read(row.data)?;
    wire::put_str(out, grant_record::EXTERNAL_ID, row.id);
    put_texts(
        out,
        grant_record::ENTITLEMENT,
        &[row.resource_type_id, row.resource_id, row.entitlement_id],
    );
    let parent = wire::last_bytes(
        message.bytes(grant::PRINCIPAL),
        resource::PARENT_RESOURCE_ID,
    )?
    .unwrap_or_default();
    put_texts(
        out,
        grant_record::PRINCIPAL,
        &[
            row.principal_type_id,
            row.principal_id,
            wire::last_str(parent, principal_ref::RESOURCE_TYPE_ID)?,
            wire::last_str(parent, principal_ref::RESOURCE_ID)?,
        ],
    );
    wire::put_bytes(out, grant_record::DISCOVERED_AT, discovered_at);
    if let Some(expansion) = row.expansion {
        put_expansion(expansion, !row.is_expanded, out)?;
    }
    message.copy_list(grant::ANNOTATIONS, out, grant_record::ANNOTATIONS)?;
    if message.has(grant::SOURCES) {
        put_sources(&message, out)?;
    }
    Ok(())
}

/// What a grant expands to, and whether it is to be expanded.
fn put_expansion(expansion: &[u8], is_due: bool, out: &mut Vec<u8>) -> Result<()> {
    let expandable = Record::read(expansion)?;
    let mut record = Vec::with_capacity(expansion.len());
    expandable.copy_list(
        grant_expandable::ENTITLEMENT_IDS,
        &mut record,
        grant_expandable::ENTITLEMENT_IDS,
    )?;
    if expandable.number(grant_expandable::SHALLOW) != 0 {
        wire::put_varint(&mut record, grant_expandable::SHALLOW, 1);
    }
    expandable.copy_list(
        grant_expandable::RESOURCE_TYPE_IDS,
        &mut record,
        grant_expandable::RESOURCE_TYPE_IDS,
    )?;
    wire::put_bytes(out, grant_record::EXPANSION, &record);
    if is_due {
        wire::put_varint(out, grant_record::NEEDS_EXPANSION, 1);
    }
    Ok(())
}

/// The sources of a grant: a message around a map of messages becomes a map.
fn put_sources(grant: &Record<'_>, out: &mut Vec<u8>) -> Result<()> {
    let mut sources = BTreeMap::new();
    grant.each(grant::SOURCES, |list| {
        Record::read(list)?.each(grant_sources::SOURCES, |entry| {
            let parts = Record::read(entry)?;
            let is_direct =
                wire::last_varint(parts.bytes(sources_entry::VALUE), grant_source::IS_DIRECT)? != 0;
            sources.insert(parts.text(sources_entry::KEY)?, is_direct);
            Ok(())
        })
    })?;
    let (mut entry, mut source) = (Vec::new(), Vec::new());
    for (entitlement_id, is_direct) in sources {
        entry.clear();
        wire::put_bytes(&mut entry, sources_entry::KEY, entitlement_id.as_bytes());
        source.clear();
        if is_direct {
            wire::put_varint(&mut source, grant_source_record::IS_DIRECT, 1);
        }
        wire::put_bytes(&mut entry, sources_entry::VALUE, &source);
        wire::put_bytes(out, grant_record::SOURCES, &entry);
    }
    Ok(())
}

/// Writes a message of texts whose fields are numbered from 1.
fn put_texts(out: &mut Vec<u8>, number: u32, parts: &[&str]) {
    put_header(
        out,
        number,
        parts.iter().map(|part| text_field_len(part)).sum(),
    );
    for (number, part) in (1..).zip(parts) {
        wire::put_str(out, number, part);
    }
}

fn put_name(out: &mut Vec<u8>, number: u32, name: &str, prefix: &str) {
    let name = name.strip_prefix(prefix).unwrap_or(name);
    wire::put_bytes(out, number, name.as_bytes());
}

/// An enum's number as it was before it became a varint.
fn enum_number(value: u64) -> i32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns;
    use baton_proto::c1::storage::v3;
    use baton_proto::{any, encode};
    use prost::Message;

    const AT: Timestamp = Timestamp {
        seconds: 1_795_449_755,
        nanos: 5,
    };

    /// The record of a message, with its bytes checked against what the
    /// generated encoder makes of it.
    fn record_of<M: Message + prost::Name + Default>(table: Table, message: &[u8]) -> M {
        let split = match table {
            Table::Grants => columns::split_expandable(message).expect("valid"),
            _ => None,
        };
        let data = split.as_ref().map_or(message, |split| &split.data);
        let mut row = columns::read(table, data).expect("valid");
        row.expansion = split.as_ref().and_then(|split| split.expansion.as_deref());
        let mut out = Vec::new();
        record(table, &row, &timestamp(&AT), &mut out).expect("valid");
        let record = M::decode(out.as_slice()).expect("valid");
        assert_eq!(encode::to_vec(&record), out, "not in canonical form");
        record
    }

    fn resource_id(type_id: &str, id: &str) -> v2::ResourceId {
        v2::ResourceId {
            resource_type: type_id.into(),
            resource: id.into(),
            ..Default::default()
        }
    }

    fn resource_message() -> v2::Resource {
        v2::Resource {
            id: Some(resource_id("group", "g1")),
            parent_resource_id: Some(resource_id("org", "acme")),
            display_name: "Group 1".into(),
            description: "d".repeat(300),
            annotations: vec![any::pack(&v2::GroupTrait::default())],
            ..Default::default()
        }
    }

    #[test]
    fn bytes_that_are_no_message_are_an_error_not_a_panic() {
        for table in Table::ALL {
            for data in [&[0x0a, 0xff][..], &[0x0a, 1], &[0x2a, 3, 0x0a, 9, 9]] {
                let row = Row {
                    data,
                    ..Row::default()
                };
                let _ = record(table, &row, &[], &mut Vec::new());
            }
        }
        let row = Row {
            data: &[0x0a, 0xff],
            ..Row::default()
        };
        assert!(record(Table::Grants, &row, &[], &mut Vec::new()).is_err());
    }

    #[test]
    fn traits_become_names_and_later_ones_numbers() {
        let message = v2::ResourceType {
            id: "user".into(),
            display_name: "User".into(),
            traits: vec![1, 10, 99],
            annotations: vec![any::pack(&v2::SkipGrants::default())],
            description: "people".into(),
            sourced_externally: true,
        };
        let record: v3::ResourceTypeRecord =
            record_of(Table::ResourceTypes, &encode::to_vec(&message));
        assert_eq!(record.traits, ["USER", "LICENSE_PROFILE", "99"]);
        assert_eq!(record.external_id, "user");
        assert_eq!(record.annotations, message.annotations);
        assert!(record.sourced_externally);
        assert_eq!(record.discovered_at, Some(AT));
        // One by one instead of packed.
        let loose = [0x0a, 1, b'u', 0x18, 1, 0x18, 2];
        let record: v3::ResourceTypeRecord = record_of(Table::ResourceTypes, &loose);
        assert_eq!(record.traits, ["USER", "GROUP"]);
    }

    // Kept by connectors, not by this format.
    #[allow(deprecated)]
    #[test]
    fn a_resource_keeps_what_the_record_has_a_field_for() {
        let message = v2::Resource {
            baton_resource: true,
            creation_source: 1,
            icon: Some(v2::AssetRef { id: "i".into() }),
            status: Some(v2::Status {
                status: 2,
                details: "gone".into(),
            }),
            created_at: Some(AT),
            profile: Some(prost_types::Struct::default()),
            ..resource_message()
        };
        let record: v3::ResourceRecord = record_of(Table::Resources, &encode::to_vec(&message));
        assert_eq!(
            record,
            v3::ResourceRecord {
                resource_type_id: "group".into(),
                resource_id: "g1".into(),
                display_name: "Group 1".into(),
                description: message.description,
                parent: Some(v3::ResourceRef {
                    resource_type_id: "org".into(),
                    resource_id: "acme".into(),
                }),
                annotations: message.annotations,
                discovered_at: Some(AT),
                profile: message.profile,
                status: Some(v3::StatusRecord {
                    status: 2,
                    details: "gone".into(),
                }),
                created_at: Some(AT),
                icon_asset_external_id: "i".into(),
                ..Default::default()
            }
        );
    }

    #[test]
    fn a_parent_without_an_id_is_none() {
        let message = v2::Resource {
            parent_resource_id: Some(resource_id("org", "")),
            ..resource_message()
        };
        let record: v3::ResourceRecord = record_of(Table::Resources, &encode::to_vec(&message));
        assert_eq!(record.parent, None);
    }

    #[test]
    fn an_entitlement_keeps_ids_of_what_it_embeds() {
        let grantable_to = ["user", ""].map(|id| v2::ResourceType {
            id: id.into(),
            display_name: "x".into(),
            ..Default::default()
        });
        let mut message = v2::Entitlement {
            resource: Some(resource_message()),
            id: "group:g1:member".into(),
            slug: "member".into(),
            purpose: 2,
            grantable_to: grantable_to.to_vec(),
            ..Default::default()
        };
        let record: v3::EntitlementRecord =
            record_of(Table::Entitlements, &encode::to_vec(&message));
        assert_eq!(record.purpose, "PERMISSION");
        assert_eq!(record.grantable_to_resource_type_ids, ["user", ""]);
        assert_eq!(
            record.resource,
            Some(v3::ResourceRef {
                resource_type_id: "group".into(),
                resource_id: "g1".into(),
            })
        );
        for (purpose, name) in [(0, ""), (77, "77"), (-1, "-1")] {
            message.purpose = purpose;
            let record: v3::EntitlementRecord =
                record_of(Table::Entitlements, &encode::to_vec(&message));
            assert_eq!(record.purpose, name);
        }
    }

    fn grant_message() -> v2::Grant {
        v2::Grant {
            entitlement: Some(v2::Entitlement {
                resource: Some(resource_message()),
                id: "group:g1:member".into(),
                ..Default::default()
            }),
            principal: Some(resource_message()),
            id: "grant".into(),
            ..Default::default()
        }
    }

    #[test]
    fn a_grant_keeps_ids_its_annotations_and_its_expansion_apart() {
        let expandable = v2::GrantExpandable {
            entitlement_ids: vec!["a".into(), "b".into()],
            shallow: true,
            resource_type_ids: vec!["user".into()],
        };
        let mut unknown = any::pack(&v2::GrantImmutable::default());
        unknown.type_url = "type.googleapis.com/some.Unknown".into();
        unknown.value = vec![0xff, 0x00];
        let message = v2::Grant {
            annotations: vec![any::pack(&expandable), unknown.clone()],
            ..grant_message()
        };
        let record: v3::GrantRecord = record_of(Table::Grants, &encode::to_vec(&message));
        assert_eq!(record.annotations, [unknown]);
        assert!(record.needs_expansion);
        assert_eq!(
            record.expansion,
            Some(v3::GrantExpandableRecord {
                entitlement_ids: vec!["a".into(), "b".into()],
                shallow: true,
                resource_type_ids: vec!["user".into()],
            })
        );
        assert_eq!(
            record.principal,
            Some(v3::PrincipalRef {
                resource_type_id: "group".into(),
                resource_id: "g1".into(),
                parent_resource_type_id: "org".into(),
                parent_resource_id: "acme".into(),
            })
        );
    }

    #[test]
    fn sources_are_sorted_whole_and_of_repeated_ones_the_last_counts() {
        let entry = |id: &str, direct: &[u8]| {
            let mut entry = Vec::new();
            wire::put_bytes(&mut entry, 1, id.as_bytes());
            wire::put_bytes(&mut entry, 2, direct);
            let mut list = Vec::new();
            wire::put_bytes(&mut list, 1, &entry);
            list
        };
        let list = [
            entry("b", &[]),
            entry("", &[]),
            entry("a", &[8, 0]),
            entry("b", &[8, 1]),
        ]
        .concat();
        let mut bytes = encode::to_vec(&grant_message());
        wire::put_bytes(&mut bytes, 5, &list);
        let record: v3::GrantRecord = record_of(Table::Grants, &bytes);
        let direct: Vec<_> = record
            .sources
            .iter()
            .map(|(id, source)| (id.as_str(), source.is_direct))
            .collect();
        assert_eq!(direct, [("", false), ("a", false), ("b", true)]);
    }
}
