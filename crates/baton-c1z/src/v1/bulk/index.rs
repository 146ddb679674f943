//! The indexes of the grants: which columns, and a key for sorting from
//! which the record can be made again.

use super::StoredGrant;
use super::record::{Value, push_record};

/// The columns that are indexed, and the row's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    ResourceType,
    Resource,
    Entitlement,
    PrincipalType,
    Principal,
    External,
    Sync,
    Number,
}

/// Which rows an index holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rows {
    All,
    /// With an expansion.
    Expandable,
    /// That are still to be expanded.
    Unsettled,
}

/// An index of `v1_grants`.
#[derive(Debug)]
pub(super) struct Index {
    pub name: &'static str,
    /// Two rows with the same values are an error.
    pub is_unique: bool,
    rows: Rows,
    columns: &'static [Column],
}

/// The indexes, as the schema of this folder's parent declares them.
pub(super) const INDEXES: &[Index] = &[
    Index {
        name: "idx_grants_resource_type_id_resource_id_v1",
        is_unique: false,
        rows: Rows::All,
        columns: &[Column::ResourceType, Column::Resource],
    },
    Index {
        name: "idx_grants_principal_id_v1",
        is_unique: false,
        rows: Rows::All,
        columns: &[Column::PrincipalType, Column::Principal],
    },
    Index {
        name: "idx_grants_entitlement_id_principal_id_v1",
        is_unique: false,
        rows: Rows::All,
        columns: &[
            Column::Entitlement,
            Column::PrincipalType,
            Column::Principal,
        ],
    },
    Index {
        name: "idx_grants_external_sync_v1",
        is_unique: true,
        rows: Rows::All,
        columns: &[Column::External, Column::Sync],
    },
    Index {
        name: "idx_grants_entitlement_sync_grant_v1",
        is_unique: false,
        rows: Rows::All,
        columns: &[Column::Entitlement, Column::Sync, Column::Number],
    },
    Index {
        name: "idx_grants_sync_expansion_v1",
        is_unique: false,
        rows: Rows::Expandable,
        columns: &[Column::Sync],
    },
    Index {
        name: "idx_grants_sync_needs_expansion_v1",
        is_unique: false,
        rows: Rows::Unsettled,
        columns: &[Column::Sync],
    },
];

/// Ends a value in a key; a zero byte of the value itself is followed by
/// [`ESCAPED`] instead, so that shorter values come first.
const END: [u8; 2] = [0, 0];
const ESCAPED: u8 = 0xff;

impl Index {
    /// Whether it has an entry for the row.
    pub fn holds(&self, row: &StoredGrant<'_>) -> bool {
        match self.rows {
            Rows::All => true,
            Rows::Expandable => row.expansion.is_some(),
            Rows::Unsettled => row.needs_expansion,
        }
    }

    /// Appends the row's sort key. Rows with equal keys are in the order of
    /// their numbers, so the number is no part of it.
    pub fn push_key(&self, out: &mut Vec<u8>, row: &StoredGrant<'_>) {
        for column in self.columns {
            let text = match column {
                Column::ResourceType => row.resource_type_id,
                Column::Resource => row.resource_id,
                Column::Entitlement => row.entitlement_id,
                Column::PrincipalType => row.principal_type_id,
                Column::Principal => row.principal_id,
                Column::External => row.external_id,
                Column::Sync => row.sync_id,
                Column::Number => continue,
            };
            let mut parts = text.split(|byte| *byte == 0);
            out.extend_from_slice(parts.next().unwrap_or_default());
            for part in parts {
                out.extend_from_slice(&[0, ESCAPED]);
                out.extend_from_slice(part);
            }
            out.extend_from_slice(&END);
        }
    }

    /// Appends the entry for a key and a row's number.
    pub fn push_entry(&self, out: &mut Vec<u8>, key: &[u8], number: i64) {
        let texts = texts(key);
        let mut texts = texts.iter();
        let mut values: Vec<Value<'_>> = Vec::with_capacity(self.columns.len() + 1);
        for column in self.columns {
            values.push(match column {
                Column::Number => Value::Int(number),
                _ => Value::Text(texts.next().map_or(&[][..], AsRef::as_ref)),
            });
        }
        values.push(Value::Int(number));
        push_record(out, &values);
    }
}

/// The values in a key.
fn texts(key: &[u8]) -> Vec<std::borrow::Cow<'_, [u8]>> {
    let mut texts = Vec::new();
    let mut rest = key;
    while !rest.is_empty() {
        let (text, behind) = text(rest);
        texts.push(text);
        rest = behind;
    }
    texts
}

/// The first value in a key, and what comes behind it.
fn text(key: &[u8]) -> (std::borrow::Cow<'_, [u8]>, &[u8]) {
    let mut text = std::borrow::Cow::Borrowed(&[][..]);
    let mut rest = key;
    loop {
        let zero = rest.iter().position(|byte| *byte == 0);
        let (part, behind) = rest.split_at(zero.unwrap_or(rest.len()));
        if text.is_empty() {
            text = std::borrow::Cow::Borrowed(part);
        } else {
            text.to_mut().extend_from_slice(part);
        }
        let escaped = behind.get(1) == Some(&ESCAPED);
        rest = behind.get(END.len()..).unwrap_or_default();
        if !escaped {
            return (text, rest);
        }
        text.to_mut().push(0);
    }
}

/// The first value of a key as text.
pub(super) fn first_text(key: &[u8]) -> String {
    String::from_utf8_lossy(&text(key).0).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_out_of_keys_as_they_went_in_and_keys_are_ordered_as_they_are() {
        let all = [
            "", "\0", "\0\0", "a", "a\0", "a\0b", "a\u{1}", "ab", "b", "\u{ff}",
        ];
        let index = &INDEXES[0];
        let mut keys = Vec::new();
        for a in all {
            for b in all {
                let row = StoredGrant {
                    resource_type_id: a.as_bytes(),
                    resource_id: b.as_bytes(),
                    ..StoredGrant::default()
                };
                let mut key = Vec::new();
                index.push_key(&mut key, &row);
                assert_eq!(texts(&key), [a.as_bytes(), b.as_bytes()]);
                keys.push(((a, b), key));
            }
        }
        for (values, key) in &keys {
            for (others, other) in &keys {
                assert_eq!(values.cmp(others), key.cmp(other), "{values:?} {others:?}");
            }
        }
    }
}
