//! Resources of every type, and below those that name child types the
//! children, to any depth.

use async_trait::async_trait;
use baton_c1z::ListId;

use super::ListPhase;
use crate::context::Context;
use crate::error::Result;
use crate::event::Phase;
use crate::list::OpenList;

/// Lists the resources.
#[derive(Debug)]
pub(crate) struct Resources;

#[async_trait]
impl ListPhase for Resources {
    fn phase(&self) -> Phase {
        Phase::Resources
    }

    /// The number of lists stays open: children turn up on the way.
    fn plan(&mut self, cx: &mut Context) -> Option<u64> {
        for (type_id, _) in cx.rules.types.iter() {
            cx.progress.plan.number(&ListId::resources(type_id, None));
        }
        None
    }

    async fn next(&mut self, cx: &mut Context) -> Result<Option<OpenList>> {
        let list = cx.progress.plan.open_next();
        Ok(list.map(|list| cx.progress.open(list)))
    }

    async fn finish(&mut self, cx: &mut Context) -> Result<()> {
        super::drop_orphans(cx).await
    }
}
