//! Output that is longer than the screen goes through a pager.
//!
//! Only on a terminal, and only once a command that shows something allows it.
//! What fits on the screen is written as it is. A pager that does not start is
//! no error: the output is written without it. One that ends early is a reader
//! that left. Messages wait until the pager has ended, so that they are not
//! drawn over.

use std::cell::Cell;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;

/// The pager where none is named; it may be missing.
const USUAL: &str = "less";
/// How `less` behaves where its variable is not set: it leaves short output on
/// the screen, shows colours, and does not clear.
const USUAL_SETTINGS: (&str, &str) = ("LESS", "FRX");

/// Whether output may go through a pager.
#[derive(Debug, Clone, Default)]
pub struct Paging(Rc<Cell<State>>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// No command has allowed it.
    #[default]
    Off,
    Allowed,
    /// A pager shows the output.
    Running,
}

impl Paging {
    /// From now on, long output may go through a pager.
    pub(crate) fn allow(&self) {
        self.0.set(State::Allowed);
    }
}

/// Which pager, and on which screen.
#[derive(Debug, Clone)]
pub struct PagerSettings {
    /// `PAGER` as it was found.
    pub pager: Option<OsString>,
    /// Whether `LESS` is set.
    pub has_less_settings: bool,
    /// Lines of the terminal.
    pub lines: usize,
}

impl PagerSettings {
    /// The words of the pager's command line; none if there is to be no pager.
    fn words(&self) -> Option<Vec<String>> {
        let text = match &self.pager {
            None => USUAL,
            Some(pager) => pager.to_str()?,
        };
        let words: Vec<String> = text.split_whitespace().map(ToOwned::to_owned).collect();
        (!words.is_empty() && words != ["cat"]).then_some(words)
    }

    fn start(&self) -> Option<Child> {
        let words = self.words()?;
        let (program, args) = words.split_first()?;
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::piped());
        if !self.has_less_settings {
            command.env(USUAL_SETTINGS.0, USUAL_SETTINGS.1);
        }
        command.spawn().ok()
    }
}

/// Standard output on a terminal.
pub struct Screen<'o> {
    settings: PagerSettings,
    paging: Paging,
    plain: &'o mut dyn Write,
    /// What was written while it fits on the screen.
    held: Vec<u8>,
    lines: usize,
    child: Option<Child>,
}

impl<'o> Screen<'o> {
    /// A screen on which `plain` writes.
    pub fn new(settings: PagerSettings, paging: Paging, plain: &'o mut dyn Write) -> Self {
        Self {
            settings,
            paging,
            plain,
            held: Vec::new(),
            lines: 0,
            child: None,
        }
    }

    /// Closes the pager's input and waits until the user has left it.
    pub fn close(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.stdin.take());
            // How it ended does not matter: the user has seen enough.
            let _ = child.wait();
        }
        self.paging.0.set(State::Off);
    }

    /// Writes what is held, through a pager if one starts.
    fn release(&mut self, with_pager: bool) -> io::Result<()> {
        if with_pager {
            self.child = self.settings.start();
        }
        self.paging.0.set(if self.child.is_some() {
            State::Running
        } else {
            State::Off
        });
        let held = std::mem::take(&mut self.held);
        self.write_through(&held)
    }

    fn write_through(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.child.as_mut().and_then(|child| child.stdin.as_mut()) {
            Some(pager) => pager.write_all(bytes),
            None => self.plain.write_all(bytes),
        }
    }
}

impl Write for Screen<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.paging.0.get() != State::Allowed {
            self.write_through(bytes)?;
            return Ok(bytes.len());
        }
        self.held.extend_from_slice(bytes);
        self.lines += bytes.split(|byte| *byte == b'\n').count() - 1;
        // The prompt needs a line of the screen.
        if self.lines >= self.settings.lines {
            self.release(true)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.paging.0.get() == State::Allowed {
            self.release(false)?;
        }
        match self.child.as_mut().and_then(|child| child.stdin.as_mut()) {
            Some(pager) => pager.flush(),
            None => self.plain.flush(),
        }
    }
}

/// Standard error beside a pager.
pub struct Beside<'e> {
    inner: &'e mut dyn Write,
    paging: Paging,
    held: Vec<u8>,
}

impl<'e> Beside<'e> {
    /// Messages for `inner`.
    pub fn new(paging: Paging, inner: &'e mut dyn Write) -> Self {
        Self {
            inner,
            paging,
            held: Vec::new(),
        }
    }

    /// Writes the messages that have waited.
    pub fn release(&mut self) {
        // There is nowhere to report that messages cannot be written.
        let _ = self.inner.write_all(&std::mem::take(&mut self.held));
        let _ = self.inner.flush();
    }
}

impl Write for Beside<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.paging.0.get() == State::Running {
            self.held.extend_from_slice(bytes);
            return Ok(bytes.len());
        }
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// What comes of so many lines with a pager: what is written without it.
    fn written(pager: &str, lines: usize, allowed: bool) -> (String, io::Result<()>) {
        let paging = Paging::default();
        if allowed {
            paging.allow();
        }
        let mut plain = Vec::new();
        let settings = PagerSettings {
            pager: Some(pager.into()),
            has_less_settings: true,
            lines: 10,
        };
        let mut screen = Screen::new(settings, paging, &mut plain);
        let mut result = Ok(());
        for line in 0..lines {
            result = result.and_then(|()| writeln!(screen, "{line}"));
        }
        result = result.and_then(|()| screen.flush());
        screen.close();
        (String::from_utf8(plain).unwrap(), result)
    }

    #[test]
    fn only_what_is_longer_than_the_screen_goes_through_the_pager() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("paged");
        let pager = format!("tee {}", file.display());
        for (lines, allowed, is_paged) in [
            (9, true, false),
            (10, true, true),
            (200, true, true),
            (200, false, false),
        ] {
            let _ = std::fs::remove_file(&file);
            let (plain, result) = written(&pager, lines, allowed);
            result.unwrap();
            let all = (0..lines).fold(String::new(), |all, line| all + &format!("{line}\n"));
            let paged = std::fs::read_to_string(&file).unwrap_or_default();
            let expected = if is_paged {
                (all, String::new())
            } else {
                (String::new(), all)
            };
            assert_eq!((paged, plain), expected, "{lines} {allowed}");
        }
    }

    #[test]
    fn a_missing_pager_is_no_error_and_neither_is_none() {
        for pager in ["no-such-pager-is-installed -x", "", "cat", "  "] {
            let (plain, result) = written(pager, 100, true);
            result.unwrap();
            assert_eq!(plain.lines().count(), 100, "{pager}");
        }
    }

    #[test]
    fn a_pager_that_dies_is_a_reader_that_left() {
        let (_, result) = written("true", 200_000, true);
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn messages_wait_for_the_pager() {
        let paging = Paging::default();
        let mut inner = Vec::new();
        let mut beside = Beside::new(paging.clone(), &mut inner);
        beside.write_all(b"a").unwrap();
        paging.0.set(State::Running);
        beside.write_all(b"b").unwrap();
        assert_eq!(beside.held, b"b");
        paging.0.set(State::Off);
        beside.release();
        assert_eq!(inner, b"ab");
    }
}
