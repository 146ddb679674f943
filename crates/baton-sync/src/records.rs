//! What the engine writes into the log besides pages: marks, and the
//! details of dropped lists. Small JSON texts, so that a log can be read by
//! a person; a change of one must raise [`LAYOUT`].

use std::collections::BTreeSet;

use baton_c1z::{DropReason, ListId, Op};
use baton_proto::Advice;
use baton_proto::c1::connector::v2;
use prost::Message;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::error::{Error, Result};
use crate::event::Phase;
use crate::report::{Dropped, SkipKind};
use crate::strays::Strays;

/// Version of everything here. Part of the fingerprint: work of another
/// layout is set aside.
pub(crate) const LAYOUT: &str = "5";

/// Kind of the mark that opens a sync.
pub(crate) const RUN: &str = "run";
/// Kind of the mark that ends a phase.
pub(crate) const PHASE: &str = "phase";
/// Kind of the mark with facts about the page right behind it.
pub(crate) const NOTE: &str = "note";
/// Kind of the mark that holds a change of session values.
pub(crate) const SESSION: &str = "session";
/// Kind of the mark that ends a list without dropping its rows.
pub(crate) const ABANDONED: &str = "abandoned";

/// Kind of the mark that names the list which ended a run.
pub(crate) const ENDED_BY: &str = "ended by";

/// Who the sync is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) sync_id: String,
}

/// What is not in a page's rows but belongs to it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Note {
    /// Which page; see [`page_key`].
    pub(crate) page: String,
    pub(crate) facts: PageFacts,
    /// Templates of static entitlements, encoded.
    pub(crate) templates: Vec<Vec<u8>>,
}

/// What is to be remembered of a page beyond its rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct PageFacts {
    /// Records that were left out.
    #[serde(skip_serializing_if = "Dropped::is_empty")]
    pub(crate) dropped: Dropped,
    /// Some entitlement is in an exclusion group.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) grouped: bool,
    /// Types of resources that grants embed and that are to be inserted.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) inserted: BTreeSet<String>,
    /// Some grant has an expansion. Only set where grants of another file are copied, too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) expandable: bool,
    /// Some grant asks for an external resource.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) placeholder: bool,
    /// Tokens of further lists that make up this one.
    // The name that logs of earlier versions have.
    #[serde(rename = "spawned", skip_serializing_if = "Vec::is_empty")]
    pub(crate) enqueued: Vec<String>,
    /// The resource that was asked for by its id does not exist: the
    /// reason that the connector gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) absent: Option<String>,
    /// The connector cannot read resources of that type by their id.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) unreadable: bool,
    /// Rows of types that the connector does not have.
    #[serde(skip_serializing_if = "Strays::is_empty")]
    pub(crate) strays: Strays,
    /// Resources that grants are on, as far as a targeted sync wants them.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) related: BTreeSet<Related>,
    /// Rows of the list by the application's own count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) counted: Option<u64>,
    /// That count is one of something else than the list.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) roughly: bool,
    /// The last page is full, and there is no count.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) ends_full: bool,
    /// Why that count could not be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) uncounted: Option<String>,
    /// What was counted ends with this page.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) count_ends_here: bool,
}

/// A resource by its id: type, id, and the same of its parent.
pub(crate) type Related = (String, String, Option<(String, String)>);

impl PageFacts {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Serialize, Deserialize)]
struct NoteHead {
    page: String,
    #[serde(flatten)]
    facts: PageFacts,
}

/// Names a page of a list among all pages of a log.
pub(crate) fn page_key(list: &ListId, generation: u32, page: u32) -> String {
    let op = std::iter::once(list.op().name());
    let parts: Vec<&str> = op.chain(list.parts()).collect();
    to_text(&(parts, generation, page))
}

impl Note {
    /// The templates follow the JSON head as one list message, since they
    /// are bytes; JSON texts hold no line break.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let head = NoteHead {
            page: self.page.clone(),
            facts: self.facts.clone(),
        };
        let mut out = to_text(&head).into_bytes();
        out.push(b'\n');
        for template in &self.templates {
            // Field 1 of the response message: the list.
            baton_proto::wire::put_bytes(&mut out, 1, template);
        }
        out
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self> {
        let unreadable = || Error::Journal { what: "page note" };
        let split = payload.iter().position(|b| *b == b'\n');
        let (head, rest) = payload.split_at(split.ok_or_else(unreadable)?);
        let head: NoteHead = from_bytes(head, "page note")?;
        let rest = rest.get(1..).unwrap_or_default();
        let templates = baton_proto::wire::fields(rest)
            .map(|field| {
                let field = field.map_err(|_| unreadable())?;
                field
                    .value
                    .bytes()
                    .map(<[u8]>::to_vec)
                    .ok_or_else(unreadable)
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            page: head.page,
            facts: head.facts,
            templates,
        })
    }
}

/// Decodes one template.
pub(crate) fn template(bytes: &[u8]) -> Result<v2::Entitlement> {
    v2::Entitlement::decode(bytes).map_err(|_| Error::Journal {
        what: "static entitlement",
    })
}

/// Why a list is not, or not wholly, in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Skip {
    pub(crate) kind: SkipKind,
    pub(crate) reason: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) advice: Vec<Advice>,
}

impl Skip {
    pub(crate) fn drop_reason(&self) -> DropReason {
        match self.kind {
            SkipKind::Forbidden => DropReason::Forbidden,
            SkipKind::Vanished => DropReason::Vanished,
            SkipKind::Abandoned => DropReason::NotFound,
        }
    }
}

/// A resource listing that ended early; its earlier pages count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Abandoned {
    pub(crate) type_id: String,
    pub(crate) parent: Option<(String, String)>,
    pub(crate) reason: String,
}

impl Abandoned {
    pub(crate) fn of(list: &ListId, reason: &str) -> Self {
        let [type_id, parent_type, parent_id, ..] = list.parts().map(str::to_owned);
        Self {
            type_id,
            parent: (!parent_type.is_empty()).then_some((parent_type, parent_id)),
            reason: reason.to_owned(),
        }
    }

    pub(crate) fn list(&self) -> ListId {
        let parent = self.parent.as_ref();
        ListId::resources(
            &self.type_id,
            parent.map(|(kind, id)| (kind.as_str(), id.as_str())),
        )
    }
}

/// The list of one object that ended a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EndedBy {
    op: String,
    type_id: String,
    parent: (String, String),
    resource: (String, String),
    cursor: String,
}

impl EndedBy {
    pub(crate) fn of(list: &ListId) -> Self {
        let [
            type_id,
            parent_type,
            parent_id,
            resource_type,
            resource_id,
            cursor,
        ] = list.parts().map(str::to_owned);
        Self {
            op: list.op().name().to_owned(),
            type_id,
            parent: (parent_type, parent_id),
            resource: (resource_type, resource_id),
            cursor,
        }
    }

    /// The list; `None` if it is of a kind that has no object.
    pub(crate) fn list(self) -> Option<ListId> {
        let ops = [Op::Resources, Op::Entitlements, Op::Grants];
        let op = ops.into_iter().find(|op| op.name() == self.op)?;
        let (parent, resource) = (&self.parent, &self.resource);
        let parts = [
            &self.type_id,
            &parent.0,
            &parent.1,
            &resource.0,
            &resource.1,
            &self.cursor,
        ];
        ListId::of_parts(op, parts.map(String::as_str))
    }
}

pub(crate) fn to_text(value: &impl Serialize) -> String {
    // Strings, numbers and maps with string keys into memory: cannot fail.
    serde_json::to_string(value).unwrap_or_default()
}

pub(crate) fn from_bytes<T: DeserializeOwned>(bytes: &[u8], what: &'static str) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|_| Error::Journal { what })
}

pub(crate) fn phase_named(name: &[u8]) -> Option<Phase> {
    [
        Phase::ResourceTypes,
        Phase::Resources,
        Phase::StaticEntitlements,
        Phase::Entitlements,
        Phase::Grants,
        Phase::RelatedResources,
        Phase::ExternalResources,
    ]
    .into_iter()
    .find(|phase| phase.name().as_bytes() == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::UnknownKind;

    #[test]
    fn a_note_that_is_cut_off_is_an_error() {
        for bytes in [
            &b""[..],
            b"{}",
            b"{\"page\":\"x\"}",
            b"{\"page\":\"x\"}\n\x0a\x05a",
        ] {
            assert!(Note::decode(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_note_is_read_back() {
        let note = Note {
            page: page_key(&ListId::static_entitlements("a\nb"), 1, 2),
            facts: PageFacts {
                expandable: true,
                placeholder: true,
                dropped: Dropped {
                    invalid_resources: 3,
                    ..Dropped::default()
                },
                grouped: true,
                inserted: ["site".to_owned()].into(),
                enqueued: vec!["t".to_owned()],
                absent: Some("gone".to_owned()),
                unreadable: true,
                strays: {
                    let mut strays = Strays::default();
                    strays.note(UnknownKind::Grant, "robot", "r:1");
                    strays
                },
                related: [("a".to_owned(), "b".to_owned(), None)].into(),
                counted: Some(7),
                roughly: true,
                ends_full: true,
                uncounted: Some("refused".to_owned()),
                count_ends_here: true,
            },
            templates: vec![vec![], vec![0x0a, 0x00], vec![b'\n']],
        };
        assert_eq!(Note::decode(&note.encode()).expect("whole"), note);
    }

    #[test]
    fn a_list_that_ended_a_run_is_read_back() {
        for list in [
            ListId::grants("group", "g:1"),
            ListId::entitlements("group", "g").with_cursor("c"),
            ListId::resources("site", Some(("org", "o"))),
        ] {
            let text = to_text(&EndedBy::of(&list));
            let back: EndedBy = from_bytes(text.as_bytes(), "mark").expect("valid");
            assert_eq!(back.list(), Some(list));
        }
        assert_eq!(EndedBy::of(&ListId::resource_types()).list(), None);
    }

    #[test]
    fn an_abandoned_list_is_read_back() {
        for list in [
            ListId::resources("site", None),
            ListId::resources("site", Some(("org", "o:1"))),
        ] {
            let text = to_text(&Abandoned::of(&list, "why"));
            let back: Abandoned = from_bytes(text.as_bytes(), "mark").expect("valid");
            assert_eq!(back.list(), list);
        }
    }
}
