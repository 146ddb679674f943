//! Commands of one program: nested, with words, with the connector and its flags.

use std::sync::{Arc, Mutex};

use baton_runtime::{ExitStatus, ExtraCommand, Field};

use crate::stage::{ORGANIZATION_ID, Outcome, Stage};

const DEPTH: Field<i64> = Field::int("depth", "how deep to look");

/// What ran, with what.
type Seen = Arc<Mutex<Vec<String>>>;

/// `plan`, which prints its help, with `show FILE...` and `make`, which uses the connector.
fn plan(seen: &Seen) -> ExtraCommand {
    let (shown, made) = (Arc::clone(seen), Arc::clone(seen));
    let show = ExtraCommand::new(
        "show",
        "show a plan",
        Box::new(move |context| {
            let depth = context.config().get(&DEPTH);
            let line = format!("show {:?} {depth}", context.positionals());
            shown.lock().unwrap().push(line);
            Box::pin(async { Ok(ExitStatus::Success) })
        }),
    )
    .positionals("FILE...", "the plans")
    .field(DEPTH);
    let make = ExtraCommand::new(
        "make",
        "make a plan",
        Box::new(move |context| {
            let made = Arc::clone(&made);
            Box::pin(async move {
                context.connect()?;
                let line = format!("make {}", context.config().get(&ORGANIZATION_ID));
                made.lock().unwrap().push(line);
                context.print(b"made")?;
                Ok(ExitStatus::Success)
            })
        }),
    )
    .with_connector();
    ExtraCommand::group("plan", "work with plans")
        .command(show)
        .command(make)
}

fn run(stage: Stage, args: &[&str]) -> (Outcome, Vec<String>) {
    let seen = Seen::default();
    let mut stage = stage;
    stage.commands.push(plan(&seen));
    let outcome = stage.run(args);
    let lines = seen.lock().unwrap().clone();
    (outcome, lines)
}

#[test]
fn a_nested_command_takes_its_words_and_flags_wherever_they_stand() {
    for args in [
        ["--depth", "3", "plan", "show", "a", "b"],
        ["plan", "--depth=3", "--log-level=warn", "show", "a", "b"],
        ["plan", "show", "a", "--depth", "3", "b"],
    ] {
        let (outcome, lines) = run(Stage::new(), &args);
        let refused = args[0] == "--depth" || args[1].starts_with("--depth");
        if refused {
            // Only the command itself has the flag.
            assert_eq!(outcome.error(), "unknown flag: --depth", "{args:?}");
        } else {
            assert_eq!(lines, [r#"show ["a", "b"] 3"#], "{}", outcome.stderr);
        }
    }
}

#[test]
fn a_command_can_use_the_connector_and_needs_its_flags_then() {
    let (outcome, lines) = run(Stage::ready(), &["plan", "make"]);
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
    assert_eq!(lines, ["make o-1"]);
    assert_eq!(outcome.stdout, "made");
    assert!(outcome.config.is_some(), "no connector was made");
    let (outcome, _) = run(Stage::ready(), &["plan", "make", "--organization-id=o-2"]);
    assert_eq!(outcome.config().get(&ORGANIZATION_ID), "o-2");
    let (outcome, lines) = run(Stage::new(), &["plan", "make"]);
    assert_eq!(
        outcome.error(),
        "required flag(s) \"access-token\", \"organization-id\" not set"
    );
    assert!(lines.is_empty());
    let (outcome, _) = run(Stage::new(), &["plan", "show", "--organization-id=x"]);
    assert_eq!(outcome.error(), "unknown flag: --organization-id");
}

#[test]
fn a_group_prints_its_help_and_refuses_what_it_does_not_have() {
    let (outcome, _) = run(Stage::new(), &["plan"]);
    assert_eq!(outcome.status.code(), 0);
    assert!(
        outcome.stdout.contains("Usage: baton-toy plan <command>"),
        "{}",
        outcome.stdout
    );
    assert_eq!(
        run(Stage::new(), &["help", "plan"]).0.stdout,
        outcome.stdout
    );
    let (outcome, _) = run(Stage::new(), &["help", "plan", "show"]);
    assert!(
        outcome
            .stdout
            .contains("Usage: baton-toy plan show FILE... [flags]"),
        "{}",
        outcome.stdout
    );
    let (outcome, _) = run(Stage::new(), &["plan", "shwo"]);
    assert_eq!(
        outcome.error(),
        "unknown command \"shwo\" for \"baton-toy plan\""
    );
    assert_eq!(outcome.status.code(), 2);
}

#[test]
fn a_field_that_the_command_does_not_have_is_an_error_that_names_it() {
    let mut stage = Stage::new();
    stage.commands.push(ExtraCommand::new(
        "look",
        "",
        Box::new(|context| {
            Box::pin(async move {
                context.config().get(&DEPTH);
                Ok(ExitStatus::Success)
            })
        }),
    ));
    let outcome = stage.run(&["look"]);
    assert_eq!(outcome.status.code(), 13);
    assert!(
        outcome.stderr.contains("field `depth`"),
        "{}",
        outcome.stderr
    );
}
