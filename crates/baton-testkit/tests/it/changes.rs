//! Grants and revokes from the command line, against an application in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use baton_connector::resource::{
    EntitlementBuilder, GrantBuilder, ResourceBuilder, ResourceExt as _, ResourceTypeBuilder,
    UserTraitBuilder,
};
use baton_connector::{
    Call, Change, Code, ConnectorBuilder, Error, Held, Page, Protected, Provisioner,
    ResourceSyncer, Result, TypeSpec, Types, Write, async_trait, v2,
};
use baton_runtime::{App, Built};
use baton_testkit::{Harness, Outcome};
use serde_json::Value;

/// Members of clubs, as `club/user`.
#[derive(Debug, Clone, Default)]
struct Clubs {
    members: Arc<Mutex<BTreeSet<String>>>,
    writes: Arc<Mutex<Vec<String>>>,
    /// Writes fail, and change nothing.
    broken: Arc<Mutex<bool>>,
    /// The next sync fails.
    syncs_fail: Arc<Mutex<bool>>,
}

const USERS: [(&str, &str); 3] = [("u-1", "Ada"), ("u-2", "Bo"), ("u-3", "Bo")];

struct Users;
struct ClubSyncer(Clubs);
struct Vaults;

fn user(id: &str, name: &str) -> Result<v2::Resource> {
    ResourceBuilder::new("user", id)
        .display_name(name)
        .user(UserTraitBuilder::new().primary_email(format!("{id}@acme.test")))
        .build()
}

fn club() -> Result<v2::Resource> {
    let builder = ResourceBuilder::new("club", "c-1").display_name("Chess \u{1b}[2J");
    builder.build()
}

#[async_trait]
impl ResourceSyncer for Users {
    async fn list(
        &self,
        _call: &Call,
        _parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        let users = USERS.iter().map(|(id, name)| user(id, name));
        Ok(Page::last(users.collect::<Result<_>>()?))
    }
}

#[async_trait]
impl ResourceSyncer for Vaults {
    async fn list(
        &self,
        _call: &Call,
        _parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        Ok(Page::last(vec![
            ResourceBuilder::new("vault", "v-1").build()?,
        ]))
    }

    async fn entitlements(
        &self,
        _call: &Call,
        vault: &v2::Resource,
    ) -> Result<Page<v2::Entitlement>> {
        Ok(Page::last(vec![
            EntitlementBuilder::assignment(vault, "open").build()?,
        ]))
    }
}

#[async_trait]
impl ResourceSyncer for ClubSyncer {
    async fn list(
        &self,
        _call: &Call,
        _parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        if *self.0.syncs_fail.lock().unwrap() {
            return Err(Error::stated(Code::Unavailable, "the club house is closed"));
        }
        Ok(Page::last(vec![club()?]))
    }

    async fn entitlements(
        &self,
        _call: &Call,
        club: &v2::Resource,
    ) -> Result<Page<v2::Entitlement>> {
        let member = EntitlementBuilder::assignment(club, "member").display_name("Chess member");
        Ok(Page::last(vec![member.build()?]))
    }

    async fn grants(&self, _call: &Call, club: &v2::Resource) -> Result<Page<v2::Grant>> {
        let members = self.0.members.lock().unwrap();
        let grants = USERS.iter().filter(|(id, _)| members.contains(*id));
        let grants =
            grants.map(|(id, name)| GrantBuilder::new(club, "member", user(id, name)?).build());
        Ok(Page::last(grants.collect::<Result<_>>()?))
    }
}

/// One member must remain.
struct LastMember(Clubs, String);

#[async_trait]
impl Protected for LastMember {
    fn name(&self) -> String {
        "`Chess member`".to_owned()
    }

    fn minimum(&self) -> u32 {
        1
    }

    async fn remaining(&self, _call: &Call) -> Result<u32> {
        let members = self.0.members.lock().unwrap();
        let others = members.iter().filter(|id| **id != self.1);
        Ok(u32::try_from(others.count()).unwrap_or(u32::MAX))
    }
}

impl ClubSyncer {
    fn write(&self, joins: bool, id: &str) -> Write {
        let (clubs, id) = (self.0.clone(), id.to_owned());
        let doing = format!("{} {id}", if joins { "add" } else { "remove" });
        Write::local(doing.clone(), move |_call| {
            let (clubs, id, doing) = (clubs.clone(), id.clone(), doing.clone());
            async move {
                if *clubs.broken.lock().unwrap() {
                    return Err(Error::stated(Code::PermissionDenied, "the book is locked"));
                }
                clubs.writes.lock().unwrap().push(doing);
                let mut members = clubs.members.lock().unwrap();
                if joins {
                    members.insert(id);
                } else {
                    members.remove(&id);
                }
                Ok(())
            }
        })
    }
}

#[async_trait]
impl Provisioner for ClubSyncer {
    async fn grant(
        &self,
        call: &Call,
        entitlement: &v2::Entitlement,
        principal: &v2::Resource,
    ) -> Result<Change> {
        // Both are whole, whatever the format of the file keeps.
        let club = entitlement
            .resource
            .as_ref()
            .map(|club| club.display_name.as_str());
        assert_eq!(club, Some("Chess \u{1b}[2J"));
        assert!(!principal.display_name.is_empty());
        let grant = GrantBuilder::of(entitlement, principal).build()?;
        let held = self.holds(call, entitlement, principal).await?;
        Ok(Change::grant(grant, held).write(self.write(true, principal.id())))
    }

    async fn revoke(&self, call: &Call, grant: &v2::Grant) -> Result<Change> {
        let (entitlement, principal) = (grant.entitlement.as_ref(), grant.principal.as_ref());
        let (Some(entitlement), Some(principal)) = (entitlement, principal) else {
            return Err(Error::stated(Code::InvalidArgument, "half a grant"));
        };
        let held = self.holds(call, entitlement, principal).await?;
        let last = LastMember(self.0.clone(), principal.id().to_owned());
        Ok(Change::revoke(grant.id.clone(), held)
            .write(self.write(false, principal.id()))
            .takes(Arc::new(last)))
    }

    async fn holds(
        &self,
        _call: &Call,
        _entitlement: &v2::Entitlement,
        principal: &v2::Resource,
    ) -> Result<Held> {
        let members = self.0.members.lock().unwrap();
        Ok(if members.contains(principal.id()) {
            Held::directly()
        } else {
            Held::No
        })
    }
}

fn types() -> Result<Types<Clubs>> {
    let user = ResourceTypeBuilder::new("user", "User").build()?;
    let club = ResourceTypeBuilder::new("club", "Club").build()?;
    let vault = ResourceTypeBuilder::new("vault", "Vault").build()?;
    Ok(Types::new()
        .with(TypeSpec::new(user, |_: &Clubs| Ok(Users)))
        .with(TypeSpec::new(vault, |_: &Clubs| Ok(Vaults)))
        .with(TypeSpec::new(club, |clubs: &Clubs| Ok(ClubSyncer(clubs.clone()))).provisioner()))
}

fn harness(clubs: &Clubs) -> Harness {
    let clubs = clubs.clone();
    Harness::new(move || {
        let clubs = clubs.clone();
        let connect = move |_: &_, _: &_| {
            let connector = ConnectorBuilder::new().types(&types()?, &clubs)?.build()?;
            Ok(Built {
                connector: Arc::new(connector),
                content_facts: BTreeMap::from([("club house".to_owned(), "h-1".to_owned())]),
            })
        };
        App::new("baton-clubs", "1.2.3", Box::new(connect)).types(|_| types())
    })
}

fn synced(clubs: &Clubs, format: &str) -> Harness {
    let mut harness = harness(clubs);
    let outcome = harness.run(&["--storage-engine", format]);
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
    harness
}

const JOIN: [&str; 6] = [
    "--grant-entitlement",
    "club:c-1:member",
    "--grant-principal",
    "u-1",
    "--grant-principal-type",
    "user",
];
const LEAVE: [&str; 2] = ["--revoke-grant", "club:c-1:member:user:u-1"];

fn run(harness: &mut Harness, base: &[&str], more: &[&str]) -> Outcome {
    harness.run(&[base, more].concat())
}

#[track_caller]
fn ok(outcome: &Outcome) -> &Outcome {
    assert_eq!(
        outcome.status.code(),
        0,
        "{}{}",
        outcome.stdout,
        outcome.stderr
    );
    outcome
}

fn lines(harness: &Harness) -> Vec<Value> {
    let text = std::fs::read_to_string(harness.folder().join("audit.jsonl")).unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_grant_and_its_revoke_change_the_application_and_a_sync_shows_them() {
    for format in ["sqlite", "pebble"] {
        let clubs = Clubs::default();
        let mut harness = synced(&clubs, format);
        let before = std::fs::read(harness.folder().join("sync.c1z")).unwrap();
        let granted = run(&mut harness, &JOIN, &[]);
        assert_eq!(
            ok(&granted).stdout,
            "granted `Chess member` (`club:c-1:member`) to user `Ada` (`u-1`)\n  added grant \
             `club:c-1:member:user:u-1`\n"
        );
        let after = std::fs::read(harness.folder().join("sync.c1z")).unwrap();
        assert!(before == after, "the file is only read");
        let again = run(&mut harness, &JOIN, &["-p"]);
        assert!(ok(&again).stdout.starts_with("nothing to do: user `Ada`"));
        assert_eq!(*clubs.writes.lock().unwrap(), ["add u-1"]);
        // The file does not have the grant yet.
        let unknown = run(&mut harness, &LEAVE, &[]);
        assert_eq!(unknown.status.code(), 5, "{}", unknown.stderr);
        ok(&harness.run(&[]));
        clubs.members.lock().unwrap().insert("u-2".to_owned());
        let revoked = run(&mut harness, &LEAVE, &["--sync-after"]);
        assert!(ok(&revoked).stdout.starts_with("revoked `Chess member`"));
        assert_eq!(revoked.file().grants(), ["club:c-1:member:user:u-2"]);
        let holds_one = revoked.stderr.contains("a v3 file holds one sync");
        assert_eq!(holds_one, format == "pebble", "{}", revoked.stderr);
    }
}

#[test]
fn the_result_is_one_json_object_also_for_failures() {
    let clubs = Clubs::default();
    let mut harness = synced(&clubs, "pebble");
    let granted = run(&mut harness, &JOIN, &["-o", "json"]);
    let result: Value = serde_json::from_str(&ok(&granted).stdout).unwrap();
    assert_eq!(result["outcome"], "done");
    assert_eq!(result["operation"], "grant");
    assert_eq!(result["added"][0], "club:c-1:member:user:u-1");
    assert_eq!(result["grants"][0]["principal"]["displayName"], "Ada");
    assert_eq!(result["principal"]["name"], "Ada");
    assert!(result.get("error").is_none());
    *clubs.broken.lock().unwrap() = true;
    let other = [
        "--grant-entitlement",
        "club:c-1:member",
        "--grant-principal",
        "u-2",
    ];
    let failed = run(
        &mut harness,
        &other,
        &["--grant-principal-type=user", "-ojson"],
    );
    assert_eq!(failed.status.code(), 7);
    let result: Value = serde_json::from_str(&failed.stdout).unwrap();
    assert_eq!(result["outcome"], "failed");
    assert_eq!(result["error"]["code"], "PermissionDenied");
    assert!(
        failed.error().starts_with("cannot grant `Chess member`"),
        "{}",
        failed.stderr
    );
    assert!(failed.stderr.contains("the book is locked"));
}

#[test]
fn a_dry_run_shows_what_it_would_send_and_sends_nothing() {
    let clubs = Clubs::default();
    let mut harness = synced(&clubs, "sqlite");
    let dry = run(&mut harness, &JOIN, &["--dry-run", "--sync-after"]);
    assert_eq!(
        ok(&dry).stdout,
        "dry run: would grant `Chess member` (`club:c-1:member`) to user `Ada` (`u-1`); no write \
         was sent\n  sends add u-1\n  adds grant `club:c-1:member:user:u-1`\n"
    );
    assert!(
        dry.stderr.contains("no sync after a dry run"),
        "{}",
        dry.stderr
    );
    assert!(dry.report.is_none() && lines(&harness).is_empty());
    // A refusal keeps its code, and shows the write.
    clubs.members.lock().unwrap().insert("u-1".to_owned());
    ok(&harness.run(&[]));
    let dry = run(
        &mut harness,
        &LEAVE,
        &["--dry-run", "--audit-log=audit.jsonl"],
    );
    assert_eq!(dry.status.code(), 9);
    assert!(dry.stdout.contains("would not revoke") && dry.stdout.contains("sends remove u-1"));
    let lines = lines(&harness);
    assert_eq!(lines.len(), 2);
    assert!(lines.iter().all(|line| line["dry_run"] == true));
    assert_eq!(lines[1]["outcome"], "refused");
    assert!(clubs.writes.lock().unwrap().is_empty());
    assert!(
        !run(&mut harness, &LEAVE, &["--audit-log=audit.jsonl"])
            .stderr
            .contains("earlier run")
    );
}

#[test]
fn the_last_holder_of_a_protected_entitlement_stays_unless_forced() {
    let clubs = Clubs::default();
    clubs.members.lock().unwrap().insert("u-1".to_owned());
    let mut harness = synced(&clubs, "sqlite");
    let refused = run(&mut harness, &LEAVE, &[]);
    assert_eq!(refused.status.code(), 9);
    assert!(
        refused
            .stderr
            .contains("0 active holders would remain, and at least 1 must"),
        "{}",
        refused.stderr
    );
    assert!(
        refused
            .stderr
            .contains("hint: grant it to another account first, or pass --force-protected")
    );
    ok(&run(&mut harness, &LEAVE, &["--force-protected"]));
    assert!(clubs.members.lock().unwrap().is_empty());
}

#[test]
fn the_audit_log_has_intent_and_outcome_and_refuses_the_change_if_it_cannot_be_written() {
    let clubs = Clubs::default();
    let mut harness = synced(&clubs, "sqlite");
    let log = ["--audit-log", "audit.jsonl"];
    ok(&run(&mut harness, &JOIN, &log));
    ok(&run(&mut harness, &JOIN, &log));
    let written = lines(&harness);
    let events: Vec<_> = written
        .iter()
        .map(|line| line["event"].as_str().unwrap())
        .collect();
    assert_eq!(events, ["intent", "outcome"], "nothing to do is no change");
    assert_eq!(written[0]["id"], written[1]["id"]);
    assert_eq!(written[0]["operation"], "grant");
    assert_eq!(written[0]["entitlement"]["id"], "club:c-1:member");
    assert_eq!(written[0]["principal"]["name"], "Ada");
    assert_eq!(written[0]["writes"][0]["target"], "add u-1");
    assert_eq!(written[0]["program"], "baton-clubs");
    assert_eq!(written[0]["connector"]["club house"], "h-1");
    assert_eq!(written[1]["outcome"], "done");
    assert_eq!(written[1]["code"], "OK");
    assert_eq!(written[1]["added"][0], "club:c-1:member:user:u-1");
    for key in ["time", "version", "host", "pid", "file", "dry_run"] {
        assert!(!written[0][key].is_null(), "{key}");
    }
    // The log must not be another file of the run, a folder, or missing its folder.
    for path in ["sync.c1z", ".", "no/folder/audit.jsonl"] {
        let refused = run(
            &mut harness,
            &["--grant-principal=u-2"],
            &[
                "--grant-entitlement=club:c-1:member",
                "--grant-principal-type=user",
                "--audit-log",
                path,
            ],
        );
        assert_ne!(refused.status.code(), 0, "{path}: {}", refused.stdout);
    }
    assert_eq!(clubs.writes.lock().unwrap().len(), 1);
}

#[test]
fn a_killed_run_is_reported_by_the_next_one() {
    let clubs = Clubs::default();
    let mut harness = synced(&clubs, "sqlite");
    let log = ["--audit-log", "audit.jsonl"];
    ok(&run(&mut harness, &JOIN, &log));
    // As if the process was killed before the outcome.
    let path = harness.folder().join("audit.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let intent = text
        .lines()
        .next()
        .unwrap()
        .replace("\"pid\":", "\"pid\":1");
    std::fs::write(&path, format!("{intent}\n")).unwrap();
    let next = run(&mut harness, &JOIN, &log);
    let warning = "warning: an earlier run began to grant `club:c-1:member` to `u-1` at";
    assert!(ok(&next).stderr.contains(warning), "{}", next.stderr);
    assert_eq!(lines(&harness)[1]["outcome"], "unknown");
    assert!(
        !run(&mut harness, &JOIN, &log)
            .stderr
            .contains("earlier run")
    );
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_is_sent() {
    let clubs = Clubs::default();
    let mut harness = synced(&clubs, "pebble");
    std::fs::write(harness.folder().join("junk.c1z"), "junk").unwrap();
    std::fs::write(harness.folder().join("empty.c1z"), "").unwrap();
    let principal = ["--grant-principal", "u-1", "--grant-principal-type", "user"];
    let entitlement = ["--grant-entitlement", "club:c-1:member"];
    for (args, code, text) in [
        (
            vec![entitlement[0], "club:c-1:membr"],
            5,
            "`club:c-1:member`",
        ),
        (
            vec![entitlement[0], "vault:v-1:open"],
            12,
            "resource type vault does not have provisioner configured",
        ),
        (
            vec![entitlement[0], entitlement[1], "-f", "none.c1z"],
            9,
            "none.c1z",
        ),
        (
            vec![entitlement[0], entitlement[1], "-f", "empty.c1z"],
            9,
            "empty.c1z",
        ),
        (
            vec![entitlement[0], entitlement[1], "-f", "junk.c1z"],
            2,
            "junk.c1z",
        ),
        (
            vec![entitlement[0], entitlement[1], "--revoke-grant=x"],
            2,
            "[grant-entitlement revoke-grant] were all set",
        ),
    ] {
        let refused = run(&mut harness, &args, &principal);
        assert_eq!(refused.status.code(), code, "{args:?}: {}", refused.stderr);
        assert!(
            refused.stderr.contains(text),
            "{args:?}: {}",
            refused.stderr
        );
    }
    for (args, code, text) in [
        (
            vec!["--grant-principal", "u-9", "--grant-principal-type", "user"],
            5,
            "`u-1`",
        ),
        (
            vec!["--grant-principal", "Bo", "--grant-principal-type", "user"],
            3,
            "`u-2`",
        ),
        (
            vec![
                "--grant-principal",
                "u-1",
                "--grant-principal-type",
                "nosuch",
            ],
            5,
            "nosuch",
        ),
        (
            vec!["--grant-principal", "u-1"],
            2,
            "--grant-principal-type",
        ),
        (
            vec!["--grant-principal", "", "--grant-principal-type", "user"],
            2,
            "('grant-principal')",
        ),
        (vec![], 2, "missing [grant-principal]"),
    ] {
        let refused = run(&mut harness, &entitlement, &args);
        assert_eq!(refused.status.code(), code, "{args:?}: {}", refused.stderr);
        assert!(
            refused.stderr.contains(text),
            "{args:?}: {}",
            refused.stderr
        );
    }
    for flag in [
        "--dry-run",
        "--sync-after",
        "--force-protected",
        "--audit-log=a",
        "-ojson",
    ] {
        let refused = harness.run(&[flag]);
        assert_eq!(refused.status.code(), 2, "{flag}");
        assert!(
            refused.error().contains("has no effect without a change"),
            "{flag}"
        );
    }
    assert!(clubs.writes.lock().unwrap().is_empty());
    // A name that only one object has is enough.
    let named = [
        "--grant-entitlement",
        "Chess member",
        "--grant-principal",
        "Ada",
    ];
    ok(&run(&mut harness, &named, &["--grant-principal-type=user"]));
}

#[test]
fn a_sync_that_fails_after_the_change_says_first_that_the_change_was_made() {
    let clubs = Clubs::default();
    let mut harness = synced(&clubs, "sqlite");
    *clubs.syncs_fail.lock().unwrap() = true;
    let outcome = run(&mut harness, &JOIN, &["--sync-after"]);
    assert_eq!(outcome.status.code(), 14, "{}", outcome.stderr);
    assert!(
        outcome.error().starts_with("the change was made"),
        "{}",
        outcome.stderr
    );
    assert!(clubs.members.lock().unwrap().contains("u-1"));
}

#[test]
fn an_old_file_is_warned_of() {
    let clubs = Clubs::default();
    let mut harness = synced(&clubs, "sqlite");
    for _ in 0..24 {
        assert!(
            !run(&mut harness, &JOIN, &["--dry-run"])
                .stderr
                .contains("was synced")
        );
    }
    let old = run(&mut harness, &JOIN, &["--dry-run"]);
    assert!(
        ok(&old)
            .stderr
            .contains("warning: sync.c1z was synced 25 h 0 min ago"),
        "{}",
        old.stderr
    );
}
