//! The files of the directory, read from where the envelope has them.
//!
//! An archived file is read in place. A compressed one is decoded as a whole
//! when it is opened and must match its size and checksum before a byte of it
//! is handed out; a few decoded files are kept, within a budget, because the
//! same tables are asked for again and again.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use baton_pebble::{FileBytes, Source};
use bytes::Bytes;
use xxhash_rust::xxh64::{Xxh64, xxh64};
use zstd::zstd_safe::compress_bound;

use super::content::{Part, Span, Stream, Unpacked};
use super::fault::damaged;
use crate::envelope::FrameHeader;
use crate::error::{Error, Result};
use crate::room::Work;
use crate::{Limits, ReadOptions};

/// The part of the memory budget for decoded files that are not being read.
const KEPT_SHARE: u64 = 4;
/// Compressed bytes read at a time where a file is not read at once.
const READ_BYTES: usize = 128 << 10;

/// A file's compressed frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    /// Where it begins in the c1z, and its length there.
    pub start: u64,
    pub len: u64,
    /// Length and checksum of what it decodes to.
    pub raw_len: u64,
    pub sum: u64,
}

/// Where a file of the directory lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Frame(Frame),
    Span(Span),
}

/// What places refer to.
pub(super) enum Storage {
    /// The c1z, which holds frames.
    Frames(Arc<dyn FileBytes>),
    /// An archive, which holds spans.
    Spans(Arc<dyn FileBytes>),
}

/// The files of a c1z of format v3.
pub(super) struct Directory {
    path: PathBuf,
    whole: Arc<dyn FileBytes>,
    places: BTreeMap<String, Place>,
    limits: Limits,
    memory_budget: u64,
    temp_dir: Option<PathBuf>,
    kept: Mutex<Kept>,
}

impl Directory {
    pub fn new(
        path: &Path,
        storage: Storage,
        places: BTreeMap<String, Place>,
        limits: Limits,
        options: &ReadOptions,
    ) -> Self {
        let (Storage::Frames(whole) | Storage::Spans(whole)) = storage;
        Self {
            path: path.to_owned(),
            whole,
            places,
            limits,
            memory_budget: options.memory_budget_bytes,
            temp_dir: options.temp_dir.clone(),
            kept: Mutex::new(Kept::new(options.memory_budget_bytes / KEPT_SHARE)),
        }
    }

    /// The decoded content of a frame.
    fn decoded(&self, name: &str, frame: &Frame) -> Result<Arc<dyn FileBytes>> {
        if let Some(content) = self.kept().get(name) {
            return Ok(content);
        }
        // Two threads may decode the same file; neither waits for the other.
        let content = self.decode(name, frame)?;
        self.kept().keep(name, &content, self.is_in_memory(frame));
        Ok(content)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        // Consistent at every moment, so a poisoned lock does no harm.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_in_memory(&self, frame: &Frame) -> bool {
        frame.raw_len <= self.memory_budget
    }

    fn decode(&self, name: &str, frame: &Frame) -> Result<Arc<dyn FileBytes>> {
        self.check_header(name, frame)?;
        match usize::try_from(frame.raw_len) {
            Ok(raw_len) if self.is_in_memory(frame) => {
                // A frame that is longer than that holds more than its file.
                if frame.len > compress_bound(raw_len) as u64 {
                    return Err(self.wrong_size(name));
                }
                self.decode_at_once(name, frame, raw_len)
            }
            _ => self.decode_to_file(name, frame),
        }
    }

    /// Judges a frame by its header, before memory is set aside for it.
    fn check_header(&self, name: &str, frame: &Frame) -> Result<()> {
        let header = FrameHeader::read(&mut self.stream(frame))
            .map_err(|source| self.undecodable(source))?;
        header.check(&self.path, &self.limits)?;
        match header.content_size() {
            Some(size) if size != frame.raw_len => Err(self.wrong_size(name)),
            _ => Ok(()),
        }
    }

    fn decode_at_once(
        &self,
        name: &str,
        frame: &Frame,
        raw_len: usize,
    ) -> Result<Arc<dyn FileBytes>> {
        let len = usize::try_from(frame.len).map_err(|_| self.wrong_size(name))?;
        let compressed = self
            .whole
            .read_at(frame.start, len)
            .map_err(|e| Error::io("read", &self.path, e))?;
        let mut raw = Vec::with_capacity(raw_len);
        zstd::bulk::Decompressor::new()
            .and_then(|mut decoder| decoder.decompress_to_buffer(&compressed, &mut raw))
            .map_err(|source| self.undecodable(source))?;
        if raw.len() != raw_len {
            return Err(self.wrong_size(name));
        }
        self.check_sum(name, frame, xxh64(&raw, 0))?;
        Ok(Arc::new(Bytes::from(raw)))
    }

    /// Decodes a file that is larger than the memory budget.
    fn decode_to_file(&self, name: &str, frame: &Frame) -> Result<Arc<dyn FileBytes>> {
        let input = BufReader::with_capacity(READ_BYTES, self.stream(frame));
        let mut decoder = zstd::Decoder::with_buffer(input)
            .and_then(|mut decoder| {
                decoder.window_log_max(self.limits.max_window_bytes.max(1).ilog2())?;
                Ok(decoder)
            })
            .map_err(|source| self.undecodable(source))?;
        let mut unpacked = Unpacked::new(0, frame.raw_len, self.temp_dir.as_deref(), Work::Unpack);
        let mut sum = Xxh64::new(0);
        let mut buf = vec![0; READ_BYTES];
        let mut left = frame.raw_len;
        loop {
            let n = match decoder.read(&mut buf) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(self.undecodable(e)),
            };
            left = left
                .checked_sub(n as u64)
                .ok_or_else(|| self.wrong_size(name))?;
            let bytes = buf.get(..n).unwrap_or_default();
            sum.update(bytes);
            unpacked.write(bytes)?;
        }
        if left != 0 {
            return Err(self.wrong_size(name));
        }
        self.check_sum(name, frame, sum.digest())?;
        Ok(unpacked.finish())
    }

    fn check_sum(&self, name: &str, frame: &Frame, sum: u64) -> Result<()> {
        if sum == frame.sum {
            return Ok(());
        }
        let what = format!("the file `{name}` in it does not match its checksum");
        Err(damaged(&self.path, what))
    }

    fn stream(&self, frame: &Frame) -> Stream<'_> {
        let span = Span {
            start: frame.start,
            len: frame.len,
        };
        Stream::new(self.whole.as_ref(), span)
    }

    fn wrong_size(&self, name: &str) -> Error {
        let what = format!("the file `{name}` in it does not have the size stated in its index");
        damaged(&self.path, what)
    }

    fn undecodable(&self, source: io::Error) -> Error {
        Error::Compressed {
            path: self.path.clone(),
            source,
        }
    }
}

impl Source for Directory {
    fn names(&self) -> Vec<String> {
        self.places.keys().cloned().collect()
    }

    fn size(&self, name: &str) -> Option<u64> {
        self.places.get(name).map(|place| match place {
            Place::Frame(frame) => frame.raw_len,
            Place::Span(span) => span.len,
        })
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn FileBytes>> {
        match self.places.get(name) {
            None => Err(io::ErrorKind::NotFound.into()),
            Some(Place::Span(span)) => Ok(Arc::new(Part {
                whole: Arc::clone(&self.whole),
                span: *span,
            })),
            // Unwrapped again where the directory's errors become ours.
            Some(Place::Frame(frame)) => self.decoded(name, frame).map_err(io::Error::other),
        }
    }
}

/// Decoded files: all that are being read, and some others.
struct Kept {
    budget: u64,
    bytes: u64,
    /// Files in memory, the one used last at the end.
    recent: VecDeque<(String, Arc<dyn FileBytes>)>,
    /// Files in use.
    used: HashMap<String, Weak<dyn FileBytes>>,
    /// Files on disk; decoding them again would cost more than they do.
    on_disk: HashMap<String, Arc<dyn FileBytes>>,
}

impl Kept {
    fn new(budget: u64) -> Self {
        Self {
            budget,
            bytes: 0,
            recent: VecDeque::new(),
            used: HashMap::new(),
            on_disk: HashMap::new(),
        }
    }

    fn get(&mut self, name: &str) -> Option<Arc<dyn FileBytes>> {
        if let Some(at) = self.recent.iter().position(|(kept, _)| kept == name) {
            let entry = self.recent.remove(at)?;
            let content = Arc::clone(&entry.1);
            self.recent.push_back(entry);
            return Some(content);
        }
        let on_disk = self.on_disk.get(name).cloned();
        on_disk.or_else(|| self.used.get(name).and_then(Weak::upgrade))
    }

    fn keep(&mut self, name: &str, content: &Arc<dyn FileBytes>, is_in_memory: bool) {
        if !is_in_memory {
            self.on_disk.insert(name.to_owned(), Arc::clone(content));
            return;
        }
        self.used.insert(name.to_owned(), Arc::downgrade(content));
        let is_kept = self.recent.iter().any(|(kept, _)| kept == name);
        if is_kept || content.len() > self.budget {
            return;
        }
        while self.bytes + content.len() > self.budget {
            match self.recent.pop_front() {
                Some((_, dropped)) => self.bytes -= dropped.len(),
                None => break,
            }
        }
        self.bytes += content.len();
        self.recent
            .push_back((name.to_owned(), Arc::clone(content)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files in frames one after the other.
    struct Made {
        bytes: Vec<u8>,
        places: BTreeMap<String, Place>,
    }

    impl Made {
        fn new() -> Self {
            Self {
                bytes: vec![9; 10],
                places: BTreeMap::new(),
            }
        }

        fn frame(mut self, name: &str, raw: &[u8], change: impl FnOnce(&mut Frame)) -> Self {
            let compressed = zstd::encode_all(raw, 1).expect("in memory");
            let mut frame = Frame {
                start: self.bytes.len() as u64,
                len: compressed.len() as u64,
                raw_len: raw.len() as u64,
                sum: xxh64(raw, 0),
            };
            self.bytes.extend(compressed);
            change(&mut frame);
            self.places.insert(name.to_owned(), Place::Frame(frame));
            self
        }

        fn directory(self, options: &ReadOptions) -> Directory {
            let whole = Arc::new(Bytes::from(self.bytes));
            Directory::new(
                Path::new("x.c1z"),
                Storage::Frames(whole),
                self.places,
                options.limits.clone(),
                options,
            )
        }
    }

    fn options(memory_budget_bytes: u64) -> ReadOptions {
        ReadOptions {
            memory_budget_bytes,
            ..ReadOptions::default()
        }
    }

    fn error_of(directory: &Directory, name: &str) -> Error {
        let error = directory.open(name).err().expect("refused");
        *error
            .into_inner()
            .expect("ours")
            .downcast::<Error>()
            .expect("ours")
    }

    #[test]
    fn content_of_another_size_or_sum_is_never_handed_out() {
        let raw = vec![5; 1000];
        // In memory and by way of a file.
        for budget in [1 << 20, 10] {
            let changes: [fn(&mut Frame); 4] = [
                |frame| frame.raw_len += 1,
                |frame| frame.raw_len -= 1,
                |frame| frame.sum ^= 1,
                |frame| frame.len -= 1,
            ];
            for (at, change) in changes.into_iter().enumerate() {
                let directory = Made::new()
                    .frame("a", &raw, change)
                    .directory(&options(budget));
                let error = error_of(&directory, "a");
                assert!(
                    matches!(error, Error::Envelope { .. } | Error::Compressed { .. }),
                    "{at}: {error}"
                );
            }
            let directory = Made::new()
                .frame("a", &raw, |_| {})
                .directory(&options(budget));
            let content = directory.open("a").expect("intact");
            assert_eq!(&content.read_at(0, 1000).expect("all")[..], raw);
        }
    }

    #[test]
    fn a_window_beyond_the_limit_is_refused() {
        let raw = vec![5; 1 << 20];
        let mut options = options(1 << 30);
        options.limits.max_window_bytes = 1 << 12;
        let directory = Made::new().frame("a", &raw, |_| {}).directory(&options);
        assert!(matches!(
            error_of(&directory, "a"),
            Error::WindowTooLarge { .. }
        ));
    }

    #[test]
    fn a_name_that_is_not_there_is_not_found() {
        let directory = Made::new().directory(&options(1));
        let error = directory.open("a").err().expect("missing");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert_eq!(directory.size("a"), None);
    }

    #[test]
    fn decoded_files_are_kept_within_the_budget_and_shared_while_in_use() {
        let mut made = Made::new();
        for name in ["a", "b", "c", "d"] {
            made = made.frame(name, &[1; 100], |_| {});
        }
        let directory = made.directory(&options(800));
        for name in ["a", "b", "c"] {
            directory.open(name).expect("intact");
        }
        let names = |kept: &Kept| -> Vec<String> {
            kept.recent.iter().map(|(name, _)| name.clone()).collect()
        };
        assert_eq!(names(&directory.kept()), ["b", "c"]);
        directory.open("b").expect("kept");
        let in_use = directory.open("d").expect("intact");
        assert_eq!(names(&directory.kept()), ["b", "d"]);
        for name in ["a", "b", "c"] {
            directory.open(name).expect("intact");
        }
        assert_eq!(names(&directory.kept()), ["b", "c"]);
        let again = directory.open("d").expect("in use");
        assert!(Arc::ptr_eq(&in_use, &again));
    }

    #[test]
    fn a_file_beyond_the_memory_budget_is_unpacked_once() {
        let folder = tempfile::tempdir().expect("folder");
        let options = ReadOptions {
            temp_dir: Some(folder.path().to_owned()),
            ..options(99)
        };
        let directory = Made::new()
            .frame("a", &[1; 100], |_| {})
            .directory(&options);
        let first = directory.open("a").expect("intact");
        let second = directory.open("a").expect("kept");
        assert!(Arc::ptr_eq(&first, &second));
        drop((directory, first, second));
        let files = std::fs::read_dir(folder.path()).expect("listed").count();
        assert_eq!(files, 0);
    }
}
