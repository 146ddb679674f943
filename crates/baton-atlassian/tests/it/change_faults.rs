//! Changes among faults: lost answers, delays, quotas, and two at once. After
//! every run things are as before or as wanted, and a success means the latter.

use std::sync::Arc;
use std::time::Duration;

use atlassian_sim::{
    Action, Answers, Calls, Config, Fault, Generation, NewUser, Principal, RateLimits, RetryAfter,
};
use baton_connector::{Call, Code, Provisioning as _, v2};
use futures_util::{StreamExt as _, stream};

use crate::bench::{
    ADMIN, Bench, Notes, SITE_ADMIN, USER_ROLE, config, grant_of, resource, role_on, user,
    was_gone, was_there,
};

/// A grant of each kind, and whether it is held.
struct Case {
    name: &'static str,
    entitlement: v2::Entitlement,
    principal: v2::Resource,
    held: Box<dyn Fn(&Bench) -> bool>,
}

fn cases(bench: &Bench) -> Vec<Case> {
    let mut group = resource("group", &bench.group);
    group.profile = bench.member(&bench.group).resource.unwrap().profile;
    let principal = Principal::Group(bench.group.clone());
    let (jira, site) = (bench.jira.clone(), bench.sites[0].clone());
    let on_jira = jira.clone();
    vec![
        Case {
            name: "membership",
            entitlement: bench.member(&bench.group),
            principal: user(&bench.user),
            held: Box::new(|bench| bench.member_of(&bench.group, &bench.user)),
        },
        Case {
            name: "role of a user",
            entitlement: role_on(&jira, USER_ROLE),
            principal: user(&bench.user),
            held: Box::new(|bench| bench.user_holds(&bench.jira, USER_ROLE)),
        },
        Case {
            name: "role of a group",
            entitlement: role_on(&jira, USER_ROLE),
            principal: group,
            held: Box::new(move |bench| bench.holds(&principal, &on_jira, USER_ROLE)),
        },
        Case {
            name: "organization admin",
            entitlement: bench.own_role(ADMIN),
            principal: user(&bench.user),
            held: Box::new(|bench| bench.user_holds(&bench.organization, ADMIN)),
        },
        Case {
            name: "site admin",
            entitlement: bench.own_role(SITE_ADMIN),
            principal: user(&bench.user),
            held: Box::new(move |bench| bench.user_holds(&site, SITE_ADMIN)),
        },
    ]
}

fn bench(config: Config) -> Bench {
    let bench = Bench::of(config);
    let site = bench.sites[0].clone();
    bench.site(&site)
}

/// Every write, and no read.
const WRITES: [&str; 8] = [
    "POST v2/groups/{id}/memberships",
    "DELETE v2/groups/{id}/memberships/{member}",
    "POST v1/users/{id}/roles/assign",
    "POST v1/users/{id}/roles/revoke",
    "POST v2/groups/{id}/role-assignments/assign",
    "POST v2/groups/{id}/role-assignments/revoke",
    "POST v1/users/{id}/role-assignments/assign",
    "POST v1/users/{id}/role-assignments/revoke",
];

fn on_writes(calls: &Calls, action: &Action) -> Vec<Fault> {
    let rule = |endpoint: &&str| Fault::new(*endpoint, calls.clone(), action.clone());
    WRITES.iter().map(rule).collect()
}

/// Grants or revokes; gives whether nothing had to be done.
async fn change(bench: &Bench, case: &Case, grants: bool) -> baton_connector::Result<bool> {
    let (entitlement, principal) = (&case.entitlement, &case.principal);
    if grants {
        let granted = bench.grant(entitlement, principal).await;
        granted.map(|granted| was_there(&granted))
    } else {
        let revoked = bench.revoke(entitlement, principal).await;
        revoked.map(|revoked| was_gone(&revoked))
    }
}

#[tokio::test(start_paused = true)]
async fn every_kind_survives_lost_answers_and_failing_servers() {
    let actions = [
        Action::ConnectionReset,
        Action::LoseAnswer,
        Action::Hang,
        Action::Status(503),
        Action::MaskAnswer(500),
        Action::InvalidJson,
        Action::TooManyRequests(RetryAfter::Seconds(5)),
        Action::TooManyRequests(RetryAfter::Absent),
    ];
    for delay_s in [0, 20] {
        let bench = bench(Config {
            visibility_delay: Duration::from_secs(delay_s),
            ..config()
        });
        for case in cases(&bench) {
            for action in &actions {
                for grants in [true, false] {
                    let name = format!("{} {action:?} {grants} {delay_s}", case.name);
                    bench.sim.set_faults(on_writes(&Calls::Nth(1), action));
                    let done = change(&bench, &case, grants).await;
                    assert!(done.is_ok(), "{name}: {done:?}");
                    assert_eq!((case.held)(&bench), grants, "{name}");
                    tokio::time::sleep(Duration::from_secs(31)).await;
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_never_arrives_is_no_success() {
    for action in [Action::ConnectionReset, Action::Status(500)] {
        let bench = bench(config());
        for case in cases(&bench) {
            bench.sim.set_faults(on_writes(&Calls::All, &action));
            let error = change(&bench, &case, true).await.unwrap_err();
            assert_eq!(error.code(), Code::Unavailable, "{}", case.name);
            assert!(error.to_string().contains("not known"), "{}", case.name);
            assert!(!(case.held)(&bench), "{}", case.name);
            assert_eq!(bench.asked().1, 2, "{}: once more, and no more", case.name);
        }
    }
}

/// What was changed a moment ago does not show yet, and is not taken for what
/// is wanted.
#[tokio::test(start_paused = true)]
async fn changes_in_a_row_are_not_fooled_by_what_does_not_show_yet() {
    for delay_s in [0, 5, 30] {
        let bench = bench(Config {
            visibility_delay: Duration::from_secs(delay_s),
            ..config()
        });
        for case in cases(&bench) {
            let connector = bench.connector();
            let call = Call::alone();
            let grant = grant_of(&case.entitlement, &case.principal);
            for turn in 0..3 {
                let name = format!("{} {delay_s} {turn}", case.name);
                let granted = connector
                    .grant(&call, &case.entitlement, &case.principal)
                    .await;
                granted.unwrap_or_else(|error| panic!("{name}: {error}"));
                assert!((case.held)(&bench), "{name}");
                let revoked = connector.revoke(&call, &grant).await;
                revoked.unwrap_or_else(|error| panic!("{name}: {error}"));
                assert!(!(case.held)(&bench), "{name}");
                tokio::time::sleep(Duration::from_secs(7)).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_at_once_do_no_harm() {
    for delay_s in [0, 5] {
        let bench = bench(Config {
            visibility_delay: Duration::from_secs(delay_s),
            latency: Duration::from_millis(100),
            ..config()
        });
        for case in cases(&bench) {
            let (connector, call) = (bench.connector(), Call::alone());
            let (entitlement, principal) = (&case.entitlement, &case.principal);
            let grant = grant_of(entitlement, principal);
            let (one, other) = tokio::join!(
                connector.grant(&call, entitlement, principal),
                connector.grant(&call, entitlement, principal),
            );
            assert!(
                one.is_ok() && other.is_ok(),
                "{}: {one:?} {other:?}",
                case.name
            );
            assert!((case.held)(&bench), "{}", case.name);
            let (one, other) = tokio::join!(
                connector.revoke(&call, &grant),
                connector.revoke(&call, &grant)
            );
            assert!(
                one.is_ok() && other.is_ok(),
                "{}: {one:?} {other:?}",
                case.name
            );
            assert!(!(case.held)(&bench), "{}", case.name);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn where_only_the_older_lists_live_changes_work_the_same() {
    for go_compatible in [false, true] {
        let answers = Answers {
            searches: Generation::NotFound,
            ..Answers::default()
        };
        let mut bench = bench(Config {
            answers,
            ..config()
        });
        if go_compatible {
            bench = bench.go_compatible();
        }
        for case in cases(&bench) {
            let of_organization = case.name.contains("admin");
            for grants in [true, false] {
                let done = change(&bench, &case, grants).await;
                if go_compatible && of_organization {
                    assert_eq!(done.unwrap_err().code(), Code::Unimplemented);
                    continue;
                }
                assert!(!done.unwrap(), "{}", case.name);
                assert_eq!((case.held)(&bench), grants, "{}", case.name);
                assert!(
                    change(&bench, &case, grants).await.unwrap(),
                    "{}",
                    case.name
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn five_hundred_grants_stay_within_a_quota_of_a_hundred_writes_a_minute() {
    for at_once in [1, 20] {
        let bench = Bench::of(Config {
            limits: RateLimits::default(),
            latency: Duration::from_millis(50),
            ..config()
        });
        let org = bench.sim.organization();
        let people: Vec<String> = (0..500)
            .map(|n| {
                org.add_user(NewUser {
                    directory_id: Some(bench.directory.clone()),
                    ..NewUser::named(format!("p{n}"), format!("p{n}@acme.test"))
                })
                .unwrap()
            })
            .collect();
        let member = bench.member(&bench.group);
        bench.sim.reset_log();
        let (connector, call) = (bench.connector(), Call::alone());
        stream::iter(&people)
            .for_each_concurrent(at_once, async |person| {
                let granted = connector.grant(&call, &member, &user(person)).await;
                granted.unwrap();
            })
            .await;
        let refused = bench.sim.requests().into_iter().filter(|r| r.status == 429);
        assert_eq!(refused.count(), 0, "{at_once} at once");
        assert_eq!(bench.asked(), (500, 500));
        assert!(
            people
                .iter()
                .all(|person| bench.member_of(&bench.group, person))
        );
    }
}

/// A second grant in one process says that the first is there.
#[tokio::test(start_paused = true)]
async fn the_same_again_needs_nothing_though_it_was_changed_a_moment_ago() {
    let bench = bench(config());
    for case in cases(&bench) {
        let (connector, call) = (bench.connector(), Call::alone());
        let (entitlement, principal) = (&case.entitlement, &case.principal);
        let grant = grant_of(entitlement, principal);
        for again in [false, true] {
            let granted = connector.grant(&call, entitlement, principal).await;
            assert_eq!(was_there(&granted.unwrap()), again, "{}", case.name);
        }
        for again in [false, true] {
            let revoked = connector.revoke(&call, &grant).await;
            assert_eq!(was_gone(&revoked.unwrap()), again, "{}", case.name);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_before_the_write_changes_nothing_and_after_it_nothing_is_left_open() {
    let bench = bench(Config {
        latency: Duration::from_secs(1),
        ..config()
    });
    for case in cases(&bench) {
        for (after_ms, held) in [(500, false), (1500, true)] {
            let stop = tokio_util::sync::CancellationToken::new();
            let call = Call::alone().stopped_by(stop.clone());
            let connector = bench.connector();
            let (done, ()) = tokio::join!(
                connector.grant(&call, &case.entitlement, &case.principal),
                async {
                    tokio::time::sleep(Duration::from_millis(after_ms)).await;
                    stop.cancel();
                }
            );
            assert_eq!(
                done.is_ok(),
                (case.held)(&bench),
                "{} {after_ms}",
                case.name
            );
            assert_eq!((case.held)(&bench), held, "{} {after_ms}", case.name);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_that_fails_sends_no_write() {
    let bench = bench(config());
    for case in cases(&bench) {
        let notes = Arc::new(Notes::default());
        let faults = [
            "POST v2/groups/search",
            "GET v2/users/{id}/role-assignments",
        ];
        let mut faults: Vec<Fault> = faults
            .iter()
            .map(|read| Fault::new(*read, Calls::All, Action::Status(500)))
            .collect();
        let of_group = "GET v2/groups/{id}/role-assignments";
        faults.push(Fault::new(of_group, Calls::All, Action::Status(500)));
        bench.sim.set_faults(faults);
        bench.sim.reset_log();
        let connector = bench.connector();
        let call = notes.call(false);
        let done = connector
            .grant(&call, &case.entitlement, &case.principal)
            .await;
        assert!(done.is_err(), "{}", case.name);
        assert_eq!(bench.asked().1, 0, "{}", case.name);
    }
}
