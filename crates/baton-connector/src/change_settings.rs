//! How changes of a call are made, and who records them.

use std::sync::Arc;

use async_trait::async_trait;
use baton_crypto::ClientSecret;
use baton_proto::Code;

use crate::error::{Error, Result};
use crate::held::{Held, Operation};
use crate::write_view::WriteView;

/// How the changes of a call are made; see [`Call::with_changes`](crate::Call::with_changes).
#[derive(Clone, Default)]
pub struct ChangeSettings {
    /// Send no write: describe and judge only.
    pub dry_run: bool,
    /// Carry out changes that leave a protected entitlement with too few
    /// holders.
    pub force_protected: bool,
    /// Wait, for at most 30 s, until what was changed shows when it is read.
    pub await_visible: bool,
    /// Who records them.
    pub recorder: Option<Arc<dyn Recorder>>,
    /// The secret whose key opens the passwords that requests carry encrypted.
    pub client_secret: Option<Arc<ClientSecret>>,
}

impl std::fmt::Debug for ChangeSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChangeSettings")
            .field("dry_run", &self.dry_run)
            .field("force_protected", &self.force_protected)
            .field("await_visible", &self.await_visible)
            .field("recorded", &self.recorder.is_some())
            .field("opens_passwords", &self.client_secret.is_some())
            .finish()
    }
}

/// A change that was described and judged.
#[derive(Debug)]
pub struct Plan<'a> {
    /// What it does.
    pub operation: Operation,
    /// How things are before.
    pub before: &'a Held,
    /// Its writes, in order; none if there is nothing to do.
    pub writes: Vec<WriteView>,
    /// Ids of grants that it adds.
    pub adds: Vec<String>,
    /// Ids of grants that it removes.
    pub removes: Vec<String>,
    /// What the user must know.
    pub warnings: &'a [String],
    /// Why it is refused, if it is.
    pub refusal: Option<&'a Error>,
    /// It will not be carried out.
    pub dry_run: bool,
}

/// What became of a change.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was made.
    Done,
    /// There was nothing to do.
    Already,
    /// It was not made, and nothing is different.
    Failed,
    /// Some of its writes were made, others not.
    Partial,
    /// Whether it was made is not known.
    Unknown,
    /// It would be made.
    DryRun,
}

impl Outcome {
    /// The outcome as one word, as records have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Already => "already",
            Self::Failed => "failed",
            Self::Partial => "partial",
            Self::Unknown => "unknown",
            Self::DryRun => "dry_run",
        }
    }
}

/// The end of a change.
#[derive(Debug)]
pub struct Report<'a> {
    /// What became of it.
    pub outcome: Outcome,
    /// The code of its error; `Ok` without one.
    pub code: Code,
    /// Why it is not done, or what is wrong although it is.
    pub error: Option<&'a Error>,
    /// The application's ids of the writes, as far as it gave them.
    pub request_ids: &'a [String],
    /// Ids of grants that were really added.
    pub added: &'a [String],
    /// Ids of grants that were really removed.
    pub removed: &'a [String],
    /// The outcome was found by reading, since the answer to a write was lost.
    pub read_back: bool,
    /// Whether the change shows when it is read; `None` if that was not asked
    /// for.
    pub visible: Option<bool>,
}

/// Records changes.
#[async_trait]
pub trait Recorder: Send + Sync {
    /// A change was described and judged. Also in dry runs, and when there is
    /// nothing to do. Called once per change, before [`Recorder::intended`].
    ///
    /// # Errors
    /// Refuse the change.
    async fn planned(&self, plan: &Plan<'_>) -> Result<()> {
        let _ = plan;
        Ok(())
    }

    /// The first write of the change is about to be sent.
    ///
    /// # Errors
    /// Refuse the change: nothing is sent.
    async fn intended(&self, plan: &Plan<'_>) -> Result<()>;

    /// An intended change ended.
    ///
    /// # Errors
    /// Reach the caller, with what became of the change.
    async fn finished(&self, report: &Report<'_>) -> Result<()>;
}
