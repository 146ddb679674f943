//! Health and reflection, for a server that people and load balancers reach.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tonic_health::ServingStatus;
use tonic_reflection::server::Builder;
use tower::Service;

use crate::{Extra, Router};

const HEALTH: &str = "grpc.health.v1.Health";
const REFLECTION: &str = "grpc.reflection.v1.ServerReflection";
const EARLIER_REFLECTION: &str = "grpc.reflection.v1alpha.ServerReflection";

/// A failure to describe the services.
pub type ReflectionError = tonic_reflection::server::Error;

/// Adds the services for health checks and for reflection, which know the services
/// that the router has.
///
/// # Errors
///
/// The description of the services is damaged.
pub async fn add_health_and_reflection(router: &mut Router) -> Result<(), ReflectionError> {
    // Reflection describes what the descriptor set has.
    let is_described = |name: &&str| {
        baton_proto::services()
            .iter()
            .any(|of| of.full_name == *name)
    };
    let names: Vec<&'static str> = router.service_names().filter(is_described).collect();
    let (reporter, health) = tonic_health::server::health_reporter();
    for name in &names {
        reporter
            .set_service_status(*name, ServingStatus::Serving)
            .await;
    }
    let described = || {
        let builder = Builder::configure()
            .register_encoded_file_descriptor_set(baton_proto::DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
        names
            .iter()
            .chain(&[HEALTH])
            .fold(builder, |builder, name| builder.with_service_name(*name))
    };
    let reflection = described().build_v1()?;
    let earlier = described().build_v1alpha()?;
    router.extra(HEALTH, extra(health));
    router.extra(REFLECTION, extra(reflection));
    router.extra(EARLIER_REFLECTION, extra(earlier));
    Ok(())
}

/// A service of the library as one of ours.
fn extra<S, B>(service: S) -> Extra
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + 'static,
{
    Arc::new(move |request| {
        let mut service = service.clone();
        Box::pin(async move {
            let response = match service.call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            response.map(|body| body.map_err(Into::into).boxed_unsync())
        })
    })
}
