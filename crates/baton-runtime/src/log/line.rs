//! One log line in its two forms (connector CLI specification, §6).

use std::fmt::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use baton_otel::{LogLine, Severity, TraceIds};
use baton_proto::causes;
use baton_term::TextGate;
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

/// Everything a line is made of.
pub(super) struct Record {
    level: Level,
    at: SystemTime,
    caller: String,
    message: String,
    fields: Map<String, Value>,
    /// Ids of the spans around the event, which sentences leave out.
    ids: Map<String, Value>,
    /// The event as a sentence for people, from the field `words`, which log lines leave out.
    words: Option<String>,
}

impl Record {
    /// Message and fields pass the gate here, once for both forms.
    pub(super) fn of(
        event: &Event<'_>,
        ids: Map<String, Value>,
        at: SystemTime,
        gate: &TextGate,
    ) -> Self {
        let metadata = event.metadata();
        let mut record = Self {
            level: *metadata.level(),
            at,
            caller: caller(metadata.target(), metadata.file(), metadata.line()),
            message: String::new(),
            fields: Map::new(),
            ids,
            words: None,
        };
        event.record(&mut record);
        record.message = gate.pass(&record.message).into_owned();
        for value in record.fields.values_mut() {
            if let Value::String(text) = value {
                *text = gate.pass_json(text).into_owned();
            }
        }
        record
    }

    /// One object: `level`, `ts`, `caller`, `msg`, then the fields.
    pub(super) fn json(&self) -> String {
        let mut object = Map::new();
        object.insert("level".to_owned(), json!(level_word(self.level)));
        object.insert("ts".to_owned(), json!(unix_seconds(self.at)));
        object.insert("caller".to_owned(), json!(self.caller));
        object.insert("msg".to_owned(), json!(self.message));
        object.extend(self.all_fields());
        Value::Object(object).to_string()
    }

    /// Tab separated: time, LEVEL, caller, message, then the fields as one object.
    pub(super) fn console(&self, coloured: bool) -> String {
        let level = level_word(self.level).to_ascii_uppercase();
        let (on, off) = if coloured {
            (colour(self.level), "\x1b[0m")
        } else {
            ("", "")
        };
        let mut line = format!(
            "{}\t{on}{level}{off}\t{}\t{}",
            iso_time(self.at),
            self.caller,
            self.message
        );
        let fields = self.all_fields();
        if !fields.is_empty() {
            // Writing to a string cannot fail.
            let _ = write!(line, "\t{}", Value::Object(fields));
        }
        line
    }

    /// The line for an export.
    pub(super) fn exported(&self, severity: Severity, span: Option<TraceIds>) -> LogLine {
        LogLine {
            at: self.at,
            severity,
            caller: self.caller.clone(),
            message: self.message.clone(),
            fields: self.all_fields(),
            span,
        }
    }

    /// The fields of the event, then the ids that are not among them.
    fn all_fields(&self) -> Map<String, Value> {
        let mut all = self.fields.clone();
        for (name, value) in &self.ids {
            all.entry(name.as_str()).or_insert_with(|| value.clone());
        }
        all
    }

    /// The event for people: its words, or its message with its fields. The reason comes last.
    pub(super) fn sentence(&self) -> String {
        if let Some(words) = &self.words {
            return words.clone();
        }
        let mut text = self.message.clone();
        let shown = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let facts: Vec<String> = self
            .fields
            .iter()
            .filter(|(key, _)| *key != "reason")
            .map(|(key, value)| format!("{} {}", key.replace('_', " "), shown(value)))
            .collect();
        if !facts.is_empty() {
            let _ = write!(text, " ({})", facts.join(", "));
        }
        if let Some(reason) = self.fields.get("reason") {
            let _ = write!(text, ": {}", shown(reason));
        }
        text
    }

    fn put(&mut self, field: &Field, value: Value) {
        if field.name() == "words" {
            self.words = value.as_str().map(ToOwned::to_owned);
        } else if field.name() == "message" {
            self.message = match value {
                Value::String(text) => text,
                other => other.to_string(),
            };
        } else {
            self.fields.insert(field.name().to_owned(), value);
        }
    }
}

impl Visit for Record {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, json!(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, json!(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, json!(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, json!(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put(field, json!(causes::one_line(value)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, json!(format!("{value:?}")));
    }
}

fn level_word(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG | Level::TRACE => "debug",
    }
}

fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[34m",
        Level::DEBUG | Level::TRACE => "\x1b[35m",
    }
}

/// Folder, file and line. The folder of a package's top files is always `src`, which means
/// nothing; there the package's own name is used.
fn caller(target: &str, file: Option<&str>, line: Option<u32>) -> String {
    let mut parts = file.unwrap_or("unknown").rsplit(['/', '\\']);
    let name = parts.next().unwrap_or("unknown");
    let package = || target.split("::").next().unwrap_or_default();
    let folder = match parts.next() {
        None | Some("" | "src") => package(),
        Some(folder) => folder,
    };
    format!("{folder}/{name}:{}", line.unwrap_or(0))
}

fn since_epoch_us(at: SystemTime) -> i64 {
    let micros = match at.duration_since(UNIX_EPOCH) {
        Ok(after) => i128::try_from(after.as_micros()),
        Err(before) => i128::try_from(before.duration().as_micros()).map(|micros| -micros),
    };
    micros
        .ok()
        .and_then(|micros| i64::try_from(micros).ok())
        .unwrap_or(i64::MAX)
}

/// Unix seconds with fraction. Microseconds of our time fit into a double without loss.
#[allow(clippy::cast_precision_loss, reason = "exact up to the year 2255")]
fn unix_seconds(at: SystemTime) -> f64 {
    since_epoch_us(at) as f64 / 1e6
}

/// ISO 8601 in UTC with milliseconds: independent of the machine's zone, as tests want it.
fn iso_time(at: SystemTime) -> String {
    match jiff::Timestamp::from_microsecond(since_epoch_us(at)) {
        Ok(stamp) => format!("{stamp:.3}"),
        Err(_) => "out-of-range".to_owned(),
    }
}
