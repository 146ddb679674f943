//! One write: what takes its place, who judges its answers, and who hears of it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use baton_connector::http::{HttpClient, HttpSettings, Request, TransportErrorKind};
use baton_connector::resource::{GrantBuilder, resource_id};
use baton_connector::{
    Call, Change, ChangeSettings, Code, ConnectorBuilder, Error, Held, Page, Provisioner,
    Provisioning as _, Reply, ResourceSyncer, Result, TypeSpec, Types, Write, v2,
};
use baton_proto::any;
use url::Url;

use crate::script::{Reply as Answer, Script, parts};

/// Makes the writes of a grant.
type Describe = Arc<dyn Fn(Change) -> Change + Send + Sync>;

/// A door whose keys are granted as the test describes it.
struct Door {
    describe: Describe,
    held: Arc<Mutex<bool>>,
}

#[async_trait]
impl ResourceSyncer for Door {
    async fn list(
        &self,
        _call: &Call,
        _parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        Ok(Page::empty())
    }
}

#[async_trait]
impl Provisioner for Door {
    async fn grant(
        &self,
        _call: &Call,
        entitlement: &v2::Entitlement,
        principal: &v2::Resource,
    ) -> Result<Change> {
        let grant = GrantBuilder::of(entitlement, principal).build()?;
        Ok((self.describe)(Change::grant(grant, Held::No)))
    }

    async fn revoke(&self, _call: &Call, grant: &v2::Grant) -> Result<Change> {
        Ok(Change::revoke(grant.id.clone(), Held::No))
    }

    async fn holds(
        &self,
        _call: &Call,
        _entitlement: &v2::Entitlement,
        _principal: &v2::Resource,
    ) -> Result<Held> {
        let held = *self.held.lock().unwrap();
        Ok(if held { Held::directly() } else { Held::No })
    }
}

/// Grants the key; gives whether it was held already.
async fn grant(
    call: &Call,
    describe: impl Fn(Change) -> Change + Send + Sync + 'static,
) -> Result<bool> {
    let door = v2::ResourceType {
        id: "door".to_owned(),
        ..v2::ResourceType::default()
    };
    let describe: Describe = Arc::new(describe);
    let make = move |(): &()| {
        Ok(Door {
            describe: Arc::clone(&describe),
            held: Arc::default(),
        })
    };
    let types = Types::new().with(TypeSpec::new(door, make).provisioner());
    let connector = ConnectorBuilder::new().types(&types, &())?.build()?;
    let key = GrantBuilder::new(resource_id("door", "d"), "key", resource_id("user", "u"));
    let key = key.build()?;
    let (entitlement, principal) = (key.entitlement.unwrap(), key.principal.unwrap());
    let granted = connector.grant(call, &entitlement, &principal).await?;
    Ok(any::contains::<v2::GrantAlreadyExists>(
        &granted.annotations,
    ))
}

fn failing(code: Code) -> Write {
    Write::local("turn the key", move |_| async move {
        Err(Error::stated(code, "as planned"))
    })
}

fn counting(count: &Arc<AtomicU32>) -> Write {
    let count = Arc::clone(count);
    Write::local("push the door", move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        async { Ok(()) }
    })
}

#[tokio::test(start_paused = true)]
async fn another_write_takes_the_place_of_one_that_is_missing_and_of_no_other() {
    for (code, replaced) in [(Code::NotFound, true), (Code::PermissionDenied, false)] {
        let made = Arc::new(AtomicU32::new(0));
        let other = Arc::clone(&made);
        let ended = grant(&Call::alone(), move |change| {
            let is_missing = |error: &Error| error.code() == Code::NotFound;
            change.write(failing(code).or(is_missing, counting(&other)))
        })
        .await;
        assert_eq!(made.load(Ordering::Relaxed), u32::from(replaced));
        let expected = if replaced { Ok(false) } else { Err(code) };
        assert_eq!(ended.map_err(|error| error.code()), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_judge_may_read_before_it_decides() {
    for exists in [true, false] {
        let ended = grant(&Call::alone(), move |change| {
            let write = failing(Code::AlreadyExists);
            change.write(write.judged_by_reading(move |_call, error| async move {
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                if exists {
                    Reply::Already
                } else {
                    Reply::Failed(error.during("the door is full"))
                }
            }))
        })
        .await;
        let text = ended.map_err(|error| error.to_string());
        let expected = if exists {
            Ok(true)
        } else {
            Err("the door is full".to_owned())
        };
        assert_eq!(text, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn who_notices_a_write_hears_of_it_whenever_it_was_sent() {
    for (dry_run, heard) in [(false, 1), (true, 0)] {
        for fails in [false, true] {
            let noticed = Arc::new(AtomicU32::new(0));
            let notice = Arc::clone(&noticed);
            let call = Call::alone().with_changes(ChangeSettings {
                dry_run,
                ..ChangeSettings::default()
            });
            let ended = grant(&call, move |change| {
                let write = if fails {
                    failing(Code::Internal)
                } else {
                    counting(&Arc::default())
                };
                let notice = Arc::clone(&notice);
                change.write(write.noticed(move |error| {
                    assert_eq!(error.is_some(), fails);
                    notice.fetch_add(1, Ordering::Relaxed);
                }))
            })
            .await;
            assert_eq!(ended.is_err(), fails && !dry_run);
            assert_eq!(noticed.load(Ordering::Relaxed), heard);
        }
    }
}

/// The provisioner itself says that the key is not held.
#[tokio::test(start_paused = true)]
async fn a_change_can_say_how_it_is_read_back() {
    for held in [true, false] {
        let ended = grant(&Call::alone(), move |change| {
            let script = Script::new([Answer::Fail(TransportErrorKind::Reset)]);
            let client = HttpClient::new(parts(&script), HttpSettings::default());
            let base = Url::parse("https://doors.test/").unwrap();
            let request = Request::post(&base, "/keys", &[]).unwrap();
            let change = change.write(Write::http(&client.unwrap(), request));
            change.read_back(move |_call| async move { Ok(held) })
        })
        .await;
        assert_eq!(ended.is_ok(), held, "{ended:?}");
    }
}
