//! Scripts: every key, and what is refused with its line.

use super::*;

#[test]
fn every_key_is_read() {
    let text = "
next-poll: 10s
next-heartbeat: 5s
token-lifetime: 1h
skew-tolerance: 2m
clock-ahead: -10m
requeue-on-hello: true
require-deadlines: true
polls: {3: 0s, 4: 1d}
tasks:
  - id: Ta00000000000000000000000000
    task: {syncFull: {skipGrants: true}}
    debug: true
    at: 5s
    after-finished: 1
    times: 2
    host: h
    next-poll: 250ms
    cancel-at-heartbeat: 2
    next-heartbeats: {1: 5s, 2: -1s}
  - unknown-arm: true
    foreign: true
  - empty: true
  - task: {none: {}}
    copies: 3
faults:
  - {call: GetTask, nth: 2, do: hang}
  - {call: FinishTask, from: 2, to: 3, do: {status: {code: Unavailable, message: later}}}
  - {call: Token, from: 4, do: {http: {status: 429, retry-after: 7}}}
  - {call: Hello, do: {delay: 40s}}
  - {call: UploadAsset, do: {status-after: {chunks: 2, code: NotFound}}}
  - {call: GetTasks, do: {message: {nextPoll: 9s}}}
  - {call: Heartbeat, do: {garbage: ff00}}
";
    let script = Script::from_yaml(text).unwrap();
    let seconds = Duration::from_secs;
    assert_eq!(script.next_poll, Some(seconds(10)));
    assert_eq!(script.next_heartbeat, Some(seconds(5)));
    assert_eq!(script.token_lifetime, Some(Duration::from_hours(1)));
    assert_eq!(script.skew_tolerance, Some(Duration::from_mins(2)));
    assert_eq!(script.clock_ahead, -600);
    assert!(script.requeue_on_hello && script.require_deadlines);
    let wire = |seconds| prost_types::Duration { seconds, nanos: 0 };
    assert_eq!(script.polls, [(3, wire(0)), (4, wire(86_400))]);
    assert_eq!(script.tasks.len(), 6);
    let json = r#"{"id": "Ta00000000000000000000000000", "debug": true,
        "syncFull": {"skipGrants": true}}"#;
    let first = PlannedTask::from_json(json)
        .unwrap()
        .at(seconds(5))
        .after_finished(1)
        .times(2)
        .for_host("h")
        .next_poll(Duration::from_millis(250))
        .cancel_at_heartbeat(2)
        .next_heartbeat(1, wire(5))
        .next_heartbeat(2, wire(-1));
    assert_eq!(script.tasks[0], first);
    let unknown = PlannedTask::unknown_arm("T00000000000000000000000002");
    assert_eq!(script.tasks[1], unknown.foreign());
    assert_eq!(script.tasks[2], PlannedTask::of(Task::default()));
    assert_eq!(script.tasks[5].id(), "T00000000000000000000000006");
    let fault = |call, which, action| Fault {
        call,
        which,
        action,
    };
    let later = Status::new(Code::Unavailable, "later");
    let http = Action::Http {
        status: 429,
        retry_after: Some(7),
    };
    let missing = Status::new(Code::NotFound, "");
    let message = vec![0x12, 2, 8, 9];
    let expected = [
        fault(Call::GetTask, Which::Nth(2), Action::Hang),
        fault(Call::FinishTask, Which::Range(2, 3), Action::Status(later)),
        fault(Call::Token, Which::Range(4, u64::MAX), http),
        fault(Call::Hello, Which::All, Action::Delay(seconds(40))),
        fault(
            Call::UploadAsset,
            Which::All,
            Action::StatusAfter(2, missing),
        ),
        fault(Call::GetTasks, Which::All, Action::Message(message)),
        fault(Call::Heartbeat, Which::All, Action::Garbage(vec![0xff, 0])),
    ];
    assert_eq!(script.faults, expected);
}

#[test]
fn every_action_has_the_name_of_the_log() {
    for (text, call) in [
        ("expire-token", "GetTask"),
        ("html", "GetTask"),
        ("drop", "GetTask"),
        ("goaway", "GetTask"),
        ("hang", "GetTask"),
        ("lose-answer", "GetTask"),
        ("hang-answer", "GetTask"),
        ("wrong-service", "GetTask"),
        ("reset-stream: 7", "GetTask"),
        ("huge: 100000000", "GetTask"),
        ("drop-after: 2", "UploadAsset"),
        ("token-body: {status: 200, body: x}", "Token"),
        ("message: {}", "Hello"),
    ] {
        let name = text.split(':').next().unwrap();
        let action = if name == text {
            text.to_owned()
        } else {
            format!("{{{text}}}")
        };
        let yaml = format!("faults:\n  - {{call: {call}, do: {action}}}\n");
        let script = Script::from_yaml(&yaml).unwrap();
        assert_eq!(script.faults[0].action.name(), name);
    }
}

#[test]
fn an_empty_script_changes_nothing() {
    assert_eq!(
        Script::from_yaml("# nothing\n\n").unwrap(),
        Script::default()
    );
    assert_eq!(Script::from_yaml("").unwrap(), Script::default());
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    for (text, line, words) in [
        ("next-pol: 1s", 1, "next-pol"),
        ("\nnext-poll: 1", 2, "for example `30s`"),
        ("next-poll: -1s", 1, "the time is negative"),
        ("tasks:\n  - {task: {none: {}}, att: 5s}", 2, "att"),
        (
            "tasks:\n  - {id: x}",
            2,
            "expected one of `task`, `unknown-arm`, `empty`",
        ),
        (
            "tasks:\n  - {empty: true, unknown-arm: true}",
            2,
            "expected one of",
        ),
        (
            "tasks:\n  - {task: {none: {}, hello: {}}}",
            2,
            "has not one arm",
        ),
        ("tasks:\n\n  - task: {nothing: {}}", 3, "nothing"),
        (
            "tasks:\n  - {task: {none: {}}, at: -1s}",
            2,
            "`at` is negative",
        ),
        (
            "tasks:\n  - {task: {none: {}}, id: x, copies: 2}",
            2,
            "has no copies",
        ),
        (
            "tasks:\n  - {task: {none: {}}, copies: 100001}",
            2,
            "more than 100000 tasks",
        ),
        (
            "faults:\n  - {call: Nope, do: hang}",
            2,
            "unknown call `Nope`",
        ),
        ("faults:\n  - {call: Hello, do: sleep}", 2, "sleep"),
        (
            "faults:\n  - {call: Hello, nth: 1, to: 2, do: hang}",
            2,
            "expected `nth`",
        ),
        (
            "faults:\n  - {call: Hello, do: {status: {code: OK}}}",
            2,
            "unknown code `OK`",
        ),
        (
            "faults:\n  - {call: Hello, do: {status: {cod: OK}}}",
            2,
            "cod",
        ),
        (
            "faults:\n  - {call: Hello, do: {drop-after: 1}}",
            2,
            "a fault of Hello cannot be",
        ),
        (
            "faults:\n  - {call: Hello, do: {garbage: f}}",
            2,
            "not pairs of hexadecimal",
        ),
        (
            "faults:\n  - {call: GetTask, do: {message: {x: 1}}}",
            2,
            "an answer of GetTask",
        ),
        (
            "faults:\n  - {call: Token, do: {message: {}}}",
            2,
            "Token has no message",
        ),
        ("tasks: [", 1, "line"),
    ] {
        let error = Script::from_yaml(text).unwrap_err().to_string();
        assert!(error.starts_with("cannot read the script: "), "{error}");
        assert!(error.contains(words), "{error}\n{text}");
        assert!(error.contains(&format!("line {line}")), "{error}\n{text}");
    }
}
