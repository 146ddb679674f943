//! Responses of lists: rows as bytes, the next token, annotations.

use baton_connector::{Page, Row, v2};
use baton_proto::field::c1::connector::v2::resource_getter_service_get_resource_response::RESOURCE;
// The numbers are the same in all responses of lists.
use baton_proto::field::c1::connector::v2::resources_service_list_resources_response::{
    ANNOTATIONS, LIST as ROWS, NEXT_PAGE_TOKEN,
};
use baton_proto::wire::{self, Value};
use prost::Message;
use prost_types::Any;

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// A page of a list, which keeps the bytes of its rows.
pub(crate) fn page<T: Message + Default>(response: &[u8]) -> Result<Page<T>, Fault> {
    let mut rows = Vec::new();
    let mut next = "";
    let mut annotations = Vec::new();
    for field in wire::values(response) {
        match field? {
            (ROWS, value) => rows.push(delimited(value)?.to_vec()),
            (NEXT_PAGE_TOKEN, value) => next = std::str::from_utf8(delimited(value)?)?,
            (ANNOTATIONS, value) => annotations.push(Any::decode(delimited(value)?)?),
            _ => {}
        }
    }
    let mut page = Page::from_bytes(rows, next)?;
    page.annotations = annotations;
    Ok(page)
}

/// The resource of a response of `GetResource`, which keeps its bytes. `None` if the
/// response has none.
pub(crate) fn resource(response: &[u8]) -> Result<Option<Row<v2::Resource>>, Fault> {
    let mut found: Option<Vec<u8>> = None;
    for field in wire::values(response) {
        if let (RESOURCE, value) = field? {
            // A message in parts is the parts one after another.
            found.get_or_insert_default().extend(delimited(value)?);
        }
    }
    Ok(found.map(Row::from_bytes).transpose()?)
}

fn delimited(value: Value<'_>) -> Result<&[u8], Fault> {
    value
        .bytes()
        .ok_or_else(|| "a field has another wire type".into())
}

#[cfg(test)]
mod tests {
    use baton_connector::Page;
    use prost::Message as _;

    use super::*;

    fn response() -> v2::ResourcesServiceListResourcesResponse {
        v2::ResourcesServiceListResourcesResponse {
            list: vec![
                v2::Resource {
                    display_name: "one".to_owned(),
                    ..v2::Resource::default()
                },
                v2::Resource::default(),
            ],
            next_page_token: "p2".to_owned(),
            annotations: vec![baton_proto::any::pack(&v2::GrantAlreadyExists {})],
        }
    }

    #[test]
    fn a_page_is_what_prost_reads_and_keeps_unknown_fields() {
        let response = response();
        let mut bytes = response.encode_to_vec();
        // A row with a field that no version has, and such a field of the response.
        bytes.extend([0x0a, 3, 0xf8, 0x3f, 7, 0xf8, 0x3f, 7]);
        let page: Page<v2::Resource> = page(&bytes).unwrap();
        assert_eq!(page.next.as_str(), "p2");
        assert_eq!(page.annotations, response.annotations);
        assert_eq!(page.items()[..2], response.list);
        let rows: Vec<_> = page.into_rows().map(Row::into_parts).collect();
        assert_eq!(rows[0].1, Some(response.list[0].encode_to_vec()));
        assert_eq!(rows[2].1, Some(vec![0xf8, 0x3f, 7]));
    }

    #[test]
    fn a_page_cut_at_any_byte_is_refused_or_a_shorter_page() {
        let bytes = response().encode_to_vec();
        for end in 0..bytes.len() {
            let cut = page::<v2::Resource>(&bytes[..end]);
            let prost = v2::ResourcesServiceListResourcesResponse::decode(&bytes[..end]);
            assert_eq!(cut.is_ok(), prost.is_ok(), "cut at {end}");
        }
    }

    #[test]
    fn wrong_wire_types_are_refused() {
        for field in [ROWS, NEXT_PAGE_TOKEN, ANNOTATIONS] {
            let number = u8::try_from(field << 3).unwrap();
            assert!(page::<v2::Grant>(&[number, 1]).is_err(), "field {field}");
        }
        assert!(resource(&[8, 1]).is_err());
        assert!(resource(&[]).unwrap().is_none());
    }
}
