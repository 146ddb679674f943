//! What the names in a directory state: format version, manifest, logs.
//! Spec §5.1.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use bytes::Bytes;

use crate::error::{Error, Fault, Result};
use crate::source::Source;

/// Format major versions that are read.
pub const FORMAT_VERSIONS: RangeInclusive<u32> = 13..=24;
/// Largest manifest that is read, in bytes.
pub const MAX_MANIFEST_BYTES: u64 = 64 << 20;

const MARKER: &str = "marker.";
const FORMAT_MARKER: &str = "format-version";
const MANIFEST_MARKER: &str = "manifest";
const LOG_SUFFIX: &str = ".log";
/// For errors that are of no single file.
const DIRECTORY: &str = "the directory";

/// The files that count, judged by their names.
#[derive(Debug)]
pub(super) struct Directory {
    pub format_version: u32,
    /// `None`: there are no tables.
    pub manifest: Option<String>,
    /// Logs by number.
    logs: BTreeMap<u64, String>,
    /// Logs in parts, as failover to another disk leaves them, by number.
    split_logs: Vec<(u64, String)>,
}

/// Reads a whole file of at most `limit` bytes.
pub(super) fn read(source: &dyn Source, name: &str, limit: u64) -> Result<Bytes> {
    if source.size(name).is_none() {
        return Err(Fault::damaged("it is named, but missing").of_file(name));
    }
    let file = source.open(name).map_err(Error::io(name))?;
    let too_large = || {
        let what = "its size in bytes";
        Fault::Limit { what, limit }.of_file(name)
    };
    if file.len() > limit {
        return Err(too_large());
    }
    let len = usize::try_from(file.len()).map_err(|_| too_large())?;
    file.read_at(0, len).map_err(Error::io(name))
}

impl Directory {
    pub fn of_names(names: Vec<String>) -> Result<Self> {
        // By marker: the greatest iteration, its value, and its file.
        let mut markers: BTreeMap<String, (u64, String, String)> = BTreeMap::new();
        let mut logs = BTreeMap::new();
        let mut split_logs = Vec::new();
        for name in names {
            if name.starts_with(MARKER) {
                let (marker, iteration, value) = parse_marker(&name)
                    .ok_or_else(|| Fault::damaged("it is no marker").of_file(&name))?;
                let newest = markers.get(&marker).map(|newest| newest.0);
                if newest == Some(iteration) {
                    let fault = Fault::damaged("there is another marker of the same turn");
                    return Err(fault.of_file(&name));
                }
                if newest.is_none_or(|newest| newest < iteration) {
                    markers.insert(marker, (iteration, value, name));
                }
            } else if let Some(stem) = name.strip_suffix(LOG_SUFFIX) {
                match stem.split_once('-') {
                    None => {
                        if let Some(number) = decimal(stem) {
                            logs.insert(number, name);
                        }
                    }
                    Some((number, part)) => {
                        if let (Some(number), Some(_)) = (decimal(number), decimal(part)) {
                            split_logs.push((number, name));
                        }
                    }
                }
            }
        }
        let (_, version, name) = markers
            .remove(FORMAT_MARKER)
            .ok_or_else(|| Fault::damaged("the format version is missing").of_file(DIRECTORY))?;
        let format_version = format_version(&version).map_err(|fault| fault.of_file(&name))?;
        Ok(Self {
            format_version,
            manifest: markers.remove(MANIFEST_MARKER).map(|marker| marker.1),
            logs,
            split_logs,
        })
    }

    /// Number and name of the logs that are not yet in tables, oldest first.
    pub fn live_logs(&self, source: &dyn Source, min_log: u64) -> Result<Vec<(u64, String)>> {
        for (number, name) in &self.split_logs {
            if *number >= min_log && source.size(name) != Some(0) {
                return Err(Fault::unsupported("a log in parts").of_file(name));
            }
        }
        let live = self.logs.range(min_log..);
        Ok(live.map(|(number, name)| (*number, name.clone())).collect())
    }
}

/// Name, iteration and value of a marker file.
fn parse_marker(name: &str) -> Option<(String, u64, String)> {
    let (marker, rest) = name.strip_prefix(MARKER)?.split_once('.')?;
    let (iteration, value) = rest.split_once('.')?;
    Some((marker.to_owned(), decimal(iteration)?, value.to_owned()))
}

/// A number of digits only.
fn decimal(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn format_version(text: &str) -> std::result::Result<u32, Fault> {
    let version = decimal(text).ok_or(Fault::damaged("the format version is no number"))?;
    match u32::try_from(version) {
        Ok(known) if FORMAT_VERSIONS.contains(&known) => Ok(known),
        _ => Err(Fault::Unsupported(
            format!("the format major version {version}").into(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Result<Directory> {
        Directory::of_names(names.iter().map(|name| (*name).to_owned()).collect())
    }

    const VERSION: &str = "marker.format-version.000001.024";

    #[test]
    fn markers_that_are_none_are_damage() {
        for name in [
            "marker.",
            "marker.manifest",
            "marker.manifest.1",
            "marker.manifest.x.y",
            "marker.manifest.+1.y",
            "marker.manifest..y",
            "marker.manifest.99999999999999999999.y",
            "marker.format-version.000002.x",
            "marker.format-version.000002.",
            "marker.format-version.1.023",
        ] {
            let error = of(&[VERSION, name]).unwrap_err();
            assert!(
                matches!(error, Error::Damaged { file, .. } if file == name),
                "{name}"
            );
        }
    }

    #[test]
    fn a_directory_without_format_version_is_refused() {
        assert!(matches!(of(&[]), Err(Error::Damaged { .. })));
        assert!(matches!(of(&["000002.log"]), Err(Error::Damaged { .. })));
    }

    #[test]
    fn versions_beyond_the_known_ones_are_refused_by_number() {
        for (value, number) in [("012", 12), ("025", 25), ("4294967309", 4_294_967_309_u64)] {
            let error = of(&[&format!("marker.format-version.000001.{value}")]).unwrap_err();
            assert!(matches!(error, Error::Unsupported { .. }));
            assert!(
                error.to_string().contains(&format!("version {number} ")),
                "{error}"
            );
        }
    }

    #[test]
    fn the_marker_of_the_last_turn_wins() {
        let names = [
            "marker.format-version.000010.016",
            "marker.format-version.000009.013",
            "marker.manifest.000002.MANIFEST-000009",
            "marker.manifest.000001.MANIFEST-000001",
            "marker.other.000001.a.b",
        ];
        let directory = of(&names).unwrap();
        assert_eq!(directory.format_version, 16);
        assert_eq!(directory.manifest.as_deref(), Some("MANIFEST-000009"));
    }

    #[test]
    fn logs_are_those_from_the_least_number_on_in_order() {
        let names = [
            VERSION,
            "000010.log",
            "000009.log",
            "1000000.log",
            "x.log",
            "LOG",
            "000011.sst",
        ];
        let source: crate::MemorySource = names.iter().map(|name| (*name, &b""[..])).collect();
        let logs = |min| of(&names).unwrap().live_logs(&source, min).unwrap();
        let named = |number, name: &str| (number, name.to_owned());
        assert_eq!(
            logs(10),
            [named(10, "000010.log"), named(1_000_000, "1000000.log")]
        );
        assert_eq!(logs(0).len(), 3);
    }

    #[test]
    fn a_log_in_parts_is_refused_unless_it_is_empty_or_stale() {
        let mut source = crate::MemorySource::new();
        let names = [VERSION, "000010-001.log"];
        source.insert("000010-001.log", &b""[..]);
        assert!(of(&names).unwrap().live_logs(&source, 0).is_ok());
        source.insert("000010-001.log", &b"x"[..]);
        let error = of(&names).unwrap().live_logs(&source, 10).unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }));
        assert!(of(&names).unwrap().live_logs(&source, 11).is_ok());
    }
}
