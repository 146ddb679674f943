//! Files that callers make, such as exports, with the guarantees of a sync
//! file: whole or not there, private when they are new.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::save::{self, Saver};

/// Writes a file as a whole, in place of what is there. Until it is complete
/// and on the device, the old content stays. `write` should write large pieces.
///
/// ```
/// use std::io::Write;
/// use baton_c1z::{Error, replace_file};
///
/// let folder = tempfile::tempdir().expect("a folder");
/// let path = folder.path().join("list.txt");
/// replace_file(&path, |out| {
///     // A failure of the file is noticed without our help.
///     let _ = out.write_all(b"one\n");
///     Ok::<(), Error>(())
/// })?;
/// assert_eq!(std::fs::read(&path).expect("written"), b"one\n");
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// That of `write`, unless the file itself could not be written: then, and if
/// the target is not a regular file, [`Error::Io`] and the like. The target is
/// then what it was.
pub fn replace_file<E>(
    target: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> Result<(), E>,
) -> Result<PathBuf, E>
where
    E: From<Error>,
{
    put(&Saver::shared(), target, write)
}

/// As [`replace_file`], for a file that must not exist.
///
/// # Errors
/// Also [`Error::Exists`].
pub fn create_file<E>(
    target: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> Result<(), E>,
) -> Result<PathBuf, E>
where
    E: From<Error>,
{
    put(&Saver::new_file(), target, write)
}

fn put<E>(
    saver: &Saver,
    target: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> Result<(), E>,
) -> Result<PathBuf, E>
where
    E: From<Error>,
{
    let mut refused = None;
    let put = save::replace(saver, target, 0, |file| {
        let mut file = Watched {
            file,
            failure: None,
        };
        let written = write(&mut file);
        match (written, file.failure) {
            (Ok(()), None) => Ok(()),
            // The file's own failure is the cause of the caller's.
            (_, Some(failure)) => Err(failure),
            (Err(error), None) => {
                refused = Some(error);
                Err(io::ErrorKind::Other.into())
            }
        }
    });
    match refused {
        Some(error) => Err(error),
        None => Ok(put?),
    }
}

/// A file that remembers its first failure.
struct Watched<'f> {
    file: &'f mut save::NewFile,
    failure: Option<io::Error>,
}

impl Write for Watched<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes).map_err(|e| {
            let kind = e.kind();
            self.failure.get_or_insert(e);
            kind.into()
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::stop::Stop;

    #[derive(Debug)]
    enum Failure {
        Own,
        File(Error),
    }

    impl From<Error> for Failure {
        fn from(error: Error) -> Self {
            Self::File(error)
        }
    }

    #[test]
    fn a_failure_of_the_caller_is_given_back_and_the_old_content_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("list");
        fs::write(&path, "old").expect("written");
        let done = replace_file(&path, |out| {
            out.write_all(b"half").expect("room");
            Err(Failure::Own)
        });
        assert!(matches!(done, Err(Failure::Own)), "{done:?}");
        assert_eq!(fs::read(&path).expect("there"), b"old");
        assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 1);
    }

    #[test]
    fn a_failure_of_the_file_names_it_whatever_the_caller_makes_of_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("list");
        for ignores in [false, true] {
            let stop = Stop::default();
            let done = stop.scope(|| {
                replace_file(&path, |out| {
                    stop.request();
                    match out.write_all(b"new") {
                        Err(_) if !ignores => Err(Failure::Own),
                        _ => Ok(()),
                    }
                })
            });
            let Err(Failure::File(error)) = done else {
                panic!("{done:?}");
            };
            assert!(error.to_string().contains("list"), "{error}");
            assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 0);
        }
    }

    #[test]
    fn a_new_file_replaces_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("list");
        fs::write(&path, "old").expect("written");
        let done = create_file(&path, |out| {
            out.write_all(b"new").expect("room");
            Ok::<(), Failure>(())
        });
        assert!(matches!(done, Err(Failure::File(Error::Exists { .. }))));
        assert_eq!(fs::read(&path).expect("there"), b"old");
    }
}
