//! Bodies of requests: one message, or messages that come one after the other.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc;

/// Frames on the way to a body: `None` ends the request. Without it the body was
/// given up, and the stream is reset.
pub(super) type Frames = mpsc::Sender<Option<Bytes>>;

/// The body of a request.
#[derive(Debug)]
pub(super) enum Body {
    /// All of it.
    Whole(Option<Bytes>),
    /// Frame by frame, as the peer takes them.
    Streamed(mpsc::Receiver<Option<Bytes>>),
}

impl Body {
    /// A body of one frame.
    pub(super) fn whole(frame: Bytes) -> Self {
        Self::Whole(Some(frame))
    }

    /// A body, and where its frames are put: one at a time.
    pub(super) fn streamed() -> (Frames, Self) {
        let (frames, body) = mpsc::channel(1);
        (frames, Self::Streamed(body))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    /// Its reason is the one that the peer gets.
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        match &mut *self {
            Self::Whole(frame) => Poll::Ready(frame.take().map(|frame| Ok(Frame::data(frame)))),
            Self::Streamed(frames) => frames.poll_recv(context).map(|frame| match frame {
                Some(Some(frame)) => Some(Ok(Frame::data(frame))),
                Some(None) => {
                    *self = Self::Whole(None);
                    None
                }
                None => Some(Err(h2::Reason::CANCEL.into())),
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(frame) => {
                let bytes = frame.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(bytes).unwrap_or(u64::MAX))
            }
            Self::Streamed(_) => SizeHint::default(),
        }
    }
}
