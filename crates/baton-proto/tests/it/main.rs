//! Integration tests of the wire types: fact tables, stored rows, JSON.

mod fixtures;
mod golden;
mod rows;
