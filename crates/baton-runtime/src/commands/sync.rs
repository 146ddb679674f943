//! The root command: a sync, or work on sync files instead.

use std::path::PathBuf;
use std::sync::Arc;

use super::Runs;
use crate::error::Result;
use crate::exit::ExitStatus;
use crate::flags;
use crate::mode::Mode;
use crate::session::Session;

pub(crate) fn runs() -> Runs {
    Runs::Work(Arc::new(|config| Mode::of(config).task()))
}

/// Reads the application into the file.
pub(crate) async fn sync(session: Session) -> Result<ExitStatus> {
    let target = target(&session);
    // Before the connector is made: a refusal must not depend on what it does.
    session.preflight(&target)?;
    let built = session.connect()?;
    session.check_announced(&built).await?;
    Ok(session.sync(built, &target).await?.status)
}

/// Adds the difference of two syncs of a file to it.
pub(crate) async fn diff(session: Session) -> Result<ExitStatus> {
    session.check_settings()?;
    session.diff(target(&session)).await
}

/// Merges the syncs of several files into a new one.
pub(crate) async fn compact(session: Session) -> Result<ExitStatus> {
    session.check_settings()?;
    session.compact().await
}

fn target(session: &Session) -> PathBuf {
    session.config().get(&flags::FILE).to_owned()
}
