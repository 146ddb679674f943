//! Changes through the program as the child of an engine of the Go SDK.

use std::fs;
use std::time::Duration;

use baton_grpc::methods::connector_v2::{
    action_service, entitlements_service, grant_manager_service, grants_service,
};
use baton_proto::c1::connector::v2;
use baton_testkit::Calls;
use prost_types::value::Kind;
use prost_types::{Struct, Value};

use crate::harness::{Harness, resource};
use crate::service::start;

fn table(harness: &Harness, name: &str) -> String {
    fs::read_to_string(harness.table(name)).unwrap()
}

/// The ids of the principals of the group's grants, and those grants.
async fn grants(calls: &mut Calls, group: &v2::Resource) -> Vec<(String, v2::Grant)> {
    let request = v2::GrantsServiceListGrantsRequest {
        resource: Some(group.clone()),
        ..Default::default()
    };
    let listed = calls.call(grants_service::LIST_GRANTS, &request).await;
    let grants = listed.unwrap().list.into_iter();
    let principal = |grant: &v2::Grant| grant.principal.clone()?.id;
    grants
        .map(|grant| (principal(&grant).unwrap().resource, grant))
        .collect()
}

#[tokio::test]
async fn a_go_parent_grants_and_revokes() {
    let harness = Harness::new();
    let parent = start(&harness, &["--provisioning"]).await;
    let mut calls = parent.calls().await;
    let group = resource("group", "platform");
    let request = v2::EntitlementsServiceListEntitlementsRequest {
        resource: Some(group.clone()),
        ..Default::default()
    };
    let listed = calls
        .call(entitlements_service::LIST_ENTITLEMENTS, &request)
        .await;
    let request = v2::GrantManagerServiceGrantRequest {
        entitlement: listed.unwrap().list.pop(),
        principal: Some(resource("user", "cleo")),
        ..Default::default()
    };
    let row = "platform,user,cleo";
    assert!(!table(&harness, "members.csv").contains(row));
    let granted = calls.call(grant_manager_service::GRANT, &request).await;
    assert_eq!(granted.unwrap().grants.len(), 1);
    assert!(table(&harness, "members.csv").contains(row));
    let again = calls.call(grant_manager_service::GRANT, &request).await;
    let annotations = again.unwrap().annotations;
    assert_eq!(
        annotations[0].type_url,
        "type.googleapis.com/c1.connector.v2.GrantAlreadyExists"
    );

    let mut shown = grants(&mut calls, &group).await.into_iter();
    let (_, grant) = shown.find(|(principal, _)| principal == "cleo").unwrap();
    let request = v2::GrantManagerServiceRevokeRequest {
        grant: Some(grant),
        ..Default::default()
    };
    let revoked = calls.call(grant_manager_service::REVOKE, &request).await;
    revoked.unwrap();
    assert!(!table(&harness, "members.csv").contains(row));
    let left = grants(&mut calls, &group).await;
    assert!(left.iter().all(|(principal, _)| principal != "cleo"));
    let output = parent.end().await;
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stdout, b"");
}

#[tokio::test]
async fn a_go_parent_invokes_an_action_and_asks_for_its_status() {
    let harness = Harness::new();
    let parent = start(&harness, &["--provisioning"]).await;
    let mut calls = parent.calls().await;
    let schemas = calls.ask(action_service::LIST_ACTION_SCHEMAS).await;
    let schemas = schemas.unwrap().schemas;
    assert!(schemas.iter().any(|schema| schema.name == "disable_user"));
    let invoke = |user: &str| {
        let id = Value {
            kind: Some(Kind::StringValue(user.to_owned())),
        };
        v2::InvokeActionRequest {
            name: "disable_user".to_owned(),
            args: Some(Struct {
                fields: [("user_id".to_owned(), id)].into(),
            }),
            inline_wait: Some(Duration::from_secs(20).try_into().unwrap()),
            ..Default::default()
        }
    };
    let invoked = calls
        .call(action_service::INVOKE_ACTION, &invoke("ada"))
        .await;
    let invoked = invoked.unwrap();
    assert_eq!(invoked.status(), v2::BatonActionStatus::Complete);
    assert!(table(&harness, "users.csv").contains("ada@acme.test,false"));
    let request = v2::GetActionStatusRequest {
        id: invoked.id,
        ..Default::default()
    };
    let state = calls
        .call(action_service::GET_ACTION_STATUS, &request)
        .await;
    let state = state.unwrap();
    assert_eq!(state.status(), v2::BatonActionStatus::Complete);
    assert_eq!(state.response, invoked.response);

    let before = table(&harness, "users.csv");
    let failed = calls
        .call(action_service::INVOKE_ACTION, &invoke("nemo"))
        .await;
    assert_eq!(
        failed.unwrap().status(),
        v2::BatonActionStatus::Failed,
        "there is no such user"
    );
    assert_eq!(table(&harness, "users.csv"), before);
    let output = parent.end().await;
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stdout, b"");
}
