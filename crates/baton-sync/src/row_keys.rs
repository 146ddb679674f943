//! What identifies the rows of a list: the id, read from the bytes of a row
//! that is or will be stored, and a digest of it.

use baton_c1z::{PageRow, Table};
use baton_proto::field::c1::connector::v2 as message;
use baton_proto::wire;

use crate::digest::digest;

/// A digest of the row's id.
pub(crate) fn key(row: PageRow<&[u8]>) -> u64 {
    let [kind, id] = parts(row);
    digest(&[kind, id])
}

/// The row's id; of a resource `<type>:<id>`.
pub(crate) fn id(row: PageRow<&[u8]>) -> String {
    match parts(row) {
        ["", id] => id.to_owned(),
        [kind, id] => format!("{kind}:{id}"),
    }
}

fn parts(row: PageRow<&[u8]>) -> [&str; 2] {
    let data = row.data;
    match row.table {
        Table::ResourceTypes => ["", text(data, message::resource_type::ID)],
        Table::Entitlements => ["", text(data, message::entitlement::ID)],
        Table::Grants => ["", text(data, message::grant::ID)],
        Table::Resources => {
            let id = field(data, message::resource::ID);
            [
                message::resource_id::RESOURCE_TYPE,
                message::resource_id::RESOURCE,
            ]
            .map(|number| text(id, number))
        }
    }
}

fn text(data: &[u8], number: u32) -> &str {
    std::str::from_utf8(field(data, number)).unwrap_or_default()
}

/// The content of a field; empty if it is not there.
fn field(data: &[u8], number: u32) -> &[u8] {
    let fields = wire::fields(data).map_while(Result::ok);
    let mut found = fields.filter(|field| field.number == number);
    let bytes = found.next().and_then(|field| field.value.bytes());
    bytes.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use baton_proto::c1::connector::v2;
    use baton_proto::encode;

    use super::*;

    #[test]
    fn ids_are_read_from_every_kind_of_row() {
        let resource = v2::Resource {
            id: Some(v2::ResourceId {
                resource_type: "user".to_owned(),
                resource: "u:1".to_owned(),
                ..v2::ResourceId::default()
            }),
            display_name: "Ada".to_owned(),
            ..v2::Resource::default()
        };
        let entitlement = v2::Entitlement {
            id: "e".to_owned(),
            resource: Some(resource.clone()),
            ..v2::Entitlement::default()
        };
        let grant = v2::Grant {
            id: "g".to_owned(),
            entitlement: Some(entitlement.clone()),
            principal: Some(resource.clone()),
            ..v2::Grant::default()
        };
        let kind = v2::ResourceType {
            id: "user".to_owned(),
            ..v2::ResourceType::default()
        };
        let rows = [
            encode::to_vec(&resource),
            encode::to_vec(&entitlement),
            encode::to_vec(&grant),
            encode::to_vec(&kind),
        ];
        let [resource, entitlement, grant, kind] = &rows;
        assert_eq!(id(PageRow::resource(resource)), "user:u:1");
        assert_eq!(id(PageRow::entitlement(entitlement)), "e");
        assert_eq!(id(PageRow::grant(grant)), "g");
        assert_eq!(id(PageRow::resource_type(kind)), "user");
        assert_ne!(
            key(PageRow::grant(grant)),
            key(PageRow::entitlement(entitlement))
        );
        assert_eq!(id(PageRow::grant(b"\xff\xff")), "", "nothing is made up");
    }
}
