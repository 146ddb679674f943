//! Files as the messages of an upload (`service-mode.md` §2.8).

use std::io::{self, Read, Seek};
use std::path::Path;
use std::time::Duration;

use baton_proto::c1::connectorapi::baton::v1::BatonServiceUploadAssetRequest as Message;
use baton_proto::c1::connectorapi::baton::v1::baton_service_upload_asset_request::{
    Msg, UploadData, UploadEof, UploadMetadata,
};
use futures_util::stream::{self, Stream};
use sha2::{Digest, Sha256};

/// Bytes of one chunk; the last one of a file can be shorter.
pub(crate) const CHUNK_BYTES: usize = 512 * 1024;
/// How long an upload may take: the base, and a second for so many bytes.
const BASE_LIMIT: Duration = Duration::from_mins(5);
const BYTES_PER_SECOND: u64 = 64 * 1024;

/// Reads and hashes in pieces of this size.
const READ_BYTES: usize = 64 * 1024;

/// A file that is open for an upload.
#[derive(Debug)]
pub(crate) struct Asset {
    file: std::fs::File,
    bytes: u64,
    sha256: [u8; 32],
}

impl Asset {
    /// Opens a file and reads its checksum.
    pub(crate) async fn open(path: &Path) -> io::Result<Self> {
        let path = path.to_owned();
        blocking(move || {
            let mut file = std::fs::File::open(&path)?;
            let mut hash = Sha256::new();
            let mut buffer = vec![0; READ_BYTES];
            let mut bytes = 0;
            loop {
                let read = file.read(&mut buffer)?;
                if read == 0 {
                    break;
                }
                bytes += read as u64;
                hash.update(buffer.get(..read).unwrap_or_default());
            }
            file.rewind()?;
            Ok(Self {
                file,
                bytes,
                sha256: hash.finalize().into(),
            })
        })
        .await
    }

    /// How long its upload may take.
    pub(crate) fn limit(&self) -> Duration {
        BASE_LIMIT + Duration::from_secs(self.bytes / BYTES_PER_SECOND)
    }

    /// The messages in their order. Each chunk is read when it is asked for.
    pub(crate) fn messages(
        self,
        host_id: &str,
        task_id: &str,
    ) -> impl Stream<Item = Result<Message, io::Error>> + Send + use<> {
        let metadata = message(Msg::Metadata(UploadMetadata {
            host_id: host_id.to_owned(),
            task_id: task_id.to_owned(),
            annotations: Vec::new(),
        }));
        let eof = message(Msg::Eof(UploadEof {
            sha256_checksum: self.sha256.to_vec(),
            annotations: Vec::new(),
        }));
        let chunks = Chunks {
            file: self.file,
            left: self.bytes,
        };
        stream::unfold(Some(Next::First(metadata, chunks, eof)), |next| async {
            match next? {
                Next::First(message, chunks, eof) => Some((Ok(message), Some(chunks.then(eof)))),
                Next::Chunk(chunks, eof) => match chunks.read().await {
                    Ok((data, chunks)) => Some((
                        Ok(message(Msg::Data(UploadData { data }))),
                        Some(chunks.then(eof)),
                    )),
                    Err(error) => Some((Err(error), None)),
                },
                Next::Last(eof) => Some((Ok(eof), None)),
            }
        })
    }
}

enum Next {
    First(Message, Chunks, Message),
    Chunk(Chunks, Message),
    Last(Message),
}

struct Chunks {
    file: std::fs::File,
    left: u64,
}

impl Chunks {
    fn then(self, eof: Message) -> Next {
        match self.left {
            0 => Next::Last(eof),
            _ => Next::Chunk(self, eof),
        }
    }

    /// The next chunk, whole.
    async fn read(mut self) -> io::Result<(Vec<u8>, Self)> {
        blocking(move || {
            let bytes =
                usize::try_from(self.left).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES));
            let mut data = vec![0; bytes];
            // A file that became shorter is an error: its checksum was sent for.
            self.file.read_exact(&mut data)?;
            self.left -= bytes as u64;
            Ok((data, self))
        })
        .await
    }
}

/// How many bytes of the file a message has; none if it is not a chunk.
pub(crate) fn data_bytes(message: &Message) -> Option<u64> {
    match &message.msg {
        Some(Msg::Data(data)) => Some(data.data.len() as u64),
        _ => None,
    }
}

fn message(msg: Msg) -> Message {
    Message { msg: Some(msg) }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(io::Error::other("reading the file was broken off")))
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;

    use super::*;

    async fn uploaded(content: &[u8]) -> Vec<Msg> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let asset = Asset::open(file.path()).await.unwrap();
        let messages: Vec<_> = asset.messages("host", "task").collect().await;
        messages
            .into_iter()
            .map(|message| message.unwrap().msg.unwrap())
            .collect()
    }

    #[tokio::test]
    async fn chunks_are_whole_but_the_last() {
        for (bytes, sizes) in [
            (0, vec![]),
            (1, vec![1]),
            (CHUNK_BYTES - 1, vec![CHUNK_BYTES - 1]),
            (CHUNK_BYTES, vec![CHUNK_BYTES]),
            (CHUNK_BYTES + 1, vec![CHUNK_BYTES, 1]),
            (2 * CHUNK_BYTES, vec![CHUNK_BYTES, CHUNK_BYTES]),
        ] {
            let content: Vec<u8> = (0..=250).cycle().take(bytes).collect();
            let mut messages = uploaded(&content).await;
            let Some(Msg::Eof(eof)) = messages.pop() else {
                panic!("no end");
            };
            assert_eq!(eof.sha256_checksum, Sha256::digest(&content).to_vec());
            let Msg::Metadata(metadata) = messages.remove(0) else {
                panic!("no beginning");
            };
            assert_eq!((&*metadata.host_id, &*metadata.task_id), ("host", "task"));
            let chunks: Vec<Vec<u8>> = messages
                .into_iter()
                .map(|message| match message {
                    Msg::Data(data) => data.data,
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!(chunks.iter().map(Vec::len).collect::<Vec<_>>(), sizes);
            assert_eq!(chunks.concat(), content);
        }
    }

    #[tokio::test]
    async fn a_file_that_becomes_shorter_fails_the_upload() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), vec![7; 2 * CHUNK_BYTES]).unwrap();
        let asset = Asset::open(file.path()).await.unwrap();
        file.as_file().set_len(CHUNK_BYTES as u64 + 1).unwrap();
        let messages: Vec<_> = asset.messages("host", "task").collect().await;
        assert!(messages.last().unwrap().is_err());
        assert_eq!(messages.len(), 3);
    }
}
