//! Lists that come in answers to requests: one function per way of paging.
//!
//! Each sends the request of one page, and returns where the list continues. A
//! page that is the same as the one before it is a loop, whatever its number;
//! longer circles are found by the engine.

use crate::call::Call;
use crate::error::{Error, Result};
use crate::http::{HttpClient, Request, Response};
use crate::page::{Page, shorten};
use crate::upstream_count::UpstreamCount;

use super::{Chunk, Position, fnv64, page};

/// What an answer holds of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows<T> {
    items: Vec<T>,
    received: u64,
    filtered: bool,
    total: Option<u64>,
    cursor: Option<String>,
    last: Option<bool>,
}

impl<T> Rows<T> {
    /// All rows of the answer.
    pub fn new(items: Vec<T>) -> Self {
        Self {
            received: items.len() as u64,
            items,
            filtered: false,
            total: None,
            cursor: None,
            last: None,
        }
    }

    /// States how many rows the answer had, where some of them are left out.
    #[must_use]
    pub fn of(mut self, received: usize) -> Self {
        self.received = received as u64;
        self.filtered = true;
        self
    }

    /// Rows of the whole list, as the application counts them. Where no row is
    /// left out, the sync compares it with what the list brought.
    #[must_use]
    pub fn total(mut self, total: Option<u64>) -> Self {
        self.total = total;
        self
    }

    /// The cursor of the next page, for [`body_cursor`]. Missing and empty
    /// both mean that this page is the last.
    #[must_use]
    pub fn cursor(mut self, cursor: Option<String>) -> Self {
        self.cursor = cursor;
        self
    }

    /// Whether this page is the last, where the answer states it. It wins over
    /// every other rule, also over the cursor.
    #[must_use]
    pub fn last(mut self, last: Option<bool>) -> Self {
        self.last = last;
        self
    }

    fn upstream_count(&self) -> UpstreamCount {
        match self.total {
            Some(total) if !self.filtered => UpstreamCount::Rows(total),
            _ => UpstreamCount::Unknown,
        }
    }
}

impl<T> From<Vec<T>> for Rows<T> {
    fn from(items: Vec<T>) -> Self {
        Self::new(items)
    }
}

/// What ends a list whose pages are numbered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum End {
    /// A page without rows: costs one more request, and trusts nothing else.
    #[default]
    EmptyPage,
    /// A page with fewer rows than were asked for. Trusts that the server
    /// never gives fewer, also where it caps the size of a page.
    ShortPage,
    /// As many rows as the total. Trusts that the total is not capped.
    Total,
}

/// How the pages of a list are numbered.
#[derive(Debug, Clone, Copy)]
pub struct Numbered {
    param: &'static str,
    first: u64,
    by_rows: bool,
    size: Option<(&'static str, u32)>,
    end: End,
}

impl Numbered {
    /// Pages have numbers from 1 on, in the query value `param`.
    pub fn pages(param: &'static str) -> Self {
        Self {
            param,
            first: 1,
            by_rows: false,
            size: None,
            end: End::default(),
        }
    }

    /// Pages begin at a row, counted from 0, in the query value `param`.
    pub fn rows(param: &'static str) -> Self {
        Self {
            first: 0,
            by_rows: true,
            ..Self::pages(param)
        }
    }

    /// The number of the first page or row.
    #[must_use]
    pub fn first(mut self, number: u64) -> Self {
        self.first = number;
        self
    }

    /// Asks for so many rows per page, in the query value `param`.
    #[must_use]
    pub fn size(mut self, param: &'static str, rows: u32) -> Self {
        self.size = Some((param, rows));
        self
    }

    /// What ends the list.
    #[must_use]
    pub fn end(mut self, end: End) -> Self {
        self.end = end;
        self
    }

    /// Whether nothing follows `rows`, with which `seen` rows have come.
    fn is_over<T>(&self, list: &str, rows: &Rows<T>, seen: u64) -> Result<bool> {
        if let Some(last) = rows.last {
            return Ok(last);
        }
        if rows.received == 0 {
            return Ok(true);
        }
        match (self.end, self.size, rows.total) {
            (End::ShortPage, Some((_, size)), _) => Ok(rows.received < u64::from(size)),
            (End::ShortPage, None, _) => Err(Error::Build {
                what: format!("list {list}"),
                reason: "its pages have no size, so none is short",
            }),
            (End::Total, _, Some(total)) => Ok(seen >= total),
            // Without the total that it should have had, an empty page ends it.
            (End::EmptyPage, ..) | (End::Total, _, None) => Ok(false),
        }
    }
}

/// A place in a numbered list.
struct At {
    /// Of the page or its first row.
    number: u64,
    /// Rows on the pages before.
    seen: u64,
    /// Fingerprint of the page before.
    before: Option<u64>,
}

impl At {
    fn read(list: &str, first: u64, position: &Position) -> Result<Self> {
        let Some(cursor) = &position.cursor else {
            return Ok(Self {
                number: first,
                seen: 0,
                before: None,
            });
        };
        let mut parts = cursor.splitn(3, '.');
        let mut decimal = || parts.next()?.parse().ok();
        match (decimal(), decimal()) {
            (Some(number), Some(seen)) => Ok(Self {
                number,
                seen,
                before: parts
                    .next()
                    .and_then(|text| u64::from_str_radix(text, 16).ok()),
            }),
            _ => Err(Error::TokenCorrupt {
                list: list.to_owned(),
                reason: "it has no number of a page",
            }),
        }
    }

    fn cursor(&self) -> String {
        let before = self.before.unwrap_or_default();
        format!("{}.{}.{before:x}", self.number, self.seen)
    }
}

/// A list whose pages have numbers, or begin at a row: see [`Numbered`].
pub async fn numbered<T, R: Into<Rows<T>>>(
    list: &str,
    call: &Call,
    client: &HttpClient,
    request: Request,
    by: Numbered,
    read: impl FnOnce(&Response) -> Result<R>,
) -> Result<Page<T>> {
    let mut counted = UpstreamCount::Unknown;
    let page = page(list, call.token(), async |position| {
        let at = At::read(list, by.first, &position)?;
        let mut request = request.query(by.param, &at.number.to_string());
        if let Some((param, size)) = by.size {
            request = request.query(param, &size.to_string());
        }
        let response = client.on(call).send(&request).await?;
        let rows = read(&response)?.into();
        counted = rows.upstream_count();
        let seen = at.seen.saturating_add(rows.received);
        if by.is_over(list, &rows, seen)? {
            return Ok(Chunk::new(rows.items, None));
        }
        let mark = fnv64(response.body());
        let step = if by.by_rows { rows.received } else { 1 };
        let number = at.number.checked_add(step);
        let stuck = rows.received > 0 && at.before == Some(mark);
        let (Some(number), false) = (number, stuck) else {
            return Err(Error::PagingLoop {
                list: list.to_owned(),
                token: at.number.to_string(),
                pages: 2,
            });
        };
        let next = At {
            number,
            seen,
            before: Some(mark),
        };
        Ok(Chunk::new(rows.items, Some(next.cursor())))
    })
    .await?;
    Ok(page.upstream_count(counted))
}

/// A list whose answers name the next page in a `Link` header. The next page
/// must be on the host of the first one, since it is sent the same
/// credentials.
pub async fn link_next<T, R: Into<Rows<T>>>(
    list: &str,
    call: &Call,
    client: &HttpClient,
    request: Request,
    read: impl FnOnce(&Response) -> Result<R>,
) -> Result<Page<T>> {
    let mut counted = UpstreamCount::Unknown;
    let page = page(list, call.token(), async |position| {
        let request = match &position.cursor {
            None => request,
            Some(cursor) => request.follow(list, cursor)?,
        };
        let response = client.on(call).send(&request).await?;
        let rows = read(&response)?.into();
        counted = rows.upstream_count();
        let next = match rows.last {
            Some(true) => None,
            _ => response.next_link()?,
        };
        let next = match next {
            // The first page has no token that could be compared.
            Some(next) if next == *request.url() => {
                return Err(Error::TokenUnchanged {
                    list: list.to_owned(),
                    token: shorten(next.path()),
                });
            }
            Some(next) => {
                let next = request.clone().follow(list, next.as_str())?;
                Some(next.url().as_str().to_owned())
            }
            None if rows.last == Some(false) => return Err(no_way_on(list)),
            None => None,
        };
        Ok(Chunk::new(rows.items, next))
    })
    .await?;
    Ok(page.upstream_count(counted))
}

/// A list whose answers hold the cursor of the next page ([`Rows::cursor`]),
/// which goes into the query value `param`.
pub async fn body_cursor<T, R: Into<Rows<T>>>(
    list: &str,
    call: &Call,
    client: &HttpClient,
    request: Request,
    param: &'static str,
    read: impl FnOnce(&Response) -> Result<R>,
) -> Result<Page<T>> {
    let mut counted = UpstreamCount::Unknown;
    let page = page(list, call.token(), async |position| {
        let request = request.maybe_query(param, position.cursor.as_deref());
        let response = client.on(call).send(&request).await?;
        let rows: Rows<T> = read(&response)?.into();
        counted = rows.upstream_count();
        let cursor = rows.cursor.filter(|cursor| !cursor.is_empty());
        match (rows.last, cursor) {
            (Some(true), _) => Ok(Chunk::new(rows.items, None)),
            (Some(false), None) => Err(no_way_on(list)),
            (_, cursor) => Ok(Chunk::new(rows.items, cursor)),
        }
    })
    .await?;
    Ok(page.upstream_count(counted))
}

/// The answer announces more pages, and not where they are.
fn no_way_on(list: &str) -> Error {
    Error::stated(
        baton_proto::Code::Internal,
        format!("{list}: the answer announces more pages, but not where they are"),
    )
}
