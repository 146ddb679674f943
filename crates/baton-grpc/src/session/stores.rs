//! The stores of the syncs that run now.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use baton_connector::session::SessionStore;

type Stores = HashMap<String, (u64, Arc<dyn SessionStore>)>;

#[derive(Default)]
struct State {
    stores: Stores,
    /// The number of the last registration.
    last: u64,
}

/// The stores of the syncs that run now, by sync id. Clones share them.
#[derive(Clone, Default)]
pub struct SyncStores(Arc<Mutex<State>>);

impl SyncStores {
    /// No sync runs.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whole whatever happened to a thread that held it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves `store` to calls of the sync with this id, until the registration is
    /// dropped or the id gets another store.
    pub fn register(&self, sync_id: &str, store: Arc<dyn SessionStore>) -> Registration {
        let mut state = self.lock();
        state.last += 1;
        let number = state.last;
        state.stores.insert(sync_id.to_owned(), (number, store));
        Registration {
            stores: self.clone(),
            sync_id: sync_id.to_owned(),
            number,
        }
    }

    /// The store of a sync; `None` if it does not run.
    pub fn of(&self, sync_id: &str) -> Option<Arc<dyn SessionStore>> {
        let state = self.lock();
        state
            .stores
            .get(sync_id)
            .map(|(_, store)| Arc::clone(store))
    }
}

impl std::fmt::Debug for SyncStores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.lock();
        f.debug_set().entries(state.stores.keys()).finish()
    }
}

/// Keeps a store registered.
#[must_use = "the store is removed when this is dropped"]
#[derive(Debug)]
pub struct Registration {
    stores: SyncStores,
    sync_id: String,
    number: u64,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut state = self.stores.lock();
        let own = state.stores.get(&self.sync_id);
        let removed = if own.is_some_and(|(number, _)| *number == self.number) {
            state.stores.remove(&self.sync_id)
        } else {
            None
        };
        // A store may do anything when it is dropped.
        drop(state);
        drop(removed);
    }
}
