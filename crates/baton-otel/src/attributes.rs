//! Texts of attributes, within a limit.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;

/// Largest text, in bytes. A longer one is cut.
const MAX_TEXT_BYTES: usize = 16 << 10;

/// How data names its origin.
pub(crate) const SCOPE: &str = "baton_sdk";

/// At most so much of a text as an attribute may have.
pub(crate) fn cut(mut text: String) -> String {
    if text.len() > MAX_TEXT_BYTES {
        text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES));
    }
    text
}

/// A value.
pub(crate) fn text(text: impl Into<String>) -> AnyValue {
    AnyValue {
        value: Some(Value::StringValue(cut(text.into()))),
    }
}

/// A value of JSON. Lists and objects become their text.
pub(crate) fn json(value: serde_json::Value) -> AnyValue {
    let value = match value {
        serde_json::Value::Null => return AnyValue::default(),
        serde_json::Value::Bool(value) => Value::BoolValue(value),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Value::IntValue(integer),
            (None, Some(double)) => Value::DoubleValue(double),
            (None, None) => Value::StringValue(number.to_string()),
        },
        serde_json::Value::String(text) => Value::StringValue(cut(text)),
        other => Value::StringValue(cut(other.to_string())),
    };
    AnyValue { value: Some(value) }
}

/// An attribute.
pub(crate) fn attribute(key: impl Into<String>, value: AnyValue) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(value),
        ..KeyValue::default()
    }
}

/// What exports of this program begin with.
pub(crate) fn resource(service: &str, version: &str) -> Resource {
    Resource {
        attributes: vec![
            attribute("service.name", text(service)),
            attribute("service.version", text(version)),
        ],
        ..Resource::default()
    }
}

/// The origin of data.
pub(crate) fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: SCOPE.to_owned(),
        ..InstrumentationScope::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        let text = "ä".repeat(MAX_TEXT_BYTES);
        let kept = cut(format!("x{text}"));
        assert_eq!(kept.len(), MAX_TEXT_BYTES - 1);
        assert_eq!(cut("short".to_owned()), "short");
    }
}
