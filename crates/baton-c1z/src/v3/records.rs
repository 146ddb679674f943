//! Stored records as the connector messages that they were made of.
//!
//! Works on the wire format: what a record keeps of a message is copied as
//! bytes, so that annotations of unknown types survive, and fields come in
//! the order that a deterministic encoder gives them. What a record does not
//! keep is not there: resources inside entitlements and grants hold ids only
//! (c1z specification §2.4).

use baton_proto::c1::connector::v2::entitlement::PurposeValue;
use baton_proto::c1::connector::v2::resource_type::Trait;
use baton_proto::field::c1::connector::v2::{
    asset_ref, entitlement, grant, grant_sources, grant_sources::sources_entry, resource,
    resource_type,
};
use baton_proto::field::c1::storage::v3::{
    entitlement_record, entitlement_ref, grant_record, grant_source_record, principal_ref,
    resource_record, resource_type_record,
};
use baton_proto::wire;

use super::fields::{Record, id_len, message_len, put_header, put_id, put_stub, text_field_len};
use crate::columns;
use crate::row::{Row, Table};

type Result<T> = baton_proto::Result<T>;

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
    let id = record.text(resource_type_record::EXTERNAL_ID)?;
    let out = &mut into.data;
    wire::put_str(out, resource_type::ID, id);
    record.copy_text(
        resource_type_record::DISPLAY_NAME,
        out,
        resource_type::DISPLAY_NAME,
    )?;
    let traits = &mut into.nested;
    traits.clear();
    record.each(resource_type_record::TRAITS, |name| {
        // A trait that is not known here has no number to be shown by.
        if let Some(known) = Trait::from_str_name(&["TRAIT_", wire::text(name)?].concat()) {
            wire::put_raw_varint(traits, known as u64);
        }
        Ok(())
    })?;
    if !traits.is_empty() {
        wire::put_bytes(out, resource_type::TRAITS, traits);
    }
    record.copy_list(
        resource_type_record::ANNOTATIONS,
        out,
        resource_type::ANNOTATIONS,
    )?;
    record.copy_text(
        resource_type_record::DESCRIPTION,
        out,
        resource_type::DESCRIPTION,
    )?;
    if record.number(resource_type_record::SOURCED_EXTERNALLY) != 0 {
        wire::put_varint(out, resource_type::SOURCED_EXTERNALLY, 1);
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
        record.text(resource_record::RESOURCE_TYPE_ID)?,
        record.text(resource_record::RESOURCE_ID)?,
    );
    let parent = Record::read(record.bytes(resource_record::PARENT))?;
    let parent = (
        parent.text(principal_ref::RESOURCE_TYPE_ID)?,
        parent.text(principal_ref::RESOURCE_ID)?,
    );
    let parent = Some(parent).filter(|(_, id)| !id.is_empty());
    let out = &mut into.data;
    put_id(out, resource::ID, id);
    if let Some(parent) = parent {
        put_id(out, resource::PARENT_RESOURCE_ID, parent);
    }
    record.copy_text(resource_record::DISPLAY_NAME, out, resource::DISPLAY_NAME)?;
    record.copy_list(resource_record::ANNOTATIONS, out, resource::ANNOTATIONS)?;
    record.copy_text(resource_record::DESCRIPTION, out, resource::DESCRIPTION)?;
    record.copy_message(resource_record::PROFILE, out, resource::PROFILE);
    let icon = record.text(resource_record::ICON_ASSET_EXTERNAL_ID)?;
    if !icon.is_empty() {
        put_header(out, resource::ICON, text_field_len(icon));
        wire::put_str(out, asset_ref::ID, icon);
    }
    // Field and enum numbers of both status messages are the same.
    record.copy_message(resource_record::STATUS, out, resource::STATUS);
    record.copy_message(resource_record::CREATED_AT, out, resource::CREATED_AT);
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
    let id = record.text(entitlement_record::EXTERNAL_ID)?;
    let resource = Record::read(record.bytes(entitlement_record::RESOURCE))?;
    let resource = (
        resource.text(principal_ref::RESOURCE_TYPE_ID)?,
        resource.text(principal_ref::RESOURCE_ID)?,
    );
    let out = &mut into.data;
    put_stub(out, entitlement::RESOURCE, resource, None);
    wire::put_str(out, entitlement::ID, id);
    record.copy_text(
        entitlement_record::DISPLAY_NAME,
        out,
        entitlement::DISPLAY_NAME,
    )?;
    record.copy_text(
        entitlement_record::DESCRIPTION,
        out,
        entitlement::DESCRIPTION,
    )?;
    record.each(
        entitlement_record::GRANTABLE_TO_RESOURCE_TYPE_IDS,
        |type_id| {
            let type_id = wire::text(type_id)?;
            put_header(out, entitlement::GRANTABLE_TO, text_field_len(type_id));
            wire::put_str(out, resource_type::ID, type_id);
            Ok(())
        },
    )?;
    record.copy_list(
        entitlement_record::ANNOTATIONS,
        out,
        entitlement::ANNOTATIONS,
    )?;
    let purpose = ["PURPOSE_VALUE_", record.text(entitlement_record::PURPOSE)?].concat();
    match PurposeValue::from_str_name(&purpose) {
        None | Some(PurposeValue::Unspecified) => {}
        Some(known) => wire::put_varint(out, entitlement::PURPOSE, known as u64),
    }
    record.copy_text(entitlement_record::SLUG, out, entitlement::SLUG)?;
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
    let entitlement = Record::read(record.bytes(grant_record::ENTITLEMENT))?;
    let resource = (
        entitlement.text(principal_ref::RESOURCE_TYPE_ID)?,
        entitlement.text(principal_ref::RESOURCE_ID)?,
    );
    let entitlement_id = entitlement.text(entitlement_ref::ENTITLEMENT_ID)?;
    let principal = Record::read(record.bytes(grant_record::PRINCIPAL))?;
    let parent = (
        principal.text(principal_ref::PARENT_RESOURCE_TYPE_ID)?,
        principal.text(principal_ref::PARENT_RESOURCE_ID)?,
    );
    let principal = (
        principal.text(principal_ref::RESOURCE_TYPE_ID)?,
        principal.text(principal_ref::RESOURCE_ID)?,
    );
    let mut id = record.text(grant_record::EXTERNAL_ID)?;
    if id.is_empty() {
        for part in [entitlement_id, ":", principal.0, ":", principal.1] {
            into.id.push_str(part);
        }
        id = &into.id;
    }

    let out = &mut into.data;
    let stub_len = message_len(id_len(resource));
    let len = message_len(stub_len) + text_field_len(entitlement_id);
    put_header(out, grant::ENTITLEMENT, len);
    put_stub(out, entitlement::RESOURCE, resource, None);
    wire::put_str(out, entitlement::ID, entitlement_id);
    let parent = Some(parent).filter(|(_, id)| !id.is_empty());
    put_stub(out, grant::PRINCIPAL, principal, parent);
    wire::put_str(out, grant::ID, id);
    record.copy_list(grant_record::ANNOTATIONS, out, grant::ANNOTATIONS)?;
    if record.has(grant_record::SOURCES) {
        sources(&record, &mut into.nested)?;
        wire::put_bytes(out, grant::SOURCES, &into.nested);
    }
    let mut expansion = record
        .has(grant_record::EXPANSION)
        .then(|| record.bytes(grant_record::EXPANSION));
    if record.has(grant_record::ANNOTATIONS)
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
        is_expanded: expansion.is_some() && record.number(grant_record::NEEDS_EXPANSION) == 0,
        expansion,
        ..Row::default()
    })
}

/// Replaces `out` by the grant's `GrantSources`: entries by ascending key,
/// each with key and value, as a deterministic encoder writes maps.
fn sources(record: &Record<'_>, out: &mut Vec<u8>) -> Result<()> {
    let mut entries: Vec<(&str, bool)> = Vec::new();
    record.each(grant_record::SOURCES, |entry| {
        let key = wire::last_str(entry, sources_entry::KEY)?;
        let value = wire::last_bytes(entry, sources_entry::VALUE)?.unwrap_or_default();
        entries.push((
            key,
            wire::last_varint(value, grant_source_record::IS_DIRECT)? != 0,
        ));
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
            grant_sources::SOURCES,
            message_len(key.len()) + message_len(value.len()),
        );
        wire::put_bytes(out, sources_entry::KEY, key.as_bytes());
        wire::put_bytes(out, sources_entry::VALUE, value);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
