//! The notes on a page between programs of this workspace, beside the contract of
//! the Go SDK.
//!
//! A client sends [`HEADER`] with each call. A server that knows it adds an annotation
//! to each page of a list that has notes ([`baton_connector::PageNotes`]), and makes
//! entitlements that the notes name ([`MAKE`]). To all other clients it answers as a Go
//! connector. Go connectors ignore the header.

use std::error::Error;

use baton_connector::{Added, Any, PageNotes, UpstreamCount, v2};
use baton_proto::{any, encode};
use prost::{Message, Name, Oneof};

use crate::{MAX_MESSAGE_BYTES, Method};

/// The header of calls whose caller reads notes.
pub(crate) const HEADER: &str = "baton-page-notes";
/// Its value. Another one means notes in a form that is not known here.
pub(crate) const VERSION: &str = "1";

/// Makes an entitlement that the notes on a page name.
pub(crate) const MAKE: Method<MakeRequest, MakeResponse> = Method::new(
    "/baton.rust.v1.AddedEntitlements/Make",
    "baton.rust.v1.MakeRequest",
);

/// Largest notes of a page that are read. A page of our servers is no larger.
const MAX_BYTES: usize = MAX_MESSAGE_BYTES;
/// Most entitlements that the notes of a page can name.
pub(crate) const MAX_ADDED: usize = 50_000;

/// Notes as they are sent.
#[derive(Clone, PartialEq, Message)]
struct Sent {
    #[prost(oneof = "Count", tags = "1, 2, 3")]
    count: Option<Count>,
    #[prost(bool, tag = "4")]
    count_ends_here: bool,
    #[prost(bool, tag = "5")]
    ends_full: bool,
    #[prost(message, repeated, tag = "6")]
    added: Vec<SentAdded>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Count {
    #[prost(uint64, tag = "1")]
    Rows(u64),
    #[prost(uint64, tag = "2")]
    Approximate(u64),
    #[prost(string, tag = "3")]
    Failed(String),
}

#[derive(Clone, PartialEq, Message)]
struct SentAdded {
    /// The encoded resource.
    #[prost(bytes = "vec", tag = "1")]
    resource: Vec<u8>,
    #[prost(string, tag = "2")]
    slug: String,
    #[prost(bool, tag = "3")]
    listed_with_resource: bool,
}

impl Name for Sent {
    const NAME: &'static str = "PageNotes";
    const PACKAGE: &'static str = "baton.rust.v1";
}

/// The request of [`MAKE`].
#[derive(Clone, PartialEq, Message)]
pub(crate) struct MakeRequest {
    /// The encoded resource.
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) resource: Vec<u8>,
    #[prost(string, tag = "2")]
    pub(crate) slug: String,
    #[prost(string, tag = "3")]
    pub(crate) active_sync_id: String,
}

/// The response of [`MAKE`].
#[derive(Clone, PartialEq, Message)]
pub(crate) struct MakeResponse {
    /// The encoded entitlement. Without it there is none.
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) entitlement: Option<Vec<u8>>,
}

/// Why notes cannot be sent or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the notes name {0} entitlements, and {MAX_ADDED} is the limit")]
    TooMany(usize),
    #[error("the notes have {0} bytes, and {MAX_BYTES} is the limit")]
    TooLarge(usize),
    #[error("the page has more than one message with notes")]
    Twice,
    #[error("the message cannot be decoded")]
    Damaged(#[source] Box<dyn Error + Send + Sync>),
}

/// Adds the notes to the annotations of a page, if it has any.
pub(crate) fn put(annotations: &mut Vec<Any>, notes: &PageNotes) -> Result<(), Fault> {
    if *notes == PageNotes::default() {
        return Ok(());
    }
    if notes.added.len() > MAX_ADDED {
        return Err(Fault::TooMany(notes.added.len()));
    }
    let added = notes.added.iter().map(|added| SentAdded {
        resource: encode::to_vec(&added.resource),
        slug: added.slug.clone(),
        listed_with_resource: added.listed_with_resource,
    });
    let sent = Sent {
        count: match &notes.upstream_count {
            UpstreamCount::Unknown => None,
            UpstreamCount::Rows(rows) => Some(Count::Rows(*rows)),
            UpstreamCount::Approximate(rows) => Some(Count::Approximate(*rows)),
            UpstreamCount::Failed(reason) => Some(Count::Failed(reason.clone())),
        },
        count_ends_here: notes.count_ends_here,
        ends_full: notes.ends_full,
        added: added.collect(),
    };
    any::append(annotations, &sent);
    Ok(())
}

/// Takes the notes out of the annotations of a page. A page of other servers has none.
pub(crate) fn take(annotations: &mut Vec<Any>) -> Result<PageNotes, Fault> {
    let mut all = annotations.extract_if(.., |entry| any::is::<Sent>(entry));
    let Some(packed) = all.next() else {
        return Ok(PageNotes::default());
    };
    if all.next().is_some() {
        return Err(Fault::Twice);
    }
    if packed.value.len() > MAX_BYTES {
        return Err(Fault::TooLarge(packed.value.len()));
    }
    let sent: Sent = any::unpack(&packed).map_err(|error| Fault::Damaged(error.into()))?;
    if sent.added.len() > MAX_ADDED {
        return Err(Fault::TooMany(sent.added.len()));
    }
    let added = sent.added.into_iter().map(|added| {
        let resource = v2::Resource::decode(added.resource.as_slice());
        Ok(Added {
            resource: resource.map_err(|error| Fault::Damaged(error.into()))?,
            slug: added.slug,
            listed_with_resource: added.listed_with_resource,
        })
    });
    Ok(PageNotes {
        upstream_count: match sent.count {
            None => UpstreamCount::Unknown,
            Some(Count::Rows(rows)) => UpstreamCount::Rows(rows),
            Some(Count::Approximate(rows)) => UpstreamCount::Approximate(rows),
            Some(Count::Failed(reason)) => UpstreamCount::Failed(reason),
        },
        count_ends_here: sent.count_ends_here,
        ends_full: sent.ends_full,
        added: added.collect::<Result<_, _>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(id: &str) -> Added {
        Added {
            resource: v2::Resource {
                id: Some(v2::ResourceId {
                    resource_type: "site".to_owned(),
                    resource: id.to_owned(),
                    ..v2::ResourceId::default()
                }),
                ..v2::Resource::default()
            },
            slug: "owner".to_owned(),
            listed_with_resource: id == "listed",
        }
    }

    fn sent(notes: &PageNotes) -> Vec<Any> {
        let other = any::pack(&v2::GrantAlreadyExists {});
        let mut annotations = vec![other.clone()];
        put(&mut annotations, notes).unwrap();
        annotations.push(other);
        annotations
    }

    #[test]
    fn notes_come_back_as_they_were_and_the_other_annotations_stay() {
        let counts = [
            UpstreamCount::Unknown,
            UpstreamCount::Rows(0),
            UpstreamCount::Rows(u64::MAX),
            UpstreamCount::Approximate(7),
            UpstreamCount::Failed(String::new()),
            UpstreamCount::Failed("status 500".to_owned()),
        ];
        for upstream_count in counts {
            for bits in 0..8 {
                let names = match bits & 4 {
                    0 => Vec::new(),
                    _ => vec![added("listed"), added("other")],
                };
                let notes = PageNotes {
                    upstream_count: upstream_count.clone(),
                    count_ends_here: bits & 1 != 0,
                    ends_full: bits & 2 != 0,
                    added: names,
                };
                let mut annotations = sent(&notes);
                let empty = notes == PageNotes::default();
                assert_eq!(annotations.len(), if empty { 2 } else { 3 });
                assert_eq!(take(&mut annotations).unwrap(), notes);
                assert_eq!(annotations, vec![any::pack(&v2::GrantAlreadyExists {}); 2]);
            }
        }
    }

    #[test]
    fn the_fields_have_fixed_numbers() {
        let notes = PageNotes {
            upstream_count: UpstreamCount::Approximate(7),
            count_ends_here: true,
            ends_full: true,
            added: vec![added("listed")],
        };
        let packed = sent(&notes).remove(1);
        assert_eq!(
            packed.type_url,
            "type.googleapis.com/baton.rust.v1.PageNotes"
        );
        let mut expected = vec![0x10, 7, 0x20, 1, 0x28, 1, 0x32, 27, 0x0a, 16];
        expected.extend(b"\x0a\x0e\x0a\x04site\x12\x06listed\x12\x05owner\x18\x01");
        assert_eq!(packed.value, expected);
    }

    #[test]
    fn notes_cut_at_any_byte_or_with_a_damaged_resource_are_refused() {
        let notes = PageNotes {
            added: vec![added("one")],
            ..PageNotes::default()
        };
        let whole = sent(&notes);
        for end in 1..whole[1].value.len() {
            let mut cut = whole.clone();
            cut[1].value.truncate(end);
            let error = take(&mut cut).unwrap_err();
            assert!(matches!(error, Fault::Damaged(_)), "cut at {end}");
        }
        let mut damaged = whole;
        // An added entitlement whose resource is one byte.
        damaged[1].value = vec![0x32, 3, 0x0a, 1, 0xff];
        let error = take(&mut damaged).unwrap_err();
        assert!(matches!(error, Fault::Damaged(_)), "{error}");
    }

    #[test]
    fn notes_above_a_limit_or_given_twice_are_refused() {
        let mut notes = PageNotes {
            added: vec![added("one"); MAX_ADDED],
            ..PageNotes::default()
        };
        let mut most = sent(&notes);
        assert_eq!(take(&mut most).unwrap(), notes);
        notes.added.push(added("one"));
        let refused = put(&mut Vec::new(), &notes).unwrap_err();
        assert!(matches!(refused, Fault::TooMany(n) if n == MAX_ADDED + 1));
        let mut many = sent(&PageNotes::default());
        let value = [0x32, 0].repeat(MAX_ADDED + 1);
        let type_url = any::pack(&Sent::default()).type_url;
        many.push(Any { type_url, value });
        let refused = take(&mut many.clone()).unwrap_err();
        assert!(matches!(refused, Fault::TooMany(_)), "{refused}");
        many[2].value = vec![0; MAX_BYTES + 1];
        let refused = take(&mut many.clone()).unwrap_err();
        assert!(matches!(refused, Fault::TooLarge(_)), "{refused}");
        many[0] = many[2].clone();
        let refused = take(&mut many).unwrap_err();
        assert!(matches!(refused, Fault::Twice), "{refused}");
    }
}
