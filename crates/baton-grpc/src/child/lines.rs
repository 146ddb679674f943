//! The lines that a child writes: shown as they come, and the last ones kept for
//! the error of its end.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::error::LastLines;

/// Longest piece of a line that is shown at once, in bytes.
const MAX_LINE_BYTES: usize = 16 * 1024;
/// Lines that are kept.
const KEPT_LINES: usize = 10;
const CHUNK_BYTES: usize = 8 * 1024;

/// A line that a child wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildLine<'a> {
    /// On standard output, which a child should leave alone.
    Stdout(&'a str),
    /// On standard error.
    Stderr(&'a str),
}

/// Shows the lines of a child to the user.
pub type ShowLine = Arc<dyn Fn(ChildLine<'_>) + Send + Sync>;

/// The last lines on standard error.
#[derive(Debug, Clone, Default)]
pub(super) struct Tail(Arc<Mutex<VecDeque<String>>>);

impl Tail {
    fn push(&self, line: &str) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT_LINES {
            kept.pop_front();
        }
        kept.push_back(line.to_owned());
    }

    /// What was kept, if anything.
    pub(super) fn lines(&self) -> Option<LastLines> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (!kept.is_empty()).then(|| LastLines(kept.iter().cloned().collect()))
    }
}

/// Reads standard error to its end.
pub(super) async fn read_stderr(input: impl AsyncRead + Unpin, show: ShowLine, tail: Tail) {
    read(input, |line| {
        tail.push(line);
        show(ChildLine::Stderr(line));
    })
    .await;
}

/// Reads standard output to its end.
pub(super) async fn read_stdout(input: impl AsyncRead + Unpin, show: ShowLine) {
    read(input, |line| show(ChildLine::Stdout(line))).await;
}

/// Gives each line without its end. A longer line is given in pieces; an input
/// that cannot be read ends like one that is at its end.
async fn read(mut input: impl AsyncRead + Unpin, mut each: impl FnMut(&str)) {
    let mut give = |line: &[u8]| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !line.is_empty() {
            each(&String::from_utf8_lossy(line));
        }
    };
    let mut pending = Vec::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    while let Ok(got @ 1..) = input.read(&mut chunk).await {
        for piece in chunk[..got].split_inclusive(|byte| *byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(end) => {
                    pending.extend_from_slice(end);
                    give(&pending);
                    pending.clear();
                }
                None => pending.extend_from_slice(piece),
            }
        }
        if pending.len() > MAX_LINE_BYTES {
            give(&pending);
            pending.clear();
        }
    }
    give(&pending);
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines_of(input: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        read(input, |line| lines.push(line.to_owned())).await;
        lines
    }

    #[tokio::test]
    async fn lines_end_at_line_ends_and_at_the_end() {
        assert_eq!(
            lines_of(b"one\r\n\ntwo\nthree").await,
            ["one", "two", "three"]
        );
        assert_eq!(lines_of(b"\xff\n").await, ["\u{fffd}"]);
        assert!(lines_of(b"").await.is_empty());
    }

    #[tokio::test]
    async fn an_endless_line_is_given_in_pieces() {
        let lines = lines_of(&vec![b'x'; 5 * MAX_LINE_BYTES]).await;
        assert!(lines.len() > 3, "{}", lines.len());
        let total: usize = lines.iter().map(String::len).sum();
        assert_eq!(total, 5 * MAX_LINE_BYTES);
    }

    #[tokio::test]
    async fn only_the_last_lines_are_kept() {
        let tail = Tail::default();
        assert_eq!(tail.lines(), None);
        let text = [*b"line 0\n", *b"line 1\n", *b"line 2\n"]
            .concat()
            .repeat(10);
        read_stderr(text.as_slice(), Arc::new(|_| {}), tail.clone()).await;
        let kept = tail.lines().unwrap();
        assert_eq!(kept.0.len(), KEPT_LINES);
        assert_eq!(kept.0.last().unwrap(), "line 2");
    }
}
