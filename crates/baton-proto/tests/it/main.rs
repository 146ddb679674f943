//! Integration tests of the wire types: fact tables, stored rows, JSON.

mod compare;
mod fixtures;
mod golden;
mod mapping;
mod robust;
mod rows;
mod tables;
