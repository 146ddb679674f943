//! JSON objects in flags and in answers.

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

/// An object of the wire as JSON. A number that JSON does not have is null.
pub(super) fn of_struct(object: &Struct) -> serde_json::Value {
    let fields = object.fields.iter();
    let fields = fields.map(|(key, value)| (key.clone(), of_value(value)));
    serde_json::Value::Object(fields.collect())
}

fn of_value(value: &Value) -> serde_json::Value {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => serde_json::Value::Null,
        Some(Kind::BoolValue(value)) => (*value).into(),
        Some(Kind::NumberValue(number)) => of_number(*number),
        Some(Kind::StringValue(text)) => text.as_str().into(),
        Some(Kind::ListValue(list)) => list.values.iter().map(of_value).collect(),
        Some(Kind::StructValue(object)) => of_struct(object),
    }
}

/// A whole number without `.0`.
fn of_number(number: f64) -> serde_json::Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() <= EXACT {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it is whole and far below the limits of the type"
        )]
        return (number as i64).into();
    }
    number.into()
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
