//! A list that is being read: which one, how far, and what it is called in
//! messages.

use baton_c1z::{ListId, ObjectId, Op};
use baton_connector::paging::LoopGuard;
use baton_proto::bid::{ResourceBid, TypedId};
use baton_proto::c1::connector::v2;

use crate::event::Phase;
use crate::index::ListKind;

/// One list between its first and its last page. Exactly one page of it is
/// asked for at a time.
#[derive(Debug)]
pub(crate) struct OpenList {
    pub(crate) id: ListId,
    /// Raised whenever the list starts over.
    pub(crate) generation: u32,
    /// Number of the page to ask for.
    pub(crate) page: u32,
    /// Token of the page to ask for.
    pub(crate) token: String,
    pub(crate) guard: LoopGuard,
    /// How often this run started it over.
    pub(crate) restarts: u32,
    /// The whole resource, for the calls that want it.
    pub(crate) resource: Option<Box<v2::Resource>>,
}

impl OpenList {
    pub(crate) fn at(id: ListId, position: Position) -> Self {
        let token = match position.page {
            0 => id.cursor().to_owned(),
            _ => position.token,
        };
        Self {
            id,
            generation: position.generation,
            page: position.page,
            token,
            guard: LoopGuard::default(),
            restarts: 0,
            resource: None,
        }
    }

    /// Whether the list belongs to one object that was listed before. Such
    /// an object may be gone or unreadable without saying anything about
    /// the rest; the failure of any other list fails the sync.
    pub(crate) fn is_about_one_object(&self) -> bool {
        match &self.id {
            ListId::Entitlements { .. } | ListId::Grants { .. } | ListId::Resource { .. } => true,
            ListId::Resources { parent, .. } => parent.is_some(),
            _ => false,
        }
    }

    /// Starts over at the first page.
    pub(crate) fn restart(&mut self) {
        self.generation += 1;
        self.page = 0;
        self.id.cursor().clone_into(&mut self.token);
        self.guard = LoopGuard::default();
        self.restarts += 1;
    }
}

/// How far a list has been read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) generation: u32,
    pub(crate) page: u32,
    pub(crate) token: String,
}

/// The "list" of one resource that is asked for by its id.
pub(crate) fn single(target: &ResourceBid) -> ListId {
    let object = |id: &TypedId| ObjectId::new(&id.resource_type, &id.resource);
    ListId::Resource {
        id: object(&target.id),
        parent: target.parent.as_ref().map(object),
    }
}

/// The pages that the engine makes itself of the templates of a type: a
/// list beside the one that the connector was asked for.
pub(crate) fn template_rows(type_id: &str) -> ListId {
    ListId::TemplateRows {
        type_id: type_id.into(),
    }
}

/// Whether the engine makes the pages of the list itself.
pub(crate) fn is_made_by_engine(list: &ListId) -> bool {
    matches!(list, ListId::TemplateRows { .. } | ListId::External)
}

/// The resource whose entitlements or grants a list holds as a whole: such
/// lists the index of resources knows, and all others are known one by one, in
/// the plan.
pub(crate) fn indexed(list: &ListId) -> Option<(&ObjectId, ListKind)> {
    match list {
        ListId::Entitlements { of, cursor } if cursor.is_empty() => {
            Some((of, ListKind::Entitlements))
        }
        ListId::Grants { on, cursor } if cursor.is_empty() => Some((on, ListKind::Grants)),
        _ => None,
    }
}

/// The resource whose entitlements or grants a list holds.
pub(crate) fn resource_of(list: &ListId) -> Option<&ObjectId> {
    match list {
        ListId::Entitlements { of: id, .. } | ListId::Grants { on: id, .. } => Some(id),
        _ => None,
    }
}

/// An id as the connector wants it.
pub(crate) fn wire_id(id: &ObjectId) -> v2::ResourceId {
    v2::ResourceId {
        resource_type: id.type_id.to_string(),
        resource: id.id.to_string(),
        ..v2::ResourceId::default()
    }
}

/// What a list is called in messages: ``grants of group `g1` ``.
pub(crate) fn name(list: &ListId) -> String {
    let noun = noun(list.op());
    let object = |id: &ObjectId| format!("{} `{}`", id.type_id, id.id);
    match list {
        ListId::ResourceTypes | ListId::External => noun.to_owned(),
        ListId::Resource { id, .. } => object(id),
        ListId::Resources {
            type_id, parent, ..
        } => match parent {
            None => format!("resources of type `{type_id}`"),
            Some(parent) => format!("resources of type `{type_id}` under {}", object(parent)),
        },
        ListId::StaticEntitlements { type_id } | ListId::TemplateRows { type_id } => {
            format!("static entitlements of type `{type_id}`")
        }
        ListId::EntitlementsOfType { type_id, .. } | ListId::GrantsOfType { type_id, .. } => {
            format!("{noun} of all resources of type `{type_id}`")
        }
        ListId::Entitlements { of, .. } => format!("{noun} of {}", object(of)),
        ListId::Grants { on, .. } => format!("{noun} of {}", object(on)),
    }
}

/// The rows that a list is for, in a word.
pub(crate) fn noun(op: Op) -> &'static str {
    match op {
        Op::ResourceTypes => "resource types",
        Op::Resources => "resources",
        Op::StaticEntitlements | Op::Entitlements => "entitlements",
        Op::Grants => "grants",
        Op::External => "external resources",
    }
}

/// The type that a list is counted under.
pub(crate) fn counted_type(list: &ListId) -> &str {
    match list {
        ListId::ResourceTypes | ListId::External => "",
        ListId::Resources { type_id, .. }
        | ListId::StaticEntitlements { type_id }
        | ListId::TemplateRows { type_id }
        | ListId::EntitlementsOfType { type_id, .. }
        | ListId::GrantsOfType { type_id, .. } => type_id,
        ListId::Resource { id, .. }
        | ListId::Entitlements { of: id, .. }
        | ListId::Grants { on: id, .. } => &id.type_id,
    }
}

/// The object that a list belongs to, as `<type>:<id>` for people; empty if
/// there is none.
pub(crate) fn object(list: &ListId) -> String {
    let id = match list {
        ListId::Resources { parent, .. } => parent.as_ref(),
        ListId::Resource { id, .. } => Some(id),
        _ => resource_of(list),
    };
    id.map_or_else(String::new, |id| format!("{}:{}", id.type_id, id.id))
}

pub(crate) fn phase(op: Op) -> Phase {
    match op {
        Op::ResourceTypes => Phase::ResourceTypes,
        Op::Resources => Phase::Resources,
        Op::StaticEntitlements => Phase::StaticEntitlements,
        Op::Entitlements => Phase::Entitlements,
        Op::Grants => Phase::Grants,
        Op::External => Phase::ExternalResources,
    }
}
