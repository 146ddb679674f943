//! How a task ended, and the message that reports it (`service-mode.md` §2.5).

use baton_grpc::Status;
use baton_proto::Code;
use baton_proto::c1::connectorapi::baton::v1::BatonServiceFinishTaskRequest as FinishTask;
use baton_proto::c1::connectorapi::baton::v1::baton_service_finish_task_request::{
    Error, FinalState, Success,
};
use baton_proto::google::rpc;
use prost_types::Any;

use crate::report_size::fitted;

/// Annotations that a report can have, by rule of the service.
const MAX_ANNOTATIONS: usize = 16;
/// Characters of the id of a task, by rule of the service.
const ID_CHARS: usize = 27;
/// What stands behind the text of a failure that must not be repeated.
pub(crate) const NON_RETRYABLE: &str = "\ntask failed and is non-retryable";

/// How a task ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It was carried out.
    Success {
        /// The answer of the connector.
        response: Option<Any>,
        /// What goes with it.
        annotations: Vec<Any>,
    },
    /// It was not, or not whole.
    Failure(Failure),
}

/// Why a task failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// Code, text and details.
    pub status: Status,
    /// The service must not repeat the task.
    pub non_retryable: bool,
    /// What goes with it.
    pub annotations: Vec<Any>,
}

impl Failure {
    /// A failure that the service may answer with the same task again.
    pub fn retryable(code: Code, message: impl Into<String>) -> Self {
        Self::of(Status::new(code, message))
    }

    /// The failure of a status, retryable.
    pub fn of(status: Status) -> Self {
        Self {
            status,
            non_retryable: false,
            annotations: Vec::new(),
        }
    }

    /// The same failure, which must not be repeated.
    #[must_use]
    pub fn for_good(mut self) -> Self {
        if !self.non_retryable {
            self.non_retryable = true;
            self.status.message.push_str(NON_RETRYABLE);
        }
        self
    }
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl Outcome {
    /// A success that has nothing to report.
    pub const fn done() -> Self {
        Self::Success {
            response: None,
            annotations: Vec::new(),
        }
    }

    /// The report of a task. It fits into a message: an answer that is too large becomes
    /// a failure.
    pub fn into_report(self, host_id: &str, task_id: &str) -> FinishTask {
        let (status, state) = match self {
            Self::Success {
                response,
                annotations,
            } => {
                let annotations = cut(annotations, task_id);
                let success = Success {
                    annotations,
                    response,
                };
                (None, FinalState::Success(success))
            }
            Self::Failure(failure) => {
                let error = Error {
                    non_retryable: failure.non_retryable,
                    annotations: cut(failure.annotations, task_id),
                    response: None,
                };
                let Status {
                    code,
                    message,
                    details,
                } = failure.status;
                let status = rpc::Status {
                    code: code.as_u8().into(),
                    message,
                    details,
                };
                (Some(status), FinalState::Error(error))
            }
        };
        fitted(FinishTask {
            host_id: host_id.to_owned(),
            task_id: task_id.to_owned(),
            status,
            final_state: Some(state),
        })
    }
}

/// As many annotations as a report can have.
fn cut(mut annotations: Vec<Any>, task_id: &str) -> Vec<Any> {
    let dropped = annotations.len().saturating_sub(MAX_ANNOTATIONS);
    if dropped > 0 {
        tracing::warn!(
            task_id,
            dropped,
            "the report of a task can have {MAX_ANNOTATIONS} annotations: the rest is left out"
        );
        annotations.truncate(MAX_ANNOTATIONS);
    }
    annotations
}

/// Whether the service accepts a report for a task of this id.
pub(crate) fn is_finishable(task_id: &str) -> bool {
    task_id.len() == ID_CHARS && task_id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_states_are_present_even_if_they_are_empty() {
        let report = Outcome::done().into_report("h", "t");
        assert_eq!(report.status, None);
        assert_eq!(
            report.final_state,
            Some(FinalState::Success(Success::default()))
        );
        let failure = Failure::retryable(Code::Unknown, "x");
        let report = Outcome::from(failure).into_report("h", "t");
        assert_eq!(report.status.unwrap().code, 2);
        assert_eq!(
            report.final_state,
            Some(FinalState::Error(Error::default()))
        );
    }

    #[test]
    fn a_failure_for_good_has_its_line_once() {
        let failure = Failure::retryable(Code::Internal, "x")
            .for_good()
            .for_good();
        assert!(failure.non_retryable);
        assert_eq!(
            failure.status.message,
            "x\ntask failed and is non-retryable"
        );
    }

    #[test]
    fn at_most_sixteen_annotations_are_sent() {
        let outcome = Outcome::Success {
            response: None,
            annotations: vec![Any::default(); 17],
        };
        let report = outcome.into_report("h", "t");
        let Some(FinalState::Success(success)) = report.final_state else {
            panic!("not a success");
        };
        assert_eq!(success.annotations.len(), 16);
    }

    #[test]
    fn ids_of_tasks_are_27_letters_and_digits() {
        assert!(is_finishable("Tk01ok000000000000000000000"));
        for id in [
            "",
            "Tk01ok00000000000000000000",
            "Tk01ok0000000000000000000000",
            "Tk01ok00000000000000000000-",
            "Tk01ok0000000000000000000ä",
        ] {
            assert!(!is_finishable(id), "{id}");
        }
    }
}
