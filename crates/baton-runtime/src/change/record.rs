//! Keeps what becomes of a change: in memory for the result, and in the audit
//! log if there is one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use baton_connector::{Clock, Code, Error, Outcome, Plan, Recorder, Report, Result, async_trait};
use jiff::Timestamp;

use super::audit::{AuditLog, IntentLine, OutcomeLine, WriteLine};
use super::subject::Subject;

/// A change as it was judged.
#[derive(Debug, Clone, Default)]
pub(crate) struct Planned {
    pub writes: Vec<WriteLine>,
    pub adds: Vec<String>,
    pub removes: Vec<String>,
    pub warnings: Vec<String>,
}

/// How an intended change ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ended {
    pub outcome: &'static str,
    pub request_ids: Vec<String>,
    pub added: Vec<String>,
    pub removed: Vec<String>,
    pub read_back: bool,
    pub visible: Option<bool>,
}

#[derive(Debug, Default)]
struct Kept {
    planned: Option<Planned>,
    ended: Option<Ended>,
    /// Changes that were planned.
    count: usize,
    /// The writes of the last one.
    writes: Vec<WriteLine>,
}

impl Ended {
    /// Together with the end of a further change.
    fn and(mut self, other: &Self) -> Self {
        if self.outcome != other.outcome {
            self.outcome = Outcome::Partial.name();
        }
        self.request_ids.extend_from_slice(&other.request_ids);
        self.added.extend_from_slice(&other.added);
        self.removed.extend_from_slice(&other.removed);
        self.read_back |= other.read_back;
        self
    }
}

/// The recorder of a change; of several, one after another, where a bulk request
/// makes them.
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) subject: Subject,
    audit: Option<Arc<Mutex<AuditLog>>>,
    clock: Arc<dyn Clock>,
    kept: Mutex<Kept>,
}

impl Record {
    pub(crate) fn new(
        id: String,
        subject: Subject,
        audit: Option<Arc<Mutex<AuditLog>>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            id,
            subject,
            audit,
            clock,
            kept: Mutex::default(),
        }
    }

    /// What was planned; `None` if the change could not be described.
    pub(crate) fn planned(&self) -> Option<Planned> {
        self.kept().planned.clone()
    }

    /// How it ended; `None` if nothing was sent.
    pub(crate) fn ended(&self) -> Option<Ended> {
        self.kept().ended.clone()
    }

    /// The id of the change that was planned last.
    fn current_id(&self) -> String {
        match self.kept().count {
            0 | 1 => self.id.clone(),
            number => format!("{}-{number}", self.id),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Whole whatever happened to a thread that held it.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes to the audit log, off the threads that drive requests.
    async fn log(
        &self,
        write: impl FnOnce(&mut AuditLog, &str, &Subject, Timestamp) -> crate::Result<()>
        + Send
        + 'static,
    ) -> Result<()> {
        let Some(log) = self.audit.clone() else {
            return Ok(());
        };
        let now = Timestamp::try_from(self.clock.now()).unwrap_or_default();
        let (id, subject) = (self.current_id(), self.subject.clone());
        let written = tokio::task::spawn_blocking(move || {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            write(&mut log, &id, &subject, now)
        });
        match written.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                let advice = baton_proto::Advice::of_causes(&error);
                let error = Error::caused(Code::Unknown, "the change is not recorded", error);
                Err(match advice {
                    Some(advice) => error.with_advice(advice),
                    None => error,
                })
            }
            Err(_) => Err(Error::stated(
                Code::Internal,
                "the audit log was not written: its task ended early",
            )),
        }
    }
}

fn intent<'a>(subject: &'a Subject, writes: &'a [WriteLine], dry_run: bool) -> IntentLine<'a> {
    IntentLine {
        subject: subject.parts(),
        writes,
        dry_run,
    }
}

/// A body as JSON: itself if it is, else a text; nothing if it is empty.
fn body(text: &str) -> serde_json::Value {
    if text.is_empty() {
        return serde_json::Value::Null;
    }
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

/// An error and its causes in one line.
pub(crate) fn in_one_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[async_trait]
impl Recorder for Record {
    async fn planned(&self, plan: &Plan<'_>) -> Result<()> {
        let writes = plan.writes.iter().map(|write| WriteLine {
            method: write.method.clone(),
            target: write.target.clone(),
            body: body(&write.body),
        });
        let planned = Planned {
            writes: writes.collect(),
            adds: plan.adds.clone(),
            removes: plan.removes.clone(),
            warnings: plan.warnings.to_vec(),
        };
        {
            let mut kept = self.kept();
            kept.count += 1;
            kept.writes.clone_from(&planned.writes);
            let all = kept.planned.get_or_insert_default();
            all.writes.extend_from_slice(&planned.writes);
            all.adds.extend_from_slice(&planned.adds);
            all.removes.extend_from_slice(&planned.removes);
            all.warnings.extend_from_slice(&planned.warnings);
        }
        if !plan.dry_run || planned.writes.is_empty() {
            return Ok(());
        }
        let refusal = plan.refusal.map(|error| (error.code(), in_one_line(error)));
        self.log(move |log, id, subject, now| {
            log.intent(id, &intent(subject, &planned.writes, true), now)?;
            let (code, error) = refusal.unwrap_or((Code::Ok, String::new()));
            let outcome = OutcomeLine {
                outcome: if code == Code::Ok {
                    "dry_run"
                } else {
                    "refused"
                },
                code: code.name(),
                error: &error,
                dry_run: true,
                ..OutcomeLine::default()
            };
            log.outcome(id, &outcome, now)
        })
        .await
    }

    async fn intended(&self, _plan: &Plan<'_>) -> Result<()> {
        let writes = self.kept().writes.clone();
        self.log(move |log, id, subject, now| log.intent(id, &intent(subject, &writes, false), now))
            .await
    }

    async fn finished(&self, report: &Report<'_>) -> Result<()> {
        let ended = Ended {
            outcome: report.outcome.name(),
            request_ids: report.request_ids.to_vec(),
            added: report.added.to_vec(),
            removed: report.removed.to_vec(),
            read_back: report.read_back,
            visible: report.visible,
        };
        {
            let mut kept = self.kept();
            kept.ended = Some(match kept.ended.take() {
                Some(earlier) => earlier.and(&ended),
                None => ended.clone(),
            });
        }
        let code = report.code;
        let error = report.error.map(|error| in_one_line(error));
        self.log(move |log, id, _subject, now| {
            let outcome = OutcomeLine {
                outcome: ended.outcome,
                code: code.name(),
                error: error.as_deref().unwrap_or_default(),
                request_ids: &ended.request_ids,
                added: &ended.added,
                removed: &ended.removed,
                dry_run: false,
            };
            log.outcome(id, &outcome, now)
        })
        .await
    }
}
