//! For each rule that a request can reach: the smallest valid request that
//! reaches it passes, and the same request with this rule broken is refused with
//! the text of the rule, through every message above it.

use std::collections::{BTreeMap, VecDeque};

use baton_proto::wire;

use super::super::table::{Field, Kind, MESSAGES, Message, Oneof, Shape};
use crate::check_request;

const RULES: &str = include_str!("../rules.tsv");
const INNER: &str = "embedded message failed validation | caused by: ";

/// `name=value` pairs of a list of rules.
type Clauses = BTreeMap<&'static str, &'static str>;

fn clauses(text: &'static str) -> Clauses {
    let parts = text.split("; ").filter(|part| !part.is_empty());
    parts.map(|part| part.split_once('=').unwrap()).collect()
}

/// The rules of a field: its own, those of keys and those of items.
fn rules_of(message: &Message, field: &str) -> [Clauses; 3] {
    let rows = RULES.lines().map(|line| line.splitn(3, '\t'));
    let text = rows
        .filter_map(|mut row| Some((row.next()?, row.next()?, row.next()?)))
        .find(|(name, declared, _)| {
            *name == message.name && declared.replace('_', "") == field.to_lowercase()
        })
        .map_or("", |(_, _, text)| text);
    let nested = |name: &str| {
        let inner = text.split_once(name).map_or("", |(_, rest)| rest);
        clauses(inner.split_once(')').map_or("", |(inner, _)| inner))
    };
    let items = match nested("each_value(") {
        items if items.is_empty() => nested("each("),
        items => items,
    };
    if text.is_empty() {
        return Default::default();
    }
    let own = text.split("; each").next().unwrap();
    let own = if own.starts_with("each") { "" } else { own };
    [clauses(own), nested("each_key("), items]
}

fn clauses_number(clauses: &Clauses, name: &str) -> Option<i64> {
    clauses.get(name)?.trim_end_matches('s').parse().ok()
}

/// A value of one field, as it is encoded.
#[derive(Clone)]
enum Value {
    Number(i64),
    Bytes(Vec<u8>),
}

impl Value {
    fn text(text: &str) -> Self {
        Self::Bytes(text.into())
    }

    fn put(&self, out: &mut Vec<u8>, number: u32) {
        match self {
            Self::Number(value) => wire::put_varint(out, number, value.cast_unsigned()),
            Self::Bytes(bytes) => wire::put_bytes(out, number, bytes),
        }
    }
}

fn duration(seconds: i64) -> Value {
    let duration = prost_types::Duration { seconds, nanos: 0 };
    Value::Bytes(prost::Message::encode_to_vec(&duration))
}

/// The smallest value that breaks none of the rules.
fn valid(kind: Kind, rules: &Clauses) -> Value {
    let number = |name| clauses_number(rules, name);
    match kind {
        Kind::Message(inner) => Value::Bytes(smallest(inner, None)),
        Kind::Duration => duration(0),
        Kind::Uint32 | Kind::Int64 => {
            let above = number("gt").map(|low| low + 1);
            Value::Number(number("gte").or(above).unwrap_or(0))
        }
        Kind::Enum(_) => Value::Number(0),
        Kind::Opaque => Value::Bytes(Vec::new()),
        Kind::Text | Kind::Bytes if rules.contains_key("pattern") => Value::text(&"a".repeat(27)),
        Kind::Text if rules.contains_key("email") => Value::text("a@b.c"),
        Kind::Text if rules.contains_key("prefix") => Value::text("https://a.b"),
        Kind::Text | Kind::Bytes => {
            let least = number("min_bytes").or(number("min_len")).or(number("len"));
            Value::text(&"x".repeat(usize::try_from(least.unwrap_or(0)).unwrap()))
        }
    }
}

/// Encodes `value` as the field, or as one item or pair of it.
fn put(out: &mut Vec<u8>, field: &Field, key: &[u8], value: &Value) {
    if field.shape == Shape::Map {
        let mut entry = Vec::new();
        wire::put_bytes(&mut entry, 1, key);
        value.put(&mut entry, 2);
        wire::put_bytes(out, field.number, &entry);
    } else {
        value.put(out, field.number);
    }
}

/// The smallest valid message, without the field of a number, and of its oneof.
fn smallest(message: &'static Message, without: Option<&Field>) -> Vec<u8> {
    let mut out = Vec::new();
    let oneof_at = |at: usize| message.oneofs.get(at).map(|oneof: &Oneof| oneof.required);
    let mut set: Vec<usize> = without.and_then(|field| field.oneof).into_iter().collect();
    for field in message.fields {
        if without.is_some_and(|without| without.number == field.number) {
            continue;
        }
        let [rules, _, items] = rules_of(message, field.name);
        let wanted = match field.oneof {
            Some(at) => oneof_at(at) == Some(true) && !set.contains(&at),
            None if field.shape == Shape::One => {
                !rules.is_empty() && !rules.contains_key("ignore_empty")
            }
            None => rules.contains_key("min_items") || rules.contains_key("min_pairs"),
        };
        if wanted {
            set.extend(field.oneof);
            let rules = if field.shape == Shape::One {
                rules
            } else {
                items
            };
            put(&mut out, field, b"k", &valid(field.kind, &rules));
        }
    }
    out
}

/// Ways to break one rule: the encoded field, where in the field the rule is
/// broken, and the reason.
fn broken(message: &'static Message, field: &Field) -> Vec<(Vec<u8>, String, String)> {
    let [rules, keys, items] = rules_of(message, field.name);
    let mut ways = Vec::new();
    let encoded = |key: &[u8], value: &Value| {
        let mut out = Vec::new();
        put(&mut out, field, key, value);
        out
    };
    let bytes = matches!(field.kind, Kind::Bytes);
    if field.shape == Shape::One {
        if rules.contains_key("message.required") {
            ways.push((Vec::new(), String::new(), "value is required".into()));
        }
        for (value, reason) in broken_values(&rules, bytes) {
            ways.push((encoded(b"", &value), String::new(), reason));
        }
        return ways;
    }
    let item = valid(field.kind, &items);
    for (value, reason) in broken_values(&items, bytes) {
        let place = if field.shape == Shape::Map {
            "[k]"
        } else {
            "[0]"
        };
        ways.push((encoded(b"k", &value), place.into(), reason));
    }
    for (key, reason) in broken_values(&keys, false) {
        let Value::Bytes(key) = key else {
            panic!("a key that is not a string");
        };
        let place = format!("[{}]", String::from_utf8(key.clone()).unwrap());
        ways.push((encoded(&key, &item), place, reason));
    }
    if rules.contains_key("unique") {
        let twice = encoded(b"", &item).repeat(2);
        let reason = "repeated value must contain unique items";
        ways.push((twice, "[1]".into(), reason.into()));
    }
    for (noun, singular) in [("items", "item(s)"), ("pairs", "pair(s)")] {
        let min = clauses_number(&rules, &format!("min_{noun}"));
        let max = clauses_number(&rules, &format!("max_{noun}"));
        let reason = match (min, max) {
            (Some(min), Some(max)) => {
                format!("value must contain between {min} and {max} {noun}, inclusive")
            }
            (Some(min), None) => format!("value must contain at least {min} {singular}"),
            (None, Some(max)) => format!("value must contain no more than {max} {singular}"),
            (None, None) => continue,
        };
        if min.is_some() {
            ways.push((Vec::new(), String::new(), reason.clone()));
        }
        if let Some(max) = max {
            let many = (0..=max).map(|at| encoded(format!("k{at}").as_bytes(), &item));
            ways.push((many.flatten().collect(), String::new(), reason));
        }
    }
    ways
}

/// Values that break one rule each, with the reasons.
fn broken_values(rules: &Clauses, bytes: bool) -> Vec<(Value, String)> {
    let mut ways = Vec::new();
    let number = |name: &str| clauses_number(rules, name);
    let text = |length: i64| Value::text(&"x".repeat(usize::try_from(length).unwrap()));
    let bytes_noun = if bytes { "bytes" } else { "runes" };
    for (suffix, noun) in [("bytes", "bytes"), ("len", bytes_noun)] {
        let min = number(&format!("min_{suffix}"));
        let max = number(&format!("max_{suffix}"));
        let reason = match (min, max) {
            (Some(min), Some(max)) => {
                format!("value length must be between {min} and {max} {noun}, inclusive")
            }
            (Some(min), None) => format!("value length must be at least {min} {noun}"),
            (None, Some(max)) => format!("value length must be at most {max} {noun}"),
            (None, None) => continue,
        };
        if let Some(min) = min.filter(|min| *min > 0 && !rules.contains_key("ignore_empty")) {
            ways.push((text(min - 1), reason.clone()));
        }
        if let Some(max) = max {
            ways.push((text(max + 1), reason));
        }
    }
    if let Some(length) = number("len") {
        let reason = format!("value length must be {length} bytes");
        ways.push((text(length - 1), reason.clone()));
        ways.push((text(length + 1), reason));
    }
    if let Some(high) = number("lte") {
        let seconds = rules["lte"].ends_with('s');
        let value = |number| {
            if seconds {
                duration(number)
            } else {
                Value::Number(number)
            }
        };
        let low = number("gte").or(number("gt"));
        let reason = match low {
            Some(_) if seconds => "value must be inside range [0s, 24h0m0s]".to_owned(),
            Some(low) if rules.contains_key("gt") => {
                format!("value must be inside range ({low}, {high}]")
            }
            Some(low) => format!("value must be inside range [{low}, {high}]"),
            None => format!("value must be less than or equal to {high}"),
        };
        if let Some(low) = low {
            let below = if rules.contains_key("gt") {
                low
            } else {
                low - 1
            };
            ways.push((value(below), reason.clone()));
        }
        ways.push((value(high + 1), reason));
    }
    if let Some(prefix) = rules.get("prefix") {
        let reason = format!("value does not have prefix \"{prefix}\"");
        ways.push((Value::text("http://a"), reason));
    }
    // One pattern matches every text: its second alternative is empty.
    if let Some(pattern) = rules.get("pattern").filter(|p| !p.ends_with("|$")) {
        let reason = format!("value does not match regex pattern \"{pattern}\"");
        ways.push((Value::text("!"), reason));
    }
    if rules.contains_key("defined_only") {
        let reason = "value must be one of the defined enum values";
        ways.push((Value::Number(99), reason.into()));
    }
    if rules.contains_key("email") {
        let cause = "mail: missing '@' or angle-addr";
        let reason = format!("value must be a valid email address | caused by: {cause}");
        ways.push((Value::text("x"), reason));
    }
    if rules.contains_key("uri") {
        let cause = "parse \"https://a%\": invalid URL escape \"%\"";
        let reason = format!("value must be a valid URI | caused by: {cause}");
        ways.push((Value::text("https://a%"), reason));
    }
    ways
}

/// A message that a request reaches, and how.
#[derive(Clone)]
struct Path {
    request: &'static Message,
    message: &'static Message,
    /// Each message above with the field that leads down.
    steps: Vec<(&'static Message, &'static Field)>,
}

impl Path {
    /// The request whose message at the end of the path is `inner`.
    fn request_with(&self, inner: Vec<u8>) -> Vec<u8> {
        self.steps
            .iter()
            .rev()
            .fold(inner, |inner, (above, field)| {
                let mut out = smallest(above, Some(field));
                put(&mut out, field, b"k", &Value::Bytes(inner));
                out
            })
    }

    /// The text of a refusal at the end of the path.
    fn text(&self, field: &str, place: &str, reason: &str) -> String {
        let steps = self.steps.iter().map(|(above, field)| {
            let index = if field.shape == Shape::List {
                "[0]"
            } else {
                ""
            };
            format!("invalid {}.{}{index}: {INNER}", above.short, field.name)
        });
        let above: String = steps.collect();
        format!(
            "{above}invalid {}.{field}{place}: {reason}",
            self.message.short
        )
    }
}

/// The shortest path to each message with rules.
fn paths() -> Vec<Path> {
    let methods = baton_proto::services()
        .iter()
        .flat_map(|service| &service.methods);
    let requests: Vec<&str> = methods.map(|method| method.request.as_str()).collect();
    let roots = MESSAGES
        .iter()
        .filter(|message| requests.contains(&message.name));
    let mut open: VecDeque<Path> = roots
        .map(|root| Path {
            request: root,
            message: root,
            steps: Vec::new(),
        })
        .collect();
    let mut paths: BTreeMap<&str, Path> = BTreeMap::new();
    while let Some(path) = open.pop_front() {
        if paths.contains_key(path.message.name) {
            continue;
        }
        for field in path.message.fields {
            if let Kind::Message(inner) = field.kind {
                let mut below = path.clone();
                below.steps.push((path.message, field));
                below.message = inner;
                open.push_back(below);
            }
        }
        paths.insert(path.message.name, path);
    }
    paths.into_values().collect()
}

#[test]
fn each_rule_that_a_request_breaks_has_its_own_text() {
    let (mut rules, mut refused) = (0, 0);
    let paths = paths();
    assert_eq!(paths.len(), MESSAGES.len());
    for path in &paths {
        let valid = path.request_with(smallest(path.message, None));
        let name = path.message.name;
        assert_eq!(check_request(path.request.name, &valid), Ok(()), "{name}");
        for field in path.message.fields {
            let ways = broken(path.message, field);
            rules += usize::from(!ways.is_empty());
            for (encoded, place, reason) in ways {
                let mut inner = smallest(path.message, Some(field));
                inner.extend(encoded);
                let expected = path.text(field.name, &place, &reason);
                let request = path.request_with(inner);
                let result = check_request(path.request.name, &request);
                assert_eq!(result, Err(expected), "{name}.{}", field.name);
                refused += 1;
            }
        }
        for (at, oneof) in path.message.oneofs.iter().enumerate() {
            let Some(arm) = path
                .message
                .fields
                .iter()
                .find(|field| field.oneof == Some(at))
            else {
                continue;
            };
            let request = path.request_with(smallest(path.message, Some(arm)));
            let result = check_request(path.request.name, &request);
            let mut expected = Ok(());
            if oneof.required {
                expected = Err(path.text(oneof.name, "", "value is required"));
            }
            rules += usize::from(oneof.required);
            assert_eq!(result, expected, "{name}.{}", oneof.name);
        }
    }
    // All rows of the table but the pattern that matches every text.
    assert_eq!(rules, RULES.lines().count() - 2);
    assert_eq!(refused, 167);
}
