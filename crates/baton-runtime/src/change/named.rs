//! A resource that flags name: by its id, or by a name in the sync file.

use std::path::Path;

use baton_connector::v2;
use baton_flags::Field;
use baton_term::Block;

use super::audit::Party;
use super::{read, warn_of_old_file};
use crate::context::CommandContext;
use crate::error::{Error, Result};

/// What the flags name.
pub(super) struct Named {
    type_id: String,
    id: String,
}

impl Named {
    /// Reads both flags.
    pub(super) fn of_flags(
        context: &CommandContext,
        id: &Field<String>,
        type_id: &Field<String>,
    ) -> Result<Self> {
        let config = context.config();
        let value = |flag: &Field<String>| {
            let value = config.get(flag);
            if value.is_empty() {
                return Err(Error::NoProvisioningAction { flag: flag.name() });
            }
            Ok(value.to_owned())
        };
        Ok(Self {
            id: value(id)?,
            type_id: value(type_id)?,
        })
    }

    /// The resource as the sync file has it; only its id where there is no file,
    /// or none of its resources is meant.
    pub(super) async fn look_up(
        self,
        context: &CommandContext,
        target: &Path,
    ) -> Result<v2::Resource> {
        use baton_c1z::Detected;
        let has_file = !matches!(
            baton_c1z::detect(target),
            Ok(Detected::Missing | Detected::Empty)
        );
        if !has_file {
            return Ok(self.by_id());
        }
        let (type_id, id) = (self.type_id.clone(), self.id.clone());
        let found = read(context, target, move |file| {
            match file.principal(&type_id, &id) {
                Ok(resource) => Ok(Some(resource)),
                Err(error) if error.code() == baton_connector::Code::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        });
        let (found, ended_at) = found.await?;
        if let Some(resource) = found {
            warn_of_old_file(context, target, ended_at);
            return Ok(resource);
        }
        context.stderr.print(Block::new().note(format!(
            "{} has no {} `{}`; it is taken as an id",
            target.display(),
            self.type_id,
            self.id
        )));
        Ok(self.by_id())
    }

    fn by_id(self) -> v2::Resource {
        v2::Resource {
            id: Some(v2::ResourceId {
                resource_type: self.type_id,
                resource: self.id,
                ..v2::ResourceId::default()
            }),
            ..v2::Resource::default()
        }
    }
}

/// The resource in records and messages.
pub(super) fn party(resource: &v2::Resource) -> Party {
    super::party(Some(resource))
}
