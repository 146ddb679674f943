//! Errors of applications that answer them in JSON.

use super::api_error::{ApiError, ErrorResponse, ReadApiError};
use super::json::{Document, Json};

/// Reads JSON errors: where message, code and request id are, and which codes
/// say that an object is gone. Places are JSON pointers (RFC 6901), as in
/// `/errors/0/title`; an empty one stands for nothing.
///
/// ```
/// use baton_connector::http::JsonErrors;
///
/// const ERRORS: JsonErrors = JsonErrors {
///     message: "/message",
///     code: "/code",
///     gone: &["team_not_found"],
///     ..JsonErrors::NONE
/// };
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonErrors {
    /// Where the words for people are.
    pub message: &'static str,
    /// Where the code is: text or a number. Where the application has no codes,
    /// the place of its message will do.
    pub code: &'static str,
    /// Where the application's id of the request is.
    pub request_id: &'static str,
    /// Codes that say, with the status 404 or 410, that the object of the
    /// request was deleted. The sync then leaves its list out, and counts it.
    /// A code that also comes for a wrong path or a missing permission is not
    /// one of these: rows would be missing without a word.
    pub gone: &'static [&'static str],
}

impl JsonErrors {
    /// Reads nothing.
    pub const NONE: Self = Self {
        message: "",
        code: "",
        request_id: "",
        gone: &[],
    };
}

impl ReadApiError for JsonErrors {
    fn read(&self, answer: &ErrorResponse<'_>) -> ApiError {
        let Ok(document) = Document::parse_beginning(answer.body) else {
            return ApiError::default();
        };
        let text = |pointer: &str| words(at(document.root(), pointer)?);
        let code = text(self.code);
        let is_gone = |code: &String| self.gone.contains(&code.as_str());
        ApiError {
            vanished: code.as_ref().is_some_and(is_gone),
            message: text(self.message).filter(|message| code.as_ref() != Some(message)),
            code,
            request_id: text(self.request_id),
            hint: None,
        }
    }
}

/// The value at a place; `None` where there is none.
fn at<'a>(root: Json<'a>, pointer: &str) -> Option<Json<'a>> {
    if pointer.is_empty() {
        return None;
    }
    let mut value = root;
    for part in pointer.split('/').skip(1) {
        let name = part.replace("~1", "/").replace("~0", "~");
        value = match value.object() {
            Some(object) => object.get(&name)?.value,
            None => *value.list()?.get(name.parse::<usize>().ok()?)?,
        };
    }
    Some(value)
}

fn words(value: Json<'_>) -> Option<String> {
    let text = match value.text() {
        Some(text) => text.words,
        None => value.count()?.to_string(),
    };
    (!text.trim().is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ERRORS: JsonErrors = JsonErrors {
        message: "/errors/0/title",
        code: "/error~1code",
        request_id: "/meta/id",
        gone: &["gone", "4041"],
    };

    fn read(body: &str) -> ApiError {
        ERRORS.read(&ErrorResponse {
            endpoint: "/x",
            method: &http::Method::GET,
            status: 404,
            content_type: None,
            body: body.as_bytes(),
        })
    }

    #[test]
    fn what_is_there_is_read_and_what_is_odd_is_left_out() {
        let whole = r#"{"errors":[{"title":"no team"}],"error/code":"gone","meta":{"id":"r-1"}}"#;
        let found = read(whole);
        assert_eq!(found.message.as_deref(), Some("no team"));
        assert_eq!(found.code.as_deref(), Some("gone"));
        assert_eq!(found.request_id.as_deref(), Some("r-1"));
        assert!(found.vanished);
        for (body, vanished) in [
            (r#"{"error/code":4041}"#, true),
            (r#"{"error/code":404}"#, false),
            (r#"{"error/code":"GONE"}"#, false),
            (r#"{"error/code":["gone"]}"#, false),
            (r#"{"error/code":" "}"#, false),
            (r#"{"error/code":"gone","errors":[{"tit"#, true),
            (r#"["gone"]"#, false),
            ("<html>gone</html>", false),
            ("", false),
        ] {
            assert_eq!(read(body).vanished, vanished, "{body}");
        }
        assert_eq!(
            read(r#"{"errors":{"0":{"title":"x"}}}"#).message.as_deref(),
            Some("x")
        );
        assert_eq!(read("7"), ApiError::default());
    }

    #[test]
    fn a_message_can_serve_as_the_code() {
        let errors = JsonErrors {
            message: "/message",
            code: "/message",
            gone: &["Not Found"],
            ..JsonErrors::NONE
        };
        let found = errors.read(&ErrorResponse {
            endpoint: "/x",
            method: &http::Method::GET,
            status: 404,
            content_type: None,
            body: br#"{"message":"Not Found"}"#,
        });
        assert_eq!(
            (found.code.as_deref(), found.message),
            (Some("Not Found"), None)
        );
        assert!(found.vanished);
    }
}
