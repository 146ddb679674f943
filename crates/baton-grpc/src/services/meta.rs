//! The connector itself: metadata, validation, cleanup, assets; and the rate
//! limiter.

use std::sync::Arc;

use baton_proto::c1::connector::v2;
use futures_util::StreamExt as _;
use futures_util::stream;
use v2::{
    ConnectorServiceCleanupRequest as CleanupRequest,
    ConnectorServiceCleanupResponse as CleanupResponse,
    ConnectorServiceGetMetadataRequest as MetadataRequest,
    ConnectorServiceGetMetadataResponse as MetadataResponse,
    ConnectorServiceValidateRequest as ValidateRequest,
    ConnectorServiceValidateResponse as ValidateResponse,
};

use super::shared::{Asked, Shared};
use super::texts::failed;
use crate::limiter::Limiter;
use crate::methods::connector_v2::{asset_service, connector_service};
use crate::methods::ratelimit_v1::rate_limiter_service;
use crate::{Context, Router, Status};

pub(crate) fn add(router: &mut Router, shared: &Arc<Shared>) {
    macro_rules! read {
        ($method:expr, $serve:ident) => {{
            let shared = Arc::clone(shared);
            router.read($method, move |request, context| {
                let shared = Arc::clone(&shared);
                async move { $serve(&shared, request, &context).await }
            });
        }};
    }
    read!(connector_service::GET_METADATA, metadata);
    read!(connector_service::VALIDATE, validate);
    read!(connector_service::CLEANUP, cleanup);
    // As the Go SDK: no connector built with it has assets.
    router.stream(asset_service::GET_ASSET, |_, _| async {
        Ok(stream::empty().boxed())
    });
}

/// Adds the service that every engine of Go calls around every call.
pub(crate) fn add_limiter(router: &mut Router, limiter: Limiter) {
    let limiter = Arc::new(limiter);
    let of = Arc::clone(&limiter);
    router.read(rate_limiter_service::DO, move |request, _| {
        let limiter = Arc::clone(&of);
        async move { Ok(limiter.ask(request).await) }
    });
    router.read(rate_limiter_service::REPORT, move |request, _| {
        let limiter = Arc::clone(&limiter);
        async move { Ok(limiter.report(&request)) }
    });
}

async fn metadata(
    shared: &Shared,
    _request: MetadataRequest,
    context: &Context,
) -> Result<MetadataResponse, Status> {
    let call = Shared::call(context, Vec::new());
    let metadata = shared.connector.metadata(&call).await?;
    Ok(MetadataResponse {
        metadata: Some(metadata),
    })
}

async fn validate(
    shared: &Shared,
    _request: ValidateRequest,
    context: &Context,
) -> Result<ValidateResponse, Status> {
    let call = Shared::call(context, Vec::new());
    let validated = shared.connector.validate(&call).await;
    let annotations = validated.map_err(|error| failed("validate failed: ", &error))?;
    Ok(ValidateResponse {
        annotations,
        sdk_version: concat!("rust-v", env!("CARGO_PKG_VERSION")).to_owned(),
    })
}

async fn cleanup(
    shared: &Shared,
    request: CleanupRequest,
    context: &Context,
) -> Result<CleanupResponse, Status> {
    let asked = Asked {
        sync_id: &request.active_sync_id,
        token: "",
        page_size: 0,
        annotations: request.annotations,
    };
    let call = shared.call_of(context, asked);
    let cleaned = shared.connector.cleanup(&call).await;
    if !request.active_sync_id.is_empty() {
        // The values are not read again, and the sync itself has ended well.
        if let Err(error) = call.session().clear().await {
            tracing::warn!(%error, "cannot remove the session values of a sync");
        }
        shared.runs.end(&request.active_sync_id);
    }
    cleaned?;
    Ok(CleanupResponse {
        annotations: Vec::new(),
    })
}
