//! Successes of another shape than the documented one: what gateways, proxies and half-done releases answer.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

/// A wrong shape of an answer that would have been a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongShape {
    name: &'static str,
    change: Change,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// The same body with another status.
    Status(u16),
    /// Another body.
    Body(&'static [u8]),
    /// A member of the outermost object is replaced by this JSON.
    Member(&'static str, &'static str),
    /// A member is taken out.
    Without(&'static str),
    /// `data` is null, and nothing is beside it.
    BareNull,
    /// `data` is null, and the list's own count is 7.
    CountedNull,
    /// `data` is a list instead of an object, or the reverse.
    OtherData,
    /// The first item of a list is preceded by this JSON.
    Item(&'static str),
    /// `links.next` is this JSON.
    Next(&'static str),
    /// Cut in the middle, with the right length.
    Cut,
    /// The document comes twice.
    Twice,
    /// The key `data` comes twice.
    RepeatedKey,
    /// The same text in UTF-16.
    Utf16,
}

const ERRORS: &[u8] = br#"{"errors":[{"id":"1","status":"500","code":"ADMIN-500-1","title":"Internal","detail":"try again"}],"links":{}}"#;
const BESIDE: &str = r#"[{"id":"1","status":"500","code":"ADMIN-500-1","detail":"only a part"}]"#;
const GATEWAY: &[u8] = br#"{"timestamp":"2026-11-23T20:30:00.000Z","path":"/api/admin","status":500,"error":"Internal Server Error","requestId":"1","message":"upstream failed"}"#;
const HTML: &[u8] = b"<!DOCTYPE html><html><head><title>Sign in</title></head></html>";
/// An empty object, compressed.
const GZIP: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00";

macro_rules! shapes {
    ($($name:literal $change:expr;)*) => {
        &[$(WrongShape { name: $name, change: $change }),*]
    };
}

impl WrongShape {
    /// All of them.
    pub const ALL: &[Self] = shapes![
        "status-201" Change::Status(201);
        "status-202" Change::Status(202);
        "status-203" Change::Status(203);
        "status-204" Change::Status(204);
        "status-205" Change::Status(205);
        "status-206" Change::Status(206);
        "status-226" Change::Status(226);
        "status-300" Change::Status(300);
        "status-302" Change::Status(302);
        "status-304" Change::Status(304);
        "errors" Change::Body(ERRORS);
        "errors-beside" Change::Member("errors", BESIDE);
        "errors-text" Change::Member("errors", r#""broken""#);
        "message" Change::Body(br#"{"message":"temporarily unavailable","links":{}}"#);
        "gateway" Change::Body(GATEWAY);
        "proxy" Change::Body(br#"{"code":401,"message":"Unauthorized"}"#);
        "no-data" Change::Without("data");
        "data-null" Change::BareNull;
        "data-null-counted" Change::CountedNull;
        "data-text" Change::Member("data", r#""none""#);
        "data-number" Change::Member("data", "7.5");
        "data-true" Change::Member("data", "true");
        "data-false" Change::Member("data", "false");
        "data-other" Change::OtherData;
        "data-twice" Change::RepeatedKey;
        "item-null" Change::Item("null");
        "item-text" Change::Item(r#""712020:aa""#);
        "item-number" Change::Item("7");
        "item-list" Change::Item("[]");
        "item-empty" Change::Item("{}");
        "links-text" Change::Member("links", r#""next""#);
        "links-list" Change::Member("links", "[]");
        "links-number" Change::Member("links", "7");
        "links-true" Change::Member("links", "true");
        "next-number" Change::Next("7");
        "next-true" Change::Next("true");
        "next-false" Change::Next("false");
        "next-object" Change::Next(r#"{"cursor":"x"}"#);
        "next-list" Change::Next("[]");
        "next-broken" Change::Next(r#""\ud800""#);
        "next-url" Change::Next(r#""/admin/v2/orgs/x/users?page=2""#);
        "null" Change::Body(b"null");
        "text" Change::Body(br#""ok""#);
        "true" Change::Body(b"true");
        "false" Change::Body(b"false");
        "list" Change::Body(b"[]");
        "object" Change::Body(b"{}");
        "empty" Change::Body(b"");
        "blank" Change::Body(b" \r\n");
        "ok" Change::Body(b"OK");
        "html" Change::Body(HTML);
        "gzip" Change::Body(GZIP);
        "utf-16" Change::Utf16;
        "cut" Change::Cut;
        "twice" Change::Twice;
    ];

    /// The one with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|shape| shape.name == name)
    }

    /// What rules call it.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// The answer in this shape; an error stays as it is.
    pub(crate) fn apply(self, response: Response, bytes: &[u8]) -> Response {
        let (mut parts, _) = response.into_parts();
        if parts.status != StatusCode::OK {
            return Response::from_parts(parts, Body::from(bytes.to_vec()));
        }
        if let Change::Status(status) = self.change {
            parts.status = StatusCode::from_u16(status).unwrap_or(parts.status);
            if status == 302 {
                let elsewhere = HeaderValue::from_static("https://login.example.com/");
                parts.headers.insert(header::LOCATION, elsewhere);
            }
            // These three have no body.
            let body = match status {
                204 | 205 | 304 => Vec::new(),
                _ => bytes.to_vec(),
            };
            return Response::from_parts(parts, Body::from(body));
        }
        let body = self.change.body(bytes);
        Response::from_parts(parts, Body::from(body))
    }
}

impl Change {
    fn body(self, bytes: &[u8]) -> Vec<u8> {
        let mut page: Value = serde_json::from_slice(bytes).unwrap_or_default();
        if !page.is_object() {
            page = json!({});
        }
        let text = |page: Value| page.to_string().into_bytes();
        let empty = &mut Map::new();
        let members = page.as_object_mut().unwrap_or(empty);
        let is_list = members.get("data").is_some_and(Value::is_array);
        match self {
            Self::Body(body) => return body.to_vec(),
            Self::Cut => return bytes[..bytes.len() / 2].to_vec(),
            Self::Twice => return [bytes, bytes].concat(),
            Self::Utf16 => {
                let words = String::from_utf8_lossy(bytes);
                return words.encode_utf16().flat_map(u16::to_le_bytes).collect();
            }
            Self::RepeatedKey => {
                let mut doubled = br#"{"data":[],"#.to_vec();
                members.entry("data").or_insert_with(|| json!([]));
                doubled.extend_from_slice(&text(page)[1..]);
                return doubled;
            }
            Self::Next(json) => {
                // Written as it is, since it need not be valid Unicode.
                members.insert("links".to_owned(), json!({ "next": "{next}" }));
                let text = page.to_string().replace("\"{next}\"", json);
                return text.into_bytes();
            }
            Self::Status(_) => return bytes.to_vec(),
            Self::Member(name, json) => {
                let value = serde_json::from_str(json).unwrap_or_default();
                members.insert(name.to_owned(), value);
            }
            Self::Without(name) => {
                members.remove(name);
            }
            Self::BareNull => page = json!({ "data": null }),
            Self::CountedNull => {
                page = json!({ "data": null, "links": {}, "meta": { "total": 7 } });
            }
            Self::OtherData => {
                let other = if is_list { json!({}) } else { json!([]) };
                members.insert("data".to_owned(), other);
            }
            Self::Item(json) => {
                let item = serde_json::from_str(json).unwrap_or_default();
                match members.get_mut("data").and_then(Value::as_array_mut) {
                    Some(items) => items.insert(0, item),
                    None => {
                        members.insert("data".to_owned(), json!([item]));
                    }
                }
            }
        }
        text(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_has_a_name_of_its_own_and_changes_a_page() {
        let page = br#"{"data":[{"id":"a"}],"links":{"next":"x"}}"#;
        for shape in WrongShape::ALL {
            assert_eq!(WrongShape::named(shape.name), Some(*shape));
            if !matches!(shape.change, Change::Status(_)) {
                assert_ne!(shape.change.body(page), page, "{}", shape.name);
            }
        }
    }

    #[test]
    fn an_item_that_is_no_object_is_put_in_front() {
        let page = br#"{"data":[{"id":"a"}],"links":{}}"#;
        let changed = Change::Item("null").body(page);
        assert_eq!(changed, br#"{"data":[null,{"id":"a"}],"links":{}}"#);
        let next = Change::Next("7").body(page);
        assert_eq!(next, br#"{"data":[{"id":"a"}],"links":{"next":7}}"#);
        let twice = Change::RepeatedKey.body(page);
        assert_eq!(twice, br#"{"data":[],"data":[{"id":"a"}],"links":{}}"#);
    }
}
