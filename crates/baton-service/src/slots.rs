//! How many tasks run at once.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The slots of a service.
#[derive(Debug, Clone)]
pub(crate) struct Slots {
    slots: Arc<Semaphore>,
    count: usize,
}

/// The slot of one task; freed when it is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
}

impl Slots {
    pub(crate) fn new(count: usize) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(count)),
            count,
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// A slot that is not held.
    pub(crate) fn none(&self) -> Slot {
        Slot {
            slots: Arc::clone(&self.slots),
            held: None,
        }
    }

    /// Waits for a free slot.
    pub(crate) async fn take(&self) -> Slot {
        let mut slot = self.none();
        slot.take().await;
        slot
    }
}

impl Slot {
    /// Frees the slot for another task.
    pub(crate) fn give_back(&mut self) {
        self.held = None;
    }

    /// Waits for a slot, unless one is held.
    pub(crate) async fn take(&mut self) {
        if self.held.is_none() {
            // It is never closed.
            self.held = Arc::clone(&self.slots).acquire_owned().await.ok();
        }
    }
}
