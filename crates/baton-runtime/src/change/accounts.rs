//! `--create-account-…`: one account.

use baton_connector::{Answered, v2};
use baton_proto::time;
use prost_types::value::Kind;
use prost_types::{Struct, Value};
use v2::create_account_response::Result as Arm;

use super::audit::Party;
use super::json_object;
use super::making::Making;
use super::result::{AccountPart, Brought, json_of};
use super::secrets::{Options, Secrets};
use super::subject::Subject;
use crate::context::CommandContext;
use crate::error::{Error, Result};
use crate::exit::ExitStatus;
use crate::flags;

/// Creates the account that the flags describe.
pub(crate) async fn create_account(context: CommandContext) -> Result<ExitStatus> {
    let info = account(&context)?;
    let type_id = context.config().get(&flags::CREATE_ACCOUNT_TYPE).to_owned();
    let secrets = Secrets::of_flags(&context)?;
    let target = Making::check(&context)?;
    let built = context.connect()?;
    context.check_announced(&built).await?;
    let options = Options::of_accounts(&context, &built, &secrets).await?;
    let subject = Subject::CreateAccount(party(&info, &type_id));
    let name = party(&info, &type_id).to_string();
    let request = v2::CreateAccountRequest {
        account_info: Some(info.clone()),
        credential_options: options.requested,
        encryption_configs: secrets.configs().to_vec(),
        resource_type_id: type_id.clone(),
    };
    let place = secrets.reserve(&context)?;
    let making = Making::new(context, built, target, subject).await?;
    making
        .make(async |connector, call| {
            let accounts = connector.accounts();
            let accounts = accounts.ok_or_else(|| no_accounts(&type_id))?;
            let answered = accounts.create_account(&call, &request).await?;
            let Answered { response, warnings } = answered;
            tracing::debug!(
                login = info.login,
                email = info.emails.first().map(|email| email.address.as_str()),
                resource_type = type_id,
                "account created"
            );
            let account = response.result.map(|result| part(result, &name));
            let mut brought = Brought {
                account,
                warnings,
                ..Brought::default()
            };
            place.keep(response.encrypted_data, &mut brought);
            Ok(brought)
        })
        .await
}

fn no_accounts(type_id: &str) -> Error {
    let error = baton_connector::Error::Unimplemented {
        call: "create account",
        type_id: type_id.to_owned(),
    };
    error.into()
}

/// The account of the flags: login and e-mail address come from the profile where
/// it has them as texts.
fn account(context: &CommandContext) -> Result<v2::AccountInfo> {
    let config = context.config();
    let text = config.get(&flags::CREATE_ACCOUNT_PROFILE);
    let mut profile = if text.is_empty() {
        Struct::default()
    } else {
        json_object::parse(flags::CREATE_ACCOUNT_PROFILE.name(), text)?
    };
    let mut of_profile = |key: &str, flag: &str| {
        let given = profile.fields.entry(key.to_owned());
        let value = given.or_insert_with(|| Value {
            kind: Some(Kind::StringValue(flag.to_owned())),
        });
        match &value.kind {
            Some(Kind::StringValue(text)) => text.clone(),
            _ => String::new(),
        }
    };
    let login = of_profile("login", config.get(&flags::CREATE_ACCOUNT_LOGIN));
    let email = of_profile("email", config.get(&flags::CREATE_ACCOUNT_EMAIL));
    let emails = (!email.is_empty()).then(|| v2::account_info::Email {
        address: email.clone(),
        is_primary: true,
    });
    // The e-mail address alone is enough.
    let login = if login.is_empty() { email } else { login };
    Ok(v2::AccountInfo {
        emails: emails.into_iter().collect(),
        login,
        login_aliases: Vec::new(),
        profile: Some(profile),
    })
}

/// The account before it has an id.
pub(super) fn party(info: &v2::AccountInfo, type_id: &str) -> Party {
    let known = ["userName", "displayName", "name"];
    let profile = info.profile.as_ref();
    let named = known.iter().find_map(|key| {
        let value = profile?.fields.get(*key)?;
        match &value.kind {
            Some(Kind::StringValue(text)) if !text.is_empty() => Some(text.clone()),
            _ => None,
        }
    });
    Party {
        type_id: type_id.to_owned(),
        id: if info.login.is_empty() {
            named.unwrap_or_default()
        } else {
            info.login.clone()
        },
        name: String::new(),
    }
}

fn part(arm: Arm, wanted: &str) -> AccountPart {
    let mut message = String::new();
    let mut invitation_expires_at = String::new();
    let (result, resource) = match arm {
        Arm::Success(success) => {
            if let Some(time) = success.invitation_expires_at {
                invitation_expires_at = time::format(&time).unwrap_or_default();
            }
            ("created", success.resource)
        }
        Arm::AlreadyExists(exists) => ("already_exists", exists.resource),
        Arm::ActionRequired(required) => {
            message = required.message;
            ("action_required", required.resource)
        }
        Arm::InProgress(progress) => ("in_progress", progress.resource),
    };
    let name = resource.as_ref().and_then(|resource| {
        let id = resource.id.as_ref().filter(|id| !id.resource.is_empty())?;
        let account = Party {
            type_id: id.resource_type.clone(),
            id: id.resource.clone(),
            name: resource.display_name.clone(),
        };
        Some(account.to_string())
    });
    AccountPart {
        result,
        resource: resource.as_ref().and_then(json_of).unwrap_or_default(),
        message,
        invitation_expires_at,
        name: name.unwrap_or_else(|| wanted.to_owned()),
    }
}
