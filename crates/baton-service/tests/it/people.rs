//! A connector of users, for full syncs.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use baton_connector::resource::{ResourceBuilder, ResourceTypeBuilder};
use baton_connector::{
    Call, Connector, ConnectorBuilder, Error, Page, ResourceSyncer, Result, TypeSpec, Types, v2,
};
use baton_proto::Code;

use crate::stage::Counter;

/// What its list does.
#[derive(Clone, Default)]
pub(crate) struct People {
    pub(crate) pages: u64,
    /// Each page takes so long.
    pub(crate) pace: Duration,
    /// Pages that were listed.
    pub(crate) listed: Counter,
    /// The list fails at this page, once.
    pub(crate) fails_at: Option<u64>,
    pub(crate) failures: Counter,
    /// The list panics.
    pub(crate) panics: bool,
    /// The list never answers.
    pub(crate) hangs: bool,
}

#[async_trait]
impl ResourceSyncer for People {
    async fn list(&self, call: &Call, _: Option<&v2::ResourceId>) -> Result<Page<v2::Resource>> {
        let page: u64 = call.token().parse().unwrap_or(0);
        assert!(!self.panics, "a list that panics");
        if self.hangs {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(self.pace).await;
        if self.fails_at == Some(page) && self.failures.add() == 1 {
            return Err(Error::stated(Code::Unavailable, "the application is down"));
        }
        self.listed.add();
        let people = (0..5).map(|n| {
            let id = format!("u{page}-{n}");
            ResourceBuilder::new("user", id)
                .display_name("A person")
                .build()
        });
        let people = people.collect::<Result<Vec<_>>>()?;
        Ok(if page + 1 < self.pages {
            Page::new(people, (page + 1).to_string())
        } else {
            Page::last(people)
        })
    }
}

impl People {
    pub(crate) fn of(pages: u64) -> Self {
        Self {
            pages,
            ..Self::default()
        }
    }

    pub(crate) fn connector(self) -> Arc<dyn Connector> {
        let kind = ResourceTypeBuilder::named("User").build().unwrap();
        let spec = TypeSpec::new(kind, move |(): &()| Ok(self.clone()));
        let types = Types::new().with(spec);
        let metadata = v2::ConnectorMetadata {
            display_name: "People".to_owned(),
            ..v2::ConnectorMetadata::default()
        };
        let builder = ConnectorBuilder::new().types(&types, &()).unwrap();
        Arc::new(builder.metadata(metadata).build().unwrap())
    }
}
