//! Arguments of actions: every kind of field, its rules, and the constraints.

use std::sync::Arc;
use std::time::Duration;

use baton_connector::config::field::Field as Kind;
use baton_connector::config::{
    self, BoolRules, Int64Rules, RepeatedResourceIdRules, RepeatedStringRules, StringRules,
};
use baton_connector::{
    Action, ActionSchema, Argument, Arguments, Call, Change, Code, Connector as _,
    ConnectorBuilder, Creation, Error, Invoke, Result, SplitMix, Types, async_trait,
};
use prost_types::{ListValue, Struct, Value, value};
use serde_json::{Value as Json, json};

/// Answers its arguments, as its author reads them.
struct Echo;

#[async_trait]
impl Action for Echo {
    async fn describe(&self, _call: &Call, arguments: &Arguments) -> Result<Creation<Struct>> {
        let mut read = Struct::default();
        if let Some(value) = arguments.get("x") {
            read.fields.insert("x".to_owned(), value.clone());
        }
        Ok(Change::create().gives(|_, _| async move { Ok(read) }))
    }
}

fn value(json: &Json) -> Value {
    let kind = match json {
        Json::Null => value::Kind::NullValue(0),
        Json::Bool(flag) => value::Kind::BoolValue(*flag),
        Json::Number(number) => value::Kind::NumberValue(number.as_f64().unwrap()),
        Json::String(text) => value::Kind::StringValue(text.clone()),
        Json::Array(items) => value::Kind::ListValue(ListValue {
            values: items.iter().map(value).collect(),
        }),
        Json::Object(_) => value::Kind::StructValue(object(json)),
    };
    Value { kind: Some(kind) }
}

fn object(json: &Json) -> Struct {
    let fields = json.as_object().unwrap();
    let fields = fields
        .iter()
        .map(|(name, json)| (name.clone(), value(json)));
    Struct {
        fields: fields.collect(),
    }
}

/// The faults of arguments; empty if there are none.
async fn faults(schema: ActionSchema, arguments: &Json) -> String {
    let types = Types::new().action(schema, |(): &()| Ok(Echo));
    let connector = ConnectorBuilder::new()
        .random(Arc::new(SplitMix::seeded(7)))
        .types(&types, &())
        .and_then(ConnectorBuilder::build)
        .unwrap();
    let wanted = Invoke {
        name: "echo",
        type_id: None,
        arguments: &object(arguments),
        inline_wait: Duration::ZERO,
    };
    let actions = connector.actions().unwrap();
    match actions.invoke(&Call::alone(), wanted).await {
        Ok(state) => {
            assert_eq!(state.failure(), None);
            String::new()
        }
        Err(error) => {
            assert!(matches!(error, Error::Arguments { .. }));
            assert_eq!(error.code(), Code::InvalidArgument);
            error.to_string()
        }
    }
}

fn echo() -> ActionSchema {
    ActionSchema::new("echo")
}

#[track_caller]
fn same(found: &str, expected: &str, what: &str) {
    assert_eq!(found, expected, "{what}");
}

#[tokio::test]
async fn every_kind_of_field_refuses_every_other_kind_of_value() {
    let id = json!({"resource_type_id": "user", "resource_id": "u-1"});
    let camel = json!({"resourceTypeId": "user", "resourceId": "u-1"});
    let short = json!({"resource_type": "user", "resource": "u-1"});
    let resource = json!({"resourceId": camel, "displayName": "Ada"});
    let grant = json!({"id": "g-1"});
    let values = [
        json!(true),
        json!(1),
        json!(1.5),
        json!("1"),
        json!(["a"]),
        json!([1]),
        json!({"a": 1}),
        id.clone(),
        camel.clone(),
        short.clone(),
        resource.clone(),
        grant.clone(),
        json!([id, short]),
        json!([resource]),
        json!([grant]),
    ];
    let objects = [5, 6, 7, 8, 9, 10, 11].map(|index: usize| &values[index]);
    let kinds: [(Kind, Vec<&Json>); 11] = [
        (
            Kind::StringField(config::StringField::default()),
            vec![&values[3]],
        ),
        (
            Kind::IntField(config::IntField::default()),
            vec![&values[1]],
        ),
        (
            Kind::BoolField(config::BoolField::default()),
            vec![&values[0]],
        ),
        (
            Kind::StringSliceField(config::StringSliceField::default()),
            vec![&values[4]],
        ),
        (
            Kind::StringMapField(config::StringMapField::default()),
            objects[1..].to_vec(),
        ),
        (
            Kind::ResourceIdField(config::ResourceIdField::default()),
            vec![&values[7], &values[8], &values[9]],
        ),
        (
            Kind::ResourceIdSliceField(config::ResourceIdSliceField::default()),
            vec![&values[12]],
        ),
        (
            Kind::ResourceField(config::ResourceField::default()),
            vec![&values[10]],
        ),
        (
            Kind::ResourceSliceField(config::ResourceSliceField::default()),
            vec![&values[13]],
        ),
        (
            Kind::EntitlementSliceField(config::EntitlementSliceField::default()),
            vec![&values[14]],
        ),
        (
            Kind::GrantSliceField(config::GrantSliceField::default()),
            vec![&values[14]],
        ),
    ];
    for (kind, allowed) in kinds {
        for value in &values {
            let schema = echo().argument(Argument::of_kind("x", kind.clone()));
            let found = faults(schema, &json!({"x": value})).await;
            let is_allowed = allowed.contains(&value);
            assert_eq!(found.is_empty(), is_allowed, "{kind:?} {value}: {found}");
            assert!(is_allowed || found.starts_with("argument `x` "), "{found}");
        }
        // Absent and null are the same, and no fault.
        for arguments in [json!({}), json!({"x": null})] {
            let schema = echo().argument(Argument::of_kind("x", kind.clone()));
            same(&faults(schema, &arguments).await, "", "not given");
            let required = echo().argument(Argument::of_kind("x", kind.clone()).required());
            same(
                &faults(required, &arguments).await,
                "argument `x` is required",
                "required",
            );
        }
    }
}

#[tokio::test]
async fn faults_name_what_came_and_what_was_expected() {
    for (argument, value, text) in [
        (
            Argument::text("x"),
            json!(1),
            "must be a text, not a number",
        ),
        (
            Argument::text("x").required(),
            json!(""),
            "is required and must not be empty",
        ),
        (
            Argument::texts("x").required(),
            json!([]),
            "is required and must not be empty",
        ),
        (
            Argument::number("x"),
            json!("1"),
            "must be a whole number, not a text",
        ),
        (
            Argument::number("x"),
            json!(1.5),
            "must be a whole number, not another number",
        ),
        (
            Argument::number("x"),
            json!(1e300),
            "must be a whole number, not another number",
        ),
        (Argument::number("x").required(), json!(0), ""),
        (
            Argument::flag("x"),
            json!("true"),
            "must be true or false, not a text",
        ),
        (Argument::flag("x").required(), json!(false), ""),
        (
            Argument::texts("x"),
            json!(["a", 1, null]),
            "has a wrong item 2: it must be a text, not a number; argument `x` has a wrong item \
             3: it must be a text, not null",
        ),
        (
            Argument::map("x"),
            json!([]),
            "must be an object, not a list",
        ),
        (
            Argument::resource_id("x", ["user", "group"]),
            json!({"resource_type_id": "role", "resource_id": "r"}),
            "must be a resource of type `user`, `group`, not `role`",
        ),
        (
            Argument::resource_id("x", Vec::<String>::new()),
            json!({"resource_type_id": "", "resource_id": "r"}),
            "must be an object with the texts `resource_type_id` and `resource_id`, not another \
             object",
        ),
    ] {
        let found = faults(echo().argument(argument), &json!({"x": value})).await;
        let expected = if text.is_empty() {
            String::new()
        } else {
            format!("argument `x` {text}")
        };
        same(&found, &expected, &value.to_string());
    }
}

fn text(rules: StringRules) -> Kind {
    Kind::StringField(config::StringField {
        rules: Some(rules),
        ..Default::default()
    })
}

fn number(rules: Int64Rules) -> Kind {
    Kind::IntField(config::IntField {
        rules: Some(rules),
        ..Default::default()
    })
}

fn texts(rules: RepeatedStringRules) -> Kind {
    Kind::StringSliceField(config::StringSliceField {
        rules: Some(rules),
        ..Default::default()
    })
}

fn ids(rules: RepeatedResourceIdRules) -> Kind {
    Kind::ResourceIdSliceField(config::ResourceIdSliceField {
        rules: Some(rules),
        ..Default::default()
    })
}

fn owned(text: &str) -> String {
    text.to_owned()
}

#[tokio::test]
async fn every_rule_refuses_and_accepts() {
    let s = StringRules::default;
    let n = Int64Rules::default;
    let l = RepeatedStringRules::default;
    let r = RepeatedResourceIdRules::default;
    let only_a = || vec!["a".to_owned()];
    let user = json!({"resource_type_id": "user", "resource_id": "u"});
    let role = json!({"resource_type_id": "role", "resource_id": "r"});
    let flag = Kind::BoolField(config::BoolField {
        rules: Some(BoolRules { eq: Some(true) }),
        ..Default::default()
    });
    for (kind, bad, good, text) in [
        (
            text(StringRules {
                eq: Some(owned("a")),
                ..s()
            }),
            json!("b"),
            json!("a"),
            "must be `a`, not `b`",
        ),
        (
            text(StringRules {
                len: Some(3),
                ..s()
            }),
            json!("é"),
            json!("abc"),
            "must have exactly 3 bytes, not 2",
        ),
        (
            text(StringRules {
                min_len: Some(3),
                ..s()
            }),
            json!("ab"),
            json!("abc"),
            "must have at least 3 bytes, not 2",
        ),
        (
            text(StringRules {
                max_len: Some(1),
                ..s()
            }),
            json!("ab"),
            json!("a"),
            "must have at most 1 bytes, not 2",
        ),
        (
            text(StringRules {
                pattern: Some(owned("^[a-c]+$")),
                ..s()
            }),
            json!("d"),
            json!("abc"),
            "must match pattern `^[a-c]+$`, not `d`",
        ),
        (
            text(StringRules {
                prefix: Some(owned("a")),
                ..s()
            }),
            json!("b"),
            json!("ab"),
            "must begin with `a`, not `b`",
        ),
        (
            text(StringRules {
                suffix: Some(owned("a")),
                ..s()
            }),
            json!("b"),
            json!("ba"),
            "must end with `a`, not `b`",
        ),
        (
            text(StringRules {
                contains: Some(owned("a")),
                ..s()
            }),
            json!("b"),
            json!("bab"),
            "must contain `a`, not `b`",
        ),
        (
            text(StringRules {
                not_contains: Some(owned("a")),
                ..s()
            }),
            json!("bab"),
            json!("b"),
            "must not contain `a`, not `bab`",
        ),
        (
            text(StringRules {
                r#in: only_a(),
                ..s()
            }),
            json!("b"),
            json!("a"),
            "must be one of `a`, not `b`",
        ),
        (
            text(StringRules {
                not_in: only_a(),
                ..s()
            }),
            json!("a"),
            json!("b"),
            "must be none of `a`, not `a`",
        ),
        (
            text(StringRules {
                well_known: 1,
                ..s()
            }),
            json!("a"),
            json!("a@b.c"),
            "must be a valid email address, not `a`",
        ),
        (
            text(StringRules {
                well_known: 7,
                ..s()
            }),
            json!("-"),
            json!("a.b"),
            "must be a valid hostname, not `-`",
        ),
        (
            text(StringRules {
                min_len: Some(1),
                validate_empty: true,
                ..s()
            }),
            json!(""),
            json!("a"),
            "must have at least 1 bytes, not 0",
        ),
        (
            text(StringRules {
                min_len: Some(2),
                ..s()
            }),
            json!("a"),
            json!(""),
            "must have at least 2 bytes, not 1",
        ),
        (
            number(Int64Rules { eq: Some(1), ..n() }),
            json!(2),
            json!(1),
            "must be 1, not 2",
        ),
        (
            number(Int64Rules { lt: Some(1), ..n() }),
            json!(1),
            json!(-1),
            "must be less than 1, not 1",
        ),
        (
            number(Int64Rules {
                lte: Some(1),
                ..n()
            }),
            json!(2),
            json!(1),
            "must be at most 1, not 2",
        ),
        (
            number(Int64Rules { gt: Some(1), ..n() }),
            json!(1),
            json!(2),
            "must be greater than 1, not 1",
        ),
        (
            number(Int64Rules {
                gte: Some(2),
                ..n()
            }),
            json!(1),
            json!(0),
            "must be at least 2, not 1",
        ),
        (
            number(Int64Rules {
                gte: Some(2),
                validate_empty: true,
                ..n()
            }),
            json!(0),
            json!(2),
            "must be at least 2, not 0",
        ),
        (
            number(Int64Rules {
                r#in: vec![1, 2],
                ..n()
            }),
            json!(3),
            json!(2),
            "must be one of `1`, `2`, not 3",
        ),
        (
            number(Int64Rules {
                not_in: vec![3],
                ..n()
            }),
            json!(3),
            json!(2),
            "must be none of `3`, not 3",
        ),
        (flag, json!(false), json!(true), "must be true, not false"),
        (
            texts(RepeatedStringRules {
                min_items: Some(2),
                ..l()
            }),
            json!(["a"]),
            json!([]),
            "must have at least 2 items, not 1",
        ),
        (
            texts(RepeatedStringRules {
                max_items: Some(1),
                ..l()
            }),
            json!(["a", "b"]),
            json!(["a"]),
            "must have at most 1 item, not 2",
        ),
        (
            texts(RepeatedStringRules {
                unique: true,
                ..l()
            }),
            json!(["a", "b", "a"]),
            json!(["a", "b"]),
            "must not have an item twice, as item 3",
        ),
        (
            texts(RepeatedStringRules {
                item_rules: Some(StringRules {
                    prefix: Some(owned("a")),
                    ..s()
                }),
                ..l()
            }),
            json!(["a", "b"]),
            json!(["a"]),
            "has a wrong item 2: it must begin with `a`, not `b`",
        ),
        (
            ids(RepeatedResourceIdRules {
                unique: true,
                ..r()
            }),
            json!([user, user]),
            json!([user, role]),
            "must not have an item twice, as item 2",
        ),
        (
            ids(RepeatedResourceIdRules {
                min_items: Some(1),
                validate_empty: true,
                ..r()
            }),
            json!([]),
            json!([role]),
            "must have at least 1 item, not 0",
        ),
        (
            ids(RepeatedResourceIdRules {
                allowed_resource_type_ids: vec!["user".to_owned()],
                ..r()
            }),
            json!([user, role]),
            json!([user]),
            "has a wrong item 2: it must be a resource of type `user`, not `role`",
        ),
    ] {
        let schema = || echo().argument(Argument::of_kind("x", kind.clone()));
        let found = faults(schema(), &json!({"x": bad})).await;
        same(&found, &format!("argument `x` {text}"), &bad.to_string());
        same(
            &faults(schema(), &json!({"x": good})).await,
            "",
            &good.to_string(),
        );
    }
}

#[tokio::test]
async fn constraints_have_the_texts_of_the_go_sdk() {
    let abc = || {
        let names = ["a", "b", "c"].into_iter();
        names.fold(echo(), |schema, name| schema.argument(Argument::text(name)))
    };
    let together = || abc().required_together(["a", "b", "a"]);
    let exclusive = || abc().mutually_exclusive(["a", "b"]);
    let one = || abc().at_least_one(["a", "b"]);
    let dependent = || abc().dependent_on(["a"], ["b", "c"]);
    let texts = [
        "fields required together: [a b]",
        "fields are mutually exclusive: [a b]",
        "at least one required: [a b]",
        "fields [a] depend on [b c] which must also be present",
    ];
    for (schema, arguments, text) in [
        (together(), json!({"a": "1"}), texts[0]),
        (together(), json!({"a": "1", "b": null}), texts[0]),
        (together(), json!({"a": "1", "b": "2"}), ""),
        (together(), json!({"a": "", "b": ""}), ""),
        (together(), json!({}), ""),
        (exclusive(), json!({"a": "1", "b": "2"}), texts[1]),
        (exclusive(), json!({"a": "1", "b": null}), ""),
        (exclusive(), json!({}), ""),
        (one(), json!({}), texts[2]),
        (one(), json!({"c": "3"}), texts[2]),
        (one(), json!({"b": ""}), ""),
        (dependent(), json!({"a": "1"}), texts[3]),
        (dependent(), json!({"a": "1", "b": "2"}), texts[3]),
        (dependent(), json!({"a": "1", "b": "2", "c": "3"}), ""),
        (dependent(), json!({"b": "2"}), ""),
    ] {
        same(
            &faults(schema, &arguments).await,
            text,
            &arguments.to_string(),
        );
    }
}

#[tokio::test]
async fn all_faults_are_named_at_once_and_secrets_are_not() {
    let schema = || {
        echo()
            .argument(Argument::text("name").required())
            .argument(Argument::number("count"))
            .argument(
                Argument::of_kind(
                    "pin",
                    text(StringRules {
                        r#in: vec!["1".to_owned()],
                        ..Default::default()
                    }),
                )
                .secret(),
            )
            .mutually_exclusive(["count", "pin"])
    };
    let found = faults(
        schema(),
        &json!({"count": "3", "pin": "s3cr3t", "more": {"any": [1]}}),
    )
    .await;
    same(
        &found,
        "argument `name` is required; argument `count` must be a whole number, not a text; \
         argument `pin` must be one of `1`, not [secret]; fields are mutually exclusive: [count \
         pin]",
        "all at once",
    );
    // What the schema does not declare passes, as in the Go SDK.
    same(
        &faults(schema(), &json!({"name": "a", "more": {"any": [1]}})).await,
        "",
        "unknown",
    );
    let many: Vec<_> = (0..100).map(|_| json!(1)).collect();
    let found = faults(echo().argument(Argument::texts("x")), &json!({"x": many})).await;
    assert!(found.ends_with("not a number; and 80 more"), "{found}");
}

#[test]
fn an_author_reads_arguments_by_name_and_kind() {
    let arguments = Arguments::unchecked(object(&json!({
        "text": "a", "number": 3, "flag": true, "texts": ["a", "b"], "null": null,
        "id": {"resourceTypeId": "user", "resource": "u-1"},
        "ids": [{"resource_type": "user", "resource_id": "u-2"}],
    })));
    assert_eq!(arguments.text("text").unwrap(), "a");
    assert_eq!(arguments.number("number").unwrap(), 3);
    assert!(arguments.flag("flag") && !arguments.flag("none"));
    assert_eq!(arguments.texts("texts"), ["a", "b"]);
    assert_eq!(arguments.resource_id("id").unwrap().resource, "u-1");
    assert_eq!(arguments.resource_ids("ids")[0].resource, "u-2");
    assert!(arguments.get("null").is_none() && arguments.maybe_text("null").is_none());
    for missing in [
        arguments.text("number").map(str::to_owned),
        arguments.number("text").map(|number| number.to_string()),
        arguments.resource_id("text").map(|id| id.resource),
    ] {
        assert_eq!(missing.unwrap_err().code(), Code::InvalidArgument);
    }
    assert!(!format!("{arguments:?}").contains("u-1"));
}
