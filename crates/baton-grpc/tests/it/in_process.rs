//! Calls in the same process.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use baton_connector::ChangeSettings;
use baton_grpc::methods::connector_v2::{
    asset_service, connector_service, grant_manager_service, resource_types_service,
};
use baton_grpc::{CallOptions, InProcess, Router, Status};
use baton_proto::Code;
use baton_proto::c1::connector::v2;
use futures_util::FutureExt as _;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::replay::{services, stand_in};

type Seen = Arc<Mutex<Vec<&'static str>>>;

/// A valid request for a revoke.
fn revoke() -> v2::GrantManagerServiceRevokeRequest {
    let resource = |kind: &str| v2::Resource {
        id: Some(v2::ResourceId {
            resource_type: kind.to_owned(),
            resource: "1".to_owned(),
            ..v2::ResourceId::default()
        }),
        ..v2::Resource::default()
    };
    let entitlement = v2::Entitlement {
        id: "group:1:member".to_owned(),
        resource: Some(resource("group")),
        slug: "member".to_owned(),
        ..v2::Entitlement::default()
    };
    let grant = v2::Grant {
        id: "g".to_owned(),
        entitlement: Some(entitlement),
        principal: Some(resource("user")),
        ..v2::Grant::default()
    };
    v2::GrantManagerServiceRevokeRequest {
        grant: Some(grant),
        annotations: Vec::new(),
    }
}

/// Services whose calls take ten seconds, and what became of them. The write answers at
/// once when it is asked to end, with a second of work after that.
fn slow() -> (InProcess, Seen) {
    let seen = Seen::default();
    let mut router = Router::new();
    let reads = Arc::clone(&seen);
    router.read(connector_service::VALIDATE, move |_, _| {
        let seen = Arc::clone(&reads);
        async move {
            sleep(Duration::from_secs(10)).await;
            seen.lock().unwrap().push("read");
            Ok(v2::ConnectorServiceValidateResponse::default())
        }
    });
    let writes = Arc::clone(&seen);
    router.write(grant_manager_service::REVOKE, move |_, context| {
        let seen = Arc::clone(&writes);
        async move {
            let asked = tokio::select! {
                () = sleep(Duration::from_secs(10)) => false,
                () = context.stop.cancelled() => true,
            };
            sleep(Duration::from_secs(1)).await;
            seen.lock().unwrap().push("write");
            if asked {
                return Err(Status::new(Code::Canceled, "asked to end"));
            }
            Ok(v2::GrantManagerServiceRevokeResponse::default())
        }
    });
    (InProcess::new(router), seen)
}

async fn validate(
    calls: &InProcess,
    options: CallOptions,
) -> Result<v2::ConnectorServiceValidateResponse, Status> {
    let request = v2::ConnectorServiceValidateRequest::default();
    calls
        .call(connector_service::VALIDATE, &request, options)
        .await
}

async fn write(
    calls: &InProcess,
    options: CallOptions,
) -> Result<v2::GrantManagerServiceRevokeResponse, Status> {
    calls
        .call(grant_manager_service::REVOKE, &revoke(), options)
        .await
}

fn cancelled_after(wait: Duration) -> CallOptions {
    let cancel = CancellationToken::new();
    let later = cancel.clone();
    tokio::spawn(async move {
        sleep(wait).await;
        later.cancel();
    });
    CallOptions {
        cancel,
        ..CallOptions::default()
    }
}

#[tokio::test]
async fn answers_are_those_of_a_connection() {
    let calls = InProcess::new(services(stand_in(), false, false));
    let options = CallOptions::default();
    let request = v2::ResourceTypesServiceListResourceTypesRequest::default();
    let method = resource_types_service::LIST_RESOURCE_TYPES;
    let types = calls.call(method, &request, options.clone()).await.unwrap();
    assert_eq!(types.list.len(), 5);

    // The rules of a request come before the refusal.
    let broken = v2::GrantManagerServiceRevokeRequest::default();
    let method = grant_manager_service::REVOKE;
    let status = calls.call(method, &broken, options.clone()).await;
    let status = status.unwrap_err();
    assert_eq!(status.code, Code::InvalidArgument);
    let text = "invalid GrantManagerServiceRevokeRequest.Grant: value is required";
    assert_eq!(status.message, text);
    let status = write(&calls, options.clone()).await.unwrap_err();
    assert_eq!(status.code, Code::FailedPrecondition);
    assert_eq!(status.message, "provisioning is not enabled");

    // A method that answers with many messages has no form here.
    let request = v2::AssetServiceGetAssetRequest {
        asset: Some(v2::AssetRef {
            id: "icon".to_owned(),
        }),
    };
    let status = calls
        .call(asset_service::GET_ASSET, &request, options)
        .await;
    assert_eq!(status.unwrap_err().code, Code::Unimplemented);
}

#[tokio::test]
async fn a_method_that_is_not_there_is_unimplemented() {
    let calls = InProcess::new(Router::new());
    let status = validate(&calls, CallOptions::default()).await.unwrap_err();
    assert_eq!(status.code, Code::Unimplemented);
    let text = "unknown service c1.connector.v2.ConnectorService";
    assert_eq!(status.message, text);
}

#[tokio::test]
async fn a_panic_is_an_internal_error() {
    let mut router = Router::new();
    router.read(connector_service::VALIDATE, |_, context| async move {
        assert!(context.stop.is_cancelled(), "a panic of the test");
        Ok(v2::ConnectorServiceValidateResponse::default())
    });
    let calls = InProcess::new(router);
    let status = validate(&calls, CallOptions::default()).await.unwrap_err();
    assert_eq!(status.code, Code::Internal);
    assert_eq!(status.message, "Internal Server Error");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_read_is_dropped() {
    let (calls, seen) = slow();
    let began = Instant::now();
    let options = cancelled_after(Duration::from_secs(3));
    let status = validate(&calls, options).await.unwrap_err();
    assert_eq!(status.code, Code::Canceled);
    assert_eq!(began.elapsed(), Duration::from_secs(3));
    sleep(Duration::from_mins(1)).await;
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_write_ends_what_it_has_begun_and_answers() {
    let (calls, seen) = slow();
    let began = Instant::now();
    let options = cancelled_after(Duration::from_secs(3));
    let status = write(&calls, options).await.unwrap_err();
    assert_eq!(status.message, "asked to end");
    assert_eq!(began.elapsed(), Duration::from_secs(4));
    assert_eq!(*seen.lock().unwrap(), ["write"]);
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_caller_is_gone_is_brought_to_its_end() {
    let (calls, seen) = slow();
    assert!(
        write(&calls, CallOptions::default())
            .now_or_never()
            .is_none()
    );
    assert!(calls.stop(Duration::from_secs(2)).await);
    assert_eq!(*seen.lock().unwrap(), ["write"]);
}

#[tokio::test(start_paused = true)]
async fn deadlines_end_both_kinds() {
    let (calls, seen) = slow();
    let within = |seconds| CallOptions {
        deadline: Some(Instant::now() + Duration::from_secs(seconds)),
        ..CallOptions::default()
    };
    let status = validate(&calls, within(2)).await.unwrap_err();
    assert_eq!(status.code, Code::DeadlineExceeded);
    let status = write(&calls, within(2)).await.unwrap_err();
    assert_eq!(status.code, Code::DeadlineExceeded);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(*seen.lock().unwrap(), ["write"], "the write ended later");
    assert!(validate(&calls, within(20)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_reads_and_waits_for_writes_up_to_its_limit() {
    let (calls, _) = slow();
    let (read, written, stopped) = tokio::join!(
        validate(&calls, CallOptions::default()),
        write(&calls, CallOptions::default()),
        async {
            sleep(Duration::from_secs(1)).await;
            calls.stop(Duration::from_millis(500)).await
        }
    );
    assert_eq!(read.unwrap_err().code, Code::Unavailable);
    assert_eq!(written.unwrap_err().message, "asked to end");
    assert!(!stopped, "the write needed a whole second");
    let status = validate(&calls, CallOptions::default()).await.unwrap_err();
    assert_eq!(status.message, "the connector is stopping");
}

#[tokio::test]
async fn changes_are_made_as_the_caller_wants() {
    let dry = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&dry);
    let mut router = Router::new();
    router.write(grant_manager_service::REVOKE, move |_, context| {
        seen.lock().unwrap().push(context.changes.dry_run);
        async { Ok(v2::GrantManagerServiceRevokeResponse::default()) }
    });
    let calls = InProcess::new(router);
    write(&calls, CallOptions::default()).await.unwrap();
    let options = CallOptions {
        changes: ChangeSettings {
            dry_run: true,
            ..ChangeSettings::default()
        },
        ..CallOptions::default()
    };
    write(&calls, options).await.unwrap();
    assert_eq!(*dry.lock().unwrap(), [false, true]);
}
