//! Resources that are asked for one by one: those that a targeted sync
//! names, and those that its grants turn out to be on (sync-runtime.md §1.4).

use std::collections::BTreeSet;

use async_trait::async_trait;
use baton_c1z::ListId;
use baton_proto::bid::{ResourceBid, TypedId};

use super::ListPhase;
use crate::context::Context;
use crate::error::Result;
use crate::event::Phase;
use crate::list::{OpenList, single};

/// The resources to be asked for: each once, none of a type that is not wanted.
pub(crate) fn chosen(targets: &[ResourceBid], filter: &[String]) -> Vec<ResourceBid> {
    let wanted =
        |target: &&ResourceBid| filter.is_empty() || filter.contains(&target.id.resource_type);
    let chosen: BTreeSet<&ResourceBid> = targets.iter().filter(wanted).collect();
    chosen.into_iter().cloned().collect()
}

/// Type and id of each resource that is asked for.
pub(crate) fn ids(targets: &[ResourceBid]) -> BTreeSet<TypedId> {
    targets.iter().map(|target| target.id.clone()).collect()
}

/// Asks for the named resources, and lists children below them.
#[derive(Debug)]
pub(crate) struct Targets {
    pub(crate) chosen: Vec<ResourceBid>,
}

#[async_trait]
impl ListPhase for Targets {
    fn phase(&self) -> Phase {
        Phase::Resources
    }

    fn plan(&mut self, cx: &mut Context) -> Option<u64> {
        for target in &self.chosen {
            cx.progress.plan.number(&single(target));
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

/// Asks for the resources that grants are on and that nothing has listed.
#[derive(Debug, Default)]
pub(crate) struct Related {
    left: Vec<ListId>,
}

#[async_trait]
impl ListPhase for Related {
    fn phase(&self) -> Phase {
        Phase::RelatedResources
    }

    fn plan(&mut self, cx: &mut Context) -> Option<u64> {
        let (types, index) = (&cx.rules.types, &cx.progress.index);
        let is_stored = |id: &TypedId| {
            let kind = types.number(&id.resource_type);
            kind.is_some_and(|kind| index.find(kind, &id.resource).is_some())
        };
        let missing = cx.progress.related.iter();
        let missing = missing.filter(|target| !is_stored(&target.id));
        let missing: Vec<ListId> = missing.map(single).collect();
        for list in &missing {
            cx.progress.plan.number(list);
        }
        self.left = missing;
        let plan = &cx.progress.plan;
        self.left.retain(|list| !plan.is_ended(list));
        // The last is taken first.
        self.left.reverse();
        Some(self.left.len() as u64)
    }

    async fn next(&mut self, cx: &mut Context) -> Result<Option<OpenList>> {
        Ok(self.left.pop().map(|list| cx.progress.open(list)))
    }

    async fn finish(&mut self, _: &mut Context) -> Result<()> {
        Ok(())
    }
}
