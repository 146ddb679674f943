//! The phases that read lists, one type each. A phase decides which lists there
//! are and what follows when all have been read; the loop does the rest.

mod entitlements;
mod resource_types;
mod resources;
mod static_entitlements;
mod targets;

pub(crate) use entitlements::ResourceLists;
pub(crate) use resource_types::ResourceTypes;
pub(crate) use resources::Resources;
pub(crate) use static_entitlements::StaticEntitlements;
pub(crate) use targets::{Related, Targets, chosen, ids as target_ids};

use async_trait::async_trait;

use crate::context::Context;
use crate::error::Result;
use crate::event::Phase;
use crate::list::OpenList;
use crate::records::Skip;
use crate::report::SkipKind;

/// A phase. Its planning begins when the phase before is done.
#[async_trait]
pub(crate) trait ListPhase: Send {
    fn phase(&self) -> Phase;

    /// Plans the phase. Gives the number of lists, if that is known before
    /// they are read. Called once, before the first list is asked for.
    fn plan(&mut self, cx: &mut Context) -> Option<u64>;

    /// The next list to start or to continue; `None` if there is none now. More may turn up while others are being read.
    async fn next(&mut self, cx: &mut Context) -> Result<Option<OpenList>>;

    /// What is left to do when all lists have been read.
    async fn finish(&mut self, cx: &mut Context) -> Result<()>;
}

/// At the end of the resources: drops lists under parents that turned out
/// not to be there.
async fn drop_orphans(cx: &mut Context) -> Result<()> {
    if cx.progress.is_done(Phase::Resources) {
        return Ok(());
    }
    for list in cx.progress.orphans() {
        let skip = Skip {
            kind: SkipKind::Vanished,
            reason: "its parent is no longer listed".to_owned(),
            advice: Vec::new(),
        };
        cx.journal.drop_list(list.clone(), &skip).await?;
        cx.progress.list_dropped(&list, skip);
    }
    Ok(())
}
