//! Rows that no list has, so that a file is whole: the entitlements that
//! grants are on, and the resources of those entitlements.
//!
//! A page of grants names candidates. When grants arrive, all resources have
//! been listed, so it is known which candidates are needed; the rows are
//! stored in the record of their page and share its fate. Where a list has a
//! row of the same id after all, sealing takes that one.

use std::collections::HashMap;

use baton_connector::Added;
use baton_proto::c1::connector::v2;
use baton_proto::encode;
use prost::Message;

use crate::check::{self, Checked, StoredRow};
use crate::context::Context;
use crate::error::{Error, Result};

/// Entitlements that are remembered; then all are forgotten.
const MAX_REMEMBERED: usize = 1024;

/// Makes the rows. Remembers what the connector made: a listed resource is
/// read back from the log, and a connector in another process is called.
#[derive(Debug, Default)]
pub(crate) struct Adder {
    made: HashMap<(String, String, String), Made>,
}

/// What the connector made of a resource and a slug.
#[derive(Debug)]
struct Made {
    /// The resource; `None` for the listed one.
    of: Option<v2::Resource>,
    entitlement: Option<Entitlement>,
}

#[derive(Debug, Clone)]
struct Entitlement {
    id: String,
    grouped: bool,
    row: Vec<u8>,
}

impl Adder {
    /// Puts the rows that are needed on a page of grants.
    pub(crate) async fn add(&mut self, cx: &mut Context, page: &mut Checked) -> Result<()> {
        for added in std::mem::take(&mut page.added) {
            let id = added.resource.id.clone().unwrap_or_default();
            let kind = cx.progress.types.number(&id.resource_type);
            let index = &cx.progress.index;
            let slot = kind.and_then(|kind| index.find(kind, &id.resource));
            let row = slot.and_then(|slot| index.row(slot));
            if row.is_some() && added.listed_with_resource {
                continue;
            }
            let of = row.is_none().then_some(&added.resource);
            let key = (id.resource_type, id.resource, added.slug.clone());
            let known = self.made.get(&key);
            let known = known.filter(|made| made.of.as_ref() == of);
            let entitlement = if let Some(made) = known {
                made.entitlement.clone()
            } else {
                let entitlement = match row {
                    Some(row) => {
                        let rows = cx.journal.rows(vec![row]).await?;
                        let listed = rows.first().map(|row| decode(row)).transpose()?;
                        make(cx, &listed.unwrap_or_default(), &added.slug).await?
                    }
                    None => make(cx, &added.resource, &added.slug).await?,
                };
                if self.made.len() >= MAX_REMEMBERED {
                    self.made.clear();
                }
                let of = of.cloned();
                let made = Made {
                    of,
                    entitlement: entitlement.clone(),
                };
                self.made.insert(key, made);
                entitlement
            };
            let is_listed = slot.is_some();
            // What no grant of the page is on after all is not added.
            let entitlement = entitlement.filter(|made| page.granted.contains(&made.id));
            if let Some(entitlement) = entitlement {
                put(page, &added, is_listed, entitlement)?;
            }
        }
        Ok(())
    }
}

fn put(page: &mut Checked, added: &Added, is_listed: bool, made: Entitlement) -> Result<()> {
    if !is_listed {
        check::refuse_baton_id(&added.resource)?;
        let row = StoredRow::resource(encode::to_vec(&added.resource)).added();
        if !page.rows.contains(&row) {
            page.rows.push(row);
        }
    }
    page.facts.grouped |= made.grouped;
    page.rows.push(StoredRow::entitlement(made.row).added());
    Ok(())
}

async fn make(cx: &Context, resource: &v2::Resource, slug: &str) -> Result<Option<Entitlement>> {
    let fetcher = &cx.fetcher;
    let made = fetcher
        .connector
        .added_entitlement(&fetcher.call, resource, slug);
    let made = made.await.map_err(|source| Error::Connector {
        doing: format!("make the entitlement `{slug}` that no list has"),
        source,
    })?;
    let whole = made.filter(|made| {
        !made.id.is_empty() && made.resource.as_ref().is_some_and(check::has_whole_id)
    });
    let Some(made) = whole else {
        return Ok(None);
    };
    Ok(Some(Entitlement {
        grouped: check::is_grouped(&made)?,
        row: encode::to_vec(&made),
        id: made.id,
    }))
}

fn decode(row: &[u8]) -> Result<v2::Resource> {
    v2::Resource::decode(row).map_err(|_| Error::Journal {
        what: "stored resource",
    })
}
