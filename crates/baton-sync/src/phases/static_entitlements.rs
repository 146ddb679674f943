//! Entitlements that every resource of a type has: the connector gives
//! templates per type, the engine makes the rows.

use async_trait::async_trait;
use baton_c1z::{ListId, Op};
use baton_proto::c1::connector::v2;
use prost::Message;

use super::ListPhase;
use crate::check::{Checked, StoredRow};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::event::{Event, Phase};
use crate::journal::Arrived;
use crate::list::{self, OpenList};
use crate::records;
use crate::template;

/// Rows that make one page of the log, and are in memory at a time.
const ROWS_PER_PAGE: usize = 1024;

/// Lists the templates of each type that has resources; then makes the rows.
#[derive(Debug)]
pub(crate) struct StaticEntitlements;

#[async_trait]
impl ListPhase for StaticEntitlements {
    fn phase(&self) -> Phase {
        Phase::StaticEntitlements
    }

    fn plan(&mut self, cx: &mut Context) -> Option<u64> {
        let types = types_with_resources(cx);
        for (_, type_id) in &types {
            let list = ListId::static_entitlements(type_id);
            cx.progress.plan.number(&list);
        }
        Some(types.len() as u64)
    }

    async fn next(&mut self, cx: &mut Context) -> Result<Option<OpenList>> {
        while let Some(list) = cx.progress.plan.open_next() {
            // An interrupted run may have planned the lists of rows too.
            if matches!(list, ListId::StaticEntitlements { .. }) {
                return Ok(Some(cx.progress.open(list)));
            }
        }
        Ok(None)
    }

    async fn finish(&mut self, cx: &mut Context) -> Result<()> {
        if cx.progress.is_done(Phase::StaticEntitlements) {
            return Ok(());
        }
        for (kind, type_id) in types_with_resources(cx) {
            let templates = cx.progress.templates.get(&type_id);
            let templates = templates.into_iter().flatten();
            let templates: Vec<v2::Entitlement> = templates
                .map(|bytes| records::template(bytes))
                .collect::<Result<_>>()?;
            if !templates.is_empty() {
                make_rows(cx, kind, &type_id, &templates).await?;
            }
        }
        cx.progress.templates.clear();
        Ok(())
    }
}

fn types_with_resources(cx: &Context) -> Vec<(u32, String)> {
    let types = cx.rules.types.iter().zip(0u32..);
    types
        .filter(|(_, kind)| !cx.progress.index.of_kind(*kind).is_empty())
        .map(|((type_id, _), kind)| (kind, type_id.to_owned()))
        .collect()
}

/// Stores the rows of one type, page by page in the order of resource ids.
/// The token of a page is the id of the last resource on the page before.
async fn make_rows(
    cx: &mut Context,
    kind: u32,
    type_id: &str,
    templates: &[v2::Entitlement],
) -> Result<()> {
    let list = list::template_rows(type_id);
    if cx.progress.plan.is_ended(&list) {
        return Ok(());
    }
    let mut list = cx.progress.open(list);
    loop {
        if cx.cancel.is_cancelled() {
            return Err(Error::Interrupted {
                phase: Phase::StaticEntitlements,
            });
        }
        let index = &cx.progress.index;
        let all = index.of_kind(kind);
        let start = match list.token.as_str() {
            "" => all.start,
            last => index.after(kind, last),
        };
        let resources = (ROWS_PER_PAGE / templates.len().max(1)).max(1);
        let slots = start..all.end.min(start + resources);
        let next = if slots.end < all.end {
            index.id(slots.end - 1).to_owned()
        } else {
            String::new()
        };
        let refs = slots.filter_map(|slot| index.row(slot)).collect();
        let mut page = Checked {
            next: next.clone(),
            ..Checked::default()
        };
        for stored in cx.journal.rows(refs).await? {
            let resource = v2::Resource::decode(stored.as_slice());
            let resource = resource.map_err(|_| Error::Journal {
                what: "stored resource",
            })?;
            for template in templates {
                let row = template::instantiate(template, &resource, &stored)?;
                page.rows.push(StoredRow::entitlement(row));
            }
        }
        let page = page.keyed(Op::StaticEntitlements);
        let mut stored = cx.journal.append(vec![Arrived { list, page }]).await?;
        let Some((Arrived { list: read, page }, refs)) = stored.pop() else {
            return Ok(());
        };
        cx.progress.page_stored(&read, page, &refs)?;
        cx.send(&Event::Page {
            phase: Phase::StaticEntitlements,
            type_id: type_id.to_owned(),
            rows: refs.len() as u64,
            last: false,
        });
        if next.is_empty() {
            return Ok(());
        }
        list = OpenList {
            page: read.page + 1,
            token: next,
            ..read
        };
    }
}
