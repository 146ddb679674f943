//! Sizes of pages: those that are asked for, and the server's own where it
//! refuses them. A last page that is full may have lost its `next`, so the
//! size of a full page must be known.

use baton_connector::{Page, Result};
use baton_proto::Code;

use super::answer::{ListAnswer, Read};
use super::{Api, ListPage, Request};

/// The smallest default of all lists by their documentation: the size of a
/// full page until a longer page that has a next one shows another.
const DEFAULT_PAGE: usize = 20;

impl Api {
    /// The first page of a list at the size wanted; where that size is refused
    /// (and only then), at the endpoint's own default.
    pub(super) async fn sized<T: Read>(
        &self,
        list: &'static str,
        size: u32,
        request: impl Fn(Option<u32>) -> Result<Request>,
    ) -> Result<ListAnswer<T>> {
        match self.list(&request(Some(size))?).await {
            Err(error) if !self.go_compatible() && error.status() == Some(400) => {
                // If it was not the size, the same refusal comes again, and counts.
                let answer = self.list(&request(None)?).await?;
                tracing::warn!(size, "a page size was refused: using the default size");
                let shown = Some(answer.items.len()).filter(|_| !answer.next.is_empty());
                self.note_own_size(list, shown).await?;
                Ok(answer)
            }
            other => other,
        }
    }

    /// A page, and whether it is full.
    pub(super) async fn measured<T>(
        &self,
        list: &'static str,
        asked: u32,
        page: Page<T>,
    ) -> Result<ListPage<T>> {
        let items = page.items().len();
        let full = items >= asked as usize
            || (items > 0 && self.own_size(list).await?.is_some_and(|own| items >= own));
        Ok(ListPage {
            next: page.next.as_str().to_owned(),
            counted: page.notes.upstream_count.clone(),
            items: page.into_items(),
            full,
        })
    }

    /// Notes that the server uses a page size of its own for such lists, and
    /// how many items a page has that another one follows.
    async fn note_own_size(&self, list: &str, shown: Option<usize>) -> Result<()> {
        let known = self.own_size_noted(list).await?;
        let size = shown.unwrap_or(0);
        if known.is_some_and(|known| known >= size) {
            return Ok(());
        }
        match self.session.set(&size_key(list), size.to_string()).await {
            // Outside a sync nothing is kept.
            Err(error) if error.code() != Code::FailedPrecondition => Err(error),
            _ => Ok(()),
        }
    }

    /// The server's own page size for such lists, if it refused another.
    async fn own_size(&self, list: &str) -> Result<Option<usize>> {
        let noted = self.own_size_noted(list).await?;
        Ok(noted.map(|size| if size == 0 { DEFAULT_PAGE } else { size }))
    }

    async fn own_size_noted(&self, list: &str) -> Result<Option<usize>> {
        let kept = match self.session.get(&size_key(list)).await {
            Err(error) if error.code() == Code::FailedPrecondition => return Ok(None),
            kept => kept?,
        };
        let text = kept.and_then(|bytes| String::from_utf8(bytes).ok());
        Ok(text.and_then(|text| text.parse().ok()))
    }
}

fn size_key(list: &str) -> String {
    format!("page-size/{list}")
}
