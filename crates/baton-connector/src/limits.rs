//! Limits of lists that errors name.

/// Longest cursor that is taken from a server, in bytes: it must fit into the
/// next request's URL or header with room to spare.
pub const MAX_CURSOR_BYTES: usize = 64 * 1024;

/// Pages of one list in a row that may bring nothing new. More are a list
/// that never ends.
pub const MAX_PAGES_WITHOUT_NEW_ROWS: u32 = 1000;
