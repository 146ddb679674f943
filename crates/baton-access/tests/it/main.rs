//! Expansion of whole sets of rows, from the outside.

mod expanded_rows;
mod model;
mod naive;
mod properties;
mod recorded_cases;
mod sealed_cases;
mod stored_file;
mod whole_files;
