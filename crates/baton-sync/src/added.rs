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

/// Entitlements of listed resources that are remembered; then all are
/// forgotten.
const MAX_REMEMBERED: usize = 1024;

/// Makes the rows. Remembers what it made for listed resources, which are
/// read back from the log.
#[derive(Debug, Default)]
pub(crate) struct Adder {
    made: HashMap<(String, String, String), Option<Entitlement>>,
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
            let entitlement = match slot.and_then(|slot| index.row(slot)) {
                Some(_) if added.listed_with_resource => continue,
                Some(row) => {
                    let key = (id.resource_type, id.resource, added.slug.clone());
                    if let Some(made) = self.made.get(&key) {
                        made.clone()
                    } else {
                        let rows = cx.journal.rows(vec![row]).await?;
                        let listed = rows.first().map(|row| decode(row)).transpose()?;
                        let listed = listed.unwrap_or_default();
                        let made = make(cx, &listed, &added.slug)?;
                        if self.made.len() >= MAX_REMEMBERED {
                            self.made.clear();
                        }
                        self.made.insert(key, made.clone());
                        made
                    }
                }
                None => make(cx, &added.resource, &added.slug)?,
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

fn make(cx: &Context, resource: &v2::Resource, slug: &str) -> Result<Option<Entitlement>> {
    let Some(local) = cx.fetcher.connector.local() else {
        return Ok(None);
    };
    let made = local.added_entitlement(resource, slug);
    let made = made.map_err(|source| Error::Connector {
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
