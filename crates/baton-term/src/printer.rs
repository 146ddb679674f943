//! The writer for terminals and their substitutes.

use std::io::Write;

use crate::block::Block;
use crate::gate::TextGate;

/// Writes blocks to a stream, each in one piece.
///
/// The stream is the program's standard error: the last place to report
/// anything, so a failure to write is ignored. It never changes the outcome.
pub struct Printer<'w> {
    writer: &'w mut dyn Write,
    gate: TextGate,
    colours: bool,
    is_quiet: bool,
}

impl<'w> Printer<'w> {
    /// A printer that hides the secrets of the gate.
    pub fn new(writer: &'w mut dyn Write, gate: TextGate, colours: bool) -> Self {
        Self {
            writer,
            gate,
            colours,
            is_quiet: false,
        }
    }

    /// From now on, writes only what is printed with [`Printer::print_always`].
    pub fn be_quiet(&mut self) {
        self.is_quiet = true;
    }

    /// Writes a block, unless the printer is quiet.
    pub fn print(&mut self, block: &Block) {
        if !self.is_quiet {
            self.print_always(block);
        }
    }

    /// Writes a block, such as an error.
    pub fn print_always(&mut self, block: &Block) {
        let text = block.render(&self.gate, self.colours);
        let _ = self.writer.write_all(text.as_bytes());
        let _ = self.writer.flush();
    }

    /// Writes one line.
    pub fn line(&mut self, text: impl Into<String>) {
        self.print(Block::new().line(text));
    }

    /// Writes a `warning:` line.
    pub fn warning(&mut self, text: impl Into<String>) {
        self.print(Block::new().warning(text));
    }

    /// Writes a `note:` line.
    pub fn note(&mut self, text: impl Into<String>) {
        self.print(Block::new().note(text));
    }
}

impl std::fmt::Debug for Printer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Printer")
            .field("gate", &self.gate)
            .field("colours", &self.colours)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// Takes some bytes, then fails.
    struct Failing(usize);

    impl Write for Failing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.0.min(bytes.len()) {
                0 => Err(io::ErrorKind::BrokenPipe.into()),
                taken => {
                    self.0 -= taken;
                    Ok(taken)
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    #[test]
    fn a_quiet_printer_writes_what_must_be_written() {
        let mut stream = Vec::new();
        let mut printer = Printer::new(&mut stream, TextGate::default(), false);
        printer.note("a");
        printer.be_quiet();
        printer.warning("b");
        printer.print_always(Block::new().line("c"));
        assert_eq!(stream, b"note: a\nc\n");
    }

    #[test]
    fn messages_that_cannot_be_written_are_dropped() {
        let mut stream = Failing(3);
        let mut printer = Printer::new(&mut stream, TextGate::default(), false);
        printer.warning("x");
        printer.note("y");
        assert_eq!(stream.0, 0);
    }
}
