//! Templates of tickets: JSON files that become requests (`service-mode.md` §3,
//! §6.2).

use std::io::Read as _;
use std::path::Path;

use baton_connector::resource::{ResourceBuilder, UserTraitBuilder};
use baton_connector::v2;
use baton_proto::time;
use serde_json::{Map, Value};
use v2::ticket_custom_field::Value as Field;

use crate::error::{Error, Result};

/// A template has at most so many bytes.
const MAX_BYTES: u64 = 64 << 20;

/// A ticket as a template describes it.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) schema_id: String,
    /// The place in the file, for errors: empty, or as in `tickets[3]`.
    place: String,
    /// The template itself.
    members: Map<String, Value>,
}

/// What is wrong with a template, and where.
pub(super) fn fault(place: impl Into<String>, text: impl Into<String>) -> Error {
    Error::TicketTemplate {
        place: place.into(),
        text: text.into(),
    }
}

const KEYS: [&str; 7] = [
    "schema_id",
    "status_id",
    "display_name",
    "description",
    "labels",
    "custom_fields",
    "requested_for_id",
];

/// The template in a file.
pub(super) fn one(path: &Path) -> Result<Template> {
    match read(path)? {
        Value::Object(members) => Template::new(String::new(), members),
        other => Err(fault("", format!("the template is {}", kind(&other)))),
    }
}

/// The templates in a file.
pub(super) fn many(path: &Path) -> Result<Vec<Template>> {
    let mut members = match read(path)? {
        Value::Object(members) => members,
        other => return Err(fault("", format!("the template is {}", kind(&other)))),
    };
    let tickets = match members.remove("tickets") {
        Some(Value::Array(tickets)) => tickets,
        Some(other) => {
            return Err(fault(
                "tickets",
                format!("it is {}, not a list", kind(&other)),
            ));
        }
        None => return Err(fault("tickets", "it is missing")),
    };
    if let Some(key) = members.keys().next() {
        return Err(fault(key, "there is no such member"));
    }
    let templates = tickets.into_iter().enumerate().map(|(number, ticket)| {
        let place = format!("tickets[{number}]");
        match ticket {
            Value::Object(members) => Template::new(place, members),
            other => Err(fault(
                place,
                format!("it is {}, not an object", kind(&other)),
            )),
        }
    });
    templates.collect()
}

#[expect(clippy::disallowed_methods, reason = "a file that the user names")]
fn read(path: &Path) -> Result<Value> {
    let failed = |source| Error::TicketFile {
        path: path.to_owned(),
        source,
    };
    let file = std::fs::OpenOptions::new().read(true).open(path);
    let mut text = String::new();
    let mut file = file.map_err(failed)?.take(MAX_BYTES + 1);
    file.read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(failed(std::io::ErrorKind::FileTooLarge.into()));
    }
    serde_json::from_str(&text).map_err(|source| Error::TicketJson {
        path: path.to_owned(),
        source,
    })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

impl Template {
    fn new(place: String, members: Map<String, Value>) -> Result<Self> {
        let mut template = Self {
            schema_id: String::new(),
            place,
            members,
        };
        if let Some(key) = template
            .members
            .keys()
            .find(|key| !KEYS.contains(&key.as_str()))
        {
            return Err(fault(template.at(key), "there is no such member"));
        }
        template.schema_id = template.text("schema_id")?;
        // All but the custom fields can be judged without the schema.
        for key in [
            "status_id",
            "display_name",
            "description",
            "requested_for_id",
        ] {
            template.text(key)?;
        }
        Ok(template)
    }

    /// The place of a member.
    fn at(&self, key: &str) -> String {
        if self.place.is_empty() {
            return key.to_owned();
        }
        format!("{}.{key}", self.place)
    }

    /// The name, for records.
    pub(super) fn name(&self) -> String {
        self.text("display_name").unwrap_or_default()
    }

    fn text(&self, key: &str) -> Result<String> {
        match self.members.get(key) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(other) => Err(fault(
                self.at(key),
                format!("it is {}, not a text", kind(other)),
            )),
        }
    }

    /// The request, with custom fields of the kinds that the schema has.
    pub(super) fn request(&self, schema: &v2::TicketSchema) -> Result<v2::TicketRequest> {
        let status = self.text("status_id")?;
        let requested_for = self.text("requested_for_id")?;
        let labels = match self.members.get("labels") {
            None | Some(Value::Null) => Vec::new(),
            Some(labels) => texts(labels, &self.at("labels"))?,
        };
        let fields = match self.members.get("custom_fields") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Object(fields)) => fields
                .iter()
                .map(|(id, value)| self.field(schema, id, value))
                .collect::<Result<_>>()?,
            Some(other) => {
                let text = format!("it is {}, not an object", kind(other));
                return Err(fault(self.at("custom_fields"), text));
            }
        };
        Ok(v2::TicketRequest {
            display_name: self.text("display_name")?,
            description: self.text("description")?,
            status: (!status.is_empty()).then(|| v2::TicketStatus {
                id: status,
                display_name: String::new(),
            }),
            labels,
            custom_fields: fields.into_iter().collect(),
            requested_for: match requested_for.as_str() {
                "" => None,
                id => Some(user(id)?),
            },
            ..v2::TicketRequest::default()
        })
    }

    fn field(
        &self,
        schema: &v2::TicketSchema,
        id: &str,
        value: &Value,
    ) -> Result<(String, v2::TicketCustomField)> {
        let place = self.at(&format!("custom_fields.{id}"));
        let Some(known) = schema.custom_fields.get(id) else {
            return Err(fault(place, format!("error: id({id}) not found in schema")));
        };
        let field = v2::TicketCustomField {
            id: id.to_owned(),
            value: Some(field_value(known, value, &place)?),
            ..v2::TicketCustomField::default()
        };
        Ok((id.to_owned(), field))
    }
}

/// The person that a ticket is for, of whom only the id is known.
fn user(id: &str) -> Result<v2::Resource> {
    let user = ResourceBuilder::new("user", id)
        .display_name(id)
        .user(UserTraitBuilder::new());
    Ok(user.build()?)
}

fn texts(value: &Value, place: &str) -> Result<Vec<String>> {
    let Value::Array(values) = value else {
        return Err(fault(place, format!("it is {}, not a list", kind(value))));
    };
    let texts = values
        .iter()
        .enumerate()
        .map(|(number, value)| match value {
            Value::String(text) => Ok(text.clone()),
            other => Err(fault(
                format!("{place}[{number}]"),
                format!("it is {}, not a text", kind(other)),
            )),
        });
    texts.collect()
}

fn object(value: &Value, place: &str) -> Result<v2::TicketCustomFieldObjectValue> {
    let Value::Object(members) = value else {
        return Err(fault(
            place,
            format!("it is {}, not an object", kind(value)),
        ));
    };
    let mut object = v2::TicketCustomFieldObjectValue::default();
    for (key, value) in members {
        let place = format!("{place}.{key}");
        let Value::String(text) = value else {
            return Err(fault(place, format!("it is {}, not a text", kind(value))));
        };
        match key.as_str() {
            "id" => object.id.clone_from(text),
            "displayName" | "display_name" => object.display_name.clone_from(text),
            _ => return Err(fault(place, "there is no such member")),
        }
    }
    Ok(object)
}

/// A value of a template as the schema has the field.
fn field_value(known: &v2::TicketCustomField, value: &Value, place: &str) -> Result<Field> {
    let other_kind = |wanted: &str| {
        Err(fault(
            place,
            format!(
                "unexpected value type for custom field: it is {}, not {wanted}",
                kind(value)
            ),
        ))
    };
    Ok(match (&known.value, value) {
        (Some(Field::StringValue(_)), Value::String(text)) => {
            Field::StringValue(v2::TicketCustomFieldStringValue {
                value: text.clone(),
                ..Default::default()
            })
        }
        (Some(Field::PickStringValue(_)), Value::String(text)) => {
            Field::PickStringValue(v2::TicketCustomFieldPickStringValue {
                value: text.clone(),
                ..Default::default()
            })
        }
        (Some(Field::BoolValue(_)), Value::Bool(value)) => {
            Field::BoolValue(v2::TicketCustomFieldBoolValue { value: *value })
        }
        (Some(Field::NumberValue(_)), Value::Number(number)) => {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the field is a 32-bit float"
            )]
            let value = number.as_f64().unwrap_or(f64::NAN) as f32;
            if !value.is_finite() {
                return Err(fault(place, "the number is too large"));
            }
            Field::NumberValue(v2::TicketCustomFieldNumberValue {
                value: Some(value),
                ..Default::default()
            })
        }
        (Some(Field::TimestampValue(_)), Value::String(text)) => {
            let Ok(value) = time::parse(text) else {
                return Err(fault(place, format!("`{text}` is not a time")));
            };
            Field::TimestampValue(v2::TicketCustomFieldTimestampValue {
                value: Some(value),
                ..Default::default()
            })
        }
        (Some(Field::StringValues(_)), Value::Array(_)) => {
            Field::StringValues(v2::TicketCustomFieldStringValues {
                values: texts(value, place)?,
                ..Default::default()
            })
        }
        (Some(Field::PickMultipleStringValues(_)), Value::Array(_)) => {
            Field::PickMultipleStringValues(v2::TicketCustomFieldPickMultipleStringValues {
                values: texts(value, place)?,
                ..Default::default()
            })
        }
        (Some(Field::PickObjectValue(_)), Value::Object(_)) => {
            Field::PickObjectValue(v2::TicketCustomFieldPickObjectValue {
                value: Some(object(value, place)?),
                ..Default::default()
            })
        }
        (Some(Field::PickMultipleObjectValues(_)), Value::Array(values)) => {
            let values = values.iter().enumerate();
            let values = values.map(|(at, value)| object(value, &format!("{place}[{at}]")));
            Field::PickMultipleObjectValues(v2::TicketCustomFieldPickMultipleObjectValues {
                values: values.collect::<Result<_>>()?,
                ..Default::default()
            })
        }
        (Some(Field::StringValue(_) | Field::PickStringValue(_)), _) => {
            return other_kind("a text");
        }
        (Some(Field::BoolValue(_)), _) => return other_kind("true or false"),
        (Some(Field::NumberValue(_)), _) => return other_kind("a number"),
        (Some(Field::TimestampValue(_)), _) => return other_kind("a time as text"),
        (Some(Field::PickObjectValue(_)), _) => return other_kind("an object"),
        (Some(_), _) => return other_kind("a list"),
        (None, _) => {
            let text = "error: invalid schema: unknown custom field type";
            return Err(fault(place, text));
        }
    })
}
