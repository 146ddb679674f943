//! The sync file: page log, formats, one store boundary.
