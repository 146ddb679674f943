//! The first phase: which types there are, and which of them are wanted.

use std::sync::Arc;

use async_trait::async_trait;
use baton_c1z::ListId;

use super::ListPhase;
use crate::check::PageRules;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::event::Phase;
use crate::list::OpenList;

/// Lists the resource types.
#[derive(Debug)]
pub(crate) struct ResourceTypes;

#[async_trait]
impl ListPhase for ResourceTypes {
    fn phase(&self) -> Phase {
        Phase::ResourceTypes
    }

    fn plan(&mut self, cx: &mut Context) -> Option<u64> {
        cx.progress.plan.number(&ListId::resource_types());
        Some(1)
    }

    async fn next(&mut self, cx: &mut Context) -> Result<Option<OpenList>> {
        let list = cx.progress.plan.open_next();
        Ok(list.map(|list| cx.progress.open(list)))
    }

    /// From here on records are judged by the types that there are.
    async fn finish(&mut self, cx: &mut Context) -> Result<()> {
        let types = &cx.progress.types;
        if let Some(name) = cx
            .rules
            .filter
            .iter()
            .find(|name| types.get(name).is_none())
        {
            return Err(Error::UnknownFilterType { name: name.clone() });
        }
        cx.rules = Arc::new(PageRules {
            types: types.clone(),
            ..PageRules::clone(&cx.rules)
        });
        Ok(())
    }
}
