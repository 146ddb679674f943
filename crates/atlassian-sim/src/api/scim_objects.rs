//! What all objects of an identity provider share (§11): refusals, filters, pages, and the attributes that an answer has.

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::clock::iso_millis;
use crate::errors::ApiError;
use crate::model::Organization;
use crate::model::scim::ScimTimes;
use crate::paging::to_json;

pub(super) const ATLASSIAN_SCHEMA: &str = "urn:scim:schemas:extension:atlassian-external:1.0";
const LIST_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
/// Attributes that the server decides.
const READ_ONLY: [&str; 5] = ["id", "meta", "schemas", "groups", ATLASSIAN_SCHEMA];
/// Largest page.
pub(super) const MAX_COUNT: usize = 100;

pub(super) type Attributes = Map<String, Value>;

/// The directory of the path.
pub(super) fn directory(call: &Call<'_>, org: &Organization) -> Result<u8, ApiError> {
    let id = call.param("directory");
    org.find_directory(id)
        .ok_or_else(|| ApiError::scim(StatusCode::NOT_FOUND, "", format!("no directory {id}")))
}

pub(super) fn not_found(id: &str) -> ApiError {
    ApiError::scim(
        StatusCode::NOT_FOUND,
        "",
        format!("Resource {id} not found"),
    )
}

pub(super) fn invalid(detail: impl Into<String>) -> ApiError {
    ApiError::scim(StatusCode::BAD_REQUEST, "invalidValue", detail)
}

pub(super) fn taken(what: &str, detail: &str) -> ApiError {
    let detail = format!("Resource [{what}]: with {detail} already exists.");
    ApiError::scim(StatusCode::CONFLICT, "uniqueness", detail)
}

/// The body of a write.
pub(super) fn body(call: &Call<'_>) -> Result<Attributes, ApiError> {
    serde_json::from_slice(call.body).map_err(|_| {
        let detail = "the body is not a JSON object";
        ApiError::scim(StatusCode::BAD_REQUEST, "invalidSyntax", detail)
    })
}

/// The attributes of a body that a client may set.
pub(super) fn writable(mut body: Attributes) -> Attributes {
    body.retain(|name, _| !READ_ONLY.contains(&name.as_str()));
    body
}

/// A list request: which objects, from which on, how many.
#[derive(Debug)]
pub(super) struct Listing {
    start: usize,
    count: usize,
    filter: Option<(&'static str, String)>,
}

impl Listing {
    /// `known` are the attributes that a filter may name.
    pub(super) fn of(call: &Call<'_>, known: &[&'static str]) -> Result<Self, ApiError> {
        let number = |name: &str, default: usize| match call.query.get(name) {
            None => Ok(default),
            Some(text) => text
                .parse::<i64>()
                .map(|n| usize::try_from(n).unwrap_or(0))
                .map_err(|_| invalid(format!("`{name}` is not a number"))),
        };
        Ok(Self {
            start: number("startIndex", 1)?.max(1),
            count: number("count", MAX_COUNT)?.min(MAX_COUNT),
            filter: call
                .query
                .get("filter")
                .map(|text| parse_filter(text, known))
                .transpose()?,
        })
    }

    /// Whether an object with these attributes is listed. Ids of the client differ by case, names do not.
    pub(super) fn holds(&self, attributes: &Attributes) -> bool {
        let Some((name, wanted)) = &self.filter else {
            return true;
        };
        let value = attributes.get(*name).and_then(Value::as_str);
        value.is_some_and(|v| v == wanted || (*name != "externalId" && same_name(v, wanted)))
    }

    /// The answer of all objects that are listed.
    pub(super) fn page<T>(&self, found: &[T], render: impl Fn(&T) -> Value) -> Vec<u8> {
        let shown = found.iter().skip(self.start - 1).take(self.count);
        let resources: Vec<Value> = shown.map(render).collect();
        to_json(&json!({
            "schemas": [LIST_SCHEMA],
            "totalResults": found.len(),
            "startIndex": self.start,
            "itemsPerPage": resources.len(),
            "Resources": resources,
        }))
    }
}

/// Whether two names of users or groups are the same to a provider.
pub(super) fn same_name(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// One `eq` on a known attribute.
fn parse_filter(text: &str, known: &[&'static str]) -> Result<(&'static str, String), ApiError> {
    let wrong = || ApiError::scim(StatusCode::BAD_REQUEST, "invalidFilter", text.to_owned());
    let (name, rest) = text.trim().split_once(' ').ok_or_else(wrong)?;
    let (operator, value) = rest.trim().split_once(' ').ok_or_else(wrong)?;
    let value: String = serde_json::from_str(value.trim()).map_err(|_| wrong())?;
    let mut names = known.iter().filter(|n| n.eq_ignore_ascii_case(name));
    match names.next() {
        Some(name) if operator.eq_ignore_ascii_case("eq") => Ok((name, value)),
        _ => Err(wrong()),
    }
}

/// Which attributes an answer has.
#[derive(Debug)]
pub(super) enum Projection {
    All,
    Only(Vec<String>),
    Without(Vec<String>),
}

impl Projection {
    pub(super) fn of(call: &Call<'_>) -> Result<Self, ApiError> {
        let list = |name: &str| {
            let text = call.query.get(name)?;
            Some(text.split(',').map(|a| a.trim().to_owned()).collect())
        };
        match (list("attributes"), list("excludedAttributes")) {
            (Some(_), Some(_)) => Err(invalid("`attributes` excludes `excludedAttributes`")),
            (Some(wanted), None) => Ok(Self::Only(wanted)),
            (None, Some(unwanted)) => Ok(Self::Without(unwanted)),
            (None, None) => Ok(Self::All),
        }
    }

    fn apply(&self, object: &mut Attributes) {
        let names = match self {
            Self::All => return,
            Self::Only(names) | Self::Without(names) => names,
        };
        let keeps = matches!(self, Self::Only(_));
        object.retain(|name, value| {
            if names.iter().any(|n| n.eq_ignore_ascii_case(name)) {
                return keeps;
            }
            let inner: Vec<&str> = names.iter().filter_map(|n| inner_of(n, name)).collect();
            if inner.is_empty() {
                return !keeps;
            }
            let named = |member: &String| inner.iter().any(|i| i.eq_ignore_ascii_case(member));
            for object in objects(value) {
                object.retain(|member, _| named(member) == keeps);
            }
            true
        });
    }
}

/// The member that a name like `name.givenName` means of the attribute.
fn inner_of<'a>(name: &'a str, attribute: &str) -> Option<&'a str> {
    let outer = name.get(..attribute.len())?;
    let inner = name.get(attribute.len()..)?;
    outer
        .eq_ignore_ascii_case(attribute)
        .then(|| inner.strip_prefix(['.', ':']))
        .flatten()
}

/// The object or objects that an attribute's value is.
fn objects(value: &mut Value) -> Vec<&mut Attributes> {
    match value {
        Value::Object(members) => vec![members],
        Value::Array(list) => list.iter_mut().filter_map(Value::as_object_mut).collect(),
        _ => Vec::new(),
    }
}

/// An object as answers have it: the attributes asked for, and what every answer has.
pub(super) fn shown(
    call: &Call<'_>,
    projection: &Projection,
    kind: &str,
    schemas: &[&str],
    (id, times): (&str, ScimTimes),
    mut attributes: Attributes,
) -> Value {
    projection.apply(&mut attributes);
    let directory = call.param("directory");
    let location = format!("https://api.atlassian.com/scim/directory/{directory}/{kind}s/{id}");
    let meta = json!({
        "resourceType": kind,
        "created": iso_millis(call.date_of(times.created)),
        "lastModified": iso_millis(call.date_of(times.modified)),
        "location": location,
    });
    attributes.insert("schemas".to_owned(), json!(schemas));
    attributes.insert("id".to_owned(), json!(id));
    attributes.insert("meta".to_owned(), meta);
    Value::Object(attributes)
}
