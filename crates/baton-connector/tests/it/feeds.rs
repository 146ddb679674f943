//! Event feeds and tickets: registration, requests, and the check of tickets.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use baton_connector::{
    Call, Change, ChangeSettings, Code, Connector as _, ConnectorBuilder, Creation, Error,
    EventFeed, EventPage, EventRequest, Outcome, Page, Result, TicketFault, TicketManager, Types,
    Write, check_ticket, v2,
};
use v2::TicketCustomField as Field;
use v2::ticket_custom_field::Value;

use crate::doors::{Notes, recorded};

type Seen = Arc<Mutex<Vec<(Option<String>, Option<i64>, Option<u32>)>>>;

struct Log {
    seen: Seen,
    cursor: String,
}

#[async_trait]
impl EventFeed for Log {
    async fn events(&self, _call: &Call, request: &EventRequest<'_>) -> Result<EventPage> {
        self.seen.lock().unwrap().push((
            request.cursor.map(str::to_owned),
            request.start_at.map(|time| time.seconds),
            request.page_size,
        ));
        Ok(EventPage {
            cursor: self.cursor.clone(),
            ..EventPage::default()
        })
    }
}

fn metadata(id: &str, types: &[i32]) -> v2::EventFeedMetadata {
    v2::EventFeedMetadata {
        id: id.to_owned(),
        supported_event_types: types.to_vec(),
    }
}

fn feeds(list: &[(&str, &[i32])]) -> Types<Seen> {
    let mut types = Types::new();
    for (id, kinds) in list {
        types = types.event_feed(metadata(id, kinds), |seen: &Seen| {
            Ok(Log {
                seen: Arc::clone(seen),
                cursor: "next".to_owned(),
            })
        });
    }
    types
}

#[test]
fn feeds_are_checked_where_they_are_registered() {
    let long = "x".repeat(1025);
    for (list, expected) in [
        (vec![("", &[1][..])], "has no id"),
        (vec![(long.as_str(), &[1][..])], "too long"),
        (vec![("a", &[1][..]), ("a", &[4])], "another event feed"),
        (vec![("a", &[1, 1][..])], "comes twice"),
        (vec![("a", &[2][..])], "is unknown"),
    ] {
        let refused = feeds(&list).capabilities().unwrap_err();
        assert!(refused.to_string().contains(expected), "{refused}");
        let built = ConnectorBuilder::new().types(&feeds(&list), &Seen::default());
        assert!(built.is_err(), "{expected}");
    }
    let announced = feeds(&[("a", &[1, 4, 5, 6])]).capabilities().unwrap();
    let number = i32::from(v2::Capability::EventFeedV2);
    assert_eq!(announced.connector_capabilities, [number]);
}

#[tokio::test]
async fn requests_reach_the_feed_that_they_name() {
    let seen = Seen::default();
    let list = [("b", &[1][..]), ("a", &[1]), ("baton_feed_event", &[])];
    let builder = ConnectorBuilder::new().types(&feeds(&list), &seen).unwrap();
    let connector = builder.build().unwrap();
    let events = connector.event_feeds().unwrap();
    let call = Call::alone();
    let ids: Vec<_> = events.list_feeds(&call).await.unwrap();
    let ids: Vec<_> = ids.iter().map(|feed| feed.id.as_str()).collect();
    assert_eq!(ids, ["a", "b", "baton_feed_event"]);
    let request = |id: &str, cursor: &str, page_size| v2::ListEventsRequest {
        event_feed_id: id.to_owned(),
        cursor: cursor.to_owned(),
        page_size,
        start_at: Some(prost_types::Timestamp {
            seconds: 7,
            nanos: 0,
        }),
        ..v2::ListEventsRequest::default()
    };
    for (id, cursor, size, expected) in [
        ("a", "", 0, (None, Some(7), None)),
        ("b", "c", 100, (Some("c".to_owned()), Some(7), Some(100))),
        ("", "c", 5000, (Some("c".to_owned()), Some(7), Some(1000))),
    ] {
        let answer = events.list_events(&call, &request(id, cursor, size)).await;
        assert_eq!(answer.unwrap().cursor, "next");
        assert_eq!(seen.lock().unwrap().pop().unwrap(), expected);
    }
    let unknown = events.list_events(&call, &request("nosuch", "", 0)).await;
    let unknown = unknown.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    assert_eq!(unknown.to_string(), "event feed id nosuch not found");
    let long = "x".repeat(4097);
    let long = events.list_events(&call, &request("a", &long, 0)).await;
    assert_eq!(long.unwrap_err().code(), Code::InvalidArgument);
    assert!(seen.lock().unwrap().is_empty());
    let without = ConnectorBuilder::new().build().unwrap();
    assert!(without.event_feeds().is_none());
}

#[tokio::test]
async fn a_feed_with_an_endless_cursor_is_an_error() {
    let types = Types::new().event_feed(metadata("a", &[1]), |seen: &Seen| {
        Ok(Log {
            seen: Arc::clone(seen),
            cursor: "x".repeat(4097),
        })
    });
    let builder = ConnectorBuilder::new().types(&types, &Seen::default());
    let connector = builder.unwrap().build().unwrap();
    let request = v2::ListEventsRequest {
        event_feed_id: "a".to_owned(),
        ..v2::ListEventsRequest::default()
    };
    let events = connector.event_feeds().unwrap();
    let refused = events.list_events(&Call::alone(), &request).await;
    assert_eq!(refused.unwrap_err().code(), Code::Internal);
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|&value| value.to_owned()).collect()
}

fn objects(values: &[&str]) -> Vec<v2::TicketCustomFieldObjectValue> {
    let object = |id: &&str| v2::TicketCustomFieldObjectValue {
        id: (*id).to_owned(),
        display_name: String::new(),
    };
    values.iter().map(object).collect()
}

fn text(value: &str, default: &str) -> Value {
    Value::StringValue(v2::TicketCustomFieldStringValue {
        value: value.to_owned(),
        default_value: default.to_owned(),
    })
}

fn list(values: &[&str], defaults: &[&str]) -> Value {
    Value::StringValues(v2::TicketCustomFieldStringValues {
        values: texts(values),
        default_values: texts(defaults),
    })
}

fn time(is_given: bool, has_default: bool) -> Value {
    let some = |is| Some(prost_types::Timestamp::default()).filter(|_| is);
    Value::TimestampValue(v2::TicketCustomFieldTimestampValue {
        value: some(is_given),
        default_value: some(has_default),
    })
}

fn pick(value: &str, allowed: &[&str], default: &str) -> Value {
    Value::PickStringValue(v2::TicketCustomFieldPickStringValue {
        value: value.to_owned(),
        allowed_values: texts(allowed),
        default_value: default.to_owned(),
    })
}

fn picks(values: &[&str], allowed: &[&str], defaults: &[&str]) -> Value {
    Value::PickMultipleStringValues(v2::TicketCustomFieldPickMultipleStringValues {
        values: texts(values),
        allowed_values: texts(allowed),
        default_values: texts(defaults),
    })
}

fn object(value: &[&str], allowed: &[&str], default: &[&str]) -> Value {
    Value::PickObjectValue(v2::TicketCustomFieldPickObjectValue {
        value: objects(value).pop(),
        allowed_values: objects(allowed),
        default_value: objects(default).pop(),
    })
}

fn object_list(values: &[&str], allowed: &[&str], defaults: &[&str]) -> Value {
    Value::PickMultipleObjectValues(v2::TicketCustomFieldPickMultipleObjectValues {
        values: objects(values),
        allowed_values: objects(allowed),
        default_values: objects(defaults),
    })
}

fn flag() -> Value {
    Value::BoolValue(v2::TicketCustomFieldBoolValue { value: false })
}

fn number() -> Value {
    Value::NumberValue(v2::TicketCustomFieldNumberValue::default())
}

/// What a rule comes to, where the field is required and where it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Fine,
    Missing,
    Kind,
    NothingAllowed,
    NotAllowed,
}

fn verdict(schema: &Value, given: Option<&Value>, required: bool) -> Verdict {
    let field = |value: Option<&Value>, required| Field {
        id: "f".to_owned(),
        required,
        value: value.cloned(),
        ..Field::default()
    };
    let schema = v2::TicketSchema {
        custom_fields: HashMap::from([("f".to_owned(), field(Some(schema), required))])
            .into_iter()
            .collect(),
        ..v2::TicketSchema::default()
    };
    let given = given.map(|given| ("f".to_owned(), field(Some(given), false)));
    let ticket = v2::Ticket {
        custom_fields: given.into_iter().collect(),
        ..v2::Ticket::default()
    };
    match check_ticket(&schema, &ticket) {
        Ok(()) => Verdict::Fine,
        Err(TicketFault::Missing { .. }) => Verdict::Missing,
        Err(TicketFault::Kind { .. }) => Verdict::Kind,
        Err(TicketFault::NothingAllowed { .. }) => Verdict::NothingAllowed,
        Err(TicketFault::NotAllowed { .. }) => Verdict::NotAllowed,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn each_rule_of_the_ticket_check_holds() {
    use Verdict::{Fine, Kind, Missing, NotAllowed, NothingAllowed};
    let ab = &["a", "b"][..];
    for (schema, given, required, optional) in [
        (text("", ""), None, Missing, Fine),
        (text("", ""), Some(text("x", "")), Fine, Fine),
        (text("", ""), Some(text("", "d")), Fine, Fine),
        (text("", "d"), Some(text("", "")), Missing, Fine),
        (text("", ""), Some(flag()), Kind, Kind),
        (list(&[], &[]), Some(list(&["x"], &[])), Fine, Fine),
        (list(&[], &[]), Some(list(&[], &["d"])), Fine, Fine),
        (list(&[], &[]), Some(list(&[], &[])), Missing, Fine),
        (flag(), Some(flag()), Fine, Fine),
        (flag(), None, Missing, Fine),
        (number(), Some(number()), Fine, Fine),
        (number(), Some(text("1", "")), Kind, Kind),
        (time(false, false), Some(time(true, false)), Fine, Fine),
        (time(false, false), Some(time(false, true)), Fine, Fine),
        (time(false, false), Some(time(false, false)), Missing, Fine),
        (pick("", ab, ""), Some(pick("a", &[], "")), Fine, Fine),
        (pick("", ab, ""), Some(pick("", &[], "b")), Fine, Fine),
        (
            pick("", ab, ""),
            Some(pick("c", &[], "")),
            NotAllowed,
            NotAllowed,
        ),
        (pick("", ab, "a"), Some(pick("", &[], "")), Missing, Fine),
        (
            pick("", &[], ""),
            Some(pick("a", ab, "")),
            NothingAllowed,
            NothingAllowed,
        ),
        (picks(&[], ab, &[]), Some(picks(ab, &[], &[])), Fine, Fine),
        (
            picks(&[], &["a", "a"], &[]),
            Some(picks(&["a", "a"], &[], &[])),
            Fine,
            Fine,
        ),
        (
            picks(&[], ab, &[]),
            Some(picks(&["a", "c"], &[], &[])),
            NotAllowed,
            NotAllowed,
        ),
        (
            picks(&[], ab, &[]),
            Some(picks(&[], &[], &["b"])),
            Fine,
            Fine,
        ),
        (
            picks(&[], ab, &["a"]),
            Some(picks(&[], &[], &[])),
            Missing,
            Fine,
        ),
        (
            object(&[], ab, &[]),
            Some(object(&["a"], &[], &[])),
            Fine,
            Fine,
        ),
        (
            object(&[], ab, &[]),
            Some(object(&[], &[], &["b"])),
            Fine,
            Fine,
        ),
        (
            object(&[], ab, &[]),
            Some(object(&["c"], &[], &[])),
            NotAllowed,
            NotAllowed,
        ),
        (
            object(&[], ab, &[]),
            Some(object(&[], &[], &[])),
            Missing,
            Fine,
        ),
        (
            object_list(&[], ab, &[]),
            Some(object_list(ab, &[], &[])),
            Fine,
            Fine,
        ),
        // The default of the schema, not that of the ticket.
        (
            object_list(&[], ab, &["a"]),
            Some(object_list(&[], &[], &[])),
            Fine,
            Fine,
        ),
        (
            object_list(&[], ab, &[]),
            Some(object_list(&[], &[], &["a"])),
            Missing,
            Fine,
        ),
        (
            object_list(&[], ab, &["c"]),
            Some(object_list(&[], &[], &[])),
            NotAllowed,
            NotAllowed,
        ),
        (
            object_list(&[], &[], &[]),
            Some(object_list(ab, &[], &[])),
            NothingAllowed,
            NothingAllowed,
        ),
    ] {
        let found = verdict(&schema, given.as_ref(), true);
        assert_eq!(found, required, "required: {schema:?} {given:?}");
        let found = verdict(&schema, given.as_ref(), false);
        assert_eq!(found, optional, "optional: {schema:?} {given:?}");
    }
}

#[test]
fn the_status_of_a_ticket_is_one_of_the_schema_and_unknown_kinds_are_an_error() {
    let status = |id: &str| v2::TicketStatus {
        id: id.to_owned(),
        display_name: String::new(),
    };
    let mut schema = v2::TicketSchema {
        statuses: vec![status("open")],
        ..v2::TicketSchema::default()
    };
    let mut ticket = v2::Ticket::default();
    assert_eq!(check_ticket(&schema, &ticket), Ok(()));
    ticket.status = Some(status("open"));
    assert_eq!(check_ticket(&schema, &ticket), Ok(()));
    ticket.status = Some(status("shut"));
    let id = "shut".to_owned();
    assert_eq!(
        check_ticket(&schema, &ticket),
        Err(TicketFault::Status { id })
    );
    ticket.status = None;
    // What the schema does not have is not looked at.
    let extra = ("more".to_owned(), Field::default());
    ticket.custom_fields = [extra.clone()].into_iter().collect();
    assert_eq!(check_ticket(&schema, &ticket), Ok(()));
    schema.custom_fields = [extra].into_iter().collect();
    let fault = check_ticket(&schema, &ticket).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "error: invalid schema: unknown custom field type"
    );
    assert_eq!(Error::from(fault).code(), Code::InvalidArgument);
}

/// Tickets by id.
#[derive(Clone, Default)]
struct Desk(Arc<Mutex<BTreeMap<String, v2::Ticket>>>);

#[async_trait]
impl TicketManager for Desk {
    async fn schemas(&self, call: &Call) -> Result<Page<v2::TicketSchema>> {
        let page = Page::last(vec![v2::TicketSchema::default()]);
        Ok(match call.token() {
            "" => page,
            token => Page::new(page.into_items(), token),
        })
    }

    async fn schema(&self, _call: &Call, id: &str) -> Result<v2::TicketSchema> {
        Err(Error::stated(Code::NotFound, format!("no schema `{id}`")))
    }

    async fn create(
        &self,
        _call: &Call,
        draft: &v2::Ticket,
        _schema: &v2::TicketSchema,
    ) -> Result<Creation<v2::Ticket>> {
        if draft.display_name.is_empty() {
            return Err(Error::stated(Code::InvalidArgument, "no name"));
        }
        let mut ticket = draft.clone();
        ticket.id = format!("T-{}", draft.display_name);
        let (desk, kept) = (self.clone(), ticket.clone());
        let write = Write::local("file a ticket", move |_call| {
            let ticket = kept.clone();
            desk.0.lock().unwrap().insert(ticket.id.clone(), ticket);
            async { Ok(()) }
        });
        let change = Change::create().write(write);
        Ok(change.gives(move |_call, _made| async move { Ok(ticket) }))
    }

    async fn get(&self, _call: &Call, id: &str) -> Result<Option<v2::Ticket>> {
        if id == "broken" {
            return Err(Error::stated(Code::Internal, "a coffee stain"));
        }
        Ok(self.0.lock().unwrap().get(id).cloned())
    }
}

fn wanted(name: &str) -> v2::TicketsServiceCreateTicketRequest {
    v2::TicketsServiceCreateTicketRequest {
        request: Some(v2::TicketRequest {
            display_name: name.to_owned(),
            r#type: Some(v2::TicketType {
                id: "bug".to_owned(),
                display_name: String::new(),
            }),
            ..v2::TicketRequest::default()
        }),
        ..v2::TicketsServiceCreateTicketRequest::default()
    }
}

fn desk_types() -> Types<Desk> {
    Types::new().tickets(|desk: &Desk| Ok(desk.clone()))
}

#[tokio::test]
async fn tickets_are_created_and_read_one_by_one_and_in_bulk() {
    let desk = Desk::default();
    let builder = ConnectorBuilder::new().types(&desk_types(), &desk).unwrap();
    let connector = builder.build().unwrap();
    let tickets = connector.tickets().unwrap();
    let notes = Arc::new(Notes::default());
    let call = recorded(&notes);
    let created = tickets.create_ticket(&call, &wanted("a")).await.unwrap();
    let ticket = created.ticket.unwrap();
    assert_eq!(ticket.id, "T-a");
    assert_eq!(ticket.r#type.unwrap().id, "bug");
    let end = notes.ends.lock().unwrap().pop().unwrap();
    assert_eq!((end.0, end.2), (Outcome::Done, vec!["T-a".to_owned()]));
    let bulk = v2::TicketsServiceBulkCreateTicketsRequest {
        ticket_requests: vec![wanted("b"), wanted(""), wanted("c")],
    };
    let answers = tickets.bulk_create_tickets(&call, &bulk).await.unwrap();
    let errors: Vec<_> = answers
        .tickets
        .iter()
        .map(|one| one.error.as_str())
        .collect();
    assert_eq!(errors, ["", "no name", ""]);
    let id = |id: &str| v2::TicketsServiceGetTicketRequest {
        id: id.to_owned(),
        annotations: Vec::new(),
    };
    let bulk = v2::TicketsServiceBulkGetTicketsRequest {
        ticket_requests: vec![id("T-c"), id("nosuch"), id("broken")],
    };
    let answers = tickets
        .bulk_get_tickets(&call, &bulk)
        .await
        .unwrap()
        .tickets;
    assert_eq!(answers[0].ticket.as_ref().unwrap().display_name, "c");
    assert!(answers[1].ticket.is_none() && answers[1].error.is_empty());
    assert_eq!(answers[2].error, "a coffee stain");
    let dry = Call::alone().with_changes(ChangeSettings {
        dry_run: true,
        ..ChangeSettings::default()
    });
    let planned = tickets.create_ticket(&dry, &wanted("d")).await.unwrap();
    assert!(planned.ticket.is_none());
    assert!(!desk.0.lock().unwrap().contains_key("T-d"));
}

#[tokio::test]
async fn requests_without_content_are_refused() {
    let desk = Desk::default();
    let builder = ConnectorBuilder::new().types(&desk_types(), &desk).unwrap();
    let connector = builder.external_ticketing().build().unwrap();
    let metadata = connector.metadata(&Call::alone()).await.unwrap();
    let settings = baton_proto::any::find::<v2::ExternalTicketSettings>(&metadata.annotations);
    assert!(settings.unwrap().unwrap().enabled);
    let tickets = connector.tickets().unwrap();
    let call = Call::alone();
    let empty = v2::TicketsServiceCreateTicketRequest::default();
    let refused = tickets.create_ticket(&call, &empty).await.unwrap_err();
    assert_eq!(refused.to_string(), "request body is nil");
    let none = v2::TicketsServiceBulkCreateTicketsRequest::default();
    let refused = tickets.bulk_create_tickets(&call, &none).await.unwrap_err();
    assert_eq!(refused.to_string(), "request body had no items");
    assert_eq!(refused.code(), Code::InvalidArgument);
    let none = v2::TicketsServiceBulkGetTicketsRequest::default();
    let refused = tickets.bulk_get_tickets(&call, &none).await.unwrap_err();
    assert_eq!(refused.to_string(), "request body had no items");
    let again = Call::alone().at("t");
    let refused = tickets.list_schemas(&again).await.unwrap_err();
    assert!(refused.to_string().contains("next page token unchanged"));
    let without = ConnectorBuilder::new().external_ticketing().build();
    let refused = without.map(drop).unwrap_err();
    assert_eq!(refused.to_string(), "external ticketing not supported");
}
