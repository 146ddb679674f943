//! What a finished sync stores as its syncer's state (sync-runtime
//! specification §1.3, §8.3).

use serde_json::{Map, Value, json};

use super::Counts;
use crate::row::Table;
use crate::run::SyncRun;

/// There is nothing left to do.
pub(super) const DONE: &str = r#"{"version":1}"#;
/// Inputs that are named; all are counted.
const MAX_NAMED: usize = 32;
/// Maps of numbers and of call counts that are added up.
const TIMINGS: [&str; 3] = [
    "step_durations_ms",
    "connector_call_stats",
    "session_store_stats",
];
/// Keys that mean to a syncer that something is left to do.
const UNDONE: [&str; 4] = [
    "actions_map",
    "action_order",
    "needs_expansion",
    "entitlement_graph",
];
/// Of this the greatest counts, everything else is added up.
const GREATEST: &str = "max_ms";

/// The state of a compacted sync of format v3. Where the base was folded into,
/// it begins with the base's state, and timings are added up.
pub(super) fn compacted(mode: &str, fold: bool, runs: &[&SyncRun], counts: &Counts) -> String {
    let mut token = Map::new();
    let (base, others) = runs.split_first().map_or(("", runs), |(base, others)| {
        if fold {
            token = read(&base.sync_token);
        }
        (base.id.as_str(), others)
    });
    for key in UNDONE {
        token.remove(key);
    }
    if fold {
        for other in others {
            let other = read(&other.sync_token);
            for key in TIMINGS {
                if let Some(theirs) = other.get(key) {
                    add(token.entry(key).or_insert_with(|| json!({})), theirs);
                }
            }
        }
    }
    let names: Vec<&str> = others
        .iter()
        .take(MAX_NAMED)
        .map(|run| run.id.as_str())
        .collect();
    token.insert(
        "compaction".to_owned(),
        json!({
            "mode": mode,
            "stats_sync_id": base,
            "base_sync_id": base,
            "partial_sync_ids": names,
            "partial_count": others.len(),
            "record_counts": record_counts(counts),
        }),
    );
    token.entry("version").or_insert_with(|| json!(1));
    Value::Object(token).to_string()
}

/// An object of a state, or an empty one if it is none.
fn read(token: &str) -> Map<String, Value> {
    serde_json::from_str(token).unwrap_or_default()
}

fn record_counts(counts: &Counts) -> Value {
    let mut all = Map::new();
    for (table, counts) in Table::ALL.into_iter().zip(&counts.tables) {
        let numbers = [
            ("output", counts.output),
            ("added", counts.added),
            ("replaced", counts.replaced),
            ("carried", counts.carried),
        ];
        let numbers = numbers.into_iter().filter(|(_, number)| *number > 0);
        let numbers: Map<String, Value> = numbers
            .map(|(name, number)| (name.to_owned(), json!(number)))
            .collect();
        if !numbers.is_empty() {
            all.insert(table.name().to_owned(), Value::Object(numbers));
        }
    }
    Value::Object(all)
}

/// Adds numbers, and in objects what has the same name.
fn add(to: &mut Value, from: &Value) {
    match (to, from) {
        (Value::Object(to), Value::Object(from)) => {
            for (key, from) in from {
                match to.get_mut(key) {
                    None => {
                        to.insert(key.clone(), from.clone());
                    }
                    Some(to) if key == GREATEST => {
                        *to = json!(to.as_i64().max(from.as_i64()).unwrap_or(0));
                    }
                    Some(to) => add(to, from),
                }
            }
        }
        (to, from) => {
            if let (Some(a), Some(b)) = (to.as_i64(), from.as_i64()) {
                *to = json!(a.saturating_add(b));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(id: &str, token: &str) -> SyncRun {
        SyncRun {
            id: id.into(),
            sync_token: token.into(),
            ..SyncRun::default()
        }
    }

    #[test]
    fn a_fold_begins_with_the_bases_state_and_adds_timings_up() {
        let base = run(
            "base",
            r#"{"done":true,"actions_map":{"1":{}},"step_durations_ms":{"a":5},
                "connector_call_stats":{"List":{"count":1,"max_ms":9,"total_ms":9}}}"#,
        );
        let other = run(
            "other",
            r#"{"step_durations_ms":{"a":2,"b":3},
                "connector_call_stats":{"List":{"count":2,"max_ms":4,"total_ms":6}}}"#,
        );
        let text = compacted("fold", true, &[&base, &other], &Counts::default());
        let token: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(token["done"], json!(true));
        assert_eq!(token["actions_map"], Value::Null);
        assert_eq!(token["step_durations_ms"], json!({"a": 7, "b": 3}));
        let calls = json!({"List": {"count": 3, "max_ms": 9, "total_ms": 15}});
        assert_eq!(token["connector_call_stats"], calls);
        assert_eq!(token["compaction"]["partial_sync_ids"], json!(["other"]));
        assert_eq!(token["version"], json!(1));
    }

    #[test]
    fn a_rebuild_begins_empty_and_names_at_most_32_inputs() {
        let runs: Vec<SyncRun> = (0..40)
            .map(|n| run(&n.to_string(), r#"{"step_durations_ms":{"a":5}}"#))
            .collect();
        let runs: Vec<&SyncRun> = runs.iter().collect();
        let mut counts = Counts::default();
        counts.add(Table::Grants, true, false);
        counts.add(Table::Grants, false, false);
        let text = compacted("overlay", false, &runs, &counts);
        let token: Value = serde_json::from_str(&text).expect("JSON");
        let compaction = &token["compaction"];
        assert_eq!(token["step_durations_ms"], Value::Null);
        assert_eq!(
            compaction["partial_sync_ids"].as_array().map(Vec::len),
            Some(32)
        );
        assert_eq!(compaction["partial_count"], json!(39));
        let grants = json!({"grants": {"output": 2, "added": 1, "replaced": 1}});
        assert_eq!(compaction["record_counts"], grants);
    }

    #[test]
    fn a_state_that_is_no_object_counts_as_empty() {
        for token in ["", "null", "[1]", "{"] {
            let text = compacted("fold", true, &[&run("b", token)], &Counts::default());
            assert!(text.contains("compaction"), "{text}");
        }
    }
}
