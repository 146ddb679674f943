//! What is wrong with an expression, and where.

use std::fmt;

use baton_proto::figures::count;

use super::{MAX_BYTES, MAX_DEPTH};
use crate::error::NoSuchField;

/// An expression that is not a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BadCondition {
    /// Line in the text, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The text has more bytes than a condition may have.
    TooLong,
    /// Brackets, operators or calls are nested too deep.
    TooDeep,
    /// The text is empty.
    Empty,
    /// A character that begins no word.
    Character(char),
    /// A number that is malformed or too large.
    Number,
    /// A text in quotes does not end.
    OpenText,
    /// A backslash with something that it does not go with.
    Escape,
    /// Something else was expected.
    Unexpected {
        /// What was expected.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// A word that CEL reserves.
    Reserved(String),
    /// A name that no field of the table has.
    Field(NoSuchField),
    /// An entity is named, but none of its fields.
    Entity(&'static str),
    /// A name that no function has.
    Function {
        /// The name.
        name: String,
        /// Names that are near to it.
        nearest: Vec<&'static str>,
    },
    /// A function has another number of arguments, or is called in another way.
    Arguments {
        /// How it is called.
        usage: &'static str,
    },
    /// A regular expression is malformed or too large.
    Regex(String),
    /// The expression is of this kind, and never true or false.
    NotBoolean(&'static str),
}

/// A problem at an offset.
#[derive(Debug)]
pub(super) struct Fault {
    pub at: usize,
    pub problem: Problem,
}

impl Fault {
    pub fn new(at: usize, problem: Problem) -> Self {
        Self { at, problem }
    }

    /// The same with line and column.
    pub fn in_text(self, text: &str) -> BadCondition {
        let (line, column) = position(text, self.at);
        BadCondition {
            line,
            column,
            problem: self.problem,
        }
    }
}

/// Line and column of an offset, from 1.
pub(super) fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_begin = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.matches('\n').count() + 1;
    (line, before[line_begin..].chars().count() + 1)
}

impl fmt::Display for BadCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "line {}, column {}: {}",
            self.line, self.column, self.problem
        )
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |n: usize| count(u64::try_from(n).unwrap_or(u64::MAX));
        match self {
            Self::TooLong => write!(
                f,
                "the expression is longer than {} bytes",
                number(MAX_BYTES)
            ),
            Self::TooDeep => write!(
                f,
                "the expression is nested deeper than {} levels",
                number(MAX_DEPTH)
            ),
            Self::Empty => f.write_str("the expression is empty"),
            Self::Character(c) => write!(f, "unexpected character `{c}`"),
            Self::Number => f.write_str("the number is malformed or too large"),
            Self::OpenText => f.write_str("the text that begins here has no closing quote"),
            Self::Escape => f.write_str("unknown escape; in a regular expression, write r\"…\""),
            Self::Unexpected { expected, found } if found == "`=`" => {
                write!(f, "expected {expected}, found {found}; equality is `==`")
            }
            Self::Unexpected { expected, found } => {
                write!(f, "expected {expected}, found {found}")
            }
            Self::Reserved(word) => write!(f, "`{word}` is a reserved word"),
            Self::Field(field) => field.fmt(f),
            Self::Entity(name) => write!(f, "expected a field of `{name}`, as `{name}.id`"),
            Self::Function { name, nearest } => {
                write!(f, "`{name}` is not the name of a function")?;
                if !nearest.is_empty() {
                    let near: Vec<String> = nearest.iter().map(|n| format!("`{n}`")).collect();
                    write!(f, "; near matches: {}", near.join(", "))?;
                }
                Ok(())
            }
            Self::Arguments { usage } => write!(f, "expected `{usage}`"),
            Self::Regex(reason) => write!(f, "malformed regular expression: {reason}"),
            Self::NotBoolean(kind) => {
                write!(f, "the expression is a {kind}; expected true or false")
            }
        }
    }
}
