//! The log of calls: one line for each that ended.

use std::time::Duration;

use baton_proto::Code;
use tokio::time::Instant;

/// A call, as the log shows it.
pub(crate) struct Logged<'a> {
    pub(crate) path: &'a str,
    pub(crate) streams: bool,
    pub(crate) began: Instant,
    pub(crate) timeout: Option<Duration>,
}

/// Writes a line at the level of its code.
macro_rules! line {
    ($level:ident, $call:expr, $code:expr, $text:expr) => {
        tracing::$level!(
            grpc.service = $call.0,
            grpc.method = $call.1,
            grpc.code = $code.name(),
            grpc.time_ms = $call.2,
            grpc.request.timeout_ms = $call.3,
            "{}",
            $text
        )
    };
}

impl Logged<'_> {
    pub(crate) fn ended(&self, code: Code) {
        let path = self.path.trim_start_matches('/');
        let (service, method) = path.split_once('/').unwrap_or((path, ""));
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let fields = (
            service,
            method,
            millis(self.began.elapsed()),
            self.timeout.map(millis),
        );
        let kind = if self.streams { "stream" } else { "unary" };
        let text = format!("finished {kind} call with code {}", code.name());
        match code {
            Code::Ok => line!(debug, fields, code, text),
            // What a caller may well ask for, and what this connector does not offer.
            Code::Canceled
            | Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::Unauthenticated
            | Code::Unimplemented => line!(info, fields, code, text),
            Code::Internal | Code::DataLoss => line!(error, fields, code, text),
            _ => line!(warn, fields, code, text),
        }
    }
}
