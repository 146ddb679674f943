//! Protobuf JSON straight from wire bytes, and back.
//!
//! No message is built in between: the writer walks the bytes once, led by
//! tables of the compiled types, so that millions of stored rows can be shown;
//! the reader writes the bytes that Go's deterministic encoder would. The
//! mapping is protojson's (baton-cli.md §4.1): default values left out, 64-bit
//! numbers and map keys as strings, enums by name, `Any` with its `@type`.

pub mod compare;
mod number;
mod read;
mod scan;
mod text;
mod write;

use prost::{Message, Name};

use crate::schema::Schema;
use crate::{Error, Result};

pub use write::{Options, UnknownAny};

/// A message type of the [`Registry`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageId(usize);

/// Every compiled message type. Built on first use, never changed.
#[derive(Debug)]
pub struct Registry(());

impl Registry {
    /// The one registry.
    #[must_use]
    pub fn get() -> &'static Registry {
        &Registry(())
    }

    /// The type with this full name, such as `c1.connector.v2.Grant`.
    #[must_use]
    pub fn message(&self, full_name: &str) -> Option<MessageId> {
        Schema::get().find(full_name).map(MessageId)
    }

    /// The type of a generated message.
    pub fn message_of<M: Name>(&self) -> Result<MessageId> {
        let name = M::full_name();
        self.message(&name).ok_or(Error::UnknownType { name })
    }

    /// The full name of a type.
    #[must_use]
    pub fn full_name(&self, message: MessageId) -> &str {
        Schema::get()
            .message(message.0)
            .map_or("", |table| table.full_name.as_str())
    }

    /// Full names of all types, map entries included.
    pub fn full_names(&self) -> impl Iterator<Item = &str> {
        Schema::get()
            .messages()
            .iter()
            .map(|table| table.full_name.as_str())
    }
}

/// Appends the JSON form of one encoded message to `out`, without a newline.
///
/// On an error `out` is as it was. Fails on bytes that are no such message, on
/// text that is not UTF-8, on values that JSON cannot express (a time after
/// year 9999), and, when so asked, on `Any`s of unknown types.
pub fn write(out: &mut Vec<u8>, message: MessageId, wire: &[u8], options: &Options) -> Result<()> {
    let start = out.len();
    write::message(out, message.0, wire, options).map_err(|source| {
        out.truncate(start);
        Error::Render {
            message: Registry::get().full_name(message).to_owned(),
            source: Box::new(source),
        }
    })
}

/// The JSON form of a message.
pub fn to_string<M: Message + Name>(message: &M, options: &Options) -> Result<String> {
    let id = Registry::get().message_of::<M>()?;
    let mut out = Vec::new();
    write(&mut out, id, &message.encode_to_vec(), options)?;
    String::from_utf8(out).map_err(|e| Error::Wire {
        what: "text is not UTF-8",
        offset: e.utf8_error().valid_up_to(),
    })
}

/// What a reader of JSON lets pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ParseOptions {
    /// Skip unknown keys and unknown enum names instead of refusing them.
    pub ignore_unknown: bool,
}

/// Reads the JSON form of a message and gives its encoding, as Go's
/// deterministic encoder would write it.
///
/// Takes declared names as well as JSON names, numbers in quotes, enums by
/// name or number, and `null` for unset. Refuses unknown keys, a key or a
/// oneof that occurs twice, and anything behind the value.
pub fn parse(message: MessageId, json: &str) -> Result<Vec<u8>> {
    parse_with(message, json, ParseOptions::default())
}

/// As [`parse`], with options.
pub fn parse_with(message: MessageId, json: &str, options: ParseOptions) -> Result<Vec<u8>> {
    read::message(message.0, json, options)
}

/// Reads the JSON form of a generated message.
pub fn from_str<M: Message + Name + Default>(json: &str) -> Result<M> {
    from_str_with(json, ParseOptions::default())
}

/// As [`from_str`], with options.
pub fn from_str_with<M: Message + Name + Default>(json: &str, options: ParseOptions) -> Result<M> {
    let id = Registry::get().message_of::<M>()?;
    let wire = parse_with(id, json, options)?;
    M::decode(wire.as_slice()).map_err(|source| Error::Decode {
        message: M::full_name(),
        source,
    })
}
