//! Tests of the rules: recorded requests, one broken request of each rule, and
//! what a decoder does with fields that occur twice.

mod decoding;
mod each_rule;
mod recorded;
