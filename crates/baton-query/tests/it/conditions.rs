//! Conditions in CEL: what they mean, what they refuse, and that nothing that
//! a user writes takes more than its bound.

use std::cell::RefCell;
use std::collections::BTreeMap;

use baton_c1z::{C1zFile, Format, OwnedRow, ReadOptions, Snapshot, View as FileView};
use baton_query::condition::{MAX_BYTES, MAX_DEPTH};
use baton_query::{Condition, Matched, Records, Table, View};
use proptest::prelude::*;

use crate::records::{rich, rows};
use crate::support::{FORMATS, Sealed};

fn parse_error(text: &str, table: Table) -> String {
    Condition::parse(text, table).unwrap_err().to_string()
}

/// A file, and how often each outcome is met in one of its tables.
struct World {
    _sealed: Sealed,
    file: C1zFile,
}

impl World {
    fn new(format: Format) -> Self {
        let sealed = rich().file(format);
        let file = C1zFile::open(&sealed.path, &ReadOptions::default()).unwrap();
        Self {
            _sealed: sealed,
            file,
        }
    }

    fn snapshot(&self) -> Snapshot<'_> {
        self.file.view(FileView::AllRows).unwrap()
    }

    fn all(&self, text: &str, table: Table) -> Vec<(OwnedRow, Matched)> {
        let condition = Condition::parse(text, table).unwrap();
        let snapshot = self.snapshot();
        let records = Records::new(&snapshot, View::new(table).with_all(condition.fields()));
        let matched = |row: OwnedRow| {
            let matched = condition.matches(&records.record(&row.as_row())).unwrap();
            (row, matched)
        };
        rows(&snapshot, table.rows())
            .into_iter()
            .map(matched)
            .collect()
    }

    /// Counts of matches, others, and undecided records.
    fn counts(&self, text: &str, table: Table) -> [usize; 3] {
        let mut counts = [0; 3];
        for (_, matched) in self.all(text, table) {
            let at = match matched {
                Matched::Yes => 0,
                Matched::No => 1,
                Matched::Undecided(_) => 2,
            };
            counts[at] += 1;
        }
        counts
    }

    fn reason(&self, text: &str) -> String {
        let all = self.all(text, Table::ResourceTypes);
        match &all[0].1 {
            Matched::Undecided(undecided) => undecided.to_string(),
            other => format!("{other:?}"),
        }
    }

    fn is_true(&self, text: &str) -> Option<bool> {
        match self.all(text, Table::ResourceTypes)[0].1 {
            Matched::Yes => Some(true),
            Matched::No => Some(false),
            Matched::Undecided(_) => None,
        }
    }
}

#[test]
fn errors_have_their_place_and_what_was_expected() {
    for (text, expected) in [
        ("", "line 1, column 1: the expression is empty"),
        ("  // nothing", "line 1, column 1: the expression is empty"),
        (
            "true &&",
            "line 1, column 8: expected a value, found the end",
        ),
        (
            "true ||\n  )",
            "line 2, column 3: expected a value, found `)`",
        ),
        (
            "grant.id = 'x'",
            "line 1, column 10: expected an operator or the end, found `=`; equality is `==`",
        ),
        (
            "grant.id == 'x",
            "line 1, column 13: the text that begins here has no closing quote",
        ),
        (
            "grant.id == '\\q'",
            "line 1, column 14: unknown escape; in a regular expression, write r\"…\"",
        ),
        (
            "grant.id == 'ü' #",
            "line 1, column 17: unexpected character `#`",
        ),
        (
            "grant.id == 1x",
            "line 1, column 13: the number is malformed or too large",
        ),
        (
            "9223372036854775808 > 1",
            "line 1, column 1: the number is malformed or too large",
        ),
        (
            "principal.emial == ''",
            "line 1, column 1: `principal.emial` is not the name of a field; near matches: `principal.email`",
        ),
        (
            "secret.expires_at == null",
            "line 1, column 1: grants have no field `secret.expires_at`",
        ),
        (
            "has(grant)",
            "line 1, column 5: expected a field of `grant`, as `grant.id`",
        ),
        (
            "has(1)",
            "line 1, column 1: expected `has(resource.profile.department)`",
        ),
        (
            "grant.id.startswith('x')",
            "line 1, column 10: `startswith` is not the name of a function; near matches: `startsWith`",
        ),
        (
            "grant.id.contains()",
            "line 1, column 10: expected `text.contains(part)`",
        ),
        (
            "contains(grant.id, 'x')",
            "line 1, column 1: expected `text.contains(part)`",
        ),
        (
            "grant.sources.all(1, true)",
            "line 1, column 15: expected `list.all(x, condition of x)`",
        ),
        (
            "grant.id.matches('(')",
            "line 1, column 18: malformed regular expression: unclosed group",
        ),
        (
            "grant.id.matches('(a{1000}){1000}')",
            "line 1, column 18: malformed regular expression: it is too large",
        ),
        (
            "grant.id",
            "line 1, column 1: the expression is a text; expected true or false",
        ),
        (
            "1 + 1",
            "line 1, column 3: the expression is a number or text; expected true or false",
        ),
        ("if", "line 1, column 1: `if` is a reserved word"),
        (
            "\u{1b}[2J",
            "line 1, column 1: unexpected character `\u{1b}`",
        ),
    ] {
        assert_eq!(parse_error(text, Table::Grants), expected, "{text}");
    }
}

#[test]
fn the_limits_are_named() {
    let long = format!("true // {}", "x".repeat(1 << 20));
    assert_eq!(
        parse_error(&long, Table::Grants),
        "line 1, column 1: the expression is longer than 4,096 bytes"
    );
    for (open, close) in [
        ("(", ")"),
        ("!", ""),
        ("[", "]"),
        ("{1:", "}"),
        ("-", ""),
        ("true?1:", ""),
        ("size(", ")"),
    ] {
        let deep = |n: usize| [&open.repeat(n), "1", &close.repeat(n)].concat();
        let error = parse_error(&deep(400), Table::Grants);
        assert!(
            error.ends_with("nested deeper than 64 levels"),
            "{open}: {error}"
        );
        assert!(deep(400).len() <= MAX_BYTES);
    }
    for chain in ["1+", "grant.id.a.", "grant.id[1]["] {
        let text = chain.repeat(MAX_DEPTH + 2);
        assert!(Condition::parse(&text, Table::Grants).is_err(), "{chain}");
    }
    // A chain of conditions is not nested.
    let chain = ["true", &" && true".repeat(500)].concat();
    assert!(Condition::parse(&chain, Table::Grants).is_ok());
}

#[test]
fn endless_expressions_stop_at_their_steps() {
    let world = World::new(Format::V1);
    let list = format!("[{}]", vec!["1"; 500].join(","));
    let doubled = format!(
        "['0123456789']{}.exists(x, x == '')",
        ".map(x, x + x)".repeat(60)
    );
    let shared = format!("[1]{}.exists(x, x == 1)", ".map(x, [x, x])".repeat(60));
    let same = format!("[1]{0} == [1]{0}", ".map(x, [x, x])".repeat(40));
    let regexes = format!("{list}.all(x, 'a'.matches('a{{' + string(x) + '}}'))");
    for text in [
        &format!("{list}.all(x, {list}.all(y, x == y))"),
        &format!("{list}.map(x, {list}).exists(x, x == [])"),
        &doubled,
        &shared,
        &same,
        &regexes,
    ] {
        let steps = "line 1, column 1: the expression takes more than 10,000 steps";
        let reason = world.reason(text);
        // The place is that of the outermost operation.
        assert!(
            reason.ends_with(steps.split_once(": ").unwrap().1),
            "{text}: {reason}"
        );
    }
}

#[test]
fn conditions_select_records_of_every_table() {
    for format in FORMATS {
        let world = World::new(format);
        for (text, table, expected) in [
            (
                "resource_type.id == 'user'",
                Table::ResourceTypes,
                [1, 2, 0],
            ),
            ("'user' in resource.traits", Table::Resources, [1, 2, 0]),
            ("resource.status == 'disabled'", Table::Resources, [1, 2, 0]),
            (
                "resource.email.endsWith('@example.com')",
                Table::Resources,
                [1, 2, 0],
            ),
            ("resource.profile.level > 2", Table::Resources, [1, 0, 2]),
            (
                "has(resource.profile.level) && resource.profile.level == 3",
                Table::Resources,
                [1, 2, 0],
            ),
            (
                "resource.last_login < timestamp('2024-01-01T00:00:00Z')",
                Table::Resources,
                [1, 0, 2],
            ),
            ("has(resource.last_login)", Table::Resources, [1, 2, 0]),
            ("resource.last_login == null", Table::Resources, [2, 1, 0]),
            (
                "secret.expires_at - resource.created_at > duration('24h')",
                Table::Resources,
                [1, 0, 2],
            ),
            (
                "resource.profile['level'] == 3.0 || resource.type == 'key'",
                Table::Resources,
                [2, 0, 1],
            ),
            (
                "entitlement.purpose == 'assignment'",
                Table::Entitlements,
                [1, 0, 0],
            ),
            (
                "resource.display_name == 'jira-users'",
                Table::Entitlements,
                [1, 0, 0],
            ),
            ("!grant.direct && grant.immutable", Table::Grants, [1, 2, 0]),
            (
                "grant.sources.exists(s, s == 'b')",
                Table::Grants,
                [1, 2, 0],
            ),
            ("size(grant.sources) == 2", Table::Grants, [1, 2, 0]),
            ("grant.expandable", Table::Grants, [1, 2, 0]),
            (
                "principal.display_name.lowerAscii().contains('kim')",
                Table::Grants,
                [1, 2, 0],
            ),
            ("principal.display_name == '' ", Table::Grants, [1, 2, 0]),
            (
                "resource.display_name.matches(r'^jira-\\w+$')",
                Table::Grants,
                [3, 0, 0],
            ),
            (
                "principal.type == resource.type",
                Table::Principals,
                [3, 0, 0],
            ),
            ("resource.login == 'kvale'", Table::Principals, [1, 2, 0]),
        ] {
            assert_eq!(world.counts(text, table), expected, "{format:?}: {text}");
        }
    }
}

#[test]
fn an_undecided_record_has_a_place_and_a_reason() {
    let world = World::new(Format::V3);
    for (text, expected) in [
        ("{'a': 1}.b == 1", "line 1, column 10: there is no key `b`"),
        (
            "[1][1] == 1",
            "line 1, column 4: the list has no item with this number",
        ),
        (
            "1 + 'a' == 2",
            "line 1, column 3: `+` does not apply to int and text",
        ),
        (
            "1 / 0 == 2",
            "line 1, column 3: the result is out of range, or divided by zero",
        ),
        (
            "int('x') == 2",
            "line 1, column 1: the text is not a whole number",
        ),
        (
            "'a'.matches('(' + 'b')",
            "line 1, column 5: malformed regular expression: unclosed group",
        ),
        (
            "[1][0]",
            "line 1, column 4: the result is a int, not true or false",
        ),
    ] {
        assert_eq!(world.reason(text), expected, "{text}");
    }
}

#[test]
fn fields_are_collected_from_every_part() {
    let text = "[grant.id].exists(x, {x: principal.id}[x] == -size(resource.id + x) || \
                has(principal.email)) ? principal.login.matches('x') : grant.direct";
    let condition = Condition::parse(text, Table::Grants).unwrap();
    let names: Vec<&str> = condition.fields().map(baton_query::Field::name).collect();
    assert_eq!(
        names,
        [
            "resource.id",
            "grant.id",
            "grant.direct",
            "principal.id",
            "principal.email",
            "principal.login"
        ]
    );
}

/// Expressions without fields, of values that are mostly of fitting kinds.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[0-9]{1,2}",
        "-[1-9]",
        "[0-9]u",
        "[0-9]\\.[05]",
        "'[ab]{0,2}'",
        Just("true".to_owned()),
        Just("false".to_owned()),
        Just("null".to_owned()),
        Just("9223372036854775807".to_owned()),
        Just("[1, 2, 3]".to_owned()),
        Just("{'a': 1, 'b': 'c'}".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let operator = prop::sample::select(vec![
            "+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "in",
        ]);
        let call = prop::sample::select(vec!["size", "int", "double", "string", "!", "-"]);
        let method = prop::sample::select(vec!["contains", "startsWith", "endsWith"]);
        let each = prop::sample::select(vec!["all", "exists", "exists_one", "filter", "map"]);
        prop_oneof![
            (inner.clone(), operator, inner.clone()).prop_map(|(a, o, b)| format!("({a} {o} {b})")),
            (call, inner.clone()).prop_map(|(f, a)| format!("{f}({a})")),
            (inner.clone(), method, inner.clone()).prop_map(|(a, m, b)| format!("({a}).{m}({b})")),
            (inner.clone(), each, inner.clone())
                .prop_map(|(a, m, b)| format!("({a}).{m}(x, x == {b})")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, {b}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a})[{b}]")),
            (inner.clone(), "[ab]").prop_map(|(a, b)| format!("({a}).{b}")),
            (inner, "[ab]").prop_map(|(a, b)| format!("has(({a}).{b})")),
        ]
    })
}

/// What the reference makes of an expression; `None` is an error.
fn reference(text: &str) -> Option<bool> {
    let program = cel::Program::compile(text).ok()?;
    match program.execute(&cel::Context::default()) {
        Ok(cel::Value::Bool(value)) => Some(value),
        _ => None,
    }
}

#[test]
fn results_are_those_of_the_reference() {
    let world = World::new(Format::V3);
    let seen: RefCell<BTreeMap<Option<bool>, usize>> = RefCell::default();
    let config = ProptestConfig::with_cases(2_000);
    proptest!(config, |(expr in expression())| {
        let text = format!("({expr}) == true");
        let expected = reference(&text);
        let found = world.is_true(&text);
        *seen.borrow_mut().entry(found).or_default() += 1;
        // The reference adds a map to a list as an item.
        if found == expected || !world.reason(&text).contains("`+` does not apply to list") {
            prop_assert_eq!(found, expected, "{}", text);
        }
    });
    // Each outcome is among the cases.
    assert_eq!(seen.borrow().len(), 3, "{seen:?}");
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "[ -~\u{e9}\n]{0,60}") {
        let _ = Condition::parse(&text, Table::Grants);
    }

    #[test]
    fn what_is_cut_or_changed_makes_nothing_panic(expr in expression(), at in 0_usize..80, c in "[(){}\\[\\].'\"\\\\!-9a-z]") {
        let mut text = format!("({expr}) == grant.id");
        let at = at % text.len();
        text.replace_range(at..=at, &c);
        let _ = Condition::parse(&text, Table::Grants);
    }
}
