//! The bag rules for lists of `google.protobuf.Any` (annotations.md).
//!
//! The name behind the last slash of the URL identifies a type. Packing gives
//! deterministic bytes, so that a row with packed messages encodes the same
//! every time.

use prost::{Message, Name};
use prost_types::Any;

use crate::wire::type_name;
use crate::{Error, Result, encode};

pub use crate::wire::TYPE_URL_PREFIX;

/// Packs a message, with the bytes that Go's deterministic encoder gives.
#[must_use]
pub fn pack<M: Message + Name>(message: &M) -> Any {
    Any {
        type_url: [TYPE_URL_PREFIX, &M::full_name()].concat(),
        value: encode::to_vec(message),
    }
}

/// Whether the entry holds an `M`. The payload is not looked at.
#[must_use]
pub fn is<M: Name>(any: &Any) -> bool {
    type_name(&any.type_url) == M::full_name()
}

/// Unpacks an `M`; another type or a damaged payload is an error.
pub fn unpack<M: Message + Name + Default>(any: &Any) -> Result<M> {
    if !is::<M>(any) {
        return Err(Error::WrongType {
            expected: M::full_name(),
            found: any.type_url.clone(),
        });
    }
    M::decode(any.value.as_slice()).map_err(|source| Error::Decode {
        message: M::full_name(),
        source,
    })
}

/// The first `M` of the list; a damaged payload is an error.
pub fn find<M: Message + Name + Default>(list: &[Any]) -> Result<Option<M>> {
    list.iter().find(|any| is::<M>(any)).map(unpack).transpose()
}

/// Whether the list has an `M`. Payloads are not looked at.
#[must_use]
pub fn contains<M: Name>(list: &[Any]) -> bool {
    list.iter().any(is::<M>)
}

/// Replaces every `M` of the list in place, or appends when there is none.
pub fn update<M: Message + Name>(list: &mut Vec<Any>, message: &M) {
    let packed = pack(message);
    let mut found = false;
    for entry in list.iter_mut().filter(|any| is::<M>(any)) {
        entry.clone_from(&packed);
        found = true;
    }
    if !found {
        list.push(packed);
    }
}

/// Adds an `M` at the end, whether or not one is there.
pub fn append<M: Message + Name>(list: &mut Vec<Any>, message: &M) {
    list.push(pack(message));
}

/// Removes every `M`; the order of the rest stays.
pub fn remove<M: Name>(list: &mut Vec<Any>) {
    list.retain(|any| !is::<M>(any));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::c1::connector::v2::{ChildResourceType, SkipGrants, UserTrait};

    fn child(id: &str) -> ChildResourceType {
        ChildResourceType {
            resource_type_id: id.to_owned(),
        }
    }

    #[test]
    fn another_type_and_a_damaged_payload_are_errors() {
        let any = pack(&child("group"));
        let error = unpack::<UserTrait>(&any).expect_err("another type");
        assert!(error.to_string().contains("c1.connector.v2.UserTrait"));
        let damaged = Any {
            value: vec![0x0a, 0x7f],
            ..any
        };
        assert!(unpack::<ChildResourceType>(&damaged).is_err());
        assert!(find::<ChildResourceType>(std::slice::from_ref(&damaged)).is_err());
        assert!(contains::<ChildResourceType>(&[damaged]));
    }

    #[test]
    fn only_the_name_behind_the_last_slash_counts() {
        let mut any = pack(&child("group"));
        any.type_url = "example.com/x/c1.connector.v2.ChildResourceType".to_owned();
        assert_eq!(
            unpack::<ChildResourceType>(&any).expect("same"),
            child("group")
        );
        any.type_url = "c1.connector.v2.ChildResourceType".to_owned();
        assert!(is::<ChildResourceType>(&any));
    }

    #[test]
    fn the_first_entry_wins_and_update_replaces_all_in_place() {
        let mut list = vec![pack(&child("a")), pack(&SkipGrants {}), pack(&child("b"))];
        assert_eq!(find(&list).expect("valid"), Some(child("a")));
        update(&mut list, &child("c"));
        assert_eq!(
            list,
            [pack(&child("c")), pack(&SkipGrants {}), pack(&child("c"))]
        );
        append(&mut list, &child("d"));
        assert_eq!(list.len(), 4);
        remove::<ChildResourceType>(&mut list);
        assert_eq!(list, [pack(&SkipGrants {})]);
        update(&mut list, &child("e"));
        assert_eq!(list.len(), 2);
        assert_eq!(find::<UserTrait>(&list).expect("none"), None);
    }
}
