//! Entitlements, and then grants, of each resource. Both ask once per
//! resource with the stored resource, so both are this one type.

use std::collections::VecDeque;

use async_trait::async_trait;
use baton_c1z::ListId;
use baton_proto::bid::TypedId;
use baton_proto::c1::connector::v2;
use prost::Message;

use super::ListPhase;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::event::Phase;
use crate::index::Done;
use crate::list::OpenList;

/// Resources that are read back from the log at a time.
const READ_AHEAD: usize = 64;

/// Lists entitlements or grants of every resource that wants it.
#[derive(Debug)]
pub(crate) struct ResourceLists {
    what: Done,
    /// What is left, as slots of the index in the order of the log.
    slots: std::vec::IntoIter<usize>,
    ahead: VecDeque<v2::Resource>,
}

impl ResourceLists {
    pub(crate) fn of(what: Done) -> Self {
        Self {
            what,
            slots: Vec::new().into_iter(),
            ahead: VecDeque::new(),
        }
    }

    /// Resources to be asked about, those already done left out.
    fn wanted(&self, cx: &Context) -> Vec<usize> {
        let (index, types) = (&cx.progress.index, &cx.rules.types);
        let wants = |slot: &usize| {
            let kind = index.kind(*slot).and_then(|kind| types.numbered(kind));
            let of_type = kind.map(|(_, facts)| facts.skips).unwrap_or_default();
            let own = index.skips(*slot);
            let targeted = cx.rules.targets.as_ref().is_none_or(|targets| {
                kind.is_some_and(|(kind, facts)| {
                    let id = TypedId {
                        resource_type: kind.to_owned(),
                        resource: index.id(*slot).to_owned(),
                    };
                    !facts.type_scoped && targets.contains(&id)
                })
            });
            targeted
                && !index.is_done(*slot, self.what)
                && match self.what {
                    Done::Entitlements => own.wants_entitlements(of_type),
                    Done::Grants => own.wants_grants(of_type),
                }
        };
        let mut slots = index.in_log_order();
        slots.retain(wants);
        slots
    }

    async fn read_ahead(&mut self, cx: &mut Context) -> Result<()> {
        let slots = self.slots.by_ref().take(READ_AHEAD);
        let rows: Vec<_> = slots
            .filter_map(|slot| cx.progress.index.row(slot))
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        for row in cx.journal.rows(rows).await? {
            let resource = v2::Resource::decode(row.as_slice()).map_err(|_| Error::Journal {
                what: "stored resource",
            })?;
            self.ahead.push_back(resource);
        }
        Ok(())
    }
}

#[async_trait]
impl ListPhase for ResourceLists {
    fn phase(&self) -> Phase {
        match self.what {
            Done::Entitlements => Phase::Entitlements,
            Done::Grants => Phase::Grants,
        }
    }

    fn plan(&mut self, cx: &mut Context) -> Option<u64> {
        let slots = self.wanted(cx);
        let count = slots.len() as u64;
        self.slots = slots.into_iter();
        Some(count)
    }

    async fn next(&mut self, cx: &mut Context) -> Result<Option<OpenList>> {
        if self.ahead.is_empty() {
            self.read_ahead(cx).await?;
        }
        let Some(resource) = self.ahead.pop_front() else {
            return Ok(None);
        };
        let id = resource.id.as_ref();
        let kind = id.map_or("", |id| &id.resource_type);
        let id = id.map_or("", |id| &id.resource);
        let list = match self.what {
            Done::Entitlements => ListId::entitlements(kind, id),
            Done::Grants => ListId::grants(kind, id),
        };
        let mut list = cx.progress.open(list);
        list.resource = Some(Box::new(resource));
        Ok(Some(list))
    }

    async fn finish(&mut self, _: &mut Context) -> Result<()> {
        Ok(())
    }
}
