//! Rows without what identifies people and things, so that a file can be
//! shown to others: who has access to what stays, names and ids go.

mod annotations;
mod messages;
mod redact;
mod runs;

use std::collections::BTreeSet;

use baton_c1z::{Asset, NewAsset, NewContent, Row, RowRewriter, Table};
use baton_proto::c1::connector::v2;
use baton_proto::encode;
use prost::{Message, Name};
use prost_types::Timestamp;

pub(crate) use annotations::Unknown;
use redact::Redactor;
pub(crate) use runs::sanitized_runs;

/// A picture of one transparent pixel, as PNG.
const PIXEL: [u8; 68] = [
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52,
    0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x06, 0x00, 0x00, 0x00, 0x1f, 0x15, 0xc4,
    0x89, 0x00, 0x00, 0x00, 0x0b, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9c, 0x63, 0x60, 0x00, 0x02, 0x00,
    0x00, 0x05, 0x00, 0x01, 0x7a, 0x5e, 0xab, 0x3f, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44,
    0xae, 0x42, 0x60, 0x82,
];

/// How a file is sanitized.
#[derive(Debug, Clone)]
pub(crate) struct Settings<'s> {
    /// The key of all hashes.
    pub key: &'s [u8],
    /// Ids of resource types, which stay as they are.
    pub types: BTreeSet<String>,
    /// The newest time of the source.
    pub newest: Option<Timestamp>,
    /// What it becomes.
    pub anchor: Timestamp,
    /// Annotations of unknown types stay as they are.
    pub keeps_unknown: bool,
}

/// Makes the rows of a file.
pub(crate) struct Sanitizer {
    redactor: Redactor,
    keeps_unknown: bool,
    /// Annotations of unknown types.
    pub unknown: Unknown,
}

impl Sanitizer {
    pub fn new(settings: Settings<'_>) -> Self {
        let shift = settings.newest.map_or(0, |newest| {
            redact::nanos(&settings.anchor) - redact::nanos(&newest)
        });
        Self {
            redactor: Redactor::new(settings.key, settings.types, shift),
            keeps_unknown: settings.keeps_unknown,
            unknown: Unknown::default(),
        }
    }

    fn rewritten<M: Message + Name + Default>(
        &mut self,
        data: &[u8],
        redact: impl FnOnce(&mut Self, &mut M) -> baton_proto::Result<()>,
    ) -> baton_proto::Result<Vec<u8>> {
        let mut message = M::decode(data).map_err(|source| baton_proto::Error::Decode {
            message: M::full_name(),
            source,
        })?;
        redact(self, &mut message)?;
        Ok(encode::to_vec(&message))
    }
}

impl RowRewriter for Sanitizer {
    fn row(&mut self, table: Table, row: &Row<'_>) -> baton_proto::Result<NewContent> {
        let data = match table {
            Table::ResourceTypes => {
                self.rewritten::<v2::ResourceType>(row.data, Self::resource_type)
            }
            Table::Resources => self.rewritten::<v2::Resource>(row.data, Self::resource),
            Table::Entitlements => self.rewritten::<v2::Entitlement>(row.data, Self::entitlement),
            Table::Grants => self.rewritten::<v2::Grant>(row.data, Self::grant),
        }?;
        let expansion = row.expansion.map(|bytes| self.expansion(bytes));
        Ok(NewContent {
            data,
            expansion: expansion.transpose()?,
        })
    }

    fn asset(&mut self, id: &str, asset: Asset) -> NewAsset {
        let is_image = asset.content_type.starts_with("image/");
        NewAsset {
            id: self.redactor.text(id),
            data: if is_image { PIXEL.to_vec() } else { vec![0] },
            content_type: asset.content_type,
        }
    }
}
