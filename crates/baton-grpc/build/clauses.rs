//! Reads the rules of one field, as `src/rules/rules.tsv` has them, and writes
//! them as values of `src/rules/table.rs` in the order in which they are checked.

use std::error::Error;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The rules of one field: rank and expression of each.
#[derive(Clone, Default)]
pub struct Clauses {
    pub ignore_empty: bool,
    pub field: Vec<(u8, String)>,
    pub keys: Vec<(u8, String)>,
    pub items: Vec<(u8, String)>,
}

impl Clauses {
    /// The lengths of `bytes` fields are those of bytes, whatever their rule is
    /// called.
    pub fn count_bytes(mut self) -> Self {
        for (_, rule) in self.field.iter_mut().chain(&mut self.items) {
            *rule = rule.replace("Unit::Runes", "Unit::Bytes");
        }
        self
    }
}

/// A list of rules as an expression.
pub fn list(rules: &[(u8, String)]) -> String {
    let mut rules: Vec<&(u8, String)> = rules.iter().collect();
    rules.sort_by_key(|(rank, _)| *rank);
    let rules: Vec<&str> = rules.iter().map(|(_, rule)| rule.as_str()).collect();
    format!("[{}]", rules.join(", "))
}

pub fn parse(text: &str) -> Result<Clauses> {
    let mut clauses = Clauses::default();
    let mut own = Vec::new();
    for clause in split(text) {
        let nested = |prefix: &str| clause.strip_prefix(prefix)?.strip_suffix(')');
        if let Some(inner) = nested("each(").or_else(|| nested("each_value(")) {
            clauses.items = rules(&split(inner))?;
        } else if let Some(inner) = nested("each_key(") {
            clauses.keys = rules(&split(inner))?;
        } else if clause == "ignore_empty=true" {
            clauses.ignore_empty = true;
        } else {
            own.push(clause);
        }
    }
    clauses.field = rules(&own)?;
    Ok(clauses)
}

/// Splits at semicolons outside parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0;
    let parts = text.split(|letter| {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        letter == ';' && depth == 0
    });
    parts.map(str::trim).collect()
}

/// Rules without a value.
const FLAGS: [&str; 6] = [
    "required",
    "message.required",
    "defined_only",
    "email",
    "uri",
    "unique",
];

/// The ends of a rule about a number.
#[derive(Default)]
struct Ends {
    low: Option<i64>,
    high: Option<i64>,
}

impl Ends {
    fn given(&self) -> bool {
        self.low.is_some() || self.high.is_some()
    }
}

fn rules(clauses: &[&str]) -> Result<Vec<(u8, String)>> {
    let (mut bytes, mut runes, mut items, mut pairs) = (
        Ends::default(),
        Ends::default(),
        Ends::default(),
        Ends::default(),
    );
    let (mut range, mut seconds) = (Ends::default(), Ends::default());
    let mut above = false;
    let mut rules = Vec::new();
    for clause in clauses {
        let (name, value) = clause.split_once('=').ok_or("no value")?;
        let number = || value.trim_end_matches('s').parse::<i64>();
        match name {
            "required" | "message.required" => rules.push((0, "Rule::Required".to_owned())),
            "min_bytes" => bytes.low = Some(number()?),
            "max_bytes" => bytes.high = Some(number()?),
            "min_len" => runes.low = Some(number()?),
            "max_len" => runes.high = Some(number()?),
            "len" => (runes.low, runes.high) = (Some(number()?), Some(number()?)),
            "min_items" => items.low = Some(number()?),
            "max_items" => items.high = Some(number()?),
            "min_pairs" => pairs.low = Some(number()?),
            "max_pairs" => pairs.high = Some(number()?),
            "gte" if value.ends_with('s') => seconds.low = Some(number()?),
            "lte" if value.ends_with('s') => seconds.high = Some(number()?),
            "gte" => range.low = Some(number()?),
            "gt" => (range.low, above) = (Some(number()?), true),
            "lte" => range.high = Some(number()?),
            "prefix" => rules.push((2, format!("Rule::Prefix({value:?})"))),
            "pattern" => rules.push((3, format!("Rule::Pattern({value:?})"))),
            "defined_only" => rules.push((4, "Rule::Defined".to_owned())),
            "email" => rules.push((5, "Rule::Email".to_owned())),
            "uri" => rules.push((5, "Rule::Uri".to_owned())),
            "unique" => rules.push((6, "Rule::Unique".to_owned())),
            _ => return Err(format!("unknown rule {name}").into()),
        }
        if FLAGS.contains(&name) && value != "true" {
            return Err(format!("{name} is not `true`").into());
        }
    }
    let lengths = [
        ("Bytes", bytes),
        ("Runes", runes),
        ("Items", items),
        ("Pairs", pairs),
    ];
    for (unit, Ends { low, high }) in lengths.into_iter().filter(|(_, ends)| ends.given()) {
        let length = format!("Rule::Length {{ unit: Unit::{unit}, min: {low:?}, max: {high:?} }}");
        rules.push((1, length));
    }
    if range.given() {
        let Ends { low, high } = range;
        let range = format!("Rule::Range {{ low: {low:?}, above: {above}, high: {high:?} }}");
        rules.push((1, range));
    }
    match seconds {
        Ends {
            low: Some(low),
            high: Some(high),
        } => {
            rules.push((1, format!("Rule::Seconds {{ low: {low}, high: {high} }}")));
        }
        ends if ends.given() => return Err("a duration with one end".into()),
        _ => {}
    }
    Ok(rules)
}
