//! The first call of a service (`service-mode.md` §2.2).

use std::time::Duration;

use baton_grpc::CallOptions;
use baton_grpc::methods::connector_v2::connector_service::GET_METADATA;
use baton_proto::c1::connector::v2;
use baton_proto::c1::connectorapi::baton::v1::BatonServiceHelloRequest as Hello;
use baton_proto::causes;
use tokio::time::sleep;

use crate::api::Api;
use crate::connected::Connected;
use crate::error::{Error, HelloError};

const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// Introduces this program, once.
pub(crate) async fn hello(
    api: &Api,
    connected: &Connected,
    template: &Hello,
    task_id: &str,
) -> Result<(), HelloError> {
    let request = v2::ConnectorServiceGetMetadataRequest::default();
    let options = CallOptions::default();
    let metadata = connected.calls.call(GET_METADATA, &request, options);
    let metadata = metadata.await.map_err(HelloError::Metadata)?;
    let mut metadata = metadata.metadata.unwrap_or_default();
    if metadata.display_name.is_empty() {
        // The service requires a name.
        let build = template.build_info.iter();
        metadata.display_name = build.map(|build| build.package.as_str()).collect();
    }
    let hello = Hello {
        task_id: task_id.to_owned(),
        connector_metadata: Some(metadata),
        ..template.clone()
    };
    Ok(api.hello(hello).await?)
}

/// Introduces this program, until the service accepts or refuses it.
pub(crate) async fn hello_until_accepted(
    api: &Api,
    connected: &Connected,
    template: &Hello,
) -> Result<(), Error> {
    let mut wait = FIRST_WAIT;
    loop {
        let error = match hello(api, connected, template, "").await {
            Ok(()) => return Ok(()),
            Err(error) if error.can_pass() => error,
            Err(error) => return Err(Error::Hello(error)),
        };
        tracing::warn!(
            error = %causes::one_line(&error),
            wait_seconds = wait.as_secs(),
            "Hello failed and is repeated"
        );
        sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}
