//! What does not show in ids and sources: limits, bytes, bad rows, spools.

use std::collections::BTreeMap;

use baton_access::{Error, ExpandOptions};
use baton_proto::Code;

use crate::model::{Entitlement, Expandable, File, Grant};

fn entitlement(id: &str, kind: &str, resource: &str) -> Entitlement {
    Entitlement {
        id: id.to_owned(),
        resource: (kind.to_owned(), resource.to_owned()),
        stored: true,
    }
}

fn grant(on: &str, kind: &str, principal: &str, label: &str) -> Grant {
    Grant {
        id: format!("{on}:{kind}:{principal}"),
        entitlement: on.to_owned(),
        principal: (kind.to_owned(), principal.to_owned()),
        expandable: None,
        sources: BTreeMap::new(),
        immutable: false,
        needs_expansion: true,
        label: label.to_owned(),
    }
}

fn expanding(mut grant: Grant, source: &str) -> Grant {
    grant.expandable = Some(Expandable {
        entitlement_ids: vec![source.to_owned()],
        shallow: false,
        resource_type_ids: Vec::new(),
    });
    grant
}

/// `u1` and `u2` in group `a`; `a` has role `r`; `u2` has it too.
fn small() -> (Vec<Entitlement>, Vec<Grant>) {
    let entitlements = vec![
        entitlement("group:a:member", "group", "a"),
        entitlement("role:r:assigned", "role", "r"),
    ];
    let grants = vec![
        grant("group:a:member", "user", "u1", "one"),
        grant("group:a:member", "user", "u2", "two"),
        expanding(
            grant("role:r:assigned", "group", "a", "a"),
            "group:a:member",
        ),
        grant("role:r:assigned", "user", "u2", "two, seen elsewhere"),
    ];
    (entitlements, grants)
}

/// The error of expansion inside of a storage error, which has its code.
fn cause(error: &baton_c1z::Error) -> &Error {
    let baton_c1z::Error::Caller(failure) = error else {
        panic!("unexpected {error:?}");
    };
    let cause: Option<&Error> = failure.cause().downcast_ref();
    let cause = cause.expect("an error of expansion");
    assert_eq!(cause.code(), error.code());
    cause
}

#[test]
fn more_grants_than_allowed_end_the_expansion() {
    let (entitlements, grants) = small();
    let options = ExpandOptions {
        max_derived_grants: 0,
        ..ExpandOptions::default()
    };
    let error = File::new(&entitlements, &grants)
        .expand_with(options)
        .expect_err("one is too many");
    let cause = cause(&error);
    assert_eq!(cause.code(), Code::ResourceExhausted);
    assert!(
        cause.to_string().contains("would derive 1 grants"),
        "{cause}"
    );
    assert!(cause.to_string().contains("limit is 0"), "{cause}");
}

#[test]
fn a_mismatch_names_grant_principal_and_source() {
    let (entitlements, mut grants) = small();
    grants[3] = expanding(grants[3].clone(), "group:a:member");
    let error = File::new(&entitlements, &grants)
        .expand()
        .expect_err("u2 is not a");
    let text = cause(&error).to_string();
    for part in [
        "`role:r:assigned:user:u2`",
        "user/u2",
        "`group:a:member`",
        "group/a",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(cause(&error).code(), Code::FailedPrecondition);
}

#[test]
fn a_destination_without_a_resource_is_refused() {
    let (entitlements, grants) = small();
    let mut file = File::new(&entitlements, &grants);
    let role = file
        .entitlements
        .iter_mut()
        .find(|e| e.id == "role:r:assigned");
    let role = role.expect("there");
    role.data = baton_proto::wire::without(&role.data, &[1]).expect("valid");
    let error = file.expand().expect_err("no resource");
    let cause = cause(&error);
    assert!(
        matches!(cause, Error::DestinationWithoutResource { entitlement } if entitlement == "role:r:assigned")
    );
}

#[test]
fn damaged_rows_are_named() {
    let (entitlements, grants) = small();
    let mut file = File::new(&entitlements, &grants);
    file.grants[0].data = vec![0x0a, 0x7f];
    let id = file.grants[0].id.clone();
    let error = file.expand().expect_err("damaged");
    assert!(matches!(cause(&error), Error::Row { id: named, .. } if *named == id));
    assert_eq!(cause(&error).code(), Code::DataLoss);

    let mut file = File::new(&entitlements, &grants);
    for row in &mut file.grants {
        if row.expansion.is_some() {
            row.expansion = Some(vec![0xff]);
        }
    }
    let error = file.expand().expect_err("damaged");
    assert!(cause(&error).to_string().contains("expansion of grant"));
}

#[test]
fn grants_without_a_principal_neither_give_nor_get() {
    let (entitlements, grants) = small();
    let mut file = File::new(&entitlements, &grants);
    for row in &mut file.grants {
        if row.principal_id.starts_with('u') {
            row.data = baton_proto::wire::without(&row.data, &[2]).expect("valid");
            row.principal_id.clear();
            row.principal_type_id.clear();
        }
    }
    assert_eq!(file.expand().expect("nothing to do"), 0);
}

#[test]
fn spilling_to_disk_changes_nothing() {
    let (entitlements, grants) = small();
    let mut in_memory = File::new(&entitlements, &grants);
    in_memory.expand().expect("expands");
    let folder = tempfile::tempdir().expect("folder");
    let mut spilled = File::new(&entitlements, &grants);
    let options = ExpandOptions {
        temp_dir: Some(folder.path().to_owned()),
        memory_bytes: 0,
        ..ExpandOptions::default()
    };
    spilled.expand_with(options).expect("expands");
    assert_eq!(spilled.grants, in_memory.grants);
    let left = std::fs::read_dir(folder.path()).expect("folder").count();
    assert_eq!(left, 0, "temporary files are gone");
}

#[test]
fn a_derived_grant_embeds_the_principal_of_its_first_contributing_grant() {
    let entitlements = vec![
        entitlement("group:a:member", "group", "a"),
        entitlement("group:b:member", "group", "b"),
        entitlement("group:c:member", "group", "c"),
        entitlement("role:r:assigned", "role", "r"),
    ];
    // u1 comes to the role through b, and to b through c only; u2 through a and b.
    let grants = vec![
        grant("group:a:member", "user", "u2", "as a has it"),
        grant("group:b:member", "user", "u2", "as b has it"),
        grant("group:c:member", "user", "u1", "as c has it"),
        grant("group:a:member", "user", "u3", "plain"),
        expanding(grant("group:b:member", "group", "c", ""), "group:c:member"),
        expanding(grant("role:r:assigned", "group", "a", ""), "group:a:member"),
        expanding(grant("role:r:assigned", "group", "b", ""), "group:b:member"),
    ];
    let mut file = File::new(&entitlements, &grants);
    file.expand().expect("expands");
    let seen = file.seen();
    assert_eq!(seen["role:r:assigned:user:u1"].label, "as c has it");
    assert_eq!(seen["role:r:assigned:user:u2"].label, "as a has it");
    assert_eq!(seen["role:r:assigned:user:u3"].label, "plain");
}

#[test]
fn warnings_count_what_was_dropped_and_name_cycles() {
    use baton_access::GraphExpander;
    use baton_c1z::Expander;

    let (mut entitlements, mut grants) = small();
    entitlements.push(entitlement("group:b:member", "group", "b"));
    let mut gone = entitlement("role:gone:assigned", "role", "gone");
    gone.stored = false;
    entitlements.push(gone);
    grants.push(expanding(
        grant("group:b:member", "group", "a", ""),
        "group:a:member",
    ));
    grants.push(expanding(
        grant("group:a:member", "group", "b", ""),
        "group:b:member",
    ));
    grants.push(expanding(
        grant("role:gone:assigned", "group", "b", ""),
        "group:b:member",
    ));
    grants.push(expanding(
        grant("role:r:assigned", "group", "b", ""),
        "group:b:owner",
    ));
    let file = File::new(&entitlements, &grants);
    let expansion = GraphExpander::default().expand(&file).expect("expands");
    let warnings = expansion.warnings.join("\n");
    assert_eq!(expansion.warnings.len(), 3, "{warnings}");
    assert!(
        warnings.contains("`group:b:owner` for `role:r:assigned`"),
        "{warnings}"
    );
    assert!(
        warnings.contains("`group:a:member`, `group:b:member`"),
        "{warnings}"
    );
}
