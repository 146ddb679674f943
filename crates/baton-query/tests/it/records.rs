//! Every field of every record, against what decoded messages hold.

#![allow(deprecated, reason = "files hold fields that are written no longer")]

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use baton_c1z::{
    C1zFile, Filter, OwnedRow, ReadOptions, Snapshot, Table as Rows, View as FileView,
};
use baton_proto::c1::connector::v2;
use baton_proto::{any, time};
use baton_query::{Error, Field, FieldPath, Records, Search, Table, View};
use prost::Message;
use prost_types::{Struct, Timestamp, Value as Proto, value::Kind};

use crate::support::{FORMATS, World, fixture, grant, member, resource, user};

const FILES: [&str; 8] = [
    "v1-small.c1z",
    "v1-small-slim-grants.c1z",
    "atlassian-org/sync.c1z",
    "baton-cli/v1-missing-entitlement.c1z",
    "baton-cli/v1-missing-type.c1z",
    "v3-small.c1z",
    "v3-compacted-fold.c1z",
    "atlassian-org/sync-v3.c1z",
];

pub fn rows(snapshot: &Snapshot<'_>, table: Rows) -> Vec<OwnedRow> {
    let mut rows = Vec::new();
    let filter = Filter {
        dates: true,
        ..Filter::default()
    };
    snapshot
        .scan(table, &filter, &mut |row| {
            rows.push(row.to_owned());
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    rows
}

/// The objects of one record, decoded.
#[derive(Default)]
struct Decoded {
    resource_type: v2::ResourceType,
    resource: v2::Resource,
    entitlement: v2::Entitlement,
    grant: v2::Grant,
    principal: v2::Resource,
    expandable: bool,
}

fn decode<M: Message + Default>(row: Option<OwnedRow>) -> M {
    row.map_or_else(M::default, |row| M::decode(row.data.as_slice()).unwrap())
}

fn decoded(snapshot: &Snapshot<'_>, table: Table, row: &OwnedRow) -> Decoded {
    let own = |rows| (table.rows() == rows).then(|| row.clone());
    let get = |rows, id: &str| snapshot.get(rows, id).unwrap();
    let resource = |type_id: &str, id: &str| snapshot.get_resource(type_id, id).unwrap();
    let type_id = match table {
        Table::ResourceTypes => &row.id,
        Table::Principals => &row.principal_type_id,
        _ => &row.resource_type_id,
    };
    let principal = resource(&row.principal_type_id, &row.principal_id);
    let of_row = resource(&row.resource_type_id, &row.resource_id);
    Decoded {
        resource_type: decode(get(Rows::ResourceTypes, type_id)),
        resource: decode(match table {
            Table::Principals => principal.clone(),
            _ => of_row,
        }),
        entitlement: decode(match table {
            Table::Entitlements => own(Rows::Entitlements),
            _ => get(Rows::Entitlements, &row.entitlement_id),
        }),
        grant: decode(own(Rows::Grants)),
        principal: decode(principal),
        expandable: row.expansion.is_some(),
    }
}

fn time_text(at: Option<&Timestamp>) -> String {
    at.map_or(String::new(), |at| time::format(at).unwrap())
}

fn plain(value: &Proto) -> serde_json::Value {
    match value.kind.as_ref() {
        None | Some(Kind::NullValue(_)) => serde_json::Value::Null,
        Some(Kind::BoolValue(value)) => (*value).into(),
        Some(Kind::NumberValue(number)) => (*number).into(),
        Some(Kind::StringValue(text)) => text.clone().into(),
        Some(Kind::ListValue(list)) => list.values.iter().map(plain).collect(),
        Some(Kind::StructValue(map)) => plain_map(map),
    }
}

fn plain_map(map: &Struct) -> serde_json::Value {
    let entries = map.fields.iter().map(|(k, v)| (k.clone(), plain(v)));
    serde_json::Value::Object(entries.collect())
}

fn of_resource(part: &str, resource: &v2::Resource) -> String {
    let annotations = &resource.annotations;
    let user = any::find::<v2::UserTrait>(annotations).unwrap();
    let group = any::find::<v2::GroupTrait>(annotations).unwrap();
    let role = any::find::<v2::RoleTrait>(annotations).unwrap();
    let app = any::find::<v2::AppTrait>(annotations).unwrap();
    let secret = any::find::<v2::SecretTrait>(annotations).unwrap();
    let parent = resource.parent_resource_id.clone().unwrap_or_default();
    let status = |number: i32| {
        ["unspecified", "enabled", "disabled", "deleted"][usize::try_from(number).unwrap()]
    };
    match part {
        "display_name" => resource.display_name.clone(),
        "description" => resource.description.clone(),
        "parent_id" => parent.resource,
        "parent_type" => parent.resource_type,
        "status" => match (&resource.status, &user) {
            (Some(own), _) => status(own.status).to_owned(),
            (None, Some(user)) => status(user.status.clone().unwrap_or_default().status).to_owned(),
            (None, None) => "unspecified".to_owned(),
        },
        "profile" => {
            let profile = resource.profile.clone();
            let profile = profile
                .or(user.and_then(|user| user.profile))
                .or(group.and_then(|group| group.profile))
                .or(role.and_then(|role| role.profile))
                .or(app.and_then(|app| app.profile));
            let profile = profile.or(secret.and_then(|secret| secret.profile));
            plain_map(&profile.unwrap_or_default()).to_string()
        }
        "email" => user
            .unwrap_or_default()
            .emails
            .iter()
            .find(|email| email.is_primary)
            .map_or(String::new(), |email| email.address.clone()),
        "login" => user.unwrap_or_default().login,
        "last_login" => time_text(user.unwrap_or_default().last_login.as_ref()),
        "account_type" => user.map_or(String::new(), |user| {
            let names = ["unspecified", "human", "service", "system"];
            names[usize::try_from(user.account_type).unwrap()].to_owned()
        }),
        "created_at" => {
            let own = resource.created_at;
            let of_user = user.unwrap_or_default().created_at;
            let of_secret = secret.unwrap_or_default().created_at;
            time_text(own.or(of_user).or(of_secret).as_ref())
        }
        "traits" => {
            let names = annotations.iter().filter_map(|any| {
                let name = any.type_url.rsplit('.').next()?.strip_suffix("Trait")?;
                Some(name.to_lowercase())
            });
            names.collect::<Vec<_>>().join(", ")
        }
        "expires_at" => time_text(secret.unwrap_or_default().expires_at.as_ref()),
        "last_used_at" => time_text(secret.unwrap_or_default().last_used_at.as_ref()),
        "identity_id" => {
            secret
                .unwrap_or_default()
                .identity_id
                .unwrap_or_default()
                .resource
        }
        part => panic!("{part}"),
    }
}

/// The text of a field, the obvious way.
fn expected(table: Table, field: Field, row: &OwnedRow, decoded: &Decoded) -> String {
    let (entity, part) = field.name().split_once('.').unwrap();
    let is_principal = entity == "principal" || table == Table::Principals;
    match (entity, part) {
        ("resource" | "principal", "id") if is_principal => row.principal_id.clone(),
        ("resource" | "principal", "type") if is_principal => row.principal_type_id.clone(),
        ("resource", "id") | ("entitlement", "resource_id") => row.resource_id.clone(),
        ("resource", "type") | ("entitlement", "resource_type") => row.resource_type_id.clone(),
        ("entitlement", "id") if table == Table::Grants => row.entitlement_id.clone(),
        ("resource_type", "id") => match table {
            Table::ResourceTypes => row.id.clone(),
            Table::Principals => row.principal_type_id.clone(),
            _ => row.resource_type_id.clone(),
        },
        ("entitlement" | "grant", "id") => row.id.clone(),
        ("resource_type", "display_name") => decoded.resource_type.display_name.clone(),
        ("resource_type", "traits") => {
            let traits = decoded.resource_type.traits();
            let names = traits.map(|t| t.as_str_name().trim_start_matches("TRAIT_").to_lowercase());
            names.collect::<Vec<_>>().join(", ")
        }
        ("entitlement", "display_name") => decoded.entitlement.display_name.clone(),
        ("entitlement", "slug") => decoded.entitlement.slug.clone(),
        ("entitlement", "purpose") => {
            let name = decoded.entitlement.purpose().as_str_name();
            name.trim_start_matches("PURPOSE_VALUE_").to_lowercase()
        }
        ("grant", "immutable") => {
            any::contains::<v2::GrantImmutable>(&decoded.grant.annotations).to_string()
        }
        ("grant", "expandable") => decoded.expandable.to_string(),
        ("grant", "discovered_at") => time_text(row.discovered_at.as_ref()),
        ("grant", "sources" | "direct") => {
            let sources = decoded.grant.sources.clone().unwrap_or_default().sources;
            if part == "direct" {
                let is_direct = sources.is_empty() || sources.contains_key(&row.entitlement_id);
                return is_direct.to_string();
            }
            let ids: BTreeMap<_, _> = sources.iter().collect();
            ids.into_keys().cloned().collect::<Vec<_>>().join(", ")
        }
        ("principal", part) => of_resource(part, &decoded.principal),
        ("resource" | "secret", part) => of_resource(part, &decoded.resource),
        (entity, part) => panic!("{entity}.{part}"),
    }
}

fn check(name: &str, snapshot: &Snapshot<'_>) -> usize {
    let mut seen = 0;
    for table in Table::ALL {
        let fields: Vec<Field> = table.fields().collect();
        let all = Records::new(snapshot, View::new(table).with_all(fields.iter().copied()));
        // A view of one field keeps less of the objects that rows refer to.
        let each: Vec<Records<'_>> = fields
            .iter()
            .map(|field| Records::new(snapshot, View::new(table).with(*field)))
            .collect();
        for row in rows(snapshot, table.rows()) {
            let decoded = decoded(snapshot, table, &row);
            let row_ref = row.as_row();
            let record = all.record(&row_ref);
            for (field, alone) in fields.iter().zip(&each) {
                let expected = expected(table, *field, &row, &decoded);
                let what = format!("{name}: {field} of {}", row.id);
                let found = record.value(*field).unwrap().to_string();
                if field.name().ends_with(".profile") {
                    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text);
                    let numbers = |value: serde_json::Value| value.to_string().replace(".0", "");
                    let found = numbers(json(&found).unwrap());
                    assert_eq!(found, numbers(json(&expected).unwrap()), "{what}");
                } else {
                    assert_eq!(found, expected, "{what}");
                }
                let alone = alone.record(&row_ref).value(*field).unwrap().to_string();
                assert_eq!(alone, found, "{what}");
                seen += usize::from(!found.is_empty());
            }
        }
    }
    seen
}

#[test]
fn fields_are_what_decoded_messages_hold() {
    for name in FILES {
        let file = C1zFile::open(&fixture(name), &ReadOptions::default()).unwrap();
        let run = file.latest_finished(None).unwrap();
        let snapshot = file.view(FileView::Sync(&run.id)).unwrap();
        assert!(check(name, &snapshot) > 0, "{name}");
    }
}

fn number(number: f64) -> Proto {
    Proto {
        kind: Some(Kind::NumberValue(number)),
    }
}

/// A world in which every field has a value somewhere.
pub fn rich() -> World {
    let at = |seconds| Some(Timestamp { seconds, nanos: 5 });
    let id = |type_id: &str, id: &str| v2::ResourceId {
        resource_type: type_id.into(),
        resource: id.into(),
        ..Default::default()
    };
    let mut kim = user("u1", "Kim Vale", "kim@example.com", "kvale");
    let mut trait_of_kim: v2::UserTrait = any::find(&kim.annotations).unwrap().unwrap();
    trait_of_kim.last_login = at(1_700_000_000);
    trait_of_kim.created_at = at(1_600_000_000);
    trait_of_kim.set_account_type(v2::user_trait::AccountType::Service);
    trait_of_kim.profile = Some(Struct {
        fields: [("level".to_owned(), number(3.0))].into(),
    });
    trait_of_kim.status = Some(v2::user_trait::Status {
        status: 2,
        ..Default::default()
    });
    kim.annotations = vec![any::pack(&trait_of_kim)];
    kim.parent_resource_id = Some(id("group", "g1"));
    let mut key = resource("key", "k1", "API key");
    key.annotations = vec![any::pack(&v2::SecretTrait {
        expires_at: at(1_800_000_000),
        last_used_at: at(1_750_000_000),
        identity_id: Some(id("user", "u1")),
        ..Default::default()
    })];
    key.created_at = at(1_500_000_000);
    let mut entitlement = member("g1", "Members");
    entitlement.set_purpose(v2::entitlement::PurposeValue::Assignment);
    let mut derived = grant("g1", "u1");
    derived.annotations = vec![any::pack(&v2::GrantImmutable::default())];
    derived.sources = Some(v2::GrantSources {
        sources: [
            ("b".to_owned(), v2::grant_sources::GrantSource::default()),
            ("a".into(), v2::grant_sources::GrantSource::default()),
        ]
        .into(),
    });
    let mut expandable = grant("g1", "u2");
    expandable.annotations = vec![any::pack(&v2::GrantExpandable {
        entitlement_ids: vec!["x".into()],
        ..Default::default()
    })];
    let mut of_key = grant("g1", "k1");
    of_key.principal = Some(crate::support::stub("key", "k1"));
    World {
        types: vec!["group", "key", "user"],
        resources: vec![resource("group", "g1", "jira-users"), key, kim],
        entitlements: vec![entitlement],
        grants: vec![derived, expandable, of_key],
        tool: None,
    }
}

#[test]
fn both_formats_have_all_fields() {
    for format in FORMATS {
        let sealed = rich().file(format);
        let file = C1zFile::open(&sealed.path, &ReadOptions::default()).unwrap();
        let snapshot = file.view(FileView::AllRows).unwrap();
        check(&format!("{format:?}"), &snapshot);
        for table in Table::ALL {
            for field in table.fields() {
                let records = Records::new(&snapshot, View::new(table).with(field));
                let has_value = |row: &OwnedRow| {
                    let row = row.as_row();
                    !records.record(&row).value(field).unwrap().is_empty()
                };
                let type_traits = field.name() == "resource_type.traits";
                // Resources of grants here are groups: no users, no parents.
                let is_group = table == Table::Grants || table == Table::Entitlements;
                let known = type_traits || (is_group && field.name().starts_with("resource."));
                let found = rows(&snapshot, table.rows()).iter().any(has_value);
                assert!(found || known, "{format:?}: {field} in {table:?}");
            }
        }
    }
}

#[test]
fn a_path_leads_into_profiles() {
    let sealed = rich().file(baton_c1z::Format::V3);
    let file = C1zFile::open(&sealed.path, &ReadOptions::default()).unwrap();
    let snapshot = file.view(FileView::AllRows).unwrap();
    let path = |text| FieldPath::parse_in(Table::Grants, text).unwrap();
    let (level, missing) = (
        path("principal.profile.level"),
        path("principal.profile.x.y"),
    );
    let view = View::new(Table::Grants).with(level.field());
    let records = Records::new(&snapshot, view);
    let row = rows(&snapshot, Rows::Grants)
        .into_iter()
        .find(|row| row.principal_id == "u1")
        .unwrap();
    let row = row.as_row();
    let record = records.record(&row);
    assert_eq!(record.at(&level).unwrap().to_string(), "3");
    assert!(record.at(&missing).unwrap().is_empty());
}

#[test]
fn a_field_outside_the_view_is_an_error() {
    let sealed = World::small().file(baton_c1z::Format::V1);
    let file = C1zFile::open(&sealed.path, &ReadOptions::default()).unwrap();
    let snapshot = file.view(FileView::AllRows).unwrap();
    let records = Records::new(&snapshot, View::new(Table::Grants));
    let row = rows(&snapshot, Rows::Grants).remove(0);
    let row = row.as_row();
    let email = Field::parse("principal.email").unwrap();
    assert!(matches!(
        records.record(&row).value(email),
        Err(Error::NotInView { .. })
    ));
}

#[test]
fn unknown_fields_have_near_matches() {
    let text = |name| {
        Field::parse_in(Table::Grants, name)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        text("principal.emial"),
        "`principal.emial` is not the name of a field; near matches: `principal.email`"
    );
    assert!(text("display_name").contains("`resource.display_name`"));
    assert_eq!(
        text("secret.expires_at"),
        "grants have no field `secret.expires_at`"
    );
    assert_eq!(
        text("\u{1b}[2Jx"),
        "`\u{1b}[2Jx` is not the name of a field"
    );
}

#[test]
fn a_search_finds_ids_names_addresses_and_logins_of_a_record() {
    for format in FORMATS {
        let sealed = rich().file(format);
        let file = C1zFile::open(&sealed.path, &ReadOptions::default()).unwrap();
        let snapshot = file.view(FileView::AllRows).unwrap();
        let found = |table: Table, text: &str| {
            let records = Records::new(&snapshot, View::new(table).with_names());
            let search = Search::new(text).unwrap();
            let rows = rows(&snapshot, table.rows());
            let matches = |row: &&OwnedRow| search.matches(&records.record(&row.as_row())).unwrap();
            rows.iter().filter(matches).count()
        };
        for (table, text, expected) in [
            (Table::ResourceTypes, "TYPE", 3),
            (Table::ResourceTypes, "key", 1),
            (Table::Resources, "vale", 1),
            (Table::Resources, "KIM@EXAMPLE", 1),
            (Table::Resources, "kvale-ALIAS", 1),
            (Table::Resources, "api", 1),
            (Table::Entitlements, "MEMBERS", 1),
            (Table::Entitlements, "jira", 1),
            (Table::Grants, "kim vale", 1),
            (Table::Grants, "kim@", 1),
            (Table::Grants, "jira-users", 3),
            (Table::Grants, "nothing", 0),
            (Table::Principals, "kvale", 1),
            (Table::Principals, "jira", 0),
        ] {
            assert_eq!(found(table, text), expected, "{format:?} {table:?} {text}");
        }
    }
}
