//! `--rotate-credentials`: a new credential in place of the present one.

use baton_connector::{Answered, v2};

use super::making::Making;
use super::named::{self, Named};
use super::result::Brought;
use super::secrets::{Options, Secrets};
use super::subject::Subject;
use crate::context::CommandContext;
use crate::error::{Error, Result};
use crate::exit::ExitStatus;
use crate::flags;

/// Replaces the credentials of `--rotate-credentials`.
pub(crate) async fn rotate(context: CommandContext) -> Result<ExitStatus> {
    let named = Named::of_flags(
        &context,
        &flags::ROTATE_CREDENTIALS,
        &flags::ROTATE_CREDENTIALS_TYPE,
    )?;
    let secrets = Secrets::of_flags(&context)?;
    let target = Making::check(&context)?;
    let resource = named.look_up(&context, &target).await?;
    let built = context.connect()?;
    context.check_announced(&built).await?;
    let options = Options::of_rotation(&context, &built, &secrets).await?;
    let subject = Subject::Rotate(named::party(&resource));
    let request = v2::RotateCredentialRequest {
        resource_id: resource.id.clone(),
        credential_options: options.requested,
        encryption_configs: secrets.configs().to_vec(),
    };
    let place = secrets.reserve(&context)?;
    let making = Making::new(context, built, target, subject).await?;
    making
        .make(async |connector, call| {
            let credentials = connector.credentials();
            let credentials = credentials.ok_or_else(|| no_rotation(&request))?;
            let answered = credentials.rotate(&call, &request).await?;
            let Answered { response, warnings } = answered;
            tracing::debug!("credentials rotated");
            let mut brought = Brought {
                warnings,
                ..Brought::default()
            };
            place.keep(response.encrypted_data, &mut brought);
            Ok(brought)
        })
        .await
}

fn no_rotation(request: &v2::RotateCredentialRequest) -> Error {
    let id = request.resource_id.clone().unwrap_or_default();
    let error = baton_connector::Error::Unimplemented {
        call: "rotate credentials",
        type_id: id.resource_type,
    };
    error.into()
}
