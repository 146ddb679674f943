//! The value of an expression for one record.
//!
//! Each node that is evaluated is a step, and so is each piece of a text or a
//! list that is copied or compared. So no expression takes more than a bounded
//! time or memory per record. An error stays in the expression where `&&`,
//! `||`, `all` and `exists` do not depend on it.

use std::rc::Rc;

use super::call;
use super::operand::Operand;
use super::tree::{Expr, Function, Literal, Macro, MacroKind, Node, Operator};
use super::{BYTES_PER_STEP, MAX_STEPS, STEPS_PER_REGEX};
use crate::error::Error;
use crate::field::Field;
use crate::record::Record;
use crate::value::Value;

/// Why an expression has no value for a record.
#[derive(Debug)]
pub(super) enum Fail {
    /// What is wrong with the values, at an offset.
    Value(usize, Reason),
    /// The steps are used up.
    Steps,
    /// The record cannot be read.
    File(Error),
}

/// What is wrong with the values of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A map has no such key.
    NoKey(String),
    /// A list has no item with this number.
    NoItem,
    /// An operator or a function does not go with these kinds of values.
    Kinds {
        /// The operator or function.
        operation: &'static str,
        /// The kinds.
        kinds: Vec<&'static str>,
    },
    /// A result is too large for its kind, or a division by zero.
    Range,
    /// A text is not what a function converts.
    Text(&'static str),
    /// A regular expression is malformed.
    Regex(String),
    /// The result is of this kind, not true or false.
    NotBoolean(&'static str),
    /// The expression takes more steps than it may.
    Steps,
}

pub(super) type Evaluated<'v> = Result<Operand<'v>, Fail>;

/// Evaluates an expression for one record.
pub(super) struct Evaluator<'v, 's> {
    record: &'v Record<'v, 's>,
    steps: usize,
    /// Variables of the macros around.
    locals: Vec<Operand<'v>>,
}

impl<'v, 's> Evaluator<'v, 's> {
    pub fn new(record: &'v Record<'v, 's>) -> Self {
        Self {
            record,
            steps: MAX_STEPS,
            locals: Vec::new(),
        }
    }

    /// Uses steps.
    pub fn charge(&mut self, steps: usize) -> Result<(), Fail> {
        self.steps = self.steps.checked_sub(steps).ok_or(Fail::Steps)?;
        Ok(())
    }

    /// Uses the steps that comparing or copying values takes.
    fn charge_for(&mut self, values: &[&Operand<'_>]) -> Result<(), Fail> {
        if values.iter().all(|value| value.pay(&mut self.steps)) {
            return Ok(());
        }
        Err(Fail::Steps)
    }

    pub fn eval(&mut self, expr: &'v Expr) -> Evaluated<'v> {
        self.charge(1)?;
        let at = expr.at;
        match &expr.node {
            Node::Literal(literal) => Ok(value_of(literal)),
            Node::Field(field) => self.field(*field),
            Node::Local(slot) => Ok(self.locals.get(*slot).cloned().unwrap_or(Operand::Null)),
            Node::Select(map, key) => {
                let map = self.eval(map)?;
                self.select(at, &map, &Operand::Text(key.as_str().into()))
            }
            Node::Has(what) => self.has(what),
            Node::Index(parts) => {
                let (value, index) = (self.eval(&parts[0])?, self.eval(&parts[1])?);
                self.index(at, &value, &index)
            }
            Node::List(items) => {
                let items: Result<Vec<_>, Fail> =
                    items.iter().map(|item| self.eval(item)).collect();
                Ok(Operand::List(items?.into()))
            }
            Node::Map(entries) => self.map(entries),
            Node::Not(operand) => match self.eval(operand)? {
                Operand::Bool(value) => Ok(Operand::Bool(!value)),
                other => Err(kinds(at, "!", &[&other])),
            },
            Node::Negate(operand) => {
                let operand = self.eval(operand)?;
                call::negate(at, &operand)
            }
            Node::All(terms) => self.first(at, terms.iter(), false, "&&"),
            Node::Any(terms) => self.first(at, terms.iter(), true, "||"),
            Node::Conditional(parts) => match self.eval(&parts[0])? {
                Operand::Bool(true) => self.eval(&parts[1]),
                Operand::Bool(false) => self.eval(&parts[2]),
                other => Err(kinds(at, "?:", &[&other])),
            },
            Node::Binary(operator, parts) => {
                let (a, b) = (self.eval(&parts[0])?, self.eval(&parts[1])?);
                self.binary(at, *operator, &a, &b)
            }
            Node::Call(function, arguments) => {
                let values: Result<Vec<_>, Fail> = arguments
                    .iter()
                    .map(|argument| self.eval(argument))
                    .collect();
                let values = values?;
                self.charge_for(&values.iter().collect::<Vec<_>>())?;
                if *function == Function::Matches {
                    self.charge(STEPS_PER_REGEX)?;
                }
                call::call(at, *function, &values)
            }
            Node::Matches(text, regex) => match self.eval(text)? {
                Operand::Text(text) => {
                    self.charge(text.len() / BYTES_PER_STEP)?;
                    Ok(Operand::Bool(regex.is_match(&text)))
                }
                other => Err(kinds(at, "matches", &[&other])),
            },
            Node::Macro(parts) => self.run_macro(at, parts),
        }
    }

    fn field(&mut self, field: Field) -> Evaluated<'v> {
        let value = self.record.value(field).map_err(Fail::File)?;
        if let Value::List(items) = &value {
            self.charge(items.len())?;
        }
        Ok(value.into())
    }

    /// A field is there unless it is empty; a key if the map has it.
    fn has(&mut self, what: &'v Expr) -> Evaluated<'v> {
        match &what.node {
            Node::Field(field) => {
                let value = self.record.value(*field).map_err(Fail::File)?;
                Ok(Operand::Bool(!value.is_empty()))
            }
            Node::Select(map, key) => {
                let map = self.eval(map)?;
                if !matches!(map, Operand::Map(_) | Operand::Record(_)) {
                    return Err(kinds(what.at, "has", &[&map]));
                }
                self.charge(map.steps_to_find())?;
                let key = Operand::Text(key.as_str().into());
                Ok(Operand::Bool(map.get(&key).is_some()))
            }
            // The parser accepts no other.
            _ => self.eval(what),
        }
    }

    fn select(&mut self, at: usize, map: &Operand<'v>, key: &Operand<'_>) -> Evaluated<'v> {
        if !matches!(map, Operand::Map(_) | Operand::Record(_)) {
            return Err(kinds(at, ".", &[map]));
        }
        self.charge(map.steps_to_find())?;
        map.get(key).ok_or_else(|| {
            let name = match key {
                Operand::Text(name) => name.to_string(),
                key => key.kind().to_owned(),
            };
            Fail::Value(at, Reason::NoKey(name))
        })
    }

    fn index(&mut self, at: usize, value: &Operand<'v>, index: &Operand<'_>) -> Evaluated<'v> {
        let Operand::List(items) = value else {
            return match value {
                Operand::Map(_) | Operand::Record(_) => self.select(at, value, index),
                other => Err(kinds(at, "[]", &[other, index])),
            };
        };
        let number = match index {
            Operand::Int(number) => usize::try_from(*number).ok(),
            Operand::Uint(number) => usize::try_from(*number).ok(),
            Operand::Double(number) => call::whole(*number)
                .filter(|_| number.fract() == 0.0)
                .and_then(|number| usize::try_from(number).ok()),
            other => return Err(kinds(at, "[]", &[value, other])),
        };
        let item = number.and_then(|number| items.get(number));
        item.cloned().ok_or(Fail::Value(at, Reason::NoItem))
    }

    fn map(&mut self, entries: &'v [[Expr; 2]]) -> Evaluated<'v> {
        let mut map: Vec<(Operand<'v>, Operand<'v>)> = Vec::new();
        for [key, value] in entries {
            let at = key.at;
            let (key, value) = (self.eval(key)?, self.eval(value)?);
            self.charge(map.len())?;
            if !key.is_key() || map.iter().any(|(known, _)| known.equals(&key)) {
                return Err(kinds(at, "{}", &[&key]));
            }
            map.push((key, value));
        }
        Ok(Operand::Map(map.into()))
    }

    /// Whether a term is `decisive`; if none is, the first error counts.
    fn first(
        &mut self,
        at: usize,
        terms: impl Iterator<Item = &'v Expr>,
        decisive: bool,
        operation: &'static str,
    ) -> Evaluated<'v> {
        let mut failed = None;
        for term in terms {
            let value = self.eval(term);
            if decides(at, value, decisive, operation, &mut failed)? {
                return Ok(Operand::Bool(decisive));
            }
        }
        failed.map_or(Ok(Operand::Bool(!decisive)), Err)
    }

    fn binary(
        &mut self,
        at: usize,
        operator: Operator,
        a: &Operand<'v>,
        b: &Operand<'v>,
    ) -> Evaluated<'v> {
        self.charge_for(&[a, b])?;
        let compared = |operation, is_it: fn(std::cmp::Ordering) -> bool| {
            match a.compare(b) {
                Some(order) => Ok(Operand::Bool(is_it(order))),
                // A number that is no number has no order.
                None if [a, b]
                    .iter()
                    .any(|v| matches!(v, Operand::Double(n) if n.is_nan())) =>
                {
                    Ok(Operand::Bool(false))
                }
                None => Err(kinds(at, operation, &[a, b])),
            }
        };
        match operator {
            Operator::Equal => Ok(Operand::Bool(a.equals(b))),
            Operator::NotEqual => Ok(Operand::Bool(!a.equals(b))),
            Operator::Less => compared("<", std::cmp::Ordering::is_lt),
            Operator::LessOrEqual => compared("<=", std::cmp::Ordering::is_le),
            Operator::Greater => compared(">", std::cmp::Ordering::is_gt),
            Operator::GreaterOrEqual => compared(">=", std::cmp::Ordering::is_ge),
            Operator::In => match b {
                Operand::List(items) => {
                    for _ in items.iter() {
                        self.charge_for(&[a])?;
                    }
                    Ok(Operand::Bool(items.iter().any(|item| item.equals(a))))
                }
                Operand::Map(_) | Operand::Record(_)
                    if a.is_key() || matches!(a, Operand::Double(_)) =>
                {
                    self.charge(b.steps_to_find())?;
                    Ok(Operand::Bool(b.get(a).is_some()))
                }
                _ => Err(kinds(at, "in", &[a, b])),
            },
            operator => call::arithmetic(at, operator, a, b),
        }
    }

    fn run_macro(&mut self, at: usize, parts: &'v Macro) -> Evaluated<'v> {
        let range = self.eval(&parts.range)?;
        self.charge(range.steps_to_find())?;
        let Some(items) = range.items() else {
            return Err(kinds(at, parts.kind.name(), &[&range]));
        };
        self.locals.truncate(parts.slot);
        let result = match parts.kind {
            MacroKind::All => self.decide(at, parts, &items, false),
            MacroKind::Exists => self.decide(at, parts, &items, true),
            MacroKind::ExistsOne => self.exactly_one(at, parts, &items),
            MacroKind::Map | MacroKind::Filter => self.select_items(at, parts, &items),
        };
        self.locals.truncate(parts.slot);
        result
    }

    /// The value of a part of a macro for one item.
    fn for_item(&mut self, slot: usize, item: &Operand<'v>, expr: &'v Expr) -> Evaluated<'v> {
        self.locals.truncate(slot);
        self.locals.push(item.clone());
        self.eval(expr)
    }

    fn decide(
        &mut self,
        at: usize,
        parts: &'v Macro,
        items: &Rc<[Operand<'v>]>,
        decisive: bool,
    ) -> Evaluated<'v> {
        let mut failed = None;
        for item in items.iter() {
            let value = self.for_item(parts.slot, item, &parts.body);
            if decides(at, value, decisive, parts.kind.name(), &mut failed)? {
                return Ok(Operand::Bool(decisive));
            }
        }
        failed.map_or(Ok(Operand::Bool(!decisive)), Err)
    }

    fn is_true(
        &mut self,
        at: usize,
        parts: &'v Macro,
        item: &Operand<'v>,
        expr: &'v Expr,
    ) -> Result<bool, Fail> {
        match self.for_item(parts.slot, item, expr)? {
            Operand::Bool(value) => Ok(value),
            other => Err(kinds(at, parts.kind.name(), &[&other])),
        }
    }

    fn exactly_one(
        &mut self,
        at: usize,
        parts: &'v Macro,
        items: &Rc<[Operand<'v>]>,
    ) -> Evaluated<'v> {
        let mut found = 0;
        for item in items.iter() {
            found += usize::from(self.is_true(at, parts, item, &parts.body)?);
        }
        Ok(Operand::Bool(found == 1))
    }

    fn select_items(
        &mut self,
        at: usize,
        parts: &'v Macro,
        items: &Rc<[Operand<'v>]>,
    ) -> Evaluated<'v> {
        let mut selected = Vec::new();
        for item in items.iter() {
            if parts.kind == MacroKind::Filter {
                if self.is_true(at, parts, item, &parts.body)? {
                    selected.push(item.clone());
                }
                continue;
            }
            let is_selected = match &parts.filter {
                Some(filter) => self.is_true(at, parts, item, filter)?,
                None => true,
            };
            if is_selected {
                selected.push(self.for_item(parts.slot, item, &parts.body)?);
            }
        }
        Ok(Operand::List(selected.into()))
    }
}

/// Whether a value is the one that decides; an error is kept.
fn decides(
    at: usize,
    value: Evaluated<'_>,
    decisive: bool,
    operation: &'static str,
    failed: &mut Option<Fail>,
) -> Result<bool, Fail> {
    let fail = match value {
        Ok(Operand::Bool(value)) => return Ok(value == decisive),
        Ok(other) => kinds(at, operation, &[&other]),
        Err(fail @ Fail::Value(..)) => fail,
        // No other term changes these.
        Err(fail) => return Err(fail),
    };
    failed.get_or_insert(fail);
    Ok(false)
}

fn value_of(literal: &Literal) -> Operand<'_> {
    match literal {
        Literal::Null => Operand::Null,
        Literal::Bool(value) => Operand::Bool(*value),
        Literal::Int(number) => Operand::Int(*number),
        Literal::Uint(number) => Operand::Uint(*number),
        Literal::Double(number) => Operand::Double(*number),
        Literal::Text(text) => Operand::Text(text.as_str().into()),
    }
}

/// The error for kinds of values that an operation does not go with.
pub(super) fn kinds(at: usize, operation: &'static str, values: &[&Operand<'_>]) -> Fail {
    let kinds = values.iter().map(|value| value.kind()).collect();
    Fail::Value(at, Reason::Kinds { operation, kinds })
}
