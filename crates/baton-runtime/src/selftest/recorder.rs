//! A connector that records the answers of another one.

use std::mem::discriminant;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use baton_connector::{
    Added, Any, Call, Connector, LocalHooks, Page, Result, Row, async_trait, v2,
};
use prost::{Message, Name};

use super::canonical;

/// Lists of one kind that are remembered, and page tokens of such lists, at most.
const MAX_LISTS: usize = 200;

/// A list that was requested from a connector.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Asked {
    Resources(String, Option<v2::ResourceId>),
    Templates(String),
    Entitlements(v2::Resource),
    Grants(v2::Resource),
    EntitlementsOfType(String),
    GrantsOfType(String),
}

impl Asked {
    /// In words, for a table of results.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Resources(type_id, None) => format!("resources of type `{type_id}`"),
            Self::Resources(type_id, Some(parent)) => format!(
                "resources of type `{type_id}` in `{}:{}`",
                parent.resource_type, parent.resource
            ),
            Self::Templates(type_id) => format!("static entitlements of type `{type_id}`"),
            Self::Entitlements(resource) => format!("entitlements of {}", named(resource)),
            Self::Grants(resource) => format!("grants of {}", named(resource)),
            Self::EntitlementsOfType(type_id) => format!("entitlements of type `{type_id}`"),
            Self::GrantsOfType(type_id) => format!("grants of type `{type_id}`"),
        }
    }

    /// Whether both lists are served by the same code: lists of one kind, and of
    /// one type.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let kind = |resource: &v2::Resource| {
            let id = resource.id.as_ref();
            id.map(|id| id.resource_type.clone())
        };
        match (self, other) {
            (Self::Resources(one, _), Self::Resources(two, _)) => one == two,
            (Self::Entitlements(one), Self::Entitlements(two))
            | (Self::Grants(one), Self::Grants(two)) => kind(one) == kind(two),
            _ => false,
        }
    }

    /// Requests a page of the list.
    pub(super) async fn page(&self, connector: &dyn Connector, call: &Call) -> Result<Seen> {
        match self {
            Self::Resources(type_id, parent) => connector
                .list_resources(call, type_id, parent.as_ref())
                .await
                .map(|page| Seen::of(&page)),
            Self::Templates(type_id) => connector
                .list_static_entitlements(call, type_id)
                .await
                .map(|page| Seen::of(&page)),
            Self::Entitlements(resource) => connector
                .list_entitlements(call, resource)
                .await
                .map(|page| Seen::of(&page)),
            Self::Grants(resource) => connector
                .list_grants(call, resource)
                .await
                .map(|page| Seen::of(&page)),
            Self::EntitlementsOfType(type_id) => connector
                .list_entitlements_of_type(call, type_id)
                .await
                .map(|page| Seen::of(&page)),
            Self::GrantsOfType(type_id) => connector
                .list_grants_of_type(call, type_id)
                .await
                .map(|page| Seen::of(&page)),
        }
    }
}

/// A page of any list, to be compared with another one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// The rows in their canonical form, sorted.
    pub(super) rows: Vec<Vec<u8>>,
    /// The token of the next page.
    pub(super) next: String,
}

impl Seen {
    fn of<T: Message + Name>(page: &Page<T>) -> Self {
        let next = page.next.as_str().to_owned();
        let rows = page.items().iter().map(canonical::of_message);
        let mut rows: Vec<_> = rows.collect();
        rows.sort_unstable();
        Self { rows, next }
    }
}

pub(super) fn named(resource: &v2::Resource) -> String {
    let id = resource.id.clone().unwrap_or_default();
    format!("`{}:{}`", id.resource_type, id.resource)
}

/// What a connector answered, in the order of its answers.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Recorded {
    /// Resource types.
    pub types: Vec<v2::ResourceType>,
    /// Resources.
    pub resources: Vec<v2::Resource>,
    /// Static entitlements, with their type.
    pub templates: Vec<(String, v2::Entitlement)>,
    /// Entitlements.
    pub entitlements: Vec<v2::Entitlement>,
    /// Grants.
    pub grants: Vec<v2::Grant>,
    /// Entitlements that pages of grants included.
    pub added: Vec<Added>,
    /// Pages of all lists.
    pub pages: u64,
    /// Lists, each once.
    pub(super) lists: Vec<Asked>,
    /// Lists with several pages, and a page token of each.
    pub(super) tokens: Vec<(Asked, String)>,
}

impl Recorded {
    /// Up to so many lists of each kind; those with several pages first.
    pub(super) fn sample(&self, of_each_kind: usize) -> Vec<&Asked> {
        let with_tokens = self.tokens.iter().map(|(list, _)| list);
        let mut taken: Vec<&Asked> = Vec::new();
        for list in with_tokens.chain(&self.lists) {
            let kind = discriminant(list);
            let of_kind = taken.iter().filter(|taken| discriminant(**taken) == kind);
            if of_kind.count() < of_each_kind && !taken.contains(&list) {
                taken.push(list);
            }
        }
        taken
    }
}

/// Passes all calls on to another connector and keeps the rows of its answers.
pub struct Recorder {
    inner: Arc<dyn Connector>,
    recorded: Mutex<Recorded>,
}

impl Recorder {
    /// Records what `inner` answers.
    pub fn new(inner: Arc<dyn Connector>) -> Self {
        Self {
            inner,
            recorded: Mutex::default(),
        }
    }

    /// What was answered so far; the next answers are kept separately.
    pub fn take(&self) -> Recorded {
        std::mem::take(&mut *self.recorded())
    }

    /// Whatever happened to a thread that held it, the rows are whole.
    fn recorded(&self) -> MutexGuard<'_, Recorded> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep<T: Clone>(
        &self,
        call: &Call,
        asked: Asked,
        page: &Page<T>,
        rows: impl FnOnce(&mut Recorded, Vec<T>),
    ) {
        let mut recorded = self.recorded();
        recorded.pages += 1;
        if call.token().is_empty() {
            let kind = discriminant(&asked);
            let is_of_kind = |list: &Asked| discriminant(list) == kind;
            let tokens = recorded.tokens.iter().filter(|(list, _)| is_of_kind(list));
            if !page.next.is_last() && tokens.count() < MAX_LISTS {
                let token = page.next.as_str().to_owned();
                recorded.tokens.push((asked.clone(), token));
            }
            let lists = recorded.lists.iter().filter(|list| is_of_kind(list));
            if lists.count() < MAX_LISTS {
                recorded.lists.push(asked);
            }
        }
        recorded.added.extend_from_slice(&page.notes.added);
        rows(&mut recorded, page.items().to_vec());
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

#[async_trait]
impl Connector for Recorder {
    async fn metadata(&self, call: &Call) -> Result<v2::ConnectorMetadata> {
        self.inner.metadata(call).await
    }

    async fn validate(&self, call: &Call) -> Result<Vec<Any>> {
        self.inner.validate(call).await
    }

    async fn list_resource_types(&self, call: &Call) -> Result<Page<v2::ResourceType>> {
        let page = self.inner.list_resource_types(call).await?;
        let mut recorded = self.recorded();
        recorded.pages += 1;
        recorded.types.extend(page.items().to_vec());
        drop(recorded);
        Ok(page)
    }

    async fn list_resources(
        &self,
        call: &Call,
        type_id: &str,
        parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        let page = self.inner.list_resources(call, type_id, parent).await?;
        let asked = Asked::Resources(type_id.to_owned(), parent.cloned());
        self.keep(call, asked, &page, |all, rows| all.resources.extend(rows));
        Ok(page)
    }

    async fn list_static_entitlements(
        &self,
        call: &Call,
        type_id: &str,
    ) -> Result<Page<v2::Entitlement>> {
        let page = self.inner.list_static_entitlements(call, type_id).await?;
        let asked = Asked::Templates(type_id.to_owned());
        self.keep(call, asked, &page, |all, rows| {
            let rows = rows.into_iter().map(|row| (type_id.to_owned(), row));
            all.templates.extend(rows);
        });
        Ok(page)
    }

    async fn list_entitlements(
        &self,
        call: &Call,
        resource: &v2::Resource,
    ) -> Result<Page<v2::Entitlement>> {
        let page = self.inner.list_entitlements(call, resource).await?;
        let asked = Asked::Entitlements(resource.clone());
        self.keep(call, asked, &page, |all, rows| {
            all.entitlements.extend(rows);
        });
        Ok(page)
    }

    async fn list_grants(&self, call: &Call, resource: &v2::Resource) -> Result<Page<v2::Grant>> {
        let page = self.inner.list_grants(call, resource).await?;
        let asked = Asked::Grants(resource.clone());
        self.keep(call, asked, &page, |all, rows| all.grants.extend(rows));
        Ok(page)
    }

    async fn list_entitlements_of_type(
        &self,
        call: &Call,
        type_id: &str,
    ) -> Result<Page<v2::Entitlement>> {
        let page = self.inner.list_entitlements_of_type(call, type_id).await?;
        let asked = Asked::EntitlementsOfType(type_id.to_owned());
        self.keep(call, asked, &page, |all, rows| {
            all.entitlements.extend(rows);
        });
        Ok(page)
    }

    async fn list_grants_of_type(&self, call: &Call, type_id: &str) -> Result<Page<v2::Grant>> {
        let page = self.inner.list_grants_of_type(call, type_id).await?;
        let asked = Asked::GrantsOfType(type_id.to_owned());
        self.keep(call, asked, &page, |all, rows| all.grants.extend(rows));
        Ok(page)
    }

    async fn get_resource(
        &self,
        call: &Call,
        id: &v2::ResourceId,
        parent: Option<&v2::ResourceId>,
    ) -> Result<Option<Row<v2::Resource>>> {
        self.inner.get_resource(call, id, parent).await
    }

    async fn added_entitlement(
        &self,
        call: &Call,
        resource: &v2::Resource,
        slug: &str,
    ) -> Result<Option<v2::Entitlement>> {
        self.inner.added_entitlement(call, resource, slug).await
    }

    async fn cleanup(&self, call: &Call) -> Result<()> {
        self.inner.cleanup(call).await
    }

    fn local(&self) -> Option<&dyn LocalHooks> {
        self.inner.local()
    }
}
