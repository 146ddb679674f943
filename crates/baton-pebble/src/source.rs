//! Where the files of a directory come from: a folder, memory, or the
//! envelope that carries them. The reader asks for names and sizes at open,
//! and for contents when it arrives at a file, so a source may decode lazily.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

/// The files of a directory, whatever they are stored in.
///
/// A source is a snapshot: names, sizes and contents do not change while it
/// is in use.
pub trait Source: Send + Sync {
    /// The names of the regular files, in any order.
    fn names(&self) -> Vec<String>;

    /// The size of a file in bytes; `None` if there is no such file.
    fn size(&self, name: &str) -> Option<u64>;

    /// The content of a file. May be expensive, such as a decompression; the
    /// reader opens a table when it needs it and drops it when it is done.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there is no such file, and whatever
    /// keeps the source from delivering it.
    fn open(&self, name: &str) -> io::Result<Arc<dyn FileBytes>>;
}

/// The content of one file.
pub trait FileBytes: Send + Sync {
    /// The size in bytes.
    fn len(&self) -> u64;

    /// Whether the file is empty.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Exactly `len` bytes from `offset` on, without a copy where possible.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] if the range leaves the file, in
    /// which case nothing of the size `len` may be allocated.
    fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes>;
}

fn beyond_the_end() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "a range leaves the file")
}

/// Whether `offset..offset + len` lies in a file of `size` bytes.
fn in_file(offset: u64, len: usize, size: u64) -> bool {
    u64::try_from(len)
        .ok()
        .and_then(|len| offset.checked_add(len))
        .is_some_and(|end| end <= size)
}

impl FileBytes for Bytes {
    fn len(&self) -> u64 {
        self.as_ref().len() as u64
    }

    fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        let start = usize::try_from(offset).map_err(|_| beyond_the_end())?;
        let end = start.checked_add(len).ok_or_else(beyond_the_end)?;
        if end > self.as_ref().len() {
            return Err(beyond_the_end());
        }
        Ok(self.slice(start..end))
    }
}

/// A directory in memory.
#[derive(Debug, Clone, Default)]
pub struct MemorySource {
    files: BTreeMap<String, Bytes>,
}

impl MemorySource {
    /// A directory without files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file, or replaces it.
    pub fn insert(&mut self, name: impl Into<String>, content: impl Into<Bytes>) {
        self.files.insert(name.into(), content.into());
    }

    /// Removes a file and returns its content.
    pub fn remove(&mut self, name: &str) -> Option<Bytes> {
        self.files.remove(name)
    }

    /// The content of a file.
    pub fn get(&self, name: &str) -> Option<&Bytes> {
        self.files.get(name)
    }
}

impl<N: Into<String>, B: Into<Bytes>> FromIterator<(N, B)> for MemorySource {
    fn from_iter<I: IntoIterator<Item = (N, B)>>(files: I) -> Self {
        Self {
            files: files
                .into_iter()
                .map(|(name, content)| (name.into(), content.into()))
                .collect(),
        }
    }
}

impl Source for MemorySource {
    fn names(&self) -> Vec<String> {
        self.files.keys().cloned().collect()
    }

    fn size(&self, name: &str) -> Option<u64> {
        self.files.get(name).map(FileBytes::len)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn FileBytes>> {
        match self.files.get(name) {
            Some(content) => Ok(Arc::new(content.clone())),
            None => Err(io::Error::new(io::ErrorKind::NotFound, "no such file")),
        }
    }
}

/// A directory in the file system. Names and sizes are those of the moment
/// it was listed; subfolders are left out.
#[derive(Debug)]
pub struct FolderSource {
    folder: PathBuf,
    sizes: BTreeMap<String, u64>,
}

impl FolderSource {
    /// Lists `folder`.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn list(folder: impl Into<PathBuf>) -> io::Result<Self> {
        let folder = folder.into();
        let mut sizes = BTreeMap::new();
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let meta = entry.metadata()?;
            // A name that is no Unicode is none of Pebble's.
            if let (true, Ok(name)) = (meta.is_file(), entry.file_name().into_string()) {
                sizes.insert(name, meta.len());
            }
        }
        Ok(Self { folder, sizes })
    }
}

impl Source for FolderSource {
    fn names(&self) -> Vec<String> {
        self.sizes.keys().cloned().collect()
    }

    fn size(&self, name: &str) -> Option<u64> {
        self.sizes.get(name).copied()
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn FileBytes>> {
        // Only listed names: a name from a damaged manifest must not lead
        // out of the folder.
        if !self.sizes.contains_key(name) {
            return Err(io::Error::new(io::ErrorKind::NotFound, "no such file"));
        }
        let file = File::open(self.folder.join(name))?;
        let len = file.metadata()?.len();
        Ok(Arc::new(OpenFile {
            file: Mutex::new(file),
            len,
        }))
    }
}

struct OpenFile {
    /// Locked for the pair of seek and read.
    file: Mutex<File>,
    len: u64,
}

impl FileBytes for OpenFile {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        if !in_file(offset, len, self.len) {
            return Err(beyond_the_end());
        }
        let mut data = vec![0; len];
        // A poisoned lock does no harm: each read seeks first.
        let mut file = self
            .file
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(&mut data)?;
        Ok(data.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both() -> (tempfile::TempDir, Vec<Box<dyn Source>>) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), b"0123456789").unwrap();
        fs::write(folder.path().join("b"), b"").unwrap();
        fs::create_dir(folder.path().join("sub")).unwrap();
        let listed = FolderSource::list(folder.path()).unwrap();
        let memory: MemorySource = [("a", &b"0123456789"[..]), ("b", b"")]
            .into_iter()
            .collect();
        (folder, vec![Box::new(listed), Box::new(memory)])
    }

    #[test]
    fn a_range_that_leaves_the_file_is_an_error_not_an_allocation() {
        let (_folder, sources) = both();
        for source in sources {
            let file = source.open("a").unwrap();
            for (offset, len) in [
                (0, 11),
                (10, 1),
                (11, 0),
                (u64::MAX, 1),
                (1, usize::MAX),
                (u64::MAX, usize::MAX),
            ] {
                let kind = file.read_at(offset, len).unwrap_err().kind();
                assert_eq!(kind, io::ErrorKind::UnexpectedEof, "{offset}+{len}");
            }
        }
    }

    #[test]
    fn names_that_were_not_listed_do_not_exist() {
        let (folder, sources) = both();
        fs::write(folder.path().join("later"), b"").unwrap();
        for source in sources {
            for name in ["later", "sub", "../a", "", "sub/../a"] {
                assert_eq!(source.size(name), None);
                let kind = source.open(name).err().unwrap().kind();
                assert_eq!(kind, io::ErrorKind::NotFound, "{name}");
            }
        }
    }

    #[test]
    fn both_sources_give_the_same_files() {
        let (_folder, sources) = both();
        for source in sources {
            assert_eq!(source.names(), ["a", "b"]);
            assert_eq!(source.size("a"), Some(10));
            assert_eq!(source.size("b"), Some(0));
            let file = source.open("a").unwrap();
            assert_eq!((file.len(), file.is_empty()), (10, false));
            assert_eq!(&file.read_at(3, 4).unwrap()[..], b"3456");
            assert_eq!(&file.read_at(10, 0).unwrap()[..], b"");
            assert!(source.open("b").unwrap().is_empty());
        }
    }
}
