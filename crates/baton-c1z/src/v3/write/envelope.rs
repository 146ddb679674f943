//! The envelope around a payload: magic, manifest, payload, index, footer
//! (c1z specification §2.1).

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use baton_proto::c1::c1z::v3::{IndexedFrameIndex, PebbleIdIndexFormat, SyncRunSummary};
use baton_proto::wire::{self, Value};
use baton_proto::{DESCRIPTOR_SET, encode};

use super::payload::Stored;
use crate::error::Result;
use crate::files::Forward;
use crate::save::{self, NewFile, Saver};
use crate::v3::envelope::Encoding;

const MAGIC: &[u8; 5] = b"C1Z3\0";
const INDEX_MAGIC: &[u8; 8] = b"C1ZIDX1\0";
/// Go's name for the layout of keys that is written here.
const ENGINE: &str = "pebble3";
/// The newest format version of the directory that readers may meet.
const ENGINE_SCHEMA_VERSION: u64 = 24;
/// Bytes copied at a time.
const COPY_BYTES: usize = 1 << 20;
/// Package of the stored records, whose descriptors a manifest carries.
const RECORDS_PACKAGE: &[u8] = b"c1.storage.v3";

/// The manifest of a file with at most one sync.
pub(crate) fn manifest(encoding: Encoding, run: Option<&SyncRunSummary>) -> Vec<u8> {
    let mut out = Vec::new();
    wire::put_str(&mut out, 1, ENGINE);
    wire::put_varint(&mut out, 2, ENGINE_SCHEMA_VERSION);
    wire::put_varint(&mut out, 4, encoding.number());
    wire::put_bytes(&mut out, 10, &record_descriptors());
    if let Some(run) = run {
        wire::put_bytes(&mut out, 40, &encode::to_vec(run));
    }
    let id_format = PebbleIdIndexFormat::StructuredV1 as i32;
    wire::put_varint(&mut out, 42, u64::from(id_format.unsigned_abs()));
    out
}

/// Puts the file together and in its place. `progress` gets the bytes of the
/// payload copied so far.
pub(crate) fn assemble(
    target: &Path,
    saver: &Saver,
    manifest: &[u8],
    stored: &Stored,
    progress: &mut dyn FnMut(u64),
) -> Result<PathBuf> {
    save::replace(saver, target, stored.bytes, |out| {
        let length = u32::try_from(manifest.len())
            .map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        out.write_all(MAGIC)?;
        out.write_all(&length.to_be_bytes())?;
        out.write_all(manifest)?;
        let start = (MAGIC.len() + size_of::<u32>() + manifest.len()) as u64;
        copy(stored, out, progress)?;
        if !stored.entries.is_empty() {
            let index = index(stored, start, manifest);
            out.write_all(&index)?;
            out.write_all(&footer(start + stored.bytes, &index)?)?;
        }
        Ok(())
    })
}

fn copy(stored: &Stored, out: &mut NewFile, progress: &mut dyn FnMut(u64)) -> io::Result<()> {
    let mut reader = Forward::new(stored.file.as_ref(), 0, stored.bytes, COPY_BYTES);
    while reader.remaining() > 0 {
        progress(reader.offset());
        let n = reader.remaining().min(COPY_BYTES as u64);
        let chunk = reader.take(usize::try_from(n).unwrap_or(COPY_BYTES))?;
        out.write_all(chunk.unwrap_or_default())?;
    }
    progress(stored.bytes);
    Ok(())
}

/// The index of the frames, with their places in the whole file.
fn index(stored: &Stored, start: u64, manifest: &[u8]) -> Vec<u8> {
    let mut index = IndexedFrameIndex {
        entries: stored.entries.clone(),
        manifest_xxh64: xxhash_rust::xxh64::xxh64(manifest, 0),
        ..Default::default()
    };
    for entry in &mut index.entries {
        entry.frame_offset += start.cast_signed();
        index.total_raw_size += entry.raw_size;
        index.total_compressed_size += entry.compressed_size;
    }
    encode::to_vec(&index)
}

fn footer(index_offset: u64, index: &[u8]) -> io::Result<Vec<u8>> {
    let length =
        u32::try_from(index.len()).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    let mut footer = Vec::with_capacity(28);
    footer.extend_from_slice(&index_offset.to_be_bytes());
    footer.extend_from_slice(&length.to_be_bytes());
    footer.extend_from_slice(&xxhash_rust::xxh64::xxh64(index, 0).to_be_bytes());
    footer.extend_from_slice(INDEX_MAGIC);
    Ok(footer)
}

/// The descriptors of the stored records and of all that they import, by
/// path: files are copied as they are, which keeps the custom options.
fn record_descriptors() -> Vec<u8> {
    // The set was made by our own build; what cannot be read is left out.
    let mut files: Vec<Descriptor<'_>> = wire::fields(DESCRIPTOR_SET)
        .flatten()
        .filter_map(|field| Descriptor::read(field.value.bytes()?))
        .collect();
    files.sort_unstable_by_key(|file| file.name);
    let mut wanted: Vec<bool> = files
        .iter()
        .map(|file| file.package == RECORDS_PACKAGE)
        .collect();
    let mut open: Vec<usize> = (0..files.len()).filter(|at| wanted[*at]).collect();
    while let Some(at) = open.pop() {
        for import in &files[at].imports {
            let found = files.binary_search_by_key(import, |file| file.name);
            if let Some(at) = found.ok().filter(|at| !wanted[*at]) {
                wanted[at] = true;
                open.push(at);
            }
        }
    }
    let mut out = Vec::new();
    for (file, _) in files.iter().zip(wanted).filter(|(_, wanted)| *wanted) {
        wire::put_bytes(&mut out, 1, file.bytes);
    }
    out
}

struct Descriptor<'a> {
    bytes: &'a [u8],
    name: &'a [u8],
    package: &'a [u8],
    imports: Vec<&'a [u8]>,
}

impl<'a> Descriptor<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut file = Self {
            bytes,
            name: &[],
            package: &[],
            imports: Vec::new(),
        };
        for field in wire::fields(bytes) {
            match field.ok().map(|field| (field.number, field.value))? {
                (1, Value::Bytes(name)) => file.name = name,
                (2, Value::Bytes(package)) => file.package = package,
                (3, Value::Bytes(import)) => file.imports.push(import),
                _ => {}
            }
        }
        Some(file)
    }
}
