//! Settings that would choose another mode, or another content of the file, in a Go program.
//!
//! On the command line such a flag is simply unknown. In the environment or in a config file it
//! would pass unnoticed, and a deployment that is meant to run as a service would quietly do a
//! one-shot sync instead; so there it is refused.

use crate::error::{Error, Result};
use baton_flags::config_file::ConfigFile;
use baton_flags::sources::{Environment, variable};

/// Flag name, and what a non-empty value chooses (connector CLI specification, §5.1).
const MODES: [(&str, &str); 12] = [
    ("client-id", "service mode"),
    ("grant-entitlement", "granting"),
    ("revoke-grant", "revoking"),
    ("event-feed", "the event feed"),
    ("create-account-profile", "account creation"),
    ("create-account-login", "account creation"),
    ("invoke-action", "invoking an action"),
    ("delete-resource", "deleting a resource"),
    ("rotate-credentials", "rotating credentials"),
    ("create-ticket", "ticketing"),
    ("bulk-create-ticket", "ticketing"),
    ("get-ticket", "ticketing"),
];

/// Fails on the first mode that environment or file would choose.
pub(crate) fn refuse_modes(env: &Environment, file: Option<&ConfigFile>) -> Result<()> {
    for (setting, mode) in MODES {
        let name = baton_flags::Field::string(setting, "").env_name();
        let origin = if variable(env, &name)?.is_some() {
            format!("environment variable {name}")
        } else if let Some(file) = file
            && file.unknown.iter().any(|key| key.to_lowercase() == setting)
        {
            format!("config file `{}`", file.path.display())
        } else {
            continue;
        };
        return Err(Error::UnsupportedMode {
            setting,
            origin,
            mode,
        });
    }
    Ok(())
}
