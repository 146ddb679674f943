//! How the changes of tasks are made.

use std::path::Path;
use std::sync::Arc;

use baton_connector::ChangeSettings;
use baton_service::{ChangesOf, Credentials};

use crate::change::TaskChanges;
use crate::connector_env::Built;
use crate::context::CommandContext;
use crate::error::Result;
use crate::flags;

/// Settings for the changes of each task: the client secret that counts then opens the
/// passwords of its request, and `--audit-log` records what is changed.
pub(super) async fn of_tasks(
    context: &CommandContext,
    built: &Built,
    credentials: Arc<Credentials>,
) -> Result<ChangesOf> {
    let force_protected = context.config().get(&flags::FORCE_PROTECTED);
    // A task names its objects itself: no file is read for it.
    let recorded = TaskChanges::of_settings(context, built, Path::new("")).await?;
    Ok(Arc::new(move |task| ChangeSettings {
        force_protected,
        client_secret: Some(credentials.secret()),
        ..recorded
            .as_ref()
            .map(|recorded| recorded.settings(task))
            .unwrap_or_default()
    }))
}
