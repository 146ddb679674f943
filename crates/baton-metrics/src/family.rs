//! Metrics of one name with different labels: sorted, and at most so many.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// Label sets of one metric. Further ones are counted under `other`.
pub const MAX_SERIES: usize = 200;

/// The value of all labels once there are [`MAX_SERIES`] label sets.
const OTHER: Label = Cow::Borrowed("other");

/// The value of a label.
pub(crate) type Label = Cow<'static, str>;

/// Metrics by the values of their labels. Clones share them.
///
/// The crate's own family keeps its rows in no order and without a bound.
pub(crate) struct Family<M> {
    keys: &'static [&'static str],
    make: fn() -> M,
    rows: Arc<RwLock<BTreeMap<Vec<Label>, M>>>,
}

impl<M> Clone for Family<M> {
    fn clone(&self) -> Self {
        Self {
            keys: self.keys,
            make: self.make,
            rows: Arc::clone(&self.rows),
        }
    }
}

impl<M> fmt::Debug for Family<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Family")
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

impl<M: Clone> Family<M> {
    pub(crate) fn new(keys: &'static [&'static str], make: fn() -> M) -> Self {
        Self {
            keys,
            make,
            rows: Arc::default(),
        }
    }

    /// The metric of these values of labels.
    pub(crate) fn of<const N: usize>(&self, labels: [Label; N]) -> M {
        debug_assert_eq!(N, self.keys.len());
        let labels = Vec::from(labels);
        {
            // A map is whole whatever happened to a thread that held it.
            let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(metric) = rows.get(&labels) {
                return metric.clone();
            }
        }
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        let is_full = rows.len() + 1 >= MAX_SERIES && !rows.contains_key(&labels);
        let labels = if is_full { vec![OTHER; N] } else { labels };
        rows.entry(labels).or_insert_with(self.make).clone()
    }
}

impl<M: EncodeMetric + TypedMetric> EncodeMetric for Family<M> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        for (values, metric) in rows.iter() {
            let labels: Vec<(&str, &str)> = self
                .keys
                .iter()
                .zip(values)
                .map(|(key, value)| (*key, &**value))
                .collect();
            metric.encode(encoder.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        M::TYPE
    }

    fn is_empty(&self) -> bool {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        rows.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;

    use super::*;

    #[test]
    fn label_sets_beyond_the_limit_are_one() {
        let family: Family<Counter> = Family::new(&["a", "b"], Counter::default);
        let sets = 10_000;
        for n in 0..sets {
            family.of([n.to_string().into(), "x".into()]).inc();
        }
        let rows = family.rows.read().unwrap();
        assert_eq!(rows.len(), MAX_SERIES);
        let other = rows[&vec![OTHER, OTHER]].get();
        assert_eq!(other, sets - (MAX_SERIES as u64 - 1));
        let sum: u64 = rows.values().map(Counter::get).sum();
        assert_eq!(sum, sets);
        drop(rows);
        // Those that are known are still counted apart.
        family.of(["0".into(), "x".into()]).inc();
        assert_eq!(family.of(["0".into(), "x".into()]).get(), 2);
    }
}
