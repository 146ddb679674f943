//! A page of a list: its rows, and where the list continues.

use baton_proto::c1::connector::v2;
use prost::Message;
use prost_types::Any;

use crate::added::Added;
use crate::error::{Error, Result};
use crate::upstream_count::UpstreamCount;

/// Longest part of a token that an error shows.
const SHOWN_TOKEN_CHARS: usize = 40;

/// Where a list continues. Opaque to all but the connector; empty means
/// that there is no further page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PageToken(String);

impl PageToken {
    /// The token after the last page.
    pub const fn last() -> Self {
        Self(String::new())
    }

    /// True when no page follows.
    pub fn is_last(&self) -> bool {
        self.0.is_empty()
    }

    /// The token's text; empty after the last page.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The token's text, taken out.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl From<String> for PageToken {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for PageToken {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// A token for an error message: tokens can be kilobytes long.
pub(crate) fn shorten(token: &str) -> String {
    match token.char_indices().nth(SHOWN_TOKEN_CHARS) {
        Some((end, _)) => format!("{}…", &token[..end]),
        None => token.to_owned(),
    }
}

/// A message, perhaps with the bytes that it was read from, in which fields
/// survive that this program does not know.
#[derive(Debug, Clone, PartialEq)]
pub struct Row<T> {
    message: T,
    bytes: Option<Vec<u8>>,
}

impl<T> Row<T> {
    /// The message.
    pub fn message(&self) -> &T {
        &self.message
    }

    /// The message, and the bytes that it was read from.
    pub fn into_parts(self) -> (T, Option<Vec<u8>>) {
        (self.message, self.bytes)
    }
}

impl<T: Message + Default> Row<T> {
    /// Reads a message, and keeps its bytes.
    ///
    /// # Errors
    /// [`Error::Row`] if they are not such a message.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self> {
        Self::numbered(0, bytes)
    }

    fn numbered(row: usize, bytes: Vec<u8>) -> Result<Self> {
        let message = T::decode(bytes.as_slice()).map_err(|source| Error::Row { row, source })?;
        let bytes = Some(bytes);
        Ok(Self { message, bytes })
    }
}

impl<T> From<T> for Row<T> {
    fn from(message: T) -> Self {
        Self {
            message,
            bytes: None,
        }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The rows, in upstream order.
    items: Vec<T>,
    /// The bytes of each row; empty where the connector made the messages.
    bytes: Vec<Vec<u8>>,
    /// Where the list continues.
    pub next: PageToken,
    /// Annotations of the response, not of a row.
    pub annotations: Vec<Any>,
    /// What the contract of the Go SDK has no place for.
    pub notes: PageNotes,
}

/// What an engine of this workspace reads besides rows and annotations. Between
/// programs of this workspace it crosses a process boundary as an annotation of
/// our own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PageNotes {
    /// See [`Page::upstream_count`].
    pub upstream_count: UpstreamCount,
    /// See [`Page::count_ends_here`].
    pub count_ends_here: bool,
    /// See [`Page::ends_full`].
    pub ends_full: bool,
    /// See [`Page::added`].
    pub added: Vec<Added>,
}

impl<T> Page<T> {
    /// A page with more to come, unless `next` is the empty token.
    pub fn new(items: Vec<T>, next: impl Into<PageToken>) -> Self {
        Self {
            items,
            bytes: Vec::new(),
            next: next.into(),
            annotations: Vec::new(),
            notes: PageNotes::default(),
        }
    }

    /// The only or last page of a list.
    pub fn last(items: Vec<T>) -> Self {
        Self::new(items, PageToken::last())
    }

    /// A list without rows.
    pub fn empty() -> Self {
        Self::last(Vec::new())
    }

    /// The page with the application's own count of its list. It may be on any
    /// page, and on several: then the largest holds, so that a total which
    /// sinks while the list is read is noticed. Resources are counted by their
    /// ids, all other rows as they come.
    #[must_use]
    pub fn upstream_count(mut self, count: UpstreamCount) -> Self {
        self.notes.upstream_count = count;
        self
    }

    /// The counted part of the list ends with this page, although more pages follow.
    #[must_use]
    pub fn count_ends_here(mut self, ends: bool) -> Self {
        self.notes.count_ends_here = ends;
        self
    }

    /// The last page is as full as pages get, and no count of the list is
    /// known: there may be more.
    #[must_use]
    pub fn ends_full(mut self, full: bool) -> Self {
        self.notes.ends_full = full;
        self
    }

    /// Entitlements that the page's grants are on and that no list may have.
    /// Pages of other lists have none.
    #[must_use]
    pub fn added(mut self, added: Vec<Added>) -> Self {
        self.notes.added = added;
        self
    }

    /// The rows, as messages.
    pub fn items(&self) -> &[T] {
        &self.items
    }

    /// The rows, as messages only.
    pub fn into_items(self) -> Vec<T> {
        self.items
    }

    /// The rows, each with its bytes if it came as bytes.
    pub fn into_rows(self) -> impl ExactSizeIterator<Item = Row<T>> {
        let mut bytes = self.bytes.into_iter();
        self.items.into_iter().map(move |message| Row {
            message,
            bytes: bytes.next(),
        })
    }

    /// The page that was asked for with `token`, unless it leads back to itself;
    /// `list` names the list for the error.
    ///
    /// # Errors
    /// [`Error::TokenUnchanged`]
    pub fn advanced(self, token: &str, list: impl FnOnce() -> String) -> Result<Self> {
        if !token.is_empty() && self.next.as_str() == token {
            return Err(Error::TokenUnchanged {
                list: list(),
                token: shorten(token),
            });
        }
        Ok(self)
    }

    /// Leaves out the rows for which `keep` is false.
    pub fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        let kept: Vec<bool> = self.items.iter().map(keep).collect();
        let mut flags = kept.iter();
        self.items.retain(|_| *flags.next().unwrap_or(&true));
        let mut flags = kept.iter();
        self.bytes.retain(|_| *flags.next().unwrap_or(&true));
    }
}

impl<T: Message + Default> Page<T> {
    /// A page of rows that came as bytes, which are stored as they came, save
    /// what an engine must change.
    ///
    /// # Errors
    /// [`Error::Row`] if a row is not such a message.
    pub fn from_bytes(rows: Vec<Vec<u8>>, next: impl Into<PageToken>) -> Result<Self> {
        let mut page = Self::new(Vec::with_capacity(rows.len()), next);
        for (number, bytes) in rows.into_iter().enumerate() {
            let Row { message, bytes } = Row::numbered(number, bytes)?;
            page.items.push(message);
            page.bytes.extend(bytes);
        }
        Ok(page)
    }
}

/// A resource by its id is a list of one.
impl From<Row<v2::Resource>> for Page<v2::Resource> {
    fn from(row: Row<v2::Resource>) -> Self {
        let mut page = Self::last(vec![row.message]);
        page.bytes.extend(row.bytes);
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_the_bytes_that_they_came_as() {
        let known = |id: &str| v2::ResourceType {
            id: id.to_owned(),
            ..v2::ResourceType::default()
        };
        // A field that no version of the message has.
        let newer = |id| [known(id).encode_to_vec(), vec![0xf8, 0x3f, 7]].concat();
        let rows = vec![newer("a"), newer("b"), newer("c")];
        let mut page = Page::from_bytes(rows, "next").expect("readable");
        assert_eq!(page.items()[1], known("b"));
        page.retain(|kind: &v2::ResourceType| kind.id != "b");
        let rows = page.into_rows().map(Row::into_parts);
        let expected = ["a", "c"].map(|id| (known(id), Some(newer(id))));
        assert_eq!(rows.collect::<Vec<_>>(), expected);
        let made = Page::last(vec![known("a")])
            .into_rows()
            .map(Row::into_parts);
        assert_eq!(made.collect::<Vec<_>>(), [(known("a"), None)]);
    }

    #[test]
    fn a_row_that_is_none_names_its_place() {
        let rows = vec![Vec::new(), vec![0x0a, 0xff]];
        let error = Page::<v2::Grant>::from_bytes(rows, "").expect_err("cut off");
        assert_eq!(error.to_string(), "row 1 of the page cannot be read");
        assert_eq!(error.code(), baton_proto::Code::Internal);
    }
}
