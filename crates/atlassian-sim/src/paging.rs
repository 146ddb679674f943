//! Pages: from a request to a question with a place, from an ordered run of keys to one page and the next cursor.
//!
//! Every list of the API goes through here, so limits, cursor rules, short pages and the end of a list are the same
//! everywhere. With a cursor all other values are ignored: the cursor holds the whole question.

use std::cmp::Ordering;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::call::Call;
use crate::config::{CursorKind, LastPage, PageFill};
use crate::cursor::{CursorBody, Place};
use crate::errors::ApiError;
use crate::model::profile::Member;
use crate::random::draw;

/// The page sizes of an endpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageSizes {
    pub default: u32,
    pub max: u32,
}

/// 20 by default, at most 100.
pub(crate) const LIST: PageSizes = PageSizes {
    default: 20,
    max: 100,
};
/// 50 by default, at most 100.
pub(crate) const USER_SEARCH: PageSizes = PageSizes {
    default: 50,
    max: 100,
};
/// 20 by default, at most 1,000.
pub(crate) const LONG_LIST: PageSizes = PageSizes {
    default: 20,
    max: 1000,
};
/// 25 by default, at most 500 (assumed).
pub(crate) const EVENTS: PageSizes = PageSizes {
    default: 25,
    max: 500,
};
/// Fixed at 100 (assumed): managed accounts and the organization list take no size.
pub(crate) const FIXED: PageSizes = PageSizes {
    default: 100,
    max: 100,
};

/// A list request: what is asked and from where on.
#[derive(Clone, Debug)]
pub(crate) struct ListRequest<F> {
    pub filters: F,
    pub page_size: u32,
    pub place: Place,
    pub served: u64,
    pub page: u32,
}

/// One page of keys and the cursors around it.
#[derive(Clone, Debug)]
pub(crate) struct PageSlice {
    pub keys: Vec<u64>,
    pub this: String,
    pub next: Option<String>,
    /// A cursor at the end of this page, whether or not more follows.
    pub resume: String,
}

/// Parses a page size given as text.
pub(crate) fn size_from_text(
    name: &str,
    text: Option<&str>,
    sizes: PageSizes,
) -> Result<u32, ApiError> {
    match text {
        None => Ok(sizes.default),
        Some(text) => size_in_range(name, text.parse::<i64>().ok(), sizes),
    }
}

/// Parses a page size given as JSON.
pub(crate) fn size_from_json(
    name: &str,
    value: Option<&serde_json::Value>,
    sizes: PageSizes,
) -> Result<u32, ApiError> {
    match value {
        None | Some(serde_json::Value::Null) => Ok(sizes.default),
        Some(value) => size_in_range(name, value.as_i64(), sizes),
    }
}

fn size_in_range(name: &str, size: Option<i64>, sizes: PageSizes) -> Result<u32, ApiError> {
    size.and_then(|n| u32::try_from(n).ok())
        .filter(|n| (1..=sizes.max).contains(n))
        .ok_or_else(|| {
            ApiError::bad_parameter(format!("`{name}` must be a number from 1 to {}", sizes.max))
        })
}

impl<F: DeserializeOwned> ListRequest<F> {
    /// The question of a request: the one its cursor holds, or a new one with filters and page size.
    pub(crate) fn open(
        call: &Call<'_>,
        cursor: Option<&str>,
        first: impl FnOnce() -> Result<(F, u32), ApiError>,
    ) -> Result<Self, ApiError> {
        let Some(cursor) = cursor else {
            let (filters, page_size) = first()?;
            return Ok(Self {
                filters,
                page_size,
                place: Place::Start,
                served: 0,
                page: 0,
            });
        };
        let body = call.seal.open(cursor).ok_or_else(ApiError::bad_cursor)?;
        let age_millis = call.now.as_millisecond() - body.issued_millis;
        let expired = call.cursor_lifetime().is_some_and(|lifetime| {
            age_millis > i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX)
        });
        if expired || body.bound_to != call.binding() {
            return Err(ApiError::bad_cursor());
        }
        let filters = serde_json::from_value(body.filters).map_err(|_| ApiError::bad_cursor())?;
        Ok(Self {
            filters,
            page_size: body.page_size,
            place: body.place,
            served: body.served,
            page: body.page,
        })
    }
}

impl<F: Serialize> ListRequest<F> {
    /// One page of an ordered run; `keys` gives the keys after the one it is handed, in the list's order.
    pub(crate) fn slice<I: Iterator<Item = u64>>(
        &self,
        call: &Call<'_>,
        keys: impl FnOnce(Option<u64>) -> I,
    ) -> PageSlice {
        let fill = self.fill(call);
        let (after, skip) = match &self.place {
            Place::After(key) | Place::AfterName(_, key) => (Some(*key), 0),
            Place::Offset(n) => (None, usize::try_from(*n).unwrap_or(usize::MAX)),
            Place::Start => (None, 0),
        };
        let mut found: Vec<u64> = keys(after).skip(skip).take(fill + 1).collect();
        let more = found.len() > fill;
        found.truncate(fill);
        let place = match (call.paging.cursors, found.last()) {
            (_, None) => self.place.clone(),
            (CursorKind::Keyset, Some(last)) => Place::After(*last),
            (CursorKind::Offset, Some(_)) => Place::Offset(self.served + found.len() as u64),
        };
        self.finish(call, found, more, place)
    }

    /// One page of a list sorted by name, ties by key. Sorts all matching keys: for lists that clients rarely ask for.
    pub(crate) fn slice_by_name<I: Iterator<Item = u64>>(
        &self,
        call: &Call<'_>,
        keys: impl FnOnce(Option<u64>) -> I,
        name: impl Fn(u64) -> String,
        descending: bool,
    ) -> PageSlice {
        let order = |a: &(String, u64), b: &(String, u64)| -> Ordering {
            let by_name = a.0.cmp(&b.0);
            (if descending {
                by_name.reverse()
            } else {
                by_name
            })
            .then(a.1.cmp(&b.1))
        };
        let mut rows: Vec<(String, u64)> = keys(None).map(|k| (name(k), k)).collect();
        match &self.place {
            Place::AfterName(last_name, last_key) => {
                let last = (last_name.clone(), *last_key);
                rows.retain(|row| order(row, &last) == Ordering::Greater);
                rows.sort_by(order);
            }
            Place::Offset(n) => {
                rows.sort_by(order);
                rows.drain(..usize::try_from(*n).unwrap_or(usize::MAX).min(rows.len()));
            }
            Place::Start | Place::After(_) => rows.sort_by(order),
        }
        let fill = self.fill(call);
        let more = rows.len() > fill;
        rows.truncate(fill);
        let place = match (call.paging.cursors, rows.last()) {
            (_, None) => self.place.clone(),
            (CursorKind::Keyset, Some((name, key))) => Place::AfterName(name.clone(), *key),
            (CursorKind::Offset, Some(_)) => Place::Offset(self.served + rows.len() as u64),
        };
        self.finish(
            call,
            rows.into_iter().map(|(_, k)| k).collect(),
            more,
            place,
        )
    }

    fn finish(&self, call: &Call<'_>, keys: Vec<u64>, more: bool, place: Place) -> PageSlice {
        let cursor = |place: Place, served: u64, page: u32| {
            call.seal.seal(&CursorBody {
                bound_to: call.binding(),
                // Filters are plain data: writing them as JSON cannot fail.
                filters: serde_json::to_value(&self.filters).unwrap_or_default(),
                page_size: self.page_size,
                place,
                served,
                page,
                issued_millis: call.now.as_millisecond(),
            })
        };
        let served = self.served + keys.len() as u64;
        let resume = cursor(place, served, self.page.saturating_add(1));
        PageSlice {
            this: cursor(self.place.clone(), self.served, self.page),
            next: more.then(|| resume.clone()),
            resume,
            keys,
        }
    }

    /// How many items this page carries at most.
    fn fill(&self, call: &Call<'_>) -> usize {
        let size = u64::from(self.page_size);
        let word = draw(
            call.seed,
            0xf111,
            self.served ^ (u64::from(self.page) << 40),
        );
        let short = 1 + word % size.max(1);
        let items = match call.paging.fill {
            PageFill::Full => size,
            PageFill::AtMost(most) => size.min(u64::from(most)).max(1),
            // Never two empty pages in a row: an endless list would look the same.
            PageFill::ShortOrEmpty if self.page % 2 == 1 && word.is_multiple_of(3) => 0,
            PageFill::Short | PageFill::ShortOrEmpty => short,
        };
        usize::try_from(items).unwrap_or(usize::MAX)
    }
}

/// The `links` of a page.
#[derive(Debug, Serialize)]
pub(crate) struct Links {
    #[serde(rename = "self")]
    this: String,
    prev: Option<String>,
    #[serde(skip_serializing_if = "Member::is_missing")]
    next: Member<String>,
}

impl Links {
    pub(crate) fn new(call: &Call<'_>, slice: &PageSlice, render: impl Fn(&str) -> String) -> Self {
        let next = match (&slice.next, call.paging.last_page) {
            (Some(next), _) => Member::Value(render(next)),
            (None, LastPage::Null) => Member::Null,
            (None, LastPage::Missing) => Member::Missing,
            (None, LastPage::Empty) => Member::Value(String::new()),
        };
        Self {
            this: slice.this.clone(),
            prev: None,
            next,
        }
    }
}

/// A page as the v2 lists answer it.
#[derive(Debug, Serialize)]
pub(crate) struct Page<T> {
    pub data: Vec<T>,
    pub links: Links,
}

impl<T: Serialize> Page<T> {
    /// The page's JSON; `links.next` is the bare cursor.
    pub(crate) fn render(call: &Call<'_>, slice: &PageSlice, data: Vec<T>) -> Vec<u8> {
        to_json(&Page {
            data,
            links: Links::new(call, slice, str::to_owned),
        })
    }
}

/// JSON of plain data, whose writing cannot fail.
pub(crate) fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
