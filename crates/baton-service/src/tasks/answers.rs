//! The forms of outcomes that handlers share.

use baton_grpc::Status;
use baton_proto::{Code, any};
use prost::{Message, Name};
use prost_types::Any;

use crate::finish::{Failure, Outcome};

/// A success with an answer and its annotations.
pub(crate) fn answered<A: Message + Name>(answer: &A, annotations: Vec<Any>) -> Outcome {
    Outcome::Success {
        response: Some(any::pack(answer)),
        annotations,
    }
}

/// A task that lacks what it must have, or whose answer is not one.
pub(crate) fn wrong(text: &str) -> Failure {
    Failure::retryable(Code::Unknown, text).for_good()
}

/// A status with its code in its text, as the Go SDK shows a status that is joined to
/// another error.
pub(crate) fn with_code(status: Status) -> Status {
    let prefix = format!("rpc error: code = {} desc = ", status.code);
    status.prefixed(&prefix)
}
