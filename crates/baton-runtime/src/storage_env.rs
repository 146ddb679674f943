//! Storage settings that have no flag: environment variables that the Go tools read too (c1z
//! specification, §0).

use std::path::Path;

use baton_c1z::{Limits, Strategy};

use crate::error::{Error, Result};
use baton_flags::sources::{Environment, positive_number, variable};
use baton_flags::value::{Malformed, parse_bool};

/// Names a way of compacting v3 files.
const COMPACTOR: &str = "BATON_EXPERIMENTAL_PEBBLE_COMPACTOR";
/// Container managers and our images set it.
const CONTAINER: &str = "container";
const BYTES_PER_MB: u64 = 1024 * 1024;

/// Storage settings of the environment.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct StorageEnv {
    pub limits: Limits,
    /// Finished full syncs that a file keeps.
    pub keep_syncs: Option<u32>,
    pub skip_cleanup: bool,
    /// Working folder below the flag in rank.
    pub temp_dir: Option<String>,
    /// Whether the program runs in a container, where other users own the folders.
    pub in_container: bool,
    /// How v3 files are compacted.
    pub strategy: Strategy,
}

impl StorageEnv {
    pub(crate) fn read(env: &Environment) -> Result<Self> {
        let mut settings = Self::default();
        if let Some(mb) = positive(env, "BATON_DECODER_MAX_DECODED_SIZE_MB")? {
            settings
                .limits
                .cap_decoded_bytes(mb.saturating_mul(BYTES_PER_MB));
        }
        if let Some(mb) = positive(env, "BATON_DECODER_MAX_MEMORY_MB")? {
            settings.limits.max_window_bytes = mb.saturating_mul(BYTES_PER_MB);
        }
        if let Some(disabled) = switch(env, "BATON_DISABLE_FCS_FAIL_FAST")? {
            settings.limits.fail_fast_on_content_size = !disabled;
        }
        settings.keep_syncs = positive(env, "BATON_KEEP_SYNC_COUNT")?
            .map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        settings.skip_cleanup = switch(env, "BATON_SKIP_CLEANUP")?.unwrap_or(false);
        settings.temp_dir = variable(env, "BATON_TMPDIR")?
            .filter(|path| !Path::new(path).as_os_str().is_empty())
            .map(ToOwned::to_owned);
        settings.in_container = variable(env, CONTAINER)?.is_some_and(|name| !name.is_empty());
        if let Some(word) = variable(env, COMPACTOR)? {
            settings.strategy =
                Strategy::from_word(word).ok_or_else(|| Error::CompactStrategy {
                    word: word.to_owned(),
                })?;
        }
        Ok(settings)
    }
}

fn positive(env: &Environment, name: &'static str) -> Result<Option<u64>> {
    let Some(text) = variable(env, name)? else {
        return Ok(None);
    };
    Ok(Some(positive_number(name, text)?))
}

fn switch(env: &Environment, name: &'static str) -> Result<Option<bool>> {
    let Some(text) = variable(env, name)? else {
        return Ok(None);
    };
    parse_bool(text)
        .map(Some)
        .map_err(|source| invalid(name, "bool", source))
}

fn invalid(name: &'static str, type_name: &'static str, source: Malformed) -> Error {
    let error = baton_flags::Error::InvalidSetting {
        field: name,
        type_name,
        origin: format!("environment variable {name}"),
        source,
    };
    error.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Environment {
        pairs
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect()
    }

    #[test]
    fn malformed_settings_name_their_variable() {
        for (name, value) in [
            ("BATON_KEEP_SYNC_COUNT", "abc"),
            ("BATON_KEEP_SYNC_COUNT", "0"),
            ("BATON_DECODER_MAX_MEMORY_MB", "-1"),
            ("BATON_SKIP_CLEANUP", "maybe"),
        ] {
            let error = StorageEnv::read(&env(&[(name, value)])).unwrap_err();
            assert!(error.hints().concat().contains(name), "{error}");
        }
    }

    #[test]
    fn settings_are_read_and_absent_ones_keep_the_defaults() {
        assert_eq!(StorageEnv::read(&env(&[])).unwrap(), StorageEnv::default());
        let settings = StorageEnv::read(&env(&[
            ("BATON_DECODER_MAX_DECODED_SIZE_MB", "2"),
            ("BATON_DECODER_MAX_MEMORY_MB", "1"),
            ("BATON_DISABLE_FCS_FAIL_FAST", "1"),
            ("BATON_KEEP_SYNC_COUNT", "5"),
            ("BATON_SKIP_CLEANUP", "true"),
            ("BATON_TMPDIR", "/scratch"),
            ("BATON_EXPERIMENTAL_PEBBLE_COMPACTOR", "fold"),
        ]))
        .unwrap();
        assert_eq!(settings.limits.max_decoded_bytes, 2 << 20);
        assert_eq!(settings.limits.max_window_bytes, 1 << 20);
        assert!(!settings.limits.fail_fast_on_content_size);
        assert_eq!(settings.keep_syncs, Some(5));
        assert!(settings.skip_cleanup);
        assert_eq!(settings.temp_dir.as_deref(), Some("/scratch"));
        assert_eq!(settings.strategy, Strategy::Fold);
    }
}
