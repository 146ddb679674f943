//! Profiles: free-form key-value data of a resource.

use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};

/// Builds the `Struct` of a profile. Keys come out sorted; a key set twice
/// keeps the last value.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Profile(Struct);

impl Profile {
    /// An empty profile.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a text, also an empty one.
    #[must_use]
    pub fn text(self, key: &str, value: impl Into<String>) -> Self {
        self.set(key, Kind::StringValue(value.into()))
    }

    /// Sets a text if there is one.
    #[must_use]
    pub fn maybe_text(self, key: &str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.text(key, value),
            None => self,
        }
    }

    /// Sets a truth value.
    #[must_use]
    pub fn flag(self, key: &str, value: bool) -> Self {
        self.set(key, Kind::BoolValue(value))
    }

    /// Sets a number.
    #[must_use]
    pub fn number(self, key: &str, value: f64) -> Self {
        self.set(key, Kind::NumberValue(value))
    }

    /// Sets a list of texts.
    #[must_use]
    pub fn texts<T: Into<String>>(self, key: &str, values: impl IntoIterator<Item = T>) -> Self {
        let values = values
            .into_iter()
            .map(|text| Value {
                kind: Some(Kind::StringValue(text.into())),
            })
            .collect();
        self.set(key, Kind::ListValue(ListValue { values }))
    }

    /// Sets a nested profile.
    #[must_use]
    pub fn nested(self, key: &str, value: Profile) -> Self {
        self.set(key, Kind::StructValue(value.0))
    }

    /// True when no key is set.
    pub fn is_empty(&self) -> bool {
        self.0.fields.is_empty()
    }

    /// The finished `Struct`.
    pub fn build(self) -> Struct {
        self.0
    }

    fn set(mut self, key: &str, kind: Kind) -> Self {
        self.0
            .fields
            .insert(key.to_owned(), Value { kind: Some(kind) });
        self
    }
}
