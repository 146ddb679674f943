//! Compares a ticket with its schema (`service-mode.md` §6.2).

use std::collections::BTreeSet;

use baton_proto::Code;
use baton_proto::c1::connector::v2;
use v2::ticket_custom_field::Value;

use crate::error::Error;

/// Why a ticket does not fit its schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TicketFault {
    /// The schema has no such status.
    #[error("status `{id}` is not one of the schema's")]
    Status {
        /// The id of the status.
        id: String,
    },
    /// A required field is missing, or has no value.
    #[error("custom field `{id}` is required")]
    Missing {
        /// The id of the field.
        id: String,
    },
    /// The field has another kind than in the schema.
    #[error("custom field `{id}` has another kind than in the schema")]
    Kind {
        /// The id of the field.
        id: String,
    },
    /// The schema requires a choice, and lists nothing to choose from.
    #[error("custom field `{id}` has no allowed values")]
    NothingAllowed {
        /// The id of the field.
        id: String,
    },
    /// The value is not one of the allowed ones.
    #[error("`{value}` is not allowed in custom field `{id}`")]
    NotAllowed {
        /// The id of the field.
        id: String,
        /// The value; of an object its id.
        value: String,
    },
    /// The schema has a field of no kind.
    #[error("error: invalid schema: unknown custom field type")]
    Schema {
        /// The id of the field.
        id: String,
    },
}

impl From<TicketFault> for Error {
    fn from(fault: TicketFault) -> Self {
        Self::stated(Code::InvalidArgument, fault.to_string())
    }
}

/// Checks a ticket against its schema: the status, and every field that the
/// schema has. Further fields of the ticket are not looked at.
///
/// # Errors
/// The first fault; fields come in the order of their ids.
///
/// ```
/// use baton_connector::{check_ticket, v2};
///
/// let schema = v2::TicketSchema::default();
/// assert!(check_ticket(&schema, &v2::Ticket::default()).is_ok());
/// ```
pub fn check_ticket(schema: &v2::TicketSchema, ticket: &v2::Ticket) -> Result<(), TicketFault> {
    if let Some(status) = &ticket.status
        && !schema.statuses.iter().any(|known| known.id == status.id)
    {
        let id = status.id.clone();
        return Err(TicketFault::Status { id });
    }
    let fields: std::collections::BTreeMap<_, _> = schema.custom_fields.iter().collect();
    for (id, wanted) in fields {
        check_field(id, wanted, ticket.custom_fields.get(id))?;
    }
    Ok(())
}

fn check_field(
    id: &str,
    wanted: &v2::TicketCustomField,
    given: Option<&v2::TicketCustomField>,
) -> Result<(), TicketFault> {
    let id = id.to_owned();
    let Some(kind) = &wanted.value else {
        return Err(TicketFault::Schema { id });
    };
    let Some(given) = given else {
        return if wanted.required {
            Err(TicketFault::Missing { id })
        } else {
            Ok(())
        };
    };
    let Some(value) = &given.value else {
        return Err(TicketFault::Kind { id });
    };
    let chosen = match chosen(kind, value) {
        Chosen::OtherKind => return Err(TicketFault::Kind { id }),
        Chosen::Free { is_given } => {
            return if wanted.required && !is_given {
                Err(TicketFault::Missing { id })
            } else {
                Ok(())
            };
        }
        Chosen::Of(chosen) => chosen,
    };
    if chosen.values.is_empty() {
        return if wanted.required {
            Err(TicketFault::Missing { id })
        } else {
            Ok(())
        };
    }
    if chosen.allowed.is_empty() {
        return Err(TicketFault::NothingAllowed { id });
    }
    let mut values = chosen.values.into_iter();
    match values.find(|value| !chosen.allowed.contains(value)) {
        Some(value) => Err(TicketFault::NotAllowed {
            id,
            value: value.to_owned(),
        }),
        None => Ok(()),
    }
}

/// The values of a choice, and what may be chosen.
struct Choice<'f> {
    values: Vec<&'f str>,
    allowed: BTreeSet<&'f str>,
}

/// What a field holds.
enum Chosen<'f> {
    /// It is of another kind than the schema has.
    OtherKind,
    /// Any value is allowed.
    Free { is_given: bool },
    /// Only some values are allowed.
    Of(Choice<'f>),
}

fn texts(values: &[String]) -> impl Iterator<Item = &str> {
    values.iter().map(String::as_str)
}

fn ids(values: &[v2::TicketCustomFieldObjectValue]) -> impl Iterator<Item = &str> {
    values.iter().map(|value| value.id.as_str())
}

/// The given value if there is one, else the default.
fn or<'f>(given: &'f str, default: &'f str) -> Vec<&'f str> {
    let text = if given.is_empty() { default } else { given };
    if text.is_empty() {
        Vec::new()
    } else {
        vec![text]
    }
}

fn chosen<'f>(schema: &'f Value, given: &'f Value) -> Chosen<'f> {
    let free = |is_given| Chosen::Free { is_given };
    match (schema, given) {
        (Value::StringValue(_), Value::StringValue(text)) => {
            free(!text.value.is_empty() || !text.default_value.is_empty())
        }
        (Value::StringValues(_), Value::StringValues(list)) => {
            free(!list.values.is_empty() || !list.default_values.is_empty())
        }
        // A truth value is always there, and a number may be absent.
        (Value::BoolValue(_), Value::BoolValue(_))
        | (Value::NumberValue(_), Value::NumberValue(_)) => free(true),
        (Value::TimestampValue(_), Value::TimestampValue(time)) => {
            free(time.value.is_some() || time.default_value.is_some())
        }
        (Value::PickStringValue(schema), Value::PickStringValue(given)) => Chosen::Of(Choice {
            values: or(&given.value, &given.default_value),
            allowed: texts(&schema.allowed_values).collect(),
        }),
        (Value::PickMultipleStringValues(schema), Value::PickMultipleStringValues(given)) => {
            let values = if given.values.is_empty() {
                &given.default_values
            } else {
                &given.values
            };
            Chosen::Of(Choice {
                values: texts(values).collect(),
                allowed: texts(&schema.allowed_values).collect(),
            })
        }
        (Value::PickObjectValue(schema), Value::PickObjectValue(given)) => {
            let id = |object: &'f Option<v2::TicketCustomFieldObjectValue>| {
                object.as_ref().map_or("", |object| object.id.as_str())
            };
            Chosen::Of(Choice {
                values: or(id(&given.value), id(&given.default_value)),
                allowed: ids(&schema.allowed_values).collect(),
            })
        }
        (Value::PickMultipleObjectValues(schema), Value::PickMultipleObjectValues(given)) => {
            // The default is the schema's, as in the Go SDK.
            let values = if given.values.is_empty() {
                &schema.default_values
            } else {
                &given.values
            };
            Chosen::Of(Choice {
                values: ids(values).collect(),
                allowed: ids(&schema.allowed_values).collect(),
            })
        }
        _ => Chosen::OtherKind,
    }
}
