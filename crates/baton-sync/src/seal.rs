//! The last phase: the page log becomes the file.

use std::sync::Arc;

use baton_access::{ExpandOptions, GraphExpander};
use baton_c1z::{NewRun, PageLog, SealEvent, SealPlan, SealSteps, Sealed, SyncType};
use baton_proto::c1::connector::v2::resource_type::Trait;

use crate::blocking::Doing;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::event::{Event, Phase};
use crate::external::{ExternalInfo, Matcher};
use crate::findings::Findings;
use crate::invariants::{self, Check};
use crate::policy::{self, Policy};
use crate::progress::Progress;
use crate::provenance;
use crate::report::Completeness;
use crate::request::{SyncHost, SyncRequest};
use crate::target::{self, Previous, Target};

/// What a sealed sync of ours holds as its token: there is nothing to resume.
const TOKEN: &str = r#"{"version":1}"#;

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

/// If every finding is to fail the sync: fails a full sync in which the
/// children of some resource were not listed.
pub(crate) fn check_children(cx: &Context, request: &SyncRequest) -> Result<()> {
    if request.fail_fast
        && policy::sync_type(request) == SyncType::Full
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

/// A sync that is in its file.
pub(crate) struct SealedSync {
    pub(crate) sync_id: String,
    pub(crate) sealed: Sealed,
    pub(crate) completeness: Completeness,
    pub(crate) progress: Progress,
    /// What the user should know, beside what progress knows.
    pub(crate) findings: Findings,
}

/// Writes the file.
pub(crate) async fn seal(
    cx: Context,
    request: &SyncRequest,
    host: &SyncHost,
    target: &Target,
    external: Option<ExternalInfo>,
) -> Result<SealedSync> {
    let Context {
        fetcher,
        journal,
        progress,
        observer,
        ..
    } = cx;
    let sync_id = fetcher.call.sync_id().to_owned();
    let phase = Phase::Seal;
    observer.event(&Event::PhaseStarted { phase, lists: None });
    let log = journal.into_log()?;
    let completeness = if progress.is_partial() {
        Completeness::Partial
    } else {
        Completeness::Complete
    };
    let policy = Policy::of(request, target.format);
    let run = NewRun {
        id: sync_id.clone(),
        sync_type: policy.sync_type,
        started_at: log.created(),
        ended_at: host.clock.now(),
        parent_sync_id: parent(request, target),
        token: TOKEN.to_owned(),
        supports_diff: policy.expands,
        ingest_invariant: policy.ingest_invariant(completeness),
    };
    let plan = SealPlan {
        assets: request
            .provenance
            .iter()
            .map(|by| provenance::asset(by, request, completeness, &progress))
            .collect(),
        ..plan(policy, request, target, run, completeness)
    };
    let doing = Doing::new(step(SORT));
    let steps = Steps::new(
        policy,
        request,
        target,
        &progress,
        external.as_ref(),
        &doing,
    );
    let (busy, event_observer) = (doing.clone(), Arc::clone(&observer));
    let sealing = request.blocking.run(doing, move || {
        steps.seal(log, plan, &mut |event| {
            let event = sealing_event(event);
            if let Event::Sealing { step: name, .. } = &event {
                busy.set(step(name));
            }
            event_observer.event(&event);
        })
    });
    let sealed = sealing.await??;
    let external_warnings = external.map(|external| external.warnings);
    let findings = Findings::of(
        &sealed,
        &progress,
        fetcher.connector.local(),
        request,
        target,
        external_warnings.unwrap_or_default(),
    );
    findings.send(observer.as_ref());
    let stats = &sealed.stats;
    let rows = stats.resource_types + stats.resources + stats.entitlements + stats.grants;
    observer.event(&Event::PhaseFinished {
        phase,
        rows: u64::try_from(rows).unwrap_or(0),
    });
    Ok(SealedSync {
        sync_id,
        sealed,
        completeness,
        progress,
        findings,
    })
}

/// The steps between sorting and writing that a sync has.
struct Steps {
    replace: Option<Matcher>,
    check: Option<Check>,
    expand: Option<ExpandOptions>,
}

impl Steps {
    fn new(
        policy: Policy,
        request: &SyncRequest,
        target: &Target,
        progress: &Progress,
        external: Option<&ExternalInfo>,
        doing: &Doing,
    ) -> Self {
        let temp_dir = || target.dir.path().to_owned();
        let replace = external
            .filter(|_| progress.has_placeholders)
            .map(|external| {
                let traits = external.traits.clone();
                Matcher::new(traits, policy.keeps_expansion(), temp_dir(), doing.clone())
            });
        // Copied rows have not been looked at.
        let rules = policy.rules(progress.has_groups || external.is_some());
        // The other sync has expanded its own grants already.
        let is_expanded = external.is_some() && !progress.has_expandable;
        let expands = policy.expands && !request.skip_expansion && !is_expanded;
        let options = ExpandOptions {
            temp_dir: Some(temp_dir()),
            max_derived_grants: request.max_derived_grants,
            ..ExpandOptions::default()
        };
        Self {
            replace,
            check: (!rules.is_empty()).then(|| Check::new(rules, doing.clone())),
            expand: expands.then_some(options),
        }
    }

    /// Seals with these steps. Blocks.
    fn seal(
        mut self,
        log: PageLog,
        plan: SealPlan,
        progress: &mut dyn FnMut(SealEvent),
    ) -> Result<Sealed> {
        let mut expander = self.expand.map(GraphExpander::new);
        let steps = SealSteps {
            replace: self.replace.as_mut().map(|step| step as _),
            check: self.check.as_mut().map(|step| step as _),
            expand: expander.as_mut().map(|step| step as _),
        };
        Ok(baton_c1z::seal(log, plan, steps, progress)?)
    }
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

fn plan(
    policy: Policy,
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
        cleanup: policy.cleanup(request, beside),
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
        EXPAND => "expanding grants",
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
