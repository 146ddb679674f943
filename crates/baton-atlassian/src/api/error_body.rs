//! Error bodies of the API. Seven forms are in use. This module reads all of them
//! into one code and one message, and distinguishes answers of the API from those
//! of a gateway in front of it.

use baton_connector::http::{Document, Json, Object};

/// The part of an error body that decisions and messages need.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct ErrorBody {
    /// The stable code (`ADMIN-404-8`), the lifecycle key, or the kind of a
    /// SCIM error; empty when the body came from a gateway or has none.
    pub code: String,
    /// The API's own words; empty when the body has none.
    pub message: String,
}

impl ErrorBody {
    /// Reads a body of any form; any other body gives the default. As in
    /// answers, text that is not valid Unicode and values that nothing holds do
    /// not hide the code, nor does a cut behind it.
    pub fn parse(body: &[u8]) -> Self {
        let Ok(document) = Document::parse_beginning(body) else {
            return Self::default();
        };
        let Some(value) = document.root().object() else {
            return Self::default();
        };
        let first = member(&value, "errors")
            .and_then(Json::list)
            .and_then(|errors| errors.first()?.object());
        if let Some(first) = first {
            return Self::of_entry(&first);
        }
        if member(&value, "code").is_some_and(|code| code.text().is_some()) {
            return Self::of_entry(&value);
        }
        if let Some(key) = member(&value, "key").and_then(Json::text) {
            return Self {
                code: key.words,
                message: lifecycle_message(&value),
            };
        }
        Self {
            code: text(&value, "scimType").unwrap_or_default(),
            message: text(&value, "message")
                .or_else(|| text(&value, "detail"))
                .or_else(|| text(&value, "error"))
                .unwrap_or_default(),
        }
    }

    fn of_entry(entry: &Object<'_>) -> Self {
        Self {
            code: text(entry, "code").unwrap_or_default(),
            message: text(entry, "detail")
                .or_else(|| text(entry, "message"))
                .or_else(|| text(entry, "title"))
                .unwrap_or_default(),
        }
    }

    /// Whether a 404 with this body means that the requested object is gone.
    /// A gateway's 404 carries no code of the API, and also means a wrong
    /// organization; `ADMIN-404-2` and `ADMIN-UAM-404-2` say that outright.
    pub fn means_gone(&self) -> bool {
        is_api_code(&self.code) && !self.code.ends_with("-404-2")
    }
}

/// Whether a code is one of the admin APIs, and whole.
pub(super) fn is_api_code(code: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    code.starts_with("ADMIN-") && code.chars().all(is_plain)
}

fn lifecycle_message(value: &Object<'_>) -> String {
    text(value, "errorDetail")
        .or_else(|| {
            let context = member(value, "context")?;
            match context.object() {
                Some(context) => text(&context, "message"),
                None => Some(context.text()?.words),
            }
        })
        .unwrap_or_default()
}

fn member<'a>(value: &Object<'a>, key: &str) -> Option<Json<'a>> {
    Some(value.get(key)?.value)
}

fn text(value: &Object<'_>, key: &str) -> Option<String> {
    let text = member(value, key)?.text()?;
    Some(text.words).filter(|words| !words.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> ErrorBody {
        ErrorBody::parse(body.as_bytes())
    }

    #[test]
    fn a_body_that_is_no_json_gives_nothing() {
        assert_eq!(read("<html>"), ErrorBody::default());
    }

    #[test]
    fn bad_text_and_odd_values_do_not_hide_the_code() {
        for body in [
            &br#"{"errors":[{"code":"ADMIN-404-10","detail":"\ud800"}]}"#[..],
            b"{\"errors\":[{\"code\":\"ADMIN-404-10\",\"detail\":\"\xff\"}]}",
            br#"{"errors":[{"status":1e999,"code":"ADMIN-404-10","code":"ADMIN-404-10"}]}"#,
            b"\xef\xbb\xbf{\"code\":\"ADMIN-404-10\"}",
            br#"{"errors":[{"code":"ADMIN-404-10","status":[[[[[]]]]]},7],"errors2":{}}"#,
        ] {
            let read = ErrorBody::parse(body);
            assert_eq!(read.code, "ADMIN-404-10", "{}", body.escape_ascii());
            assert!(read.means_gone());
        }
    }

    #[test]
    fn a_cut_behind_the_code_does_not_hide_it() {
        let body = br#"{"errors":[{"id":"1","code":"ADMIN-404-10","detail":"no such group"}]}"#;
        let end = body
            .windows(2)
            .position(|two| two == b"0\"")
            .map_or(0, |at| at + 2);
        for cut in end..body.len() {
            let read = ErrorBody::parse(&body[..cut]);
            assert_eq!(read.code, "ADMIN-404-10", "{cut}");
            let message = read.message.trim_end_matches('…');
            assert!("no such group".starts_with(message), "{cut}");
        }
        // A code that was cut itself is another one, and no reason to drop anything.
        let torn = ErrorBody::parse(&body[..end - 4]);
        assert!(!torn.means_gone(), "{torn:?}");
    }

    #[test]
    fn a_list_gives_its_first_entry_whatever_the_type_of_its_status() {
        let body =
            read(r#"{"errors":[{"status":404,"code":"ADMIN-404-10","detail":"no such group"}]}"#);
        assert_eq!(body.code, "ADMIN-404-10");
        assert_eq!(body.message, "no such group");
        assert!(body.means_gone());
    }

    #[test]
    fn a_single_entry_is_read_like_one_of_a_list() {
        let body = read(
            r#"{"id":"1","status":"400","code":"ADMIN-400-1","title":"Bad","detail":"cursor"}"#,
        );
        assert_eq!(body.code, "ADMIN-400-1");
        assert_eq!(body.message, "cursor");
    }

    #[test]
    fn a_proxy_answers_with_a_number_as_code_which_is_no_code_of_the_api() {
        let body = read(r#"{"code":401,"message":"Unauthorized"}"#);
        assert_eq!(body.code, "");
        assert_eq!(body.message, "Unauthorized");
    }

    #[test]
    fn a_gateways_404_does_not_mean_gone() {
        let body = read(
            r#"{"timestamp":"t","path":"/p","status":404,"error":"Not Found","message":"TCS validation failed"}"#,
        );
        assert_eq!(body.message, "TCS validation failed");
        assert!(!body.means_gone());
    }

    #[test]
    fn a_code_of_something_in_front_of_the_api_does_not_mean_gone() {
        assert!(!read(r#"{"code":"NOT_FOUND","message":"no route"}"#).means_gone());
        assert!(!read(r#"{"key":"notFound"}"#).means_gone());
    }

    #[test]
    fn an_unknown_organization_does_not_mean_gone() {
        assert!(!read(r#"{"errors":[{"code":"ADMIN-404-2","detail":"x"}]}"#).means_gone());
        assert!(!read(r#"{"errors":[{"code":"ADMIN-UAM-404-2","detail":"x"}]}"#).means_gone());
        assert!(read(r#"{"errors":[{"code":"ADMIN-UAM-404-3","detail":"x"}]}"#).means_gone());
    }

    #[test]
    fn lifecycle_and_scim_bodies_give_their_key_and_words() {
        let plain = read(r#"{"key":"accountNotFound","errorDetail":"gone"}"#);
        assert_eq!(
            (plain.code.as_str(), plain.message.as_str()),
            ("accountNotFound", "gone")
        );
        let nested = read(r#"{"key":"conflict.lifecycleErrors","context":{"message":"busy"}}"#);
        assert_eq!(nested.message, "busy");
        let scim = read(r#"{"status":"409","scimType":"uniqueness","detail":"exists"}"#);
        assert_eq!(
            (scim.code.as_str(), scim.message.as_str()),
            ("uniqueness", "exists")
        );
        assert_eq!(
            read(r#"{"error":"no token","traceId":"7"}"#).message,
            "no token"
        );
        let words = read(r#"{"key":"forbidden","context":"not yours"}"#);
        assert_eq!(words.message, "not yours");
    }
}
