//! Grants and revokes: which bytes of the tables they change, and what they
//! refuse.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use baton_connector::resource::{GrantBuilder, ResourceBuilder, resource_id};
use baton_connector::{Call, Code, Connector, Error, SplitMix, Through};
use baton_testkit::{ProvisionerCase, check_provisioner};

use crate::harness::Harness;

fn connector(harness: &Harness) -> Arc<dyn Connector> {
    let folder = harness.dir.path().join("tables");
    let random = Arc::new(SplitMix::seeded(7));
    baton_csv::connector(&folder, random).unwrap().connector
}

/// Grants or revokes; the entitlement is `member` of a group or `assigned` of a
/// role.
async fn change(
    harness: &Harness,
    grants: bool,
    to: (&str, &str),
    holder: (&str, &str),
) -> Result<(), Error> {
    let slug = if to.0 == "role" { "assigned" } else { "member" };
    let grant = GrantBuilder::new(
        resource_id(to.0, to.1),
        slug,
        resource_id(holder.0, holder.1),
    );
    let grant = grant.build().unwrap();
    let connector = connector(harness);
    let provisioning = connector.provisioning().unwrap();
    if grants {
        let entitlement = grant.entitlement.unwrap();
        let principal = grant.principal.unwrap();
        let call = Call::alone();
        let granted = provisioning.grant(&call, &entitlement, &principal).await;
        granted.map(drop)
    } else {
        provisioning.revoke(&Call::alone(), &grant).await.map(drop)
    }
}

const ENGINEERING: (&str, &str) = ("group", "engineering");
const CLEO: (&str, &str) = ("user", "cleo");
const ADA: (&str, &str) = ("user", "ada");

#[tokio::test]
async fn a_change_touches_the_bytes_of_its_own_row_only() {
    let added = "engineering,user,cleo";
    for (before, grants, after) in [
        // Line ends.
        (
            "group,kind,id\nengineering,user,ada\n",
            true,
            "{}engineering,user,cleo\n",
        ),
        (
            "group,kind,id\r\nengineering,user,ada\r\n",
            true,
            "{}engineering,user,cleo\r\n",
        ),
        (
            "group,kind,id\rengineering,user,ada\r",
            true,
            "{}engineering,user,cleo\r",
        ),
        (
            "group,kind,id\nengineering,user,ada",
            true,
            "{}\nengineering,user,cleo\n",
        ),
        (
            "group,kind,id\r\nengineering,user,ada",
            true,
            "{}\r\nengineering,user,cleo\r\n",
        ),
        ("group,kind,id", true, "{}\nengineering,user,cleo\n"),
        ("group,kind,id\r\n", true, "{}engineering,user,cleo\r\n"),
        // A byte order mark, quotes, spaces, blank lines, line ends in quotes.
        ("\u{feff}group,kind,id\n", true, "{}engineering,user,cleo\n"),
        (
            "\"group\", kind ,id\n\"platform\",user, ben \n\n",
            true,
            "{}engineering,user,cleo\n",
        ),
        (
            "group,kind,id,note\nplatform,user,ben,\"a\r\nb\"\n",
            true,
            "{}engineering,user,cleo,\n",
        ),
        // Columns in another order, and of another name.
        ("id,kind,group\n", true, "{}cleo,user,engineering\n"),
        ("note,id,to,kind\n", true, "{},cleo,engineering,user\n"),
        // Rows that are removed: first, last, in the middle, quoted, twice.
        (
            "group,kind,id\nengineering,user,ada\nplatform,user,ben\n",
            false,
            "group,kind,id\nplatform,user,ben\n",
        ),
        (
            "group,kind,id\r\nplatform,user,ben\r\nengineering,user,ada",
            false,
            "group,kind,id\r\nplatform,user,ben\r\n",
        ),
        (
            "group,kind,id\r\nplatform,user,ben\r\n\r\nengineering,\"user\",ada\r\nplatform,user,dan\r\n",
            false,
            "group,kind,id\r\nplatform,user,ben\r\n\r\nplatform,user,dan\r\n",
        ),
        (
            "\u{feff}group,kind,id\rengineering,user,ada\rplatform,user,ben\rengineering, user ,ada\r",
            false,
            "\u{feff}group,kind,id\rplatform,user,ben\r",
        ),
        (
            "id,note,kind,group\nada,\"x\n\ny\",user,engineering\nben,\"\n\",user,platform\n",
            false,
            "id,note,kind,group\nben,\"\n\",user,platform\n",
        ),
    ] {
        let harness = Harness::new();
        fs::write(harness.table("members.csv"), before).unwrap();
        let holder = if grants { CLEO } else { ADA };
        change(&harness, grants, ENGINEERING, holder).await.unwrap();
        let found = fs::read_to_string(harness.table("members.csv")).unwrap();
        assert_eq!(found, after.replace("{}", before), "{before:?}");
        let twice = change(&harness, grants, ENGINEERING, holder).await;
        twice.unwrap();
        let again = fs::read_to_string(harness.table("members.csv")).unwrap();
        assert_eq!(again, found, "{before:?}, a second time");
        if grants && found.ends_with(&format!("{added}\n")) && before.ends_with('\n') {
            change(&harness, false, ENGINEERING, CLEO).await.unwrap();
            let back = fs::read_to_string(harness.table("members.csv")).unwrap();
            assert_eq!(back, before, "a revoke undoes it");
        }
        assert_eq!(files(&harness), 5, "no draft is left");
    }
}

fn files(harness: &Harness) -> usize {
    fs::read_dir(harness.dir.path().join("tables"))
        .unwrap()
        .count()
}

#[tokio::test]
async fn changes_that_make_no_sense_are_refused_and_leave_the_tables() {
    let cases = [
        (true, ENGINEERING, ("role", "admin"), Code::InvalidArgument),
        (true, ENGINEERING, ("robot", "r2"), Code::InvalidArgument),
        (true, ENGINEERING, ("user", "eve"), Code::NotFound),
        (true, ("group", "sales"), ADA, Code::NotFound),
        (true, ("role", "owner"), ADA, Code::NotFound),
        (true, ("user", "ada"), ADA, Code::Unimplemented),
        (false, ENGINEERING, ("role", "admin"), Code::InvalidArgument),
        // Ben is in it because his group is.
        (
            false,
            ENGINEERING,
            ("user", "ben"),
            Code::FailedPrecondition,
        ),
    ];
    let harness = Harness::new();
    let tables = || ["members.csv", "assignments.csv"].map(|table| fs::read(harness.table(table)));
    let before = tables().map(Result::unwrap);
    for (grants, to, holder, code) in cases {
        let refused = change(&harness, grants, to, holder).await;
        let refused = refused.map_err(|error| error.code());
        assert_eq!(refused, Err(code), "{to:?} {holder:?}");
        assert_eq!(tables().map(Result::unwrap), before);
    }
    // What is not there needs no revoke.
    change(&harness, false, ENGINEERING, ("user", "eve"))
        .await
        .unwrap();
    assert_eq!(tables().map(Result::unwrap), before);
    // A folder that cannot be synced is not changed either.
    harness.add("members.csv", "engineering,user,eve");
    let refused = change(&harness, true, ENGINEERING, CLEO).await;
    assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn what_comes_through_inner_groups_and_roles_names_them() {
    let harness = Harness::new();
    let error = change(&harness, false, ("role", "viewer"), ("user", "ben")).await;
    let Err(Error::Inherited { through }) = error else {
        panic!("{error:?}")
    };
    let platform = ResourceBuilder::new("group", "platform").build().unwrap();
    assert_eq!(
        through,
        [Through {
            resource: platform,
            grant_id: "group:platform:member:user:ben".to_owned(),
        }]
    );
}

#[tokio::test]
async fn an_entitlement_that_is_not_of_the_tables_is_refused() {
    let harness = Harness::new();
    let connector = connector(&harness);
    let grant = GrantBuilder::new(
        resource_id("group", "platform"),
        "owner",
        resource_id("user", "ada"),
    );
    let grant = grant.build().unwrap();
    let provisioning = connector.provisioning().unwrap();
    let refused = provisioning.revoke(&Call::alone(), &grant).await;
    assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument);
}

#[cfg(unix)]
#[tokio::test]
async fn a_symbolic_link_stays_one_and_modes_stay_and_are_kept_to() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let harness = Harness::new();
    let (table, elsewhere) = (harness.table("members.csv"), harness.dir.path().join("m"));
    fs::rename(&table, &elsewhere).unwrap();
    symlink("../m", &table).unwrap();
    let mode = |mode| fs::set_permissions(&elsewhere, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o640);
    change(&harness, true, ENGINEERING, CLEO).await.unwrap();
    assert!(fs::symlink_metadata(&table).unwrap().is_symlink());
    let found = fs::metadata(&elsewhere).unwrap().permissions().mode();
    assert_eq!(found & 0o777, 0o640);
    let text = fs::read_to_string(&elsewhere).unwrap();
    assert!(text.ends_with("engineering,user,cleo\n"), "{text}");
    mode(0o440);
    let refused = change(&harness, false, ENGINEERING, CLEO).await;
    assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), text);
    assert!(!Path::new(&harness.dir.path().join("m.csv.new")).exists());
}

#[test]
fn changes_at_once_lose_no_row() {
    let harness = &Harness::new();
    let users: Vec<String> = (0..24).map(|number| format!("u{number}")).collect();
    for user in &users {
        harness.add("users.csv", &format!("{user},{user},{user}@acme.test,true"));
    }
    let change_all = |grants| {
        std::thread::scope(|scope| {
            for users in users.chunks(6) {
                scope.spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().build();
                    let runtime = runtime.unwrap();
                    for user in users {
                        let change = change(harness, grants, ENGINEERING, ("user", user));
                        runtime.block_on(change).unwrap();
                    }
                });
            }
        });
    };
    let before = fs::read_to_string(harness.table("members.csv")).unwrap();
    change_all(true);
    let text = fs::read_to_string(harness.table("members.csv")).unwrap();
    assert!(text.starts_with(&before), "{text}");
    for user in &users {
        let row = format!("engineering,user,{user}\n");
        assert_eq!(text.matches(&row).count(), 1, "{user}");
    }
    change_all(false);
    assert_eq!(
        fs::read_to_string(harness.table("members.csv")).unwrap(),
        before
    );
}

#[tokio::test]
async fn the_provisioner_keeps_its_promises() {
    for (entitlement, principal, wrong) in [
        ("group:engineering:member", CLEO, ("role", "admin")),
        ("role:admin:assigned", ADA, ("robot", "r2")),
        (
            "role:admin:assigned",
            ("group", "engineering"),
            ("robot", "r2"),
        ),
    ] {
        let harness = Harness::new();
        let case = ProvisionerCase::new(entitlement, principal, wrong);
        let broken = check_provisioner(&case, || connector(&harness)).await;
        assert_eq!(broken, []);
    }
}
