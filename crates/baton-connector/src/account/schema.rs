//! What an account is created from: fields, and where a missing one is taken
//! from.

use std::collections::BTreeMap;

use baton_proto::Code;
use baton_proto::c1::connector::v2;
use prost_types::value::Kind;
use prost_types::{Struct, Value};
use v2::connector_account_creation_schema as wire;
use wire::field::Field as Shape;

use super::address::address_of;
use crate::error::{Error, Result};

/// Keys that hold the login and the e-mail address of a request, whatever the
/// schema has.
const OF_REQUEST: [&str; 2] = ["login", "email"];

/// Which part of a request stands in for a missing field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StandIn {
    Login,
    Email,
}

/// One field of an [`AccountSchema`].
#[derive(Debug, Clone)]
#[must_use]
pub struct AccountField {
    key: String,
    field: wire::Field,
    /// The first that the request has.
    stand_ins: Vec<StandIn>,
    /// Its text is an e-mail address.
    is_address: bool,
}

impl AccountField {
    fn new(key: &str, display_name: &str, shape: Shape) -> Self {
        Self {
            key: key.to_owned(),
            field: wire::Field {
                display_name: display_name.to_owned(),
                field: Some(shape),
                ..wire::Field::default()
            },
            stand_ins: Vec::new(),
            is_address: false,
        }
    }

    /// A text.
    pub fn text(key: &str, display_name: &str) -> Self {
        Self::new(
            key,
            display_name,
            Shape::StringField(wire::StringField::default()),
        )
    }

    /// A text that is an e-mail address. A name before it, as in
    /// `Kim <kim@acme.test>`, is left out of the value.
    pub fn address(key: &str, display_name: &str) -> Self {
        Self {
            is_address: true,
            ..Self::text(key, display_name)
        }
    }

    /// True or false.
    pub fn flag(key: &str, display_name: &str) -> Self {
        Self::new(
            key,
            display_name,
            Shape::BoolField(wire::BoolField::default()),
        )
    }

    /// A whole number.
    pub fn number(key: &str, display_name: &str) -> Self {
        Self::new(
            key,
            display_name,
            Shape::IntField(wire::IntField::default()),
        )
    }

    /// A list of texts.
    pub fn texts(key: &str, display_name: &str) -> Self {
        Self::new(
            key,
            display_name,
            Shape::StringListField(wire::StringListField::default()),
        )
    }

    /// An account cannot be created without it.
    pub fn required(mut self) -> Self {
        self.field.required = true;
        self
    }

    /// What it is for.
    pub fn description(mut self, text: &str) -> Self {
        text.clone_into(&mut self.field.description);
        self
    }

    /// An example of it.
    pub fn placeholder(mut self, text: &str) -> Self {
        text.clone_into(&mut self.field.placeholder);
        self
    }

    /// Its place among the fields that people fill in.
    pub fn order(mut self, order: i32) -> Self {
        self.field.order = order;
        self
    }

    /// The login of the request stands in for it. Of several stand-ins the first
    /// counts that the request has.
    pub fn or_login(mut self) -> Self {
        self.stand_ins.push(StandIn::Login);
        self
    }

    /// The primary e-mail address of the request stands in for it; the first if
    /// none is primary.
    pub fn or_email(mut self) -> Self {
        self.stand_ins.push(StandIn::Email);
        self
    }
}

/// The fields of accounts of one type: announced as
/// `account_creation_schema`, and checked before an account is created.
///
/// ```
/// use baton_connector::{AccountField, AccountSchema};
///
/// let schema = AccountSchema::new()
///     .field(AccountField::text("userName", "Username").required().or_login())
///     .field(AccountField::flag("admin", "Administrator"));
/// assert_eq!(schema.to_wire().field_map.len(), 2);
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct AccountSchema {
    fields: BTreeMap<String, AccountField>,
}

impl AccountSchema {
    /// No fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field; one with the same key is replaced.
    pub fn field(mut self, field: AccountField) -> Self {
        self.fields.insert(field.key.clone(), field);
        self
    }

    /// The schema as it is announced.
    pub fn to_wire(&self) -> v2::ConnectorAccountCreationSchema {
        let fields = self.fields.iter();
        v2::ConnectorAccountCreationSchema {
            field_map: fields
                .map(|(key, field)| (key.clone(), field.field.clone()))
                .collect(),
        }
    }

    /// Reads a request: values of the fields, with stand-ins put in.
    /// `required` replaces what the schema requires.
    ///
    /// # Errors
    /// Code `InvalidArgument`, with every field that is missing or has a value
    /// of another kind.
    pub(crate) fn read(
        &self,
        info: &v2::AccountInfo,
        required: Option<&[&str]>,
    ) -> Result<AccountProfile> {
        let given = info.profile.as_ref().map(|profile| &profile.fields);
        let mut profile = AccountProfile::default();
        let (mut missing, mut wrong) = (Vec::new(), Vec::new());
        for (key, field) in &self.fields {
            let value = given.and_then(|given| given.get(key));
            let value = value.filter(|value| is_given(value)).cloned();
            match value.or_else(|| field.stand_in(info)) {
                Some(value) if field.takes(&value) => match field.read(value) {
                    Some(value) => {
                        profile.0.fields.insert(key.clone(), value);
                    }
                    None => wrong.push(format!("`{key}` is not an e-mail address")),
                },
                Some(value) => wrong.push(format!(
                    "`{key}` is {}, not {}",
                    kind_of(&value),
                    field.kind()
                )),
                None => {
                    let needed = match required {
                        Some(keys) => keys.contains(&key.as_str()),
                        None => field.field.required,
                    };
                    if needed {
                        missing.push(format!("`{key}` ({})", field.field.display_name));
                    }
                    if let Some(value) = field.default() {
                        profile.0.fields.insert(key.clone(), value);
                    }
                }
            }
        }
        if missing.is_empty() && wrong.is_empty() {
            return Ok(profile);
        }
        if !missing.is_empty() {
            wrong.insert(0, format!("missing: {}", missing.join(", ")));
        }
        let text = format!("the account's profile is invalid: {}", wrong.join("; "));
        Err(Error::stated(Code::InvalidArgument, text))
    }

    /// Keys of the request's profile that no field has, in order.
    pub(crate) fn unknown<'i>(&self, info: &'i v2::AccountInfo) -> Vec<&'i str> {
        let given = info
            .profile
            .iter()
            .flat_map(|profile| profile.fields.keys());
        let is_unknown = |key: &&str| !self.fields.contains_key(*key) && !OF_REQUEST.contains(key);
        given.map(String::as_str).filter(is_unknown).collect()
    }
}

impl AccountField {
    fn stand_in(&self, info: &v2::AccountInfo) -> Option<Value> {
        let mut texts = self.stand_ins.iter().filter_map(|stand_in| match stand_in {
            StandIn::Login => (!info.login.is_empty()).then_some(info.login.as_str()),
            StandIn::Email => email(info),
        });
        let kind = Kind::StringValue(texts.next()?.to_owned());
        Some(Value { kind: Some(kind) })
    }

    fn takes(&self, value: &Value) -> bool {
        match (&self.field.field, &value.kind) {
            (Some(Shape::StringField(_)), Some(Kind::StringValue(_)))
            | (Some(Shape::BoolField(_)), Some(Kind::BoolValue(_)))
            | (Some(Shape::MapField(_)), Some(Kind::StructValue(_)))
            | (None, _) => true,
            (Some(Shape::IntField(_)), Some(Kind::NumberValue(number))) => {
                number.fract() == 0.0
                    && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(number)
            }
            (Some(Shape::StringListField(_)), Some(Kind::ListValue(list))) => list
                .values
                .iter()
                .all(|value| matches!(value.kind, Some(Kind::StringValue(_)))),
            _ => false,
        }
    }

    /// A value of its kind as it counts; `None` for a text that is not an
    /// address where one is needed.
    fn read(&self, value: Value) -> Option<Value> {
        match &value.kind {
            Some(Kind::StringValue(text)) if self.is_address => Some(Value {
                kind: Some(Kind::StringValue(address_of(text)?.to_owned())),
            }),
            _ => Some(value),
        }
    }

    fn kind(&self) -> &'static str {
        match &self.field.field {
            Some(Shape::StringField(_)) => "a text",
            Some(Shape::BoolField(_)) => "true or false",
            Some(Shape::IntField(_)) => "a whole number of 32 bits",
            Some(Shape::StringListField(_)) => "a list of texts",
            Some(Shape::MapField(_)) => "an object",
            None => "a value",
        }
    }

    fn default(&self) -> Option<Value> {
        let kind = match self.field.field.as_ref()? {
            Shape::StringField(field) => Kind::StringValue(field.default_value.clone()?),
            Shape::BoolField(field) => Kind::BoolValue(field.default_value?),
            Shape::IntField(field) => Kind::NumberValue(field.default_value?.into()),
            Shape::StringListField(_) | Shape::MapField(_) => return None,
        };
        Some(Value { kind: Some(kind) })
    }
}

/// Null and an empty text are no values.
fn is_given(value: &Value) -> bool {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => false,
        Some(Kind::StringValue(text)) => !text.is_empty(),
        Some(_) => true,
    }
}

fn kind_of(value: &Value) -> &'static str {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => "null",
        Some(Kind::StringValue(_)) => "a text",
        Some(Kind::BoolValue(_)) => "true or false",
        Some(Kind::NumberValue(_)) => "a number",
        Some(Kind::ListValue(_)) => "a list",
        Some(Kind::StructValue(_)) => "an object",
    }
}

/// The primary e-mail address; the first if none is primary.
pub(super) fn email(info: &v2::AccountInfo) -> Option<&str> {
    let primary = info.emails.iter().find(|email| email.is_primary);
    let email = primary.or(info.emails.first())?;
    (!email.address.is_empty()).then_some(email.address.as_str())
}

/// Values of an account's fields, each of the kind that the schema has.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AccountProfile(Struct);

impl AccountProfile {
    /// The text `key`; `None` if it was not given.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.kind(key)? {
            Kind::StringValue(text) => Some(text),
            _ => None,
        }
    }

    /// The truth value `key`.
    pub fn flag(&self, key: &str) -> Option<bool> {
        match self.kind(key)? {
            Kind::BoolValue(value) => Some(*value),
            _ => None,
        }
    }

    /// The number `key`.
    pub fn number(&self, key: &str) -> Option<i32> {
        match self.kind(key)? {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the schema took whole numbers of 32 bits only"
            )]
            Kind::NumberValue(number) => Some(*number as i32),
            _ => None,
        }
    }

    /// The texts of the list `key`.
    pub fn texts(&self, key: &str) -> Option<Vec<&str>> {
        match self.kind(key)? {
            Kind::ListValue(list) => Some(
                list.values
                    .iter()
                    .filter_map(|value| match &value.kind {
                        Some(Kind::StringValue(text)) => Some(text.as_str()),
                        _ => None,
                    })
                    .collect(),
            ),
            _ => None,
        }
    }

    /// All of it.
    pub fn as_struct(&self) -> &Struct {
        &self.0
    }

    fn kind(&self, key: &str) -> Option<&Kind> {
        self.0.fields.get(key)?.kind.as_ref()
    }
}
