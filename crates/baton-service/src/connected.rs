//! The connectors of a service, and their services in this process.

use std::collections::VecDeque;
use std::sync::Arc;

use baton_connector::Connector;
use baton_grpc::InProcess;

/// Earlier connectors that are kept.
const MOST_EARLIER: usize = 3;

/// A connector that tasks are carried out with.
pub(crate) struct Connected {
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) calls: InProcess,
}

/// The connector of tasks that begin now, and those before it: actions that they began
/// may still run.
pub(crate) struct Connectors {
    current: Arc<Connected>,
    earlier: VecDeque<Arc<Connected>>,
}

impl Connectors {
    pub(crate) fn new(connector: Arc<dyn Connector>, calls: InProcess) -> Self {
        Self {
            current: Arc::new(Connected { connector, calls }),
            earlier: VecDeque::new(),
        }
    }

    pub(crate) fn current(&self) -> Arc<Connected> {
        Arc::clone(&self.current)
    }

    /// The earlier ones, the last first.
    pub(crate) fn earlier(&self) -> Vec<Arc<Connected>> {
        self.earlier.iter().map(Arc::clone).collect()
    }

    /// Puts another one in front; the oldest of many gives way.
    pub(crate) fn replace(&mut self, connector: Arc<dyn Connector>, calls: InProcess) {
        let new = Arc::new(Connected { connector, calls });
        let old = std::mem::replace(&mut self.current, new);
        self.earlier.push_front(old);
        self.earlier.truncate(MOST_EARLIER);
    }
}
