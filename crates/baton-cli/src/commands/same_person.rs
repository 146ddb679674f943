//! Which principals of two sides are the same.
//!
//! The rules are the Go tool's: the same id; of two users a common e-mail
//! address; otherwise, unless only one of them is a user, the same display
//! name. The Go tool takes any principal that one of the rules allows. Here a
//! rule counts only if the ones before it match with no principal, and the
//! first match in grant order is taken.

use std::collections::HashMap;

use baton_c1z::{Projection, Row, Table};
use baton_proto::c1::connector::v2;
use baton_proto::field::c1::connector::v2 as field;
use baton_proto::wire::{self, AnyRef, Value};
use prost::Name as _;

use crate::error::CliError;
use crate::lookups::missing_resource;

/// What a principal is recognized by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Identity {
    type_id: String,
    id: String,
    name: String,
    /// The addresses of a user; other principals have none.
    emails: Option<Vec<String>>,
}

/// Reads identities of resources.
pub(super) struct Identities;

impl Projection for Identities {
    type Value = Identity;
    type Error = CliError;

    fn found(&self, _: Table, row: &Row<'_>) -> Result<Identity, CliError> {
        identity(row).map_err(|source| CliError::Render {
            what: format!("`{}`", row.id),
            source,
        })
    }

    fn missing(&self, _: Table, type_id: &str, id: &str) -> Result<Identity, CliError> {
        Ok(Identity {
            type_id: type_id.to_owned(),
            id: id.to_owned(),
            name: missing_resource(type_id, id),
            emails: None,
        })
    }

    fn pack(&self, value: &Identity, out: &mut Vec<u8>) {
        let mut put = |text: &str| {
            out.extend_from_slice(&(text.len() as u64).to_le_bytes());
            out.extend_from_slice(text.as_bytes());
        };
        for text in [&value.type_id, &value.id, &value.name] {
            put(text);
        }
        for email in value.emails.iter().flatten() {
            put(email);
        }
        out.push(u8::from(value.emails.is_some()));
    }

    fn unpack(&self, bytes: &[u8]) -> Option<Identity> {
        let (is_user, mut rest) = bytes.split_last()?;
        let mut texts = Vec::new();
        while !rest.is_empty() {
            let (len, behind) = rest.split_first_chunk()?;
            let len = usize::try_from(u64::from_le_bytes(*len)).ok()?;
            let (text, behind) = behind.split_at_checked(len)?;
            texts.push(str::from_utf8(text).ok()?.to_owned());
            rest = behind;
        }
        let mut texts = texts.into_iter();
        Some(Identity {
            type_id: texts.next()?,
            id: texts.next()?,
            name: texts.next()?,
            emails: (*is_user == 1).then(|| texts.collect()),
        })
    }
}

fn identity(row: &Row<'_>) -> baton_proto::Result<Identity> {
    let mut identity = Identity {
        type_id: row.resource_type_id.to_owned(),
        id: row.resource_id.to_owned(),
        ..Identity::default()
    };
    for part in wire::values(row.data) {
        match part? {
            (field::resource::DISPLAY_NAME, Value::Bytes(name)) => {
                wire::text(name)?.clone_into(&mut identity.name);
            }
            (field::resource::ANNOTATIONS, Value::Bytes(entry)) => {
                let any = AnyRef::read(entry)?;
                if any.type_name() == v2::UserTrait::full_name() && identity.emails.is_none() {
                    identity.emails = Some(emails(any.value)?);
                }
            }
            _ => {}
        }
    }
    Ok(identity)
}

fn emails(user: &[u8]) -> baton_proto::Result<Vec<String>> {
    let mut emails = Vec::new();
    for part in wire::values(user) {
        if let (field::user_trait::EMAILS, Value::Bytes(email)) = part? {
            let address = wire::last_str(email, field::user_trait::email::ADDRESS)?;
            emails.push(address.to_owned());
        }
    }
    Ok(emails)
}

/// Which principals of each side have a match.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Matched {
    pub base: Vec<bool>,
    pub other: Vec<bool>,
}

/// Finds a principal of the other side for each of the base.
pub(super) fn match_up(base: &[Identity], other: &[Identity]) -> Matched {
    let index = Index::new(other);
    let mut matched = Matched {
        base: vec![false; base.len()],
        other: vec![false; other.len()],
    };
    for (identity, is_matched) in base.iter().zip(&mut matched.base) {
        if let Some(place) = index.find(identity) {
            *is_matched = true;
            if let Some(taken) = matched.other.get_mut(place) {
                *taken = true;
            }
        }
    }
    matched
}

/// The first place of each id, address and name.
#[derive(Default)]
struct Index<'i> {
    ids: HashMap<(&'i str, &'i str), usize>,
    emails: HashMap<&'i str, usize>,
    /// Names of users and of others apart: these never match.
    names: HashMap<(bool, &'i str), usize>,
}

impl<'i> Index<'i> {
    fn new(identities: &'i [Identity]) -> Self {
        let mut index = Self::default();
        for (place, identity) in identities.iter().enumerate() {
            let Identity { type_id, id, .. } = identity;
            index.ids.entry((type_id, id)).or_insert(place);
            for email in identity.emails.iter().flatten() {
                index.emails.entry(email).or_insert(place);
            }
            let name = (identity.emails.is_some(), identity.name.as_str());
            index.names.entry(name).or_insert(place);
        }
        index
    }

    fn find(&self, wanted: &Identity) -> Option<usize> {
        let by_id = self.ids.get(&(wanted.type_id.as_str(), wanted.id.as_str()));
        let by_email = || {
            let emails = wanted.emails.iter().flatten();
            emails
                .filter_map(|email| self.emails.get(email.as_str()))
                .min()
        };
        let name = (wanted.emails.is_some(), wanted.name.as_str());
        by_id
            .or_else(by_email)
            .or_else(|| self.names.get(&name))
            .copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(id: &str, name: &str, emails: Option<&[&str]>) -> Identity {
        Identity {
            type_id: "t".to_owned(),
            id: id.to_owned(),
            name: name.to_owned(),
            emails: emails.map(|list| list.iter().map(|&email| email.to_owned()).collect()),
        }
    }

    /// The rules as the Go tool applies them to one pair.
    fn may_match(a: &Identity, b: &Identity) -> bool {
        if (&a.type_id, &a.id) == (&b.type_id, &b.id) {
            return true;
        }
        let by_name = a.name == b.name;
        match (&a.emails, &b.emails) {
            (Some(a), Some(b)) => a.iter().any(|email| b.contains(email)) || by_name,
            (None, None) => by_name,
            _ => false,
        }
    }

    #[test]
    fn a_match_exists_exactly_where_the_rules_of_pairs_allow_one() {
        let names = ["", "n", "m"];
        let lists: [Option<&[&str]>; 4] = [None, Some(&[]), Some(&["a"]), Some(&["b", "a"])];
        let mut all = Vec::new();
        for id in ["1", "2"] {
            for name in names {
                all.extend(lists.map(|emails| principal(id, name, emails)));
            }
        }
        for a in &all {
            for b in &all {
                let found = match_up(std::slice::from_ref(a), std::slice::from_ref(b));
                let expected = may_match(a, b);
                assert_eq!(found.base, [expected], "{a:?} {b:?}");
                assert_eq!(found.other, [expected], "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn an_id_wins_over_an_address_and_that_over_a_name() {
        let base = [principal("1", "n", Some(&["a"]))];
        let (id, email, name) = (
            principal("1", "x", Some(&[])),
            principal("2", "x", Some(&["a"])),
            principal("3", "n", Some(&[])),
        );
        for (other, taken) in [
            (vec![name.clone(), email.clone(), id], 2),
            (vec![name.clone(), email], 1),
            (vec![name.clone(), name], 0),
        ] {
            let found = match_up(&base, &other);
            let expected: Vec<bool> = (0..other.len()).map(|place| place == taken).collect();
            assert_eq!(found.other, expected);
        }
    }

    #[test]
    fn several_of_the_base_may_have_one_match() {
        let base = [principal("1", "n", None), principal("2", "n", None)];
        let found = match_up(&base, &[principal("3", "n", None)]);
        assert_eq!((found.base, found.other), (vec![true; 2], vec![true]));
    }

    #[test]
    fn an_identity_survives_packing() {
        for emails in [None, Some(&[][..]), Some(&["a@x", ""][..])] {
            let whole = principal("1", "name", emails);
            let mut packed = Vec::new();
            Identities.pack(&whole, &mut packed);
            assert_eq!(Identities.unpack(&packed), Some(whole));
            assert_eq!(Identities.unpack(&packed[..9]), None);
        }
    }
}
