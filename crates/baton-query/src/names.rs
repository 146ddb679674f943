//! What people call an object, read from its row without decoding all of it.

use baton_c1z::Row;
use baton_proto::field::c1::connector::v2 as field;
use baton_proto::wire::{self, AnyRef, Value};
use prost::Name;

use baton_proto::c1::connector::v2;

type Result<T> = baton_proto::Result<T>;

/// The names of one object.
pub(crate) trait Names {
    /// The name to show.
    fn shown(&self) -> &str;

    /// Whether a person who typed `wanted` may mean this object.
    fn is_called(&self, wanted: &str) -> bool;

    /// Visits the texts that a person may have tried to type, besides the id.
    fn visit(&self, visit: &mut dyn FnMut(&str));
}

/// Of a resource: its display name; of a user also e-mail addresses and
/// logins; its id or display name behind its type and a colon.
#[derive(Debug, Default)]
pub(crate) struct ResourceNames<'r> {
    type_id: &'r str,
    id: &'r str,
    display_name: &'r str,
    emails: Vec<&'r str>,
    logins: Vec<&'r str>,
}

impl<'r> ResourceNames<'r> {
    pub fn read(row: &Row<'r>) -> Result<Self> {
        let mut names = Self {
            type_id: row.resource_type_id,
            id: row.resource_id,
            ..Self::default()
        };
        for part in wire::values(row.data) {
            match part? {
                (field::resource::DISPLAY_NAME, Value::Bytes(name)) => {
                    names.display_name = wire::text(name)?;
                }
                (field::resource::ANNOTATIONS, Value::Bytes(entry)) => {
                    let any = AnyRef::read(entry)?;
                    if any.type_name() == v2::UserTrait::full_name() {
                        names.read_user(any.value)?;
                    }
                }
                _ => {}
            }
        }
        Ok(names)
    }

    fn read_user(&mut self, user: &'r [u8]) -> Result<()> {
        for part in wire::values(user) {
            match part? {
                (field::user_trait::EMAILS, Value::Bytes(email)) => {
                    let address = wire::last_str(email, field::user_trait::email::ADDRESS)?;
                    self.emails.push(address);
                }
                (
                    field::user_trait::LOGIN | field::user_trait::LOGIN_ALIASES,
                    Value::Bytes(login),
                ) => self.logins.push(wire::text(login)?),
                _ => {}
            }
        }
        Ok(())
    }
}

impl Names for ResourceNames<'_> {
    fn shown(&self) -> &str {
        self.display_name
    }

    fn is_called(&self, wanted: &str) -> bool {
        // Mail systems do not tell letter case apart.
        let is_email = |email: &&str| email.eq_ignore_ascii_case(wanted);
        is_resource(wanted, self.type_id, [self.display_name, self.id])
            || self.logins.contains(&wanted)
            || self.emails.iter().any(is_email)
    }

    fn visit(&self, visit: &mut dyn FnMut(&str)) {
        visit(self.display_name);
        for text in self.emails.iter().chain(&self.logins) {
            visit(text);
        }
    }
}

/// Of an entitlement: its display name; its slug or display name behind its
/// resource and a colon. A bare slug is no name: as soon as there is a second
/// resource it means something else.
#[derive(Debug, Default)]
pub(crate) struct EntitlementNames<'r> {
    display_name: &'r str,
    slug: &'r str,
    type_id: &'r str,
    resource_id: &'r str,
    resource_name: &'r str,
}

impl<'r> EntitlementNames<'r> {
    /// Reads a row; `resource_name` is its resource's, or empty.
    pub fn read(row: &Row<'r>, resource_name: &'r str) -> Result<Self> {
        let mut names = Self {
            type_id: row.resource_type_id,
            resource_id: row.resource_id,
            resource_name,
            ..Self::default()
        };
        for part in wire::values(row.data) {
            match part? {
                (field::entitlement::DISPLAY_NAME, Value::Bytes(name)) => {
                    names.display_name = wire::text(name)?;
                }
                (field::entitlement::SLUG, Value::Bytes(slug)) => names.slug = wire::text(slug)?,
                _ => {}
            }
        }
        Ok(names)
    }
}

impl Names for EntitlementNames<'_> {
    fn shown(&self) -> &str {
        self.display_name
    }

    fn is_called(&self, wanted: &str) -> bool {
        let is_behind_resource = |last: &str| {
            let resource = wanted.strip_suffix(last).and_then(|w| w.strip_suffix(':'));
            resource.is_some_and(|resource| {
                is_resource(
                    resource,
                    self.type_id,
                    [self.resource_name, self.resource_id],
                )
            })
        };
        let mut last_parts = [self.slug, self.display_name]
            .into_iter()
            .filter(|last| !last.is_empty());
        self.display_name == wanted || last_parts.any(is_behind_resource)
    }

    fn visit(&self, visit: &mut dyn FnMut(&str)) {
        visit(self.display_name);
        if !self.slug.is_empty() && !self.resource_name.is_empty() {
            visit(&[self.resource_name, ":", self.slug].concat());
        }
    }
}

/// Of a resource type: its display name, which finds nothing but near matches.
#[derive(Debug)]
pub(crate) struct TypeNames<'r> {
    display_name: &'r str,
}

impl<'r> TypeNames<'r> {
    pub fn read(row: &Row<'r>) -> Result<Self> {
        Ok(Self {
            display_name: wire::last_str(row.data, field::resource_type::DISPLAY_NAME)?,
        })
    }
}

impl Names for TypeNames<'_> {
    fn shown(&self) -> &str {
        self.display_name
    }

    fn is_called(&self, _: &str) -> bool {
        false
    }

    fn visit(&self, visit: &mut dyn FnMut(&str)) {
        visit(self.display_name);
    }
}

/// Of a grant: none.
#[derive(Debug)]
pub(crate) struct NoNames;

impl Names for NoNames {
    fn shown(&self) -> &'static str {
        ""
    }

    fn is_called(&self, _: &str) -> bool {
        false
    }

    fn visit(&self, _: &mut dyn FnMut(&str)) {}
}

/// Whether `text` is one of these, or one behind the type and a colon. Empty
/// names are none.
fn is_resource(text: &str, type_id: &str, names: [&str; 2]) -> bool {
    let behind_type = text.strip_prefix(type_id).and_then(|t| t.strip_prefix(':'));
    names
        .iter()
        .filter(|name| !name.is_empty())
        .any(|name| *name == text || behind_type == Some(name))
}
