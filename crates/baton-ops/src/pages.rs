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
    /// The answer to a request that has just arrived. `accept` has the media types that
    /// its client accepts; it is empty if the client names none.
    async fn answer(&self, accept: &str) -> Answer;
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
        self.with_chosen_text(path, move |_| (content_type, text()))
    }

    /// As [`Pages::with_text`], for a text in several forms. `text` gets the media types
    /// that the client accepts, and gives the one of the text, and the text.
    #[must_use]
    pub fn with_chosen_text(
        self,
        path: &'static str,
        text: impl Fn(&str) -> (&'static str, String) + Send + Sync + 'static,
    ) -> Self {
        self.with(path, Arc::new(Text(text)))
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

struct Text<F>(F);

#[async_trait]
impl<F: Fn(&str) -> (&'static str, String) + Send + Sync> Page for Text<F> {
    async fn answer(&self, accept: &str) -> Answer {
        let (content_type, text) = (self.0)(accept);
        Answer {
            status: StatusCode::OK,
            content_type,
            body: text.into(),
        }
    }
}
