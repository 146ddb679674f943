//! Refusals before the first request: settings and files that are known to fail.

use std::path::{Path, PathBuf};

use baton_c1z::Format;
use baton_proto::bid::ResourceBid;
use baton_proto::c1::connector::v2::resource_type::Trait;
use baton_sync::ExternalResources;

use crate::error::{Error, Result};
use crate::flags::{self, MAX_HTTP_TIMEOUT_SECONDS};
use crate::settings::CommonSettings as _;
use crate::traits;
use baton_flags::Config;

/// Checks of values that the rules let through, since a zero value skips them.
pub(crate) fn check_values(config: &Config) -> Result<()> {
    let timeout = config.get(&flags::HTTP_TIMEOUT_SECONDS);
    if !(1..=MAX_HTTP_TIMEOUT_SECONDS).contains(&timeout) {
        return Err(invalid(format!(
            "field {}: value must be greater than or equal to 1 but got {timeout}",
            flags::HTTP_TIMEOUT_SECONDS.name()
        )));
    }
    if config.get(&flags::TASK_CONCURRENCY) == 0 {
        return Err(invalid(format!(
            "field {}: value must be greater than or equal to 1 but got 0",
            flags::TASK_CONCURRENCY.name()
        )));
    }
    config.rate().map(drop).map_err(|_| {
        invalid(format!(
            "field {}: value must be more than 0 and at most 1 but got '{}'",
            flags::RATE_SHARE.name(),
            config.find(&flags::RATE_SHARE).unwrap_or_default()
        ))
    })
}

/// One value that breaks a rule which a field cannot state.
pub(crate) fn invalid(problem: String) -> Error {
    let problems = vec![problem];
    baton_flags::Error::InvalidFields { problems }.into()
}

/// The resources of a targeted sync; none: everything.
pub(crate) fn targets(config: &Config) -> Result<Vec<ResourceBid>> {
    let bids = config.get(&flags::SYNC_RESOURCES).iter();
    let targets = bids
        .map(|bid| bid.parse())
        .collect::<std::result::Result<Vec<ResourceBid>, _>>()
        .map_err(|source| Error::BatonId { source })?;
    if config.get(&flags::SKIP_GRANTS) && targets.is_empty() {
        return Err(Error::SkipGrantsAlone);
    }
    Ok(targets)
}

fn external_trait(word: &str) -> Result<Trait> {
    traits::named(word).ok_or_else(|| Error::ExternalTrait {
        word: word.to_owned(),
    })
}

/// The file of external resources, if one is named, and what to take from it.
pub(crate) fn external(config: &Config) -> Result<Option<ExternalResources>> {
    let Some(path) = config.get(&flags::EXTERNAL_RESOURCE_C1Z) else {
        return Ok(None);
    };
    let path = path.to_owned();
    if !path.exists() {
        return Err(Error::ExternalFileMissing { path });
    }
    let words = config.get(&flags::EXTERNAL_RESOURCE_TRAITS).iter();
    let words = words
        .map(|word| word.trim())
        .filter(|word| !word.is_empty());
    let filter = config.get(&flags::EXTERNAL_RESOURCE_FILTER);
    Ok(Some(ExternalResources {
        traits: words.map(external_trait).collect::<Result<_>>()?,
        entitlement_filter: (!filter.is_empty()).then(|| filter.to_owned()),
        path,
    }))
}

/// The format of the storage engine, if one is named.
pub(crate) fn format(config: &Config) -> Option<Format> {
    config.get(&flags::STORAGE_ENGINE).map(|engine| engine.0)
}

/// The folder for working files, if one is configured.
pub(crate) fn temp_dir_of(config: &Config, from_env: Option<&str>, cwd: &Path) -> Option<PathBuf> {
    match config.get(&flags::C1Z_TEMP_DIR) {
        Some(path) => Some(path.to_owned()),
        None => from_env.map(|path| cwd.join(path)),
    }
}

/// The folder for working files, if one is configured; it must exist.
pub(crate) fn temp_dir(
    config: &Config,
    from_env: Option<&str>,
    cwd: &Path,
) -> Result<Option<PathBuf>> {
    let Some(path) = temp_dir_of(config, from_env, cwd) else {
        return Ok(None);
    };
    if path.is_dir() {
        Ok(Some(path))
    } else {
        Err(Error::TempDirMissing { path })
    }
}

/// Checks that the target can be written, and that its present file can be replaced.
pub(crate) fn check_target(target: &Path, in_container: bool) -> Result<()> {
    let folder = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(Error::OutputFolderMissing {
            path: folder.to_path_buf(),
        });
    }
    if target.is_dir() {
        return Err(Error::OutputIsFolder {
            path: target.to_path_buf(),
        });
    }
    let target = baton_c1z::check_target(target)?;
    let folder = target.parent().unwrap_or(folder);
    baton_c1z::detect(&target)?;
    // Permission bits do not show read-only mounts and full quotas; an unnamed file does.
    tempfile::tempfile_in(folder)
        .map(drop)
        .map_err(|source| Error::OutputFolderUnwritable {
            in_container,
            path: folder.to_path_buf(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_cannot_become_a_sync_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let error = check_target(&path("nope/sync.c1z"), false).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("output folder `{}` does not exist", path("nope").display())
        );
        assert!(matches!(
            check_target(dir.path(), false),
            Err(Error::OutputIsFolder { .. })
        ));
        std::fs::write(path("text.c1z"), "not a sync file").unwrap();
        assert!(matches!(
            check_target(&path("text.c1z"), false),
            Err(Error::Store(_))
        ));
    }

    #[test]
    fn a_new_or_empty_target_passes_and_nothing_is_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        check_target(&dir.path().join("sync.c1z"), false).unwrap();
        std::fs::write(dir.path().join("empty.c1z"), "").unwrap();
        check_target(&dir.path().join("empty.c1z"), false).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn in_a_container_the_hint_names_the_flag_of_its_user() {
        let refused = |in_container| Error::OutputFolderUnwritable {
            path: "/out".into(),
            in_container,
            source: std::io::ErrorKind::PermissionDenied.into(),
        };
        let hints = |in_container| refused(in_container).hints().join("\n");
        assert!(hints(true).contains("--user \"$(id -u):$(id -g)\""));
        assert_eq!(hints(false), "pass another path with --file");
    }
}
