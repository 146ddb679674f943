//! Accounts and credentials of a [`BuiltConnector`]: everything is checked
//! before anything is made, and secrets leave encrypted.

use async_trait::async_trait;
use baton_crypto::{Issue, LocalOptions, Recipients};
use baton_proto::c1::connector::v2;

use crate::account::{Account, Accounts, NewAccount};
use crate::builder::{BuiltConnector, account_type, any_id};
use crate::call::Call;
use crate::change::create;
use crate::credential::{Credentials, IssueRequest, IssuedCredential, NewCredential};
use crate::error::{Error, Result};
use crate::held::Operation;
use crate::sealing::{Answered, seal};

impl BuiltConnector {
    /// Who reads the secrets of a request, and its options as a connector sees
    /// them.
    fn options(
        call: &Call,
        configs: &[v2::EncryptionConfig],
        options: Option<&v2::CredentialOptions>,
    ) -> Result<(Recipients, Option<LocalOptions>)> {
        let secret = call.changes().client_secret.as_deref();
        let options =
            LocalOptions::of_request(options, configs, secret).map_err(Error::Credential)?;
        let recipients = Recipients::parse(configs).map_err(Error::Credential)?;
        Ok((recipients, options))
    }
}

fn unimplemented(call: &'static str, type_id: &str) -> Error {
    Error::Unimplemented {
        call,
        type_id: type_id.to_owned(),
    }
}

#[async_trait]
impl Accounts for BuiltConnector {
    async fn create_account(
        &self,
        call: &Call,
        request: &v2::CreateAccountRequest,
    ) -> Result<Answered<v2::CreateAccountResponse>> {
        let type_id = &request.resource_type_id;
        let served = if type_id.is_empty() {
            account_type(&self.types)
        } else {
            self.types.get(type_id)
        };
        let parts = served.and_then(|served| {
            let manager = served.account_manager.as_deref()?;
            served.accounts.as_ref().map(|accounts| (manager, accounts))
        });
        let (manager, (schema, kinds)) =
            parts.ok_or_else(|| unimplemented("create account", type_id))?;
        let (recipients, options) = Self::options(
            call,
            &request.encryption_configs,
            request.credential_options.as_ref(),
        )?;
        kinds.check(options.as_ref())?;
        let info = request.account_info.clone().unwrap_or_default();
        let unknown: Vec<_> = schema.unknown(&info).into_iter().map(ignored).collect();
        let wanted = NewAccount::new(schema, manager.required(), info, options)?;
        let mut creation = manager.create(call, &wanted).await?;
        for sentence in unknown {
            creation = creation.warning(sentence);
        }
        let ids = |account: &Account| account.identified().map(any_id).into_iter().collect();
        let created = create(call, Operation::CreateAccount, creation, ids).await?;
        let Some(account) = created else {
            return Ok(Answered::default());
        };
        let (encrypted_data, mut warnings) = seal(
            &recipients,
            &account.secrets,
            request.credential_options.as_ref(),
        );
        warnings.extend(account.warnings);
        Ok(Answered {
            response: v2::CreateAccountResponse {
                encrypted_data,
                annotations: account.annotations,
                result: Some(account.outcome.into()),
            },
            warnings,
        })
    }
}

fn ignored(key: &str) -> String {
    format!("`{key}` of the profile is ignored: accounts have no such field")
}

#[async_trait]
impl Credentials for BuiltConnector {
    async fn rotate(
        &self,
        call: &Call,
        request: &v2::RotateCredentialRequest,
    ) -> Result<Answered<v2::RotateCredentialResponse>> {
        let doing = "rotate credentials";
        let id = request.resource_id.clone().unwrap_or_default();
        if id.resource_type.is_empty() || id.resource.is_empty() {
            return Err(Error::MissingResource { call: doing });
        }
        let parts = self.types.get(&id.resource_type).and_then(|served| {
            let manager = served.credential_manager.as_deref()?;
            served.rotated.as_ref().map(|kinds| (manager, kinds))
        });
        let (manager, kinds) = parts.ok_or_else(|| unimplemented(doing, &id.resource_type))?;
        let (recipients, options) = Self::options(
            call,
            &request.encryption_configs,
            request.credential_options.as_ref(),
        )?;
        kinds.check(options.as_ref())?;
        let wanted = NewCredential::new(id.clone(), options);
        let creation = manager.rotate(call, &wanted).await?;
        let ids = |_: &Vec<_>| Vec::new();
        let made = create(call, Operation::RotateCredential, creation, ids).await?;
        let secrets = made.unwrap_or_default();
        let (encrypted_data, warnings) =
            seal(&recipients, &secrets, request.credential_options.as_ref());
        Ok(Answered {
            response: v2::RotateCredentialResponse {
                encrypted_data,
                resource_id: Some(id),
                annotations: Vec::new(),
            },
            warnings,
        })
    }

    async fn issue(
        &self,
        call: &Call,
        request: &v2::IssueCredentialRequest,
    ) -> Result<Answered<v2::IssueCredentialResponse>> {
        let identity = request.identity_id.clone().unwrap_or_default();
        let served = self.types.get(&identity.resource_type);
        let details = served.and_then(|served| served.announced.credential_issue.as_ref());
        let now = self.clock.now();
        let checked = Issue::check(request, details, now).map_err(Error::Credential)?;
        let issuer = served.and_then(|served| served.credential_issuer.as_deref());
        let issuer =
            issuer.ok_or_else(|| unimplemented("issue credential", &identity.resource_type))?;
        let options = request.credential_options.clone().unwrap_or_default();
        let wanted = IssueRequest {
            identity: &identity,
            options: &options,
            request_id: &request.request_id,
            expires_at: request.expires_at.as_ref(),
            descriptor: checked.descriptor(),
        };
        let creation = issuer.issue(call, &wanted).await?;
        let ids = |issued: &IssuedCredential| vec![any_id(&issued.secret)];
        let made = create(call, Operation::IssueCredential, creation, ids).await?;
        let Some(issued) = made else {
            return Ok(Answered::default());
        };
        checked
            .check_result(&issued.secret, issued.resource_mode, &issued.values)
            .map_err(Error::Credential)?;
        let (encrypted_data, warnings) = seal(checked.recipients(), &issued.values, None);
        Ok(Answered {
            response: v2::IssueCredentialResponse {
                secret: Some(issued.secret),
                encrypted_data,
                annotations: Vec::new(),
                resource_mode: issued.resource_mode.into(),
                request_id: request.request_id.clone(),
            },
            warnings,
        })
    }
}
