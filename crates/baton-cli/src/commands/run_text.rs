//! How tables show the facts of a sync: its token, its times.

use baton_proto::time;
use prost_types::Timestamp;

use super::Cx;
use crate::go_duration;
use crate::output::Output;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// Whether tables show whole sync tokens: those for people on a terminal only
/// if the user asks for them.
pub(super) fn shows_tokens(cx: &Cx<'_, '_>) -> bool {
    cx.verbose || cx.process.terminal.is_none() || cx.output != Output::Console
}

/// A sync token as a table shows it: whole, or its size.
pub(super) fn token(token: &str, is_whole: bool) -> String {
    if token.is_empty() || is_whole {
        return token.to_owned();
    }
    match token.len() {
        1 => "1 byte".to_owned(),
        bytes @ ..KIB => format!("{bytes} bytes"),
        bytes @ ..MIB => tenths(bytes, KIB, "KiB"),
        bytes => tenths(bytes, MIB, "MiB"),
    }
}

fn tenths(bytes: usize, unit: usize, name: &str) -> String {
    let tenths = bytes.saturating_mul(10) / unit;
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

/// A time to the second, in UTC.
pub(super) fn seconds(at: Option<&Timestamp>) -> Option<String> {
    let whole = Timestamp {
        seconds: at?.seconds,
        nanos: 0,
    };
    time::format(&whole).ok()
}

/// How long a sync took, rounded to seconds.
pub(super) fn duration(start: Option<&Timestamp>, end: Option<&Timestamp>) -> Option<String> {
    let (start, end) = (start?, end?);
    let nanos = i128::from(end.seconds - start.seconds) * 1_000_000_000
        + i128::from(end.nanos - start.nanos);
    let sign = if nanos < 0 { "-" } else { "" };
    let seconds = (nanos.unsigned_abs() + 500_000_000) / 1_000_000_000;
    Some(format!("{sign}{}", go_duration::text(seconds * 1000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lasting(from: (i64, i32), to: (i64, i32)) -> Option<String> {
        let at = |(seconds, nanos)| Timestamp { seconds, nanos };
        duration(Some(&at(from)), Some(&at(to)))
    }

    #[test]
    fn durations_read_as_in_go() {
        assert_eq!(lasting((0, 0), (0, 400_000_000)).as_deref(), Some("0s"));
        assert_eq!(lasting((0, 0), (89, 500_000_000)).as_deref(), Some("1m30s"));
        assert_eq!(
            lasting((0, 900_000_000), (3600, 900_000_000)).as_deref(),
            Some("1h0m0s")
        );
        assert_eq!(lasting((10, 0), (5, 0)).as_deref(), Some("-5s"));
    }
}
