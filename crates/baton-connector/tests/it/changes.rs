//! The life of a change, against an application that keeps its state: after
//! any faults a change that succeeded is there, and none is made twice.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use baton_connector::http::Method;
use baton_connector::resource::{GrantBuilder, resource_id};
use baton_connector::{
    Call, Change, ChangeSettings, Code, Connector as _, ConnectorBuilder, Error, Held, Outcome,
    Page, Provisioner, Provisioning as _, ResourceSyncer, Result, TypeSpec, Types, Write, v2,
};
use baton_proto::{Advise as _, any};
use tokio_util::sync::CancellationToken;

use crate::doors::{
    ALL, Application, FAULTS, Fault, KEY, Manner, Notes, change, connector, key, recorded, start,
};

#[tokio::test(start_paused = true)]
async fn whatever_two_writes_meet_success_means_that_things_are_as_wanted() {
    for first in FAULTS {
        for second in FAULTS {
            for (grants, repeatable) in [(true, true), (true, false), (false, true), (false, false)]
            {
                let case = format!("{first:?}, {second:?}, {grants}, {repeatable}");
                let application = Application::with(start(grants), &[first, second]);
                let notes = Arc::new(Notes::default());
                let manner = Manner {
                    repeatable,
                    ..Manner::default()
                };
                let done = change(&application, manner, grants, &recorded(&notes)).await;
                let sent = application.writes();
                assert!(sent <= if repeatable { 2 } else { 1 }, "{case}: {sent}");
                let claimed = matches!(first, Fault::Already)
                    || sent == 2 && matches!(second, Fault::Already);
                let as_wanted = application.has(KEY) == grants || claimed;
                let ends = notes.ends.lock().unwrap();
                let [(outcome, code, added, removed)] = &ends[..] else {
                    panic!("{case}: {ends:?}")
                };
                assert_eq!(notes.intents.load(Ordering::Relaxed), 1, "{case}");
                match &done {
                    Ok(annotations) => {
                        assert!(as_wanted, "{case}: success on a guess");
                        assert_eq!(*code, Code::Ok, "{case}");
                        let already = !annotations.is_empty();
                        assert_eq!(already, *outcome == Outcome::Already, "{case}");
                        let listed = added.len() + removed.len();
                        assert_eq!(listed, usize::from(!already), "{case}");
                    }
                    Err(error) => {
                        assert_eq!(*code, error.code(), "{case}");
                        assert!(added.is_empty() && removed.is_empty(), "{case}");
                        let unknown = *outcome == Outcome::Unknown;
                        assert_eq!(error.to_string().contains("not known"), unknown, "{case}");
                        assert!(unknown || application.has(KEY) != grants, "{case}");
                        assert!(!error.advice().is_empty() || !unknown, "{case}");
                    }
                }
                // What is wanted is reached wherever one of the two writes can.
                let arrives = |fault| !matches!(fault, Fault::Refused);
                if repeatable && first == Fault::LostBefore && arrives(second) {
                    let lost = matches!(second, Fault::LostBefore | Fault::ErrorBefore);
                    assert_eq!(done.is_ok(), !lost, "{case}");
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_repetition_does_not_say_that_the_first_write_failed() {
    for (first, blind, outcome) in [
        (Fault::LostAfter, true, Outcome::Unknown),
        (Fault::LostBefore, true, Outcome::Unknown),
        (Fault::LostBefore, false, Outcome::Failed),
    ] {
        let application = Arc::new(Application {
            faults: Mutex::new([first, Fault::Refused].into()),
            blind,
            ..Application::default()
        });
        let notes = Arc::new(Notes::default());
        let manner = Manner {
            repeatable: true,
            ..Manner::default()
        };
        let done = change(&application, manner, true, &recorded(&notes)).await;
        assert!(done.is_err(), "{first:?}, {blind}");
        assert_eq!(application.writes(), 2, "{first:?}, {blind}");
        let ends = notes.ends.lock().unwrap();
        assert_eq!(ends[0].0, outcome, "{first:?}, {blind}");
    }
}

#[tokio::test(start_paused = true)]
async fn already_so_after_a_lost_answer_means_that_the_first_write_arrived() {
    let application = Application::with(&[], &[Fault::LostBefore, Fault::Already]);
    let notes = Arc::new(Notes::default());
    let manner = Manner {
        repeatable: true,
        ..Manner::default()
    };
    let annotations = change(&application, manner, true, &recorded(&notes)).await;
    assert_eq!(annotations.unwrap(), []);
    let ends = notes.ends.lock().unwrap();
    assert_eq!(ends[0].0, Outcome::Done);
    assert_eq!(ends[0].2, ["door:d-1:key:user:u-1"]);
}

#[test]
fn a_grant_that_comes_from_unknown_others_has_a_text_and_no_empty_advice() {
    let error = Error::Inherited {
        through: Vec::new(),
    };
    assert!(error.to_string().ends_with("it comes through others"));
    assert!(error.advice().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_so_already_needs_no_write() {
    for grants in [true, false] {
        let application = Application::with(start(!grants), &[]);
        let notes = Arc::new(Notes::default());
        let annotations = change(&application, Manner::default(), grants, &recorded(&notes))
            .await
            .unwrap();
        assert_eq!(application.writes(), 0);
        assert_eq!(notes.intents.load(Ordering::Relaxed), 0);
        assert_eq!(
            any::contains::<v2::GrantAlreadyExists>(&annotations),
            grants
        );
        assert_eq!(
            any::contains::<v2::GrantAlreadyRevoked>(&annotations),
            !grants
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_sends_no_write_and_ends_as_the_change_would_be_judged() {
    for (remaining, refused) in [(0, true), (1, false)] {
        let application = Application::with(&[KEY], &[]);
        let notes = Arc::new(Notes::default());
        let manner = Manner {
            protected: Some((remaining, 1)),
            ..Manner::default()
        };
        let call = Call::alone().with_changes(ChangeSettings {
            dry_run: true,
            recorder: Some(Arc::clone(&notes) as _),
            ..ChangeSettings::default()
        });
        let ended = change(&application, manner, false, &call).await;
        assert_eq!(
            ended.map_err(|error| error.code()).err(),
            refused.then_some(Code::FailedPrecondition)
        );
        assert_eq!(application.writes(), 0);
        assert_eq!(
            *notes.plans.lock().unwrap(),
            [(1, refused, Vec::new())],
            "the writes are shown, refused or not"
        );
        assert!(notes.ends.lock().unwrap().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_protected_entitlement_keeps_its_holders_unless_the_change_is_forced() {
    let manner = Manner {
        protected: Some((1, 2)),
        ..Manner::default()
    };
    let application = Application::with(&[KEY], &[]);
    let error = change(&application, manner, false, &Call::alone())
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition);
    assert_eq!(
        error.to_string(),
        "`master key` is protected: 1 active holder would remain, and at least 2 must"
    );
    assert_eq!(application.writes(), 0);
    let forced = Call::alone().with_changes(ChangeSettings {
        force_protected: true,
        ..ChangeSettings::default()
    });
    change(&application, manner, false, &forced).await.unwrap();
    assert!(!application.has(KEY));
}

#[tokio::test(start_paused = true)]
async fn a_recorder_that_cannot_write_refuses_the_change() {
    let application = Application::with(&[], &[]);
    let notes = Arc::new(Notes {
        full: true,
        ..Notes::default()
    });
    let refused = change(&application, Manner::default(), true, &recorded(&notes)).await;
    assert_eq!(
        refused.map_err(|error| error.code()),
        Err(Code::ResourceExhausted)
    );
    assert_eq!(application.writes(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_comes_through_a_group_is_not_revoked_and_what_stays_is_warned_of() {
    let manner = Manner {
        through_group: true,
        ..Manner::default()
    };
    let application = Application::with(&[], &[]);
    let error = change(&application, manner, false, &Call::alone())
        .await
        .unwrap_err();
    assert_eq!(application.writes(), 0);
    assert_eq!(error.code(), Code::FailedPrecondition);
    let text = error.to_string();
    assert!(text.contains("group `Welders` (`g-1`)"), "{text}");
    let details = format!("{:?}", error.details());
    assert!(details.contains("ErrorInfo"), "{details}");
    let application = Application::with(&[KEY], &[]);
    let notes = Arc::new(Notes::default());
    change(&application, manner, false, &recorded(&notes))
        .await
        .unwrap();
    let plans = notes.plans.lock().unwrap();
    assert!(plans[0].2[0].contains("Welders"), "{plans:?}");
}

#[tokio::test(start_paused = true)]
async fn a_change_of_several_writes_is_done_whole_or_called_incomplete() {
    let manner = Manner {
        doors_before: 2,
        repeatable: true,
        ..Manner::default()
    };
    for (faults, outcome, sent) in [
        (vec![], Outcome::Done, 3),
        (vec![Fault::LostAfter], Outcome::Done, 4),
        (vec![Fault::None, Fault::LostBefore], Outcome::Done, 4),
        (vec![Fault::None, Fault::Refused], Outcome::Partial, 2),
        (vec![Fault::Refused], Outcome::Failed, 1),
        (
            vec![Fault::None, Fault::LostBefore, Fault::LostBefore],
            Outcome::Unknown,
            3,
        ),
    ] {
        let application = Application::with(&[], &faults);
        let notes = Arc::new(Notes::default());
        let done = change(&application, manner, true, &recorded(&notes)).await;
        let ends = notes.ends.lock().unwrap();
        assert_eq!(ends[0].0, outcome, "{faults:?}");
        assert_eq!(done.is_ok(), outcome == Outcome::Done, "{faults:?}");
        assert_eq!(application.writes(), sent, "{faults:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_before_the_first_write_changes_nothing() {
    let application = Application::with(&[], &[]);
    let stop = CancellationToken::new();
    stop.cancel();
    let call = Call::alone().stopped_by(stop);
    let stopped = change(&application, Manner::default(), true, &call).await;
    assert_eq!(
        stopped.map_err(|error| error.code()).err(),
        Some(Code::Canceled)
    );
    assert_eq!(application.writes(), 0);
}

#[tokio::test]
async fn what_is_held_can_be_read_where_there_is_a_provisioner() {
    let grant = key();
    let (entitlement, principal) = (grant.entitlement.unwrap(), grant.principal.unwrap());
    for (keys, held) in [(&[][..], Held::No), (&[KEY][..], Held::directly())] {
        let connector = connector(&Application::with(keys, &[]), Manner::default());
        let read = connector.local().unwrap();
        let read = read.holds(&Call::alone(), &entitlement, &principal).await;
        assert_eq!(read.unwrap(), Some(held));
    }
    let window = GrantBuilder::new(resource_id("window", "w-1"), "key", &principal);
    let window = window.build().unwrap().entitlement.unwrap();
    let connector = connector(&Application::with(&[], &[]), Manner::default());
    let read = connector.local().unwrap();
    let read = read.holds(&Call::alone(), &window, &principal).await;
    assert_eq!(read.map_err(|error| error.code()), Err(Code::Unimplemented));
}

/// Writes to the application without a request, and cannot tell whether that
/// had its effect.
struct Unsure(Arc<Application>);

#[async_trait]
impl ResourceSyncer for Unsure {
    async fn list(
        &self,
        _call: &Call,
        _parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        Ok(Page::empty())
    }
}

#[async_trait]
impl Provisioner for Unsure {
    async fn grant(
        &self,
        call: &Call,
        entitlement: &v2::Entitlement,
        principal: &v2::Resource,
    ) -> Result<Change> {
        let grant = GrantBuilder::of(entitlement, principal).build()?;
        let held = self.holds(call, entitlement, principal).await?;
        let application = Arc::clone(&self.0);
        let write = Write::local("hand over a key", move |_| {
            application.writes.lock().unwrap().push(KEY.to_owned());
            let fault = application.faults.lock().unwrap().pop_front();
            if fault == Some(Fault::LostAfter) {
                application.apply(&Method::PUT, KEY, false);
            }
            let lost = Error::stated(Code::Unavailable, "the disk failed");
            async { Err(lost.with_outcome_open().during("cannot write")) }
        });
        Ok(Change::grant(grant, held).write(write))
    }

    async fn revoke(&self, _call: &Call, grant: &v2::Grant) -> Result<Change> {
        Ok(Change::revoke(grant.id.clone(), Held::No))
    }

    async fn holds(&self, _: &Call, _: &v2::Entitlement, _: &v2::Resource) -> Result<Held> {
        Ok(if self.0.has(KEY) {
            Held::directly()
        } else {
            Held::No
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_no_request_is_read_back_when_its_outcome_is_open() {
    for (fault, done) in [(Fault::LostAfter, true), (Fault::LostBefore, false)] {
        let application = Application::with(&[], &[fault]);
        let door = v2::ResourceType {
            id: "door".to_owned(),
            ..v2::ResourceType::default()
        };
        let make = |application: &Arc<Application>| Ok(Unsure(Arc::clone(application)));
        let types = Types::new().with(TypeSpec::new(door, make).provisioner());
        let connector = ConnectorBuilder::new().types(&types, &application).unwrap();
        let grant = key();
        let (entitlement, principal) = (grant.entitlement.unwrap(), grant.principal.unwrap());
        let connector = connector.build().unwrap();
        let made = connector
            .grant(&Call::alone(), &entitlement, &principal)
            .await;
        assert_eq!(application.writes(), 1, "{fault:?}");
        assert_eq!(made.is_ok(), done, "{fault:?}: {made:?}");
        assert_eq!(application.has(KEY), done);
        if let Err(error) = made {
            assert!(error.to_string().contains("not known"), "{error}");
            assert_eq!(error.code(), Code::Unavailable);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_deletion_is_a_change_whose_wanted_state_is_gone() {
    let deleted = async |application: &Arc<Application>, type_id: &str| {
        let connector = connector(application, Manner::default());
        let door = v2::Resource {
            id: Some(resource_id(type_id, "d-1")),
            ..v2::Resource::default()
        };
        connector
            .deleting()
            .unwrap()
            .delete(&Call::alone(), &door)
            .await
    };
    for fault in [
        Fault::None,
        Fault::LostAfter,
        Fault::ErrorAfter,
        Fault::LateAfter,
    ] {
        let application = Application::with(&[ALL], &[fault]);
        let answer = deleted(&application, "door").await.unwrap();
        assert!(
            answer.annotations.is_empty() && !application.has(ALL),
            "{fault:?}"
        );
        assert_eq!(application.writes(), 1, "{fault:?}");
    }
    // The write is not repeatable, so what is lost before it arrives is not known.
    let application = Application::with(&[ALL], &[Fault::LostBefore]);
    let error = deleted(&application, "door").await.unwrap_err();
    assert!(error.to_string().contains("not known") && application.writes() == 1);
    let gone = Application::with(&[], &[]);
    let answer = deleted(&gone, "door").await.unwrap();
    assert!(any::contains::<v2::ResourceDoesNotExist>(
        &answer.annotations
    ));
    assert_eq!(gone.writes(), 0);
    for (type_id, code) in [("window", Code::Unimplemented), ("", Code::InvalidArgument)] {
        let error = deleted(&gone, type_id).await.unwrap_err();
        assert_eq!(error.code(), code, "{type_id}");
    }
}

#[tokio::test]
async fn a_type_without_a_provisioner_and_parts_that_are_missing_are_refused() {
    let connector = connector(&Application::with(&[], &[]), Manner::default());
    let granting = |type_id: &str, principal: v2::ResourceId| {
        let grant = GrantBuilder::new(resource_id(type_id, "w-1"), "key", resource_id("user", "u"))
            .build()
            .unwrap();
        let principal = v2::Resource {
            id: Some(principal),
            ..v2::Resource::default()
        };
        (grant.entitlement.unwrap(), principal)
    };
    let call = Call::alone();
    for (type_id, user, code) in [
        ("window", "u", Code::Unimplemented),
        ("gate", "u", Code::Unimplemented),
        ("door", "", Code::InvalidArgument),
    ] {
        let (entitlement, principal) = granting(type_id, resource_id("user", user));
        let error = connector.grant(&call, &entitlement, &principal).await;
        let error = error.unwrap_err();
        assert_eq!(error.code(), code, "{type_id}");
        if code == Code::Unimplemented {
            let text = format!("resource type {type_id} does not have provisioner configured");
            assert_eq!(error.to_string(), text);
        }
    }
    let nothing = connector.revoke(&call, &v2::Grant::default()).await;
    assert_eq!(nothing.unwrap_err().code(), Code::InvalidArgument);
    let announced = connector.metadata(&call).await.unwrap().capabilities;
    let announced = announced.unwrap().resource_type_capabilities;
    let able = |n: usize| announced[n].capabilities.clone();
    let (sync, provision) = (v2::Capability::Sync, v2::Capability::Provision);
    let delete = v2::Capability::ResourceDelete;
    assert_eq!(able(0), [sync, provision, delete].map(i32::from));
    assert_eq!(able(1), [i32::from(sync)]);
}
