//! Standard output and standard error fail apart. A reader of messages that
//! went away changes neither the data nor the outcome (see
//! [`baton_term::Printer`]); data that could not be
//! written is never a success, except that a list whose reader went away ends
//! quietly.

use std::io::{self, ErrorKind, Write};

/// What becomes of a command when its output cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnFailure {
    /// It ends: it only shows something.
    End,
    /// It does its work, such as making a file, and fails afterwards.
    Continue,
}

/// Standard output, with a memory of its first failure.
pub(crate) struct Data<'o> {
    inner: &'o mut dyn Write,
    on_failure: OnFailure,
    failure: Option<io::Error>,
}

impl<'o> Data<'o> {
    pub fn new(inner: &'o mut dyn Write) -> Self {
        Self {
            inner,
            on_failure: OnFailure::End,
            failure: None,
        }
    }

    pub fn on_failure(&mut self, on_failure: OnFailure) {
        self.on_failure = on_failure;
    }

    /// Writes out what is buffered, and gives the first failure. None if all
    /// was written, or if the reader of a list went away.
    pub fn finish(mut self) -> Finished {
        // A failure is kept.
        let _ = self.flush();
        match self.failure {
            None => Finished::Whole,
            Some(error)
                if error.kind() == ErrorKind::BrokenPipe && self.on_failure == OnFailure::End =>
            {
                Finished::NotWanted
            }
            Some(error) => Finished::Failed(error),
        }
    }

    fn note<T>(&mut self, result: io::Result<T>, instead: T) -> io::Result<T> {
        match result {
            Err(error) if error.kind() != ErrorKind::Interrupted => {
                let kind = error.kind();
                self.failure.get_or_insert(error);
                match self.on_failure {
                    OnFailure::End => Err(kind.into()),
                    OnFailure::Continue => Ok(instead),
                }
            }
            other => other,
        }
    }
}

impl Write for Data<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.failure.is_some() && self.on_failure == OnFailure::Continue {
            return Ok(buf.len());
        }
        let result = match self.inner.write(buf) {
            Ok(0) if !buf.is_empty() => Err(ErrorKind::WriteZero.into()),
            other => other,
        };
        self.note(result, buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.failure.is_some() && self.on_failure == OnFailure::Continue {
            return Ok(());
        }
        let result = self.inner.flush();
        self.note(result, ())
    }
}

/// How writing ended.
pub(crate) enum Finished {
    /// All was written.
    Whole,
    /// The reader of a list has left.
    NotWanted,
    Failed(io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes some bytes, then fails.
    struct Failing(usize, ErrorKind);

    impl Write for Failing {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            match self.0.min(buf.len()) {
                0 => Err(self.1.into()),
                taken => {
                    self.0 -= taken;
                    Ok(taken)
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_list_ends_at_the_first_failure_and_other_work_continues() {
        for kind in [
            ErrorKind::BrokenPipe,
            ErrorKind::StorageFull,
            ErrorKind::Other,
        ] {
            let mut inner = Failing(3, kind);
            let mut data = Data::new(&mut inner);
            assert!(data.write_all(b"abcdef").is_err());
            assert!(data.write_all(b"x").is_err());
            let quiet = kind == ErrorKind::BrokenPipe;
            let finished = data.finish();
            assert_eq!(matches!(finished, Finished::NotWanted), quiet, "{kind}");
            assert_eq!(matches!(finished, Finished::Failed(_)), !quiet, "{kind}");

            let mut inner = Failing(3, kind);
            let mut data = Data::new(&mut inner);
            data.on_failure(OnFailure::Continue);
            assert!(data.write_all(b"abcdef").is_ok());
            assert!(data.write_all(b"x").is_ok());
            assert!(matches!(data.finish(), Finished::Failed(_)), "{kind}");
        }
    }
}
