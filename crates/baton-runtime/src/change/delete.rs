//! `--delete-resource`: the end of a resource.

use super::confirm;
use super::making::Making;
use super::named::{self, Named};
use super::result::Brought;
use super::subject::Subject;
use crate::context::CommandContext;
use crate::error::{Error, Result};
use crate::exit::ExitStatus;
use crate::flags;

/// Deletes `--delete-resource`, after a person agreed where one is present.
pub(crate) async fn delete(context: CommandContext) -> Result<ExitStatus> {
    let named = Named::of_flags(
        &context,
        &flags::DELETE_RESOURCE,
        &flags::DELETE_RESOURCE_TYPE,
    )?;
    let target = Making::check(&context)?;
    let resource = named.look_up(&context, &target).await?;
    let built = context.connect()?;
    context.check_announced(&built).await?;
    let subject = Subject::Delete(named::party(&resource));
    confirm::ask(&context, &subject).await?;
    let making = Making::new(context, built, target, subject).await?;
    making
        .make(async |connector, call| {
            let deleting = connector.deleting();
            let deleting = deleting.ok_or_else(|| no_deleter(&resource))?;
            deleting.delete(&call, &resource).await?;
            Ok(Brought::default())
        })
        .await
}

fn no_deleter(resource: &baton_connector::v2::Resource) -> Error {
    let error = baton_connector::Error::Unimplemented {
        call: "delete resource",
        type_id: named::party(resource).type_id,
    };
    error.into()
}
