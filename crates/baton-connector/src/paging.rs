//! Reading lists page by page without getting lost.

/// Longest part of a token that an error shows.
const SHOWN_TOKEN_CHARS: usize = 40;

/// A token for an error message: tokens can be kilobytes long.
pub(crate) fn shorten(token: &str) -> String {
    match token.char_indices().nth(SHOWN_TOKEN_CHARS) {
        Some((end, _)) => format!("{}…", &token[..end]),
        None => token.to_owned(),
    }
}
