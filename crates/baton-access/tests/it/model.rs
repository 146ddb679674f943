//! A small file in memory: rows in canonical order, and what becomes of them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use baton_access::{ExpandOptions, GraphExpander};
use baton_c1z::{Expander, GrantChange, OwnedRow, Row, SortedRows, Table};
use baton_proto::c1::connector::v2;
use baton_proto::{any, encode, wire};
use serde::Deserialize;

pub type Pair = (String, String);

#[derive(Debug, Clone, Deserialize)]
pub struct Entitlement {
    pub id: String,
    pub resource: Pair,
    #[serde(default = "yes")]
    pub stored: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Expandable {
    pub entitlement_ids: Vec<String>,
    pub shallow: bool,
    pub resource_type_ids: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Grant {
    pub id: String,
    pub entitlement: String,
    pub principal: Pair,
    pub expandable: Option<Expandable>,
    #[serde(default)]
    pub sources: BTreeMap<String, bool>,
    #[serde(default)]
    pub immutable: bool,
    #[serde(default = "yes")]
    pub needs_expansion: bool,
    /// Display name of the embedded principal.
    #[serde(default)]
    pub label: String,
}

fn yes() -> bool {
    true
}

/// What a test compares of a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub entitlement: String,
    pub principal: Pair,
    pub sources: BTreeMap<String, bool>,
    pub immutable: bool,
    pub label: String,
}

impl Grant {
    pub fn seen(&self) -> Seen {
        Seen {
            entitlement: self.entitlement.clone(),
            principal: self.principal.clone(),
            sources: self.sources.clone(),
            immutable: self.immutable,
            label: self.label.clone(),
        }
    }
}

/// Rows as a sealer hands them out.
#[derive(Debug, Clone, Default)]
pub struct File {
    pub entitlements: Vec<OwnedRow>,
    pub grants: Vec<OwnedRow>,
}

fn resource((type_id, id): &Pair, label: &str) -> v2::Resource {
    v2::Resource {
        id: Some(v2::ResourceId {
            resource_type: type_id.clone(),
            resource: id.clone(),
            ..Default::default()
        }),
        display_name: label.to_owned(),
        ..Default::default()
    }
}

pub fn entitlement_message(entitlement: &Entitlement) -> v2::Entitlement {
    v2::Entitlement {
        id: entitlement.id.clone(),
        resource: Some(resource(&entitlement.resource, "its resource")),
        display_name: format!("name of {}", entitlement.id),
        slug: "slug".to_owned(),
        ..Default::default()
    }
}

/// The parts of the v3 key, then the id.
pub fn canonical_key(row: &OwnedRow) -> Vec<String> {
    let entitlement = if row.entitlement_id.is_empty() {
        &row.id
    } else {
        &row.entitlement_id
    };
    let own = format!("{}:{}:", row.resource_type_id, row.resource_id);
    let (flag, tail) = match entitlement.strip_prefix(&own) {
        Some(tail) => ("1", tail),
        None => ("0", entitlement.as_str()),
    };
    let parts = [
        &row.resource_type_id,
        &row.resource_id,
        flag,
        tail,
        &row.principal_type_id,
        &row.principal_id,
        &row.id,
    ];
    parts.map(str::to_owned).to_vec()
}

impl File {
    pub fn new(entitlements: &[Entitlement], grants: &[Grant]) -> Self {
        let mut file = Self::default();
        for entitlement in entitlements.iter().filter(|e| e.stored) {
            file.entitlements.push(OwnedRow {
                id: entitlement.id.clone(),
                resource_type_id: entitlement.resource.0.clone(),
                resource_id: entitlement.resource.1.clone(),
                data: encode::to_vec(&entitlement_message(entitlement)),
                ..Default::default()
            });
        }
        for grant in grants {
            let on = entitlements.iter().find(|e| e.id == grant.entitlement);
            file.push(on.expect("a known entitlement"), grant);
        }
        file.sort();
        file
    }

    pub fn from_rows(entitlements: Vec<OwnedRow>, grants: Vec<OwnedRow>) -> Self {
        let mut file = Self {
            entitlements,
            grants,
        };
        file.sort();
        file
    }

    fn push(&mut self, on: &Entitlement, grant: &Grant) {
        let mut annotations = Vec::new();
        if grant.immutable {
            annotations.push(any::pack(&v2::GrantImmutable::default()));
        }
        let sources = grant.sources.iter().map(|(id, &is_direct)| {
            let value = v2::grant_sources::GrantSource { is_direct };
            (id.clone(), value)
        });
        let message = v2::Grant {
            id: grant.id.clone(),
            entitlement: Some(entitlement_message(on)),
            principal: Some(resource(&grant.principal, &grant.label)),
            annotations,
            sources: (!grant.sources.is_empty()).then(|| v2::GrantSources {
                sources: sources.collect(),
            }),
        };
        let mut data = encode::to_vec(&message);
        // Something that a later version wrote.
        wire::put_bytes(&mut data, 99, b"unknown");
        let expansion = grant.expandable.as_ref().filter(|_| grant.needs_expansion);
        self.grants.push(OwnedRow {
            id: grant.id.clone(),
            resource_type_id: on.resource.0.clone(),
            resource_id: on.resource.1.clone(),
            entitlement_id: on.id.clone(),
            principal_type_id: grant.principal.0.clone(),
            principal_id: grant.principal.1.clone(),
            data,
            expansion: expansion.and_then(expansion_bytes),
            ..Default::default()
        });
    }

    fn sort(&mut self) {
        self.entitlements.sort_by_key(canonical_key);
        self.grants.sort_by_key(canonical_key);
    }

    /// Expands, checks what holds for every expansion, and applies the changes.
    /// Gives the number of changes.
    pub fn expand(&mut self) -> baton_c1z::Result<usize> {
        self.expand_with(ExpandOptions::default())
    }

    pub fn expand_with(&mut self, options: ExpandOptions) -> baton_c1z::Result<usize> {
        let expansion = GraphExpander::new(options).expand(self)?;
        let changes: Vec<GrantChange> = expansion.changes.collect::<baton_c1z::Result<_>>()?;
        for change in &changes {
            match change {
                GrantChange::Replace { data } => self.replace(data),
                other => panic!("unexpected change {other:?}"),
            };
        }
        let mut inserted = 0;
        let mut last_key = Vec::new();
        if let Some(mut inserts) = expansion.inserts {
            while inserts.advance()? {
                let id = inserts.row().id.to_owned();
                inserts.make()?;
                let row = inserts.row();
                assert_eq!(row.id, id);
                let key = self.insert(row.data);
                assert!(last_key < key, "new grants come in canonical order");
                last_key = key;
                inserted += 1;
            }
        }
        self.sort();
        Ok(changes.len() + inserted)
    }

    fn insert(&mut self, data: &[u8]) -> Vec<String> {
        let message = decode(data);
        let entitlement = message.entitlement.as_ref().expect("an entitlement");
        let stored = self.entitlements.iter().find(|e| e.id == entitlement.id);
        let stored = stored.expect("a stored entitlement");
        let embedded = wire::last_bytes(data, 1).expect("valid");
        assert_eq!(embedded, Some(&stored.data[..]), "the stored row whole");
        assert_eq!(encode::to_vec(&message), data, "encoded as stored rows are");
        let principal = id_of(message.principal.as_ref());
        let id = format!("{}:{}:{}", stored.id, principal.0, principal.1);
        assert_eq!(message.id, id);
        let annotations = &message.annotations;
        assert_eq!(annotations.len(), 1);
        assert_eq!(annotations[0], any::pack(&v2::GrantImmutable::default()));
        let known = self.grants.iter().any(|g| {
            g.entitlement_id == stored.id
                && (&g.principal_type_id, &g.principal_id) == (&principal.0, &principal.1)
        });
        assert!(!known, "a grant of the pair is there");
        let row = OwnedRow {
            id,
            resource_type_id: stored.resource_type_id.clone(),
            resource_id: stored.resource_id.clone(),
            entitlement_id: stored.id.clone(),
            principal_type_id: principal.0,
            principal_id: principal.1,
            data: data.to_vec(),
            ..Default::default()
        };
        let key = canonical_key(&row);
        self.grants.push(row);
        key
    }

    fn replace(&mut self, data: &[u8]) -> Vec<String> {
        let id = wire::last_str(data, 3).expect("valid").to_owned();
        let row = self.grants.iter_mut().find(|g| g.id == id);
        let row = row.expect("a stored grant");
        assert_ne!(row.data, data, "written only if changed");
        let rest = |data: &[u8]| wire::without(data, &[5]).expect("valid");
        assert_eq!(rest(&row.data), rest(data), "only the sources change");
        row.data = data.to_vec();
        canonical_key(row)
    }

    pub fn seen(&self) -> BTreeMap<String, Seen> {
        let seen = |row: &OwnedRow| {
            let message = decode(&row.data);
            let sources = message.sources.unwrap_or_default().sources;
            Seen {
                entitlement: message.entitlement.unwrap_or_default().id,
                principal: id_of(message.principal.as_ref()),
                sources: sources.into_iter().map(|(k, v)| (k, v.is_direct)).collect(),
                immutable: any::contains::<v2::GrantImmutable>(&message.annotations),
                label: message.principal.unwrap_or_default().display_name,
            }
        };
        self.grants
            .iter()
            .map(|row| (row.id.clone(), seen(row)))
            .collect()
    }
}

/// As storage splits it off: none without an id that is more than space.
fn expansion_bytes(expandable: &Expandable) -> Option<Vec<u8>> {
    let blank = expandable
        .entitlement_ids
        .iter()
        .all(|id| id.trim().is_empty());
    let message = v2::GrantExpandable {
        entitlement_ids: expandable.entitlement_ids.clone(),
        shallow: expandable.shallow,
        resource_type_ids: expandable.resource_type_ids.clone(),
    };
    (!blank).then(|| encode::to_vec(&message))
}

fn decode(data: &[u8]) -> v2::Grant {
    prost::Message::decode(data).expect("a grant")
}

fn id_of(resource: Option<&v2::Resource>) -> Pair {
    let id = resource.and_then(|r| r.id.clone()).unwrap_or_default();
    (id.resource_type, id.resource)
}

type Visit<'v> = dyn FnMut(&Row<'_>) -> baton_c1z::Result<ControlFlow<()>> + 'v;

fn visit_all<'r>(
    rows: impl Iterator<Item = &'r OwnedRow>,
    visit: &mut Visit<'_>,
) -> baton_c1z::Result<()> {
    for row in rows {
        if visit(&row.as_row())?.is_break() {
            break;
        }
    }
    Ok(())
}

impl SortedRows for File {
    fn scan(&self, table: Table, visit: &mut Visit<'_>) -> baton_c1z::Result<()> {
        match table {
            Table::Entitlements => visit_all(self.entitlements.iter(), visit),
            Table::Grants => visit_all(self.grants.iter(), visit),
            _ => Ok(()),
        }
    }

    fn scan_entitlement(&self, id: &str, visit: &mut Visit<'_>) -> baton_c1z::Result<()> {
        visit_all(self.grants.iter().filter(|g| g.entitlement_id == id), visit)
    }

    fn expandable_count(&self) -> u64 {
        self.grants.iter().filter(|g| g.expansion.is_some()).count() as u64
    }
}
