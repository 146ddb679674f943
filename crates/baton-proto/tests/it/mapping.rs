//! The JSON mapping, point by point: wire in, text out, and back.

use baton_proto::json::{self, Options, ParseOptions, UnknownAny};
use baton_proto::wire::{self, put_bytes, put_fixed32, put_fixed64, put_varint};

fn id(name: &str) -> json::MessageId {
    let name = if name.contains('.') {
        name.to_owned()
    } else {
        format!("c1.connector.v2.{name}")
    };
    json::Registry::get().message(&name).expect("a known type")
}

fn print_with(name: &str, bytes: &[u8], options: &Options) -> Result<String, String> {
    let mut out = Vec::new();
    json::write(&mut out, id(name), bytes, options).map_err(|e| e.to_string())?;
    Ok(String::from_utf8(out).expect("UTF-8"))
}

fn print(name: &str, bytes: &[u8]) -> String {
    print_with(name, bytes, &Options::default()).expect("valid")
}

fn refused(name: &str, text: &str) -> String {
    json::parse(id(name), text).expect_err(text).to_string()
}

/// Builds wire bytes: length-delimited fields by number.
fn fields(parts: &[(u32, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, value) in parts {
        put_bytes(&mut out, *number, value);
    }
    out
}

fn varints(parts: &[(u32, u64)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, value) in parts {
        put_varint(&mut out, *number, *value);
    }
    out
}

fn any(type_url: &str, value: &[u8]) -> Vec<u8> {
    fields(&[(1, type_url.as_bytes()), (2, value)])
}

#[test]
fn bytes_that_are_no_message_leave_the_output_as_it_was() {
    let mut out = b"before".to_vec();
    let cases: [(&str, Vec<u8>); 5] = [
        ("Grant", vec![0x0a]),
        ("ResourceId", fields(&[(1, b"\xff")])),
        ("Grant", fields(&[(1, b"\x0a\x05x")])),
        ("google.protobuf.Value", vec![]),
        (
            "Grant",
            fields(&[(4, &any("type.googleapis.com/x.Unknown", b""))]),
        ),
    ];
    for (name, bytes) in cases {
        json::write(&mut out, id(name), &bytes, &Options::default()).expect_err(name);
        assert_eq!(out, b"before");
    }
}

#[test]
fn a_failure_names_the_message_and_the_reason() {
    let bytes = fields(&[(4, &any("type.googleapis.com/x.Unknown", b""))]);
    assert_eq!(
        print_with("Grant", &bytes, &Options::default()).expect_err("unknown"),
        "cannot write `c1.connector.v2.Grant` as JSON: \
         unknown message type `type.googleapis.com/x.Unknown`"
    );
}

#[test]
fn unknown_annotations_are_dropped_from_lists_maps_and_fields_when_asked() {
    let options = Options {
        unknown_any: UnknownAny::Drop,
        ..Options::default()
    };
    let unknown = any("type.googleapis.com/x.Unknown", b"\x08\x01");
    let known = any("type.googleapis.com/c1.connector.v2.SkipGrants", b"");
    let print = |name, bytes: &[u8]| print_with(name, bytes, &options).expect("valid");
    assert_eq!(
        print(
            "Grant",
            &fields(&[(3, b"g"), (4, &unknown), (4, &known), (4, &unknown)])
        ),
        r#"{"id":"g","annotations":[{"@type":"type.googleapis.com/c1.connector.v2.SkipGrants"}]}"#
    );
    assert_eq!(
        print("Grant", &fields(&[(3, b"g"), (4, &unknown)])),
        r#"{"id":"g"}"#
    );
    assert_eq!(
        print(
            "c1.transport.v1.Request",
            &fields(&[(1, b"m"), (2, &unknown)])
        ),
        r#"{"method":"m"}"#
    );
    let entry = |key: &[u8], value: &[u8]| fields(&[(1, key), (2, value)]);
    assert_eq!(
        print(
            "c1.config.v1.StringMapField",
            &fields(&[(1, &entry(b"b", &known)), (1, &entry(b"a", &unknown))])
        ),
        r#"{"defaultValue":{"b":{"@type":"type.googleapis.com/c1.connector.v2.SkipGrants"}}}"#
    );
}

#[test]
fn an_any_of_a_type_with_its_own_json_form_has_it_under_value() {
    let value = fields(&[(3, b"x")]);
    let inner = any("type.googleapis.com/google.protobuf.Value", &value);
    let outer = any("type.googleapis.com/google.protobuf.Any", &inner);
    let text = r#"{"@type":"type.googleapis.com/google.protobuf.Any","value":{"@type":"type.googleapis.com/google.protobuf.Value","value":"x"}}"#;
    assert_eq!(print("google.protobuf.Any", &outer), text);
    assert_eq!(
        json::parse(id("google.protobuf.Any"), text).expect("valid"),
        outer
    );
    assert_eq!(print("google.protobuf.Any", b""), "{}");
    assert_eq!(
        json::parse(id("google.protobuf.Any"), "{}").expect("valid"),
        b""
    );
}

#[test]
fn of_a_repeated_scalar_the_last_counts_and_split_messages_are_merged() {
    let status = |parts: &[(u32, u64)]| varints(parts);
    let bytes = [
        fields(&[(3, b"old")]),
        fields(&[(11, &status(&[(1, 2)]))]),
        fields(&[(3, b"new")]),
        fields(&[(11, &fields(&[(2, b"why")]))]),
    ]
    .concat();
    assert_eq!(
        print("Resource", &bytes),
        r#"{"displayName":"new","status":{"status":"RESOURCE_STATUS_DISABLED","details":"why"}}"#
    );
}

#[test]
fn of_a_oneof_the_last_member_counts_and_clears_what_came_before() {
    let metadata = |kind: &[u8]| fields(&[(1, &fields(&[(1, kind)]))]);
    let data = fields(&[(2, &fields(&[(1, b"\x00\xff")]))]);
    let name = "AssetServiceGetAssetResponse";
    let both = [metadata(b"a"), data.clone()].concat();
    assert_eq!(print(name, &both), r#"{"data":{"data":"AP8="}}"#);
    let back = [metadata(b"a"), data, fields(&[(1, b"")])].concat();
    assert_eq!(print(name, &back), r#"{"metadata":{}}"#);
    let merged = [metadata(b"a"), fields(&[(1, b"")])].concat();
    assert_eq!(print(name, &merged), r#"{"metadata":{"contentType":"a"}}"#);
}

#[test]
fn lists_of_numbers_come_packed_or_not() {
    let traits = [
        fields(&[(3, &[1, 2])]),
        varints(&[(3, 5)]),
        fields(&[(3, &[])]),
    ]
    .concat();
    assert_eq!(
        print("ResourceType", &traits),
        r#"{"traits":["TRAIT_USER","TRAIT_GROUP","TRAIT_SECRET"]}"#
    );
    assert_eq!(print("ResourceType", &fields(&[(3, &[])])), "{}");
}

#[test]
fn fields_that_are_unknown_or_of_another_wire_type_do_not_show() {
    let bytes = [fields(&[(1, b"u")]), varints(&[(2, 7), (900, 1)])].concat();
    assert_eq!(print("ResourceId", &bytes), r#"{"resourceType":"u"}"#);
    let group = [0x1b, 0x08, 0x01, 0x1c];
    assert_eq!(print("ResourceId", &group), "{}");
}

#[test]
fn wide_numbers_are_strings_and_unknown_enum_numbers_are_numbers() {
    assert_eq!(
        print("c1.reader.v2.CallStat", &varints(&[(1, u64::MAX), (2, 5)])),
        r#"{"count":"-1","totalMs":"5"}"#
    );
    assert_eq!(
        print("ResourceType", &varints(&[(3, 77)])),
        r#"{"traits":[77]}"#
    );
}

#[test]
fn presence_decides_whether_a_default_shows() {
    assert_eq!(
        print("c1.config.v1.Int64Rules", &varints(&[(1, 0)])),
        r#"{"eq":"0"}"#
    );
    assert_eq!(print("c1.reader.v2.CallStat", &varints(&[(1, 0)])), "{}");
    assert_eq!(print("Resource", &fields(&[(11, b"")])), r#"{"status":{}}"#);
}

#[test]
fn doubles_keep_their_sign_and_special_names() {
    let name = "c1.ratelimit.v1.SlidingMemoryLimiter";
    let field = |value: f64| {
        let mut out = Vec::new();
        put_fixed64(&mut out, 1, value.to_le_bytes());
        out
    };
    for (value, text) in [
        (0.0, "{}"),
        (-0.0, r#"{"usePercent":-0}"#),
        (0.5, r#"{"usePercent":0.5}"#),
        (f64::INFINITY, r#"{"usePercent":"Infinity"}"#),
        (f64::NAN, r#"{"usePercent":"NaN"}"#),
    ] {
        assert_eq!(print(name, &field(value)), text);
        let back = json::parse(id(name), text).expect("valid");
        assert_eq!(print(name, &back), text);
    }
}

#[test]
fn wrappers_show_as_their_value() {
    let mut float = Vec::new();
    put_fixed32(&mut float, 1, 2.5_f32.to_le_bytes());
    let name = "TicketCustomFieldNumberValue";
    let bytes = fields(&[(1, &float), (2, b"")]);
    let text = r#"{"value":2.5,"defaultValue":0}"#;
    assert_eq!(print(name, &bytes), text);
    assert_eq!(json::parse(id(name), text).expect("valid"), bytes);
    assert_eq!(
        json::parse(id(name), r#"{"value":null}"#).expect("valid"),
        b""
    );
}

#[test]
fn map_keys_are_sorted_and_the_last_of_equal_keys_counts() {
    let entry = |key: &[u8], value: u64| {
        let mut out = fields(&[(1, key)]);
        put_varint(&mut out, 2, value);
        out
    };
    let name = "c1.reader.v2.SyncStats";
    let bytes = fields(&[
        (5, &entry(b"b", 1)),
        (5, &entry(b"a", 2)),
        (5, &entry(b"b", 3)),
        (5, b""),
    ]);
    let text = r#"{"resourcesByResourceType":{"":"0","a":"2","b":"3"}}"#;
    assert_eq!(print(name, &bytes), text);
    let back = json::parse(id(name), text).expect("valid");
    let whole = fields(&[
        (5, &entry(b"", 0)),
        (5, &entry(b"a", 2)),
        (5, &entry(b"b", 3)),
    ]);
    assert_eq!(back, whole);
}

#[test]
fn indented_output_has_go_s_shape() {
    let text = r#"{"profile":{"a":{},"l":[1,[]],"s":"<"},"status":{}}"#;
    let bytes = json::parse(id("Resource"), text).expect("valid");
    let options = Options {
        indent: Some(2),
        emit_html_escapes: true,
        ..Options::default()
    };
    let expected = "{\n  \"profile\": {\n    \"a\": {},\n    \"l\": [\n      1,\n      []\n    ],\n    \"s\": \"\\u003c\"\n  },\n  \"status\": {}\n}";
    assert_eq!(
        print_with("Resource", &bytes, &options).expect("valid"),
        expected
    );
}

#[test]
fn json_that_does_not_fit_is_refused_with_the_reason() {
    for (name, text, reason) in [
        ("Grant", "[]", "expected `{`"),
        ("Grant", "{} {}", "text behind the value"),
        (
            "Grant",
            r#"{"nope":1}"#,
            "unknown field `nope` in `c1.connector.v2.Grant`",
        ),
        ("Grant", r#"{"id":"a","id":"b"}"#, "field `id` occurs twice"),
        (
            "ResourceType",
            r#"{"displayName":"a","display_name":"b"}"#,
            "occurs twice",
        ),
        ("Grant", r#"{"id":1}"#, "expected a string"),
        (
            "Grant",
            r#"{"annotations":[null]}"#,
            "expected an object with `@type`",
        ),
        ("Grant", r#"{"annotations":[{"a":1}]}"#, "missing `@type`"),
        (
            "Grant",
            r#"{"annotations":[{"@type":"x.Y"}]}"#,
            "unknown message type `x.Y`",
        ),
        (
            "Grant",
            r#"{"annotations":[{"@type":""}]}"#,
            "`@type` is empty",
        ),
        (
            "ResourceType",
            r#"{"traits":["TRAIT_NOPE"]}"#,
            "unknown name `TRAIT_NOPE`",
        ),
        (
            "ResourceType",
            r#"{"traits":[1.5]}"#,
            "enum number out of range",
        ),
        (
            "ResourceType",
            r#"{"traits":[2147483648]}"#,
            "enum number out of range",
        ),
        ("Resource", r#"{"profile":[]}"#, "expected an object"),
        (
            "Resource",
            r#"{"profile":{"a":1,"a":2}}"#,
            "key `a` occurs twice in a map",
        ),
        (
            "Resource",
            r#"{"profile":{"a":1e999}}"#,
            "expected a number within range",
        ),
        (
            "Resource",
            r#"{"createdAt":"yesterday"}"#,
            "not an RFC 3339 time",
        ),
        ("Resource", r#"{"createdAt":12}"#, "expected a string"),
        (
            "c1.reader.v2.CallStat",
            r#"{"count":"x"}"#,
            "expected a whole number",
        ),
        (
            "c1.reader.v2.CallStat",
            r#"{"count":1.5}"#,
            "expected a whole number",
        ),
        (
            "c1.reader.v2.CallStat",
            r#"{"count":9223372036854775808}"#,
            "number out of range",
        ),
        (
            "c1.reader.v2.CallStat",
            r#"{"count":true}"#,
            "expected a whole number",
        ),
        (
            "c1.config.v1.BoolRules",
            r#"{"eq":"true"}"#,
            "expected `true` or `false`",
        ),
        (
            "AssetServiceGetAssetResponse",
            r#"{"data":{},"metadata":{}}"#,
            "second choice of one oneof",
        ),
        (
            "AssetServiceGetAssetResponse",
            r#"{"data":{"data":"*"}}"#,
            "expected base64",
        ),
    ] {
        let error = refused(name, text);
        assert!(error.contains(reason), "{text}: {error}");
    }
}

#[test]
fn json_in_other_spellings_is_taken() {
    for (name, text, same) in [
        (
            "ResourceType",
            r#"{"display_name":"x"}"#,
            r#"{"displayName":"x"}"#,
        ),
        (
            "ResourceType",
            r#"{"traits":[1,"TRAIT_ROLE",77]}"#,
            r#"{"traits":["TRAIT_USER","TRAIT_ROLE",77]}"#,
        ),
        ("ResourceType", r#"{"id":null,"traits":null}"#, "{}"),
        ("ResourceType", r#"{"id":"","traits":[]}"#, "{}"),
        (
            "c1.reader.v2.CallStat",
            r#"{"count":5,"totalMs":"1e2","maxMs":3.0}"#,
            r#"{"count":"5","totalMs":"100","maxMs":"3"}"#,
        ),
        (
            "AssetServiceGetAssetResponse",
            r#"{"data":{"data":"-_8"}}"#,
            r#"{"data":{"data":"+/8="}}"#,
        ),
        (
            "AssetServiceGetAssetResponse",
            r#"{"data":null,"metadata":{}}"#,
            r#"{"metadata":{}}"#,
        ),
        (
            "Resource",
            r#"{"createdAt":"2026-01-02T04:04:05.50+01:00"}"#,
            r#"{"createdAt":"2026-01-02T03:04:05.500Z"}"#,
        ),
        (
            "Resource",
            r#"{"profile":{"n":null}}"#,
            r#"{"profile":{"n":null}}"#,
        ),
        (
            "Grant",
            r#"{"annotations":[{"id":"x","@type":"type.googleapis.com/c1.connector.v2.ETagMatch"}]}"#,
            r#"{"annotations":[{"@type":"type.googleapis.com/c1.connector.v2.ETagMatch"}]}"#,
        ),
    ] {
        let options = ParseOptions {
            ignore_unknown: text.contains("ETagMatch"),
        };
        let wire = json::parse_with(id(name), text, options).expect(text);
        assert_eq!(print(name, &wire), same);
    }
}

#[test]
fn unknown_keys_and_names_are_passed_over_when_asked() {
    let options = ParseOptions {
        ignore_unknown: true,
    };
    let text = r#"{"nope":{"deep":[1,{"x":null}]},"id":"u","traits":["TRAIT_NEW","TRAIT_USER"]}"#;
    let wire = json::parse_with(id("ResourceType"), text, options).expect("valid");
    assert_eq!(
        print("ResourceType", &wire),
        r#"{"id":"u","traits":["TRAIT_USER"]}"#
    );
}

#[test]
fn fields_are_encoded_by_number_whatever_the_order_of_keys() {
    let text = r#"{"annotations":[],"sources":{"sources":{"z":{},"a":{"isDirect":true}}},"id":"g","principal":{},"entitlement":{"id":"e"}}"#;
    let wire = json::parse(id("Grant"), text).expect("valid");
    let numbers: Vec<_> = wire::fields(&wire)
        .map(|f| f.expect("valid").number)
        .collect();
    assert_eq!(numbers, [1, 2, 3, 5]);
    assert_eq!(
        print("Grant", &wire),
        r#"{"entitlement":{"id":"e"},"principal":{},"id":"g","sources":{"sources":{"a":{"isDirect":true},"z":{}}}}"#
    );
}
