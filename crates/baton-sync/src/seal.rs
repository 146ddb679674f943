//! The collected pages become the file.

use std::collections::BTreeSet;
use std::sync::Arc;

use baton_access::{ExpandOptions, GraphExpander};
use baton_c1z::{
    Cleanup, Expander, Format, NewAsset, NewRun, NoExpansion, PROVENANCE_ASSET, PageLog, SealEvent,
    SealPlan, Sealed, SyncType,
};
use baton_connector::Local;
use baton_proto::c1::connector::v2::resource_type::Trait;
use serde::Serialize;

use crate::blocking::Doing;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::event::{Event, Phase};
use crate::external;
use crate::external::{Matcher, Taken};
use crate::invariants::{self, Checks, EXPANDING, Rules};
use crate::list;
use crate::phases;
use crate::progress::Progress;
use crate::repeats;
use crate::report::{Completeness, Dropped, Report, SkipKind};
use crate::request::{Provenance, SyncHost, SyncRequest};
use crate::tally;
use crate::target::{self, Previous, Target};

/// What a sealed sync of ours holds as its token: there is nothing to resume.
const TOKEN: &str = r#"{"version":1}"#;

pub(crate) fn sync_type(request: &SyncRequest) -> SyncType {
    if !request.targets.is_empty() {
        SyncType::Partial
    } else if request.skip_entitlements_and_grants && !request.skip_full_sync {
        SyncType::ResourcesOnly
    } else {
        SyncType::Full
    }
}

/// Refuses a sync without users or groups where the last one had some: more
/// often a fault upstream than the truth.
pub(crate) fn check_not_empty(cx: &Context, request: &SyncRequest, target: &Target) -> Result<()> {
    let looks = !request.allow_empty && !request.skip_full_sync && request.targets.is_empty();
    let Some(previous) = target.previous.as_ref().filter(|_| looks) else {
        return Ok(());
    };
    for (of, what) in [(Trait::User, "users"), (Trait::Group, "groups")] {
        let before = count_before(previous, of, request);
        if before > 0 && !has_some(&cx.progress, of) {
            return Err(Error::Empty {
                what,
                before,
                path: request.target.clone(),
            });
        }
    }
    Ok(())
}

/// Holds a full sync to it that the children of every resource were asked
/// for, where every finding is to fail it.
pub(crate) fn check_children(cx: &Context, request: &SyncRequest) -> Result<()> {
    if request.fail_fast
        && sync_type(request) == SyncType::Full
        && request.resource_type_filter.is_empty()
    {
        invariants::check_children(&cx.progress.unknown_children)?;
    }
    Ok(())
}

fn count_before(previous: &Previous, of: Trait, request: &SyncRequest) -> u64 {
    let filter = &request.resource_type_filter;
    previous.count(of, |id| {
        filter.is_empty() || filter.iter().any(|wanted| wanted == id)
    })
}

fn has_some(progress: &Progress, of: Trait) -> bool {
    let types = progress.types.iter().zip(0u32..);
    types
        .filter(|((_, facts), _)| facts.has(of))
        .any(|((id, _), kind)| {
            !progress.index.of_kind(kind).is_empty() || progress.inserted.contains(id)
        })
}

/// Writes the file and reports.
pub(crate) async fn seal(
    cx: Context,
    request: &SyncRequest,
    host: &SyncHost,
    target: &Target,
    external: Option<Taken>,
) -> Result<Report> {
    let Context {
        source,
        journal,
        progress,
        observer,
        ..
    } = cx;
    let sync_id = source.call.sync_id().to_owned();
    let phase = Phase::Seal;
    observer.event(&Event::PhaseStarted { phase, lists: None });
    let log = journal.into_log()?;
    let completeness = if progress.is_partial() {
        Completeness::Partial
    } else {
        Completeness::Complete
    };
    let is_v3 = target.format == Format::V3;
    let references = sync_type(request) == SyncType::Full && !request.skip_full_sync;
    let run = NewRun {
        id: sync_id.clone(),
        sync_type: sync_type(request),
        started_at: log.created(),
        ended_at: host.clock.now(),
        parent_sync_id: parent(request, target),
        token: TOKEN.to_owned(),
        supports_diff: expands(request),
        ingest_invariant: match completeness {
            Completeness::Complete if !request.skip_full_sync => {
                let fail_fast = request.fail_fast;
                // What was found fails a sync then, so it counts in both formats.
                let covers_references = references && (is_v3 || fail_fast);
                invariants::marker(references && fail_fast, covers_references, fail_fast)
            }
            _ => Default::default(),
        },
    };
    let mut plan = plan(request, target, run, completeness);
    if let Some(provenance) = &request.provenance {
        plan.assets.push(provenance_asset(
            provenance,
            request,
            completeness,
            &progress,
        ));
    }
    let expansion = ExpandOptions {
        temp_dir: Some(target.dir.path().to_owned()),
        max_derived_grants: request.max_derived_grants,
        ..ExpandOptions::default()
    };
    let grants = Grants {
        expansion: expands(request).then_some(expansion),
        expands: external.is_none() || progress.has_expandable,
        // Copied grants alone are what the other sync has made of them.
        matcher: external
            .as_ref()
            .filter(|_| progress.has_placeholders)
            .map(|external| {
                // Grants listed from a v1 file come without their expansion.
                let keeps_expansion = is_v3;
                let temp_dir = target.dir.path().to_owned();
                Matcher::new(external.traits.clone(), keeps_expansion, temp_dir)
            }),
        rules: Rules {
            // What was copied has not been looked at.
            groups: progress.has_groups || external.is_some(),
            references,
            inserted_must_exist: is_v3 || request.fail_fast,
            fail_fast: request.fail_fast,
            soft: false,
        },
    };
    let teller = Arc::clone(&observer);
    let doing = Doing::new(step(SORT));
    let busy = doing.clone();
    let sealing = request.blocking.run(doing, move || {
        write(log, plan, grants, busy.clone(), |event| {
            let event = sealing_event(event);
            if let Event::Sealing { step: name, .. } = &event {
                busy.set(step(name));
            }
            teller.event(&event);
        })
    });
    let sealed = sealing.await??;
    let mut report = report(
        (sync_id, sealed, completeness),
        &progress,
        source.connector.local(),
        request,
        target,
    );
    let oddities = external.into_iter().flat_map(|external| external.warnings);
    report.warnings.extend(oddities);
    for message in &report.notes {
        observer.event(&Event::Note {
            message: message.clone(),
        });
    }
    for message in &report.warnings {
        observer.event(&Event::Warning {
            message: message.clone(),
        });
    }
    let rows = report.stats.resource_types
        + report.stats.resources
        + report.stats.entitlements
        + report.stats.grants;
    observer.event(&Event::PhaseFinished {
        phase,
        rows: u64::try_from(rows).unwrap_or(0),
    });
    Ok(report)
}

/// Whether the sync has the step that expands grants, and with it the mark
/// that it can be compared.
fn expands(request: &SyncRequest) -> bool {
    !request.skip_entitlements_and_grants && !request.skip_full_sync && request.targets.is_empty()
}

/// The sync that a targeted one adds to: the newest finished full one.
fn parent(request: &SyncRequest, target: &Target) -> String {
    if request.targets.is_empty() {
        return String::new();
    }
    let previous = target.previous.as_ref();
    previous
        .and_then(|previous| previous.latest_full.clone())
        .unwrap_or_default()
}

/// What is to be done with grants before they are written.
struct Grants {
    expansion: Option<ExpandOptions>,
    /// Expansions of the connector's own grants are there to be done.
    expands: bool,
    /// Of the file of external resources, if there is one.
    matcher: Option<Matcher>,
    rules: Rules,
}

/// Blocks.
fn write(
    log: PageLog,
    plan: SealPlan,
    grants: Grants,
    doing: Doing,
    tell: impl FnMut(SealEvent),
) -> Result<Sealed> {
    match grants.expansion.clone() {
        Some(options) => write_with(log, plan, GraphExpander::new(options), grants, doing, tell),
        None => write_with(log, plan, NoExpansion, grants, doing, tell),
    }
}

fn write_with(
    log: PageLog,
    plan: SealPlan,
    inner: impl Expander,
    grants: Grants,
    doing: Doing,
    mut tell: impl FnMut(SealEvent),
) -> Result<Sealed> {
    let mut expander = Checks {
        inner,
        expands: grants.expands,
        matcher: grants.matcher,
        rules: grants.rules,
        doing,
        verdict: None,
    };
    let sealed = log.seal(plan, &mut expander, &mut tell);
    sealed.map_err(|error| expander.verdict.take().unwrap_or(Error::Store(error)))
}

fn plan(
    request: &SyncRequest,
    target: &Target,
    run: NewRun,
    completeness: Completeness,
) -> SealPlan {
    let beside = completeness == Completeness::Partial && !request.allow_partial;
    let path = target.dir.target();
    let path = if beside {
        target::partial_path(path)
    } else {
        path.to_owned()
    };
    let started_at = run.started_at;
    SealPlan {
        format: target.format,
        // Never newer than the data: who merges files takes the newer row.
        discovered_at: started_at,
        cleanup: match request.keep_syncs {
            // A partial file has no history of its own.
            _ if beside => Cleanup::Keep(1),
            _ if request.skip_cleanup => Cleanup::Skip,
            keep if request.skip_full_sync => {
                Cleanup::KeepAmong(keep.unwrap_or(SealPlan::KEEP_SYNCS))
            }
            keep => Cleanup::Keep(keep.unwrap_or(SealPlan::KEEP_SYNCS)),
        },
        limits: request.limits.clone(),
        ..SealPlan::new(path, run)
    }
}

/// Steps of a seal, as [`Event::Sealing`] names them.
const SORT: &str = "sort";
const EXPAND: &str = "expand";
const WRITE: &str = "write";
const COMPRESS: &str = "compress";
const INDEX: &str = "index";

/// What is being done in a step, for the report of a panic.
fn step(name: &str) -> &'static str {
    match name {
        SORT => "sorting the rows of the sync",
        EXPAND => EXPANDING,
        WRITE => "writing the rows of the sync file",
        COMPRESS => "compressing the sync file",
        _ => "writing the indexes of the sync file",
    }
}

fn sealing_event(event: SealEvent) -> Event {
    let (step, done, total) = match event {
        SealEvent::Sorting {
            done_bytes,
            total_bytes,
        } => (SORT, done_bytes, Some(total_bytes)),
        SealEvent::Expanding { expandable } => (EXPAND, 0, Some(expandable)),
        SealEvent::Writing {
            done_rows,
            total_rows,
            ..
        } => (WRITE, done_rows, Some(total_rows)),
        SealEvent::Compressing {
            done_bytes,
            total_bytes,
        } => (COMPRESS, done_bytes, Some(total_bytes)),
        _ => (INDEX, 0, None),
    };
    Event::Sealing { step, done, total }
}

fn report(
    (sync_id, sealed, completeness): (String, Sealed, Completeness),
    progress: &Progress,
    connector: Option<&dyn Local>,
    request: &SyncRequest,
    target: &Target,
) -> Report {
    let shortfalls = progress.tallies.shortfalls();
    let surpluses = progress.tallies.surpluses();
    let uncounted = progress.tallies.uncounted();
    let repeated = repeats::report(&progress.repeats, connector);
    let unknown_types = progress.unknown_types();
    let mut warnings: Vec<String> = unknown_types.iter().map(ToString::to_string).collect();
    warnings.extend(tally::warnings(&shortfalls, &surpluses, &uncounted));
    warnings.extend(tally::full_ends(&progress.full_ends));
    let mut notes = Vec::new();
    for repeated in &repeated {
        match repeated.reason {
            Some(_) => notes.push(repeated.to_string()),
            None => warnings.push(repeated.to_string()),
        }
    }
    warnings.extend(sealed.warnings);
    warnings.extend(target.warning.clone());
    let named = phases::chosen(&request.targets, &request.resource_type_filter);
    warnings.extend(named.iter().map(list::single).filter_map(|list| {
        let absent = progress.absent.get(&list)?;
        Some(format!(
            "{} is left out: {}",
            list::name(&list),
            absent.reason
        ))
    }));
    let outside = request
        .targets
        .iter()
        .filter(|target| !named.contains(target));
    let outside: BTreeSet<String> = outside
        .map(|target| list::name(&list::single(target)))
        .collect();
    warnings.extend(
        outside
            .iter()
            .map(|name| format!("{name} is left out: the request leaves its type out")),
    );
    if request.external.is_some() && external::settings(request).is_none() {
        warnings.push(
            "a sync of single resources, or of none, takes nothing from the file of external \
             resources"
                .to_owned(),
        );
    }
    if progress.families.repeated > 0 {
        warnings.push(baton_proto::figures::counted(
            progress.families.repeated,
            "further page token was named more than once, and is followed once",
            "further page tokens were named more than once, and are followed once",
        ));
    }
    // Under a filter they are types that are not wanted.
    let unknown_children = progress.unknown_children.iter();
    let unknown_children = unknown_children.filter(|_| request.resource_type_filter.is_empty());
    warnings.extend(unknown_children.map(|child| {
        format!("resources name the child type `{child}`, which is not among the connector's types")
    }));
    if let Some(folder) = sealed.leftover {
        warnings.push(format!(
            "the working folder {} could not be removed",
            folder.display()
        ));
    }
    Report {
        sync_id,
        path: sealed.path,
        stats: sealed.stats,
        targeted: !request.targets.is_empty(),
        // A part is not compared with the whole.
        previous: target
            .previous
            .as_ref()
            .filter(|_| request.targets.is_empty())
            .map(|p| p.stats.clone()),
        completeness,
        skipped: progress.skipped(),
        unreadable: progress.unreadable(),
        vanished: progress.vanished(),
        dropped: progress.dropped,
        unknown_types,
        shortfalls,
        surpluses,
        repeated,
        notes,
        uncounted,
        warnings,
        resumed: false,
        duplicates: sealed.duplicates_resolved,
        traffic: None,
        planning: None,
    }
}

/// The content of the provenance asset. Nothing in it varies with the run,
/// with timing or with how the requests were planned.
#[derive(Serialize)]
struct ProvenanceText<'a> {
    tool: &'a str,
    version: &'a str,
    sync_type: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resource_types: Vec<&'a str>,
    completeness: Completeness,
    unreadable_lists: u64,
    vanished_lists: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    skipped: Vec<SkippedText>,
    #[serde(skip_serializing_if = "Dropped::is_empty")]
    dropped: Dropped,
}

#[derive(Serialize)]
struct SkippedText {
    what: String,
    resource_type: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    resource: String,
    why: SkipKind,
}

fn provenance_asset(
    provenance: &Provenance,
    request: &SyncRequest,
    completeness: Completeness,
    progress: &Progress,
) -> NewAsset {
    let mut resource_types: Vec<&str> = request
        .resource_type_filter
        .iter()
        .map(String::as_str)
        .collect();
    resource_types.sort_unstable();
    resource_types.dedup();
    let skipped = progress.skipped().into_iter().map(|skipped| SkippedText {
        what: skipped.what,
        resource_type: skipped.resource_type,
        resource: skipped.resource,
        why: skipped.kind,
    });
    let text = ProvenanceText {
        tool: &provenance.tool,
        version: &provenance.version,
        sync_type: sync_type(request).as_str(),
        resource_types,
        completeness,
        unreadable_lists: progress.unreadable(),
        vanished_lists: progress.vanished(),
        skipped: skipped.collect(),
        dropped: progress.dropped,
    };
    NewAsset {
        id: PROVENANCE_ASSET.to_owned(),
        content_type: "application/json".to_owned(),
        data: crate::records::to_text(&text).into_bytes(),
    }
}
