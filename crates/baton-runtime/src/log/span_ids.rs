//! What log lines take from the spans around them: the task and the sync that they belong to.

use std::fmt;

use baton_term::TextGate;
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record as Values};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Fields of spans that log lines repeat.
const NAMES: [&str; 3] = ["task_id", "task_type", "sync_id"];

/// Those of one span.
#[derive(Default)]
struct SpanIds(Map<String, Value>);

/// Whether a span has such a field.
pub(super) fn has_some(metadata: &Metadata<'_>) -> bool {
    let fields = metadata.fields();
    NAMES.iter().any(|name| fields.field(name).is_some())
}

/// Keeps those that a new span begins with.
pub(super) fn keep_new<S>(
    attributes: &Attributes<'_>,
    id: &Id,
    cx: &Context<'_, S>,
    gate: &TextGate,
) where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    keep(id, cx, gate, |visitor| attributes.record(visitor));
}

/// Keeps those that a span gets later.
pub(super) fn keep_more<S>(values: &Values<'_>, id: &Id, cx: &Context<'_, S>, gate: &TextGate)
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    keep(id, cx, gate, |visitor| values.record(visitor));
}

fn keep<S>(id: &Id, cx: &Context<'_, S>, gate: &TextGate, record: impl FnOnce(&mut Visitor<'_>))
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let Some(span) = cx.span(id) else { return };
    let mut found = Map::new();
    record(&mut Visitor {
        found: &mut found,
        gate,
    });
    let mut extensions = span.extensions_mut();
    match extensions.get_mut::<SpanIds>() {
        Some(kept) => kept.0.extend(found),
        None => extensions.insert(SpanIds(found)),
    }
}

/// Those of the spans around an event; the innermost span counts.
pub(super) fn around<S>(event: &Event<'_>, cx: &Context<'_, S>) -> Map<String, Value>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let mut all = Map::new();
    for span in cx.event_scope(event).into_iter().flatten() {
        if let Some(ids) = span.extensions().get::<SpanIds>() {
            for (name, value) in &ids.0 {
                all.entry(name.as_str()).or_insert_with(|| value.clone());
            }
        }
    }
    all
}

struct Visitor<'v> {
    found: &'v mut Map<String, Value>,
    gate: &'v TextGate,
}

impl Visit for Visitor<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if NAMES.contains(&field.name()) {
            let value = json!(self.gate.pass_json(value));
            self.found.insert(field.name().to_owned(), value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}
