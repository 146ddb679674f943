//! Reading lists page by page.
//!
//! [`slice()`], [`link_next`], [`numbered`] and [`body_cursor`] serve the usual
//! kinds of lists. Any other list is a function from a [`Position`] to a
//! [`Chunk`]: [`page`] makes one page of it with a token for the engine, and
//! [`every_page`] reads all of it. No endpoint writes a loop of its own.
//!
//! [`ListGuard`] and [`LoopGuard`] notice lists that never end. The number of
//! pages with new rows has no limit (DESIGN decision 12).

mod guard;
mod requests;
mod slices;

use crate::error::{Error, Result};
use crate::page::{Page, PageToken, shorten};
use crate::upstream_count::UpstreamCount;

pub use crate::limits::{MAX_CURSOR_BYTES, MAX_PAGES_WITHOUT_NEW_ROWS};
pub use guard::{ItemSet, ListGuard, LoopGuard};
pub use requests::{End, Numbered, Rows, body_cursor, link_next, numbered};
pub use slices::{ROWS_PER_SLICE, slice};

/// Marks tokens of this form; another form gets another mark.
const TOKEN_VERSION: &str = "b1";

/// Where a list continues: the author's step of the list, and the server's
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
    /// Where the list continues; `None` at its end.
    pub next: Option<Position>,
    /// Items of the whole list, if the server states them.
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
    let counted = chunk
        .total
        .map_or(UpstreamCount::Unknown, UpstreamCount::Rows);
    Ok(Page::new(chunk.items, next).upstream_count(counted))
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

/// Reads a list from beginning to end and gives the items of each page to
/// `visit`. Returns the number of pages. `id_of` gives the id of an item, by
/// which loops are noticed ([`ListGuard`]).
///
/// # Errors
/// Those of `fetch` and of the guard, and [`Error::CursorTooLong`].
pub async fn every_page<T, F, R, I>(
    list: impl Into<String>,
    mut fetch: F,
    id_of: I,
    mut visit: impl FnMut(Vec<T>),
) -> Result<u64>
where
    F: FnMut(Position) -> R,
    R: Future<Output = Result<Chunk<T>>>,
    I: Fn(&T) -> &str,
{
    let list = list.into();
    let token = |at: &Position| match at.cursor {
        None if at.step == 0 => PageToken::last(),
        _ => at.token(&list),
    };
    let mut guard = ListGuard::new(list.clone());
    let mut position = Some(Position::default());
    while let Some(at) = position {
        let asked = token(&at);
        let chunk = fetch(at).await?;
        check_length(&list, chunk.next.as_ref())?;
        let next = chunk.next.as_ref().map(token).unwrap_or_default();
        guard.check(
            asked.as_str(),
            next.as_str(),
            chunk.items.iter().map(&id_of),
        )?;
        visit(chunk.items);
        position = chunk.next;
    }
    Ok(guard.pages())
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
