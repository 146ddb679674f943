//! Pages of the connector become rows here, one page at a time and without
//! any state: what is invalid is dropped and counted, what must not be is an
//! error (sync-runtime.md §3.1), and records about types outside the sync
//! are left out (§3.2). Knows nothing of files and of the order of calls.

use std::collections::BTreeSet;

use baton_c1z::{Op, PageRow, Table};
use baton_connector::paging::ItemSet;
use baton_connector::{Added, Page, UpstreamCount};
use baton_proto::bid::TypedId;
use baton_proto::c1::connector::v2;
use baton_proto::field::c1::connector::v2 as field;
use baton_proto::{any, encode, wire};
use prost::{Message, Name};
use prost_types::Any;

use crate::error::{Error, Result};
use crate::records::{PageFacts, Related};
use crate::report::{Dropped, UnknownKind};
use crate::row_keys;
use crate::types::{Skips, TypeFacts, TypeTable};

/// Further page tokens that one page may name.
const MAX_SPAWNED: usize = 1024;
/// Longest of them.
const MAX_SPAWNED_TOKEN_BYTES: usize = 1 << 20;
/// Bytes of them all.
const MAX_SPAWNED_BYTES: usize = 16 << 20;

/// A row that is ready to be stored.
pub(crate) type StoredRow = PageRow<Vec<u8>>;

/// A row as it is stored: as it came, if it came as bytes.
fn stored<M: Message + Name>(message: &M, bytes: Option<Vec<u8>>) -> Vec<u8> {
    bytes.unwrap_or_else(|| encode::to_vec(message))
}

/// The bytes that a grant came as, with the annotations that it has now.
fn with_annotations_of(grant: &v2::Grant, bytes: &[u8]) -> Result<Vec<u8>> {
    let unreadable = |source| unreadable(format!("grant `{}`", grant.id), source);
    let mut row = wire::without(bytes, &[field::grant::ANNOTATIONS]).map_err(unreadable)?;
    for annotation in &grant.annotations {
        let annotation = annotation.encode_to_vec();
        row =
            wire::insert_bytes(&row, field::grant::ANNOTATIONS, &annotation).map_err(unreadable)?;
    }
    Ok(row)
}

/// What the engine keeps of a listed resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ResourceFacts {
    pub(crate) type_id: String,
    pub(crate) id: String,
    pub(crate) skips: Skips,
    /// Types to be listed below it.
    pub(crate) children: Vec<String>,
}

impl ResourceFacts {
    pub(crate) fn of(resource: &v2::Resource) -> Result<Self> {
        let id = resource.id.clone().unwrap_or_default();
        let mut children = Vec::new();
        for annotation in &resource.annotations {
            if any::is::<v2::ChildResourceType>(annotation) {
                let child = any::unpack::<v2::ChildResourceType>(annotation)
                    .map_err(|source| unreadable(resource_name(resource), source))?;
                children.push(child.resource_type_id);
            }
        }
        Ok(Self {
            type_id: id.resource_type,
            id: id.resource,
            skips: Skips::of(&resource.annotations),
            children,
        })
    }
}

/// What identifies the items of a page, for the loop check.
pub(crate) trait Identity {
    fn add_to(&self, set: &mut ItemSet);
}

impl Identity for v2::ResourceType {
    fn add_to(&self, set: &mut ItemSet) {
        set.add(&[&self.id]);
    }
}

impl Identity for v2::Resource {
    fn add_to(&self, set: &mut ItemSet) {
        let id = self.id.as_ref();
        set.add(&[
            id.map_or("", |id| &id.resource_type),
            id.map_or("", |id| &id.resource),
        ]);
    }
}

impl Identity for v2::Entitlement {
    fn add_to(&self, set: &mut ItemSet) {
        set.add(&[&self.id, &self.slug]);
    }
}

impl Identity for v2::Grant {
    fn add_to(&self, set: &mut ItemSet) {
        set.add(&[&self.id]);
    }
}

/// A page after its check.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Checked {
    pub(crate) rows: Vec<StoredRow>,
    pub(crate) next: String,
    pub(crate) items: ItemSet,
    pub(crate) facts: PageFacts,
    /// Types on the page that are part of the sync.
    pub(crate) types: Vec<(String, TypeFacts)>,
    /// Facts of the listed resources, one per resource row.
    pub(crate) resources: Vec<ResourceFacts>,
    /// Templates of static entitlements, encoded.
    pub(crate) templates: Vec<Vec<u8>>,
    /// Keys of the rows of the list's own table, in order.
    pub(crate) keys: Vec<u64>,
    /// What grants of the page are on and that no list may have.
    pub(crate) added: Vec<Added>,
    /// Ids of the entitlements that its grants are on, where some may be
    /// added.
    pub(crate) granted: BTreeSet<String>,
    /// Why the list cannot continue; this page does not count then.
    pub(crate) abandoned: Option<String>,
}

impl Checked {
    /// The page of a resource that cannot be read by its id.
    pub(crate) fn unreadable(reason: String) -> Self {
        let mut checked = Self::absent(reason);
        checked.facts.unreadable = true;
        checked
    }

    /// The page of a resource that does not exist.
    pub(crate) fn absent(reason: String) -> Self {
        let mut checked = Self::default();
        checked.facts.absent = Some(reason);
        checked
    }

    /// Rows of the table that a list of `op` is of. Others are only carried by
    /// its pages.
    pub(crate) fn own_rows(&self, op: Op) -> impl Iterator<Item = PageRow<&[u8]>> {
        let own = self.rows.iter().map(StoredRow::as_bytes);
        own.filter(move |row| is_own(row.table, op))
    }

    /// The page with the keys of its rows.
    pub(crate) fn keyed(mut self, op: Op) -> Self {
        self.keys = self.own_rows(op).map(row_keys::key).collect();
        self
    }

    fn of<T: Identity>(page: &Page<T>) -> Self {
        let mut items = ItemSet::default();
        for item in page.items() {
            item.add_to(&mut items);
        }
        let mut checked = Self {
            next: page.next.as_str().to_owned(),
            items,
            ..Self::default()
        };
        match &page.notes.upstream_count {
            UpstreamCount::Unknown => {}
            UpstreamCount::Rows(rows) => checked.facts.counted = Some(*rows),
            UpstreamCount::Approximate(rows) => {
                checked.facts.counted = Some(*rows);
                checked.facts.roughly = true;
            }
            UpstreamCount::Failed(reason) => checked.facts.uncounted = Some(reason.clone()),
        }
        checked.facts.count_ends_here = page.notes.count_ends_here;
        checked.facts.ends_full = page.notes.ends_full && checked.next.is_empty();
        checked
    }
}

/// Whether a row of this table is of the table that a list of `op` is of.
pub(crate) fn is_own(table: Table, op: Op) -> bool {
    match op {
        Op::ResourceTypes => table == Table::ResourceTypes,
        Op::Resources => table == Table::Resources,
        Op::StaticEntitlements | Op::Entitlements => table == Table::Entitlements,
        Op::Grants => table == Table::Grants,
        Op::External => true,
    }
}

/// What decides which records belong to the sync.
#[derive(Debug, Clone, Default)]
pub(crate) struct PageRules {
    /// Types that are wanted; empty: all.
    pub(crate) filter: BTreeSet<String>,
    /// Types that are stored. Empty while types are being listed.
    pub(crate) types: TypeTable,
    /// Of a targeted sync: the resources that it is about. Records about
    /// types that are not stored are kept then.
    pub(crate) targets: Option<BTreeSet<TypedId>>,
    /// Types of users and groups in the file of external resources; `None`
    /// if there is no such file.
    pub(crate) external_types: Option<BTreeSet<String>>,
}

impl PageRules {
    fn wants(&self, type_id: &str) -> bool {
        self.filter.is_empty() || self.filter.contains(type_id)
    }

    /// Whether the request leaves this type out on purpose.
    fn leaves_out(&self, type_id: &str) -> bool {
        !self.wants(type_id)
    }

    /// Whether records about resources of this type belong to the sync.
    fn knows(&self, type_id: &str) -> bool {
        let external = self.external_types.as_ref();
        self.targets.is_some()
            || self.types.knows(type_id)
            || external.is_some_and(|types| types.contains(type_id))
    }

    /// Whether the sync could add an entitlement. A sync of named resources
    /// adds none: it reads no lists, so it cannot know what they lack.
    fn adds(&self, added: &Added) -> bool {
        self.targets.is_none()
            && has_whole_id(&added.resource)
            && self.types.knows(type_of(Some(&added.resource)))
    }
}

fn unreadable(record: String, source: baton_proto::Error) -> Error {
    Error::Annotation { record, source }
}

fn resource_name(resource: &v2::Resource) -> String {
    let id = resource.id.clone().unwrap_or_default();
    format!("resource `{}:{}`", id.resource_type, id.resource)
}

pub(crate) fn has_whole_id(resource: &v2::Resource) -> bool {
    resource
        .id
        .as_ref()
        .is_some_and(|id| !id.resource_type.is_empty() && !id.resource.is_empty())
}

pub(crate) fn refuse_baton_id(resource: &v2::Resource) -> Result<()> {
    if any::contains::<v2::BatonId>(&resource.annotations) {
        return Err(Error::BatonId {
            record: resource_name(resource),
        });
    }
    Ok(())
}

pub(crate) fn resource_types(page: Page<v2::ResourceType>, rules: &PageRules) -> Checked {
    let mut checked = Checked::of(&page);
    for row in page.into_rows() {
        let (kind, bytes) = row.into_parts();
        if kind.id.is_empty() {
            checked.facts.dropped.invalid_resource_types += 1;
            continue;
        }
        if !rules.wants(&kind.id) {
            continue;
        }
        let facts = TypeFacts::of(&kind);
        checked
            .rows
            .push(StoredRow::resource_type(stored(&kind, bytes)));
        checked.types.push((kind.id, facts));
    }
    checked
}

pub(crate) fn resources(page: Page<v2::Resource>, rules: &PageRules) -> Result<Checked> {
    let mut checked = Checked::of(&page);
    checked.facts.enqueued = enqueued(&page.annotations, &checked.next)?;
    for row in page.into_rows() {
        let (resource, bytes) = row.into_parts();
        refuse_baton_id(&resource)?;
        if !has_whole_id(&resource) {
            checked.facts.dropped.invalid_resources += 1;
            continue;
        }
        let facts = ResourceFacts::of(&resource)?;
        let Some(kind) = rules.types.get(&facts.type_id) else {
            checked.rows.clear();
            checked.resources.clear();
            checked.abandoned = Some(format!(
                "`{}:{}` has a type outside this sync",
                facts.type_id, facts.id
            ));
            return Ok(checked);
        };
        if let Some(wanted) = kind.missing_trait(&resource.annotations) {
            return Err(Error::MissingTrait {
                wanted,
                resource: format!("{}:{}", facts.type_id, facts.id),
            });
        }
        let parent = resource.parent_resource_id.as_ref();
        let parent = parent.map_or("", |id| &id.resource_type);
        if !rules.knows(parent) && !rules.leaves_out(parent) {
            let id = format!("{}:{}", facts.type_id, facts.id);
            checked.facts.strays.note(UnknownKind::Child, parent, &id);
        }
        checked
            .rows
            .push(StoredRow::resource(stored(&resource, bytes)));
        checked.resources.push(facts);
    }
    Ok(checked)
}

/// A resource that was asked for by its id: its traits are not checked.
pub(crate) fn single(page: Page<v2::Resource>, rules: &PageRules) -> Result<Checked> {
    let mut checked = Checked::of(&page);
    for row in page.into_rows() {
        let (resource, bytes) = row.into_parts();
        refuse_baton_id(&resource)?;
        if !has_whole_id(&resource) {
            checked.facts.dropped.invalid_resources += 1;
            continue;
        }
        let facts = ResourceFacts::of(&resource)?;
        if rules.types.get(&facts.type_id).is_none() {
            return Ok(Checked::absent(no_such_type(&facts.type_id)));
        }
        checked
            .rows
            .push(StoredRow::resource(stored(&resource, bytes)));
        checked.resources.push(facts);
    }
    Ok(checked)
}

/// Why a resource of an unknown type does not exist.
pub(crate) fn no_such_type(type_id: &str) -> String {
    format!("the connector has no resource type `{type_id}`")
}

/// Templates are not checked (§3.1); they become rows later.
pub(crate) fn static_entitlements(page: Page<v2::Entitlement>) -> Result<Checked> {
    refuse_enqueued(&page.annotations, "the list of static entitlements")?;
    let mut checked = Checked::of(&page);
    for row in page.into_rows() {
        let (template, bytes) = row.into_parts();
        checked.facts.grouped |= is_grouped(&template)?;
        checked.templates.push(stored(&template, bytes));
    }
    Ok(checked)
}

/// Whether an entitlement is in an exclusion group; more than one is refused.
pub(crate) fn is_grouped(entitlement: &v2::Entitlement) -> Result<bool> {
    let annotations = entitlement.annotations.iter();
    let groups = annotations.filter(|a| any::is::<v2::EntitlementExclusionGroup>(a));
    match groups.count() {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Error::SeveralExclusionGroups {
            entitlement: entitlement.id.clone(),
        }),
    }
}

pub(crate) fn entitlements(page: Page<v2::Entitlement>, rules: &PageRules) -> Result<Checked> {
    let mut checked = Checked::of(&page);
    checked.facts.enqueued = enqueued(&page.annotations, &checked.next)?;
    for row in page.into_rows() {
        let (entitlement, bytes) = row.into_parts();
        let valid = match &entitlement.resource {
            Some(resource) => {
                refuse_baton_id(resource)?;
                has_whole_id(resource) && !entitlement.id.is_empty()
            }
            None => false,
        };
        if !valid {
            checked.facts.dropped.invalid_entitlements += 1;
            continue;
        }
        checked.facts.grouped |= is_grouped(&entitlement)?;
        let kind = type_of(entitlement.resource.as_ref());
        if !rules.knows(kind) {
            if rules.leaves_out(kind) {
                checked.facts.dropped.filtered_entitlements += 1;
            } else {
                checked.facts.dropped.entitlements_of_unknown_type += 1;
                let strays = &mut checked.facts.strays;
                strays.note(UnknownKind::Entitlement, kind, &entitlement.id);
            }
            continue;
        }
        checked
            .rows
            .push(StoredRow::entitlement(stored(&entitlement, bytes)));
    }
    Ok(checked)
}

/// The type of a resource; empty, which counts as known, if it has no id.
fn type_of(resource: Option<&v2::Resource>) -> &str {
    resource
        .and_then(|r| r.id.as_ref())
        .map_or("", |id| &id.resource_type)
}

/// Static entitlements are no list that may be made up of several.
fn refuse_enqueued(annotations: &[Any], list: &str) -> Result<()> {
    if any::contains::<v2::EnqueuePageTokens>(annotations) {
        return Err(Error::Unsupported {
            record: list.to_owned(),
            feature: "additional page cursors (EnqueuePageTokens)",
        });
    }
    Ok(())
}

/// The tokens of further lists that a page names (sync-runtime.md §1.4,
/// annotations.md).
fn enqueued(annotations: &[Any], next: &str) -> Result<Vec<String>> {
    let refuse = |problem| Err(Error::Cursors { problem });
    let mut found = annotations
        .iter()
        .filter(|a| any::is::<v2::EnqueuePageTokens>(a));
    let Some(annotation) = found.next() else {
        return Ok(Vec::new());
    };
    if found.next().is_some() {
        return refuse("a page names further page tokens twice");
    }
    let tokens = any::unpack::<v2::EnqueuePageTokens>(annotation)
        .map_err(|source| unreadable("a page".to_owned(), source))?
        .page_tokens;
    if tokens.len() > MAX_SPAWNED {
        return refuse("a page names more than 1024 further page tokens");
    }
    if tokens.iter().any(String::is_empty) {
        return refuse("a further page token is empty");
    }
    if tokens
        .iter()
        .any(|token| token.len() > MAX_SPAWNED_TOKEN_BYTES)
    {
        return refuse("a further page token has more than 1 MiB");
    }
    if tokens.iter().map(String::len).sum::<usize>() > MAX_SPAWNED_BYTES {
        return refuse("the further page tokens of a page have more than 16 MiB together");
    }
    let distinct: BTreeSet<&str> = tokens.iter().map(String::as_str).collect();
    if distinct.len() < tokens.len() {
        return refuse("a page names the same further page token twice");
    }
    if distinct.contains(next) {
        return refuse("a page names its next page token as a further one");
    }
    Ok(tokens)
}

pub(crate) fn grants(mut page: Page<v2::Grant>, rules: &PageRules) -> Result<Checked> {
    let mut checked = Checked::of(&page);
    checked.facts.enqueued = enqueued(&page.annotations, &checked.next)?;
    let inserts = any::contains::<v2::InsertResourceGrants>(&page.annotations);
    let mut added = std::mem::take(&mut page.notes.added);
    added.retain(|added| rules.adds(added));
    for row in page.into_rows() {
        let (mut grant, bytes) = row.into_parts();
        let annotations = grant.annotations.len();
        let mut is_changed = false;
        if inserts && !insert_resource(&mut grant, rules, &mut checked)? {
            continue;
        }
        let resource = grant.entitlement.as_ref().and_then(|e| e.resource.as_ref());
        let matched = is_external_match(&grant)?;
        let principal = grant.principal.as_ref().filter(|_| !matched);
        let kinds = [type_of(resource), type_of(principal)];
        let outside: Vec<&str> = kinds
            .into_iter()
            .filter(|kind| !rules.knows(kind))
            .collect();
        if !outside.is_empty() {
            // One type that the connector lacks is worse than one left out.
            match outside.iter().find(|kind| !rules.leaves_out(kind)) {
                Some(unknown) => {
                    checked.facts.dropped.grants_of_unknown_type += 1;
                    let strays = &mut checked.facts.strays;
                    strays.note(UnknownKind::Grant, unknown, &grant.id);
                }
                None => checked.facts.dropped.filtered_grants += 1,
            }
            continue;
        }
        if rules.targets.is_some() && !inserts {
            checked.facts.related.extend(resource.and_then(related));
        }
        if !matched {
            is_changed = narrow_expansion(&mut grant, rules, &mut checked.facts.dropped)?;
        }
        if rules.external_types.is_some() {
            checked.facts.expandable |= any::contains::<v2::GrantExpandable>(&grant.annotations);
            checked.facts.placeholder |= matched;
        }
        if !added.is_empty()
            && let Some(entitlement) = &grant.entitlement
        {
            checked.granted.insert(entitlement.id.clone());
        }
        is_changed |= grant.annotations.len() != annotations;
        let row = match bytes {
            Some(bytes) if is_changed => with_annotations_of(&grant, &bytes)?,
            bytes => stored(&grant, bytes),
        };
        checked.rows.push(StoredRow::grant(row));
    }
    checked.added = added;
    Ok(checked)
}

/// The resource by its id, if it has one.
fn related(resource: &v2::Resource) -> Option<Related> {
    let whole = |id: &v2::ResourceId| {
        let names = (id.resource_type.clone(), id.resource.clone());
        (!names.0.is_empty() && !names.1.is_empty()).then_some(names)
    };
    let (resource_type, id) = whole(resource.id.as_ref()?)?;
    let parent = resource.parent_resource_id.as_ref().and_then(whole);
    Some((resource_type, id, parent))
}

/// Stores the resource that a grant embeds (`InsertResourceGrants`),
/// and marks the grant. `false`: the grant is dropped, since it is not known
/// which resource it is on.
fn insert_resource(
    grant: &mut v2::Grant,
    rules: &PageRules,
    checked: &mut Checked,
) -> Result<bool> {
    if !any::contains::<v2::InsertResourceGrants>(&grant.annotations) {
        any::append(&mut grant.annotations, &v2::InsertResourceGrants {});
    }
    let resource = grant.entitlement.as_ref().and_then(|e| e.resource.as_ref());
    let Some(resource) = resource.filter(|r| has_whole_id(r)) else {
        checked.facts.dropped.invalid_resources += 1;
        return Ok(false);
    };
    refuse_baton_id(resource)?;
    if !rules.knows(type_of(Some(resource))) {
        let dropped = &mut checked.facts.dropped;
        if rules.leaves_out(type_of(Some(resource))) {
            dropped.filtered_grant_resources += 1;
        } else {
            dropped.grant_resources_of_unknown_type += 1;
        }
        return Ok(true);
    }
    let type_id = type_of(Some(resource));
    if !checked.facts.inserted.contains(type_id) {
        checked.facts.inserted.insert(type_id.to_owned());
    }
    let row = StoredRow::resource(encode::to_vec(resource));
    // Grants on one resource usually follow each other: its row is enough once.
    let known = checked
        .rows
        .iter()
        .rev()
        .find(|r| r.table == Table::Resources);
    if known != Some(&row) {
        checked.rows.push(row);
    }
    Ok(true)
}

/// Grants whose principal is found later, in another file.
/// What they ask for must be readable, since it is looked at only when all
/// else is collected.
fn is_external_match(grant: &v2::Grant) -> Result<bool> {
    let annotations = &grant.annotations;
    let found = || -> baton_proto::Result<bool> {
        let all = any::find::<v2::ExternalResourceMatchAll>(annotations)?.is_some();
        let id = any::find::<v2::ExternalResourceMatchId>(annotations)?.is_some();
        let profile = any::find::<v2::ExternalResourceMatch>(annotations)?.is_some();
        Ok(all || id || profile)
    };
    found().map_err(|source| unreadable(format!("grant `{}`", grant.id), source))
}

/// Takes unknown types out of an expansion's type filter. An emptied filter
/// would mean "all types", so then the expansion goes altogether. Gives whether
/// the grant was changed.
fn narrow_expansion(
    grant: &mut v2::Grant,
    rules: &PageRules,
    dropped: &mut Dropped,
) -> Result<bool> {
    let found = any::find::<v2::GrantExpandable>(&grant.annotations)
        .map_err(|source| unreadable(format!("grant `{}`", grant.id), source))?;
    let Some(mut expandable) = found else {
        return Ok(false);
    };
    let before = expandable.resource_type_ids.len();
    expandable.resource_type_ids.retain(|id| rules.knows(id));
    let removed = before - expandable.resource_type_ids.len();
    if removed == 0 {
        return Ok(false);
    }
    dropped.expansion_types += removed as u64;
    if expandable.resource_type_ids.is_empty() {
        dropped.expansions += 1;
        any::remove::<v2::GrantExpandable>(&mut grant.annotations);
    } else {
        any::update(&mut grant.annotations, &expandable);
    }
    Ok(true)
}
