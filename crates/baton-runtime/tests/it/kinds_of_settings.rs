//! Settings of every kind from every source, and groups of them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use baton_runtime::{Field, FieldGroup, Secret, Size};

use crate::stage::Stage;

const LABELS: Field<BTreeMap<String, String>> = Field::map("labels", "");
const KEY_FILE: Field<Option<PathBuf>> = Field::path("key-file", "");
const PAUSE: Field<Duration> = Field::duration("pause", "").default("2s");
const LIMIT: Field<Option<Size>> = Field::size("limit", "");
const DEEP: Field<bool> = Field::bool("deep", "").default(true);

fn typed() -> Stage {
    Stage::ready()
        .field(LABELS)
        .field(KEY_FILE)
        .field(PAUSE)
        .field(LIMIT)
        .field(DEEP)
}

/// Labels, path, pause, limit, switch.
type Read = (String, Option<PathBuf>, Duration, Option<u64>, bool);

fn read(stage: &mut Stage, args: &[&str]) -> Read {
    let outcome = stage.run(args);
    let config = outcome.config();
    let labels: Vec<String> = config
        .get(&LABELS)
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    (
        labels.join(","),
        config.get(&KEY_FILE).map(ToOwned::to_owned),
        config.get(&PAUSE),
        config.get(&LIMIT),
        config.get(&DEEP),
    )
}

#[test]
fn each_kind_is_read_from_each_source() {
    let seconds = Duration::from_secs;
    let mut nothing = typed();
    let defaults = (String::new(), None, seconds(2), None, true);
    assert_eq!(read(&mut nothing, &[]), defaults);

    let mut flags = typed();
    let key = flags.path().join("k.pem");
    let args = [
        "--labels=a=1,B=2",
        "--key-file",
        "k.pem",
        "--pause=1m30s",
        "--limit",
        "2KiB",
        "--deep=false",
    ];
    let want = (
        "B=2,a=1".to_owned(),
        Some(key),
        seconds(90),
        Some(2048),
        false,
    );
    assert_eq!(read(&mut flags, &args), want);

    let mut env = typed()
        .env("BATON_LABELS", r#"{"a": "1", "B": "2"}"#)
        .env("BATON_KEY_FILE", "k.pem")
        .env("BATON_PAUSE", "90s")
        .env("BATON_LIMIT", "2048")
        .env("BATON_DEEP", "0");
    let key = env.path().join("k.pem");
    let want = (
        "B=2,a=1".to_owned(),
        Some(key),
        seconds(90),
        Some(2048),
        false,
    );
    assert_eq!(read(&mut env, &[]), want);
    // Maps of the command line are added to those below.
    assert_eq!(read(&mut env, &["--labels=a=9"]).0, "B=2,a=9");

    let mut file = typed().file(
        ".baton.yaml",
        "labels: {a: 1, B: x}\nkey-file: k.pem\npause: 90s\nlimit: 2048\ndeep: false\n",
    );
    let key = file.path().join("k.pem");
    let want = (
        "a=1,b=x".to_owned(),
        Some(key),
        seconds(90),
        Some(2048),
        false,
    );
    assert_eq!(read(&mut file, &[]), want);
}

#[test]
fn what_is_not_of_its_kind_is_refused_from_each_source() {
    for (flag, bad) in [
        ("labels", "novalue"),
        ("pause", "soon"),
        ("limit", "much"),
        ("deep", "perhaps"),
    ] {
        let variable = format!("BATON_{}", flag.to_uppercase());
        let runs = [
            typed().run(&[&format!("--{flag}={bad}")]),
            typed().env(&variable, bad).run(&[]),
            typed()
                .file(".baton.yaml", &format!("{flag}: {bad}\n"))
                .run(&[]),
        ];
        for outcome in runs {
            assert_eq!(outcome.status.code(), 2, "{flag}: {}", outcome.stderr);
            assert!(outcome.error().contains(flag), "{flag}: {}", outcome.stderr);
            assert!(outcome.config.is_none());
        }
    }
}

#[test]
fn an_address_that_cannot_be_used_is_not_shown() {
    const BASE: Field<Option<url::Url>> = Field::url("address", "");
    let outcome = Stage::ready()
        .field(BASE)
        .run(&["--address", "ftp://u:s3cr3t@a.test"]);
    let expected = "invalid argument \"[not shown]\" for \"--address\" flag: expected an http or \
                    https URL with a host";
    assert_eq!(outcome.error(), expected);
}

const TOKEN: Field<Secret> = Field::secret("token", "").required();
const CLIENT: Field<String> = Field::string("oauth-client", "").required();
const KEY: Field<Secret> = Field::secret("oauth-key", "").required();
const BY_TOKEN: FieldGroup = FieldGroup::new("token", "Token", &[TOKEN.any()]);
const BY_OAUTH: FieldGroup =
    FieldGroup::new("oauth", "OAuth client", &[CLIENT.any(), KEY.any()]).help("for services");

const NOBODYS: FieldGroup = FieldGroup::new("x", "", &[Field::string("nobodys", "").any()]);

fn grouped() -> Stage {
    let mut stage = Stage::ready().field(TOKEN).field(CLIENT).field(KEY);
    stage.groups = vec![BY_TOKEN, BY_OAUTH];
    stage
}

#[test]
fn one_group_is_used_and_only_its_fields_are_required() {
    let oauth = &["--oauth-client", "c", "--oauth-key", "k"][..];
    for (args, by_oauth) in [
        (&["--token", "t"][..], false),
        (oauth, true),
        (&[oauth, &["--token", "t"]].concat(), false),
        (
            &[oauth, &["--token", "t", "--auth-method", "oauth"]].concat(),
            true,
        ),
    ] {
        let outcome = grouped().run(args);
        let config = outcome.config();
        assert_eq!(config.chose(&BY_OAUTH), by_oauth, "{args:?}");
        assert_eq!(config.chose(&BY_TOKEN), !by_oauth, "{args:?}");
    }
    let missing = |name: &str| {
        format!("field {name} of type string is marked as required but it has a zero-value")
    };
    for (args, name) in [
        (&[][..], "token"),
        (&["--oauth-client", "c"], "oauth-key"),
        (&["--token", "t", "--auth-method=oauth"], "oauth-client"),
    ] {
        let outcome = grouped().run(args);
        assert_eq!(outcome.status.code(), 2);
        assert!(
            outcome.stderr.contains(&missing(name)),
            "{}",
            outcome.stderr
        );
    }
    let outcome = grouped().run(&["--auth-method", "magic"]);
    assert_eq!(outcome.error(), "unknown auth method `magic`");
    assert!(
        outcome.stderr.contains("token, oauth"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn without_groups_the_auth_method_is_accepted_with_a_warning() {
    let words = "--auth-method has no effect";
    let outcome = Stage::ready().run(&["--auth-method", "magic"]);
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
    assert!(outcome.stderr.contains(words), "{}", outcome.stderr);
    for quiet in [&[][..], &["--auth-method", ""]] {
        let outcome = Stage::ready().run(quiet);
        assert!(!outcome.stderr.contains(words), "{}", outcome.stderr);
    }
}

#[test]
fn groups_are_part_of_the_schema_and_impossible_ones_are_refused() {
    let outcome = grouped().run(&["config"]);
    let schema: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    let want = serde_json::json!([
        { "name": "token", "displayName": "Token", "fields": ["token"] },
        {
            "name": "oauth",
            "displayName": "OAuth client",
            "helpText": "for services",
            "fields": ["oauth-client", "oauth-key"],
        },
    ]);
    assert_eq!(schema["fieldGroups"], want);
    for (groups, error) in [
        (
            vec![BY_TOKEN.by_default(), BY_OAUTH.by_default()],
            "only one field group can be set as default, but found 2: token, oauth",
        ),
        (
            vec![BY_TOKEN, BY_TOKEN],
            "invalid config: invalid field group token",
        ),
        (vec![NOBODYS], "invalid config: invalid field group x"),
    ] {
        let mut stage = grouped();
        stage.groups = groups;
        assert_eq!(stage.run(&[]).error(), error);
    }
}
