//! Messages in the body of a request: a flag, a length, and the message itself.

use std::io::{Read, Write};

use baton_proto::Code;
use bytes::{Buf, Bytes, BytesMut};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http_body::Body;
use http_body_util::BodyExt;

use crate::{MAX_MESSAGE_BYTES, Status};

/// Flag and length before a message.
const HEADER_BYTES: usize = 5;

/// How messages of a call are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Gzip,
}

impl Encoding {
    /// Reads `grpc-encoding`.
    ///
    /// # Errors
    /// The status of an encoding that is not known.
    pub(crate) fn of(value: Option<&[u8]>) -> Result<Self, Status> {
        match value {
            None | Some(b"" | b"identity") => Ok(Self::Identity),
            Some(b"gzip") => Ok(Self::Gzip),
            Some(other) => Err(Status::new(
                Code::Unimplemented,
                format!(
                    "grpc: Decompressor is not installed for grpc-encoding {:?}",
                    String::from_utf8_lossy(other)
                ),
            )),
        }
    }
}

fn too_large(length: usize) -> Status {
    Status::new(
        Code::ResourceExhausted,
        format!("grpc: received message larger than max ({length} vs. {MAX_MESSAGE_BYTES})"),
    )
}

/// Reads the first message of a body; what follows it is ignored.
///
/// # Errors
/// A body that ends early, a message that is too large (known from its header
/// alone), or a compression that cannot be undone.
pub(crate) async fn read<B>(body: B, encoding: Encoding) -> Result<Bytes, Status>
where
    B: Body<Data = Bytes> + Unpin,
{
    let first = Messages::new(body, encoding).next().await?;
    first.ok_or_else(|| Status::new(Code::Unknown, "EOF"))
}

/// The messages of a body, one after another.
pub(crate) struct Messages<B> {
    body: B,
    encoding: Encoding,
    seen: BytesMut,
}

impl<B> Messages<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    pub(crate) fn new(body: B, encoding: Encoding) -> Self {
        Self {
            body,
            encoding,
            seen: BytesMut::new(),
        }
    }

    /// The next message; `None` at the end of the body.
    ///
    /// # Errors
    /// As [`read`], but for a body that ends between two messages.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        if !self.fill(HEADER_BYTES).await? {
            return if self.seen.is_empty() {
                Ok(None)
            } else {
                Err(unexpected_end())
            };
        }
        let flag = self.seen.get_u8();
        // A length of 32 bits fits.
        let length = self.seen.get_u32() as usize;
        if length > MAX_MESSAGE_BYTES {
            return Err(too_large(length));
        }
        if !self.fill(length).await? {
            return Err(unexpected_end());
        }
        let message = self.seen.split_to(length).freeze();
        match (flag, self.encoding) {
            (0, _) => Ok(message),
            (1, Encoding::Gzip) => inflate(&message),
            (1, Encoding::Identity) => Err(Status::new(
                Code::Internal,
                "grpc: compressed flag set with identity or empty encoding",
            )),
            (flag, _) => Err(Status::new(
                Code::Internal,
                format!("grpc: received unexpected payload format {flag}"),
            )),
        }
        .map(Some)
    }

    /// Reads until there are so many bytes; false if the body ends before.
    async fn fill(&mut self, wanted: usize) -> Result<bool, Status> {
        while self.seen.len() < wanted {
            match self.body.frame().await {
                None => return Ok(false),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.seen.extend_from_slice(&data);
                    }
                }
                // The peer is gone and does not read this.
                Some(Err(_)) => return Err(Status::new(Code::Canceled, "context canceled")),
            }
        }
        Ok(true)
    }
}

fn unexpected_end() -> Status {
    Status::new(Code::Unknown, "unexpected EOF")
}

fn inflate(message: &[u8]) -> Result<Bytes, Status> {
    let most = MAX_MESSAGE_BYTES as u64 + 1;
    let mut plain = Vec::new();
    let read = GzDecoder::new(message).take(most).read_to_end(&mut plain);
    if let Err(error) = read {
        return Err(Status::new(
            Code::Internal,
            format!("grpc: failed to decompress the received message: {error}"),
        ));
    }
    if plain.len() > MAX_MESSAGE_BYTES {
        return Err(Status::new(
            Code::ResourceExhausted,
            format!(
                "grpc: received message after decompression larger than max {MAX_MESSAGE_BYTES}"
            ),
        ));
    }
    Ok(plain.into())
}

/// Messages from this length on follow their header in a piece of their own: the copy
/// would cost more than the further frame.
const COPIED_BYTES: usize = 16 * 1024;

/// A message with its header, compressed where the call is, in one piece or in two.
pub(crate) fn write(message: Vec<u8>, encoding: Encoding) -> impl Iterator<Item = Bytes> {
    let packed = match encoding {
        Encoding::Identity => None,
        Encoding::Gzip => deflate(&message),
    };
    let flag = u8::from(packed.is_some());
    let content = packed.unwrap_or(message);
    // Longer messages than 4 GiB were refused before.
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
    let is_copied = content.len() < COPIED_BYTES;
    let room = HEADER_BYTES + if is_copied { content.len() } else { 0 };
    let mut first = Vec::with_capacity(room);
    first.push(flag);
    first.extend_from_slice(&length.to_be_bytes());
    let second = if is_copied {
        first.extend_from_slice(&content);
        None
    } else {
        Some(Bytes::from(content))
    };
    std::iter::once(Bytes::from(first)).chain(second)
}

/// `None` if it cannot be compressed; then it is sent as it is.
fn deflate(message: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(message).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    fn written(message: &[u8], encoding: Encoding) -> Vec<u8> {
        let pieces: Vec<_> = write(message.to_vec(), encoding).collect();
        pieces.concat()
    }

    async fn read_of(bytes: Vec<u8>, encoding: Encoding) -> Result<Bytes, Status> {
        read(Full::new(Bytes::from(bytes)), encoding).await
    }

    #[tokio::test]
    async fn messages_survive_both_encodings() {
        for encoding in [Encoding::Identity, Encoding::Gzip] {
            let frame = written(b"message", encoding);
            assert_eq!(frame[0], u8::from(encoding == Encoding::Gzip));
            let read = read_of(frame, encoding).await.unwrap();
            assert_eq!(&read[..], b"message");
        }
    }

    #[test]
    fn a_long_message_is_not_copied() {
        let long = vec![7; COPIED_BYTES];
        let place = long.as_ptr();
        let pieces: Vec<_> = write(long, Encoding::Identity).collect();
        let [header, content] = &pieces[..] else {
            panic!("{} pieces", pieces.len())
        };
        assert_eq!(header[..], [0, 0, 0, 0x40, 0]);
        assert_eq!(content.as_ptr(), place);
        let short = write(vec![7; COPIED_BYTES - 1], Encoding::Identity);
        assert_eq!(short.count(), 1);
    }

    #[tokio::test]
    async fn a_small_gzip_stream_that_grows_too_large_is_refused() {
        let bomb = written(&vec![0; MAX_MESSAGE_BYTES + 1], Encoding::Gzip);
        assert!(bomb.len() < 100_000);
        let refused = read_of(bomb, Encoding::Gzip).await.unwrap_err();
        assert_eq!(refused.code, Code::ResourceExhausted);
        let garbage = vec![1, 0, 0, 0, 2, 7, 7];
        let refused = read_of(garbage, Encoding::Gzip).await.unwrap_err();
        assert_eq!(refused.code, Code::Internal);
    }

    #[tokio::test]
    async fn each_cut_of_a_frame_is_reported() {
        let frame = written(b"message", Encoding::Identity);
        for end in 0..frame.len() {
            let error = read_of(frame[..end].to_vec(), Encoding::Identity)
                .await
                .unwrap_err();
            let text = if end == 0 { "EOF" } else { "unexpected EOF" };
            assert_eq!((error.code, error.message.as_str()), (Code::Unknown, text));
        }
    }

    #[tokio::test]
    async fn a_body_has_any_number_of_messages() {
        for encoding in [Encoding::Identity, Encoding::Gzip] {
            let mut body = written(b"one", encoding);
            body.extend_from_slice(&written(b"", encoding));
            body.extend_from_slice(&written(b"three", encoding));
            let whole = body.clone();
            let mut messages = Messages::new(Full::new(Bytes::from(whole)), encoding);
            for expected in ["one", "", "three"] {
                let message = messages.next().await.unwrap();
                assert_eq!(message.as_deref(), Some(expected.as_bytes()));
            }
            assert_eq!(messages.next().await.unwrap(), None);
            body.pop();
            let mut cut = Messages::new(Full::new(Bytes::from(body)), encoding);
            cut.next().await.unwrap();
            cut.next().await.unwrap();
            assert_eq!(cut.next().await.unwrap_err().message, "unexpected EOF");
        }
    }
}
