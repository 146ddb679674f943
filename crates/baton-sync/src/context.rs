//! What every phase works with: the connector, the journal, the progress,
//! and nothing else.

use std::sync::Arc;

use baton_c1z::ListId;
use tokio_util::sync::CancellationToken;

use crate::check::PageRules;
use crate::error::Result;
use crate::event::{Event, Observer, Phase};
use crate::fetch::Fetcher;
use crate::journal::Journal;
use crate::progress::{self, Progress};
use crate::records::{self, Abandoned, Skip};

/// See the module's header.
pub(crate) struct Context {
    pub(crate) fetcher: Arc<Fetcher>,
    /// Replaced once, when the types are known.
    pub(crate) rules: Arc<PageRules>,
    pub(crate) journal: Journal,
    pub(crate) progress: Progress,
    /// Lists that may be asked for at once.
    pub(crate) width: usize,
    pub(crate) cancel: CancellationToken,
    pub(crate) observer: Arc<dyn Observer>,
}

impl Context {
    pub(crate) fn send(&self, event: &Event) {
        self.observer.event(event);
    }

    /// Ends a list whose rows are not to be in the file.
    pub(crate) async fn drop_list(&mut self, list: &ListId, skip: Skip) -> Result<()> {
        self.send(&Event::ListSkipped(progress::skipped(list, &skip)));
        // A list of several parts is in the file as a whole or not.
        for part in self.progress.split_lists.parts(list) {
            self.journal.drop_list(part.clone(), &skip).await?;
            self.progress.list_dropped(&part, skip.clone());
        }
        Ok(())
    }

    /// Ends a resource listing whose earlier pages are to be in the file.
    pub(crate) async fn abandon(&mut self, list: &ListId, reason: String) -> Result<()> {
        let mark = records::to_text(&Abandoned::of(list, &reason));
        self.journal
            .mark(records::ABANDONED, mark.into_bytes())
            .await?;
        let skip = Skip {
            kind: crate::report::SkipKind::Abandoned,
            reason: reason.clone(),
            advice: Vec::new(),
        };
        self.send(&Event::ListSkipped(progress::skipped(list, &skip)));
        self.progress.list_abandoned(list, reason);
        Ok(())
    }

    /// Ends a phase, durably.
    pub(crate) async fn end_phase(&mut self, phase: Phase) -> Result<()> {
        self.progress.check_warnings()?;
        self.progress.check_cursors(phase)?;
        self.journal
            .mark(records::PHASE, phase.name().as_bytes().to_vec())
            .await?;
        self.journal.sync().await?;
        self.progress.phase_done(phase);
        self.send(&Event::PhaseFinished {
            phase,
            rows: self.progress.rows_of(phase),
        });
        Ok(())
    }
}
