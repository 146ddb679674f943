//! The program's end of standard error: whole lines, and never across a progress display.
//!
//! Log lines, messages and the progress display share one stream. Every writer uses
//! [`Stderr`], which takes the display away for the moment of writing.

use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use baton_term::{Block, TextGate};
use indicatif::MultiProgress;

/// Standard error, shared by everything that reports. Clones write to the same stream.
#[derive(Clone)]
pub struct Stderr {
    inner: Arc<Mutex<Inner>>,
    is_terminal: bool,
    colours: bool,
}

struct Inner {
    writer: Box<dyn Write + Send>,
    display: Option<MultiProgress>,
    gate: TextGate,
}

impl Stderr {
    /// Wraps a stream. `colours` has no effect unless the stream is a terminal.
    pub fn new(writer: Box<dyn Write + Send>, is_terminal: bool, colours: bool) -> Self {
        Self {
            inner: Arc::new(Mutex::new(Inner {
                writer,
                display: None,
                gate: TextGate::default(),
            })),
            is_terminal,
            colours: colours && is_terminal,
        }
    }

    /// Whether people are looking.
    pub fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    pub(crate) fn colours(&self) -> bool {
        self.colours
    }

    /// The gate that everything written here passes.
    pub(crate) fn gate(&self) -> TextGate {
        self.lock().gate.clone()
    }

    /// From now on, everything written here passes this gate.
    pub fn set_gate(&self, gate: TextGate) {
        self.lock().gate = gate;
    }

    /// Writes lines for people. Text in them cannot make further lines, and passes the gate.
    pub fn print(&self, block: &Block) {
        let text = block.render(&self.gate(), self.colours);
        self.write(&text);
    }

    /// Writes one line of text.
    pub fn line(&self, text: &str) {
        self.print(Block::new().line(text));
    }

    /// Writes a log line, which has passed the gate and may be coloured.
    pub(crate) fn log_line(&self, line: &str) {
        self.write(&format!("{line}\n"));
    }

    /// Standard error is the last resort: a failure to write there is reported nowhere.
    fn write(&self, text: &str) {
        let mut inner = self.lock();
        let Inner {
            writer, display, ..
        } = &mut *inner;
        let mut write = || {
            let _ = writer.write_all(text.as_bytes());
            let _ = writer.flush();
        };
        match display {
            Some(display) => display.suspend(write),
            None => write(),
        }
    }

    /// From now on, writing makes way in this display.
    pub(crate) fn show_display(&self, display: Option<MultiProgress>) {
        self.lock().display = display;
    }

    /// Poisoning only means that a writer panicked; the stream still works.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Stderr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stderr")
            .field("is_terminal", &self.is_terminal)
            .finish_non_exhaustive()
    }
}
