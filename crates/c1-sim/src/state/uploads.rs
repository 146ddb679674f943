//! Uploads: the order of the messages, the sizes of chunks, and the checksum.

use std::time::Duration;

use baton_grpc::Status;
use baton_proto::Code;
use baton_proto::c1::connectorapi::baton::v1::baton_service_upload_asset_request::{
    Msg, UploadEof, UploadMetadata,
};
use sha2::{Digest as _, Sha256};

use super::State;
use crate::tasks::TaskKind;

/// Size of every chunk but the last.
pub const CHUNK_BYTES: usize = 512 * 1024;

/// Uploads of one file.
const MAX_ATTEMPTS: usize = 3;

/// A file that was uploaded whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// When it was complete, since the start of the simulator.
    pub at: Duration,
    /// The host.
    pub host: String,
    /// The task.
    pub task: String,
    /// Sizes of the chunks.
    pub chunks: Vec<usize>,
    /// SHA-256 of the content.
    pub sha256: [u8; 32],
    /// The content; empty if it is not kept.
    pub bytes: Vec<u8>,
    /// Whether the same file of the task came before.
    pub again: bool,
}

/// An upload whose messages are coming.
#[derive(Debug)]
pub(crate) struct Uploading {
    number: u64,
    owner: Option<(String, String)>,
    chunks: Vec<usize>,
    bytes: Vec<u8>,
    hash: Sha256,
    ended: bool,
    failed: bool,
}

impl Uploading {
    pub(crate) fn new(number: u64) -> Self {
        Self {
            number,
            owner: None,
            chunks: Vec::new(),
            bytes: Vec::new(),
            hash: Sha256::new(),
            ended: false,
            failed: false,
        }
    }

    /// How many chunks have come.
    pub(crate) fn chunks(&self) -> u64 {
        self.chunks.len() as u64
    }
}

impl State {
    /// The next message of an upload.
    pub(crate) fn upload_message(
        &mut self,
        upload: &mut Uploading,
        message: Msg,
    ) -> Result<(), Status> {
        let refused = |text: &str| Err(Status::new(Code::InvalidArgument, text.to_owned()));
        let number = upload.number;
        if upload.ended {
            upload.failed = true;
            self.complain(number, "a message comes after the end of the file");
            return refused("the file has ended");
        }
        match message {
            Msg::Metadata(_) if upload.owner.is_some() => {
                upload.failed = true;
                self.complain(number, "the metadata come twice");
                refused("the metadata come twice")
            }
            Msg::Metadata(metadata) => self.upload_begins(upload, metadata),
            _ if upload.owner.is_none() => {
                upload.failed = true;
                self.complain(number, "the metadata are not the first message");
                refused("the metadata are not the first message")
            }
            Msg::Data(data) => {
                self.upload_data(upload, &data.data);
                Ok(())
            }
            Msg::Eof(end) => self.upload_ends(upload, &end),
        }
    }

    fn upload_begins(
        &mut self,
        upload: &mut Uploading,
        metadata: UploadMetadata,
    ) -> Result<(), Status> {
        let (host, id) = (metadata.host_id, metadata.task_id);
        if let Some(live) = self.live(upload.number) {
            live.host = Some(host.clone());
            live.task = Some(id.clone());
        }
        let task = self.held(upload.number, &host, &id)?;
        let mut wrong = Vec::new();
        if task.plan.kind != Some(TaskKind::SyncFull) {
            wrong.push(format!("task {id} is not a full sync and has no file"));
        }
        if task.finished.is_some() {
            wrong.push(format!("task {id} was finished before"));
        }
        if task
            .cancelled
            .is_some_and(|cancelled| cancelled.before_start)
        {
            wrong.push(format!("task {id} was cancelled before its start"));
        }
        upload.failed = !wrong.is_empty();
        task.attempts += 1;
        // The next file begins when the one before it is complete.
        let most = MAX_ATTEMPTS * (task.files.len() + 1);
        if task.attempts > most {
            let attempts = task.attempts;
            wrong.push(format!("upload {attempts} of task {id}; expected {most}"));
        }
        if !task.has_sign {
            wrong.push(format!(
                "the full sync {id} has a file before its first heartbeat"
            ));
        }
        upload.owner = Some((host, id));
        for text in wrong {
            self.complain(upload.number, text);
        }
        Ok(())
    }

    fn upload_data(&mut self, upload: &mut Uploading, data: &[u8]) {
        let number = upload.number;
        let wrong = match upload.chunks.last() {
            _ if data.len() > CHUNK_BYTES => Some(data.len()),
            Some(last) if *last != CHUNK_BYTES => Some(*last),
            _ => None,
        };
        if let Some(size) = wrong {
            let text = format!("a chunk before the last has {size} bytes; expected {CHUNK_BYTES}");
            self.complain(number, text);
        }
        self.search_for_forbidden(number, data);
        upload.chunks.push(data.len());
        upload.hash.update(data);
        if self.config.keep_uploads {
            upload.bytes.extend_from_slice(data);
        }
    }

    fn upload_ends(&mut self, upload: &mut Uploading, end: &UploadEof) -> Result<(), Status> {
        upload.ended = true;
        let sha256: [u8; 32] = upload.hash.clone().finalize().into();
        if end.sha256_checksum != sha256 {
            upload.failed = true;
            let text = "the checksum is not that of the file";
            self.complain(upload.number, text);
            return Err(Status::new(Code::DataLoss, text));
        }
        Ok(())
    }

    /// The client has sent everything.
    pub(crate) fn upload_closed(&mut self, upload: Uploading) -> Result<(), Status> {
        if !upload.ended {
            let text = "the stream ends before the end of the file";
            self.complain(upload.number, text);
            return Err(Status::new(Code::InvalidArgument, text));
        }
        let (Some((host, id)), false) = (upload.owner, upload.failed) else {
            return Ok(());
        };
        let sha256: [u8; 32] = upload.hash.finalize().into();
        let at = self.elapsed();
        let task = self.held(upload.number, &host, &id)?;
        let again = task.files.contains(&sha256);
        if !again {
            task.files.push(sha256);
        }
        // The file, and with `debug` the log of the task.
        let most = if task.plan.debug { 2 } else { 1 };
        let files = task.files.len();
        if files > most && !again {
            let text = format!("task {id} has {files} different files; expected {most}");
            self.complain(upload.number, text);
        }
        if self.config.keep_records {
            self.uploads.push(Upload {
                at,
                host,
                task: id,
                chunks: upload.chunks,
                sha256,
                bytes: upload.bytes,
                again,
            });
        }
        Ok(())
    }
}
