//! Undoes an expansion (sync-runtime specification §4.7, c1z specification
//! §3.6): derived grants are deleted, grants of a connector stay, and the sync
//! needs an expansion again.
//!
//! What happens to a grant follows from its [`Origin`].

use std::ops::ControlFlow;
use std::path::Path;

use serde_json::{Map, Value as Json, json};

use crate::envelope::{Detected, detect};
use crate::error::{Error, Result};
use crate::grant_origin::{Origin, origin_of, unreadable};
use crate::maintain::{RewriteOptions, must_not_exist};
use crate::row::{Filter, Table};
use crate::run::SyncRun;
use crate::run::latest_finished;
use crate::store::{Query, Store};
use crate::v1;

/// Versions of the sync token whose keys stay.
const TOKEN_VERSIONS: [u64; 2] = [1, 2];

/// What a rollback does, or would do.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RolledBack {
    /// The sync, as it is in the source.
    pub run: SyncRun,
    /// Derived grants that go; with suspects, unless they are kept.
    pub deleted: u64,
    /// Grants of the connector whose sources go.
    pub cleared: u64,
    /// Grants with foreign sources and without the marker of a derived one.
    pub suspects: u64,
}

impl RolledBack {
    fn new(run: SyncRun) -> Self {
        Self {
            run,
            deleted: 0,
            cleared: 0,
            suspects: 0,
        }
    }

    fn count(&mut self, origin: Origin, keep_suspects: bool) {
        match origin {
            Origin::Untouched => {}
            Origin::Direct => self.cleared += 1,
            Origin::Derived => self.deleted += 1,
            Origin::Suspect => {
                self.suspects += 1;
                self.deleted += u64::from(!keep_suspects);
            }
        }
    }
}

/// Returns what [`roll_back`] would do, and changes nothing.
///
/// # Errors
/// Those of [`roll_back`] that do not concern the target.
pub fn preview_rollback(
    source: &Path,
    sync_id: Option<&str>,
    keep_suspects: bool,
    options: &RewriteOptions,
) -> Result<RolledBack> {
    let (reader, run) = open(source, sync_id, options)?;
    let id = run.id.clone();
    let mut found = RolledBack::new(run);
    let query = Query {
        sync_id: Some(&id),
        table: Table::Grants,
        filter: &Filter::default(),
    };
    reader.scan(&query, &mut |row| {
        let origin =
            origin_of(row.data, row.entitlement_id).map_err(|_| unreadable(source, row.id))?;
        found.count(origin, keep_suspects);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

fn open(
    source: &Path,
    sync_id: Option<&str>,
    options: &RewriteOptions,
) -> Result<(v1::Reader, SyncRun)> {
    let reader = match detect(source)? {
        Detected::V3 => {
            return Err(Error::RollbackOfV3 {
                path: source.to_owned(),
            });
        }
        Detected::Missing | Detected::Empty => v1::Reader::empty(source)?,
        Detected::V1 => v1::Reader::open_kept(source, &options.read_options())?.0,
    };
    let run = chosen(source, &reader.runs()?, sync_id)?;
    if !run.supports_diff {
        return Err(Error::NotExpanded {
            path: source.to_owned(),
            id: run.id,
        });
    }
    Ok((reader, run))
}

fn chosen(path: &Path, runs: &[SyncRun], id: Option<&str>) -> Result<SyncRun> {
    let Some(id) = id else {
        return latest_finished(runs, None)
            .cloned()
            .ok_or_else(|| Error::NoFinishedSync {
                path: path.to_owned(),
            });
    };
    match runs.iter().find(|run| run.id == id) {
        None => Err(Error::NoSuchSync {
            path: path.to_owned(),
            id: id.to_owned(),
        }),
        Some(run) if !run.is_finished() => Err(Error::Unfinished {
            path: path.to_owned(),
            id: id.to_owned(),
        }),
        Some(run) => Ok(run.clone()),
    }
}

/// The state of a syncer that has yet to expand. Facts about finished work in
/// an older or unknown state are dropped (sync-runtime specification §1.3).
fn before_expansion(token: &str) -> String {
    let known = |token: &Map<String, Json>| {
        let version = token.get("version").and_then(Json::as_u64);
        version.is_some_and(|version| TOKEN_VERSIONS.contains(&version))
    };
    let mut state = match serde_json::from_str(token) {
        Ok(Json::Object(state)) if known(&state) => state,
        _ => Map::new(),
    };
    state.remove("entitlement_graph");
    if let Some(Json::Object(actions)) = state.get_mut("actions_map") {
        // Without the graph an expansion begins at its first page.
        for action in actions.values_mut().filter_map(Json::as_object_mut) {
            if action.get("operation") == Some(&json!("grant-expansion")) {
                action.remove("page_token");
            }
        }
    }
    let order = state.get("action_order").and_then(Json::as_array);
    if order.is_none_or(Vec::is_empty) {
        let next = state.get("current_action_id").and_then(Json::as_u64);
        let next = next.unwrap_or(0);
        let id = format!("{next:010}");
        state.insert(
            "actions_map".to_owned(),
            json!({ &id: { "id": id, "operation": "init" } }),
        );
        state.insert("action_order".to_owned(), json!([id]));
        state.insert(
            "current_action_id".to_owned(),
            json!(next.saturating_add(1)),
        );
    }
    state.insert("needs_expansion".to_owned(), json!(true));
    state.entry("version").or_insert_with(|| json!(1));
    Json::Object(in_order(state)).to_string()
}

/// The keys in the order in which the Go tools write them; others behind.
fn in_order(mut state: Map<String, Json>) -> Map<String, Json> {
    const ORDER: [&str; 9] = [
        "actions_map",
        "action_order",
        "current_action_id",
        "needs_expansion",
        "has_external_resource_grants",
        "should_fetch_related_resources",
        "should_skip_entitlements_and_grants",
        "should_skip_grants",
        "completed_actions_count",
    ];
    let version = state.remove("version");
    let mut ordered = Map::new();
    for key in ORDER {
        if let Some(value) = state.remove(key) {
            ordered.insert(key.to_owned(), value);
        }
    }
    ordered.extend(state);
    ordered.extend(version.map(|version| ("version".to_owned(), version)));
    ordered
}

/// Copies one finished, expanded sync of the v1 file `source` (by default the
/// newest finished one of any type) into the new file `target` and undoes its
/// expansion there: derived grants are deleted, other grants lose their sources,
/// the stored counts are removed, and the sync's state requires an expansion.
/// With `keep_suspects`, grants that may be a connector's own stay.
///
/// # Errors
/// [`Error::Exists`], [`Error::NoSuchSync`], [`Error::NoFinishedSync`],
/// [`Error::Unfinished`], [`Error::NotExpanded`], [`Error::RollbackOfV3`],
/// those of reading and writing. There is then no target.
pub fn roll_back(
    source: &Path,
    sync_id: Option<&str>,
    target: &Path,
    keep_suspects: bool,
    options: &RewriteOptions,
) -> Result<RolledBack> {
    let (reader, run) = open(source, sync_id, options)?;
    must_not_exist(target)?;
    let token = before_expansion(&run.sync_token);
    let id = run.id.clone();
    let mut done = RolledBack::new(run);
    v1::roll_back(
        reader,
        &id,
        (source, target),
        options,
        &token,
        &mut |origin| done.count(origin, keep_suspects),
        keep_suspects,
    )?;
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: &str = r#"{"actions_map":{"0000000000":{"id":"0000000000","operation":"init"}},"action_order":["0000000000"],"current_action_id":1,"needs_expansion":true,"version":1}"#;

    #[test]
    fn states_without_known_version_begin_anew() {
        for token in ["", "no json", "[]", r#"{"done":true}"#, r#"{"version":7}"#] {
            assert_eq!(before_expansion(token), FRESH, "{token}");
        }
    }

    #[test]
    fn a_known_state_keeps_its_keys_and_loses_its_graph() {
        let token = r#"{"completed_actions_count":9,"current_action_id":4,"entitlement_graph":{},"ingest_quality":{"grants_dropped":1},"version":2}"#;
        assert_eq!(
            before_expansion(token),
            r#"{"actions_map":{"0000000004":{"id":"0000000004","operation":"init"}},"action_order":["0000000004"],"current_action_id":5,"needs_expansion":true,"completed_actions_count":9,"ingest_quality":{"grants_dropped":1},"version":2}"#
        );
    }

    #[test]
    fn actions_that_are_left_stay_and_an_expansion_among_them_begins_at_the_first_page() {
        let token = r#"{"actions_map":{"0000000002":{"id":"0000000002","operation":"grant-expansion","page_token":"p"}},"action_order":["0000000002"],"current_action_id":3,"version":1}"#;
        let again = before_expansion(token);
        assert!(!again.contains("page_token"), "{again}");
        assert!(!again.contains("init"), "{again}");
    }
}
