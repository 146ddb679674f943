//! Actions from the command line: the recorded runs of the Go programs, and what
//! ours do besides.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use baton_connector::resource::{Profile, ResourceTypeBuilder};
use baton_connector::{
    Action, ActionSchema, Actions, Any, Argument, Arguments, BuiltConnector, Call, Change, Code,
    Connector, ConnectorBuilder, Creation, Error, Page, ResourceSyncer, Result, Row, Struct,
    TypeSpec, Types, Write, async_trait, v2,
};
use baton_runtime::{App, Built};
use baton_testkit::{Harness, Outcome};
use serde_json::Value;

/// What an action does.
#[derive(Debug, Clone, Copy)]
enum Does {
    Answers,
    Fails,
    FailsWithCode,
    Panics,
    AnswersNothing,
    Takes(Duration),
    Writes(Duration),
    IsBroken,
}

/// Writes that were made.
type Made = Arc<AtomicUsize>;

struct Act(Made, Does);

#[async_trait]
impl Action for Act {
    async fn describe(&self, call: &Call, arguments: &Arguments) -> Result<Creation<Struct>> {
        let mut writing = Duration::ZERO;
        let mut fails = false;
        match self.1 {
            Does::Answers | Does::AnswersNothing => {}
            Does::Fails => return Err(Error::stated(Code::Unknown, "action failed on purpose")),
            Does::FailsWithCode => {
                return Err(Error::stated(Code::PermissionDenied, "no permission"));
            }
            Does::Panics => panic!("made to panic"),
            Does::Takes(time) => call.unless_stopped(tokio::time::sleep(time)).await?,
            Does::Writes(time) => writing = time,
            Does::IsBroken => fails = true,
        }
        let mut given = Profile::new().maybe_text("a", arguments.maybe_text("a"));
        if let Some(number) = arguments.maybe_number("n") {
            given = given.number("n", f64::from(i32::try_from(number).unwrap()));
        }
        let answer = match self.1 {
            Does::AnswersNothing => Profile::new(),
            _ => Profile::new().flag("success", true).nested("args", given),
        };
        let answer = answer.build();
        let made = Arc::clone(&self.0);
        let write = Write::local("turn the wheel", move |_call| {
            let made = Arc::clone(&made);
            async move {
                tokio::time::sleep(writing).await;
                if fails {
                    return Err(Error::stated(Code::Unavailable, "the wheel is stuck"));
                }
                made.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
        });
        let change = Change::create().write(write).warning("the wheel is old");
        Ok(change.gives(move |_, _| async move { Ok(answer) }))
    }
}

struct Users;

#[async_trait]
impl ResourceSyncer for Users {
    async fn list(
        &self,
        _call: &Call,
        _parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        Ok(Page::empty())
    }
}

/// The actions of the connector of the recorded runs, and a few more.
fn types() -> Result<Types<Made>> {
    let abc = |name: &str| {
        let schema = ActionSchema::new(name).display_name(format!("Action {name}"));
        let arguments = ["a", "b", "c"].into_iter();
        arguments.fold(schema, |schema, name| schema.argument(Argument::text(name)))
    };
    let mut types = Types::new();
    for (schema, does) in [
        (abc("ok"), Does::Answers),
        (abc("fail"), Does::Fails),
        (abc("fail-status"), Does::FailsWithCode),
        (abc("panic"), Does::Panics),
        (abc("nil"), Does::AnswersNothing),
        (abc("slow"), Does::Takes(Duration::from_millis(1_800))),
        (abc("together").required_together(["a", "b"]), Does::Answers),
        (
            abc("exclusive").mutually_exclusive(["a", "b"]),
            Does::Answers,
        ),
        (
            abc("dependent").dependent_on(["a"], ["b", "c"]),
            Does::Answers,
        ),
        (abc("one").at_least_one(["a", "b"]), Does::Answers),
        (abc("long"), Does::Takes(Duration::from_hours(3))),
        (abc("writes"), Does::Writes(Duration::from_secs(20))),
        (abc("broken"), Does::IsBroken),
    ] {
        types = types.action(schema, move |made: &Made| Ok(Act(Arc::clone(made), does)));
    }
    let scoped = ActionSchema::new("scoped")
        .display_name("Scoped")
        .description("Of users only \u{1b}[2J.")
        .argument(
            Argument::number("times")
                .required()
                .display_name("How often"),
        );
    let users = TypeSpec::new(ResourceTypeBuilder::new("user", "User").build()?, |_| {
        Ok(Users)
    });
    let does = |made: &Made| Ok(Act(Arc::clone(made), Does::Answers));
    Ok(types.with(users.action(scoped, does)))
}

fn harness(made: &Made) -> Harness {
    let made = Arc::clone(made);
    Harness::new(move || {
        let made = Arc::clone(&made);
        let connect = move |_: &_, env: &baton_runtime::ConnectorEnv| {
            let builder = ConnectorBuilder::new()
                .clock(Arc::clone(&env.clock))
                .random(Arc::clone(&env.random));
            Ok(Built {
                connector: Arc::new(builder.types(&types()?, &made)?.build()?),
                content_facts: BTreeMap::new(),
            })
        };
        App::new("baton-wheel", "1.2.3", Box::new(connect)).types(|_| types())
    })
}

fn run(args: &[&str]) -> Outcome {
    harness(&Made::default()).run(args)
}

/// The log lines with this message.
fn logged(outcome: &Outcome, message: &str) -> Vec<Value> {
    let lines = outcome.stderr.lines();
    let lines = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["msg"] == message).collect()
}

const ARGS: [&str; 2] = ["--invoke-action-args", r#"{"a":"1","n":2}"#];

#[test]
fn runs_end_as_those_of_the_go_programs() {
    let answer = r#"{"args":{"a":"1","n":2},"success":true}"#;
    let (complete, failed, running) = (
        "BATON_ACTION_STATUS_COMPLETE",
        "BATON_ACTION_STATUS_FAILED",
        "BATON_ACTION_STATUS_RUNNING",
    );
    for (name, code, status, first, last, error) in [
        ("ok", 0, complete, answer, answer, ""),
        ("nil", 0, complete, "<nil>", "<nil>", ""),
        ("slow", 0, running, "<nil>", answer, ""),
        (
            "fail",
            2,
            failed,
            r#"{"error":"action failed on purpose"}"#,
            r#"{"error":"action failed on purpose"}"#,
            "action invoke failed: action failed on purpose",
        ),
        (
            "fail-status",
            2,
            failed,
            r#"{"error":"no permission"}"#,
            r#"{"error":"no permission"}"#,
            "action invoke failed: no permission",
        ),
        (
            "panic",
            2,
            failed,
            r#"{"error":"panic in action handler: made to panic"}"#,
            r#"{"error":"panic in action handler: made to panic"}"#,
            "action invoke failed: panic in action handler: made to panic",
        ),
    ] {
        for more in [&[][..], &["-p"]] {
            let args = [&["--invoke-action", name], &ARGS[..], more].concat();
            let outcome = run(&args);
            assert_eq!(outcome.status.code(), code, "{name}: {}", outcome.stderr);
            let lines = logged(&outcome, "ActionInvoke response");
            assert_eq!(lines.len(), 2, "{name}: {}", outcome.stderr);
            assert_eq!(lines[0]["name"], name);
            assert_eq!(lines[0]["status"], status);
            assert_eq!(lines[0]["response"], first, "{name}");
            assert_eq!(lines[0]["action_id"].as_str().map(str::len), Some(27));
            assert_eq!(lines[1]["resp"], last, "{name}");
            assert!(outcome.stderr.contains(error), "{name}: {}", outcome.stderr);
        }
    }
}

#[test]
fn what_cannot_be_run_has_the_code_and_the_text_of_the_go_programs() {
    let user = "--invoke-action-resource-type=user";
    for (args, code, text) in [
        (
            vec!["exclusive", r#"{"a":"1","b":"2"}"#],
            3,
            "fields are mutually exclusive: [a b]",
        ),
        (vec!["one", ""], 3, "at least one required: [a b]"),
        (
            vec!["together", r#"{"a":"1"}"#],
            3,
            "fields required together: [a b]",
        ),
        (
            vec!["dependent", r#"{"a":"1","b":"2"}"#],
            3,
            "fields [a] depend on [b c] which must also be present",
        ),
        (
            vec!["nosuch", "{}"],
            5,
            "handler for action nosuch not found",
        ),
        (
            vec!["ok", "{}", user],
            5,
            "handler for action ok not found for resource type user",
        ),
        (
            vec!["ok", "{}", "--invoke-action-resource-type=role"],
            5,
            "no actions found for resource type role",
        ),
        (vec!["ok", "{"], 2, "failed to parse invoke-action-args: "),
        (vec!["ok", "[1]"], 2, "failed to parse invoke-action-args: "),
        // Ours.
        (vec!["ok", "{"], 2, "line 1 column 1"),
        (
            vec!["ok", r#"{"a":1}"#],
            3,
            "argument `a` must be a text, not a number",
        ),
        (
            vec!["scoped", r#"{"times":"3"}"#, user],
            3,
            "argument `times` must be a whole number, not a text",
        ),
        (
            vec!["scoped", "{}", user],
            3,
            "argument `times` is required",
        ),
    ] {
        let flags = ["--invoke-action", args[0], "--invoke-action-args", args[1]];
        let outcome = run(&[&flags[..], &args[2..]].concat());
        assert_eq!(outcome.status.code(), code, "{args:?}: {}", outcome.stderr);
        assert!(
            outcome.stderr.contains(text),
            "{args:?}: {}",
            outcome.stderr
        );
        assert!(
            logged(&outcome, "ActionInvoke response").is_empty(),
            "{args:?}"
        );
    }
}

#[test]
fn the_result_is_readable_or_one_json_object() {
    let ok = run(&[&["--invoke-action", "ok"], &ARGS[..]].concat());
    assert_eq!(
        ok.stdout,
        "ran action `ok`\n  args: {\"a\":\"1\",\"n\":2}\n  success: true\n"
    );
    assert!(
        ok.stderr.contains("warning: the wheel is old"),
        "{}",
        ok.stderr
    );
    let ok = run(&[&["--invoke-action", "ok", "-ojson"], &ARGS[..]].concat());
    let result: Value = serde_json::from_str(&ok.stdout).unwrap();
    assert_eq!(result["operation"], "action");
    assert_eq!(result["outcome"], "done");
    assert_eq!(result["action"]["id"], "ok");
    assert_eq!(
        result["action_state"]["status"],
        "BATON_ACTION_STATUS_COMPLETE"
    );
    assert_eq!(result["action_state"]["response"]["args"]["n"], 2);
    assert_eq!(result["writes"][0]["target"], "turn the wheel");
    for (name, outcome, writes) in [("fail", "refused", 0), ("broken", "failed", 1)] {
        let failed = run(&["--invoke-action", name, "-o", "json"]);
        assert_eq!(failed.status.code(), 2);
        let result: Value = serde_json::from_str(&failed.stdout).unwrap();
        assert_eq!(result["outcome"], outcome);
        assert_eq!(result["writes"].as_array().unwrap().len(), writes);
        assert_eq!(
            result["action_state"]["status"],
            "BATON_ACTION_STATUS_FAILED"
        );
        let error = format!("cannot run action `{name}`: action invoke failed: ");
        assert!(
            result["error"]["message"]
                .as_str()
                .unwrap()
                .starts_with(&error)
        );
    }
}

#[test]
fn an_action_is_dry_run_and_recorded_as_every_change() {
    let made = Made::default();
    let mut harness = harness(&made);
    let invoke = ["--invoke-action", "ok", "--audit-log", "audit.jsonl"];
    let dry = harness.run(&[&invoke[..], &["--dry-run"]].concat());
    assert_eq!(
        (dry.status.code(), dry.stdout.as_str()),
        (
            0,
            "dry run: would run action `ok`; no write was sent\n  sends turn the wheel\n"
        )
    );
    assert_eq!(made.load(Ordering::Relaxed), 0);
    assert_eq!(harness.run(&invoke).status.code(), 0);
    assert_eq!(made.load(Ordering::Relaxed), 1);
    let log = std::fs::read_to_string(harness.folder().join("audit.jsonl")).unwrap();
    let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<Value> = lines.collect();
    let events: Vec<_> = lines
        .iter()
        .map(|line| (line["event"].as_str().unwrap(), line["dry_run"] == true))
        .collect();
    assert_eq!(
        events,
        [
            ("intent", true),
            ("outcome", true),
            ("intent", false),
            ("outcome", false)
        ]
    );
    assert_eq!(lines[2]["operation"], "action");
    assert_eq!(lines[2]["action"]["id"], "ok");
    assert_eq!(lines[3]["outcome"], "done");
    // As if the process was killed before the outcome.
    let intent = log.lines().nth(2).unwrap().replace("\"pid\":", "\"pid\":1");
    std::fs::write(harness.folder().join("audit.jsonl"), intent + "\n").unwrap();
    let next = harness.run(&invoke);
    assert!(
        next.stderr
            .contains("an earlier run began to run action `ok` at"),
        "{}",
        next.stderr
    );
}

#[test]
fn a_signal_ends_the_wait_and_what_was_sent_is_brought_to_its_end() {
    let made = Made::default();
    let mut harness = harness(&made);
    harness.stop_after(Duration::from_secs(5));
    let stopped = harness.run(&["--invoke-action", "long"]);
    assert_eq!(stopped.status.code(), 143, "{}", stopped.stderr);
    assert!(
        stopped.stderr.contains("cannot run action `long`"),
        "{}",
        stopped.stderr
    );
    harness.stop_after(Duration::from_secs(5));
    let written = harness.run(&["--invoke-action", "writes"]);
    assert_eq!(written.status.code(), 0, "{}", written.stderr);
    assert_eq!(made.load(Ordering::Relaxed), 1);
}

/// A connector whose process is another one, as far as the program can see.
struct Remote(BuiltConnector);

#[async_trait]
impl Connector for Remote {
    async fn metadata(&self, call: &Call) -> Result<v2::ConnectorMetadata> {
        self.0.metadata(call).await
    }

    async fn validate(&self, _: &Call) -> Result<Vec<Any>> {
        Ok(Vec::new())
    }

    async fn list_resource_types(&self, _: &Call) -> Result<Page<v2::ResourceType>> {
        Ok(Page::empty())
    }

    async fn list_resources(
        &self,
        _: &Call,
        _: &str,
        _: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        Ok(Page::empty())
    }

    async fn list_static_entitlements(&self, _: &Call, _: &str) -> Result<Page<v2::Entitlement>> {
        Ok(Page::empty())
    }

    async fn list_entitlements(&self, _: &Call, _: &v2::Resource) -> Result<Page<v2::Entitlement>> {
        Ok(Page::empty())
    }

    async fn list_grants(&self, _: &Call, _: &v2::Resource) -> Result<Page<v2::Grant>> {
        Ok(Page::empty())
    }

    async fn get_resource(
        &self,
        _: &Call,
        _: &v2::ResourceId,
        _: Option<&v2::ResourceId>,
    ) -> Result<Option<Row<v2::Resource>>> {
        Ok(None)
    }

    async fn cleanup(&self, _: &Call) -> Result<()> {
        Ok(())
    }

    fn actions(&self) -> Option<&dyn Actions> {
        self.0.actions()
    }
}

#[test]
fn an_action_of_another_process_may_continue_and_that_is_shown() {
    let mut harness = Harness::new(|| {
        let connect = |_: &_, env: &baton_runtime::ConnectorEnv| {
            let builder = ConnectorBuilder::new().random(Arc::clone(&env.random));
            let built = builder.types(&types()?, &Made::default())?.build()?;
            Ok(Built {
                connector: Arc::new(Remote(built)),
                content_facts: BTreeMap::new(),
            })
        };
        App::new("baton-wheel", "1.2.3", Box::new(connect)).types(|_| types())
    });
    harness.stop_after(Duration::from_secs(5));
    let stopped = harness.run(&["--invoke-action", "long"]);
    assert_eq!(stopped.status.code(), 143, "{}", stopped.stderr);
    let late = harness.run(&["--invoke-action", "long", "--action-timeout", "5s"]);
    assert_eq!(late.status.code(), 4, "{}", late.stderr);
    for outcome in [stopped, late] {
        let text = "the action may continue in the connector, as `";
        assert!(outcome.stderr.contains(text), "{}", outcome.stderr);
    }
}

#[test]
fn the_wait_for_an_action_has_a_limit() {
    for (args, text) in [
        (vec![], "the action did not end within 1 h 0 min"),
        (
            vec!["--action-timeout=90s"],
            "the action did not end within 1 min 30 s",
        ),
    ] {
        let late = run(&[&["--invoke-action", "long"], &args[..]].concat());
        assert_eq!(late.status.code(), 4, "{}", late.stderr);
        assert!(late.stderr.contains(text), "{}", late.stderr);
    }
    let alone = run(&["--action-timeout=1s"]);
    assert!(
        alone.error().contains("has no effect without a change"),
        "{}",
        alone.stderr
    );
}

#[test]
fn actions_are_listed_for_people_as_json_and_in_the_log() {
    let all = run(&["--list-action-schemas"]);
    assert_eq!(all.status.code(), 0, "{}", all.stderr);
    let lines = logged(&all, "Action Schemas");
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["count"], 14);
    assert!(lines[0].get("resource_type_id").is_none());
    assert!(
        all.stdout
            .starts_with("`broken`: Action broken\n  `a` (text)\n"),
        "{}",
        all.stdout
    );
    for args in [
        &[
            "--list-action-schemas",
            "--list-action-schemas-resource-type",
            "user",
        ][..],
        // The Go programs ignore this flag and sync.
        &["--list-resource-actions", "user"],
    ] {
        let scoped = run(args);
        let lines = logged(&scoped, "Action Schemas");
        assert_eq!(
            (&lines[0]["count"], &lines[0]["resource_type_id"]),
            (&1.into(), &"user".into())
        );
        let shown = scoped.stdout.replace('\u{fffd}', "?");
        assert!(!shown.contains('\u{1b}'));
        assert!(
            shown.starts_with("`scoped` of resource type `user`: Scoped\n"),
            "{shown}"
        );
        assert!(
            shown.ends_with("\n  `times` (number, required): How often\n"),
            "{shown}"
        );
        let json = run(&[args, &["-o", "json"]].concat());
        let json: Value = serde_json::from_str(&json.stdout).unwrap();
        assert_eq!(json["schemas"][0]["resourceTypeId"], "user");
        assert_eq!(json["schemas"][0]["arguments"][0]["isRequired"], true);
    }
    let none = run(&["--list-resource-actions", "role"]);
    assert_eq!(none.stdout, "resource type `role` has no actions\n");
    let refused = run(&["--list-action-schemas", "--dry-run"]);
    assert_eq!(refused.error(), "--dry-run has no effect without a change");
}

#[test]
fn the_flags_of_resource_actions_work_and_the_environment_chooses_too() {
    let scoped = [
        "--invoke-resource-action=scoped",
        "--invoke-resource-action-resource-type=user",
        "--invoke-resource-action-args={\"times\":3}",
    ];
    let ran = run(&scoped);
    assert_eq!(ran.status.code(), 0, "{}", ran.stderr);
    assert!(
        ran.stdout
            .starts_with("ran action `scoped` of resource type `user`\n")
    );
    let bad = run(&[scoped[0], scoped[1], "--invoke-resource-action-args=7"]);
    let text = "failed to parse invoke-resource-action-args: ";
    assert!(bad.error().starts_with(text), "{}", bad.stderr);
    let mut harness = harness(&Made::default())
        .env("BATON_INVOKE_ACTION", "ok")
        .env("BATON_INVOKE_ACTION_ARGS", "{\"a\":\"x\"}");
    assert!(harness.run(&[]).stdout.contains("args: {\"a\":\"x\"}"));
}
