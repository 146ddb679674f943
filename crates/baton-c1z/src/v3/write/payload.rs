//! The payload of an envelope, built file by file in a scratch file.
//!
//! Files come in the order of their names. A second thread compresses and
//! checksums them while the caller makes the next ones. The queue between the
//! two is short, which bounds memory. Equal files give equal bytes.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use baton_proto::c1::c1z::v3::IndexedFrameEntry;
use sha2::{Digest, Sha256};
use zstd::zstd_safe::CParameter;

use super::tables::TableSink;
use super::tar;
use crate::error::{Error, Result};
use crate::files::{DataFile, Files, Open};
use crate::stop::{self, Stop};
use crate::v3::envelope::Encoding;

/// Name of the scratch file.
const FILE_NAME: &str = "payload";
/// Files that may wait for the second thread.
const QUEUE_FILES: usize = 1;
/// Levels above it ask readers for windows of more than 8 MiB.
const MAX_LEVEL: i32 = 19;

/// A file of the directory.
struct Piece {
    name: String,
    bytes: Vec<u8>,
}

/// A payload being built. Dropped before [`Payload::finish`], it leaves only
/// the scratch file behind.
pub(crate) struct Payload {
    queue: Option<SyncSender<Piece>>,
    worker: Option<JoinHandle<Result<Stored>>>,
}

/// A complete payload.
pub(crate) struct Stored {
    /// The scratch file: nothing but the payload.
    pub file: Box<dyn DataFile>,
    pub path: PathBuf,
    pub bytes: u64,
    /// For each file its frame, offsets relative to the payload. Empty for
    /// the encodings that have no index.
    pub entries: Vec<IndexedFrameEntry>,
}

impl Payload {
    /// Creates the scratch file in `dir`. `level` is that of zstd.
    #[expect(clippy::disallowed_methods, reason = "joined by its handle")]
    pub fn begin(
        files: &Arc<dyn Files>,
        dir: &std::path::Path,
        encoding: Encoding,
        level: i32,
    ) -> Result<Self> {
        let path = dir.join(FILE_NAME);
        let file = files
            .open(&path, Open::Create)
            .map_err(|e| Error::io("create", &path, e))?;
        let mut out = Out { file, at: 0 };
        let failed = {
            let path = path.clone();
            move |e| Error::io("write", &path, e)
        };
        let mut packer =
            Packer::new(encoding, level.clamp(1, MAX_LEVEL)).map_err(failed.clone())?;
        let (queue, pieces): (_, Receiver<Piece>) = sync_channel(QUEUE_FILES);
        let work = move || {
            for piece in pieces {
                packer.put(&piece, &mut out).map_err(failed.clone())?;
            }
            let entries = packer.finish(&mut out).map_err(failed)?;
            Ok(Stored {
                file: out.file,
                path,
                bytes: out.at,
                entries,
            })
        };
        let stop = Stop::current();
        let worker = std::thread::Builder::new()
            .name("c1z-payload".to_owned())
            .spawn(move || stop.scope(work))
            .map_err(|e| Error::io("start a thread to compress", dir, e))?;
        Ok(Self {
            queue: Some(queue),
            worker: Some(worker),
        })
    }

    fn close(&mut self) -> Result<Stored> {
        self.queue = None;
        match self.worker.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Err(Error::Argument {
                what: "payload",
                reason: "it failed before",
            }),
        }
    }
}

impl TableSink for Payload {
    type Done = Stored;

    fn put(&mut self, name: String, bytes: Vec<u8>) -> Result<()> {
        let sent = match &self.queue {
            Some(queue) => queue.send(Piece { name, bytes }).is_ok(),
            None => false,
        };
        if sent {
            return Ok(());
        }
        // The other side ends early only if it failed; its error has the reason.
        self.close().map(|_| ())
    }

    /// Waits for the second thread.
    fn finish(mut self) -> Result<Stored> {
        self.close()
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(worker) = self.worker.take() {
            // The file is closed before its folder may be removed.
            let _ = worker.join();
        }
    }
}

/// Appends to the scratch file.
struct Out {
    file: Box<dyn DataFile>,
    at: u64,
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        stop::check_io()?;
        self.file.write_all_at(bytes, self.at)?;
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Brings files into the form of an encoding.
enum Packer {
    Indexed {
        compressor: zstd::bulk::Compressor<'static>,
        frame: Vec<u8>,
        entries: Vec<IndexedFrameEntry>,
    },
    Tar,
    /// The stream is compressed into a buffer, which is emptied per file.
    TarZstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Packer {
    fn new(encoding: Encoding, level: i32) -> io::Result<Self> {
        Ok(match encoding {
            Encoding::Tar => Self::Tar,
            Encoding::TarZstd => {
                let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), level)?;
                encoder.include_checksum(true)?;
                Self::TarZstd(encoder)
            }
            Encoding::IndexedZstd => {
                let mut compressor = zstd::bulk::Compressor::new(level)?;
                compressor.set_parameter(CParameter::ChecksumFlag(true))?;
                compressor.set_parameter(CParameter::ContentSizeFlag(true))?;
                Self::Indexed {
                    compressor,
                    frame: Vec::new(),
                    entries: Vec::new(),
                }
            }
        })
    }

    fn put(&mut self, piece: &Piece, out: &mut Out) -> io::Result<()> {
        let len = piece.bytes.len() as u64;
        match self {
            Self::Tar => {
                out.write_all(&tar::header(&piece.name, len)?)?;
                out.write_all(&piece.bytes)?;
                out.write_all(tar::padding(len))
            }
            Self::TarZstd(encoder) => {
                encoder.write_all(&tar::header(&piece.name, len)?)?;
                encoder.write_all(&piece.bytes)?;
                encoder.write_all(tar::padding(len))?;
                out.write_all(encoder.get_ref())?;
                encoder.get_mut().clear();
                Ok(())
            }
            Self::Indexed {
                compressor,
                frame,
                entries,
            } => {
                frame.clear();
                frame.reserve(zstd::zstd_safe::compress_bound(piece.bytes.len()));
                compressor.compress_to_buffer(&piece.bytes, frame)?;
                entries.push(IndexedFrameEntry {
                    name: piece.name.clone(),
                    frame_offset: out.at.cast_signed(),
                    compressed_size: (frame.len() as u64).cast_signed(),
                    raw_size: len.cast_signed(),
                    raw_xxh64: xxhash_rust::xxh64::xxh64(&piece.bytes, 0),
                    raw_sha256: Sha256::digest(&piece.bytes).to_vec(),
                });
                out.write_all(frame)
            }
        }
    }

    fn finish(self, out: &mut Out) -> io::Result<Vec<IndexedFrameEntry>> {
        match self {
            Self::Indexed { entries, .. } => return Ok(entries),
            Self::Tar => out.write_all(&tar::END)?,
            Self::TarZstd(mut encoder) => {
                encoder.write_all(&tar::END)?;
                out.write_all(&encoder.finish()?)?;
            }
        }
        Ok(Vec::new())
    }
}
