//! The one place that judges answers to reads: an answer counts only in its
//! documented shape. Status 200; `errors` absent, null or empty; and the member
//! that carries the data there and of its type: a list (or `null` beside
//! `links`, unless `meta.total` is above 0), or for one
//! object an object. Everything else is an error of that request that names
//! the place, never an empty list. Unknown members are ignored.

use baton_connector::http::{Document, FieldError, Fields, InvalidValues, Json, Response};
use baton_connector::{Error, Result};

use super::error_body::ErrorBody;

/// Read from an object of the API.
pub(crate) trait Read: Sized {
    /// Strict where rows depend on it, lenient elsewhere; see [`Fields`].
    fn read(fields: &Fields<'_>) -> std::result::Result<Self, FieldError>;
}

/// A page of any list.
#[derive(Debug)]
pub(crate) struct ListAnswer<T> {
    pub items: Vec<T>,
    /// The cursor of the next page; empty on the last.
    pub next: String,
    /// Items of the whole list, where the page states it.
    pub total: Option<u64>,
}

/// A page of a list.
pub(crate) fn list<T: Read>(response: &Response, invalid: &InvalidValues) -> Result<ListAnswer<T>> {
    judged(response, |root| {
        let fields = envelope(response, root, invalid)?;
        let links = match fields.value("links")? {
            Some(links) => Some(Fields::of(links, "links".to_owned(), invalid)?),
            None => None,
        };
        let next = match &links {
            Some(links) => match links.maybe_id("next")? {
                Some(next) => cursor_of(next)?,
                None => String::new(),
            },
            None => String::new(),
        };
        let total = total(root);
        let items = match fields.member("data")? {
            Some(data) if !data.is_null() => items(data, "data", invalid)?,
            Some(_) if links.is_some() && total.unwrap_or_default() == 0 => Vec::new(),
            Some(_) if links.is_some() => {
                let total = total.unwrap_or_default();
                let detail = format!("null, although `meta.total` counts {total}");
                return Err(field_error("data", detail));
            }
            Some(_) => return Err(field_error("data", "null without `links`")),
            None => return Err(missing(response, "the list is missing")),
        };
        Ok(ListAnswer { items, next, total })
    })
}

/// A page of a stream, and the cursor of what comes after it, which is always
/// there.
pub(crate) fn stream<T: Read>(
    response: &Response,
    invalid: &InvalidValues,
) -> Result<(Vec<T>, String)> {
    judged(response, |root| {
        let fields = envelope(response, root, invalid)?;
        let data = fields.member("data")?;
        let data = data.ok_or_else(|| missing(response, "the list is missing"))?;
        let next = match fields.value("meta")? {
            Some(meta) => Fields::of(meta, "meta".to_owned(), invalid)?.maybe_id("next")?,
            None => None,
        };
        let next = next.ok_or_else(|| field_error("meta.next", "the cursor is missing"))?;
        let items = if data.is_null() {
            Vec::new()
        } else {
            items(data, "data", invalid)?
        };
        Ok((items, cursor_of(next)?))
    })
}

/// One object.
pub(crate) fn one<T: Read>(response: &Response, invalid: &InvalidValues) -> Result<T> {
    judged(response, |root| {
        let fields = envelope(response, root, invalid)?;
        match fields.member("data")? {
            Some(data) => T::read(&Fields::of(data, "data".to_owned(), invalid)?),
            None => Err(missing(response, "the object is missing")),
        }
    })
}

/// The object that an answer is, without an envelope.
pub(crate) fn bare<T: Read>(response: &Response) -> Result<T> {
    let invalid = InvalidValues::default();
    judged(response, |root| {
        T::read(&Fields::of(root, String::new(), &invalid)?)
    })
}

/// The same for an answer to a write, whose status may be any success.
pub(crate) fn written<T: Read>(response: &Response) -> Result<T> {
    let invalid = InvalidValues::default();
    let document = Document::parse(response.body())
        .map_err(|error| response.unusable("", &error.to_string()))?;
    let fields = Fields::of(document.root(), String::new(), &invalid);
    let read = fields.and_then(|fields| T::read(&fields));
    read.map_err(|wrong| response.field_error(&wrong))
}

/// The objects of the list that an answer is, or has under `name`.
pub(crate) fn bare_list<T: Read>(response: &Response, name: Option<&str>) -> Result<Vec<T>> {
    let invalid = InvalidValues::default();
    judged(response, |root| {
        let (list, place) = match name {
            None => (Some(root), ""),
            Some(name) => (
                Fields::of(root, String::new(), &invalid)?.value(name)?,
                name,
            ),
        };
        let list = list.ok_or_else(|| field_error(place, "the list is missing"))?;
        items(list, place, &invalid)
    })
}

/// A count: a bare number or the member `count`, and either may be inside
/// `data`, as elsewhere in this API.
pub(crate) fn count(response: &Response) -> Result<u64> {
    let invalid = InvalidValues::default();
    judged(response, |root| {
        let odd = || field_error("count", "a whole number is missing");
        if root.object().is_none() {
            return root.count().ok_or_else(odd);
        }
        let outer = envelope(response, root, &invalid)?;
        let inner = outer.member("data")?.unwrap_or(root);
        if inner.object().is_none() {
            return inner.count().ok_or_else(odd);
        }
        let inner = Fields::of(inner, "data".to_owned(), &invalid)?;
        let count = inner.member("count")?.and_then(Json::count);
        count.ok_or_else(odd)
    })
}

fn judged<T>(
    response: &Response,
    read: impl FnOnce(Json<'_>) -> std::result::Result<T, FieldError>,
) -> Result<T> {
    let document: Document = response.document()?;
    read(document.root()).map_err(|wrong: FieldError| -> Error { response.field_error(&wrong) })
}

/// The outermost object, which must not report errors.
fn envelope<'a>(
    response: &Response,
    root: Json<'a>,
    invalid: &'a InvalidValues,
) -> std::result::Result<Fields<'a>, FieldError> {
    let fields = Fields::of(root, String::new(), invalid)?;
    let Some(errors) = fields.value("errors")? else {
        return Ok(fields);
    };
    let is_empty = errors.list().is_some_and(|list| list.is_empty())
        || errors.object().is_some_and(|object| object.is_empty())
        || errors.text().is_some_and(|text| text.words.is_empty());
    if is_empty {
        return Ok(fields);
    }
    let words = own_words(response).unwrap_or_else(|| "of unknown form".to_owned());
    Err(field_error(
        "errors",
        format!("the answer reports errors: {words}"),
    ))
}

fn items<T: Read>(
    data: Json<'_>,
    place: &str,
    invalid: &InvalidValues,
) -> std::result::Result<Vec<T>, FieldError> {
    let Some(list) = data.list() else {
        let detail = format!("{} instead of a list", data.kind());
        return Err(field_error(place, detail));
    };
    let items = list.into_iter().enumerate();
    items
        .map(|(at, item)| T::read(&Fields::of(item, format!("{place}[{at}]"), invalid)?))
        .collect()
}

/// The list's own count of itself; one of an odd form compares with nothing.
fn total(root: Json<'_>) -> Option<u64> {
    let meta = root.object()?.get("meta")?.value.object()?;
    meta.get("total")?.value.count()
}

fn field_error(path: &str, detail: impl Into<String>) -> FieldError {
    FieldError {
        path: path.to_owned(),
        detail: detail.into(),
    }
}

/// The data is not there; some gateways answer 200 with a message of their own.
fn missing(response: &Response, what: &str) -> FieldError {
    let detail = match own_words(response) {
        Some(words) => format!("{what}; the answer has the text: {words}"),
        None => what.to_owned(),
    };
    field_error("data", detail)
}

/// Code and words of an error body that came with a success.
fn own_words(response: &Response) -> Option<String> {
    let ErrorBody { code, message } = ErrorBody::parse(response.body());
    match (code.is_empty(), message.is_empty()) {
        (true, true) => None,
        (true, false) => Some(message),
        (false, true) => Some(code),
        (false, false) => Some(format!("{code}: {message}")),
    }
}

/// A cursor is opaque; where an endpoint gives a URL instead, whole or
/// relative, it is the URL's `cursor` value.
fn cursor_of(next: String) -> std::result::Result<String, FieldError> {
    let absolute = ["http://", "https://"]
        .iter()
        .any(|scheme| next.starts_with(scheme));
    // An opaque cursor can begin with a slash, but has no query.
    let relative = next.starts_with(['/', '?', '.']) && next.contains('?') && next.contains('=');
    if !absolute && !relative {
        return Ok(next);
    }
    let query = next.split_once('?').map_or("", |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let cursor = pairs.find(|(name, value)| name == "cursor" && !value.is_empty());
    match cursor {
        Some((_, cursor)) => Ok(cursor.into_owned()),
        None => {
            let form = if absolute { "a URL" } else { "a relative URL" };
            let detail = format!(
                "{form} without a `cursor` in its query; expected a cursor, or a URL with one"
            );
            Err(field_error("links.next", detail))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_may_come_inside_a_url() {
        let bare = "eyJvIjoyMH0=";
        for next in [
            bare,
            "https://api.test/admin/v2/orgs/o/workspaces?cursor=eyJvIjoyMH0%3D&limit=20",
            "/admin/v2/orgs/o/workspaces?limit=20&cursor=eyJvIjoyMH0%3D",
            "?cursor=eyJvIjoyMH0%3D#top",
            "../workspaces?cursor=eyJvIjoyMH0%3D",
        ] {
            assert_eq!(cursor_of(next.to_owned()).unwrap(), bare, "{next}");
        }
        for opaque in ["cursor:with:colons", "/v8+base/64==", "//", "a?b=c", ".="] {
            assert_eq!(cursor_of(opaque.to_owned()).unwrap(), opaque);
        }
    }

    #[test]
    fn a_url_without_a_cursor_is_no_cursor() {
        for next in [
            "https://api.test/x",
            "http://api.test/x?page=2",
            "/admin/v2/orgs/o/workspaces?page=2",
            "?page=2",
            "https://api.test/x?cursor=",
        ] {
            let wrong = cursor_of(next.to_owned()).unwrap_err();
            assert_eq!(wrong.path, "links.next");
            assert!(wrong.detail.contains("URL without a `cursor`"), "{next}");
        }
    }
}
