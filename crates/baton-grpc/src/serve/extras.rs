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
    let names = described_services(router);
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

/// The services that the descriptor set has, and no service of our own.
fn described_services(router: &Router) -> Vec<&'static str> {
    let known = baton_proto::services();
    let is_known = |name: &&str| known.iter().any(|service| service.full_name == *name);
    router.service_names().filter(is_known).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Status;
    use crate::methods::connector_v2::connector_service;
    use crate::notes::MAKE;

    #[test]
    fn a_service_without_a_description_is_not_listed() {
        let mut router = Router::new();
        let refusal = Status::new(baton_proto::Code::Unimplemented, "refused");
        router.refuse(connector_service::VALIDATE, &refusal);
        router.refuse(MAKE, &refusal);
        assert_eq!(router.service_names().count(), 2);
        assert_eq!(described_services(&router), [connector_service::NAME]);
    }
}
