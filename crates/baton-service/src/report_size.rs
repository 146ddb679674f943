//! Keeps the report of a task below the largest message that the service accepts.

use baton_grpc::MAX_MESSAGE_BYTES;
use baton_proto::Code;
use baton_proto::c1::connectorapi::baton::v1::BatonServiceFinishTaskRequest as FinishTask;
use baton_proto::c1::connectorapi::baton::v1::baton_service_finish_task_request::FinalState;
use prost::Message;
use prost_types::Any;

use crate::finish::{Failure, NON_RETRYABLE, Outcome};

/// Longest text of a failure whose report is too large, in bytes.
const MAX_TEXT_BYTES: usize = 64 * 1024;
/// Most bytes of the details, and of the annotations, of such a failure.
const MAX_NOTES_BYTES: usize = 1024 * 1024;

/// A report that fits. A success that is too large becomes a failure, which must not be
/// repeated: the task was carried out. A failure loses what does not fit.
pub(crate) fn fitted(mut report: FinishTask) -> FinishTask {
    let bytes = report.encoded_len();
    if bytes <= MAX_MESSAGE_BYTES {
        return report;
    }
    let FinishTask { task_id, .. } = &report;
    tracing::warn!(task_id, bytes, "the report of a task is too large");
    let (Some(FinalState::Error(error)), Some(status)) =
        (&mut report.final_state, &mut report.status)
    else {
        let text = format!(
            "the task was carried out, but its answer is too large to report: {bytes} bytes, \
             at most {MAX_MESSAGE_BYTES} are possible"
        );
        let failure = Failure::retryable(Code::ResourceExhausted, text).for_good();
        return Outcome::from(failure).into_report(&report.host_id, &report.task_id);
    };
    cut_text(&mut status.message, error.non_retryable);
    cut_notes(&mut status.details);
    cut_notes(&mut error.annotations);
    report
}

/// Cuts a text between characters; the line about retries stays.
fn cut_text(text: &mut String, non_retryable: bool) {
    if text.len() <= MAX_TEXT_BYTES {
        return;
    }
    text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES));
    text.push('…');
    if non_retryable {
        text.push_str(NON_RETRYABLE);
    }
}

/// Keeps as many of the first notes as fit.
fn cut_notes(notes: &mut Vec<Any>) {
    let mut left = MAX_NOTES_BYTES;
    let kept = notes.iter().take_while(|note| {
        let fits = left.checked_sub(note.encoded_len());
        left = fits.unwrap_or(0);
        fits.is_some()
    });
    let kept = kept.count();
    notes.truncate(kept);
}

#[cfg(test)]
mod tests {
    use baton_grpc::Status;

    use super::*;

    fn note(bytes: usize) -> Any {
        Any {
            type_url: "t".to_owned(),
            value: vec![0; bytes],
        }
    }

    fn failure(text: &str, details: Vec<Any>, annotations: Vec<Any>) -> FinishTask {
        let status = Status {
            details,
            ..Status::new(Code::Aborted, text)
        };
        let failure = Failure {
            annotations,
            ..Failure::of(status).for_good()
        };
        Outcome::from(failure).into_report("h", "t")
    }

    #[test]
    fn a_success_that_is_too_large_is_a_failure_for_good() {
        let success = |bytes| Outcome::Success {
            response: Some(note(bytes)),
            annotations: Vec::new(),
        };
        let fits = success(MAX_MESSAGE_BYTES - 50).into_report("h", "t");
        assert!(matches!(fits.final_state, Some(FinalState::Success(_))));
        let report = success(MAX_MESSAGE_BYTES).into_report("h", "t");
        let status = report.status.unwrap();
        assert_eq!(status.code, 8);
        assert!(status.message.contains("too large to report: 41943"));
        assert!(status.message.ends_with(NON_RETRYABLE));
        let Some(FinalState::Error(error)) = report.final_state else {
            panic!("not an error");
        };
        assert!(error.non_retryable);
        assert_eq!((report.host_id, report.task_id), ("h".into(), "t".into()));
    }

    #[test]
    fn a_failure_that_is_too_large_loses_what_does_not_fit() {
        let text = "ä".repeat(MAX_MESSAGE_BYTES / 2);
        let notes = || vec![note(600_000), note(400_000), note(400_000), note(1)];
        let report = failure(&text, notes(), notes());
        assert!(report.encoded_len() < MAX_MESSAGE_BYTES);
        let status = report.status.unwrap();
        assert_eq!(status.code, 10);
        assert!(
            status
                .message
                .ends_with("ä…\ntask failed and is non-retryable")
        );
        assert_eq!(status.details.len(), 2);
        let Some(FinalState::Error(error)) = report.final_state else {
            panic!("not an error");
        };
        assert_eq!(error.annotations.len(), 2);
    }

    #[test]
    fn a_failure_that_fits_stays() {
        let text = "x".repeat(2 * MAX_TEXT_BYTES);
        let report = failure(&text, Vec::new(), Vec::new());
        let message = report.status.unwrap().message;
        assert_eq!(message.len(), text.len() + NON_RETRYABLE.len());
    }
}
