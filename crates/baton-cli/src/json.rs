//! JSON output: one object that holds one list, written as it is read. Rows
//! go from stored bytes to text without a message in between.

use std::io::{self, Write};

use baton_c1z::Table;
use baton_proto::json::{self, MessageId, Options, Registry, UnknownAny};
use baton_query::Value;

use crate::error::CliError;

/// The message types of rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MessageTypes {
    pub resource_type: MessageId,
    pub resource: MessageId,
    pub entitlement: MessageId,
    pub grant: MessageId,
}

impl MessageTypes {
    pub fn new() -> Result<Self, CliError> {
        Ok(Self {
            resource_type: message_type("c1.connector.v2.ResourceType")?,
            resource: message_type("c1.connector.v2.Resource")?,
            entitlement: message_type("c1.connector.v2.Entitlement")?,
            grant: message_type("c1.connector.v2.Grant")?,
        })
    }

    /// The type of a table's rows.
    pub fn of(&self, table: Table) -> MessageId {
        match table {
            Table::ResourceTypes => self.resource_type,
            Table::Resources => self.resource,
            Table::Entitlements => self.entitlement,
            Table::Grants => self.grant,
        }
    }
}

fn message_type(name: &str) -> Result<MessageId, CliError> {
    Registry::get().message(name).ok_or_else(|| CliError::Row {
        what: format!("the message type {name} is not compiled in"),
    })
}

/// Appends a stored message as JSON. Annotations of unknown types are left
/// out, as the Go tool does before it prints.
pub(crate) fn append(
    out: &mut Vec<u8>,
    message_type: MessageId,
    wire: &[u8],
    what: impl FnOnce() -> String,
) -> Result<(), CliError> {
    json::write(out, message_type, wire, &options()).map_err(|source| CliError::Render {
        what: what(),
        source,
    })
}

/// A message built here, as JSON.
pub(crate) fn whole<M>(message: &M, what: &str) -> Result<String, CliError>
where
    M: prost::Message + prost::Name,
{
    json::to_string(message, &options()).map_err(|source| CliError::Render {
        what: what.to_owned(),
        source,
    })
}

fn options() -> Options {
    Options {
        unknown_any: UnknownAny::Drop,
        ..Options::default()
    }
}

/// Writes `{"<key>":[…]}` item by item, or `{}` when there is none.
pub(crate) struct ListWriter<'o> {
    out: &'o mut dyn Write,
    key: &'static str,
    items: u64,
}

impl<'o> ListWriter<'o> {
    pub fn new(out: &'o mut dyn Write, key: &'static str) -> Self {
        Self { out, key, items: 0 }
    }

    /// Writes one item.
    pub fn item(&mut self, json: &[u8]) -> io::Result<()> {
        self.items += 1;
        if self.items == 1 {
            write!(self.out, "{{\"{}\":[", self.key)?;
        } else {
            self.out.write_all(b",")?;
        }
        self.out.write_all(json)
    }

    /// Closes the object. There is no newline at the end.
    pub fn finish(self) -> io::Result<()> {
        self.out
            .write_all(if self.items == 0 { b"{}" } else { b"]}" })
    }
}

/// The fields of one object.
pub(crate) struct Fields<'b> {
    buffer: &'b mut Vec<u8>,
    first: bool,
}

impl<'b> Fields<'b> {
    pub fn open(buffer: &'b mut Vec<u8>) -> Self {
        buffer.push(b'{');
        Self {
            buffer,
            first: true,
        }
    }

    pub fn close(self) {
        self.buffer.push(b'}');
    }

    /// A field whose JSON is at hand.
    pub fn json(&mut self, key: &str, json: &[u8]) {
        self.key(key);
        self.buffer.extend_from_slice(json);
    }

    /// A field of a record.
    pub fn value(&mut self, key: &str, value: &Value<'_>) {
        if !self.first {
            self.buffer.push(b',');
        }
        self.first = false;
        Value::Text(key.into()).write_json(self.buffer);
        self.buffer.push(b':');
        value.write_json(self.buffer);
    }

    /// A field that holds a stored message.
    pub fn message(
        &mut self,
        key: &str,
        message_type: MessageId,
        wire: &[u8],
        what: impl FnOnce() -> String,
    ) -> Result<(), CliError> {
        self.key(key);
        append(self.buffer, message_type, wire, what)
    }

    /// A field that holds an array, of which `write` adds each item.
    pub fn array<T>(
        &mut self,
        key: &str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Vec<u8>, T),
    ) {
        self.key(key);
        self.buffer.push(b'[');
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.buffer.push(b',');
            }
            write(self.buffer, item);
        }
        self.buffer.push(b']');
    }

    fn key(&mut self, key: &str) {
        if !self.first {
            self.buffer.push(b',');
        }
        self.first = false;
        // Keys are constants of this crate: nothing in them needs escaping.
        self.buffer.push(b'"');
        self.buffer.extend_from_slice(key.as_bytes());
        self.buffer.extend_from_slice(b"\":");
    }
}
