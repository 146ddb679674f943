//! From rows to numbers, in three passes: which entitlements the expandable
//! grants name; which of those are stored; who holds them.
//!
//! Only what the graph touches is kept. A grant makes edges if its row comes
//! with an expansion: over an existing file the rows' source leaves it out
//! where the stored flag is off. Sync-runtime specification, §4.2.

use std::ops::ControlFlow;

use baton_c1z::{Row, SortedRows, Table};
use baton_proto::wire::{self, Value};

use crate::blob::{Blob, Blobs};
use crate::embedded::Embedded;
use crate::error::{Error, Result};
use crate::expander::outward;
use crate::graph::{Graph, Plan, Rule};
use crate::index::{Entitlement, Principal, narrow};
use crate::intern::{Directory, Names, Principals};
use crate::propagate::Holders;
use crate::sources::grant_facts;

/// Field numbers of `c1.connector.v2.GrantExpandable`.
const EXPANDABLE_ENTITLEMENT_IDS: u32 = 1;
const EXPANDABLE_SHALLOW: u32 = 2;
const EXPANDABLE_RESOURCE_TYPE_IDS: u32 = 3;
/// `c1.connector.v2.Entitlement.resource`.
const ENTITLEMENT_RESOURCE: u32 = 1;

/// Dropped edges that are named in a warning; the rest is only counted.
pub(crate) const MAX_EXAMPLES: usize = 25;

/// Reads the id of the row that could not be decoded into the error.
pub(crate) fn undecodable<'a>(
    what: &'static str,
    id: &'a str,
) -> impl FnOnce(baton_proto::Error) -> Error + 'a {
    move |source| Error::Row {
        what,
        id: id.to_owned(),
        source,
    }
}

/// An edge as a grant asks for it, before anybody looked whether its ends exist.
#[derive(Debug)]
struct Wish {
    /// Which of the expandable grants asks.
    grant: u64,
    holder: u32,
    source: u32,
    destination: u32,
    rule: u32,
}

/// First pass: all edges asked for, by name.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    names: Names,
    principals: Principals,
    rules: Vec<Rule>,
    list: Vec<Wish>,
    expandable: u64,
    /// How often the entitlement changes from one grant to the next: about
    /// how many entitlements have grants.
    groups: usize,
}

impl Wishes {
    pub(crate) fn read(rows: &dyn SortedRows) -> baton_c1z::Result<Self> {
        let mut wishes = Self::default();
        let mut last = String::new();
        rows.scan(Table::Grants, &mut |row| {
            if last != row.entitlement_id {
                last.clear();
                last.push_str(row.entitlement_id);
                wishes.groups += 1;
            }
            if let Some(expansion) = row.expansion {
                wishes.add(row, expansion).map_err(outward)?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(wishes)
    }

    fn add(&mut self, row: &Row<'_>, expansion: &[u8]) -> Result<()> {
        let grant = self.expandable;
        self.expandable += 1;
        let decoded =
            Expandable::read(expansion).map_err(undecodable("the expansion of grant", row.id))?;
        let destination = self.names.intern("entitlements", row.entitlement_id)?;
        let holder = self
            .principals
            .intern(row.principal_type_id, row.principal_id)?;
        let types = decoded.resource_type_ids.iter();
        let types: Result<Vec<_>> = types.map(|t| self.principals.intern_type(t)).collect();
        let rule = Rule::new(decoded.shallow, &types?);
        if self.rules.last() != Some(&rule) {
            self.rules.push(rule);
        }
        let rule = u32::try_from(self.rules.len() - 1).map_err(|_| Error::TooMany {
            what: "different expansion rules",
            limit: u64::from(u32::MAX),
        })?;
        for id in decoded.entitlement_ids {
            // A blank id names nothing; it is not worth a warning either.
            if !id.trim().is_empty() {
                let source = self.names.intern("entitlements", id)?;
                self.list.push(Wish {
                    grant,
                    holder,
                    source,
                    destination,
                    rule,
                });
            }
        }
        Ok(())
    }

    /// Second pass: finds the stored entitlements and builds the graph.
    pub(crate) fn resolve(
        self,
        rows: &dyn SortedRows,
        blobs: &mut Blobs,
    ) -> baton_c1z::Result<Loaded> {
        let mut is_destination = vec![false; self.names.len()];
        for wish in &self.list {
            is_destination[wish.destination as usize] = true;
        }
        let mut number_of: Vec<Option<u32>> = vec![None; self.names.len()];
        let mut entitlements = Vec::new();
        rows.scan(Table::Entitlements, &mut |row| {
            if let Some(name) = self.names.get(row.id)
                && number_of[name as usize].is_none()
            {
                // At most as many as there are names.
                number_of[name as usize] = Some(narrow(entitlements.len()));
                let stored = Stored::read(row, is_destination[name as usize], &self, blobs);
                entitlements.push(stored.map_err(outward)?);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let mut graph = Graph::new(narrow(entitlements.len()));
        let mut dropped = Dropped::default();
        for wish in &self.list {
            let Some(source) = number_of[wish.source as usize] else {
                dropped.without_source += 1;
                if dropped.examples.len() < MAX_EXAMPLES {
                    dropped.examples.push((wish.source, wish.destination));
                }
                continue;
            };
            if entitlements[source as usize].owner != Some(wish.holder) {
                let grant = nth_expandable(rows, wish.grant)?;
                return Err(outward(mismatch(grant, &entitlements[source as usize])));
            }
            let Some(destination) = number_of[wish.destination as usize] else {
                dropped.without_destination += 1;
                continue;
            };
            if !entitlements[destination as usize].has_resource {
                let entitlement = entitlements[destination as usize].id.to_string();
                return Err(outward(Error::DestinationWithoutResource { entitlement }));
            }
            graph.add_edge(
                Entitlement(source),
                Entitlement(destination),
                self.rules[wish.rule as usize].clone(),
            );
        }
        Ok(Loaded {
            graph,
            entitlements,
            lookup: Lookup {
                names: self.names,
                number_of,
                groups: self.groups,
            },
            principals: self.principals,
            dropped,
        })
    }
}

/// `(grant id, principal as type/id)`.
type GrantName = (String, String);

/// Finds an expandable grant again: only an error needs its name.
fn nth_expandable(rows: &dyn SortedRows, wanted: u64) -> baton_c1z::Result<GrantName> {
    let mut seen = 0;
    let mut found = GrantName::default();
    rows.scan(Table::Grants, &mut |row| {
        if row.expansion.is_none() {
            return Ok(ControlFlow::Continue(()));
        }
        if seen == wanted {
            let principal = format!("{}/{}", row.principal_type_id, row.principal_id);
            found = (row.id.to_owned(), principal);
            return Ok(ControlFlow::Break(()));
        }
        seen += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

fn mismatch((grant, principal): GrantName, source: &Stored) -> Error {
    Error::SourceOfAnotherResource {
        grant,
        principal,
        source_entitlement: source.id.to_string(),
        resource: format!("{}/{}", source.resource_type_id, source.resource_id),
    }
}

/// A decoded `GrantExpandable`.
#[derive(Debug, Default)]
struct Expandable<'a> {
    entitlement_ids: Vec<&'a str>,
    shallow: bool,
    resource_type_ids: Vec<&'a str>,
}

impl<'a> Expandable<'a> {
    fn read(bytes: &'a [u8]) -> std::result::Result<Self, baton_proto::Error> {
        let mut read = Self::default();
        for field in wire::fields(bytes) {
            let field = field?;
            match (field.number, field.value) {
                (EXPANDABLE_ENTITLEMENT_IDS, Value::Bytes(id)) => {
                    read.entitlement_ids.push(wire::text(id)?);
                }
                (EXPANDABLE_SHALLOW, Value::Varint(flag)) => read.shallow = flag != 0,
                (EXPANDABLE_RESOURCE_TYPE_IDS, Value::Bytes(id)) => {
                    read.resource_type_ids.push(wire::text(id)?);
                }
                _ => {}
            }
        }
        Ok(read)
    }
}

/// A stored entitlement of the graph.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) id: Box<str>,
    pub(crate) resource_type_id: Box<str>,
    pub(crate) resource_id: Box<str>,
    /// The message, kept for destinations only.
    pub(crate) message: Blob,
    has_resource: bool,
    /// Its resource, if that is the principal of an expandable grant.
    owner: Option<u32>,
}

impl Stored {
    fn read(
        row: &Row<'_>,
        is_destination: bool,
        wishes: &Wishes,
        blobs: &mut Blobs,
    ) -> Result<Self> {
        let resource = wire::last_bytes(row.data, ENTITLEMENT_RESOURCE)
            .map_err(undecodable("entitlement", row.id))?;
        let owner = wishes.principals.get(row.resource_type_id, row.resource_id);
        Ok(Self {
            id: row.id.into(),
            resource_type_id: row.resource_type_id.into(),
            resource_id: row.resource_id.into(),
            message: if is_destination {
                blobs.put(row.data)?
            } else {
                Blob::default()
            },
            has_resource: resource.is_some(),
            owner: owner.filter(|_| resource.is_some()),
        })
    }
}

/// Edges that were asked for and cannot be.
#[derive(Debug, Default)]
pub(crate) struct Dropped {
    pub(crate) without_source: u64,
    pub(crate) without_destination: u64,
    /// Names of (source, destination), at most [`MAX_EXAMPLES`].
    pub(crate) examples: Vec<(u32, u32)>,
}

/// Finds the number of an entitlement by its id.
#[derive(Debug)]
pub(crate) struct Lookup {
    names: Names,
    number_of: Vec<Option<u32>>,
    groups: usize,
}

impl Lookup {
    pub(crate) fn number(&self, id: &str) -> Option<u32> {
        self.number_of[self.names.get(id)? as usize]
    }

    /// Ids by name number.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.names.in_order()
    }
}

/// Up to one in so many entitlements, the grants are read one entitlement at a
/// time; beyond that, reading all of them in one go is cheaper.
const SPARSE: usize = 4;

/// Calls `visit` with every grant on a wanted entitlement of the graph, and
/// with that entitlement's number.
pub(crate) fn scan_grants(
    rows: &dyn SortedRows,
    lookup: &Lookup,
    entitlements: &[Stored],
    wanted: &dyn Fn(u32) -> bool,
    visit: &mut dyn FnMut(u32, &Row<'_>) -> Result<()>,
) -> baton_c1z::Result<()> {
    let all = (0..narrow(entitlements.len())).filter(|&number| wanted(number));
    if all.clone().count() <= lookup.groups / SPARSE {
        for number in all {
            rows.scan_entitlement(&entitlements[number as usize].id, &mut |row| {
                visit(number, row).map_err(outward)?;
                Ok(ControlFlow::Continue(()))
            })?;
        }
        return Ok(());
    }
    // Grants of one entitlement stand together: one look-up serves them all.
    let mut last: Option<(String, Option<u32>)> = None;
    rows.scan(Table::Grants, &mut |row| {
        let number = match &last {
            Some((id, number)) if id == row.entitlement_id => *number,
            _ => {
                let number = lookup.number(row.entitlement_id).filter(|&n| wanted(n));
                last = Some((row.entitlement_id.to_owned(), number));
                number
            }
        };
        if let Some(number) = number {
            visit(number, row).map_err(outward)?;
        }
        Ok(ControlFlow::Continue(()))
    })
}

/// The graph and what its numbers mean.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) graph: Graph,
    /// By number, which is canonical order.
    pub(crate) entitlements: Vec<Stored>,
    pub(crate) lookup: Lookup,
    pub(crate) principals: Principals,
    pub(crate) dropped: Dropped,
}

/// Who holds what, with final numbers.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) holders: Holders,
    pub(crate) directory: Directory,
    pub(crate) embedded: Embedded,
}

impl Held {
    /// Third pass: the holders of every entitlement of the graph, and the
    /// embedded principals of those that feed others.
    pub(crate) fn read(
        rows: &dyn SortedRows,
        lookup: &Lookup,
        entitlements: &[Stored],
        mut principals: Principals,
        plan: &Plan,
        blobs: Blobs,
    ) -> baton_c1z::Result<Self> {
        let count = entitlements.len();
        let mut feeds = vec![false; count];
        for entitlement in plan.feeders() {
            feeds[entitlement.0 as usize] = true;
        }
        let mut holders = Holders::new(narrow(count));
        let mut embedded = Embedded::new(blobs);
        scan_grants(
            rows,
            lookup,
            entitlements,
            &|_| true,
            &mut |entitlement, row| {
                let facts = grant_facts(row.data, row.entitlement_id)
                    .map_err(undecodable("grant", row.id))?;
                let Some(message) = facts.principal else {
                    return Ok(());
                };
                let principal = principals.intern(row.principal_type_id, row.principal_id)?;
                if feeds[entitlement as usize] {
                    embedded.note(entitlement, principal, facts.direct, message)?;
                }
                holders.add(Entitlement(entitlement), Principal(principal), facts.direct)
            },
        )?;
        let (directory, numbers) = principals.into_canonical();
        holders.renumber(&numbers);
        embedded.renumber(&numbers);
        Ok(Self {
            holders,
            directory,
            embedded,
        })
    }
}
