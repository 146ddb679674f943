//! The columns of a row, read from its message's wire bytes.
//!
//! Nothing is decoded that is not a column, nothing is copied, and the bytes
//! themselves are only changed to take a grant's `GrantExpandable` out.

use baton_proto::field::c1::connector::v2::{
    entitlement, grant, grant_expandable, resource, resource_id, resource_type,
};
use baton_proto::wire::{self, Value};

use crate::row::{Row, Table};

type Result<T> = baton_proto::Result<T>;

const EXPANDABLE: &str = "c1.connector.v2.GrantExpandable";

/// Reads the columns of `data`, a message of `table` (c1z specification §1.4).
///
/// Missing parts are empty. A resource's `id` stays empty: only the formats
/// know its joined form. `expansion` stays `None`, see [`split_expandable`].
pub(crate) fn read(table: Table, data: &[u8]) -> Result<Row<'_>> {
    let mut row = Row {
        data,
        ..Row::default()
    };
    match table {
        Table::ResourceTypes => {
            row.id = wire::last_str(data, resource_type::ID)?;
            row.resource_type_id = row.id;
        }
        Table::Resources => {
            (row.resource_type_id, row.resource_id) = resource_id(data)?;
            row.parent = wire::last_bytes(data, resource::PARENT_RESOURCE_ID)?
                .map(id_parts)
                .transpose()?;
        }
        Table::Entitlements => {
            let [resource, id] = [entitlement::RESOURCE, entitlement::ID];
            let [resource, id] = parts(data, [resource, id])?;
            row.id = wire::text(id)?;
            (row.resource_type_id, row.resource_id) = resource_id(resource)?;
        }
        Table::Grants => {
            let numbers = [grant::ENTITLEMENT, grant::PRINCIPAL, grant::ID];
            let [entitlement, principal, id] = parts(data, numbers)?;
            row.id = wire::text(id)?;
            let [resource, id] = [entitlement::RESOURCE, entitlement::ID];
            let [resource, id] = parts(entitlement, [resource, id])?;
            row.entitlement_id = wire::text(id)?;
            (row.resource_type_id, row.resource_id) = resource_id(resource)?;
            (row.principal_type_id, row.principal_id) = resource_id(principal)?;
        }
    }
    Ok(row)
}

/// The last occurrences of some length-delimited fields, read in one pass; no
/// bytes where there is none.
fn parts<const N: usize>(data: &[u8], numbers: [u32; N]) -> Result<[&[u8]; N]> {
    let mut parts: [&[u8]; N] = [&[]; N];
    for field in wire::values(data) {
        let (found, value) = field?;
        if let Some(at) = numbers.iter().position(|number| *number == found)
            && let Value::Bytes(value) = value
        {
            parts[at] = value;
        }
    }
    Ok(parts)
}

/// Type and id of a `Resource` message.
fn resource_id(resource: &[u8]) -> Result<(&str, &str)> {
    let [id] = parts(resource, [resource::ID])?;
    id_parts(id)
}

/// The two parts of a `ResourceId` message.
fn id_parts(id: &[u8]) -> Result<(&str, &str)> {
    let [type_id, id] = parts(id, [resource_id::RESOURCE_TYPE, resource_id::RESOURCE])?;
    Ok((wire::text(type_id)?, wire::text(id)?))
}

/// A grant without its `GrantExpandable` annotation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Split {
    /// The grant's bytes, all else as it was.
    pub data: Vec<u8>,
    /// The annotation's own bytes. `None` if it names no entitlement but
    /// blank ones: then it is dropped.
    pub expansion: Option<Vec<u8>>,
}

/// Takes `GrantExpandable` out of a grant. `None`, without copying anything,
/// if the grant has none (c1z specification §1.4).
pub(crate) fn split_expandable(grant: &[u8]) -> Result<Option<Split>> {
    if !wire::has_annotation(grant, grant::ANNOTATIONS, &[EXPANDABLE])? {
        return Ok(None);
    }
    let (data, payloads) = wire::split_annotation(grant, grant::ANNOTATIONS, EXPANDABLE)?;
    let mut expansion = None;
    for payload in payloads {
        if expansion.is_none() && names_entitlement(&payload)? {
            expansion = Some(payload);
        }
    }
    Ok(Some(Split { data, expansion }))
}

fn names_entitlement(expandable: &[u8]) -> Result<bool> {
    for field in wire::fields(expandable) {
        let field = field?;
        if field.number == grant_expandable::ENTITLEMENT_IDS
            && let Value::Bytes(id) = field.value
            && !wire::text(id)?.trim().is_empty()
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a grant has a `GrantExpandable` among its annotations.
pub(crate) fn is_expandable(grant: &[u8]) -> Result<bool> {
    wire::has_annotation(grant, grant::ANNOTATIONS, &[EXPANDABLE])
}

/// Whether a grant's bytes hold both messages that a slim row leaves out.
pub(crate) fn is_whole_grant(grant: &[u8]) -> Result<bool> {
    // Encoders write fields in order, so the first two fields decide at once.
    let mut fields = wire::fields(grant);
    for number in [grant::ENTITLEMENT, grant::PRINCIPAL] {
        match fields.next().transpose()? {
            Some(f) if f.number == number && f.value.bytes().is_some() => {}
            _ => {
                return Ok(wire::last_bytes(grant, grant::ENTITLEMENT)?.is_some()
                    && wire::last_bytes(grant, grant::PRINCIPAL)?.is_some());
            }
        }
    }
    Ok(true)
}

/// Puts what a slim grant lacks back as stubs that hold ids only, built from
/// the row's columns (c1z specification §1.4, slim grants).
pub(crate) fn rebuild_slim_grant(row: &Row<'_>) -> Result<Vec<u8>> {
    let mut grant = row.data.to_vec();
    if wire::last_bytes(&grant, grant::ENTITLEMENT)?.is_none() {
        let resource = resource_stub(row.resource_type_id, row.resource_id);
        let mut entitlement = Vec::with_capacity(resource.len() + row.entitlement_id.len() + 16);
        wire::put_bytes(&mut entitlement, entitlement::RESOURCE, &resource);
        wire::put_str(&mut entitlement, entitlement::ID, row.entitlement_id);
        grant = wire::insert_bytes(&grant, grant::ENTITLEMENT, &entitlement)?;
    }
    if wire::last_bytes(&grant, grant::PRINCIPAL)?.is_none() {
        let principal = resource_stub(row.principal_type_id, row.principal_id);
        grant = wire::insert_bytes(&grant, grant::PRINCIPAL, &principal)?;
    }
    Ok(grant)
}

fn resource_stub(type_id: &str, id: &str) -> Vec<u8> {
    let mut parts = Vec::with_capacity(type_id.len() + id.len() + 16);
    wire::put_str(&mut parts, resource_id::RESOURCE_TYPE, type_id);
    wire::put_str(&mut parts, resource_id::RESOURCE, id);
    let mut resource = Vec::with_capacity(parts.len() + 8);
    wire::put_bytes(&mut resource, resource::ID, &parts);
    resource
}

#[cfg(test)]
mod tests {
    use super::*;
    use baton_proto::any;
    use baton_proto::c1::connector::v2;
    use baton_proto::encode::to_vec;

    fn resource(type_id: &str, id: &str) -> v2::Resource {
        v2::Resource {
            id: Some(v2::ResourceId {
                resource_type: type_id.into(),
                resource: id.into(),
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    fn grant() -> v2::Grant {
        v2::Grant {
            entitlement: Some(v2::Entitlement {
                resource: Some(resource("group", "g1")),
                id: "group:g1:member".into(),
                ..Default::default()
            }),
            principal: Some(resource("user", "u:1")),
            id: "group:g1:member:user:u:1".into(),
            ..Default::default()
        }
    }

    fn expandable(ids: &[&str]) -> v2::GrantExpandable {
        v2::GrantExpandable {
            entitlement_ids: ids.iter().map(ToString::to_string).collect(),
            shallow: true,
            ..Default::default()
        }
    }

    #[test]
    fn bytes_that_are_no_message_are_an_error_not_a_panic() {
        for table in Table::ALL {
            assert!(read(table, &[0x0a, 0xff]).is_err());
        }
        assert!(split_expandable(&[0x22, 0x05, 1]).is_err());
        assert!(is_whole_grant(&[0xff]).is_err());
    }

    #[test]
    fn an_empty_message_has_empty_columns() {
        for table in Table::ALL {
            assert_eq!(read(table, &[]).expect("valid"), Row::default());
        }
    }

    #[test]
    fn a_grants_columns_are_those_of_its_entitlement_and_principal() {
        let data = to_vec(&grant());
        let row = read(Table::Grants, &data).expect("valid");
        assert_eq!(
            (
                row.id,
                row.entitlement_id,
                row.resource_type_id,
                row.resource_id
            ),
            ("group:g1:member:user:u:1", "group:g1:member", "group", "g1")
        );
        assert_eq!((row.principal_type_id, row.principal_id), ("user", "u:1"));
    }

    #[test]
    fn a_parent_that_is_present_but_empty_is_not_absent() {
        let mut message = resource("user", "u1");
        assert_eq!(
            read(Table::Resources, &to_vec(&message))
                .expect("valid")
                .parent,
            None
        );
        message.parent_resource_id = Some(v2::ResourceId::default());
        let data = to_vec(&message);
        assert_eq!(
            read(Table::Resources, &data).expect("valid").parent,
            Some(("", ""))
        );
    }

    #[test]
    fn expandable_is_taken_out_and_the_rest_stays_byte_by_byte() {
        let plain = v2::GrantImmutable::default();
        let mut message = grant();
        message.annotations = vec![any::pack(&plain)];
        let without = to_vec(&message);
        message.annotations.push(any::pack(&expandable(&["a"])));
        let split = split_expandable(&to_vec(&message))
            .expect("valid")
            .expect("has one");
        assert_eq!(split.data, without);
        assert_eq!(split.expansion, Some(to_vec(&expandable(&["a"]))));
        assert_eq!(split_expandable(&without).expect("valid"), None);
    }

    #[test]
    fn expandable_with_blank_ids_only_is_dropped() {
        for ids in [&[][..], &[""], &[" ", "\t\u{a0}"]] {
            let mut message = grant();
            message.annotations = vec![any::pack(&expandable(ids))];
            let split = split_expandable(&to_vec(&message))
                .expect("valid")
                .expect("has one");
            assert_eq!(split.expansion, None, "{ids:?}");
            assert_eq!(split.data, to_vec(&grant()));
        }
    }

    #[test]
    fn slim_grants_get_stubs_for_what_they_lack_and_only_for_that() {
        let whole = to_vec(&grant());
        assert!(is_whole_grant(&whole).expect("valid"));
        let columns = read(Table::Grants, &whole).expect("valid");
        for missing in [&[1][..], &[2], &[1, 2]] {
            let slim = wire::without(&whole, missing).expect("valid");
            assert!(!is_whole_grant(&slim).expect("valid"));
            let row = Row {
                data: &slim,
                ..columns
            };
            assert_eq!(
                rebuild_slim_grant(&row).expect("valid"),
                whole,
                "{missing:?}"
            );
        }
    }
}
