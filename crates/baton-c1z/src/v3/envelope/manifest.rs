//! The manifest: which engine, which payload, which syncs.
//!
//! Only the fields that decide something are read; the bulk of a manifest
//! are descriptors of the records, for tools without a schema of their own.

use std::path::Path;

use baton_proto::c1::c1z::v3::SyncRunSummary;
use baton_proto::field::c1::c1z::v3::c1_z_manifest_v3 as field;
use baton_proto::wire::{self, Value};
use prost::Message;

use crate::error::Result;
use crate::v3::fault::{damaged, unsupported};

/// Longest manifest.
pub(super) const MAX_BYTES: usize = 16 << 20;
/// Most syncs that a manifest may sum up. There is one.
const MAX_RUNS: usize = 1000;
/// Current and earlier names of the engine that is read here. They do not
/// determine the layout of its keys.
const ENGINES: [&str; 3] = ["pebble", "pebble2", "pebble3"];

/// How the directory is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// A compressed tar archive.
    TarZstd,
    /// A tar archive.
    Tar,
    /// A compressed frame per file, and an index.
    IndexedZstd,
}

impl Encoding {
    /// The number in a manifest.
    pub fn number(self) -> u64 {
        match self {
            Self::TarZstd => 1,
            Self::Tar => 2,
            Self::IndexedZstd => 5,
        }
    }
}

/// The parts of a manifest that readers use.
#[derive(Debug, PartialEq)]
pub(super) struct Manifest {
    pub encoding: Encoding,
    pub runs: Vec<SyncRunSummary>,
}

impl Manifest {
    /// Reads and checks a manifest's bytes.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        let malformed = |_| damaged(path, "its manifest is not a protobuf message");
        let mut engine = "";
        let mut encoding = 0;
        let mut runs = Vec::new();
        for field in wire::fields(bytes) {
            let field = field.map_err(malformed)?;
            match (field.number, field.value) {
                (field::ENGINE, Value::Bytes(name)) => {
                    engine = wire::text(name).map_err(malformed)?;
                }
                (field::PAYLOAD_ENCODING, Value::Varint(number)) => encoding = number,
                (field::SYNC_RUNS, Value::Bytes(run)) if runs.len() < MAX_RUNS => {
                    let run = SyncRunSummary::decode(run)
                        .map_err(|_| damaged(path, "the syncs in its manifest are malformed"))?;
                    runs.push(run);
                }
                (field::SYNC_RUNS | field::GRANT_DIGEST_ROOT, Value::Bytes(_))
                | (field::FOLD_DEAD_BYTES | field::PEBBLE_ID_INDEX_FORMAT, Value::Varint(_)) => {}
                (field::ENGINE_SCHEMA_VERSION, Value::Varint(number))
                    if u32::try_from(number).is_ok() => {}
                (
                    number @ (field::ENGINE
                    | field::ENGINE_SCHEMA_VERSION
                    | field::PAYLOAD_ENCODING
                    | field::SYNC_RUNS..=field::GRANT_DIGEST_ROOT),
                    _,
                ) => {
                    let what = format!("field {number} of its manifest is malformed");
                    return Err(damaged(path, what));
                }
                _ => {}
            }
        }
        check_engine(path, engine)?;
        let encoding = match encoding {
            1 => Encoding::TarZstd,
            2 => Encoding::Tar,
            5 => Encoding::IndexedZstd,
            0 => return Err(damaged(path, "its manifest names no payload encoding")),
            other => return Err(unsupported(path, format!("payload encoding {other}"))),
        };
        Ok(Self { encoding, runs })
    }
}

fn check_engine(path: &Path, engine: &str) -> Result<()> {
    if ENGINES.contains(&engine) {
        return Ok(());
    }
    if engine.is_empty() {
        return Err(damaged(path, "its manifest names no storage engine"));
    }
    // Shown to people: a damaged name must not fill the screen.
    let shown = match engine.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &engine[..end]),
        None => engine.to_owned(),
    };
    Err(unsupported(path, format!("the storage engine `{shown}`")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn manifest(engine: &str, encoding: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        wire::put_str(&mut bytes, field::ENGINE, engine);
        wire::put_varint(&mut bytes, field::PAYLOAD_ENCODING, encoding);
        bytes
    }

    fn error(bytes: &[u8]) -> Error {
        Manifest::parse(Path::new("x.c1z"), bytes).expect_err("refused")
    }

    #[test]
    fn other_engines_and_encodings_are_refused_by_name() {
        for engine in ["pebble4", "Pebble2", "pebble ", "sqlite", "rocks"] {
            let error = error(&manifest(engine, 5));
            assert!(matches!(error, Error::Unsupported { .. }), "{error}");
            assert!(
                error.to_string().contains(&format!("`{engine}`")),
                "{error}"
            );
        }
        for encoding in [3, 4, 6, u64::MAX] {
            let error = error(&manifest("pebble3", encoding));
            assert!(matches!(error, Error::Unsupported { .. }));
            assert!(error.to_string().contains(&encoding.to_string()), "{error}");
        }
    }

    #[test]
    fn what_must_be_said_must_be_said() {
        for bytes in [
            &[][..],
            &manifest("", 5),
            &manifest("pebble3", 0),
            &[0x0a, 0x50],
        ] {
            assert!(matches!(error(bytes), Error::Envelope { .. }));
        }
        let mut with_run = manifest("pebble3", 2);
        wire::put_bytes(&mut with_run, field::SYNC_RUNS, &[0x0a, 0x7f]);
        assert!(matches!(error(&with_run), Error::Envelope { .. }));
    }

    #[test]
    fn fields_of_another_type_are_refused_where_they_are_read() {
        for number in [1, 2, 4, 40, 41, 42, 43] {
            let mut bytes = manifest("pebble3", 2);
            wire::put_fixed32(&mut bytes, number, [0; 4]);
            let error = error(&bytes);
            assert!(matches!(error, Error::Envelope { .. }), "{number}: {error}");
        }
        let mut bytes = manifest("pebble3", 2);
        wire::put_varint(&mut bytes, 2, 1 << 32);
        assert!(matches!(error(&bytes), Error::Envelope { .. }));
    }

    #[test]
    fn names_of_the_engine_are_accepted_alike_and_of_two_the_last_counts() {
        for engine in ENGINES {
            let mut bytes = manifest("rocks", 3);
            bytes.extend_from_slice(&manifest(engine, 2));
            let parsed = Manifest::parse(Path::new("x.c1z"), &bytes).expect("accepted");
            assert_eq!(parsed.encoding, Encoding::Tar);
        }
    }

    #[test]
    fn fields_of_later_writers_are_passed_over() {
        let mut bytes = manifest("pebble3", 2);
        wire::put_bytes(&mut bytes, 10, b"\xff\xff");
        wire::put_varint(&mut bytes, 900, 1);
        let parsed = Manifest::parse(Path::new("x.c1z"), &bytes).expect("valid");
        assert_eq!(parsed.encoding, Encoding::Tar);
    }
}
