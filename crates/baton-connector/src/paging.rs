//! Reading lists page by page without getting lost.
//!
//! [`slice`], [`link_next`], [`numbered`] and [`body_cursor`] serve lists of the usual kinds. Below them, a list is one function from a
//! position to a chunk. From it come one page
//! at a time with a token for the engine ([`page`]), or all of them as a
//! stream ([`chunks`]); no endpoint writes its own loop. A server that walks
//! in circles is found out by [`LoopGuard`], and one whose pages bring nothing
//! new by their number ([`MAX_PAGES_WITHOUT_NEW_ROWS`]). The number of pages
//! that bring something has no cap (DESIGN decision 12).

mod requests;
mod slices;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

use futures_util::Stream;
use futures_util::stream::try_unfold;

use crate::counted::Counted;
use crate::error::{Error, Result};
use crate::page::{Page, PageToken};

pub use requests::{End, Numbered, Rows, body_cursor, link_next, numbered};
pub use slices::{ROWS_PER_SLICE, slice};

/// Longest part of a token that an error shows.
const SHOWN_TOKEN_CHARS: usize = 40;

/// Ids that a guard remembers; among more, no page counts as one without
/// anything new.
const MAX_REMEMBERED_IDS: usize = 1 << 20;

/// Longest cursor that is taken from a server, in bytes: it must fit into the
/// next request's URL or header with room to spare.
pub const MAX_CURSOR_BYTES: usize = 64 * 1024;

/// Pages of one list in a row that may bring nothing new. More are a list
/// that never ends.
pub const MAX_PAGES_WITHOUT_NEW_ROWS: u32 = 1000;

/// Marks tokens of this form; another form gets another mark.
const TOKEN_VERSION: &str = "b1";

/// Where a list goes on: the author's step of the list, and the server's
/// cursor in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Position {
    /// Lists that are read from several endpoints count them here; the first
    /// is 0.
    pub step: u8,
    /// The server's cursor; `None` at the beginning of a step.
    pub cursor: Option<String>,
}

impl Position {
    /// The beginning of a step.
    pub fn begin(step: u8) -> Self {
        Self { step, cursor: None }
    }

    /// The place after a page of `step`, by the cursor that came with it. A
    /// missing and an empty cursor both say that the page was the last.
    pub fn after(step: u8, cursor: Option<String>) -> Option<Self> {
        let cursor = cursor.filter(|cursor| !cursor.is_empty())?;
        Some(Self {
            step,
            cursor: Some(cursor),
        })
    }

    /// Reads a page token made by [`Position::token`] for the same list.
    pub fn read(list: &str, token: &str) -> Result<Self> {
        if token.is_empty() {
            return Ok(Self::default());
        }
        let corrupt = |reason| Error::TokenCorrupt {
            list: list.to_owned(),
            reason,
        };
        let mut parts = token.splitn(4, '.');
        if parts.next() != Some(TOKEN_VERSION) {
            return Err(corrupt("it has another form"));
        }
        let (Some(bound), Some(step), Some(cursor)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(corrupt("it is cut off"));
        };
        if bound != bound_to(list) {
            return Err(corrupt("it belongs to another list"));
        }
        let step = step.parse().map_err(|_| corrupt("its step is no number"))?;
        Ok(Self {
            step,
            cursor: (!cursor.is_empty()).then(|| cursor.to_owned()),
        })
    }

    /// The page token of this place in a list. Tokens are bound to the list's
    /// name, which should hold the ids that the list depends on.
    pub fn token(&self, list: &str) -> PageToken {
        let cursor = self.cursor.as_deref().unwrap_or_default();
        let bound = bound_to(list);
        PageToken::from(format!("{TOKEN_VERSION}.{bound}.{}.{cursor}", self.step))
    }
}

/// What one request of a list brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the list goes on; `None` at its end.
    pub next: Option<Position>,
    /// Items of the whole list, if the server says so.
    pub total: Option<u64>,
}

impl<T> Chunk<T> {
    /// A chunk of a list that has one step.
    pub fn new(items: Vec<T>, cursor: Option<String>) -> Self {
        Self {
            items,
            next: Position::after(0, cursor),
            total: None,
        }
    }
}

/// One page of a list, for a syncer: reads the token, fetches, and makes the
/// next token. `list` is the list's name with its ids, as in
/// ``members of group `g-1` ``.
pub async fn page<T, F>(list: &str, token: &str, fetch: F) -> Result<Page<T>>
where
    F: AsyncFnOnce(Position) -> Result<Chunk<T>>,
{
    let position = Position::read(list, token)?;
    let chunk = fetch(position.clone()).await?;
    check_length(list, chunk.next.as_ref())?;
    let next = match chunk.next {
        None => PageToken::last(),
        Some(next) if next == position && next.cursor.is_some() => {
            return Err(Error::TokenUnchanged {
                list: list.to_owned(),
                token: shorten(next.cursor.as_deref().unwrap_or_default()),
            });
        }
        Some(next) => next.token(list),
    };
    let counted = chunk.total.map_or(Counted::Untold, Counted::Rows);
    Ok(Page::new(chunk.items, next).counted(counted))
}

fn check_length(list: &str, next: Option<&Position>) -> Result<()> {
    let bytes = next.map_or(0, |next| next.cursor.as_ref().map_or(0, String::len));
    if bytes > MAX_CURSOR_BYTES {
        return Err(Error::CursorTooLong {
            list: list.to_owned(),
            bytes,
        });
    }
    Ok(())
}

/// All chunks of a list, in order, with loop detection. `id_of` tells the
/// items apart.
pub fn chunks<T, F, I>(
    list: impl Into<String>,
    fetch: F,
    id_of: I,
) -> impl Stream<Item = Result<Vec<T>>>
where
    F: AsyncFnMut(Position) -> Result<Chunk<T>>,
    I: for<'a> Fn(&'a T) -> Cow<'a, str>,
{
    let list = list.into();
    let guard = LoopGuard::new(list.clone());
    let first = Some(Position::default());
    try_unfold(
        (first, guard, fetch, id_of),
        move |(position, mut guard, mut fetch, id_of)| {
            let list = list.clone();
            async move {
                let Some(position) = position else {
                    return Ok(None);
                };
                let chunk = fetch(position.clone()).await?;
                check_length(&list, chunk.next.as_ref())?;
                let token = |at: &Position| match at.cursor {
                    None if at.step == 0 => PageToken::last(),
                    _ => at.token(&list),
                };
                guard.check(
                    token(&position).as_str(),
                    chunk.next.as_ref().map(token).unwrap_or_default().as_str(),
                    chunk.items.iter().map(&id_of),
                )?;
                Ok(Some((chunk.items, (chunk.next, guard, fetch, id_of))))
            }
        },
    )
}

/// Finds out when a list comes back to a page that it delivered before.
///
/// Two pages are the same when they were asked with the same token and hold
/// the same set of ids. A server may reuse a token for other items, and many
/// pages may be empty or alike: neither is a loop. But a list of which
/// [`MAX_PAGES_WITHOUT_NEW_ROWS`] pages in a row bring nothing new never ends.
/// Memory: 16 bytes per page and per id, of the first million.
#[derive(Debug, Clone)]
pub struct LoopGuard {
    list: String,
    seen: BTreeSet<u128>,
    pages: u64,
    /// Ids of the items so far.
    ids: HashSet<u128>,
    /// Pages in a row that brought none but those.
    without_new: u32,
}

impl LoopGuard {
    /// The guard of one list, which `list` names in errors.
    pub fn new(list: impl Into<String>) -> Self {
        Self {
            list: list.into(),
            seen: BTreeSet::new(),
            pages: 0,
            ids: HashSet::new(),
            without_new: 0,
        }
    }

    /// Takes note of a page: the token it was asked with, the token that
    /// comes next (empty after the last page), and the ids of its items.
    pub fn check<'a, I>(&mut self, token: &str, next: &str, ids: I) -> Result<()>
    where
        I: IntoIterator,
        I::Item: Into<Cow<'a, str>>,
    {
        self.pages += 1;
        if !token.is_empty() && next == token {
            return Err(Error::TokenUnchanged {
                list: self.list.clone(),
                token: shorten(token),
            });
        }
        // A last page cannot be part of a loop, so nothing needs noting.
        if next.is_empty() {
            return Ok(());
        }
        let ids: Vec<u128> = ids
            .into_iter()
            .map(|id| fnv128(FNV_START, id.into().as_bytes()))
            .collect();
        if self.seen.insert(page_mark(token, &ids)) {
            return self.check_new(&ids);
        }
        Err(Error::PagingLoop {
            list: self.list.clone(),
            token: shorten(token),
            pages: self.pages,
        })
    }

    /// Counts pages that bring nothing new.
    fn check_new(&mut self, ids: &[u128]) -> Result<()> {
        let before = self.ids.len();
        let room = MAX_REMEMBERED_IDS.saturating_sub(before);
        self.ids.extend(ids.iter().take(room));
        let is_new = self.ids.len() > before || ids.iter().any(|id| !self.ids.contains(id));
        self.without_new = if is_new { 0 } else { self.without_new + 1 };
        if self.without_new < MAX_PAGES_WITHOUT_NEW_ROWS {
            return Ok(());
        }
        Err(Error::NothingNew {
            list: self.list.clone(),
            pages: self.pages,
        })
    }

    /// Pages seen.
    pub fn pages(&self) -> u64 {
        self.pages
    }
}

/// Equal for equal tokens with equal sets of ids, whatever their order.
fn page_mark(token: &str, ids: &[u128]) -> u128 {
    let distinct: BTreeSet<u128> = ids.iter().copied().collect();
    let mut mark = fnv128(FNV_START, token.as_bytes());
    for id in distinct {
        mark = fnv128(mark, &id.to_le_bytes());
    }
    mark
}

const FNV_START: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const FNV_PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

/// FNV-1a: the same on every machine and in every version, since tokens
/// outlive a process.
fn fnv128(start: u128, bytes: &[u8]) -> u128 {
    bytes.iter().fold(start, |hash, byte| {
        (hash ^ u128::from(*byte)).wrapping_mul(FNV_PRIME)
    })
}

/// A fingerprint of some pieces of data, as text: equal for equal pieces, on
/// every machine and in every version. For the content facts of a connector
/// whose answers depend on data that it has read; not for secrets.
///
/// ```
/// # use baton_connector::fingerprint;
/// assert_eq!(fingerprint(["a", "bc"]), fingerprint([b"a".as_slice(), b"bc"]));
/// assert_ne!(fingerprint(["a", "bc"]), fingerprint(["ab", "c"]));
/// ```
pub fn fingerprint<B: AsRef<[u8]>>(pieces: impl IntoIterator<Item = B>) -> String {
    let mut hash = FNV_START;
    for piece in pieces {
        let bytes = piece.as_ref();
        hash = fnv128(hash, &(bytes.len() as u64).to_le_bytes());
        hash = fnv128(hash, bytes);
    }
    format!("{hash:032x}")
}

/// FNV-1a of 128 bits, folded.
fn fnv64(bytes: &[u8]) -> u64 {
    let hash = fnv128(FNV_START, bytes);
    let low = hash & u128::from(u64::MAX);
    // Both halves fit.
    u64::try_from((hash >> 64) ^ low).unwrap_or_default()
}

/// What binds a token to its list.
fn bound_to(list: &str) -> String {
    format!("{:016x}", fnv64(list.as_bytes()))
}

/// A token for an error message: tokens can be kilobytes long.
pub(crate) fn shorten(token: &str) -> String {
    match token.char_indices().nth(SHOWN_TOKEN_CHARS) {
        Some((end, _)) => format!("{}…", &token[..end]),
        None => token.to_owned(),
    }
}
