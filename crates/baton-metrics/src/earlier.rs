//! Reads from the metrics of an earlier run when syncs ended.

use crate::describe::SYNC_LAST_END;
use crate::metrics::SYNC_RESULTS;

/// The results of syncs and when they last ended, as Unix time.
pub(crate) fn last_ends(text: &str) -> Vec<(&'static str, f64)> {
    let name = SYNC_LAST_END.name();
    let samples = text.lines().filter_map(|line| {
        let (labels, value) = line
            .strip_prefix(&*name)?
            .strip_prefix('{')?
            .rsplit_once("} ")?;
        let value: f64 = value.trim().parse().ok()?;
        let result = SYNC_RESULTS
            .into_iter()
            .find(|result| labels.ends_with(&format!("result=\"{result}\"")))?;
        value.is_finite().then_some((result, value))
    });
    samples.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_samples_of_the_metric_are_read() {
        let text = "# HELP baton_sync_last_end_timestamp_seconds When.\n\
            # TYPE baton_sync_last_end_timestamp_seconds gauge\n\
            baton_sync_last_end_timestamp_seconds{metrics_file=\"a} \\\" b\",result=\"complete\"} 1764609000.5\n\
            baton_sync_last_end_timestamp_seconds{result=\"failed\"} 12.0\n\
            baton_sync_last_end_timestamp_seconds{result=\"partial\"} NaN\n\
            baton_sync_last_end_timestamp_seconds{result=\"odd\"} 4\n\
            baton_sync_last_end_timestamp_seconds 5\n\
            baton_sync_last_end_timestamp_seconds_more{result=\"partial\"} 6\n\
            baton_sync_last_end_timestamp_seconds{result=\"partial\"";
        let expected = [("complete", 1_764_609_000.5), ("failed", 12.0)];
        assert_eq!(last_ends(text), expected);
        assert_eq!(last_ends(""), []);
    }
}
