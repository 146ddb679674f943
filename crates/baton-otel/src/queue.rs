//! Queues with a limit: who adds never waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use prost::Message;
use tokio::sync::mpsc::{self, error::TrySendError};

/// Rows that wait at most.
const MAX_ROWS: usize = 2048;
/// Bytes that wait at most.
const MAX_BYTES: usize = 8 << 20;

/// What both ends of a queue know.
#[derive(Debug, Default)]
pub(crate) struct Fill {
    bytes: AtomicUsize,
    lost: AtomicU64,
}

impl Fill {
    /// Rows were lost.
    pub(crate) fn lose(&self, rows: u64) {
        self.lost.fetch_add(rows, Ordering::Relaxed);
    }

    /// How many rows were lost since this was last asked.
    pub(crate) fn take_lost(&self) -> u64 {
        self.lost.swap(0, Ordering::Relaxed)
    }
}

/// The end of a queue that rows are added to.
#[derive(Debug)]
pub(crate) struct Adder<T> {
    sender: mpsc::Sender<(T, usize)>,
    fill: Arc<Fill>,
}

impl<T> Clone for Adder<T> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            fill: Arc::clone(&self.fill),
        }
    }
}

/// The end of a queue that rows are taken from.
#[derive(Debug)]
pub(crate) struct Taker<T> {
    receiver: mpsc::Receiver<(T, usize)>,
    pub(crate) fill: Arc<Fill>,
}

/// A queue.
pub(crate) fn queue<T: Message>() -> (Adder<T>, Taker<T>) {
    let (sender, receiver) = mpsc::channel(MAX_ROWS);
    let fill = Arc::<Fill>::default();
    let adder = Adder {
        sender,
        fill: Arc::clone(&fill),
    };
    (adder, Taker { receiver, fill })
}

impl<T: Message> Adder<T> {
    /// Adds a row. One that does not fit is lost, and counted.
    pub(crate) fn add(&self, row: T) {
        let bytes = row.encoded_len();
        let before = self.fill.bytes.fetch_add(bytes, Ordering::Relaxed);
        let fits = before.saturating_add(bytes) <= MAX_BYTES;
        let added = if fits {
            self.sender.try_send((row, bytes))
        } else {
            Err(TrySendError::Full((row, bytes)))
        };
        if let Err(refused) = added {
            self.fill.bytes.fetch_sub(bytes, Ordering::Relaxed);
            if matches!(refused, TrySendError::Full(_)) {
                self.fill.lose(1);
            }
        }
    }
}

impl<T> Taker<T> {
    /// The next row and its size; `None` at the end of a closed queue.
    pub(crate) async fn take(&mut self) -> Option<(T, usize)> {
        let taken = self.receiver.recv().await?;
        self.fill.bytes.fetch_sub(taken.1, Ordering::Relaxed);
        Some(taken)
    }

    /// Accepts no more rows; those that wait can be taken.
    pub(crate) fn close(&mut self) {
        self.receiver.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn rows_and_bytes_have_a_limit_and_the_rest_is_counted() {
        let (adder, mut taker) = queue::<String>();
        for _ in 0..MAX_ROWS + 3 {
            adder.add("x".to_owned());
        }
        assert_eq!(taker.fill.take_lost(), 3);
        assert_eq!(taker.fill.take_lost(), 0);
        while !taker.receiver.is_empty() {
            taker.take().await.unwrap();
        }
        let large = "x".repeat(MAX_BYTES / 2);
        adder.add(large.clone());
        adder.add(large.clone());
        assert_eq!(taker.fill.take_lost(), 1, "its header does not fit");
        taker.take().await.unwrap();
        adder.add(large);
        assert_eq!(taker.fill.take_lost(), 0);
    }

    #[tokio::test]
    async fn a_closed_queue_gives_the_rest_and_takes_nothing() {
        let (adder, mut taker) = queue::<String>();
        adder.add("kept".to_owned());
        taker.close();
        adder.add("refused".to_owned());
        assert_eq!(taker.take().await.unwrap().0, "kept");
        assert!(taker.take().await.is_none());
        assert_eq!(taker.fill.take_lost(), 0);
    }
}
