//! The rules of requests (`service-mode.md` §4.10): checked on the encoded
//! message, in the order and with the texts of the Go SDK.
//!
//! The rules are data (`rules.tsv`), which the build script joins with the
//! descriptor set. A check enters sub-messages, items of lists, values of maps and
//! the arm of a oneof, but not `google.protobuf.Any`, `Struct` and the like.

mod email;
mod fields;
mod quote;
mod reason;
mod table;
mod uri;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt;

use fields::{Content, Item};
use reason::{Reason, check_count, check_value};
use table::{Field, Kind, MESSAGES, Message, Rule};

/// Deepest nesting that is entered. Decoders refuse what is deeper.
const MAX_DEPTH: usize = 100;

/// Checks the rules of a request. `request` is its full name, and `message` its
/// encoded form, which the caller has decoded before: what is not a message
/// breaks no rule. The error is the text of the first broken rule.
pub fn check(request: &str, message: &[u8]) -> Result<(), String> {
    match MESSAGES.binary_search_by_key(&request, |known| known.name) {
        Ok(at) => MESSAGES
            .get(at)
            .map_or(Ok(()), |known| check_message(known, message, 0)),
        Err(_) => Ok(()),
    }
}

fn check_message(message: &Message, bytes: &[u8], depth: usize) -> Result<(), String> {
    if depth >= MAX_DEPTH {
        return Ok(());
    }
    let Some(contents) = fields::read(message, bytes) else {
        return Ok(());
    };
    // Plain fields come first, then the oneofs.
    let members = || message.fields.iter().zip(&contents);
    for (field, content) in members().filter(|(field, _)| field.oneof.is_none()) {
        check_field(message, field, content, depth)?;
    }
    for (at, oneof) in message.oneofs.iter().enumerate() {
        let mut arms = members().filter(|(field, _)| field.oneof == Some(at));
        let set = arms.find(|(_, content)| matches!(content, Content::One(Some(_))));
        match set {
            Some((field, content)) => check_field(message, field, content, depth)?,
            None if oneof.required => {
                let reason = Reason::new("value is required");
                return Err(violation(message, oneof.name, reason));
            }
            None => {}
        }
    }
    Ok(())
}

fn check_field(
    message: &Message,
    field: &Field,
    content: &Content<'_>,
    depth: usize,
) -> Result<(), String> {
    if field.ignore_empty && is_empty(content) {
        return Ok(());
    }
    let here = |reason| violation(message, field.name, reason);
    let at = |place: &dyn fmt::Display, reason| {
        violation(message, &format!("{}[{place}]", field.name), reason)
    };
    match content {
        Content::One(item) => check_one(field, item.as_ref(), depth).map_err(here),
        Content::List(list) => {
            for rule in field.rules {
                check_count(*rule, list.len()).map_err(here)?;
            }
            let unique = field.rules.iter().any(|rule| matches!(rule, Rule::Unique));
            let mut seen = HashSet::new();
            for (index, item) in list.items(field.kind).enumerate() {
                if unique && !seen.insert(item.clone()) {
                    let reason = Reason::new("repeated value must contain unique items");
                    return Err(at(&index, reason));
                }
                check_item(field.items, field.kind, &item, depth)
                    .map_err(|reason| at(&index, reason))?;
            }
            Ok(())
        }
        Content::Map(pairs) => {
            for rule in field.rules {
                check_count(*rule, pairs.len()).map_err(here)?;
            }
            for (key, value) in pairs {
                let key = Item::Bytes(key.as_ref().into());
                check_item(field.keys, Kind::Text, &key, depth)
                    .and_then(|()| check_item(field.items, field.kind, value, depth))
                    .map_err(|reason| at(&String::from_utf8_lossy(key.bytes()), reason))?;
            }
            Ok(())
        }
    }
}

/// A field that occurs once. One that is not there has its default value, unless
/// it is a message.
fn check_one(field: &Field, item: Option<&Item<'_>>, depth: usize) -> Result<(), Reason> {
    let message = matches!(field.kind, Kind::Message(_) | Kind::Duration | Kind::Opaque);
    match item {
        Some(item) => check_item(field.rules, field.kind, item, depth),
        None if message => {
            let required = field
                .rules
                .iter()
                .any(|rule| matches!(rule, Rule::Required));
            if required {
                Err(Reason::new("value is required"))
            } else {
                Ok(())
            }
        }
        None => check_item(field.rules, field.kind, &fields::default(field.kind), depth),
    }
}

/// The rules of one value, then those of the message that it is.
fn check_item(rules: &[Rule], kind: Kind, item: &Item<'_>, depth: usize) -> Result<(), Reason> {
    for rule in rules {
        check_value(*rule, kind, item)?;
    }
    match kind {
        Kind::Message(inner) => check_message(inner, item.bytes(), depth + 1)
            .map_err(|inner| Reason::caused_by("embedded message failed validation", inner)),
        _ => Ok(()),
    }
}

fn is_empty(content: &Content<'_>) -> bool {
    match content {
        Content::One(None) => true,
        Content::One(Some(item)) => item.bytes().is_empty() && item.number() == 0,
        Content::List(list) => list.len() == 0,
        Content::Map(pairs) => pairs.is_empty(),
    }
}

fn violation(message: &Message, field: &str, reason: Reason) -> String {
    let Reason { text, cause } = reason;
    let cause = cause.map(|cause| format!(" | caused by: {cause}"));
    let cause = cause.unwrap_or_default();
    format!("invalid {}.{field}: {text}{cause}", message.short)
}
