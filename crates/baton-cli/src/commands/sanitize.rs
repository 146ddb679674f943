//! `sanitize`: a file without names and ids, to be shown to others.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

use baton_c1z::{
    C1zFile, Files, Filter, Format, RewrittenSync, RunPaths, SyncRun, SystemFiles, Table, Use,
    View, create_file, open_regular, rewrite_syncs,
};
use baton_flags::{Command, Field};
use baton_proto::figures::counted;
use baton_proto::time;
use prost_types::Timestamp;

use super::output_file::options;
use super::{Cmd, Cx, Given, Runs};
use super::{OUTPUT_FORMAT, VERBOSE};
use crate::error::CliError;
use crate::open;
use crate::sanitize::{Sanitizer, Settings, sanitized_runs};
use crate::scan::each_row;

const OUT: Field<Option<PathBuf>> =
    Field::path("out", "the file to write; it must not exist (required)").value_name("path");
pub(super) const OUT_ENGINE: Field<String> = Field::string(
    "out-engine",
    "write sqlite (format v1) or pebble (format v3) (default: as the file that is read)",
)
.value_name("engine");
const SECRET_FILE: Field<Option<PathBuf>> = Field::path(
    "secret-file",
    "a file with the key of the hashes, of at least 32 bytes (default: a new key, in a file of \
     the name of --out with .secret behind it)",
)
.value_name("path");
const ANCHOR: Field<String> = Field::string(
    "anchor",
    "the time that the newest time of the file becomes, as RFC 3339 (default: now)",
)
.value_name("time");
const ALLOW_UNKNOWN: Field<bool> = Field::bool(
    "allow-unknown-annotations",
    "keep annotations of unknown types as they are, which may name people (default: leave them \
     out)",
);

/// Bytes of a key, at least and at most.
const MIN_KEY_BYTES: usize = 32;
const MAX_KEY_BYTES: u64 = 1 << 20;

pub(super) struct Sanitize {
    out: PathBuf,
    format: Option<Format>,
    secret_file: Option<PathBuf>,
    anchor: Option<Timestamp>,
    keeps_unknown: bool,
}

impl Cmd for Sanitize {
    fn define() -> Command<Runs> {
        Command::new(
            "sanitize",
            "copy a file without names: texts and ids become hashes, times are shifted",
        )
        .field(OUT)
        .field(OUT_ENGINE)
        .field(SECRET_FILE)
        .field(ANCHOR)
        .field(ALLOW_UNKNOWN)
        .without(OUTPUT_FORMAT)
        .without(VERBOSE)
        .example("a file for a bug report", "sanitize --out report.c1z")
        .example(
            "two files whose hashes agree",
            "sanitize --out report.c1z --secret-file key.bin",
        )
    }

    fn parse(given: &Given) -> Result<Self, CliError> {
        let out = given.config.get(&OUT).map(ToOwned::to_owned);
        let out = out.ok_or_else(|| CliError::Usage {
            message: "--out is required".to_owned(),
            hint: Some("pass the path of the new file with --out".to_owned()),
        })?;
        let secret_file = given.config.get(&SECRET_FILE).map(ToOwned::to_owned);
        if secret_file.is_none() && given.config.was_set(&SECRET_FILE) {
            return Err(CliError::usage("the path of the secret file is empty"));
        }
        Ok(Self {
            out,
            format: given.config.given(&OUT_ENGINE).map(engine).transpose()?,
            secret_file,
            anchor: given.config.given(&ANCHOR).map(anchor).transpose()?,
            keeps_unknown: given.config.get(&ALLOW_UNKNOWN),
        })
    }

    fn output(&self) -> Option<&Path> {
        Some(&self.out)
    }

    fn only_shows(&self) -> bool {
        false
    }

    fn run(self, cx: &mut Cx<'_, '_>) -> Result<(), CliError> {
        let opened = open::open(cx.file, cx.process)?;
        open::warn_of_migration(cx.file, opened.migration(), cx.err);
        let format = self.format.unwrap_or(opened.format());
        must_not_exist(&self.out)?;
        let runs = opened.sync_runs().to_vec();
        if format == Format::V3 && runs.len() > 1 {
            return Err(CliError::Usage {
                message: format!(
                    "{} holds {}, and a pebble file holds one",
                    cx.file.display(),
                    counted(runs.len() as u64, "sync", "syncs")
                ),
                hint: Some(
                    "pass sqlite with --out-engine, or copy one sync with `baton export c1z` first"
                        .to_owned(),
                ),
            });
        }
        let types = types(&opened)?;
        // The file is read again by what writes; until then it needs no copy.
        drop(opened);
        let key = self.key(cx)?;
        let done = self.write(cx, (&key.bytes, types), &runs, format);
        match (&done, &key.made) {
            (Ok(()), Some(path)) => cx.err.note(format!(
                "the key of the hashes is in {}: with it, guesses of the original values can be \
                 confirmed",
                path.display()
            )),
            // The error of the work counts; without its file, the key is of no use.
            (Err(_), Some(path)) => drop(SystemFiles.remove_file(path)),
            (_, None) => {}
        }
        done
    }
}

/// The key of the hashes.
struct Key {
    bytes: Vec<u8>,
    /// The file that was made for it.
    made: Option<PathBuf>,
}

impl Sanitize {
    /// Reads the key, or makes one.
    fn key(&self, cx: &Cx<'_, '_>) -> Result<Key, CliError> {
        if let Some(path) = &self.secret_file {
            let mut paths = RunPaths::of_process();
            paths.add("secret file", path, Use::Read)?;
            paths.add("output", &self.out, Use::Replace)?;
            return Ok(Key {
                bytes: read_key(path)?,
                made: None,
            });
        }
        let mut name = OsString::from(&self.out);
        name.push(".secret");
        let path = PathBuf::from(name);
        let mut paths = RunPaths::of_process();
        paths.add("sync file", cx.file, Use::Read)?;
        paths.add("secret file", &path, Use::Replace)?;
        let mut bytes = vec![0; MIN_KEY_BYTES];
        getrandom::fill(&mut bytes)
            .map_err(|_| CliError::usage("the system gives no random numbers for a key"))?;
        create_file(&path, |file| Ok::<_, CliError>(file.write_all(&bytes)?))?;
        Ok(Key {
            bytes,
            made: Some(path),
        })
    }

    fn write(
        &self,
        cx: &mut Cx<'_, '_>,
        (key, types): (&[u8], BTreeSet<String>),
        runs: &[SyncRun],
        format: Format,
    ) -> Result<(), CliError> {
        let now = Timestamp::from(cx.process.now);
        let mut sanitizer = Sanitizer::new(Settings {
            key,
            types,
            newest: newest(runs),
            anchor: self.anchor.unwrap_or(now),
            keeps_unknown: self.keeps_unknown,
        });
        let syncs: Vec<RewrittenSync> = sanitized_runs(&sanitizer, runs, now);
        let options = options(cx.process)?;
        let done = rewrite_syncs(cx.file, &self.out, format, &syncs, &mut sanitizer, &options)?;
        if sanitizer.unknown.count > 0 {
            let done = if self.keeps_unknown {
                ("was kept as it is", "were kept as they are")
            } else {
                ("was left out", "were left out")
            };
            let types: Vec<String> = sanitizer
                .unknown
                .types
                .iter()
                .map(|name| format!("`{name}`"))
                .collect();
            cx.err.warning(format!(
                "{}, such as {}",
                counted(
                    sanitizer.unknown.count,
                    &format!("annotation of an unknown type {}", done.0),
                    &format!("annotations of unknown types {}", done.1),
                ),
                types.join(", ")
            ));
        }
        if done.merged_grants > 0 {
            cx.err.warning(format!(
                "merged {} into others with the same principal and entitlement",
                counted(done.merged_grants, "grant", "grants")
            ));
        }
        if done.dropped_rows > 0 {
            cx.err.warning(format!(
                "left out {} without an id of its own",
                counted(done.dropped_rows, "row", "rows")
            ));
        }
        Ok(())
    }
}

fn engine(word: &str) -> Result<Format, CliError> {
    let known = [Format::V1, Format::V3];
    let found = known
        .into_iter()
        .find(|format| format.engine_name() == word);
    found.ok_or_else(|| CliError::Usage {
        message: format!("unknown engine `{word}`"),
        hint: Some("pass sqlite or pebble with --out-engine".to_owned()),
    })
}

fn anchor(text: &str) -> Result<Timestamp, CliError> {
    time::parse(text).map_err(|_| CliError::Usage {
        message: format!("`{text}` is not a time"),
        hint: Some("pass a time such as 2026-01-02T03:04:05Z with --anchor".to_owned()),
    })
}

fn must_not_exist(path: &Path) -> Result<(), CliError> {
    if path.symlink_metadata().is_ok() {
        return Err(baton_c1z::Error::Exists {
            path: path.to_owned(),
        }
        .into());
    }
    Ok(())
}

fn read_key(path: &Path) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    open_regular(path)?
        .take(MAX_KEY_BYTES)
        .read_to_end(&mut bytes)
        .map_err(|source| baton_c1z::Error::Io {
            doing: "read",
            path: path.to_owned(),
            source,
        })?;
    if bytes.len() < MIN_KEY_BYTES {
        return Err(CliError::usage(format!(
            "{} has {}; a key has at least {MIN_KEY_BYTES}",
            path.display(),
            counted(bytes.len() as u64, "byte", "bytes")
        )));
    }
    Ok(bytes)
}

/// The ids of all resource types: ids are made of them in every sync.
fn types(file: &C1zFile) -> Result<BTreeSet<String>, CliError> {
    let mut types = BTreeSet::new();
    let all = file.view(View::AllRows)?;
    each_row(&all, Table::ResourceTypes, &Filter::default(), |row| {
        types.insert(row.id.to_owned());
        Ok(())
    })?;
    Ok(types)
}

/// The newest time that a sync records of itself.
fn newest(runs: &[SyncRun]) -> Option<Timestamp> {
    let times = runs.iter().flat_map(|run| [run.started_at, run.ended_at]);
    times.flatten().max_by_key(|at| (at.seconds, at.nanos))
}
