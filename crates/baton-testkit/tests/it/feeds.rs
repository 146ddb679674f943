//! Event feeds and tickets from the command line, against an application in
//! memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use baton_connector::{
    Call, Change, Code, ConnectorBuilder, Creation, Error, EventFeed, EventPage, EventRequest,
    Page, Result, TicketManager, Types, Write, async_trait, check_ticket, resource, v2,
};
use baton_runtime::{App, Built};
use baton_testkit::{Harness, Outcome};
use serde_json::{Value, json};

/// An application with a log of events, and with tickets.
#[derive(Debug, Clone, Default)]
struct Desk {
    /// Ids of events, in order.
    events: Arc<Mutex<Vec<String>>>,
    /// What goes wrong with the next requests for events.
    faults: Arc<Mutex<Vec<Code>>>,
    requests: Arc<Mutex<Vec<String>>>,
    tickets: Arc<Mutex<BTreeMap<String, v2::Ticket>>>,
    /// Stop following after so many requests: the cursor stays the same.
    stuck: bool,
}

struct Log(Desk);

/// Events of a page.
const PAGE: usize = 2;

#[async_trait]
impl EventFeed for Log {
    async fn events(&self, _call: &Call, request: &EventRequest<'_>) -> Result<EventPage> {
        let start = request.start_at.map_or(0, |time| time.seconds);
        let size = request.page_size.unwrap_or_default();
        let from = request.cursor.unwrap_or("first");
        let note = format!("{from} {start} {size}");
        self.0.requests.lock().unwrap().push(note);
        if let Some(code) = self.0.faults.lock().unwrap().pop() {
            return Err(Error::stated(code, "the log is locked"));
        }
        let number = request.cursor.map(str::parse).transpose();
        let first: usize = number
            .map_err(|_| Error::stated(Code::InvalidArgument, "a cursor of another feed"))?
            .unwrap_or_default();
        let events = self.0.events.lock().unwrap();
        let page: Vec<_> = events.iter().skip(first).take(PAGE).collect();
        let next = if self.0.stuck {
            first
        } else {
            first + page.len()
        };
        Ok(EventPage {
            has_more: next < events.len(),
            cursor: next.to_string(),
            events: page.into_iter().map(|id| event(id)).collect(),
            ..EventPage::default()
        })
    }
}

fn event(id: &str) -> v2::Event {
    v2::Event {
        id: id.to_owned(),
        event: Some(v2::event::Event::ResourceChangeEvent(
            v2::ResourceChangeEvent {
                resource_id: Some(resource::resource_id("user", "u\u{1b}[2J")),
                parent_resource_id: None,
            },
        )),
        ..v2::Event::default()
    }
}

fn schema(id: &str) -> v2::TicketSchema {
    use v2::ticket_custom_field::Value as Field;
    let fields = [
        (
            "text",
            Field::StringValue(v2::TicketCustomFieldStringValue::default()),
        ),
        (
            "texts",
            Field::StringValues(v2::TicketCustomFieldStringValues::default()),
        ),
        (
            "flag",
            Field::BoolValue(v2::TicketCustomFieldBoolValue::default()),
        ),
        (
            "number",
            Field::NumberValue(v2::TicketCustomFieldNumberValue::default()),
        ),
        (
            "time",
            Field::TimestampValue(v2::TicketCustomFieldTimestampValue::default()),
        ),
        (
            "pick",
            Field::PickStringValue(v2::TicketCustomFieldPickStringValue::default()),
        ),
        (
            "picks",
            Field::PickMultipleStringValues(
                v2::TicketCustomFieldPickMultipleStringValues::default(),
            ),
        ),
        (
            "object",
            Field::PickObjectValue(v2::TicketCustomFieldPickObjectValue::default()),
        ),
        (
            "objects",
            Field::PickMultipleObjectValues(
                v2::TicketCustomFieldPickMultipleObjectValues::default(),
            ),
        ),
    ];
    let fields = fields.map(|(id, value)| {
        let field = v2::TicketCustomField {
            id: id.to_owned(),
            value: Some(value),
            ..v2::TicketCustomField::default()
        };
        (id.to_owned(), field)
    });
    v2::TicketSchema {
        id: id.to_owned(),
        display_name: format!("Schema {id}"),
        statuses: vec![v2::TicketStatus {
            id: "open".to_owned(),
            display_name: "Open".to_owned(),
        }],
        custom_fields: fields.into_iter().collect(),
        ..v2::TicketSchema::default()
    }
}

#[async_trait]
impl TicketManager for Desk {
    async fn schemas(&self, call: &Call) -> Result<Page<v2::TicketSchema>> {
        Ok(match call.token() {
            "" => Page::new(vec![schema("bug")], "2"),
            _ => Page::last(vec![schema("task")]),
        })
    }

    async fn schema(&self, _call: &Call, id: &str) -> Result<v2::TicketSchema> {
        match id {
            "bug" | "task" => Ok(schema(id)),
            _ => Err(Error::stated(Code::NotFound, format!("no schema `{id}`"))),
        }
    }

    async fn create(
        &self,
        _call: &Call,
        draft: &v2::Ticket,
        schema: &v2::TicketSchema,
    ) -> Result<Creation<v2::Ticket>> {
        check_ticket(schema, draft)?;
        let mut ticket = draft.clone();
        ticket.id = format!("T-{}", draft.display_name);
        let (desk, kept) = (self.clone(), ticket.clone());
        let write = Write::local(format!("file {}", ticket.id), move |_call| {
            let ticket = kept.clone();
            desk.tickets
                .lock()
                .unwrap()
                .insert(ticket.id.clone(), ticket);
            async { Ok(()) }
        });
        let change = Change::create().write(write);
        Ok(change.gives(move |_call, _made| async move { Ok(ticket) }))
    }

    async fn get(&self, _call: &Call, id: &str) -> Result<Option<v2::Ticket>> {
        Ok(self.tickets.lock().unwrap().get(id).cloned())
    }
}

fn types(feeds: &[&'static str], tickets: bool) -> Types<Desk> {
    let mut types = Types::new();
    for id in feeds {
        let metadata = v2::EventFeedMetadata {
            id: (*id).to_owned(),
            supported_event_types: vec![4],
        };
        types = types.event_feed(metadata, |desk: &Desk| Ok(Log(desk.clone())));
    }
    if tickets {
        types = types.tickets(|desk: &Desk| Ok(desk.clone()));
    }
    types
}

fn program(desk: &Desk, feeds: &'static [&'static str], tickets: bool) -> Harness {
    let desk = desk.clone();
    Harness::new(move || {
        let desk = desk.clone();
        let connect = move |_: &_, _: &_| {
            let connector = ConnectorBuilder::new().types(&types(feeds, tickets), &desk)?;
            Ok(Built {
                connector: Arc::new(connector.build()?),
                content_facts: BTreeMap::new(),
            })
        };
        App::new("baton-desk", "1.2.3", Box::new(connect)).types(move |_| Ok(types(feeds, tickets)))
    })
}

fn harness(desk: &Desk) -> Harness {
    program(desk, &["log"], true)
}

fn desk(events: usize) -> Desk {
    let desk = Desk::default();
    let ids = (1..=events).map(|number| format!("e{number}"));
    desk.events.lock().unwrap().extend(ids);
    desk
}

#[track_caller]
fn code(outcome: &Outcome, code: u8) -> &Outcome {
    let texts = format!("{}{}", outcome.stdout, outcome.stderr);
    assert_eq!(outcome.status.code(), code, "{texts}");
    outcome
}

fn ids(outcome: &Outcome) -> Vec<String> {
    let lines = outcome.stdout.lines();
    let ids = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    ids.map(|event| event["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn events_come_as_one_json_line_each_and_the_cursor_is_logged() {
    for args in [
        &["--event-feed"][..],
        &["--event-feed", "true"],
        &["--event-feed=T", "-o", "json"],
        &["--event-feed", "-p"],
        &["--event-feed", "--event-feed-id=log", "--ticketing"],
    ] {
        let desk = desk(5);
        let read = harness(&desk).run(args);
        assert_eq!(
            ids(code(&read, 0)),
            ["e1", "e2", "e3", "e4", "e5"],
            "{args:?}"
        );
        assert!(
            read.stderr.contains("event feed caught up"),
            "{}",
            read.stderr
        );
        assert!(read.stderr.contains("\"cursor\":\"5\""), "{}", read.stderr);
        // One day before the first run of the harness.
        let requests = desk.requests.lock().unwrap();
        assert_eq!(requests[..2], ["first 1767236645 100", "2 1767236645 100"]);
        assert!(!read.stdout.contains('\u{1b}'));
    }
    let desk = desk(3);
    let read = harness(&desk).run(&[
        "--event-feed",
        "--event-feed-cursor=2",
        "--event-feed-start-at=2026-01-01T00:00:00Z",
    ]);
    assert_eq!(ids(code(&read, 0)), ["e3"]);
    assert_eq!(desk.requests.lock().unwrap()[0], "2 1767225600 100");
}

#[test]
fn what_is_wrong_with_the_flags_is_explained() {
    let one: &[&str] = &["log"];
    let two: &[&str] = &["log", "other"];
    for (feeds, args, status, expected) in [
        (one, &["--event-feed=abc"][..], 2, "abc"),
        (one, &["--event-feed", "abc"], 2, "abc"),
        (
            one,
            &["--event-feed", "--event-feed-id=x"],
            5,
            "event feed id x not found",
        ),
        (
            two,
            &["--event-feed"],
            2,
            "pass one of these with --event-feed-id: log, other",
        ),
        (&[], &["--event-feed"], 5, "no event feeds"),
        (
            one,
            &["--event-feed", "--event-feed-start-at=yesterday"],
            2,
            "--event-feed-start-at `yesterday` is not a time",
        ),
        (
            one,
            &["--event-feed", "--event-feed-cursor=x"],
            3,
            "a cursor of another feed",
        ),
        (
            one,
            &["--event-feed", "--dry-run"],
            2,
            "--dry-run has no effect",
        ),
        (one, &["--follow"], 2, "without --event-feed"),
        (
            one,
            &["--list-ticket-schemas", "--follow"],
            2,
            "without --event-feed",
        ),
        (
            one,
            &["--event-feed-cursor-file=c"],
            2,
            "without --event-feed",
        ),
        (
            one,
            &[
                "--event-feed",
                "--create-ticket",
                "--ticket-template-path=x",
            ],
            2,
            "none of the others",
        ),
    ] {
        let refused = program(&desk(1), feeds, true).run(args);
        let text = &code(&refused, status).stderr;
        assert!(text.contains(expected), "{args:?}: {text}");
    }
    let not = harness(&desk(1)).run(&["--event-feed=false"]);
    assert!(!not.stdout.contains("e1"), "a sync runs");
}

#[test]
fn the_cursor_file_continues_where_the_run_before_ended() {
    let desk = desk(3);
    let mut harness = harness(&desk);
    let args = ["--event-feed", "--event-feed-cursor-file", "place"];
    let path = harness.folder().join("place");
    assert_eq!(ids(code(&harness.run(&args), 0)), ["e1", "e2", "e3"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "3\n");
    desk.events.lock().unwrap().push("e4".to_owned());
    assert_eq!(ids(code(&harness.run(&args), 0)), ["e4"]);
    assert!(ids(code(&harness.run(&args), 0)).is_empty());
    let both = [&args[..], &["--event-feed-cursor=1"]].concat();
    let refused = harness.run(&both);
    assert!(code(&refused, 2).error().contains("gives another one"));
    for (content, expected) in [
        ("a\nb", "does not hold a cursor"),
        (&"x".repeat(5000), "does not hold a cursor"),
    ] {
        std::fs::write(&path, content).unwrap();
        let refused = harness.run(&args);
        assert!(code(&refused, 2).error().contains(expected));
    }
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    code(&harness.run(&args), 2);
    let nowhere = ["--event-feed", "--event-feed-cursor-file", "no/such/folder"];
    let refused = harness.run(&nowhere);
    assert!(code(&refused, 2).stdout.is_empty(), "nothing was read");
}

#[test]
fn a_feed_that_fails_or_stands_still_ends_the_run_after_its_whole_pages() {
    let stuck = Desk {
        stuck: true,
        ..desk(5)
    };
    let refused = harness(&stuck).run(&["--event-feed", "--event-feed-cursor=0"]);
    let text = &code(&refused, 13).stderr;
    assert!(text.contains("its cursor is unchanged"), "{text}");
    let failing = desk(1);
    failing.faults.lock().unwrap().push(Code::PermissionDenied);
    code(&harness(&failing).run(&["--event-feed", "--follow"]), 7);
}

#[test]
fn following_polls_twice_a_minute_survives_outages_and_ends_with_a_signal() {
    let desk = desk(3);
    let mut harness = harness(&desk);
    let args = [
        "--event-feed",
        "--follow",
        "--event-feed-cursor-file",
        "place",
    ];
    let followed = harness.stop_after(Duration::from_mins(10)).run(&args);
    assert_eq!(ids(code(&followed, 0)), ["e1", "e2", "e3"]);
    let requests = desk.requests.lock().unwrap().len();
    assert!(
        (20..=23).contains(&requests),
        "{requests} requests in ten minutes"
    );
    let caught_up = followed.stderr.matches("event feed caught up").count();
    assert_eq!(caught_up, 1, "{}", followed.stderr);

    desk.events.lock().unwrap().push("e4".to_owned());
    let faults = vec![Code::Unavailable; 3];
    *desk.faults.lock().unwrap() = faults;
    let followed = harness.stop_after(Duration::from_mins(10)).run(&args);
    assert_eq!(ids(code(&followed, 0)), ["e4"]);
    let warned = followed.stderr.matches("cannot read events").count();
    assert_eq!(warned, 3, "{}", followed.stderr);
    let place = std::fs::read_to_string(harness.folder().join("place"));
    assert_eq!(place.unwrap(), "4\n");
}

#[test]
fn a_reader_that_goes_away_ends_the_run_and_the_cursor_keeps_the_last_whole_page() {
    let desk = desk(6);
    let mut harness = harness(&desk);
    let args = [
        "--event-feed",
        "--follow",
        "--event-feed-cursor-file",
        "place",
    ];
    // Two events are one page.
    let read = harness.close_stdout_after(4).run(&args);
    assert_eq!(ids(code(&read, 0)), ["e1", "e2", "e3", "e4"]);
    let place = std::fs::read_to_string(harness.folder().join("place"));
    assert_eq!(place.unwrap(), "4\n");
    assert_eq!(desk.requests.lock().unwrap().len(), 3, "it asks no more");
    let rest = harness.run(&["--event-feed", "--event-feed-cursor-file", "place"]);
    assert_eq!(ids(code(&rest, 0)), ["e5", "e6"]);
}

const ALL: &str = r#"{
    "schema_id": "bug", "status_id": "open", "display_name": "a", "description": "d",
    "labels": ["l1"], "requested_for_id": "u1",
    "custom_fields": {
        "text": "t", "texts": ["a", "b"], "flag": true, "number": 1.5,
        "time": "2026-01-02T03:04:05Z"
    }
}"#;

fn with(harness: &Harness, name: &str, text: &str) {
    std::fs::write(harness.folder().join(name), text).unwrap();
}

const CREATE: [&str; 2] = ["--create-ticket", "--ticket-template-path=t.json"];
const BULK: [&str; 2] = ["--bulk-create-ticket", "--bulk-ticket-template-path=t.json"];

#[test]
fn a_ticket_is_created_from_a_template_and_can_be_read() {
    let desk = desk(0);
    let mut harness = harness(&desk);
    with(&harness, "t.json", ALL);
    let dry = harness.run(&[&CREATE[..], &["--dry-run"]].concat());
    assert!(
        code(&dry, 0)
            .stdout
            .starts_with("dry run: would create ticket `a`")
    );
    assert!(desk.tickets.lock().unwrap().is_empty());
    let created = harness.run(&[&CREATE[..], &["--audit-log", "audit.jsonl"]].concat());
    assert_eq!(code(&created, 0).stdout, "ticket `T-a` a\n");
    assert!(
        created.stderr.contains("created ticket"),
        "{}",
        created.stderr
    );
    let audit = std::fs::read_to_string(harness.folder().join("audit.jsonl")).unwrap();
    let lines: Vec<Value> = audit
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["operation"], "create_ticket");
    assert_eq!(lines[0]["ticket"], "a");
    assert_eq!(lines[1]["added"], json!(["T-a"]));
    let read = harness.run(&["--get-ticket", "--ticket-id=T-a", "-o", "json"]);
    let json: Value = serde_json::from_str(&code(&read, 0).stdout).unwrap();
    let ticket = &json["ticket"];
    assert_eq!(ticket["status"]["id"], "open");
    assert_eq!(ticket["requestedFor"]["id"]["resource"], "u1");
    let fields = &ticket["customFields"];
    assert_eq!(fields["number"]["numberValue"]["value"], 1.5);
    assert_eq!(fields["texts"]["stringValues"]["values"], json!(["a", "b"]));
    assert_eq!(
        fields["time"]["timestampValue"]["value"],
        "2026-01-02T03:04:05Z"
    );
    let none = harness.run(&["--get-ticket", "--ticket-id=T-9"]);
    assert_eq!(code(&none, 0).stdout, "there is no ticket `T-9`\n");
    let schemas = harness.run(&["--list-ticket-schemas"]);
    let text = &code(&schemas, 0).stdout;
    assert!(
        text.contains("`Schema bug` (`bug`)") && text.contains("`Schema task`"),
        "{text}"
    );
    let schemas = harness.run(&["--list-ticket-schemas", "-ojson"]);
    let json: Value = serde_json::from_str(&code(&schemas, 0).stdout).unwrap();
    assert_eq!(json["schemas"].as_array().unwrap().len(), 2);
}

#[test]
fn each_ticket_of_a_bulk_template_has_its_own_outcome() {
    let desk = desk(0);
    let mut harness = harness(&desk);
    let text = r#"{"tickets":[
        {"schema_id":"bug","display_name":"a"},
        {"schema_id":"bug","display_name":"b","status_id":"shut"},
        {"schema_id":"task","display_name":"c"}]}"#;
    with(&harness, "t.json", text);
    let args = [&BULK[..], &["--audit-log", "audit.jsonl", "-ojson"]].concat();
    let created = harness.run(&args);
    let json: Value = serde_json::from_str(&code(&created, 2).stdout).unwrap();
    assert_eq!(json["tickets"][0]["ticket"]["id"], "T-a");
    let error = json["tickets"][1]["error"].as_str().unwrap();
    assert!(error.contains("status `shut`"), "{error}");
    assert_eq!(json["added"], json!(["T-a", "T-c"]));
    assert!(created.error().contains("1 of 3 tickets were not created"));
    let audit = std::fs::read_to_string(harness.folder().join("audit.jsonl")).unwrap();
    let ids: std::collections::BTreeSet<String> = audit
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].to_string())
        .collect();
    assert_eq!((audit.lines().count(), ids.len()), (4, 2), "{audit}");
    with(&harness, "t.json", r#"{"tickets":[]}"#);
    let refused = harness.run(&BULK);
    assert!(
        code(&refused, 3)
            .stderr
            .contains("request body had no items")
    );
}

#[test]
fn faults_of_a_template_are_named_with_their_place() {
    let custom = |id: &str, value: &str| {
        format!(r#"{{"schema_id":"bug","custom_fields":{{"{id}":{value}}}}}"#)
    };
    let mut harness = harness(&desk(0));
    for (text, status, expected) in [
        ("{", 2, "line 1 column 1"),
        ("[]", 2, "the template is a list"),
        (r#"{"nmae":"x"}"#, 2, "at nmae: there is no such member"),
        (
            r#"{"display_name":7}"#,
            2,
            "at display_name: it is a number, not a text",
        ),
        (
            r#"{"schema_id":"bug","labels":"x"}"#,
            2,
            "at labels: it is a text, not a list",
        ),
        (
            r#"{"schema_id":"bug","labels":[1]}"#,
            2,
            "at labels[0]: it is a number",
        ),
        (
            r#"{"schema_id":"bug","custom_fields":[]}"#,
            2,
            "at custom_fields: it is a list",
        ),
        (r#"{"schema_id":"nosuch"}"#, 5, "no schema `nosuch`"),
        (&custom("zz", "1"), 2, "error: id(zz) not found in schema"),
        (
            &custom("text", "1"),
            2,
            "at custom_fields.text: unexpected value type",
        ),
        (
            &custom("texts", r#"["a",2]"#),
            2,
            "at custom_fields.texts[1]",
        ),
        (&custom("flag", r#""true""#), 2, "not true or false"),
        (&custom("number", r#""1""#), 2, "not a number"),
        (&custom("number", "1e300"), 2, "too large"),
        (&custom("time", r#""noon""#), 2, "`noon` is not a time"),
        (&custom("pick", "[]"), 2, "not a text"),
        (&custom("picks", r#""a""#), 2, "not a list"),
        (&custom("object", r#""a""#), 2, "not an object"),
        (
            &custom("object", r#"{"x":1}"#),
            2,
            "at custom_fields.object.x",
        ),
        (
            &custom("objects", r#"[{"id":1}]"#),
            2,
            "at custom_fields.objects[0].id",
        ),
    ] {
        with(&harness, "t.json", text);
        let refused = harness.run(&CREATE);
        let found = &code(&refused, status).stderr;
        assert!(found.contains(expected), "{text}: {found}");
    }
    for (text, expected) in [
        ("{}", "at tickets: it is missing"),
        (r#"{"tickets":{}}"#, "at tickets: it is an object"),
        (r#"{"tickets":[],"x":1}"#, "at x: there is no such member"),
        (r#"{"tickets":[1]}"#, "at tickets[0]: it is a number"),
        (
            r#"{"tickets":[{"x":1}]}"#,
            "at tickets[0].x: there is no such member",
        ),
    ] {
        with(&harness, "t.json", text);
        let refused = harness.run(&BULK);
        let found = &code(&refused, 2).stderr;
        assert!(found.contains(expected), "{text}: {found}");
    }
    let missing = harness.run(&["--create-ticket", "--ticket-template-path=no.json"]);
    assert!(
        code(&missing, 2)
            .stderr
            .contains("cannot read ticket template")
    );
    let missing = harness.run(&["--get-ticket", "--ticket-id="]);
    let text = &code(&missing, 2).stderr;
    assert!(text.contains("missing: ('ticket-id')"), "{text}");
}

#[test]
fn a_connector_without_tickets_has_code_12() {
    for args in [
        &CREATE[..],
        &BULK[..],
        &["--list-ticket-schemas"],
        &["--get-ticket", "--ticket-id=x"],
    ] {
        let mut harness = program(&desk(0), &["log"], false);
        let text = if args == BULK {
            r#"{"tickets":[{}]}"#
        } else {
            "{}"
        };
        with(&harness, "t.json", text);
        let refused = harness.run(args);
        assert!(
            code(&refused, 12).error().contains("no tickets"),
            "{args:?}"
        );
    }
}
