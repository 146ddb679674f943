//! The text forms of metrics, and which one a reader accepts.

use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::registry::Registry;

/// A text form of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TextForm {
    /// The text format of Prometheus, version 0.0.4.
    #[default]
    Prometheus,
    /// OpenMetrics, version 1.0.0.
    OpenMetrics,
}

/// Media ranges of an `Accept` header that are looked at.
const MAX_RANGES: usize = 32;

impl TextForm {
    /// The media type of the text.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => prometheus_text::CONTENT_TYPE,
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The form for a reader that accepts these media types (RFC 9110, §12.5.1):
    /// OpenMetrics if it is named and no less wanted than the other form.
    pub fn accepted(accept: &str) -> Self {
        let (mut open_metrics, mut plain): (f32, f32) = (0.0, 0.0);
        for range in accept.split(',').take(MAX_RANGES) {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default();
            let (mut quality, mut version) = (1.0, None);
            for parameter in parts {
                let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
                let (name, value) = (name.trim(), value.trim().trim_matches('"'));
                if name.eq_ignore_ascii_case("q") {
                    quality = value.parse::<f32>().unwrap_or(0.0).clamp(0.0, 1.0);
                } else if name.eq_ignore_ascii_case("version") {
                    version = Some(value);
                }
            }
            if media.eq_ignore_ascii_case("application/openmetrics-text")
                && matches!(version, None | Some("1.0.0"))
            {
                open_metrics = open_metrics.max(quality);
            } else if media.eq_ignore_ascii_case("text/plain")
                && matches!(version, None | Some("0.0.4"))
            {
                plain = plain.max(quality);
            }
        }
        if open_metrics > 0.0 && open_metrics >= plain {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    pub(crate) fn write(self, registry: &Registry) -> String {
        let mut out = String::new();
        let written = match self {
            Self::Prometheus => prometheus_text::encode(&mut out, registry),
            Self::OpenMetrics => text::encode(&mut out, registry),
        };
        written.expect("a `String` takes any text, and no metric here refuses to be written");
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_follows_what_a_reader_accepts() {
        use TextForm::{OpenMetrics, Prometheus};

        for (accept, expected) in [
            ("", Prometheus),
            ("*/*", Prometheus),
            ("text/html, */*;q=0.8", Prometheus),
            ("text/plain", Prometheus),
            ("application/openmetrics-text", OpenMetrics),
            (
                "Application/OpenMetrics-Text; version=\"1.0.0\"",
                OpenMetrics,
            ),
            ("application/openmetrics-text; version=0.0.1", Prometheus),
            ("application/openmetrics-text;q=0", Prometheus),
            ("application/openmetrics-text;q=x", Prometheus),
            (
                "application/openmetrics-text;q=0.3, text/plain;q=0.5",
                Prometheus,
            ),
            // Prometheus itself, without and with protobuf.
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,\
                 application/openmetrics-text;version=0.0.1;q=0.4,\
                 text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                OpenMetrics,
            ),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
                 encoding=delimited;q=0.6,\
                 application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                 text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,*/*;q=0.1",
                OpenMetrics,
            ),
        ] {
            assert_eq!(TextForm::accepted(accept), expected, "{accept}");
        }
    }
}
