//! Carries a change out: judges it, has the intent recorded, sends its writes,
//! reads back what is not known, and has the outcome recorded.
//!
//! ```text
//! described ─► refused
//!           ─► nothing to do
//!           ─► intended ─► sent ─► done
//!                               ─► failed, partial   (an answer shows it)
//!                               ─► read back ─► done, sent once more, unknown
//! ```
//!
//! A change ends at a request to stop only before its first write is on the
//! wire. From then on it is brought to its end.

use std::time::Duration;

use baton_proto::c1::connector::v2;
use baton_proto::figures::counted;
use baton_proto::{Advice, Code};
use tokio::time::sleep;

use super::creation::{Creation, Made};
use super::description::Change;
use super::write::{Unmade, Write};
use crate::call::Call;
use crate::change_settings::{ChangeSettings, Outcome, Plan, Report};
use crate::error::{Error, Result};
use crate::held::{Held, Operation, Through};

/// Waits before each look at a change whose outcome is not known: 30 s in all,
/// since roles become visible late.
const LOOKS: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(15),
];

/// A change that was carried out, or that needed nothing.
#[derive(Debug)]
pub(crate) struct Applied {
    /// The grants as they now are.
    pub grants: Vec<v2::Grant>,
    /// There was nothing to do.
    pub already: bool,
    /// What was to be deleted was gone.
    pub gone: bool,
    /// The grant that a new one replaced.
    pub replaced: Option<String>,
}

/// Carries `change` out under the settings of the call; `read` checks whether
/// things are as wanted.
///
/// # Errors
/// Why the change was refused, failed, or has an outcome that is not known.
pub(crate) async fn carry_out<F, R>(call: &Call, change: Change, read: F) -> Result<Applied>
where
    F: Fn(Call) -> R + Sync,
    R: Future<Output = Result<bool>> + Send,
{
    let result = |_, _| async { Ok(((), Vec::new())) };
    let (applied, _) = carry(call, change, Some(read), result).await?;
    Ok(applied)
}

/// Carries a creation out as `operation`; `ids` names what was made, for
/// records. `None` in a dry run of what has to be made.
///
/// # Errors
/// As [`carry_out`], and those of the result.
pub(crate) async fn create<T: Send>(
    call: &Call,
    operation: Operation,
    creation: Creation<T>,
    ids: impl FnOnce(&T) -> Vec<String> + Send,
) -> Result<Option<T>> {
    let (change, give) = creation.into_parts(operation);
    let read = None::<fn(Call) -> std::future::Ready<Result<bool>>>;
    let result = |call, made| async move {
        let result = give(call, made).await?;
        let ids = ids(&result);
        Ok((result, ids))
    };
    let (_, result) = carry(call, change, read, result).await?;
    Ok(result)
}

impl<T: Send> Creation<T> {
    /// Carries it out as `operation`, under the settings of the call; `ids` names what
    /// was made, for records. `None` in a dry run of what has to be made. For
    /// connectors that pass changes to another process: those that are built of
    /// syncers do it themselves.
    ///
    /// # Errors
    /// Why it failed, or has an outcome that is not known; those of the result.
    pub async fn carry_out(
        self,
        call: &Call,
        operation: Operation,
        ids: impl FnOnce(&T) -> Vec<String> + Send,
    ) -> Result<Option<T>> {
        create(call, operation, self, ids).await
    }
}

/// Carries a change out. `result` is called once it is made, and gives with the
/// result the ids of what was made.
async fn carry<F, R, T, G, S>(
    call: &Call,
    mut change: Change,
    read: Option<F>,
    result: G,
) -> Result<(Applied, Option<T>)>
where
    F: Fn(Call) -> R + Sync,
    R: Future<Output = Result<bool>> + Send,
    G: FnOnce(Call, Made) -> S + Send,
    S: Future<Output = Result<(T, Vec<String>)>> + Send,
    T: Send,
{
    let settings = call.changes().clone();
    let recorder = settings.recorder.as_deref();
    let mut refusal = inherited(&change);
    let nothing_to_do = refusal.is_none() && change.is_done();
    if refusal.is_none() && !nothing_to_do {
        refusal = too_few_would_remain(call, &change, &settings).await?;
        warn_of_what_stays(&mut change);
    }
    let plan = plan(&change, nothing_to_do, refusal.as_ref(), &settings);
    if let Some(recorder) = recorder {
        recorder.planned(&plan).await?;
    }
    if let Some(refusal) = refusal {
        return Err(refusal);
    }
    if nothing_to_do {
        let (result, _) = result(call.clone(), Made::Before).await?;
        let gone = change.is_gone;
        return Ok((applied(change, true, gone), Some(result)));
    }
    if settings.dry_run {
        return Ok((applied(change, false, false), None));
    }
    if let Some(recorder) = recorder {
        recorder.intended(&plan).await?;
    }
    drop(plan);
    let mut carrying = Carrying {
        call,
        change: &change,
        read,
        request_ids: Vec::new(),
        read_back: false,
    };
    let mut end = carrying.run().await;
    let made = match end.outcome {
        Outcome::Done => Some(Made::Now),
        Outcome::Already => Some(Made::Before),
        _ => None,
    };
    let visible = if made.is_some() && settings.await_visible && carrying.can_look() {
        Some(carrying.look(&call.unstoppable()).await == Seen::AsWanted)
    } else {
        None
    };
    let mut added = ids(&change);
    let mut given = None;
    if let Some(made) = made {
        match result(call.unstoppable(), made).await {
            Ok((result, ids)) => {
                added.extend(ids);
                given = Some(result);
            }
            Err(error) => end.error = Some(error.during("it was made, but its result is missing")),
        }
    }
    if end.outcome == Outcome::Done && end.error.is_none() && !settings.force_protected {
        end.error = too_few_remain(&call.unstoppable(), &change).await.err();
    }
    let recorded = match recorder {
        Some(recorder) => {
            let (added, removed) = match end.outcome {
                Outcome::Done => (added, change.removed.clone()),
                _ => (Vec::new(), Vec::new()),
            };
            let report = Report {
                outcome: end.outcome,
                code: end.error.as_ref().map_or(Code::Ok, Error::code),
                error: end.error.as_ref(),
                request_ids: &carrying.request_ids,
                added: &added,
                removed: &removed,
                read_back: carrying.read_back,
                visible,
            };
            recorder.finished(&report).await
        }
        None => Ok(()),
    };
    match (end.error, recorded) {
        (Some(error), _) => Err(error),
        (None, Err(error)) => Err(error.during("the change was made, but not recorded")),
        (None, Ok(())) => {
            let already = end.outcome == Outcome::Already;
            Ok((applied(change, already, already), given))
        }
    }
}

fn applied(change: Change, already: bool, gone: bool) -> Applied {
    Applied {
        grants: change.grants,
        already,
        gone,
        replaced: change.replaced.filter(|_| !already),
    }
}

fn plan<'a>(
    change: &'a Change,
    nothing_to_do: bool,
    refusal: Option<&'a Error>,
    settings: &ChangeSettings,
) -> Plan<'a> {
    let (adds, removes, writes) = if nothing_to_do {
        (Vec::new(), Vec::new(), Vec::new())
    } else {
        let writes = change.writes.iter().map(|write| write.view().clone());
        (ids(change), change.removed.clone(), writes.collect())
    };
    Plan {
        operation: change.operation,
        before: &change.before,
        writes,
        adds,
        removes,
        warnings: &change.warnings,
        refusal,
        dry_run: settings.dry_run,
    }
}

fn ids(change: &Change) -> Vec<String> {
    let grants = change.grants.iter();
    grants.map(|grant| grant.id.clone()).collect()
}

/// The error of a revoke of what the principal holds only through others.
fn inherited(change: &Change) -> Option<Error> {
    match (&change.before, change.operation) {
        (Held::Indirectly { through }, Operation::Revoke) => {
            let through = through.clone();
            Some(Error::Inherited { through })
        }
        _ => None,
    }
}

fn warn_of_what_stays(change: &mut Change) {
    if change.operation == Operation::Revoke && !change.before.through().is_empty() {
        let names = Through::names(change.before.through());
        change
            .warnings
            .push(format!("access stays, since it also comes through {names}"));
    }
}

/// The error of a change that leaves a protected entitlement with too few
/// holders.
async fn too_few_would_remain(
    call: &Call,
    change: &Change,
    settings: &ChangeSettings,
) -> Result<Option<Error>> {
    if settings.force_protected {
        return Ok(None);
    }
    for protected in &change.protected {
        let (name, minimum) = (protected.name(), protected.minimum());
        let remaining = protected
            .remaining(call)
            .await
            .map_err(|error| error.during(format!("cannot count the holders of {name}")))?;
        if remaining < minimum {
            let text = format!(
                "{name} is protected: {} would remain, and at least {minimum} must",
                counted(u64::from(remaining), "active holder", "active holders")
            );
            let error = Error::stated(Code::FailedPrecondition, text);
            return Ok(Some(error.with_advice(Advice::ForceProtected)));
        }
    }
    Ok(None)
}

/// Counts again after the last write: others may have changed things at the
/// same time.
async fn too_few_remain(call: &Call, change: &Change) -> Result<()> {
    for protected in &change.protected {
        let (name, minimum) = (protected.name(), protected.minimum());
        let remaining = protected.remaining(call).await.map_err(|error| {
            error.during(format!(
                "the change was made, but the holders of {name} cannot be counted again"
            ))
        })?;
        if remaining < minimum {
            let text = format!(
                "the change was made, and now {name} has {}; at least {minimum} must remain, so \
                 grant it to another account",
                counted(u64::from(remaining), "active holder", "active holders")
            );
            return Err(Error::stated(Code::FailedPrecondition, text));
        }
    }
    Ok(())
}

/// A change on its way.
struct Carrying<'a, F> {
    call: &'a Call,
    change: &'a Change,
    /// Checks whether things are as wanted, unless the change does so itself.
    read: Option<F>,
    request_ids: Vec<String>,
    read_back: bool,
}

/// How it ended.
struct End {
    outcome: Outcome,
    error: Option<Error>,
}

/// What became of one write.
enum Fate {
    Made { already: bool },
    Failed(Error),
    Unknown(Error),
}

/// What reading back shows.
#[derive(PartialEq)]
enum Seen {
    AsWanted,
    Otherwise,
    Nothing,
}

impl<F, R> Carrying<'_, F>
where
    F: Fn(Call) -> R + Sync,
    R: Future<Output = Result<bool>> + Send,
{
    async fn run(&mut self) -> End {
        let change = self.change;
        let count = change.writes.len();
        let mut already = 0;
        let mut call = self.call.clone();
        for (sent, write) in change.writes.iter().enumerate() {
            let last = sent + 1 == count;
            match self.send(&call, write, last).await {
                Fate::Made { already: one } => already += usize::from(one),
                Fate::Failed(error) => return self.failed(error, sent),
                Fate::Unknown(error) => return self.unknown(error),
            }
            // What has begun is brought to its end.
            call = self.call.unstoppable();
        }
        let outcome = if already == count {
            Outcome::Already
        } else {
            Outcome::Done
        };
        End {
            outcome,
            error: None,
        }
    }

    /// Sends one write; once more where that does no harm and the first may
    /// not have arrived.
    async fn send(&mut self, call: &Call, write: &Write, last: bool) -> Fate {
        let lost = match self.send_once(call, write).await {
            Fate::Unknown(error) => error,
            known => return known,
        };
        self.read_back |= last && self.can_look();
        let call = self.call.unstoppable();
        let seen = if last {
            self.look(&call).await
        } else {
            Seen::Nothing
        };
        if seen == Seen::AsWanted {
            return Fate::Made { already: false };
        }
        if !write.is_repeatable() {
            return Fate::Unknown(lost);
        }
        match self.send_once(&call, write).await {
            Fate::Unknown(_) if last && self.look(&call).await == Seen::AsWanted => {
                Fate::Made { already: false }
            }
            // It was otherwise before the first write, which thus arrived after all.
            Fate::Made { .. } => Fate::Made { already: false },
            // A refusal is not about the first write, which was not seen to
            // have failed.
            Fate::Failed(error) if seen == Seen::Nothing => Fate::Unknown(error),
            fate => fate,
        }
    }

    /// Keeps the id of the request, also of one that failed: the application's
    /// log has it.
    async fn send_once(&mut self, call: &Call, write: &Write) -> Fate {
        match write.send(call).await {
            Ok(sent) => {
                self.request_ids.extend(sent.request_id);
                Fate::Made {
                    already: sent.already,
                }
            }
            Err(Unmade { request_id, error }) => {
                self.request_ids.extend(request_id);
                if error.leaves_outcome_open() {
                    Fate::Unknown(error)
                } else {
                    Fate::Failed(error)
                }
            }
        }
    }

    fn can_look(&self) -> bool {
        self.change.look.is_some() || self.read.is_some()
    }

    /// Reads until things are as wanted, for at most 30 s.
    async fn look(&self, call: &Call) -> Seen {
        let mut seen = Seen::Nothing;
        for wait in LOOKS {
            let as_wanted = match (&self.change.look, &self.read) {
                (Some(look), _) => {
                    sleep(wait).await;
                    look(call.clone()).await
                }
                (None, Some(read)) => {
                    sleep(wait).await;
                    read(call.clone()).await
                }
                (None, None) => return Seen::Nothing,
            };
            match as_wanted {
                Ok(true) => return Seen::AsWanted,
                Ok(false) => seen = Seen::Otherwise,
                Err(error) => {
                    tracing::debug!(%error, "cannot read back");
                }
            }
        }
        seen
    }

    fn failed(&self, error: Error, made: usize) -> End {
        if made == 0 {
            return End {
                outcome: Outcome::Failed,
                error: Some(error),
            };
        }
        let writes = &self.change.writes;
        let names = |writes: &[Write]| {
            let names: Vec<_> = writes.iter().map(Write::name).collect();
            names.join("; ")
        };
        let (done, not_done) = writes.split_at(made.min(writes.len()));
        End {
            outcome: Outcome::Partial,
            error: Some(error.during(format!(
                "the change is incomplete: {made} of {} {} made (done: {}; not done: {})",
                counted(writes.len() as u64, "write", "writes"),
                if made == 1 { "was" } else { "were" },
                names(done),
                names(not_done)
            ))),
        }
    }

    fn unknown(&self, error: Error) -> End {
        let safe = self.change.writes.iter().all(Write::is_repeatable);
        let advice = if safe {
            Advice::RunAgain
        } else {
            Advice::CheckApplication
        };
        let text = if self.can_look() {
            "the state is not known: the answer to a write was lost, and reading back does not \
             show the change"
        } else {
            "the state is not known: the answer to a write was lost, and it cannot be read back"
        };
        End {
            outcome: Outcome::Unknown,
            error: Some(Error::caused(Code::Unavailable, text, error).with_advice(advice)),
        }
    }
}
