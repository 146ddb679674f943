//! What the server answers, by path.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;

/// An answer of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The value of the header `Content-Type`.
    pub content_type: &'static str,
    /// The content.
    pub body: Bytes,
}

/// What answers the requests of a path, whatever their method.
#[async_trait]
pub trait Page: Send + Sync {
    /// The answer to a request that has just arrived.
    async fn answer(&self) -> Answer;
}

/// Pages by their exact paths. Clones share the pages.
#[derive(Clone, Default)]
pub struct Pages(BTreeMap<&'static str, Arc<dyn Page>>);

impl Pages {
    /// No pages.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a page; it replaces an earlier one with this path.
    #[must_use]
    pub fn with(mut self, path: &'static str, page: Arc<dyn Page>) -> Self {
        self.0.insert(path, page);
        self
    }

    /// Adds a page whose text is made for each request. `text` does not block.
    #[must_use]
    pub fn with_text(
        self,
        path: &'static str,
        content_type: &'static str,
        text: impl Fn() -> String + Send + Sync + 'static,
    ) -> Self {
        self.with(path, Arc::new(Text { content_type, text }))
    }

    pub(crate) fn find(&self, path: &str) -> Option<Arc<dyn Page>> {
        self.0.get(path).cloned()
    }
}

impl std::fmt::Debug for Pages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

struct Text<F> {
    content_type: &'static str,
    text: F,
}

#[async_trait]
impl<F: Fn() -> String + Send + Sync> Page for Text<F> {
    async fn answer(&self) -> Answer {
        Answer {
            status: StatusCode::OK,
            content_type: self.content_type,
            body: (self.text)().into(),
        }
    }
}
