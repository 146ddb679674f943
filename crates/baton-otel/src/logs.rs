//! Log lines, from the log to the queue.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use baton_grpc::Method;
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::attributes::{attribute, json, scope, text};
use crate::export::Signal;
use crate::layer::TraceIds;
use crate::queue::Adder;

/// How severe a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// For developers.
    Debug,
    /// The usual course of work.
    Info,
    /// Something may be wrong.
    Warn,
    /// Something failed.
    Error,
}

impl Severity {
    const fn number(self) -> SeverityNumber {
        match self {
            Self::Debug => SeverityNumber::Debug,
            Self::Info => SeverityNumber::Info,
            Self::Warn => SeverityNumber::Warn,
            Self::Error => SeverityNumber::Error,
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// A log line whose texts have no secrets.
#[derive(Debug, Clone)]
pub struct LogLine {
    /// When it was logged.
    pub at: SystemTime,
    /// How severe it is.
    pub severity: Severity,
    /// The place in the code.
    pub caller: String,
    /// The message.
    pub message: String,
    /// The fields.
    pub fields: serde_json::Map<String, serde_json::Value>,
    /// The span that it was logged in.
    pub span: Option<TraceIds>,
}

/// Takes log lines. Clones are the same queue.
#[derive(Debug, Clone)]
pub struct LogQueue(pub(crate) Adder<LogRecord>);

impl LogQueue {
    /// Adds a line. If the queue is full, the line is lost and counted.
    pub fn add(&self, line: LogLine) {
        let nanos = line.at.duration_since(UNIX_EPOCH);
        let nanos = nanos.map_or(0, |since| since.as_nanos());
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
        let caller = attribute("caller", text(line.caller));
        let fields = line.fields.into_iter();
        let fields = fields.map(|(key, value)| attribute(key, json(value)));
        let ids = line.span;
        self.0.add(LogRecord {
            time_unix_nano: nanos,
            observed_time_unix_nano: nanos,
            severity_number: line.severity.number().into(),
            severity_text: line.severity.text().to_owned(),
            body: Some(text(line.message)),
            attributes: std::iter::once(caller).chain(fields).collect(),
            trace_id: ids.map(|ids| ids.trace_id.to_vec()).unwrap_or_default(),
            span_id: ids.map(|ids| ids.span_id.to_vec()).unwrap_or_default(),
            // All spans are sampled.
            flags: u32::from(ids.is_some()),
            ..LogRecord::default()
        });
    }
}

/// The export of log lines.
pub(crate) struct Logs {
    pub(crate) resource: Resource,
}

impl Signal for Logs {
    type Row = LogRecord;
    type Request = ExportLogsServiceRequest;
    type Response = ExportLogsServiceResponse;

    const METHOD: Method<Self::Request, Self::Response> = Method::new(
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        "opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest",
    );
    const WHAT: &'static str = "log lines";
    const EVERY: Duration = Duration::from_secs(1);

    fn request(&self, rows: &[LogRecord]) -> ExportLogsServiceRequest {
        ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs {
                resource: Some(self.resource.clone()),
                scope_logs: vec![ScopeLogs {
                    scope: Some(scope()),
                    log_records: rows.to_vec(),
                    ..ScopeLogs::default()
                }],
                ..ResourceLogs::default()
            }],
        }
    }

    fn rejected(response: Self::Response) -> Option<(i64, String)> {
        let partial = response.partial_success?;
        Some((partial.rejected_log_records, partial.error_message))
    }
}
