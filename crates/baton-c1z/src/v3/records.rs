//! Stored records as the connector messages that they were made of.
//!
//! Works on the wire format: what a record keeps of a message is copied as
//! bytes, so that annotations of unknown types survive, and fields come in
//! the order that a deterministic encoder gives them. What a record does not
//! keep is not there: resources inside entitlements and grants hold ids only
//! (c1z specification §2.4).

use baton_proto::c1::connector::v2::entitlement::PurposeValue;
use baton_proto::c1::connector::v2::resource_type::Trait;
use baton_proto::wire;

use super::fields::{Record, id_len, message_len, put_header, put_id, put_stub, text_field_len};
use crate::columns;
use crate::row::{Row, Table};

type Result<T> = baton_proto::Result<T>;

/// Field numbers of `c1.storage.v3` and, behind `TO`, of `c1.connector.v2`.
pub(super) mod field {
    pub const ANY_ID: u32 = 2;

    pub const TYPE_NAME: u32 = 3;
    pub const TYPE_TRAITS: u32 = 4;
    pub const TYPE_ANNOTATIONS: u32 = 5;
    pub const TYPE_DISCOVERED: u32 = 6;
    pub const TYPE_DESCRIPTION: u32 = 7;
    pub const TYPE_EXTERNAL: u32 = 8;
    pub const TO_TYPE_ID: u32 = 1;
    pub const TO_TYPE_NAME: u32 = 2;
    pub const TO_TYPE_TRAITS: u32 = 3;
    pub const TO_TYPE_ANNOTATIONS: u32 = 4;
    pub const TO_TYPE_DESCRIPTION: u32 = 5;
    pub const TO_TYPE_EXTERNAL: u32 = 6;

    pub const RESOURCE_TYPE: u32 = 2;
    pub const RESOURCE_ID: u32 = 3;
    pub const RESOURCE_NAME: u32 = 4;
    pub const RESOURCE_DESCRIPTION: u32 = 5;
    pub const RESOURCE_PARENT: u32 = 6;
    pub const RESOURCE_ANNOTATIONS: u32 = 7;
    pub const RESOURCE_DISCOVERED: u32 = 8;
    pub const RESOURCE_PROFILE: u32 = 9;
    pub const RESOURCE_STATUS: u32 = 10;
    pub const RESOURCE_CREATED: u32 = 11;
    pub const RESOURCE_ICON: u32 = 13;
    pub const TO_RESOURCE_ID: u32 = 1;
    pub const TO_RESOURCE_PARENT: u32 = 2;
    pub const TO_RESOURCE_NAME: u32 = 3;
    pub const TO_RESOURCE_ANNOTATIONS: u32 = 4;
    pub const TO_RESOURCE_DESCRIPTION: u32 = 5;
    pub const TO_RESOURCE_PROFILE: u32 = 9;
    pub const TO_RESOURCE_ICON: u32 = 10;
    pub const TO_RESOURCE_STATUS: u32 = 11;
    pub const TO_RESOURCE_CREATED: u32 = 12;
    pub const TO_ICON_ID: u32 = 1;

    pub const ENTITLEMENT_RESOURCE: u32 = 3;
    pub const ENTITLEMENT_NAME: u32 = 4;
    pub const ENTITLEMENT_DESCRIPTION: u32 = 5;
    pub const ENTITLEMENT_PURPOSE: u32 = 6;
    pub const ENTITLEMENT_ANNOTATIONS: u32 = 7;
    pub const ENTITLEMENT_DISCOVERED: u32 = 8;
    pub const ENTITLEMENT_SLUG: u32 = 9;
    pub const ENTITLEMENT_GRANTABLE: u32 = 10;
    pub const TO_ENTITLEMENT_RESOURCE: u32 = 1;
    pub const TO_ENTITLEMENT_ID: u32 = 2;
    pub const TO_ENTITLEMENT_NAME: u32 = 3;
    pub const TO_ENTITLEMENT_DESCRIPTION: u32 = 4;
    pub const TO_ENTITLEMENT_GRANTABLE: u32 = 5;
    pub const TO_ENTITLEMENT_ANNOTATIONS: u32 = 6;
    pub const TO_ENTITLEMENT_PURPOSE: u32 = 7;
    pub const TO_ENTITLEMENT_SLUG: u32 = 8;

    pub const GRANT_ENTITLEMENT: u32 = 3;
    pub const GRANT_PRINCIPAL: u32 = 4;
    pub const GRANT_DISCOVERED: u32 = 5;
    pub const GRANT_EXPANSION: u32 = 6;
    pub const GRANT_NEEDS_EXPANSION: u32 = 7;
    pub const GRANT_ANNOTATIONS: u32 = 8;
    pub const GRANT_SOURCES: u32 = 9;
    pub const TO_GRANT_ENTITLEMENT: u32 = 1;
    pub const TO_GRANT_PRINCIPAL: u32 = 2;
    pub const TO_GRANT_ID: u32 = 3;
    pub const TO_GRANT_ANNOTATIONS: u32 = 4;
    pub const TO_GRANT_SOURCES: u32 = 5;

    /// The references: resource type and id; an entitlement's id or a
    /// principal's parent behind them.
    pub const REF_TYPE: u32 = 1;
    pub const REF_ID: u32 = 2;
    pub const REF_ENTITLEMENT: u32 = 3;
    pub const REF_PARENT_TYPE: u32 = 3;
    pub const REF_PARENT_ID: u32 = 4;

    /// What a grant expands to, in both packages.
    pub const EXPANDABLE_IDS: u32 = 1;
    pub const EXPANDABLE_SHALLOW: u32 = 2;
    pub const EXPANDABLE_TYPES: u32 = 3;

    /// A resource's status, in both packages.
    pub const STATUS: u32 = 1;
    pub const STATUS_DETAILS: u32 = 2;

    pub const SOURCE_IS_DIRECT: u32 = 4;
    pub const TO_SOURCE_IS_DIRECT: u32 = 1;
    pub const TO_SOURCES: u32 = 1;
    pub const ENTRY_KEY: u32 = 1;
    pub const ENTRY_VALUE: u32 = 2;
}

/// A `GrantSource` whose only field, `is_direct`, is set.
const DIRECT_SOURCE: [u8; 2] = [0x08, 1];

/// Buffers that rows are built in, kept from row to row.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    id: String,
    data: Vec<u8>,
    /// A nested message of unknown length.
    nested: Vec<u8>,
    /// Annotations that should have been an expansion.
    expansion: Option<Vec<u8>>,
}

/// The row that the record `value` of `table` stands for.
pub(crate) fn read<'a>(table: Table, value: &'a [u8], into: &'a mut Buffers) -> Result<Row<'a>> {
    into.data.clear();
    into.id.clear();
    into.expansion = None;
    match table {
        Table::ResourceTypes => resource_type(value, into),
        Table::Resources => resource(value, into),
        Table::Entitlements => entitlement(value, into),
        Table::Grants => grant(value, into),
    }
}

fn resource_type<'a>(value: &'a [u8], into: &'a mut Buffers) -> Result<Row<'a>> {
    let record = Record::read(value)?;
    let id = record.text(field::ANY_ID)?;
    let out = &mut into.data;
    wire::put_str(out, field::TO_TYPE_ID, id);
    record.copy_text(field::TYPE_NAME, out, field::TO_TYPE_NAME)?;
    let traits = &mut into.nested;
    traits.clear();
    record.each(field::TYPE_TRAITS, |name| {
        // A trait that is not known here has no number to be shown by.
        if let Some(known) = Trait::from_str_name(&["TRAIT_", wire::text(name)?].concat()) {
            wire::put_raw_varint(traits, known as u64);
        }
        Ok(())
    })?;
    if !traits.is_empty() {
        wire::put_bytes(out, field::TO_TYPE_TRAITS, traits);
    }
    record.copy_list(field::TYPE_ANNOTATIONS, out, field::TO_TYPE_ANNOTATIONS)?;
    record.copy_text(field::TYPE_DESCRIPTION, out, field::TO_TYPE_DESCRIPTION)?;
    if record.number(field::TYPE_EXTERNAL) != 0 {
        wire::put_varint(out, field::TO_TYPE_EXTERNAL, 1);
    }
    Ok(Row {
        id,
        resource_type_id: id,
        data: &into.data,
        ..Row::default()
    })
}

fn resource<'a>(value: &'a [u8], into: &'a mut Buffers) -> Result<Row<'a>> {
    let record = Record::read(value)?;
    let id = (
        record.text(field::RESOURCE_TYPE)?,
        record.text(field::RESOURCE_ID)?,
    );
    let parent = Record::read(record.bytes(field::RESOURCE_PARENT))?;
    let parent = (parent.text(field::REF_TYPE)?, parent.text(field::REF_ID)?);
    let parent = Some(parent).filter(|(_, id)| !id.is_empty());
    let out = &mut into.data;
    put_id(out, field::TO_RESOURCE_ID, id);
    if let Some(parent) = parent {
        put_id(out, field::TO_RESOURCE_PARENT, parent);
    }
    record.copy_text(field::RESOURCE_NAME, out, field::TO_RESOURCE_NAME)?;
    record.copy_list(
        field::RESOURCE_ANNOTATIONS,
        out,
        field::TO_RESOURCE_ANNOTATIONS,
    )?;
    record.copy_text(
        field::RESOURCE_DESCRIPTION,
        out,
        field::TO_RESOURCE_DESCRIPTION,
    )?;
    record.copy_message(field::RESOURCE_PROFILE, out, field::TO_RESOURCE_PROFILE);
    let icon = record.text(field::RESOURCE_ICON)?;
    if !icon.is_empty() {
        put_header(out, field::TO_RESOURCE_ICON, text_field_len(icon));
        wire::put_str(out, field::TO_ICON_ID, icon);
    }
    // Field and enum numbers of both status messages are the same.
    record.copy_message(field::RESOURCE_STATUS, out, field::TO_RESOURCE_STATUS);
    record.copy_message(field::RESOURCE_CREATED, out, field::TO_RESOURCE_CREATED);
    for part in [id.0, ":", id.1] {
        into.id.push_str(part);
    }
    Ok(Row {
        id: &into.id,
        resource_type_id: id.0,
        resource_id: id.1,
        parent,
        data: &into.data,
        ..Row::default()
    })
}

fn entitlement<'a>(value: &'a [u8], into: &'a mut Buffers) -> Result<Row<'a>> {
    let record = Record::read(value)?;
    let id = record.text(field::ANY_ID)?;
    let resource = Record::read(record.bytes(field::ENTITLEMENT_RESOURCE))?;
    let resource = (
        resource.text(field::REF_TYPE)?,
        resource.text(field::REF_ID)?,
    );
    let out = &mut into.data;
    put_stub(out, field::TO_ENTITLEMENT_RESOURCE, resource, None);
    wire::put_str(out, field::TO_ENTITLEMENT_ID, id);
    record.copy_text(field::ENTITLEMENT_NAME, out, field::TO_ENTITLEMENT_NAME)?;
    record.copy_text(
        field::ENTITLEMENT_DESCRIPTION,
        out,
        field::TO_ENTITLEMENT_DESCRIPTION,
    )?;
    record.each(field::ENTITLEMENT_GRANTABLE, |type_id| {
        let type_id = wire::text(type_id)?;
        put_header(
            out,
            field::TO_ENTITLEMENT_GRANTABLE,
            text_field_len(type_id),
        );
        wire::put_str(out, field::TO_TYPE_ID, type_id);
        Ok(())
    })?;
    record.copy_list(
        field::ENTITLEMENT_ANNOTATIONS,
        out,
        field::TO_ENTITLEMENT_ANNOTATIONS,
    )?;
    let purpose = ["PURPOSE_VALUE_", record.text(field::ENTITLEMENT_PURPOSE)?].concat();
    match PurposeValue::from_str_name(&purpose) {
        None | Some(PurposeValue::Unspecified) => {}
        Some(known) => wire::put_varint(out, field::TO_ENTITLEMENT_PURPOSE, known as u64),
    }
    record.copy_text(field::ENTITLEMENT_SLUG, out, field::TO_ENTITLEMENT_SLUG)?;
    Ok(Row {
        id,
        resource_type_id: resource.0,
        resource_id: resource.1,
        data: &into.data,
        ..Row::default()
    })
}

fn grant<'a>(value: &'a [u8], into: &'a mut Buffers) -> Result<Row<'a>> {
    let record = Record::read(value)?;
    let entitlement = Record::read(record.bytes(field::GRANT_ENTITLEMENT))?;
    let resource = (
        entitlement.text(field::REF_TYPE)?,
        entitlement.text(field::REF_ID)?,
    );
    let entitlement_id = entitlement.text(field::REF_ENTITLEMENT)?;
    let principal = Record::read(record.bytes(field::GRANT_PRINCIPAL))?;
    let parent = (
        principal.text(field::REF_PARENT_TYPE)?,
        principal.text(field::REF_PARENT_ID)?,
    );
    let principal = (
        principal.text(field::REF_TYPE)?,
        principal.text(field::REF_ID)?,
    );
    let mut id = record.text(field::ANY_ID)?;
    if id.is_empty() {
        for part in [entitlement_id, ":", principal.0, ":", principal.1] {
            into.id.push_str(part);
        }
        id = &into.id;
    }

    let out = &mut into.data;
    let stub_len = message_len(id_len(resource));
    let len = message_len(stub_len) + text_field_len(entitlement_id);
    put_header(out, field::TO_GRANT_ENTITLEMENT, len);
    put_stub(out, field::TO_ENTITLEMENT_RESOURCE, resource, None);
    wire::put_str(out, field::TO_ENTITLEMENT_ID, entitlement_id);
    let parent = Some(parent).filter(|(_, id)| !id.is_empty());
    put_stub(out, field::TO_GRANT_PRINCIPAL, principal, parent);
    wire::put_str(out, field::TO_GRANT_ID, id);
    record.copy_list(field::GRANT_ANNOTATIONS, out, field::TO_GRANT_ANNOTATIONS)?;
    if record.has(field::GRANT_SOURCES) {
        sources(&record, &mut into.nested)?;
        wire::put_bytes(out, field::TO_GRANT_SOURCES, &into.nested);
    }
    let mut expansion = record
        .has(field::GRANT_EXPANSION)
        .then(|| record.bytes(field::GRANT_EXPANSION));
    if record.has(field::GRANT_ANNOTATIONS)
        && let Some(split) = columns::split_expandable(&into.data)?
    {
        into.data = split.data;
        into.expansion = split.expansion;
        expansion = expansion.or(into.expansion.as_deref());
    }
    Ok(Row {
        id,
        resource_type_id: resource.0,
        resource_id: resource.1,
        entitlement_id,
        principal_type_id: principal.0,
        principal_id: principal.1,
        data: &into.data,
        settled: expansion.is_some() && record.number(field::GRANT_NEEDS_EXPANSION) == 0,
        expansion,
        ..Row::default()
    })
}

/// Replaces `out` by the grant's `GrantSources`: entries by ascending key,
/// each with key and value, as a deterministic encoder writes maps.
fn sources(record: &Record<'_>, out: &mut Vec<u8>) -> Result<()> {
    let mut entries: Vec<(&str, bool)> = Vec::new();
    record.each(field::GRANT_SOURCES, |entry| {
        let key = wire::last_str(entry, field::ENTRY_KEY)?;
        let value = wire::last_bytes(entry, field::ENTRY_VALUE)?.unwrap_or_default();
        entries.push((key, wire::last_varint(value, field::SOURCE_IS_DIRECT)? != 0));
        Ok(())
    })?;
    // Stable, so that of a repeated key the last entry can be kept.
    entries.sort_by_key(|(key, _)| *key);
    out.clear();
    for (at, (key, direct)) in entries.iter().enumerate() {
        if entries.get(at + 1).is_some_and(|next| next.0 == *key) {
            continue;
        }
        let value: &[u8] = if *direct { &DIRECT_SOURCE } else { &[] };
        put_header(
            out,
            field::TO_SOURCES,
            message_len(key.len()) + message_len(value.len()),
        );
        wire::put_bytes(out, field::ENTRY_KEY, key.as_bytes());
        wire::put_bytes(out, field::ENTRY_VALUE, value);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
