//! What list filters share: words of closed sets, sorting, and sorted lists of candidates.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::errors::ApiError;
use crate::model::roles::{FILTERABLE_ROLES, ROLE_NAMES};
use crate::query::Query;

/// A sort order by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sort {
    pub descending: bool,
}

/// A list of words from a JSON body; null and missing are empty, one bare word is a list of one.
pub(crate) fn words(body: &Map<String, Value>, name: &str) -> Result<Vec<String>, ApiError> {
    let wrong = || ApiError::bad_body(format!("`{name}` must be a list of texts"));
    match body.get(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(one)) => Ok(vec![one.clone()]),
        Some(Value::Array(list)) => list
            .iter()
            .map(|v| v.as_str().map(str::to_owned).ok_or_else(wrong))
            .collect(),
        Some(_) => Err(wrong()),
    }
}

/// A text from a JSON body; an empty one counts as absent.
pub(crate) fn text(body: &Map<String, Value>, name: &str) -> Result<Option<String>, ApiError> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(s)) => Ok((!s.is_empty()).then(|| s.clone())),
        Some(_) => Err(ApiError::bad_body(format!("`{name}` must be a text"))),
    }
}

/// A truth value from a JSON body.
pub(crate) fn flag(body: &Map<String, Value>, name: &str) -> Result<Option<bool>, ApiError> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(b)) => Ok(Some(*b)),
        Some(_) => Err(ApiError::bad_body(format!(
            "`{name}` must be true or false"
        ))),
    }
}

/// Refuses words outside a closed set.
pub(crate) fn require_known(name: &str, given: &[String], known: &[&str]) -> Result<(), ApiError> {
    match given.iter().find(|w| !known.contains(&w.as_str())) {
        Some(word) => Err(ApiError::bad_parameter(format!(
            "`{name}` does not know `{word}`"
        ))),
        None => Ok(()),
    }
}

/// Refuses roles that the `roleIds` filter does not know.
pub(crate) fn require_known_roles(given: &[String]) -> Result<(), ApiError> {
    require_known("roleIds", given, &ROLE_NAMES[..FILTERABLE_ROLES])
}

/// `sortBy` of a query: JSON as in the search bodies, or `field:direction`.
pub(crate) fn sort_from_query(query: &Query, field: &str) -> Result<Option<Sort>, ApiError> {
    let given = query.all("sortBy");
    let [one] = given.as_slice() else {
        return if given.is_empty() {
            Ok(None)
        } else {
            Err(ApiError::bad_parameter("`sortBy` takes one entry"))
        };
    };
    if let Ok(value) = serde_json::from_str::<Value>(one) {
        return sort_from_value(&value, field);
    }
    let (name, direction) = one.split_once(':').unwrap_or((one, "asc"));
    sort_of(name, direction, field).map(Some)
}

/// `sortBy` of a body: a list of at most one `{field, direction}`.
pub(crate) fn sort_from_body(
    body: &Map<String, Value>,
    field: &str,
) -> Result<Option<Sort>, ApiError> {
    body.get("sortBy")
        .map_or(Ok(None), |value| sort_from_value(value, field))
}

fn sort_from_value(value: &Value, field: &str) -> Result<Option<Sort>, ApiError> {
    let entry = match value {
        Value::Null => return Ok(None),
        Value::Array(list) if list.is_empty() => return Ok(None),
        Value::Array(list) if list.len() == 1 => &list[0],
        Value::Array(_) => return Err(ApiError::bad_parameter("`sortBy` takes one entry")),
        one => one,
    };
    let name = entry
        .get("field")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let direction = entry
        .get("direction")
        .and_then(Value::as_str)
        .unwrap_or("asc");
    sort_of(name, direction, field).map(Some)
}

fn sort_of(name: &str, direction: &str, field: &str) -> Result<Sort, ApiError> {
    let descending = match direction.to_ascii_lowercase().as_str() {
        "asc" => false,
        "desc" => true,
        _ => {
            return Err(ApiError::bad_parameter(
                "the direction of `sortBy` must be asc or desc",
            ));
        }
    };
    if name == field {
        Ok(Sort { descending })
    } else {
        Err(ApiError::bad_parameter(format!(
            "`sortBy` knows the field {field} only"
        )))
    }
}

/// The union of sorted lists, in order and without repeats.
pub(crate) struct Union<'a> {
    lists: Vec<&'a [u32]>,
}

impl<'a> Union<'a> {
    /// Starts after `after`.
    pub(crate) fn new(lists: Vec<&'a [u32]>, after: Option<u32>) -> Self {
        let mut union = Self { lists };
        if let Some(after) = after {
            union.drop_up_to(after);
        }
        union
    }

    fn drop_up_to(&mut self, last: u32) {
        for list in &mut self.lists {
            let start = if list.first().is_some_and(|f| *f > last) {
                0
            } else {
                list.partition_point(|n| *n <= last)
            };
            *list = &list[start..];
        }
        self.lists.retain(|l| !l.is_empty());
    }
}

impl Iterator for Union<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let least = self.lists.iter().filter_map(|l| l.first()).min().copied()?;
        for list in &mut self.lists {
            if list.first() == Some(&least) {
                *list = &list[1..];
            }
        }
        self.lists.retain(|l| !l.is_empty());
        Some(least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn union_is_ordered_without_repeats_and_starts_after_a_key() {
        let (a, b, c) = ([1, 4, 9], [2, 4, 5], []);
        let lists = || vec![a.as_slice(), b.as_slice(), c.as_slice()];
        assert_eq!(
            Union::new(lists(), None).collect::<Vec<_>>(),
            [1, 2, 4, 5, 9]
        );
        assert_eq!(Union::new(lists(), Some(4)).collect::<Vec<_>>(), [5, 9]);
        assert_eq!(Union::new(lists(), Some(9)).count(), 0);
    }

    #[test]
    fn wrong_sorts_are_refused() {
        assert!(sort_of("email", "asc", "name").is_err());
        assert!(sort_of("name", "up", "name").is_err());
        assert_eq!(
            sort_from_query(&Query::parse("sortBy=name:desc"), "name"),
            Ok(Some(Sort { descending: true }))
        );
        let json = "sortBy=%7B%22field%22%3A%22name%22%2C%22direction%22%3A%22asc%22%7D";
        assert_eq!(
            sort_from_query(&Query::parse(json), "name"),
            Ok(Some(Sort { descending: false }))
        );
    }
}
