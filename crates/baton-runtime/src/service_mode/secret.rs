//! The client secret as the settings have it, now and later.

use std::error::Error as StdError;
use std::sync::{Mutex, PoisonError};

use baton_connector::{ClientSecret, Secret};
use baton_service::ClientSecretSource;
use baton_term::TextGate;

use crate::context::CommandContext;
use crate::flags;
use crate::resettle::Resettle;

/// Reads `--client-secret` from its source.
pub(super) struct SettingSecret {
    /// The value of the start, for the first reading.
    first: Mutex<Option<Secret>>,
    resettle: Resettle,
    /// Hides what was read.
    gate: TextGate,
}

impl SettingSecret {
    pub(super) fn new(context: &CommandContext) -> Self {
        let secret = context.config().get(&flags::CLIENT_SECRET).clone();
        Self {
            first: Mutex::new(Some(secret)),
            resettle: context.resettle.clone(),
            gate: context.stderr.gate(),
        }
    }
}

impl std::fmt::Debug for SettingSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SettingSecret").finish_non_exhaustive()
    }
}

impl ClientSecretSource for SettingSecret {
    fn read(&self) -> Result<ClientSecret, Box<dyn StdError + Send + Sync>> {
        // It is one value, whole at any time.
        let first = self
            .first
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let text = match first {
            Some(text) => text,
            None => self.resettle.config()?.get(&flags::CLIENT_SECRET).clone(),
        };
        self.gate.learn(text.expose());
        Ok(ClientSecret::parse(text.expose())?)
    }
}
