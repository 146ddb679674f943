//! The root command: a sync, or work on sync files instead.

use std::path::PathBuf;

use crate::context::CommandContext;
use crate::error::Result;
use crate::exit::ExitStatus;
use crate::flags;
use crate::refused_flags;

/// Reads the application into the file.
pub(crate) async fn sync(context: CommandContext) -> Result<ExitStatus> {
    refused_flags::refuse_change_flags(context.config())?;
    let target = target(&context);
    // Before the connector is made: a refusal must not depend on what it does.
    context.preflight(&target)?;
    let built = context.connect()?;
    context.check_announced(&built).await?;
    Ok(context.sync(built, &target).await?.status)
}

/// Adds the difference of two syncs of a file to it.
pub(crate) async fn diff(context: CommandContext) -> Result<ExitStatus> {
    refused_flags::refuse_change_flags(context.config())?;
    context.check_settings()?;
    context.diff(target(&context)).await
}

/// Merges the syncs of several files into a new one.
pub(crate) async fn compact(context: CommandContext) -> Result<ExitStatus> {
    refused_flags::refuse_change_flags(context.config())?;
    context.check_settings()?;
    context.compact().await
}

fn target(context: &CommandContext) -> PathBuf {
    context.config().get(&flags::FILE).to_owned()
}
