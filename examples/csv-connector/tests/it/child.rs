//! The program as a child process over TLS: the checks of connectors, the same rows as
//! in this process, and changes of access.

use std::sync::Arc;

use baton_connector::{Call, Connector, Invoke, SplitMix, v2};
use baton_testkit::{Verdict, as_child, conformance, sync_rows};
use prost_types::{Struct, Value, value::Kind};

use crate::harness::{Harness, resource};

fn child(harness: &Harness) -> Arc<dyn Connector> {
    let program = env!("CARGO_BIN_EXE_baton-csv");
    as_child(program, &["--folder", "tables"], harness.dir.path())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_conforms_as_a_child() {
    let harness = Harness::new();
    let results = conformance(child(&harness)).await;
    assert!(results.len() > 20, "{results:#?}");
    for check in results {
        let passed = matches!(check.verdict, Verdict::Pass | Verdict::Skip(_));
        assert!(passed, "{check:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_gives_the_rows_of_this_process() {
    let harness = Harness::new();
    let random = Arc::new(SplitMix::seeded(1));
    let built = baton_csv::connector(&harness.dir.path().join("tables"), random).unwrap();
    let (here, ours) = sync_rows(built.connector).await.unwrap();
    let (there, theirs) = sync_rows(child(&harness)).await.unwrap();
    assert_eq!(here.completeness, there.completeness);
    assert!(ours.len() > 20);
    assert_eq!(ours, theirs);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_changes_access() {
    let harness = Harness::new();
    let connector = child(&harness);
    let call = Call::alone();
    let group = resource("group", "platform");
    let page = connector.list_entitlements(&call, &group).await.unwrap();
    let entitlement = page.items()[0].clone();
    let members = || std::fs::read_to_string(harness.table("members.csv")).unwrap();
    assert!(!members().contains("platform,user,cleo"));

    let provisioning = connector.provisioning().unwrap();
    let cleo = resource("user", "cleo");
    let granted = provisioning
        .grant(&call, &entitlement, &cleo)
        .await
        .unwrap();
    assert!(members().contains("platform,user,cleo"));
    let again = provisioning
        .grant(&call, &entitlement, &cleo)
        .await
        .unwrap();
    let already = baton_connector::Any {
        type_url: "type.googleapis.com/c1.connector.v2.GrantAlreadyExists".to_owned(),
        value: Vec::new(),
    };
    assert_eq!(again.annotations, [already]);
    let grant = granted.grants[0].clone();
    provisioning.revoke(&call, &grant).await.unwrap();
    assert!(!members().contains("platform,user,cleo"));

    let id = Value {
        kind: Some(Kind::StringValue("ada".to_owned())),
    };
    let arguments = Struct {
        fields: [("user_id".to_owned(), id)].into(),
    };
    let wanted = Invoke {
        name: "disable_user",
        type_id: None,
        arguments: &arguments,
        inline_wait: std::time::Duration::from_secs(20),
    };
    let actions = connector.actions().unwrap();
    let state = actions.invoke(&call, wanted).await.unwrap();
    assert_eq!(state.status, v2::BatonActionStatus::Complete, "{state:?}");
    let users = std::fs::read_to_string(harness.table("users.csv")).unwrap();
    assert!(users.contains("ada@acme.test,false"), "{users}");
}
