//! From words to a tree. Names are resolved on the way, so an unknown name has
//! its place. Nesting is counted while it grows, and before anything recurses.

use super::fault::{Fault, Problem};
use super::lex::{Lexer, Token};
use super::tree::{Expr, Function, Literal, Macro, MacroKind, Node, Operator};
use super::{MAX_DEPTH, MAX_REGEX_BYTES};
use crate::error::Error;
use crate::field::{Entity, Field, FieldKind, Table, no_such_field};
use crate::nearest::Nearest;

type Parsed<T> = Result<T, Fault>;

/// Words of CEL and of languages near to it that are no names.
const RESERVED: [&str; 19] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "package",
    "return",
    "var",
    "void",
    "while",
    "null",
];

/// Parses a whole text.
pub(super) fn parse(text: &str, table: Table) -> Parsed<Expr> {
    let mut lexer = Lexer::new(text);
    let (token, at) = lexer.next()?;
    if token == Token::End {
        return Err(Fault::new(0, Problem::Empty));
    }
    let mut parser = Parser {
        lexer,
        table,
        token,
        at,
        locals: Vec::new(),
        depth: 0,
    };
    let expr = parser.expr()?;
    if parser.token != Token::End {
        return Err(parser.unexpected("an operator or the end"));
    }
    Ok(expr)
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    table: Table,
    /// The next word and where it begins.
    token: Token,
    at: usize,
    /// Variables of the macros around.
    locals: Vec<String>,
    /// Calls of [`Parser::expr`] and [`Parser::unary`] that are open.
    depth: usize,
}

/// An expression over others; refused if it is too deep.
fn node(at: usize, node: Node, parts: &[usize]) -> Parsed<Expr> {
    let depth = 1 + parts.iter().max().copied().unwrap_or(0);
    if depth > MAX_DEPTH {
        return Err(Fault::new(at, Problem::TooDeep));
    }
    Ok(Expr { at, depth, node })
}

fn depths(parts: &[Expr]) -> Vec<usize> {
    parts.iter().map(|part| part.depth).collect()
}

impl Parser<'_> {
    fn advance(&mut self) -> Parsed<Token> {
        let (token, at) = self.lexer.next()?;
        self.at = at;
        Ok(std::mem::replace(&mut self.token, token))
    }

    fn is(&self, sign: &str) -> bool {
        matches!(self.token, Token::Sign(found) if found == sign)
    }

    /// Goes behind a sign if it is the next word.
    fn take(&mut self, sign: &str) -> Parsed<bool> {
        let is_next = self.is(sign);
        if is_next {
            self.advance()?;
        }
        Ok(is_next)
    }

    fn expect(&mut self, sign: &str, expected: &'static str) -> Parsed<()> {
        if self.take(sign)? {
            return Ok(());
        }
        Err(self.unexpected(expected))
    }

    fn unexpected(&self, expected: &'static str) -> Fault {
        let found = match &self.token {
            Token::Name(name) => format!("`{name}`"),
            Token::Int(_) | Token::Uint(_) | Token::Double(_) => "a number".to_owned(),
            Token::Text(_) => "a text".to_owned(),
            Token::Sign(sign) => format!("`{sign}`"),
            Token::End => "the end".to_owned(),
        };
        Fault::new(self.at, Problem::Unexpected { expected, found })
    }

    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_DEPTH {
            return Err(Fault::new(self.at, Problem::TooDeep));
        }
        self.depth += 1;
        let parsed = parse(self)?;
        self.depth -= 1;
        Ok(parsed)
    }

    fn expr(&mut self) -> Parsed<Expr> {
        self.nested(|this| {
            let at = this.at;
            let condition = this.any()?;
            if !this.take("?")? {
                return Ok(condition);
            }
            let yes = this.any()?;
            this.expect(":", "`:`")?;
            let no = this.expr()?;
            let depths = [condition.depth, yes.depth, no.depth];
            node(
                at,
                Node::Conditional(Box::new([condition, yes, no])),
                &depths,
            )
        })
    }

    fn any(&mut self) -> Parsed<Expr> {
        let at = self.at;
        let mut terms = vec![self.all()?];
        while self.take("||")? {
            terms.push(self.all()?);
        }
        one_or(at, terms, Node::Any)
    }

    fn all(&mut self) -> Parsed<Expr> {
        let at = self.at;
        let mut terms = vec![self.relation()?];
        while self.take("&&")? {
            terms.push(self.relation()?);
        }
        one_or(at, terms, Node::All)
    }

    fn relation(&mut self) -> Parsed<Expr> {
        self.chain(Self::sum, |token| {
            Some(match token {
                Token::Sign("==") => Operator::Equal,
                Token::Sign("!=") => Operator::NotEqual,
                Token::Sign("<") => Operator::Less,
                Token::Sign("<=") => Operator::LessOrEqual,
                Token::Sign(">") => Operator::Greater,
                Token::Sign(">=") => Operator::GreaterOrEqual,
                Token::Name(name) if name == "in" => Operator::In,
                _ => return None,
            })
        })
    }

    fn sum(&mut self) -> Parsed<Expr> {
        self.chain(Self::product, |token| {
            Some(match token {
                Token::Sign("+") => Operator::Add,
                Token::Sign("-") => Operator::Subtract,
                _ => return None,
            })
        })
    }

    fn product(&mut self) -> Parsed<Expr> {
        self.chain(Self::unary, |token| {
            Some(match token {
                Token::Sign("*") => Operator::Multiply,
                Token::Sign("/") => Operator::Divide,
                Token::Sign("%") => Operator::Remainder,
                _ => return None,
            })
        })
    }

    /// Operands joined from the left by operators of one rank.
    fn chain(
        &mut self,
        operand: fn(&mut Self) -> Parsed<Expr>,
        operator: fn(&Token) -> Option<Operator>,
    ) -> Parsed<Expr> {
        let mut left = operand(self)?;
        while let Some(operator) = operator(&self.token) {
            let at = self.at;
            self.advance()?;
            let right = operand(self)?;
            let depths = [left.depth, right.depth];
            left = node(at, Node::Binary(operator, Box::new([left, right])), &depths)?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed<Expr> {
        let at = self.at;
        if self.is("!") {
            self.advance()?;
            let operand = self.nested(Self::unary)?;
            let depth = operand.depth;
            return node(at, Node::Not(Box::new(operand)), &[depth]);
        }
        if !self.take("-")? {
            return self.member();
        }
        // The smallest whole number has no positive counterpart.
        if let Token::Int(number) = self.token {
            let negative = 0_i64.checked_sub_unsigned(number);
            let negative = negative.ok_or_else(|| Fault::new(at, Problem::Number))?;
            self.advance()?;
            let literal = node(at, Node::Literal(Literal::Int(negative)), &[])?;
            return self.behind(literal);
        }
        let operand = self.nested(Self::unary)?;
        let depth = operand.depth;
        node(at, Node::Negate(Box::new(operand)), &[depth])
    }

    fn member(&mut self) -> Parsed<Expr> {
        let primary = self.primary()?;
        self.behind(primary)
    }

    /// Reads selections, indexes and calls behind a value.
    fn behind(&mut self, mut value: Expr) -> Parsed<Expr> {
        loop {
            let at = self.at;
            if self.take("[")? {
                let index = self.expr()?;
                self.expect("]", "`]`")?;
                let depths = [value.depth, index.depth];
                value = node(at, Node::Index(Box::new([value, index])), &depths)?;
            } else if self.take(".")? {
                let at = self.at;
                let name = self.name()?;
                value = if self.is("(") {
                    self.method(at, value, &name)?
                } else {
                    let depth = value.depth;
                    node(at, Node::Select(Box::new(value), name), &[depth])?
                };
            } else {
                return Ok(value);
            }
        }
    }

    fn name(&mut self) -> Parsed<String> {
        if !matches!(self.token, Token::Name(_)) {
            return Err(self.unexpected("a name"));
        }
        match self.advance()? {
            Token::Name(name) => Ok(name),
            _ => Err(self.unexpected("a name")),
        }
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let at = self.at;
        if self.take("(")? {
            let inner = self.expr()?;
            self.expect(")", "`)`")?;
            return Ok(inner);
        }
        if self.take("[")? {
            let items = self.list("]", "`,` or `]`", Self::expr)?;
            let depths = depths(&items);
            return node(at, Node::List(items), &depths);
        }
        if self.take("{")? {
            let entries = self.list("}", "`,` or `}`", Self::entry)?;
            let depths: Vec<usize> = entries.iter().flat_map(|entry| depths(entry)).collect();
            return node(at, Node::Map(entries), &depths);
        }
        let literal = match &self.token {
            Token::Int(number) => {
                let number = i64::try_from(*number);
                Literal::Int(number.map_err(|_| Fault::new(at, Problem::Number))?)
            }
            Token::Uint(number) => Literal::Uint(*number),
            Token::Double(number) => Literal::Double(*number),
            Token::Text(text) => Literal::Text(text.clone()),
            Token::Name(name) => match name.as_str() {
                "true" => Literal::Bool(true),
                "false" => Literal::Bool(false),
                "null" => Literal::Null,
                _ => return self.named(at),
            },
            Token::Sign(_) | Token::End => return Err(self.unexpected("a value")),
        };
        self.advance()?;
        node(at, Node::Literal(literal), &[])
    }

    fn entry(&mut self) -> Parsed<[Expr; 2]> {
        let key = self.expr()?;
        self.expect(":", "`:`")?;
        Ok([key, self.expr()?])
    }

    /// Items up to a bracket; a comma may follow the last.
    fn list<T>(
        &mut self,
        end: &str,
        expected: &'static str,
        item: fn(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        let mut items = Vec::new();
        while !self.take(end)? {
            items.push(item(self)?);
            if !self.take(",")? {
                self.expect(end, expected)?;
                break;
            }
        }
        Ok(items)
    }

    /// A variable, a field or a function.
    fn named(&mut self, at: usize) -> Parsed<Expr> {
        let name = self.name()?;
        if self.is("(") {
            return self.function(at, &name);
        }
        if let Some(slot) = self.locals.iter().rposition(|local| *local == name) {
            return node(at, Node::Local(slot), &[]);
        }
        if RESERVED.contains(&name.as_str()) {
            return Err(Fault::new(at, Problem::Reserved(name)));
        }
        let entities = self.table.entities();
        let Some(entity) = entities.iter().find(|entity| entity.name() == name) else {
            return Err(self.unknown_name(at, name));
        };
        self.field(at, *entity)
    }

    fn field(&mut self, at: usize, entity: Entity) -> Parsed<Expr> {
        if !self.take(".")? {
            return Err(Fault::new(at, Problem::Entity(entity.name())));
        }
        let part = self.name()?;
        match Field::of(entity, &part) {
            Some(field) => node(at, Node::Field(field), &[]),
            None => {
                let name = [entity.name(), ".", &part].concat();
                Err(self.unknown_field(at, &name))
            }
        }
    }

    /// A name that is neither a variable nor an entity of this table.
    fn unknown_name(&mut self, at: usize, mut name: String) -> Fault {
        // Who means a field of another table has written its whole name.
        if self.is(".")
            && self.advance().is_ok()
            && let Token::Name(part) = &self.token
        {
            name = [&name, ".", part].concat();
        }
        self.unknown_field(at, &name)
    }

    fn unknown_field(&self, at: usize, name: &str) -> Fault {
        let problem = match no_such_field(name, Some(self.table)) {
            Error::NoSuchField(field) => Problem::Field(*field),
            _ => Problem::Reserved(name.to_owned()),
        };
        Fault::new(at, problem)
    }

    fn function(&mut self, at: usize, name: &str) -> Parsed<Expr> {
        if name == "has" {
            return self.has(at);
        }
        let Some((function, arity, usage)) = Function::find(name) else {
            return Err(unknown_function(at, name));
        };
        self.advance()?;
        let arguments = self.list(")", "`,` or `)`", Self::expr)?;
        let (_, only_method) = function.is_method();
        if arguments.len() != arity || only_method {
            return Err(Fault::new(at, Problem::Arguments { usage }));
        }
        call(at, function, arguments)
    }

    fn has(&mut self, at: usize) -> Parsed<Expr> {
        self.advance()?;
        let mut arguments = self.list(")", "`)`", Self::expr)?;
        let argument = arguments.pop().filter(|_| arguments.is_empty());
        match argument {
            Some(argument) if matches!(argument.node, Node::Field(_) | Node::Select(..)) => {
                let depth = argument.depth;
                node(at, Node::Has(Box::new(argument)), &[depth])
            }
            _ => {
                let usage = "has(resource.profile.department)";
                Err(Fault::new(at, Problem::Arguments { usage }))
            }
        }
    }

    fn method(&mut self, at: usize, value: Expr, name: &str) -> Parsed<Expr> {
        if let Some(kind) = MacroKind::of(name) {
            return self.macro_call(at, value, kind);
        }
        let Some((function, arity, usage)) = Function::find(name) else {
            return Err(unknown_function(at, name));
        };
        self.advance()?;
        let mut arguments = vec![value];
        arguments.extend(self.list(")", "`,` or `)`", Self::expr)?);
        let (may_be_method, _) = function.is_method();
        if arguments.len() != arity || !may_be_method {
            return Err(Fault::new(at, Problem::Arguments { usage }));
        }
        call(at, function, arguments)
    }

    fn macro_call(&mut self, at: usize, range: Expr, kind: MacroKind) -> Parsed<Expr> {
        let usage = || {
            Fault::new(
                at,
                Problem::Arguments {
                    usage: kind.usage(),
                },
            )
        };
        self.advance()?;
        let Token::Name(variable) = self.token.clone() else {
            return Err(usage());
        };
        self.advance()?;
        if !self.take(",")? {
            return Err(usage());
        }
        let slot = self.locals.len();
        self.locals.push(variable);
        let mut bodies = self.list(")", "`,` or `)`", Self::expr)?;
        self.locals.pop();
        let body = bodies.pop().ok_or_else(usage)?;
        let filter = bodies.pop();
        if !bodies.is_empty() || (filter.is_some() && kind != MacroKind::Map) {
            return Err(usage());
        }
        let filter_depth = filter.as_ref().map_or(0, |filter| filter.depth);
        let depths = [range.depth, body.depth, filter_depth];
        let parts = Macro {
            kind,
            range,
            slot,
            filter,
            body,
        };
        node(at, Node::Macro(Box::new(parts)), &depths)
    }
}

/// The only term, or an expression of them all.
fn one_or(at: usize, mut terms: Vec<Expr>, of: fn(Vec<Expr>) -> Node) -> Parsed<Expr> {
    match terms.pop() {
        Some(only) if terms.is_empty() => Ok(only),
        last => {
            terms.extend(last);
            let depths = depths(&terms);
            node(at, of(terms), &depths)
        }
    }
}

fn call(at: usize, function: Function, mut arguments: Vec<Expr>) -> Parsed<Expr> {
    // A regular expression that is known is compiled once.
    if function == Function::Matches
        && let Some(Node::Literal(Literal::Text(pattern))) = arguments.get(1).map(|a| &a.node)
    {
        let pattern_at = arguments[1].at;
        let compiled = compile(pattern);
        let regex = compiled.map_err(|reason| Fault::new(pattern_at, Problem::Regex(reason)))?;
        let text = arguments.swap_remove(0);
        let depth = text.depth;
        return node(at, Node::Matches(Box::new(text), Box::new(regex)), &[depth]);
    }
    let depths = depths(&arguments);
    node(at, Node::Call(function, arguments), &depths)
}

/// A regular expression, or why it is none, in one line.
pub(super) fn compile(pattern: &str) -> Result<regex::Regex, String> {
    let built = regex::RegexBuilder::new(pattern)
        .size_limit(MAX_REGEX_BYTES)
        .dfa_size_limit(MAX_REGEX_BYTES)
        .build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
        // The last line of the text is the reason; those before show the place.
        error => {
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default();
            reason.trim_start_matches("error: ").to_owned()
        }
    })
}

fn unknown_function(at: usize, name: &str) -> Fault {
    let mut nearest = Nearest::new(name);
    for known in Function::names() {
        if let Some(nearness) = nearest.measure(known) {
            nearest.keep(nearness, known);
        }
    }
    let problem = Problem::Function {
        name: name.to_owned(),
        nearest: nearest.into_items(),
    };
    Fault::new(at, problem)
}

/// The kind of an expression that is never true or false.
pub(super) fn other_kind(expr: &Expr) -> Option<&'static str> {
    match &expr.node {
        Node::Literal(literal) => match literal {
            Literal::Bool(_) => None,
            Literal::Null => Some("null"),
            Literal::Int(_) | Literal::Uint(_) | Literal::Double(_) => Some("number"),
            Literal::Text(_) => Some("text"),
        },
        Node::Field(field) => match field.kind() {
            FieldKind::Boolean => None,
            kind => Some(kind.name()),
        },
        Node::List(_) => Some("list"),
        Node::Map(_) => Some("map"),
        Node::Negate(_) => Some("number"),
        Node::Call(function, _) => function.kind(),
        Node::Conditional(parts) => other_kind(&parts[1]).and(other_kind(&parts[2])),
        Node::Macro(parts) => match parts.kind {
            MacroKind::Map | MacroKind::Filter => Some("list"),
            _ => None,
        },
        Node::Binary(
            Operator::Add
            | Operator::Subtract
            | Operator::Multiply
            | Operator::Divide
            | Operator::Remainder,
            _,
        ) => Some("number or text"),
        _ => None,
    }
}
