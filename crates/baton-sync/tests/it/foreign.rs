//! Rows of a connector in another process: they are stored as they came, with
//! fields that this program does not know.

use std::sync::Arc;

use async_trait::async_trait;
use baton_c1z::Table;
use baton_connector::resource::{EntitlementBuilder, EntitlementId, GrantBuilder, resource_id};
use baton_connector::{Call, Connector, Page, Result, Row};
use baton_proto::c1::connector::v2;
use baton_proto::encode;
use prost::{Message, Name};
use prost_types::Any;

use crate::sandbox::{Sandbox, rows, scan};
use crate::world::World;

/// A field that no message has.
const NEWER: [u8; 4] = [0xfa, 0x3f, 1, b'!'];

/// A world behind a process boundary.
struct Foreign(World);

fn bytes<M: Message + Name>(message: &M) -> Vec<u8> {
    [encode::to_vec(message), NEWER.to_vec()].concat()
}

fn foreign<M: Message + Name + Default>(page: Page<M>) -> Result<Page<M>> {
    let rows = page.items().iter().map(bytes).collect();
    let annotations = page.annotations.clone();
    let mut foreign = Page::from_bytes(rows, page.next)?;
    foreign.annotations = annotations;
    Ok(foreign)
}

#[async_trait]
impl Connector for Foreign {
    async fn metadata(&self, call: &Call) -> Result<v2::ConnectorMetadata> {
        self.0.metadata(call).await
    }

    async fn validate(&self, call: &Call) -> Result<Vec<Any>> {
        self.0.validate(call).await
    }

    async fn list_resource_types(&self, call: &Call) -> Result<Page<v2::ResourceType>> {
        foreign(self.0.list_resource_types(call).await?)
    }

    async fn list_resources(
        &self,
        call: &Call,
        type_id: &str,
        parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        foreign(self.0.list_resources(call, type_id, parent).await?)
    }

    async fn list_static_entitlements(
        &self,
        call: &Call,
        type_id: &str,
    ) -> Result<Page<v2::Entitlement>> {
        foreign(self.0.list_static_entitlements(call, type_id).await?)
    }

    async fn list_entitlements(
        &self,
        call: &Call,
        resource: &v2::Resource,
    ) -> Result<Page<v2::Entitlement>> {
        foreign(self.0.list_entitlements(call, resource).await?)
    }

    async fn list_grants(&self, call: &Call, resource: &v2::Resource) -> Result<Page<v2::Grant>> {
        foreign(self.0.list_grants(call, resource).await?)
    }

    async fn get_resource(
        &self,
        call: &Call,
        id: &v2::ResourceId,
        parent: Option<&v2::ResourceId>,
    ) -> Result<Option<Row<v2::Resource>>> {
        let found = self.0.get_resource(call, id, parent).await?;
        let found = found.map(|row| Row::from_bytes(bytes(row.message())));
        found.transpose()
    }

    async fn cleanup(&self, call: &Call) -> Result<()> {
        self.0.cleanup(call).await
    }
}

/// A world with a grant that the engine must change: it is expanded within a
/// type that the connector does not have.
fn world() -> World {
    let mut world = World::small();
    let entitlement = EntitlementBuilder::assignment(resource_id("group", "g1"), "member");
    let principal = resource_id("group", "g2");
    let source = EntitlementId::of(&principal, "member");
    let grant = GrantBuilder::of(&entitlement.build().expect("valid"), principal).annotation(
        &v2::GrantExpandable {
            entitlement_ids: vec![source.to_string()],
            resource_type_ids: vec!["user".to_owned(), "ghost".to_owned()],
            ..v2::GrantExpandable::default()
        },
    );
    let grants = world.grants.entry("group:g1".to_owned()).or_default();
    grants.push(grant.build().expect("valid"));
    world
}

#[tokio::test]
async fn unknown_fields_survive_in_every_row_of_the_connector() {
    let (sandbox, known) = (Sandbox::new(), Sandbox::new());
    let connector = Arc::new(Foreign(world()));
    let report = baton_sync::run(connector, sandbox.request(), sandbox.host()).await;
    report.expect("complete");
    known.sync(world()).await;
    let mut seen = [0; 4];
    scan(&sandbox.target(), |table, row| {
        let has_it = row.data.windows(NEWER.len()).any(|part| part == NEWER);
        let is_derived = row.data.windows(12).any(|part| part == b"GrantSources");
        assert!(has_it || is_derived, "{}: {}", table.name(), row.id);
        seen[table as usize] += u32::from(has_it);
    });
    assert!(seen.iter().all(|rows| *rows > 0), "{seen:?}");
    // Else the file is the one of the same connector in this process.
    let ids = |sandbox: &Sandbox| Table::ALL.map(|t| crate::sandbox::ids(&sandbox.target(), t));
    assert_eq!(ids(&sandbox), ids(&known));
    let is_narrowed = |sandbox: &Sandbox| {
        let rows = rows(&sandbox.target());
        !rows.iter().any(|row| row.contains("ghost"))
    };
    assert!(is_narrowed(&sandbox) && is_narrowed(&known));
}

#[tokio::test]
async fn a_resource_that_is_asked_for_by_id_keeps_them_too() {
    let sandbox = Sandbox::new();
    let mut request = sandbox.request();
    request.targets = vec!["bid:r:group/g1".parse().expect("valid")];
    let connector = Arc::new(Foreign(world()));
    let report = baton_sync::run(connector, request, sandbox.host()).await;
    report.expect("complete");
    let mut seen = 0;
    scan(&sandbox.target(), |table, row| {
        if table == Table::Resources && row.id == "group:g1" {
            assert!(row.data.ends_with(&NEWER));
            seen += 1;
        }
    });
    assert_eq!(seen, 1);
}
