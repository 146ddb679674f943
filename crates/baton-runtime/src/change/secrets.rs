//! Secrets that a change makes: who can read them, and where they go.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use baton_connector::v2;
use tempfile::NamedTempFile;
use v2::CapabilityDetailCredentialOption as Kind;
use v2::credential_options::{self as requested, Options as Requested};

use super::result::{Brought, json_of};
use crate::connector_env::Built;
use crate::context::CommandContext;
use crate::error::{Error, Result};
use crate::flags::{self, ResultForm};

/// Length of a random password, as in the Go programs.
const PASSWORD_LENGTH: i64 = 20;
/// A recipient in a file has at most so many bytes.
const MAX_RECIPIENT_BYTES: u64 = 64 << 10;

/// What the flags have about secrets.
pub(super) struct Secrets {
    configs: Vec<v2::EncryptionConfig>,
    out: Option<PathBuf>,
    in_result: bool,
}

impl Secrets {
    /// Reads the recipients.
    pub(super) fn of_flags(context: &CommandContext) -> Result<Self> {
        let config = context.config();
        let recipients = config.get(&flags::CREDENTIAL_RECIPIENT);
        let configs = recipients.iter().map(|text| {
            let read = match text.strip_prefix('@') {
                Some(path) => read_recipient(&context.cwd().join(path))?,
                None => text.clone(),
            };
            baton_crypto::config_of_text(&read).map_err(|source| Error::Recipient {
                recipient: shortened(text),
                source,
            })
        });
        let configs = configs.collect::<Result<Vec<_>>>()?;
        let out = config.get(&flags::CREDENTIALS_OUT).map(ToOwned::to_owned);
        if out.is_some() && configs.is_empty() {
            return Err(Error::SecretsWithoutRecipient);
        }
        Ok(Self {
            configs,
            out: out.map(|path| context.cwd().join(path)),
            in_result: config.get(&flags::OUTPUT) == ResultForm::Json,
        })
    }

    /// The recipients.
    pub(super) fn configs(&self) -> &[v2::EncryptionConfig] {
        &self.configs
    }

    /// Refuses to make a secret without a reader.
    fn check_readable(&self) -> Result<()> {
        if self.configs.is_empty() {
            return Err(Error::NoRecipient);
        }
        if self.out.is_none() && !self.in_result {
            return Err(Error::NoPlaceForSecrets);
        }
        Ok(())
    }

    /// Makes sure that the file for the secrets can be written, before there are
    /// any.
    pub(super) fn reserve(self, context: &CommandContext) -> Result<Place> {
        let dry_run = context.config().get(&flags::DRY_RUN);
        let reserved = match self.out {
            Some(path) if !dry_run => Some(Reserved::new(path)?),
            _ => None,
        };
        Ok(Place { reserved })
    }
}

/// A recipient as an error shows it: enough to find it.
fn shortened(text: &str) -> String {
    let head: String = text.chars().take(24).collect();
    if head.len() == text.len() {
        return head;
    }
    format!("{head}...")
}

#[expect(
    clippy::disallowed_methods,
    reason = "a small file that the user names"
)]
fn read_recipient(path: &Path) -> Result<String> {
    use std::io::Read as _;
    let read = || {
        let file = std::fs::OpenOptions::new().read(true).open(path)?;
        let mut text = String::new();
        file.take(MAX_RECIPIENT_BYTES).read_to_string(&mut text)?;
        Ok(text)
    };
    read().map_err(|source| Error::RecipientFile {
        path: path.to_owned(),
        source,
    })
}

/// Where new secrets go.
pub(super) struct Place {
    reserved: Option<Reserved>,
}

struct Reserved {
    file: NamedTempFile,
    path: PathBuf,
}

impl Reserved {
    fn new(path: PathBuf) -> Result<Self> {
        let failed = |source| Error::SecretsFile {
            path: path.clone(),
            source,
        };
        if path.symlink_metadata().is_ok() {
            return Err(failed(std::io::ErrorKind::AlreadyExists.into()));
        }
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        // Made with mode 0600.
        let file = NamedTempFile::new_in(folder).map_err(failed)?;
        Ok(Self { file, path })
    }

    /// Writes all of it, or nothing.
    fn write(mut self, text: &str) -> std::io::Result<PathBuf> {
        let file = self.file.as_file_mut();
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        self.file.persist_noclobber(&self.path)?;
        Ok(self.path)
    }
}

impl Place {
    /// Keeps encrypted secrets: in the file, or in the result if there is no file
    /// or it cannot be written. They are never lost.
    pub(super) fn keep(self, secrets: Vec<v2::EncryptedData>, brought: &mut Brought) {
        let Some(reserved) = self.reserved else {
            brought.secrets = secrets;
            return;
        };
        if secrets.is_empty() {
            return;
        }
        let path = reserved.path.clone();
        let list: Vec<_> = secrets.iter().filter_map(json_of).collect();
        let text = format!("{:#}\n", serde_json::Value::Array(list));
        match reserved.write(&text) {
            Ok(path) => brought.secrets_file = Some(path.display().to_string()),
            Err(error) => {
                brought.warnings.push(format!(
                    "cannot write {}: {error}; the encrypted credentials are in the result",
                    path.display()
                ));
                brought.secrets = secrets;
            }
        }
    }
}

/// The credential options of a request.
pub(super) struct Options {
    pub(super) requested: Option<v2::CredentialOptions>,
}

impl Options {
    /// For a new account: a random password where it has a recipient, else no
    /// password, as far as the connector offers them.
    pub(super) async fn of_accounts(
        context: &CommandContext,
        built: &Built,
        secrets: &Secrets,
    ) -> Result<Self> {
        let details = credential_details(context, built).await?;
        let offered = details.and_then(|details| details.capability_account_provisioning);
        let Some(offered) = offered else {
            return Ok(Self { requested: None });
        };
        let offers = |kind: Kind| offered.supported_credential_options.contains(&kind.into());
        let wants_password = !secrets.configs.is_empty() || !offers(Kind::NoPassword);
        if offers(Kind::RandomPassword) && wants_password {
            secrets.check_readable()?;
            return Ok(Self::random());
        }
        if !secrets.configs.is_empty() {
            tracing::warn!("no credential is made: the connector creates accounts without one");
        }
        let requested = offers(Kind::NoPassword).then(|| v2::CredentialOptions {
            options: Some(Requested::NoPassword(requested::NoPassword {})),
            ..v2::CredentialOptions::default()
        });
        Ok(Self { requested })
    }

    /// For the rotation of a credential: always a secret, if the connector has
    /// rotations.
    pub(super) async fn of_rotation(
        context: &CommandContext,
        built: &Built,
        secrets: &Secrets,
    ) -> Result<Self> {
        let details = credential_details(context, built).await?;
        if details.is_some_and(|details| details.capability_credential_rotation.is_some()) {
            secrets.check_readable()?;
        }
        Ok(Self::random())
    }

    fn random() -> Self {
        let random = requested::RandomPassword {
            length: PASSWORD_LENGTH,
            constraints: Vec::new(),
        };
        Self {
            requested: Some(v2::CredentialOptions {
                options: Some(Requested::RandomPassword(random)),
                ..v2::CredentialOptions::default()
            }),
        }
    }
}

async fn credential_details(
    context: &CommandContext,
    built: &Built,
) -> Result<Option<v2::CredentialDetails>> {
    let metadata = context.metadata(built).await?;
    let capabilities = metadata.capabilities.unwrap_or_default();
    Ok(capabilities.credential_details)
}
