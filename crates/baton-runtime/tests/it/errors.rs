//! The texts and codes of mistakes on the command line and in settings.

use baton_runtime::{ExitStatus, ExtraCommand, Field, IntRules, Relation};

use crate::stage::Stage;

#[track_caller]
fn fails(stage: &mut Stage, args: &[&str], want: &str) {
    let outcome = stage.run(args);
    assert_eq!(outcome.error(), want, "{args:?} said:\n{}", outcome.stderr);
    assert_eq!(outcome.status.code(), 2, "{args:?}");
    assert!(
        outcome.config.is_none(),
        "{args:?} got as far as the connector"
    );
    assert_eq!(outcome.stdout, "", "{args:?}");
}

#[test]
fn the_flag_parser_speaks_as_the_go_parser() {
    let cases: &[(&[&str], &str)] = &[
        (&["--nope"], "unknown flag: --nope"),
        (&["--nope=3"], "unknown flag: --nope"),
        (&["-z"], "unknown shorthand flag: 'z' in -z"),
        (&["-vz"], "unknown shorthand flag: 'z' in -vz"),
        (&["--file"], "flag needs an argument: --file"),
        (&["-f"], "flag needs an argument: 'f' in -f"),
        (
            &["--workers", "abc"],
            "invalid argument \"abc\" for \"--workers\" flag: strconv.ParseInt: parsing \"abc\": invalid syntax",
        ),
        (
            &["--workers="],
            "invalid argument \"\" for \"--workers\" flag: strconv.ParseInt: parsing \"\": invalid syntax",
        ),
        (
            &["--fresh=abc"],
            "invalid argument \"abc\" for \"--fresh\" flag: strconv.ParseBool: parsing \"abc\": invalid syntax",
        ),
        (
            &["--fresh="],
            "invalid argument \"\" for \"--fresh\" flag: strconv.ParseBool: parsing \"\": invalid syntax",
        ),
        (
            &["--fresh", "true"],
            "unknown command \"true\" for \"baton-toy\"",
        ),
        (&["foo"], "unknown command \"foo\" for \"baton-toy\""),
        (&["confg"], "unknown command \"confg\" for \"baton-toy\""),
        (
            &["foo", "--nope"],
            "unknown command \"foo\" for \"baton-toy\"",
        ),
        (&["--", "foo"], "unknown command \"foo\" for \"baton-toy\""),
        (
            &["completion", "tcsh"],
            "unknown command \"tcsh\" for \"baton-toy completion\"",
        ),
        (&["capabilities", "-v"], "unknown shorthand flag: 'v' in -v"),
        (&["-v", "capabilities"], "unknown shorthand flag: 'v' in -v"),
        (
            &["config", "--access-token", "x"],
            "unknown flag: --access-token",
        ),
        (
            &["--access-token", "x", "config"],
            "unknown flag: --access-token",
        ),
        (
            &["--sync-resource-types", "a\"b"],
            "invalid argument \"a\\\"b\" for \"--sync-resource-types\" flag: parse error on line 1, column 2: bare \" in non-quoted field",
        ),
        (
            &[],
            "required flag(s) \"access-token\", \"organization-id\" not set",
        ),
        (
            &["--access-token", "x"],
            "required flag(s) \"organization-id\" not set",
        ),
    ];
    for (args, want) in cases {
        fails(&mut Stage::new(), args, want);
    }
}

#[test]
fn parse_errors_come_before_help_and_help_before_required_flags() {
    fails(
        &mut Stage::new(),
        &["--help", "--nope"],
        "unknown flag: --nope",
    );
    fails(
        &mut Stage::new(),
        &["--help", "--workers", "x"],
        "invalid argument \"x\" for \"--workers\" flag: strconv.ParseInt: parsing \"x\": invalid syntax",
    );
    assert_eq!(Stage::new().run(&["--help"]).status.code(), 0);
    assert_eq!(
        Stage::new().run(&["--version"]).stdout,
        "baton-toy version 1.2.3\n"
    );
    assert_eq!(
        Stage::new().run(&["-v"]).stdout,
        "baton-toy version 1.2.3\n"
    );
    let all = Stage::new().run(&["version"]);
    let first = "baton-toy version 1.2.3\ncommit: 0123abc\nplatform: ";
    assert!(all.stdout.starts_with(first), "{}", all.stdout);
    assert_eq!(all.stdout.lines().count(), 3);
}

#[test]
fn a_near_miss_gets_a_hint() {
    let outcome = Stage::new().run(&["confg"]);
    assert!(
        outcome
            .stderr
            .contains("hint: a similar command exists: config"),
        "{}",
        outcome.stderr
    );
    let outcome = Stage::new().run(&["--worker", "3"]);
    assert!(
        outcome
            .stderr
            .contains("hint: a similar flag exists: --workers"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn no_hidden_flag_is_pointed_at() {
    let outcome = Stage::new().run(&["--applied-sync-ids", "x"]);
    assert_eq!(outcome.stderr, "error: unknown flag: --applied-sync-ids\n");
}

#[test]
fn an_error_is_printed_once_and_without_usage() {
    let outcome = Stage::new().run(&["--nope"]);
    assert_eq!(outcome.stderr, "error: unknown flag: --nope\n");
}

#[test]
fn values_are_checked_with_all_violations_at_once() {
    let outcome = Stage::ready().run(&[
        "--log-format",
        "text",
        "--http-timeout-seconds",
        "1801",
        "--workers=-2",
        "--storage-engine",
        "rocks",
    ]);
    assert_eq!(outcome.status.code(), 2);
    assert_eq!(
        outcome.stderr,
        "error: errors found:\n\
         field log-format: value must be one of [console json] but got 'text'\n\
         field http-timeout-seconds: value must be less than or equal to 1800 but got 1801\n\
         field workers: value must be greater than or equal to -1 but got -2\n\
         field storage-engine: value must be one of [ sqlite pebble] but got 'rocks'\n"
    );
}

#[test]
fn zero_values_that_skip_the_rules_are_still_checked() {
    let outcome = Stage::ready().run(&["--http-timeout-seconds", "0"]);
    assert!(
        outcome.stderr.contains(
            "field http-timeout-seconds: value must be greater than or equal to 1 but got 0"
        ),
        "{}",
        outcome.stderr
    );
    assert!(outcome.config.is_none());
}

#[test]
fn an_empty_required_value_is_set_but_refused() {
    let outcome = Stage::ready().run(&["--access-token="]);
    assert_eq!(
        outcome.stderr,
        "error: errors found:\nfield access-token of type string is marked as required but it has a zero-value\n"
    );
}

#[test]
fn an_unknown_log_level_is_refused() {
    let outcome = Stage::ready().run(&["--log-level", "loud"]);
    assert_eq!(outcome.status.code(), 2);
    assert!(
        outcome.stderr.contains(
            "field log-level: value must be one of [debug info warn error] but got 'loud'"
        ),
        "{}",
        outcome.stderr
    );
}

#[test]
fn an_unknown_storage_engine_is_refused_with_the_known_ones() {
    let outcome = Stage::ready().run(&["--storage-engine", "rocksdb"]);
    assert!(
        outcome.stderr.contains("sqlite pebble] but got 'rocksdb'"),
        "{}",
        outcome.stderr
    );
    assert!(outcome.config.is_none());
}

fn related() -> Stage {
    Stage::ready()
        .field(Field::string("a", ""))
        .field(Field::string("b", ""))
        .field(Field::string("c", ""))
        .field(Field::int("limit", "").default(5).rules(IntRules {
            gte: Some(2),
            ..IntRules::NONE
        }))
}

#[test]
fn relationships_are_judged_by_what_is_set_then_by_values() {
    let together = || related().relation(Relation::RequiredTogether(vec!["a", "b"]));
    fails(
        &mut together(),
        &["--a", "x"],
        "if any flags in the group [a b] are set they must all be set; missing [b]",
    );
    fails(
        &mut together().env("BATON_B", "x"),
        &[],
        "if any flags in the group [a b] are set they must all be set; missing [a]",
    );
    fails(
        &mut together(),
        &["--a", "x", "--b="],
        "fields marked as needed together are missing: ('b')",
    );
    let exclusive = || related().relation(Relation::MutuallyExclusive(vec!["b", "a"]));
    fails(
        &mut exclusive(),
        &["--a=", "--b", "x"],
        "if any flags in the group [b a] are set none of the others can be; [a b] were all set",
    );
    let one = || related().relation(Relation::AtLeastOne(vec!["a", "b"]));
    fails(
        &mut one(),
        &[],
        "at least one of the flags in the group [a b] is required",
    );
    fails(
        &mut one(),
        &["--a="],
        "at least one field was expected, any of: ('a' and 'b')",
    );
    let dependent = || {
        related().relation(Relation::DependentOn {
            fields: vec!["a"],
            on: vec!["b"],
        })
    };
    fails(
        &mut dependent(),
        &["--a", "x"],
        "set fields ('a') are dependent on ('b') being set",
    );
    assert!(dependent().run(&["--a", "x", "--b", "y"]).config.is_some());
}

#[test]
fn groups_are_tried_by_kind_and_value_errors_come_before_relationships_of_values() {
    let mut stage = related()
        .relation(Relation::MutuallyExclusive(vec!["a", "c"]))
        .relation(Relation::RequiredTogether(vec!["a", "b"]));
    fails(
        &mut stage,
        &["--a", "x", "--c", "y"],
        "if any flags in the group [a b] are set they must all be set; missing [b]",
    );
    let mut stage = related().relation(Relation::DependentOn {
        fields: vec!["a"],
        on: vec!["b"],
    });
    let outcome = stage.run(&["--a", "x", "--limit", "1"]);
    assert!(
        outcome.stderr.contains(
            "errors found:\nfield limit: value must be greater than or equal to 2 but got 1"
        ),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_program_with_impossible_declarations_does_not_start() {
    fails(
        &mut Stage::new().field(Field::string("file", "")),
        &["config"],
        "multiple fields with the same name: file",
    );
    fails(
        &mut Stage::new().field(Field::string("help", "")),
        &[],
        "flag --help cannot have the name or letter of another flag: --help",
    );
    fails(
        &mut Stage::new().field(Field::string("folder", "").short('f')),
        &[],
        "flag --folder cannot have the name or letter of another flag: -f",
    );
    for name in ["My_Flag x", "Upper", "a b", "-a", "a-", "a--b", "1st", ""] {
        fails(
            &mut Stage::new().field(Field::string(name, "")),
            &[],
            &format!(
                "`{name}` cannot be the name of a flag: expected lower-case letters, digits and \
                 single dashes, a letter first"
            ),
        );
    }
    for (name, meaning) in [
        ("host-id", "a setting of every connector program"),
        ("config-path", "a setting of every connector program"),
    ] {
        let variable = name.to_uppercase().replace('-', "_");
        fails(
            &mut Stage::new().field(Field::string(name, "")),
            &["--help"],
            &format!("flag --{name} cannot be defined: BATON_{variable} already means {meaning}"),
        );
    }
    // An alias counts like the variable of its own flag.
    fails(
        &mut Stage::new().field(Field::string("org", "")),
        &[],
        "flag --org cannot be defined: BATON_ORG already means --organization-id",
    );
    fails(
        &mut Stage::new().field(Field::duration("pause", "").default("soon")),
        &[],
        "the default of --pause cannot be used: expected a duration such as 90s, 1h30m or 500ms",
    );
    fails(
        &mut Stage::new().relation(Relation::AtLeastOne(vec!["access-token"])),
        &["--help"],
        "invalid config: invalid relationship constraint",
    );
}

#[test]
fn no_field_takes_a_variable_that_the_reference_page_gives_another_meaning() {
    let page = baton_runtime::common_flags_markdown();
    let (_, table) = page.split_once("## Variables without a flag").unwrap();
    let variables: Vec<&str> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `BATON_")?.split_once('`'))
        .map(|(name, _)| name)
        .collect();
    assert!(variables.len() >= 8, "{variables:?}");
    for variable in variables {
        let name: &'static str = variable.to_lowercase().replace('_', "-").leak();
        let outcome = Stage::new().field(Field::string(name, "")).run(&["--help"]);
        let refused = format!("flag --{name} cannot be defined: BATON_{variable} already means");
        assert!(outcome.error().starts_with(&refused), "{}", outcome.stderr);
    }
}

#[test]
fn a_command_that_is_defined_twice_is_refused_at_start() {
    let command = |name| {
        ExtraCommand::new(
            name,
            "",
            Box::new(|_| Box::pin(async { Ok(ExitStatus::Success) })),
        )
    };
    let nested = ExtraCommand::group("plan", "")
        .command(command("show"))
        .command(command("show"));
    for (commands, path) in [
        (vec![command("config")], "baton-toy config"),
        (vec![command("a"), command("a")], "baton-toy a"),
        (vec![nested], "baton-toy plan show"),
    ] {
        let mut stage = Stage::new();
        stage.commands = commands;
        fails(
            &mut stage,
            &["--help"],
            &format!("multiple commands with the same name: {path}"),
        );
    }
}

#[test]
fn folders_and_targets_are_checked_before_anything_is_built() {
    let mut stage = Stage::ready();
    let missing = stage.path().join("nowhere");
    fails(
        &mut stage,
        &["--file", "nowhere/sync.c1z"],
        &format!("output folder `{}` does not exist", missing.display()),
    );
    fails(
        &mut stage,
        &["--c1z-temp-dir", "nowhere"],
        &format!(
            "the specified c1z temp dir does not exist: {}",
            missing.display()
        ),
    );
    stage.env.insert("BATON_TMPDIR".into(), "nowhere".into());
    fails(
        &mut stage,
        &[],
        &format!(
            "the specified c1z temp dir does not exist: {}",
            missing.display()
        ),
    );
}

#[test]
fn a_target_that_is_no_sync_file_is_refused_and_left_alone() {
    for content in [&b"hello"[..], b"C1Z"] {
        let mut stage = Stage::ready();
        let target = stage.path().join("sync.c1z");
        std::fs::write(&target, content).unwrap();
        let outcome = stage.run(&[]);
        assert!(
            matches!(outcome.status.code(), 1..=16),
            "{}",
            outcome.stderr
        );
        assert!(outcome.stderr.starts_with("error: "), "{}", outcome.stderr);
        assert!(outcome.config.is_none());
        assert_eq!(std::fs::read(&target).unwrap(), content);
    }
}

#[test]
fn a_log_path_that_cannot_be_opened_is_a_startup_error() {
    let outcome = Stage::ready().run(&["--log-path", "nowhere/x.log"]);
    assert_eq!(outcome.status.code(), 2);
    assert!(
        outcome.error().starts_with("open sink \"nowhere/x.log\""),
        "{}",
        outcome.stderr
    );
}

#[test]
fn shares_and_caps_of_requests_are_checked_before_anything_else() {
    for share in ["0", "-0.5", "1.01", "NaN", "inf", "half", ""] {
        let outcome = Stage::ready().run(&[&format!("--rate-share={share}")]);
        let text = &outcome.stderr;
        let told =
            format!("field rate-share: value must be more than 0 and at most 1 but got '{share}'");
        assert!(text.contains(&told), "{text}");
    }
    let outcome = Stage::ready().run(&["--max-requests-per-second", "-1"]);
    let text = &outcome.stderr;
    assert!(text.contains("field max-requests-per-second"), "{text}");
}

#[test]
fn an_empty_path_is_refused_with_its_flag() {
    let compact = [
        "--compact-syncs",
        "--compact-sync-ids=a",
        "--compact-file-paths=a.c1z",
    ];
    for (flag, args) in [
        ("file", vec!["--file="]),
        ("file", vec!["-f", ""]),
        ("log-path", vec!["--log-path=a.log,"]),
        (
            "compact-output-path",
            [&compact[..], &["--compact-output-path="]].concat(),
        ),
    ] {
        let mut stage = Stage::ready();
        let outcome = stage.run(&args);
        assert_eq!(outcome.status.code(), 2, "{args:?}: {}", outcome.stderr);
        assert!(
            outcome.error().contains(flag),
            "{args:?}: {}",
            outcome.stderr
        );
        assert_eq!(std::fs::read_dir(stage.path()).unwrap().count(), 0);
    }
}
