//! The arguments of an action, for its author.

use std::fmt;

use baton_proto::c1::connector::v2;
use prost_types::value::Kind;
use prost_types::{Struct, Value};

use crate::error::{Error, Result};
use crate::resource::resource_id;

/// The largest whole number that a JSON number keeps exactly.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// The arguments of one action, checked against its schema. A JSON null counts as
/// not given. They do not print: some are secrets.
#[derive(Clone, PartialEq)]
pub struct Arguments(Struct);

impl Arguments {
    /// Arguments that no schema has checked, for tests of an action.
    pub fn unchecked(arguments: Struct) -> Self {
        Self(arguments)
    }

    /// A text.
    ///
    /// # Errors
    /// It is not given, or is no text.
    pub fn text(&self, name: &str) -> Result<&str> {
        self.maybe_text(name).ok_or_else(|| missing(name, "a text"))
    }

    /// A text, if it is given.
    pub fn maybe_text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(as_text)
    }

    /// A whole number.
    ///
    /// # Errors
    /// It is not given, or is no whole number.
    pub fn number(&self, name: &str) -> Result<i64> {
        self.maybe_number(name)
            .ok_or_else(|| missing(name, "a whole number"))
    }

    /// A whole number, if it is given.
    pub fn maybe_number(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(as_whole)
    }

    /// True if it is given as true.
    pub fn flag(&self, name: &str) -> bool {
        self.maybe_flag(name).unwrap_or_default()
    }

    /// True or false, if it is given.
    pub fn maybe_flag(&self, name: &str) -> Option<bool> {
        match self.get(name)?.kind {
            Some(Kind::BoolValue(flag)) => Some(flag),
            _ => None,
        }
    }

    /// The texts of a list; none if it is not given.
    pub fn texts(&self, name: &str) -> Vec<&str> {
        self.list(name).iter().filter_map(as_text).collect()
    }

    /// The id of a resource.
    ///
    /// # Errors
    /// It is not given, or is no id.
    pub fn resource_id(&self, name: &str) -> Result<v2::ResourceId> {
        self.maybe_resource_id(name)
            .ok_or_else(|| missing(name, "the id of a resource"))
    }

    /// The id of a resource, if it is given.
    pub fn maybe_resource_id(&self, name: &str) -> Option<v2::ResourceId> {
        self.get(name).and_then(as_resource_id)
    }

    /// The ids of a list; none if it is not given.
    pub fn resource_ids(&self, name: &str) -> Vec<v2::ResourceId> {
        self.list(name).iter().filter_map(as_resource_id).collect()
    }

    /// Any value that is given.
    pub fn get(&self, name: &str) -> Option<&Value> {
        given(&self.0, name)
    }

    fn list(&self, name: &str) -> &[Value] {
        match self.get(name).and_then(|value| value.kind.as_ref()) {
            Some(Kind::ListValue(list)) => &list.values,
            _ => &[],
        }
    }
}

impl fmt::Debug for Arguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Arguments")
            .field(&self.0.fields.keys())
            .finish()
    }
}

fn missing(name: &str, wanted: &str) -> Error {
    Error::Arguments {
        faults: vec![format!("argument `{name}` must be {wanted}")],
    }
}

/// A value that is there and not null.
pub(super) fn given<'a>(arguments: &'a Struct, name: &str) -> Option<&'a Value> {
    let value = arguments.fields.get(name)?;
    match value.kind {
        None | Some(Kind::NullValue(_)) => None,
        Some(_) => Some(value),
    }
}

pub(super) fn as_text(value: &Value) -> Option<&str> {
    match &value.kind {
        Some(Kind::StringValue(text)) => Some(text),
        _ => None,
    }
}

/// A number without a fraction that JSON keeps exactly.
pub(super) fn as_whole(value: &Value) -> Option<i64> {
    match value.kind {
        Some(Kind::NumberValue(number)) if number.fract() == 0.0 && number.abs() <= MAX_EXACT =>
        {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "it is whole and far below the limits of the type"
            )]
            Some(number as i64)
        }
        _ => None,
    }
}

/// Both parts of an id, under the names of the Go SDK's readers and writers.
pub(super) fn as_resource_id(value: &Value) -> Option<v2::ResourceId> {
    let Some(Kind::StructValue(object)) = &value.kind else {
        return None;
    };
    let part = |names: &[&str]| {
        let part = names.iter().find_map(|name| given(object, name));
        part.and_then(as_text).filter(|text| !text.is_empty())
    };
    let type_id = part(&["resource_type_id", "resourceTypeId", "resource_type"])?;
    let id = part(&["resource_id", "resourceId", "resource"])?;
    Some(resource_id(type_id, id))
}
