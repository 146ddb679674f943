//! Checks that a peer greets as an HTTP/2 server does.
//!
//! A server's first frame is SETTINGS. Without this check a peer that speaks
//! something else would end calls with an error of a frame parser, and a silent one
//! only with their time limit.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How long a server may take for its first frame.
const LIMIT: Duration = Duration::from_secs(20);
/// Bytes of a frame's header.
const HEADER_BYTES: usize = 9;
/// The type of SETTINGS frames.
const SETTINGS: u8 = 4;

/// A connection whose first bytes are checked as they are read.
pub(crate) struct Greeted<I> {
    io: I,
    /// What is checked; `None` once it was.
    waiting: Option<Waiting>,
}

struct Waiting {
    head: Vec<u8>,
    limit: Pin<Box<Sleep>>,
}

impl<I> Greeted<I> {
    /// Begins to wait for the greeting.
    pub(crate) fn new(io: I) -> Self {
        Self {
            io,
            waiting: Some(Waiting {
                head: Vec::with_capacity(HEADER_BYTES),
                limit: Box::pin(sleep(LIMIT)),
            }),
        }
    }
}

fn error(kind: io::ErrorKind, text: &str) -> io::Error {
    io::Error::new(kind, text)
}

/// What is wrong with the first bytes of a peer; `None` if they are not enough yet,
/// or fine.
fn fault(head: &[u8]) -> Option<io::Error> {
    let invalid = |text| Some(error(io::ErrorKind::InvalidData, text));
    if head.starts_with(b"HTTP/1") {
        return invalid("it answers with HTTP/1");
    }
    // A TLS record: an alert about the bytes of a client without TLS.
    if head.starts_with(&[0x15, 3]) {
        return invalid("it expects TLS");
    }
    match head.get(3) {
        Some(&kind) if head.len() >= HEADER_BYTES && kind != SETTINGS => {
            invalid("its first bytes are not those of an HTTP/2 server")
        }
        _ => None,
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Greeted<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.io).poll_read(context, buffer);
        let Some(waiting) = &mut this.waiting else {
            return read;
        };
        let Poll::Ready(done) = read else {
            return match waiting.limit.as_mut().poll(context) {
                Poll::Ready(()) => {
                    let text = "it sent no HTTP/2 greeting within 20 s";
                    Poll::Ready(Err(error(io::ErrorKind::TimedOut, text)))
                }
                Poll::Pending => Poll::Pending,
            };
        };
        done?;
        let new = buffer.filled().get(before..).unwrap_or_default();
        if new.is_empty() {
            let text = "it closed the connection without an HTTP/2 greeting";
            return Poll::Ready(Err(error(io::ErrorKind::UnexpectedEof, text)));
        }
        let missing = HEADER_BYTES - waiting.head.len();
        waiting.head.extend(new.iter().take(missing));
        if let Some(fault) = fault(&waiting.head) {
            return Poll::Ready(Err(fault));
        }
        if waiting.head.len() == HEADER_BYTES {
            this.waiting = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Greeted<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
