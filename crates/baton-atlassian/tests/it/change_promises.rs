//! The test kit's check of provisioners, over what syncs show.

use std::sync::Arc;
use std::time::Duration;

use atlassian_sim::Config;
use baton_connector::Connector;
use baton_testkit::{ProvisionerCase, check_provisioner};

use crate::bench::{Bench, USER_ROLE, config};

/// Longer than any change takes to show.
const VISIBLE_AFTER: Duration = Duration::from_secs(31);

#[tokio::test(start_paused = true)]
async fn memberships_and_workspace_roles_keep_the_promises_of_a_provisioner() {
    let bench = Bench::of(Config {
        visibility_delay: Duration::from_secs(30),
        ..config()
    });
    let user = ("user", bench.user.as_str());
    let group = ("group", bench.group.as_str());
    let member = format!("group:{}:member", bench.group);
    let role = format!("workspace:{}:role:{USER_ROLE}", bench.jira);
    let workspace = ("workspace", bench.jira.as_str());
    for (entitlement, principal, wrong) in [
        (&member, user, group),
        (&role, user, workspace),
        (&role, group, workspace),
    ] {
        let case = ProvisionerCase::new(entitlement, principal, wrong).visible_after(VISIBLE_AFTER);
        let connect = || Arc::new(bench.connector()) as Arc<dyn Connector>;
        let broken = check_provisioner(&case, connect).await;
        assert_eq!(broken, [], "{entitlement}");
    }
}
