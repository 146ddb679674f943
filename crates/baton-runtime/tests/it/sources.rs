//! Which source wins, and what a malformed one leads to.

use baton_runtime::{Field, IntRules};

use crate::stage::{ACCESS_TOKEN, ORGANIZATION_ID, Stage};

const CONFIG: &str = ".baton.yaml";
const TENANTS: Field<Vec<String>> = Field::list("tenants", "");
const LIMIT: Field<i64> = Field::int("limit", "").default(5).rules(IntRules::NONE);
const DEEP: Field<bool> = Field::bool("deep", "");
const REGION: Field<String> = Field::string("region", "").default("eu");

fn typed() -> Stage {
    Stage::ready()
        .field(TENANTS)
        .field(LIMIT)
        .field(DEEP)
        .field(REGION)
}

/// Name, sources, arguments, and what they add up to.
type Case = (
    &'static str,
    Stage,
    &'static [&'static str],
    (&'static str, i64, bool),
);

#[test]
fn the_higher_source_wins_for_every_pair() {
    let args: &'static [&'static str] = &["--region", "flag", "--limit", "1", "--deep=false"];
    let env = |stage: Stage| {
        stage
            .env("BATON_REGION", "env")
            .env("BATON_LIMIT", "0x10")
            .env("BATON_DEEP", "T")
    };
    let file = |stage: Stage| stage.file(CONFIG, "region: file\nLimit: 3\ndeep: true\n");
    let cases: [Case; 8] = [
        ("nothing", typed(), &[], ("eu", 5, false)),
        ("file", file(typed()), &[], ("file", 3, true)),
        ("env", env(typed()), &[], ("env", 16, true)),
        ("flag", typed(), args, ("flag", 1, false)),
        ("file, env", env(file(typed())), &[], ("env", 16, true)),
        ("file, flag", file(typed()), args, ("flag", 1, false)),
        ("env, flag", env(typed()), args, ("flag", 1, false)),
        ("all", env(file(typed())), args, ("flag", 1, false)),
    ];
    for (name, mut stage, args, (region, limit, deep)) in cases {
        let outcome = stage.run(args);
        let config = outcome.config();
        assert_eq!(config.get(&REGION), region, "{name}");
        assert_eq!(config.get(&LIMIT), limit, "{name}");
        assert_eq!(config.get(&DEEP), deep, "{name}");
    }
}

#[test]
fn lists_of_the_command_line_are_added_to_the_source_below() {
    let list = |mut stage: Stage, args: &[&str]| stage.run(args).config().get(&TENANTS).to_vec();
    assert_eq!(list(typed(), &[]), [""; 0]);
    assert_eq!(
        list(typed(), &["--tenants", "a,\"b,c\"", "--tenants=d"]),
        ["a", "b,c", "d"]
    );
    assert_eq!(
        list(typed().env("BATON_TENANTS", "a,b"), &["--tenants", "c"]),
        ["a", "b", "c"]
    );
    let file = || typed().file(CONFIG, "tenants: [x, 'y,z']\n");
    assert_eq!(list(file(), &["--tenants", "c"]), ["x", "y,z", "c"]);
    // The environment replaces the file.
    assert_eq!(
        list(file().env("BATON_TENANTS", "a"), &["--tenants", "c"]),
        ["a", "c"]
    );
    assert_eq!(
        list(typed().file(CONFIG, "tenants: x,y\n"), &[]),
        ["x", "y"]
    );
}

#[test]
fn flags_before_and_behind_the_command_word_are_one_line() {
    let outcome = typed().run(&[
        "--sync-resource-types",
        "a",
        "--log-level",
        "warn",
        "capabilities",
        "--sync-resource-types",
        "b",
        "--log-level=error",
    ]);
    assert_eq!(
        outcome
            .config()
            .get(&Field::list("sync-resource-types", "")),
        ["a", "b"]
    );
    assert_eq!(
        outcome.config().get(&Field::string("log-level", "")),
        "error"
    );
}

#[test]
fn an_empty_variable_is_absent_and_an_empty_flag_is_set() {
    let outcome = typed().env("BATON_REGION", "").run(&[]);
    assert_eq!(outcome.config().get(&REGION), "eu");
    assert!(!outcome.config().was_set(&REGION));
    let outcome = typed().env("BATON_REGION", "us").run(&["--region="]);
    assert_eq!(outcome.config().get(&REGION), "");
    assert!(outcome.config().was_set(&REGION));
}

#[test]
fn alias_variables_count_as_set_and_rank_between_the_proper_one_and_the_file() {
    let aliases = || {
        Stage::new()
            .env("BATON_API_TOKEN", "alias")
            .env("BATON_ORG", "o-alias")
    };
    let outcome = aliases().run(&[]);
    assert_eq!(outcome.config().get(&ORGANIZATION_ID), "o-alias");
    assert_eq!(outcome.config().get(&ACCESS_TOKEN).expose(), "alias");
    let outcome = aliases().env("BATON_ORGANIZATION_ID", "o-proper").run(&[]);
    assert_eq!(outcome.config().get(&ORGANIZATION_ID), "o-proper");
    let outcome = aliases().file(CONFIG, "organization-id: o-file\n").run(&[]);
    assert_eq!(outcome.config().get(&ORGANIZATION_ID), "o-alias");
    // An empty proper variable is absent, so the alias steps in.
    let outcome = aliases().env("BATON_ORGANIZATION_ID", "").run(&[]);
    assert_eq!(outcome.config().get(&ORGANIZATION_ID), "o-alias");
}

#[test]
fn a_malformed_value_is_an_error_that_names_its_source() {
    let outcome = typed().env("BATON_LIMIT", "abc").run(&[]);
    assert_eq!(outcome.status.code(), 2);
    assert_eq!(
        outcome.stderr,
        "error: failed to make configuration: cannot parse 'limit' as int\n\
         caused by: strconv.ParseInt: parsing \"abc\": invalid syntax\n\
         hint: the value comes from environment variable BATON_LIMIT\n"
    );
    let outcome = typed().file(CONFIG, "deep: yes\n").run(&[]);
    assert_eq!(outcome.status.code(), 2);
    assert!(
        outcome.stderr.contains("cannot parse 'deep' as bool"),
        "{}",
        outcome.stderr
    );
    assert!(outcome.stderr.contains(CONFIG), "{}", outcome.stderr);
    let outcome = typed().env("BATON_KEEP_SYNC_COUNT", "many").run(&[]);
    assert_eq!(outcome.status.code(), 2);
}

#[test]
fn a_broken_config_file_is_an_error_only_where_values_are_needed() {
    let broken = || typed().file(CONFIG, "region: [\n");
    let outcome = broken().run(&[]);
    assert_eq!(outcome.status.code(), 2);
    assert!(
        outcome.error().starts_with("config file `"),
        "{}",
        outcome.stderr
    );
    assert!(outcome.config.is_none());
    assert_eq!(broken().run(&["--help"]).status.code(), 0);
    assert_eq!(broken().run(&["config"]).status.code(), 0);
}

#[test]
fn the_named_config_file_must_exist_and_be_yaml() {
    let outcome = typed()
        .env("BATON_CONFIG_PATH", "conf.json")
        .run(&["--help"]);
    assert_eq!(
        outcome.error(),
        "expected config file to have .yaml or .yml extension"
    );
    assert_eq!(outcome.status.code(), 2);
    let outcome = typed().env("BATON_CONFIG_PATH", "conf.yaml").run(&[]);
    assert!(
        outcome.error().starts_with("cannot read config file `"),
        "{}",
        outcome.stderr
    );
    // The named file is read, not a neighbour with another extension, and not `.baton`.
    let outcome = typed()
        .file("conf.json", "region: json\n")
        .file(CONFIG, "region: other\n")
        .file("conf.yml", "region: named\n")
        .env("BATON_CONFIG_PATH", "conf.yml")
        .run(&[]);
    assert_eq!(outcome.config().get(&REGION), "named");
}

#[test]
fn every_config_file_name_is_read_as_yaml() {
    for name in [".baton", ".baton.json", ".baton.toml", ".baton.ini"] {
        let outcome = typed().file(name, "region: here\n").run(&[]);
        assert_eq!(outcome.config().get(&REGION), "here", "{name}");
    }
}

#[test]
fn unknown_config_keys_are_named_in_the_log() {
    let outcome = typed().file(CONFIG, "region: x\nnonsense: 1\n").run(&[]);
    assert!(outcome.stderr.contains("nonsense"), "{}", outcome.stderr);
    assert_eq!(outcome.config().get(&REGION), "x");
}

#[test]
fn service_mode_is_chosen_by_the_environment_and_the_file_too() {
    let outcome = typed().env("BATON_CLIENT_ID", "x").run(&[]);
    assert_eq!(outcome.status.code(), 2);
    assert!(
        outcome.error().contains("missing [client-secret]"),
        "{}",
        outcome.stderr
    );
    let file = "Client-Id: g\nclient-secret: h\n";
    let outcome = typed().file(CONFIG, file).run(&[]);
    assert_eq!(outcome.status.code(), 2);
    assert_eq!(outcome.error(), "invalid client id");
}

#[test]
fn a_secret_comes_from_a_file_or_from_standard_input() {
    let token = |stage: &mut Stage, arg: &str| {
        let outcome = stage.run(&["--access-token", arg]);
        outcome.config().get(&ACCESS_TOKEN).expose().to_owned()
    };
    let mut stage = typed()
        .file("token.txt", "from-file\n")
        .stdin("from-stdin\r\n");
    assert_eq!(token(&mut stage, "@token.txt"), "from-file");
    assert_eq!(token(&mut stage, "-"), "from-stdin");
    assert_eq!(token(&mut stage, "plain"), "plain");
    // Only flags are visible to other users; elsewhere the text is the secret.
    let outcome = typed().env("BATON_ACCESS_TOKEN", "@token.txt").run(&[]);
    assert_eq!(outcome.config().get(&ACCESS_TOKEN).expose(), "@token.txt");
}

#[test]
fn an_unusable_secret_source_is_named() {
    let outcome = typed().run(&["--access-token", "@nope.txt"]);
    assert_eq!(outcome.status.code(), 2);
    assert!(
        outcome
            .error()
            .starts_with("cannot read the value of --access-token from `"),
        "{}",
        outcome.stderr
    );
    let outcome = typed().run(&["--access-token", "-"]);
    assert_eq!(
        outcome.error(),
        "value of --access-token: standard input is empty"
    );
    let outcome = typed()
        .stdin("x")
        .run(&["--access-token", "-", "--scim-token", "-"]);
    assert_eq!(
        outcome.error(),
        "--access-token and --scim-token cannot both read standard input"
    );
}

#[test]
fn a_secret_is_printed_nowhere() {
    let outcome = typed().run(&["--log-level", "debug"]);
    assert!(!format!("{:?}", outcome.config()).contains("hunter2"));
    assert!(!outcome.stderr.contains("hunter2"));
}

#[test]
fn numbers_and_switches_have_go_syntax() {
    let int = |text: &str| typed().run(&["--limit", text]).config().get(&LIMIT);
    assert_eq!(
        [int("0x7"), int("010"), int("1_000"), int("-3")],
        [7, 8, 1000, -3]
    );
    let outcome = typed().run(&["--deep", "--allow-empty=1", "--allow-partial=F"]);
    assert!(outcome.config().get(&DEEP) && outcome.config().get(&Field::bool("allow-empty", "")));
    assert!(!outcome.config().get(&Field::bool("allow-partial", "")));
}

#[test]
fn a_value_may_look_like_a_flag() {
    let outcome = typed().run(&["--region", "--deep"]);
    assert_eq!(outcome.config().get(&REGION), "--deep");
    let outcome = typed().run(&["-fx.c1z", "--region", "a", "--region", "b"]);
    let file = Field::path("file", "");
    let written = outcome.config().as_written(&file);
    assert_eq!(written, std::path::Path::new("x.c1z"));
    assert_eq!(outcome.config().get(&REGION), "b");
}
