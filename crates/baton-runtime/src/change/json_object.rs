//! JSON objects in flags.

use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};

use crate::error::{Error, Result};

/// The object in the value of `flag`.
///
/// # Errors
/// Text that is not JSON, with the position, and JSON that is not an object.
pub(super) fn parse(flag: &'static str, text: &str) -> Result<Struct> {
    let parsed = serde_json::from_str::<serde_json::Value>(text);
    match parsed.map_err(|source| Error::FlagJson { flag, source })? {
        serde_json::Value::Object(members) => Ok(object(members)),
        other => Err(Error::NotAnObject {
            flag,
            found: match other {
                serde_json::Value::Null => "null",
                serde_json::Value::Bool(_) => "true or false",
                serde_json::Value::Number(_) => "a number",
                serde_json::Value::String(_) => "a text",
                _ => "a list",
            },
        }),
    }
}

fn object(members: serde_json::Map<String, serde_json::Value>) -> Struct {
    let members = members.into_iter();
    Struct {
        fields: members.map(|(key, member)| (key, value(member))).collect(),
    }
}

fn value(json: serde_json::Value) -> Value {
    let kind = match json {
        serde_json::Value::Null => Kind::NullValue(0),
        serde_json::Value::Bool(value) => Kind::BoolValue(value),
        // Numbers of JSON are 64-bit floats on the wire.
        serde_json::Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or(f64::NAN)),
        serde_json::Value::String(text) => Kind::StringValue(text),
        serde_json::Value::Array(values) => Kind::ListValue(ListValue {
            values: values.into_iter().map(value).collect(),
        }),
        serde_json::Value::Object(members) => Kind::StructValue(object(members)),
    };
    Value { kind: Some(kind) }
}
