//! Conditions in CEL, the Common Expression Language, over the fields of a
//! record.
//!
//! A condition is parsed once and evaluated for each record. All of it is
//! bounded: the bytes of the text, the nesting, regular expressions, and the
//! steps of an evaluation. The parser and the evaluator are our own: the
//! library of that name has no bound on steps and no times without a second
//! calendar; in the tests it is the reference.
//!
//! What of CEL exists: null, booleans, `int`, `uint`, `double`, texts, lists,
//! maps, times and durations; all operators; `has`, `all`, `exists`,
//! `exists_one`, `map`, `filter`; the functions of `tree.rs`.

mod call;
mod eval;
mod fault;
mod lex;
mod operand;
mod parse;
mod tree;

use std::fmt;

pub use eval::Reason;
pub use fault::{BadCondition, Problem};

use crate::error::{Error, Result};
use crate::field::{Field, Table};
use crate::record::Record;
use eval::{Evaluator, Fail};
use fault::{Fault, position};
use operand::Operand;
use tree::{Expr, Node};

/// Most bytes of an expression.
pub const MAX_BYTES: usize = 4 << 10;
/// Deepest nesting of an expression.
pub const MAX_DEPTH: usize = 64;
/// Most steps of an evaluation for one record.
pub const MAX_STEPS: usize = 10_000;
/// Bytes of a text that are compared or copied in one step.
const BYTES_PER_STEP: usize = 64;
/// Steps for a regular expression that is not known beforehand.
const STEPS_PER_REGEX: usize = 500;
/// Most bytes of a compiled regular expression.
const MAX_REGEX_BYTES: usize = 256 << 10;

/// A condition over the fields of a record.
///
/// ```
/// use baton_query::{Condition, Table};
///
/// let text = "principal.status == 'disabled' && !grant.immutable";
/// let condition = Condition::parse(text, Table::Grants)?;
/// assert_eq!(condition.fields().count(), 2);
///
/// let error = Condition::parse("principal.emial == ''", Table::Grants).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "line 1, column 1: `principal.emial` is not the name of a field; \
///      near matches: `principal.email`"
/// );
/// # Ok::<(), baton_query::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Condition {
    text: String,
    table: Table,
    expr: Expr,
    fields: Vec<Field>,
}

/// Whether a record meets a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matched {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// The condition has no value for it.
    Undecided(Undecided),
}

/// Why a condition has no value for a record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Undecided {
    /// Line in the expression, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub reason: Reason,
}

impl Condition {
    /// Parses an expression over the fields of a table.
    ///
    /// # Errors
    /// [`Error::BadCondition`] with the position.
    pub fn parse(text: &str, table: Table) -> Result<Self> {
        let bad = |fault: Fault| Error::BadCondition(Box::new(fault.in_text(text)));
        if text.len() > MAX_BYTES {
            return Err(bad(Fault::new(0, Problem::TooLong)));
        }
        let expr = parse::parse(text, table).map_err(bad)?;
        if let Some(kind) = parse::other_kind(&expr) {
            return Err(bad(Fault::new(expr.at, Problem::NotBoolean(kind))));
        }
        let mut fields = Vec::new();
        collect(&expr, &mut fields);
        fields.sort_unstable();
        fields.dedup();
        Ok(Self {
            text: text.to_owned(),
            table,
            expr,
            fields,
        })
    }

    /// The table whose records it is for.
    pub fn table(&self) -> Table {
        self.table
    }

    /// The fields that it names, for the view of the records.
    pub fn fields(&self) -> impl Iterator<Item = Field> {
        self.fields.iter().copied()
    }

    /// Whether the record meets the condition. The record's view must have the
    /// fields of the condition.
    ///
    /// # Errors
    /// Those of [`Record::value`].
    pub fn matches(&self, record: &Record<'_, '_>) -> Result<Matched> {
        let undecided = |at, reason| {
            let (line, column) = position(&self.text, at);
            Ok(Matched::Undecided(Undecided {
                line,
                column,
                reason,
            }))
        };
        match Evaluator::new(record).eval(&self.expr) {
            Ok(Operand::Bool(true)) => Ok(Matched::Yes),
            Ok(Operand::Bool(false)) => Ok(Matched::No),
            Ok(other) => undecided(self.expr.at, Reason::NotBoolean(other.kind())),
            Err(Fail::Value(at, reason)) => undecided(at, reason),
            Err(Fail::Steps) => undecided(self.expr.at, Reason::Steps),
            Err(Fail::File(error)) => Err(error),
        }
    }
}

/// The fields of an expression. The depth of expressions is bounded.
fn collect(expr: &Expr, fields: &mut Vec<Field>) {
    let mut each = |parts: &[Expr]| parts.iter().for_each(|part| collect(part, fields));
    match &expr.node {
        Node::Literal(_) | Node::Local(_) => {}
        Node::Field(field) => fields.push(*field),
        Node::Select(part, _)
        | Node::Has(part)
        | Node::Not(part)
        | Node::Negate(part)
        | Node::Matches(part, _) => collect(part, fields),
        Node::Index(parts) | Node::Binary(_, parts) => each(parts.as_slice()),
        Node::Conditional(parts) => each(parts.as_slice()),
        Node::List(parts) | Node::All(parts) | Node::Any(parts) | Node::Call(_, parts) => {
            each(parts);
        }
        Node::Map(entries) => entries.iter().for_each(|entry| each(entry)),
        Node::Macro(parts) => {
            collect(&parts.range, fields);
            if let Some(filter) = &parts.filter {
                collect(filter, fields);
            }
            collect(&parts.body, fields);
        }
    }
}

impl fmt::Display for Undecided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "line {}, column {}: {}",
            self.line, self.column, self.reason
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey(key) => write!(f, "there is no key `{key}`"),
            Self::NoItem => f.write_str("the list has no item with this number"),
            Self::Kinds { operation, kinds } => {
                write!(f, "`{operation}` does not apply to {}", kinds.join(" and "))
            }
            Self::Range => f.write_str("the result is out of range, or divided by zero"),
            Self::Text(expected) => write!(f, "the text is not {expected}"),
            Self::Regex(reason) => write!(f, "malformed regular expression: {reason}"),
            Self::NotBoolean(kind) => write!(f, "the result is a {kind}, not true or false"),
            Self::Steps => {
                let steps = u64::try_from(MAX_STEPS).unwrap_or(u64::MAX);
                let steps = baton_proto::figures::count(steps);
                write!(f, "the expression takes more than {steps} steps")
            }
        }
    }
}
