//! Lists that are at hand as a whole.

use crate::call::Call;
use crate::error::{Error, Result};
use crate::page::Page;

use super::Position;

/// Rows of a page of [`slice()`](super::slice), for callers that ask for no other number.
pub const ROWS_PER_SLICE: usize = 100;

/// One page of a list that is at hand as a whole; its cursor is the number of
/// the next row. The rows must be the same in every process that continues the
/// list: put a fingerprint of them into the connector's content facts.
pub fn slice<R, T>(
    list: &str,
    call: &Call,
    rows: &[R],
    make: impl FnMut(&R) -> Result<T>,
) -> Result<Page<T>> {
    let position = Position::read(list, call.token())?;
    let corrupt = |reason| Error::TokenCorrupt {
        list: list.to_owned(),
        reason,
    };
    let start: usize = match &position.cursor {
        None => 0,
        Some(cursor) => cursor
            .parse()
            .map_err(|_| corrupt("its row is not a number"))?,
    };
    // No token that was made for these rows leads behind the last one.
    if start > 0 && start >= rows.len() {
        return Err(corrupt("its row is behind the end of the list"));
    }
    let rest = rows.get(start..).unwrap_or_default();
    let most = match usize::try_from(call.page_size()) {
        Ok(0) | Err(_) => ROWS_PER_SLICE,
        Ok(most) => most,
    };
    let (now, later) = rest.split_at(rest.len().min(most));
    let items = now.iter().map(make).collect::<Result<_>>()?;
    let next = (!later.is_empty()).then(|| (start + now.len()).to_string());
    let next = Position::after(0, next).map(|next| next.token(list));
    Ok(Page::new(items, next.unwrap_or_default()))
}
