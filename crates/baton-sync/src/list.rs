//! A list that is being read: which one, how far, and what it is called in
//! messages.

use baton_c1z::{ListId, Op};
use baton_proto::c1::connector::v2;

use crate::cursor::LoopGuard;
use crate::event::Phase;
use crate::phases;

/// One list between its first and its last page. Exactly one page of it is
/// asked for at a time.
#[derive(Debug)]
pub(crate) struct OpenList {
    pub(crate) id: ListId,
    /// Raised whenever the list is begun anew.
    pub(crate) generation: u32,
    /// Number of the page to ask for.
    pub(crate) page: u32,
    /// Token of the page to ask for.
    pub(crate) token: String,
    pub(crate) guard: LoopGuard,
    /// How often this run began it anew.
    pub(crate) restarts: u32,
    /// The whole resource, for the calls that want it.
    pub(crate) resource: Option<Box<v2::Resource>>,
}

impl OpenList {
    pub(crate) fn at(id: ListId, position: Position) -> Self {
        let token = match position.page {
            0 => id.cursor.clone(),
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

    /// The parent to list under.
    pub(crate) fn parent(&self) -> Option<v2::ResourceId> {
        (!self.id.parent_type.is_empty()).then(|| v2::ResourceId {
            resource_type: self.id.parent_type.clone(),
            resource: self.id.parent_id.clone(),
            ..v2::ResourceId::default()
        })
    }

    /// Whether the list belongs to one object that was listed before. Such
    /// an object may be gone or unreadable without saying anything about
    /// the rest; the failure of any other list fails the sync.
    pub(crate) fn is_about_one_object(&self) -> bool {
        match self.id.op {
            Op::Entitlements | Op::Grants => !self.id.resource_type.is_empty(),
            Op::Resources => !self.id.parent_type.is_empty() || phases::is_single(&self.id),
            Op::ResourceTypes | Op::StaticEntitlements | Op::External => false,
        }
    }

    /// Begins anew at the first page.
    pub(crate) fn restart(&mut self) {
        self.generation += 1;
        self.page = 0;
        self.token.clone_from(&self.id.cursor);
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

/// Whether a list is known one by one, in the plan: all but the entitlements
/// and grants of single resources, which the index of resources knows, save
/// those that are made up of several lists.
pub(crate) fn is_planned(list: &ListId) -> bool {
    list.op <= Op::StaticEntitlements || list.resource_type.is_empty() || !list.cursor.is_empty()
}

/// What a list is called in messages: ``grants of group `g1` ``.
pub(crate) fn name(list: &ListId) -> String {
    let ListId {
        type_id,
        parent_type,
        parent_id,
        resource_type,
        resource_id,
        ..
    } = list;
    match list.op {
        Op::ResourceTypes | Op::External => noun(list.op).to_owned(),
        Op::Resources if phases::is_single(list) => format!("{resource_type} `{resource_id}`"),
        Op::Resources if parent_type.is_empty() => format!("resources of type `{type_id}`"),
        Op::Resources => format!("resources of type `{type_id}` under {parent_type} `{parent_id}`"),
        Op::StaticEntitlements => format!("static entitlements of type `{type_id}`"),
        Op::Entitlements | Op::Grants if resource_type.is_empty() => {
            format!("{} of all resources of type `{type_id}`", noun(list.op))
        }
        Op::Entitlements => format!("entitlements of {resource_type} `{resource_id}`"),
        Op::Grants => format!("grants of {resource_type} `{resource_id}`"),
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
    match list.op {
        Op::Entitlements | Op::Grants if !list.resource_type.is_empty() => &list.resource_type,
        _ => &list.type_id,
    }
}

/// The object that a list belongs to, as `<type>:<id>` for people; empty if
/// there is none.
pub(crate) fn object(list: &ListId) -> String {
    let (kind, id) = match list.op {
        Op::Resources if !phases::is_single(list) => (&list.parent_type, &list.parent_id),
        _ => (&list.resource_type, &list.resource_id),
    };
    if kind.is_empty() {
        String::new()
    } else {
        format!("{kind}:{id}")
    }
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
