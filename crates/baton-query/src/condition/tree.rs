//! Expressions whose names are resolved.

use crate::field::Field;

/// An expression, with the offset where it begins and how deep it is.
#[derive(Debug, Clone)]
pub(super) struct Expr {
    pub at: usize,
    pub depth: usize,
    pub node: Node,
}

#[derive(Debug, Clone)]
pub(super) enum Node {
    Literal(Literal),
    /// A field of the record.
    Field(Field),
    /// A variable of a macro, counted from the outermost.
    Local(usize),
    Select(Box<Expr>, String),
    /// Whether there is something: a field, or a key of a map.
    Has(Box<Expr>),
    Index(Box<[Expr; 2]>),
    List(Vec<Expr>),
    Map(Vec<[Expr; 2]>),
    Not(Box<Expr>),
    Negate(Box<Expr>),
    /// All of them, or one of them; at least two.
    All(Vec<Expr>),
    Any(Vec<Expr>),
    Conditional(Box<[Expr; 3]>),
    Binary(Operator, Box<[Expr; 2]>),
    Call(Function, Vec<Expr>),
    Matches(Box<Expr>, Box<regex::Regex>),
    Macro(Box<Macro>),
}

#[derive(Debug, Clone)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
}

impl Operator {
    pub fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::In => "in",
        }
    }
}

/// A loop over a list or the keys of a map.
#[derive(Debug, Clone)]
pub(super) struct Macro {
    pub kind: MacroKind,
    pub range: Expr,
    /// The number of its variable.
    pub slot: usize,
    /// Which items; of a map of three arguments.
    pub filter: Option<Expr>,
    pub body: Expr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MacroKind {
    All,
    Exists,
    ExistsOne,
    Map,
    Filter,
}

impl MacroKind {
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "all" => Self::All,
            "exists" => Self::Exists,
            "exists_one" | "existsOne" => Self::ExistsOne,
            "map" => Self::Map,
            "filter" => Self::Filter,
            _ => return None,
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Exists => "exists",
            Self::ExistsOne => "exists_one",
            Self::Map => "map",
            Self::Filter => "filter",
        }
    }

    pub fn usage(self) -> &'static str {
        match self {
            Self::All => "list.all(x, condition of x)",
            Self::Exists => "list.exists(x, condition of x)",
            Self::ExistsOne => "list.exists_one(x, condition of x)",
            Self::Map => "list.map(x, value of x)",
            Self::Filter => "list.filter(x, condition of x)",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    Contains,
    StartsWith,
    EndsWith,
    Matches,
    LowerAscii,
    UpperAscii,
    Int,
    Uint,
    Double,
    Text,
    Bool,
    Timestamp,
    Duration,
}

/// Functions by name, with the number of their arguments (that before the
/// point counts), and how they are called.
const FUNCTIONS: [(&str, Function, usize, &str); 14] = [
    ("size", Function::Size, 1, "size(value)"),
    ("contains", Function::Contains, 2, "text.contains(part)"),
    (
        "startsWith",
        Function::StartsWith,
        2,
        "text.startsWith(part)",
    ),
    ("endsWith", Function::EndsWith, 2, "text.endsWith(part)"),
    (
        "matches",
        Function::Matches,
        2,
        "text.matches(regular expression)",
    ),
    ("lowerAscii", Function::LowerAscii, 1, "text.lowerAscii()"),
    ("upperAscii", Function::UpperAscii, 1, "text.upperAscii()"),
    ("int", Function::Int, 1, "int(value)"),
    ("uint", Function::Uint, 1, "uint(value)"),
    ("double", Function::Double, 1, "double(value)"),
    ("string", Function::Text, 1, "string(value)"),
    ("bool", Function::Bool, 1, "bool(value)"),
    (
        "timestamp",
        Function::Timestamp,
        1,
        "timestamp(\"2026-01-31T00:00:00Z\")",
    ),
    ("duration", Function::Duration, 1, "duration(\"1h30m\")"),
];

impl Function {
    /// The function of this name, the number of its arguments and how it is
    /// called.
    pub fn find(name: &str) -> Option<(Self, usize, &'static str)> {
        let found = FUNCTIONS.iter().find(|(known, ..)| *known == name)?;
        Some((found.1, found.2, found.3))
    }

    pub fn name(self) -> &'static str {
        let found = FUNCTIONS.iter().find(|(_, function, ..)| *function == self);
        found.map_or("", |(name, ..)| name)
    }

    /// Names of functions and macros.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let macros = ["has", "all", "exists", "exists_one", "map", "filter"];
        FUNCTIONS.iter().map(|(name, ..)| *name).chain(macros)
    }

    /// The kind of the result, if it is never true or false.
    pub fn kind(self) -> Option<&'static str> {
        match self {
            Self::Size | Self::Int | Self::Uint | Self::Double => Some("number"),
            Self::LowerAscii | Self::UpperAscii | Self::Text => Some("text"),
            Self::Timestamp => Some("time"),
            Self::Duration => Some("duration"),
            _ => None,
        }
    }

    /// Whether it may stand behind a point, and whether only there.
    pub fn is_method(self) -> (bool, bool) {
        match self {
            Self::Size | Self::Matches => (true, false),
            Self::Contains
            | Self::StartsWith
            | Self::EndsWith
            | Self::LowerAscii
            | Self::UpperAscii => (true, true),
            _ => (false, false),
        }
    }
}
