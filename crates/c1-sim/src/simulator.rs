//! The simulator as tests hold it.

use std::sync::{Arc, Mutex, PoisonError};

use baton_grpc::Server;
use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::front::{self, ConnectionBroken};
use crate::listener::{Listener, ServerHandle};
use crate::state::{Finished, HeartbeatRecord, HelloRecord, State, Upload};
use crate::tasks::PlannedTask;
use crate::{Call, CallRecord, Clock, Complaint, Config, Error, Fault, PublicKey, service};

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    changed: watch::Sender<()>,
    /// Ends the connections that are open.
    connections: Mutex<CancellationToken>,
}

impl Shared {
    /// Reads or changes the state; who waits for a change is woken.
    pub(crate) fn change<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        let result = self.read(with);
        self.changed.send_replace(());
        result
    }

    /// A token of a new connection, which ends when all are broken.
    pub(crate) fn connection(&self) -> CancellationToken {
        let connections = self.connections.lock();
        let connections = connections.unwrap_or_else(PoisonError::into_inner);
        connections.child_token()
    }

    fn read<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        // A handler that panicked left complete records.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        with(&mut state)
    }
}

/// A simulated service. Clones are the same service.
#[derive(Clone, Debug)]
pub struct Simulator {
    pub(crate) shared: Arc<Shared>,
    pub(crate) server: Server,
}

impl Simulator {
    /// A service with these settings, without tasks and faults.
    pub fn new(config: Config) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(config)),
            changed: watch::Sender::new(()),
            connections: Mutex::default(),
        });
        let server = Server::new(service::router(&shared));
        Self { shared, server }
    }

    /// Adds a task to the end of the queue.
    pub fn plan(&self, task: PlannedTask) {
        self.shared.change(|state| state.plan(task));
    }

    /// Gives `next_poll` of the poll with this number, from 1, if it hands out no task.
    pub fn plan_poll(&self, nth: u64, next_poll: prost_types::Duration) {
        self.shared.change(|state| state.plan_poll(nth, next_poll));
    }

    /// Adds a rule.
    ///
    /// # Errors
    /// A call of this kind cannot have the action.
    pub fn fault(&self, fault: Fault) -> Result<(), Error> {
        self.shared.change(|state| state.faults.add(fault))
    }

    /// Sets the clock: from now on it shows `date`.
    pub fn set_clock(&self, date: Timestamp) {
        self.shared
            .change(|state| state.config.clock = state.config.clock.set_to(date));
    }

    /// The clock, as it is set now.
    pub fn clock(&self) -> Clock {
        self.shared.read(|state| state.config.clock)
    }

    /// Registers these keys instead of the old ones.
    pub fn set_keys(&self, keys: Vec<PublicKey>) {
        self.shared.change(|state| state.config.keys = keys);
    }

    /// No request may contain this text.
    pub fn forbid(&self, what: &str, text: &[u8]) {
        let entry = (what.to_owned(), text.to_vec());
        self.shared
            .change(|state| state.config.forbidden.push(entry));
    }

    /// Serves the token endpoint and the service on one TLS port.
    pub fn serve(&self, listener: Listener) -> ServerHandle {
        listener.serve(self.clone())
    }

    /// Serves one connection over HTTP/2 without TLS, until the client closes it.
    pub async fn serve_stream<I>(&self, io: I)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let broken = self.shared.connection();
        front::serve(self, io, front::Version::Http2, broken).await;
    }

    /// Breaks all connections that are open now. New ones are accepted.
    pub fn break_connections(&self) {
        let connections = self.shared.connections.lock();
        let mut connections = connections.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *connections).cancel();
    }

    /// Answers a request for a token, without a connection.
    ///
    /// # Errors
    /// A fault broke the connection.
    pub async fn token(
        &self,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, ConnectionBroken> {
        front::token(self, request).await
    }

    /// All calls, in order of their end. Only the last 100,000 are kept.
    pub fn calls(&self) -> Vec<CallRecord> {
        self.shared.read(|state| state.calls())
    }

    /// How many calls of a kind have come.
    pub fn count(&self, call: Call) -> u64 {
        self.shared.read(|state| state.faults.seen(call))
    }

    /// How many tasks were handed out.
    pub fn handed_out(&self) -> usize {
        self.shared.read(|state| state.handed_out())
    }

    /// The Hello requests that were accepted.
    pub fn hellos(&self) -> Vec<HelloRecord> {
        self.shared.read(|state| state.hellos().to_vec())
    }

    /// The heartbeats of a task.
    pub fn heartbeats(&self, task: &str) -> Vec<HeartbeatRecord> {
        self.shared.read(|state| state.heartbeats(task))
    }

    /// The files that were uploaded whole.
    pub fn uploads(&self) -> Vec<Upload> {
        self.shared.read(|state| state.uploads().to_vec())
    }

    /// How many tasks are finished.
    pub fn finished_count(&self) -> usize {
        self.shared.read(|state| state.finished_count())
    }

    /// The results of tasks, in the order of their arrival.
    pub fn finished(&self) -> Vec<Finished> {
        self.shared.read(|state| state.finished().to_vec())
    }

    /// The result of a task.
    pub fn result_of(&self, task: &str) -> Option<Finished> {
        let of_task = |finished: &&Finished| finished.request.task_id == task;
        self.shared
            .read(|state| state.finished().iter().find(of_task).cloned())
    }

    /// Waits until this many tasks are finished.
    pub async fn wait_finished(&self, count: usize) {
        self.wait(|state| state.finished_count() >= count).await;
    }

    /// Waits until this many calls of a kind have come.
    pub async fn wait_calls(&self, call: Call, count: u64) {
        self.wait(|state| state.faults.seen(call) >= count).await;
    }

    async fn wait(&self, mut reached: impl FnMut(&State) -> bool) {
        let mut changed = self.shared.changed.subscribe();
        loop {
            changed.borrow_and_update();
            if self.shared.read(|state| reached(state)) {
                return;
            }
            // The sender lives as long as `self`.
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    /// What the client did wrong so far.
    pub fn verdict(&self) -> Vec<Complaint> {
        self.shared.read(|state| state.verdict())
    }

    /// What the client did wrong if it sends nothing more: also what is missing.
    pub fn verdict_at_end(&self) -> Vec<Complaint> {
        self.shared.read(|state| state.verdict_at_end())
    }
}
