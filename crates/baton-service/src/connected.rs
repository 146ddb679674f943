//! The connector of a service, and its services in this process.

use std::sync::Arc;

use baton_connector::Connector;
use baton_grpc::InProcess;

/// A connector that tasks are carried out with.
pub(crate) struct Connected {
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) calls: InProcess,
}
