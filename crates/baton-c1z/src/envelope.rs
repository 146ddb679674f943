//! The outermost layer of a c1z: five bytes of magic, then compressed content.
//!
//! Everything read here is hostile until it has passed the limits: the
//! declared size is checked first, the window is bounded, and the decoded
//! bytes are counted, so that nothing beyond the limit is ever handed out.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use zstd::stream::read::Decoder;
use zstd::stream::write::Encoder;

use crate::Limits;
use crate::error::{Error, Result};
use crate::paths::open_regular;
use crate::stop;

/// Bytes of the magic of every format.
pub(crate) const MAGIC_LEN: usize = 5;
const MAGIC_V1: [u8; MAGIC_LEN] = *b"C1ZF\0";
const MAGIC_V3: [u8; MAGIC_LEN] = *b"C1Z3\0";

const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Longest header of a zstd frame, magic included (RFC 8878 §3.1.1.1).
const MAX_FRAME_HEADER_LEN: usize = 18;
/// Compressed bytes read at a time.
const READ_BYTES: usize = 128 << 10;
/// Decoded bytes per buffer, and the number of buffers.
const DECODED_BYTES: usize = 256 << 10;
const BUFFERS: usize = 4;
/// Content above this size is compressed by so many threads.
const THREADED_BYTES: u64 = 64 << 20;
const COMPRESS_THREADS: u32 = 2;
/// Window of what we write: 8 MiB. Every reader accepts it, and larger
/// content therefore never becomes a single segment.
const WRITE_WINDOW_LOG: u32 = 23;

/// What a path holds, judged by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detected {
    /// Nothing is there: an empty store.
    Missing,
    /// A file of length 0: an empty store.
    Empty,
    /// A file of format v1.
    V1,
    /// A file of format v3.
    V3,
}

/// Looks at the first bytes of `path`. Any other content than the two magics,
/// and a file of 1 to 4 bytes, is [`Error::NotC1z`] (c1z specification §0), but
/// the magic of another format of the same kind is [`Error::Unsupported`].
pub fn detect(path: &Path) -> Result<Detected> {
    match open_regular(path) {
        Ok(mut file) => read_magic(path, &mut file),
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
            Ok(Detected::Missing)
        }
        Err(e) => Err(e),
    }
}

/// Reads the magic and leaves `file` right behind it.
fn read_magic(path: &Path, file: &mut File) -> Result<Detected> {
    let mut magic = Vec::with_capacity(MAGIC_LEN);
    file.take(MAGIC_LEN as u64)
        .read_to_end(&mut magic)
        .map_err(|e| Error::io("read", path, e))?;
    if magic.is_empty() {
        Ok(Detected::Empty)
    } else if magic == MAGIC_V1 {
        Ok(Detected::V1)
    } else if magic == MAGIC_V3 {
        Ok(Detected::V3)
    } else if let [b'C', b'1', b'Z', version, 0] = magic[..]
        && version.is_ascii_alphanumeric()
    {
        let format = char::from(version);
        Err(Error::Unsupported {
            path: path.to_owned(),
            what: format!("the format `C1Z{format}`").into(),
        })
    } else {
        Err(Error::NotC1z {
            path: path.to_owned(),
        })
    }
}

/// What distinguishes one c1z from another: its length and a checksum over all
/// of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Identity {
    pub bytes: u64,
    pub crc: u32,
}

/// Compressed content of a file, as a stream that keeps the limits.
pub(crate) struct Content<'a> {
    path: &'a Path,
    decoder: Decoder<'static, BufReader<Summing<File>>>,
    decoded: u64,
    limit: u64,
    /// The length that the content itself states.
    bound: Option<u64>,
    declared: Option<u64>,
    file_bytes: u64,
}

impl<'a> Content<'a> {
    /// Opens a file that [`detect`] found to be v1, whatever `path` leads to now.
    /// Only one content of a file is read at a time.
    pub fn of_file(path: &'a Path, file: &File, limits: &Limits) -> Result<Self> {
        let mut file = file.try_clone().map_err(|e| Error::io("open", path, e))?;
        file.seek(SeekFrom::Start(0))
            .map_err(|e| Error::io("read", path, e))?;
        match read_magic(path, &mut file)? {
            Detected::V1 => {}
            Detected::V3 => {
                return Err(Error::FormatChanged {
                    path: path.to_owned(),
                });
            }
            Detected::Missing | Detected::Empty => {
                return Err(Error::NotC1z {
                    path: path.to_owned(),
                });
            }
        }
        Self::from(path, file, MAGIC_LEN as u64, limits)
    }

    /// The compressed content from `start` to the end of the file.
    pub fn behind(path: &'a Path, start: u64, limits: &Limits) -> Result<Self> {
        let file = open_regular(path)?;
        Self::from(path, file, start, limits)
    }

    fn from(path: &'a Path, mut file: File, start: u64, limits: &Limits) -> Result<Self> {
        let found = file.metadata().map_err(|e| Error::io("look at", path, e))?;
        let file_bytes = found.len();
        let seek = |file: &mut File| {
            file.seek(SeekFrom::Start(start))
                .map_err(|e| Error::io("read", path, e))
        };
        seek(&mut file)?;
        let header = FrameHeader::read(&mut file).map_err(|e| compressed(path, e))?;
        header.check(path, limits)?;
        seek(&mut file)?;
        let input = BufReader::with_capacity(READ_BYTES, Summing::new(file));
        let decoder = Decoder::with_buffer(input)
            .and_then(|mut decoder| {
                decoder.window_log_max(limits.max_window_bytes.max(1).ilog2())?;
                Ok(decoder)
            })
            .map_err(|e| compressed(path, e))?;
        Ok(Self {
            path,
            decoder,
            decoded: 0,
            limit: limits.max_decoded_bytes,
            bound: None,
            declared: header.content_size,
            file_bytes,
        })
    }

    /// Content longer than this is [`Error::LongContent`].
    pub fn bound(&mut self, bytes: u64) {
        self.bound = Some(bytes);
    }

    /// The size of the file, compressed.
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// The size that the first frame declares for itself.
    pub fn declared(&self) -> Option<u64> {
        self.declared
    }

    /// Fills `buf` as far as the content reaches; 0 at its end.
    pub fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        stop::check()?;
        let n = loop {
            match self.decoder.read(buf) {
                Ok(n) => break n,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(compressed(self.path, e)),
            }
        };
        self.decoded += n as u64;
        if self.decoded > self.limit {
            return Err(Error::TooLarge {
                path: self.path.to_owned(),
                limit: self.limit,
            });
        }
        match self.bound {
            Some(announced) if self.decoded > announced => Err(Error::LongContent {
                path: self.path.to_owned(),
                announced,
            }),
            _ => Ok(n),
        }
    }

    /// Writes all that is left to `out`, whose path is `out_path`, and gives
    /// the identity of the file read. A thread of its own writes, since that
    /// takes half as long as decoding.
    pub fn copy_to(mut self, out: &mut File, out_path: &Path) -> Result<Identity> {
        std::thread::scope(|scope| {
            let (full, to_write) = sync_channel::<Vec<u8>>(BUFFERS);
            let (empty, written) = sync_channel(BUFFERS);
            let writer = scope.spawn(move || {
                for bytes in to_write {
                    out.write_all(&bytes)?;
                    // The last ones are not waited for.
                    let _ = empty.send(bytes);
                }
                Ok(())
            });
            let read = self.hand_over(&full, &written);
            drop(full);
            let wrote = match writer.join() {
                Ok(wrote) => wrote.map_err(|e| Error::io("write", out_path, e)),
                Err(panic) => std::panic::resume_unwind(panic),
            };
            read.and(wrote)
        })?;
        Ok(self.identity())
    }

    /// Decodes the rest into buffers that come back when they were written;
    /// ends early if the writer is gone.
    fn hand_over(&mut self, full: &SyncSender<Vec<u8>>, empty: &Receiver<Vec<u8>>) -> Result<()> {
        for made in 0_usize.. {
            let mut buf = if made < BUFFERS {
                vec![0; DECODED_BYTES]
            } else {
                let Ok(buf) = empty.recv() else { break };
                buf
            };
            buf.resize(DECODED_BYTES, 0);
            let n = self.read(&mut buf)?;
            buf.truncate(n);
            if n == 0 || full.send(buf).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Length and checksum of what was read of the file.
    pub fn identity(&self) -> Identity {
        self.decoder.get_ref().get_ref().identity()
    }
}

fn compressed(path: &Path, source: io::Error) -> Error {
    Error::Compressed {
        path: path.to_owned(),
        source,
    }
}

/// Counts and sums what passes through.
struct Summing<R> {
    inner: R,
    bytes: u64,
    crc: crc32fast::Hasher,
}

impl<R> Summing<R> {
    fn new(inner: R) -> Self {
        Self {
            inner,
            bytes: 0,
            crc: crc32fast::Hasher::new(),
        }
    }

    fn identity(&self) -> Identity {
        Identity {
            bytes: self.bytes,
            crc: self.crc.clone().finalize(),
        }
    }
}

impl<R: Read> Read for Summing<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.bytes += n as u64;
        self.crc.update(&buf[..n]);
        Ok(n)
    }
}

/// The part of a zstd frame header that decides how much it may cost.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    content_size: Option<u64>,
    window: Option<u64>,
}

impl FrameHeader {
    /// Reads the header at the current position. A frame that is none of
    /// zstd's is left to the decoder to judge (it may be a skippable one).
    pub fn read(input: &mut impl Read) -> io::Result<Self> {
        let mut bytes = Vec::with_capacity(MAX_FRAME_HEADER_LEN);
        input
            .take(MAX_FRAME_HEADER_LEN as u64)
            .read_to_end(&mut bytes)?;
        if bytes.len() < ZSTD_MAGIC.len() {
            return Err(io::Error::new(
                ErrorKind::UnexpectedEof,
                "there is no frame",
            ));
        }
        let Some(rest) = bytes.strip_prefix(&ZSTD_MAGIC) else {
            return Ok(Self::default());
        };
        Self::parse(rest)
            .ok_or_else(|| io::Error::new(ErrorKind::UnexpectedEof, "the frame header is cut off"))
    }

    /// RFC 8878 §3.1.1.1, without the magic.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (&descriptor, mut rest) = bytes.split_first()?;
        let single_segment = descriptor & 0x20 != 0;
        let mut window = None;
        if !single_segment {
            let (&b, tail) = rest.split_first()?;
            let base = 1_u64 << (10 + u32::from(b >> 3));
            window = Some(base + base / 8 * u64::from(b & 7));
            rest = tail;
        }
        let dictionary_len = [0, 1, 2, 4][usize::from(descriptor & 3)];
        let size_len = match descriptor >> 6 {
            0 if single_segment => 1,
            0 => 0,
            1 => 2,
            2 => 4,
            _ => 8,
        };
        let size = rest.get(dictionary_len..dictionary_len + size_len)?;
        let content_size = (size_len > 0).then(|| {
            let value = size.iter().rev().fold(0, |v, &b| v << 8 | u64::from(b));
            if size_len == 2 { value + 256 } else { value }
        });
        Some(Self {
            content_size,
            window: window.or(content_size),
        })
    }

    /// The size that the frame declares for its content.
    pub fn content_size(&self) -> Option<u64> {
        self.content_size
    }

    /// Refuses a frame that would pass the limits.
    pub fn check(&self, path: &Path, limits: &Limits) -> Result<()> {
        if limits.fail_fast_on_content_size
            && self
                .content_size
                .is_some_and(|size| size > limits.max_decoded_bytes)
        {
            return Err(Error::TooLarge {
                path: path.to_owned(),
                limit: limits.max_decoded_bytes,
            });
        }
        match self.window {
            Some(window) if window > limits.max_window_bytes => Err(Error::WindowTooLarge {
                path: path.to_owned(),
                window,
                limit: limits.max_window_bytes,
            }),
            _ => Ok(()),
        }
    }
}

/// Writes a whole v1 envelope around `content`, which must give exactly
/// `size` bytes (c1z specification §1.1).
pub(crate) fn encode(
    content: &mut impl Read,
    size: u64,
    level: i32,
    mut out: impl Write,
) -> io::Result<()> {
    out.write_all(&MAGIC_V1)?;
    let mut encoder = Encoder::new(out, level)?;
    encoder.window_log(WRITE_WINDOW_LOG)?;
    encoder.include_checksum(true)?;
    encoder.include_contentsize(true)?;
    encoder.set_pledged_src_size(Some(size))?;
    if size > THREADED_BYTES {
        // What comes out depends on the number of threads, not on their speed.
        encoder.multithread(COMPRESS_THREADS)?;
    }
    let mut buf = vec![0; DECODED_BYTES];
    loop {
        match content.read(&mut buf) {
            Ok(0) => break,
            Ok(n) => encoder.write_all(&buf[..n])?,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    // Fails if the content was not as long as pledged.
    encoder.finish()?.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(content: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(&mut &content[..], content.len() as u64, 1, &mut out).expect("in memory");
        out
    }

    fn header(content: &[u8]) -> FrameHeader {
        FrameHeader::read(&mut &encoded(content)[MAGIC_LEN..]).expect("complete")
    }

    #[test]
    fn content_of_another_length_than_pledged_is_an_error() {
        for pledged in [2, 4] {
            assert!(encode(&mut &b"abc"[..], pledged, 1, &mut Vec::new()).is_err());
        }
    }

    #[test]
    fn a_header_cut_off_anywhere_is_an_error() {
        let whole = encoded(&vec![0; 70_000]);
        let declared = FrameHeader::read(&mut &whole[MAGIC_LEN..]).expect("complete");
        assert_eq!(declared.content_size, Some(70_000));
        for len in MAGIC_LEN..MAGIC_LEN + 8 {
            assert!(
                FrameHeader::read(&mut &whole[MAGIC_LEN..len]).is_err(),
                "{len}"
            );
        }
    }

    #[test]
    fn declared_sizes_of_every_width_are_read() {
        for len in [0, 1, 255, 256, 257, 65_791, 65_792, 1 << 20] {
            assert_eq!(
                header(&vec![7; len]).content_size,
                Some(len as u64),
                "{len}"
            );
        }
    }

    #[test]
    fn large_content_is_never_a_single_segment() {
        let big = header(&vec![0; (8 << 20) + 1]);
        assert_eq!(big.window, Some(8 << 20));
    }

    #[test]
    fn frames_that_are_not_zstd_declare_nothing() {
        let skippable = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0];
        assert_eq!(
            FrameHeader::read(&mut &skippable[..]).expect("long enough"),
            FrameHeader::default()
        );
    }
}
