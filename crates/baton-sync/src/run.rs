//! One run from beginning to end. What is refused is refused before the
//! first request; the target changes only in the last step.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use baton_c1z::{Fingerprint, PageLog, Resumed, SetAside};
use baton_connector::http::InFlight;
use baton_connector::{Connector, Random, Run, RunNotes, TrafficSnapshot, new_ksuid};
use baton_proto::bid::ResourceBid;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span, field};

use crate::check::PageRules;
use crate::context::Context;
use crate::crash;
use crate::drive;
use crate::error::{Error, Result};
use crate::event::{Event, Phase};
use crate::external::{self, External, ExternalInfo, Wanted};
use crate::fetch::Fetcher;
use crate::index::ListKind;
use crate::journal::Journal;
use crate::list;
use crate::phases::{
    self, Related, ResourceLists, ResourceTypes, Resources, StaticEntitlements, Targets,
};
use crate::policy;
use crate::progress::Progress;
use crate::recheck;
use crate::records;
use crate::report::Report;
use crate::request::{SyncHost, SyncRequest, Workers};
use crate::seal::{self, SealedSync};
use crate::sessions::Sessions;
use crate::stopping;
use crate::target::{self, Target};

/// Syncs everything that `connector` has into the file that `request` names.
///
/// An interrupted or failed run leaves its pages in a working folder; the
/// next run with an equal request resumes there. Cancelling through
/// `host.cancel` stops new requests and whatever waits, waits a short time for
/// the requests in flight and keeps what they bring; sealing ends at its next
/// step, and the next run seals again. The time limit of a request does not
/// end a seal that has begun.
/// Dropping the future aborts the requests in flight; the pages stored
/// before it are kept.
///
/// # Errors
/// See [`Error`]. After any error the target is what it was before.
pub async fn run(
    connector: Arc<dyn Connector>,
    request: SyncRequest,
    host: SyncHost,
) -> Result<Report> {
    let cancel = host.cancel.clone();
    // Log lines take the id from it, whatever their level is.
    let span = tracing::error_span!(
        "sync",
        sync_id = field::Empty,
        otel.status_code = field::Empty,
        error.type = field::Empty,
    );
    let work = Box::pin(run_limited(connector, request, host).instrument(span.clone()));
    let result = stopping::within(cancel.clone(), work).await;
    if let Err(error) = &result {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", error.code().name());
    }
    match result {
        // Work on files was cut short.
        Err(Error::Store(_) | Error::External { .. }) if cancel.is_cancelled() => {
            Err(Error::Interrupted { phase: Phase::Seal })
        }
        result => result,
    }
}

async fn run_limited(
    connector: Arc<dyn Connector>,
    request: SyncRequest,
    host: SyncHost,
) -> Result<Report> {
    let Some(limit) = request.max_duration else {
        return run_unlimited(connector, request, host).await;
    };
    let limited = RunLimit::start(limit, &host.cancel);
    let host = SyncHost {
        cancel: limited.cancel.clone(),
        ..host
    };
    let result = run_unlimited(connector, request, host).await;
    // Report the time limit, whatever error it caused.
    match result {
        Err(_) if limited.is_over() => Err(Error::OutOfTime { limit }),
        result => result,
    }
}

/// Cancels a run when its time is up.
struct RunLimit {
    ends: Instant,
    /// Cancelled by this, or with the run as a whole.
    cancel: CancellationToken,
    whole: CancellationToken,
    timer: JoinHandle<()>,
}

impl RunLimit {
    fn start(limit: Duration, whole: &CancellationToken) -> Self {
        let ends = Instant::now() + limit;
        let cancel = whole.child_token();
        let token = cancel.clone();
        let timer = tokio::spawn(async move {
            tokio::time::sleep_until(ends).await;
            token.cancel();
        });
        Self {
            ends,
            cancel,
            whole: whole.clone(),
            timer,
        }
    }

    fn is_over(&self) -> bool {
        !self.whole.is_cancelled() && Instant::now() >= self.ends
    }
}

impl Drop for RunLimit {
    fn drop(&mut self) {
        self.timer.abort();
    }
}

async fn run_unlimited(
    connector: Arc<dyn Connector>,
    request: SyncRequest,
    host: SyncHost,
) -> Result<Report> {
    let target = check_target(&request, &host).await?;
    for folder in &target.orphans {
        host.observer.event(&Event::Warning {
            message: format!("removed the abandoned working folder {}", folder.display()),
        });
    }
    // What the connector keeps for this run goes with it, whatever its end is.
    let run = Run::begin(Some(match request.workers {
        Workers::Auto => InFlight::Auto,
        Workers::Sequential => InFlight::Sequential,
        Workers::AtMost(n) => InFlight::AtMost(n),
    }));
    host.observer.run_began(run.view());
    let fetcher = Fetcher {
        connector: Arc::clone(&connector),
        call: run.call().stopped_by(host.cancel.clone()),
    };
    let opened = async {
        let external = open_external(&request).await?;
        let validating = validate(&fetcher, &host);
        validating.instrument(Phase::Validate.span()).await?;
        let taken = external.as_ref().map(|external| external.info.clone());
        let (cx, resumed) = open(fetcher, &request, &host, &target, taken.as_ref()).await?;
        Ok((cx, resumed, external, taken))
    };
    let (mut cx, resumed, external, taken) = match opened.await {
        Ok(opened) => opened,
        Err(error) => {
            target::discard_if_new(&target.dir);
            return Err(error);
        }
    };
    let fetcher = Arc::clone(&cx.fetcher);
    let collected = match collect(&mut cx, &request, external).await {
        Ok(()) => seal::check_not_empty(&cx, &request, &target)
            .and_then(|()| seal::check_children(&cx, &request)),
        Err(error) => Err(error),
    };
    let dropped = cx.progress.dropped;
    let result = match collected {
        Ok(()) => {
            let sealing = seal::seal(cx, &request, &host, &target, taken);
            sealing.instrument(Phase::Seal.span()).await
        }
        Err(error) => {
            // The first error is reported. What is not forced to
            // the device now still survives the end of this process.
            let _ = cx.journal.sync().await;
            drop(cx);
            Err(error)
        }
    };
    if !dropped.is_empty() {
        host.observer.event(&Event::InvalidData(dropped));
    }
    let sealed = match result {
        Ok(sealed) => sealed,
        Err(error) => {
            if error.discards_work() {
                let _ = target.dir.remove();
            }
            return Err(error);
        }
    };
    let local = connector.local();
    let remarks = local.map(|local| local.run_notes(&run.view()));
    let cleanup_warning = clean_up(&fetcher, &host).await;
    let end = RunEnd {
        resumed,
        remarks: remarks.unwrap_or_default(),
        cleanup_warning,
        traffic: local.and_then(|local| local.traffic(&run.view())),
    };
    Ok(report(sealed, &request, &target, end))
}

/// What is known of a run when the connector has cleaned up.
struct RunEnd {
    resumed: bool,
    remarks: RunNotes,
    cleanup_warning: Option<String>,
    traffic: Option<TrafficSnapshot>,
}

fn report(sync: SealedSync, request: &SyncRequest, target: &Target, end: RunEnd) -> Report {
    let SealedSync {
        sync_id,
        sealed,
        completeness,
        progress,
        findings,
    } = sync;
    let targeted = !request.targets.is_empty();
    let previous = target.previous.as_ref();
    let mut warnings = findings.warnings;
    warnings.extend(end.remarks.warnings);
    warnings.extend(end.cleanup_warning);
    Report {
        sync_id,
        path: sealed.path,
        stats: sealed.stats,
        targeted,
        // A part is not compared with the whole.
        previous: previous
            .filter(|_| !targeted)
            .map(|previous| previous.stats.clone()),
        completeness,
        skipped: progress.skipped(),
        unreadable: progress.unreadable(),
        vanished: progress.vanished(),
        dropped: progress.dropped,
        unknown_types: findings.unknown_types,
        shortfalls: findings.shortfalls,
        surpluses: findings.surpluses,
        repeated: findings.repeated,
        notes: findings.notes,
        uncounted: findings.uncounted,
        warnings,
        resumed: end.resumed,
        duplicates: sealed.duplicates_resolved,
        traffic: end.traffic,
        planning: end.remarks.planning,
    }
}

async fn check_target(request: &SyncRequest, host: &SyncHost) -> Result<Target> {
    let (request, now) = (request.clone(), host.clock.now());
    let doing = "checking the target";
    let blocking = request.blocking;
    blocking
        .run(doing, move || Target::check(&request, now))
        .await?
}

async fn validate(fetcher: &Fetcher, host: &SyncHost) -> Result<()> {
    let phase = Phase::Validate;
    host.observer
        .event(&Event::PhaseStarted { phase, lists: None });
    let validated = tokio::select! {
        biased;
        () = host.cancel.cancelled() => return Err(Error::Interrupted { phase }),
        validated = crash::guard(|| "validating the connector's settings", async {
            let Fetcher { connector, call } = fetcher;
            connector.validate(call).await.map_err(Error::Validation)
        }) => validated,
    };
    // Annotations of the answer concern caches, of which there are none here.
    validated?;
    host.observer
        .event(&Event::PhaseFinished { phase, rows: 0 });
    Ok(())
}

/// Opens the log, and learns from it what an earlier run has done. The
/// second value: whether there was something.
async fn open(
    fetcher: Fetcher,
    request: &SyncRequest,
    host: &SyncHost,
    target: &Target,
    external: Option<&ExternalInfo>,
) -> Result<(Context, bool)> {
    let copied = external.map(|external| external.fingerprint.clone());
    let fingerprint = fingerprint(&fetcher, request, copied).await?;
    let (dir, now, fresh) = (target.dir.clone(), host.clock.now(), request.fresh);
    let doing = "opening the page log";
    let opened = request.blocking.run(doing, move || {
        let (log, resumed) = PageLog::open(&dir, &fingerprint, now, fresh)?;
        let progress = match resumed {
            Resumed::Continued { .. } => Progress::replay(&log)?,
            Resumed::New | Resumed::SetAside(_) => Progress::default(),
        };
        Ok::<_, Error>((log, resumed, progress))
    });
    let (log, resumed, mut progress) = opened.await??;
    let kept = std::mem::take(&mut progress.session_values);
    let sessions = Arc::new(Sessions::new(kept));
    let mut journal = Journal::new(log, Arc::clone(&sessions), request.blocking);
    report_how_opened(&resumed, host);
    for (list, skip) in progress.split_lists.partly_dropped() {
        journal.drop_list(list.clone(), &skip).await?;
        progress.list_dropped(&list, skip);
    }
    let sync_id = if let Some(id) = progress.sync_id.take() {
        id
    } else {
        let sync_id = new_sync_id(now, host.random.as_ref());
        let run = records::Run { sync_id };
        let mark = records::to_text(&run).into_bytes();
        journal.mark(records::RUN, mark).await?;
        run.sync_id
    };
    Span::current().record("sync_id", &sync_id);
    host.observer.event(&Event::Started {
        sync_id: sync_id.clone(),
        resumed_pages: progress.pages,
    });
    let has_pages = progress.pages > 0;
    let fetcher = Fetcher {
        call: fetcher.call.in_sync(&sync_id, sessions),
        connector: fetcher.connector,
    };
    let rules = PageRules {
        filter: request.resource_type_filter.iter().cloned().collect(),
        external_types: external.map(|external| external.known_types.clone()),
        targets: (!request.targets.is_empty()).then(|| phases::target_ids(&request.targets)),
        ..PageRules::default()
    };
    let cx = Context {
        fetcher: Arc::new(fetcher),
        rules: Arc::new(rules),
        journal,
        progress,
        width: request.workers.width(),
        cancel: host.cancel.clone(),
        observer: Arc::clone(&host.observer),
    };
    Ok((cx, has_pages))
}

async fn open_external(request: &SyncRequest) -> Result<Option<External>> {
    let Some(settings) = external::settings(request).cloned() else {
        return Ok(None);
    };
    let blocking = request.blocking;
    let request = request.clone();
    let doing = "opening the file of external resources";
    let open = move || External::open(&settings, &request);
    blocking.run(doing, open).await?.map(Some)
}

/// Everything that decides what the file will hold.
async fn fingerprint(
    fetcher: &Fetcher,
    request: &SyncRequest,
    external: Option<String>,
) -> Result<Fingerprint> {
    let metadata = crash::guard(|| "reading the connector's metadata", async {
        let Fetcher { connector, call } = fetcher;
        let metadata = connector.metadata(call).await;
        metadata.map_err(|source| Error::Connector {
            doing: "read the connector's metadata".to_owned(),
            source,
        })
    });
    let metadata = metadata.await?;
    let mut filter = request.resource_type_filter.clone();
    filter.sort_unstable();
    filter.dedup();
    let own = [
        ("connector", metadata.display_name),
        ("layout", records::LAYOUT.to_owned()),
        ("resource types", records::to_text(&filter)),
        ("sync type", policy::sync_type(request).as_str().to_owned()),
    ];
    let own = own.map(|(key, value)| (key.to_owned(), value));
    let targets = phases::chosen(&request.targets, &[]);
    let targets: Vec<String> = targets.iter().map(ToString::to_string).collect();
    let chosen = [
        ("resources", !targets.is_empty(), records::to_text(&targets)),
        ("skipped grants", request.skip_grants, true.to_string()),
        (
            "skipped expansion",
            request.skip_expansion,
            true.to_string(),
        ),
        ("skipped sync", request.skip_full_sync, true.to_string()),
        (
            "external resources",
            external.is_some(),
            external.unwrap_or_default(),
        ),
    ];
    let chosen = chosen.into_iter().filter(|(_, chosen, _)| *chosen);
    let own = own.into_iter();
    let own = own.chain(chosen.map(|(key, _, value)| (key.to_owned(), value)));
    let facts = request.content_facts.iter();
    let facts = facts.map(|(key, value)| (format!("fact: {key}"), value.clone()));
    Ok(Fingerprint(own.chain(facts).collect()))
}

fn report_how_opened(resumed: &Resumed, host: &SyncHost) {
    match resumed {
        Resumed::SetAside(why) => host.observer.event(&Event::SetAside {
            reason: set_aside_reason(why),
        }),
        Resumed::Continued {
            damage: Some(damage),
            ..
        } => host.observer.event(&Event::Damaged {
            reason: format!(
                "the last {} bytes of the working file are damaged",
                damage.lost_bytes
            ),
        }),
        Resumed::New | Resumed::Continued { .. } => {}
    }
}

fn set_aside_reason(why: &SetAside) -> String {
    match why {
        SetAside::Fresh => "a fresh start was asked for".to_owned(),
        SetAside::TooOld { .. } => "it is older than 7 days".to_owned(),
        SetAside::OtherContent { differing } => {
            format!("other settings: {}", differing.join(", "))
        }
        SetAside::OtherLayout => "it was written by another version".to_owned(),
        _ => "it cannot be read".to_owned(),
    }
}

/// The id of a new sync, a KSUID: its time is the sync's start, the rest is
/// random.
pub fn new_sync_id(now: SystemTime, random: &dyn Random) -> String {
    new_ksuid(now, random)
}

/// All phases that ask the connector, in order.
async fn collect(
    cx: &mut Context,
    request: &SyncRequest,
    external: Option<External>,
) -> Result<()> {
    if !request.skip_full_sync {
        recheck::recheck(cx, !request.skip_grants).await?;
        drive::run(cx, &mut ResourceTypes).await?;
        if request.targets.is_empty() {
            everything(cx, request).await?;
            if let Some(external) = external {
                let entitlements = !request.skip_entitlements_and_grants;
                let wanted = Wanted {
                    entitlements,
                    grants: entitlements && !request.skip_grants,
                };
                external::copy(cx, external, wanted).await?;
            }
        } else {
            targeted(cx, request).await?;
        }
    }
    if cx.cancel.is_cancelled() {
        return Err(Error::Interrupted { phase: Phase::Seal });
    }
    Ok(())
}

async fn everything(cx: &mut Context, request: &SyncRequest) -> Result<()> {
    drive::run(cx, &mut Resources).await?;
    if !request.skip_entitlements_and_grants {
        drive::run(cx, &mut StaticEntitlements).await?;
        drive::run(cx, &mut ResourceLists::of(ListKind::Entitlements)).await?;
        if !request.skip_grants {
            drive::run(cx, &mut ResourceLists::of(ListKind::Grants)).await?;
        }
    }
    Ok(())
}

async fn targeted(cx: &mut Context, request: &SyncRequest) -> Result<()> {
    let chosen = phases::chosen(&request.targets, &request.resource_type_filter);
    let names = chosen.clone();
    drive::run(cx, &mut Targets { chosen }).await?;
    check_targets(cx, &names)?;
    if !request.skip_entitlements_and_grants {
        drive::run(cx, &mut ResourceLists::of(ListKind::Entitlements)).await?;
        if !request.skip_grants {
            drive::run(cx, &mut ResourceLists::of(ListKind::Grants)).await?;
            drive::run(cx, &mut Related::default()).await?;
        }
    }
    Ok(())
}

/// Ends a sync of named resources that cannot be about them.
fn check_targets(cx: &Context, chosen: &[ResourceBid]) -> Result<()> {
    if chosen.is_empty() {
        return Err(Error::TargetsLeftOut);
    }
    let lists = chosen.iter().map(list::single);
    let absent: Vec<_> = lists
        .filter_map(|list| Some((list::name(&list), cx.progress.absent.get(&list)?)))
        .collect();
    let names = |unreadable: bool| -> Vec<String> {
        let absent = absent
            .iter()
            .filter(|(_, absent)| absent.unreadable || !unreadable);
        absent.map(|(name, _)| name.clone()).collect()
    };
    let unreadable = names(true);
    if !unreadable.is_empty() {
        return Err(Error::TargetsUnreadable {
            targets: unreadable,
        });
    }
    if absent.len() == chosen.len() {
        return Err(Error::TargetsAbsent {
            targets: names(false),
        });
    }
    Ok(())
}

/// Has the connector clean up. The file is in place already, so a failure is
/// only a warning, which is returned.
async fn clean_up(fetcher: &Fetcher, host: &SyncHost) -> Option<String> {
    // The file is in its place by now: not even a panic makes the sync a failed one.
    let cleaned = crash::guard(|| "cleaning up after the sync", async {
        let cleaned = fetcher.connector.cleanup(&fetcher.call).await;
        cleaned.map_err(|source| Error::Connector {
            doing: "clean up".to_owned(),
            source,
        })
    });
    let reason = match cleaned.await.err()? {
        Error::Connector { source, .. } => source.to_string(),
        other => other.to_string(),
    };
    let message = format!("the connector could not clean up: {reason}");
    host.observer.event(&Event::Warning {
        message: message.clone(),
    });
    Some(message)
}
