//! Entitlements, and then grants, of each resource. Both ask once per
//! resource with the stored resource, so both are this one type. Of some
//! types all resources are asked about at once; and a page can name further
//! lists that together make up the one that it is of.

use std::collections::VecDeque;

use async_trait::async_trait;
use baton_c1z::{ListId, Op};
use baton_proto::bid::TypedId;
use baton_proto::c1::connector::v2;
use prost::Message;

use super::ListPhase;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::event::Phase;
use crate::index::ListKind;
use crate::list::{self, OpenList};
use crate::types::{Skips, TypeFacts};

/// Resources that are read back from the log at a time.
const READ_AHEAD: usize = 64;

/// Lists entitlements or grants of every resource that wants it.
#[derive(Debug)]
pub(crate) struct ResourceLists {
    what: ListKind,
    /// What is left, as slots of the index in the order of the log.
    slots: std::vec::IntoIter<usize>,
    ahead: VecDeque<v2::Resource>,
}

impl ResourceLists {
    pub(crate) fn of(what: ListKind) -> Self {
        Self {
            what,
            slots: Vec::new().into_iter(),
            ahead: VecDeque::new(),
        }
    }

    fn op(&self) -> Op {
        match self.what {
            ListKind::Entitlements => Op::Entitlements,
            ListKind::Grants => Op::Grants,
        }
    }

    /// Whether a type's resources are not asked about one by one.
    fn is_scoped(&self, facts: &TypeFacts) -> bool {
        match self.what {
            ListKind::Entitlements => facts.scoped_entitlements,
            ListKind::Grants => facts.scoped_grants,
        }
    }

    fn wants(&self, own: Skips, of_type: Skips) -> bool {
        match self.what {
            ListKind::Entitlements => own.wants_entitlements(of_type),
            ListKind::Grants => own.wants_grants(of_type),
        }
    }

    /// Resources to be asked about, those already done left out.
    fn wanted(&self, cx: &Context) -> Vec<usize> {
        let (index, types) = (&cx.progress.index, &cx.rules.types);
        let wants = |slot: &usize| {
            let kind = index.kind(*slot).and_then(|kind| types.numbered(kind));
            let Some((kind, facts)) = kind else {
                return false;
            };
            let targeted = cx.rules.targets.as_ref().is_none_or(|targets| {
                targets.contains(&TypedId {
                    resource_type: kind.to_owned(),
                    resource: index.id(*slot).to_owned(),
                })
            });
            targeted
                && !self.is_scoped(facts)
                && !index.is_done(*slot, self.what)
                && self.wants(index.skips(*slot), facts.skips)
        };
        let mut slots = index.in_log_order();
        slots.retain(wants);
        slots
    }

    /// Types that are asked about as a whole. A sync of named resources asks
    /// about no type.
    fn wanted_types(&self, cx: &Context) -> Vec<ListId> {
        if cx.rules.targets.is_some() {
            return Vec::new();
        }
        let types = cx.rules.types.iter();
        types
            .filter(|(_, facts)| self.is_scoped(facts))
            .filter(|(_, facts)| self.wants(Skips::default(), facts.skips))
            .map(|(id, _)| match self.what {
                ListKind::Entitlements => ListId::entitlements_of_type(id),
                ListKind::Grants => ListId::grants_of_type(id),
            })
            .collect()
    }

    /// The next list that is known one by one: of a type, or a further one
    /// that a page has named.
    async fn next_planned(&self, cx: &mut Context) -> Result<Option<OpenList>> {
        let list = loop {
            match cx.progress.plan.open_next() {
                Some(list) if list.op() == self.op() => break list,
                Some(_) => {}
                None => return Ok(None),
            }
        };
        let row = list::resource_of(&list).and_then(|id| {
            let kind = cx.progress.types.number(&id.type_id)?;
            let index = &cx.progress.index;
            index.row(index.find(kind, &id.id)?)
        });
        let mut list = cx.progress.open(list);
        if let Some(row) = row {
            let rows = cx.journal.rows(vec![row]).await?;
            list.resource = rows
                .first()
                .map(|row| decode(row))
                .transpose()?
                .map(Box::new);
        }
        Ok(Some(list))
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
            self.ahead.push_back(decode(&row)?);
        }
        Ok(())
    }
}

fn decode(row: &[u8]) -> Result<v2::Resource> {
    v2::Resource::decode(row).map_err(|_| Error::Journal {
        what: "stored resource",
    })
}

#[async_trait]
impl ListPhase for ResourceLists {
    fn phase(&self) -> Phase {
        match self.what {
            ListKind::Entitlements => Phase::Entitlements,
            ListKind::Grants => Phase::Grants,
        }
    }

    fn plan(&mut self, cx: &mut Context) -> Option<u64> {
        let slots = self.wanted(cx);
        let types = self.wanted_types(cx);
        let count = slots.len() + types.len();
        for list in types {
            cx.progress.plan.number(&list);
        }
        self.slots = slots.into_iter();
        Some(count as u64)
    }

    async fn next(&mut self, cx: &mut Context) -> Result<Option<OpenList>> {
        if let Some(list) = self.next_planned(cx).await? {
            return Ok(Some(list));
        }
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
            ListKind::Entitlements => ListId::entitlements(kind, id),
            ListKind::Grants => ListId::grants(kind, id),
        };
        let mut list = cx.progress.open(list);
        list.resource = Some(Box::new(resource));
        Ok(Some(list))
    }

    async fn finish(&mut self, _: &mut Context) -> Result<()> {
        Ok(())
    }
}
