//! How the changes of tasks are made.

use std::sync::Arc;

use baton_connector::ChangeSettings;
use baton_flags::Config;
use baton_service::{ChangesOf, Credentials};

use crate::flags;

/// Settings for the changes of each task: the client secret that counts then opens the
/// passwords of its request.
pub(super) fn of_tasks(credentials: Arc<Credentials>, config: &Config) -> ChangesOf {
    let force_protected = config.get(&flags::FORCE_PROTECTED);
    Arc::new(move |_| ChangeSettings {
        force_protected,
        client_secret: Some(credentials.secret()),
        ..ChangeSettings::default()
    })
}
