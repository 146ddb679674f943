//! Records as the builders make them.

use baton_connector::resource::{
    EntitlementBuilder, EntitlementId, GrantBuilder, Profile, ResourceBuilder, ResourceExt as _,
    ResourceTypeBuilder, SecretTraitBuilder, Status, UserTraitBuilder, resource_id,
};
use baton_connector::{Error, fingerprint};
use baton_proto::c1::connector::v2;
use baton_proto::{Advice, Advise, Code, any};
use v2::resource_type::Trait;
use v2::secret_trait::CredentialType;
use v2::status::ResourceStatus;
use v2::user_trait::AccountType;

#[expect(clippy::needless_pass_by_value, reason = "reads better at the calls")]
fn refused<T: std::fmt::Debug>(outcome: Result<T, Error>) {
    assert!(matches!(outcome, Err(Error::Build { .. })), "{outcome:?}");
}

#[test]
fn a_template_has_no_resource_and_no_id() {
    let user = ResourceTypeBuilder::new("user", "User").build().unwrap();
    let template = EntitlementBuilder::template("admin")
        .grantable_to([&user])
        .build()
        .unwrap();
    assert_eq!((template.resource, &*template.id), (None, ""));
    assert_eq!(
        (&*template.slug, &*template.display_name),
        ("admin", "admin")
    );
    assert_eq!(template.grantable_to, [user]);
    refused(EntitlementBuilder::template("").build());
}

#[test]
fn the_id_of_a_resource_is_at_hand() {
    let group = ResourceBuilder::new("group", "g:1").build().unwrap();
    assert_eq!(group.id(), "g:1");
    assert_eq!(v2::Resource::default().id(), "");
}

#[test]
fn an_error_can_have_a_cause_and_keeps_it_with_a_hint() {
    let cause = std::io::Error::other("disk on fire");
    let error = Error::caused(Code::DataLoss, "cannot read `users.csv`", cause);
    let error = error.with_hint("buy another");
    assert_eq!(error.code(), Code::DataLoss);
    assert_eq!(error.to_string(), "cannot read `users.csv`");
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    assert_eq!(cause.as_deref(), Some("disk on fire"));
    assert_eq!(error.advice(), [Advice::sentence("buy another")]);
    let stated = Error::stated(Code::DataLoss, "no cause");
    assert!(std::error::Error::source(&stated).is_none());
}

#[test]
fn fingerprints_are_the_same_in_every_version() {
    let text = fingerprint(["a", "bc"]);
    assert_eq!(text, "efdf187f3b77026ced2f13d8b5bb1a22");
}

#[test]
fn records_without_identity_are_refused() {
    refused(ResourceTypeBuilder::new("", "User").build());
    refused(ResourceBuilder::new("", "1").build());
    refused(ResourceBuilder::new("user", "").build());
    refused(EntitlementBuilder::assignment(resource_id("group", "1"), "").build());
    refused(EntitlementBuilder::assignment(resource_id("group", ""), "member").build());
    refused(EntitlementBuilder::assignment(v2::Resource::default(), "member").build());
    let (group, user) = (resource_id("group", "1"), resource_id("user", "2"));
    refused(GrantBuilder::new(&group, "", &user).build());
    refused(GrantBuilder::new(&group, "member", resource_id("user", "")).build());
    refused(GrantBuilder::new(resource_id("", "1"), "member", &user).build());
    refused(GrantBuilder::of(&v2::Entitlement::default(), &user).build());
}

#[test]
fn a_type_can_take_its_id_from_its_name() {
    let built = ResourceTypeBuilder::named("API Token Set")
        .with_trait(Trait::Secret)
        .skip_entitlements_and_grants()
        .build()
        .unwrap();
    assert_eq!(built.id, "api-token-set");
    assert_eq!(built.display_name, "API Token Set");
    assert_eq!(built.traits, [Trait::Secret as i32]);
    assert!(any::contains::<v2::SkipEntitlementsAndGrants>(
        &built.annotations
    ));
}

#[test]
#[allow(deprecated)]
fn a_new_user_is_an_enabled_human_without_empty_facts() {
    let built = ResourceBuilder::new("user", "712020:ab")
        .user(
            UserTraitBuilder::new()
                .primary_email("")
                .login("")
                .employee_id(""),
        )
        .build()
        .unwrap();
    let user: v2::UserTrait = any::find(&built.annotations).unwrap().unwrap();
    assert_eq!(user.account_type, AccountType::Human as i32);
    let enabled = v2::user_trait::status::Status::Enabled as i32;
    assert_eq!(user.status.unwrap().status, enabled);
    assert!(user.emails.is_empty() && user.login.is_empty() && user.employee_ids.is_empty());
    assert_eq!(built.status.unwrap().status, ResourceStatus::Enabled as i32);
}

#[test]
#[allow(deprecated)]
fn the_resources_own_status_wins_over_the_traits() {
    let builder = || ResourceBuilder::new("user", "1").user(UserTraitBuilder::new());
    let built = builder()
        .status(Status::Disabled, "suspended")
        .build()
        .unwrap();
    let status = built.status.unwrap();
    assert_eq!(status.status, ResourceStatus::Disabled as i32);
    assert_eq!(status.details, "suspended");
    let user: v2::UserTrait = any::find(&built.annotations).unwrap().unwrap();
    let enabled = v2::user_trait::status::Status::Enabled as i32;
    assert_eq!(user.status.unwrap().status, enabled);

    let told = UserTraitBuilder::new().status(Status::Deleted, "gone");
    let built = ResourceBuilder::new("user", "1")
        .user(told)
        .build()
        .unwrap();
    assert_eq!(built.status.unwrap().details, "gone");
}

#[test]
fn profiles_come_out_sorted_with_the_last_value() {
    let profile = Profile::new()
        .text("z", "1")
        .flag("email_verified", true)
        .number("count", 2.0)
        .texts("tags", ["a", "b"])
        .maybe_text("absent", None::<String>)
        .nested("inner", Profile::new().text("k", "v"))
        .text("z", "2")
        .build();
    let keys: Vec<_> = profile.fields.keys().map(String::as_str).collect();
    assert_eq!(keys, ["count", "email_verified", "inner", "tags", "z"]);
    let last = prost_types::value::Kind::StringValue("2".to_owned());
    assert_eq!(profile.fields["z"].kind, Some(last));
}

#[test]
fn a_secret_says_whom_it_stands_for() {
    let secret = SecretTraitBuilder::new(CredentialType::StaticSecret, "acme.token")
        .identity(resource_id("user", "u"))
        .created_by(resource_id("user", "v"));
    let built = ResourceBuilder::new("api_token", "t")
        .secret(secret)
        .build()
        .unwrap();
    let read: v2::SecretTrait = any::find(&built.annotations).unwrap().unwrap();
    assert_eq!(read.identity_id.unwrap().resource, "u");
    assert_eq!(read.created_by_id.unwrap().resource, "v");
    assert_eq!(read.credential_detail, "acme.token");
}

#[test]
fn child_types_add_up_and_other_annotations_replace() {
    let built = ResourceBuilder::new("org", "1")
        .child_type("user")
        .child_type("group")
        .external_link("https://a.test")
        .external_link("https://b.test")
        .parent(resource_id("realm", "r"))
        .build()
        .unwrap();
    assert_eq!(built.annotations.len(), 3);
    let link: v2::ExternalLink = any::find(&built.annotations).unwrap().unwrap();
    assert_eq!(link.url, "https://b.test");
}

#[test]
fn an_entitlement_is_named_by_its_slug_unless_told() {
    let group = ResourceBuilder::new("group", "g")
        .display_name("G")
        .build()
        .unwrap();
    let user = ResourceTypeBuilder::new("user", "User").build().unwrap();
    let plain = EntitlementBuilder::permission(&group, "role:admin")
        .build()
        .unwrap();
    assert_eq!(
        (plain.id.as_str(), plain.display_name.as_str()),
        ("group:g:role:admin", "role:admin")
    );
    assert_eq!(plain.slug, "role:admin");
    assert_eq!(
        plain.purpose,
        v2::entitlement::PurposeValue::Permission as i32
    );
    assert_eq!(plain.resource.as_ref(), Some(&group), "the whole resource");
    let told = EntitlementBuilder::assignment(&group, "member")
        .display_name("G member")
        .description("d")
        .grantable_to([&user])
        .immutable(Profile::new())
        .build()
        .unwrap();
    assert_eq!(told.display_name, "G member");
    assert_eq!(told.grantable_to, [user]);
    assert!(any::contains::<v2::EntitlementImmutable>(&told.annotations));
}

#[test]
fn a_grant_embeds_what_it_was_given_and_no_more() {
    let group = ResourceBuilder::new("group", "g")
        .display_name("G")
        .group()
        .build()
        .unwrap();
    let membership = GrantBuilder::new(&group, "member", resource_id("user", "u"))
        .build()
        .unwrap();
    assert_eq!(membership.id, "group:g:member:user:u");
    let entitlement = membership.entitlement.unwrap();
    assert_eq!(entitlement.resource.as_ref(), Some(&group));
    assert_eq!((entitlement.slug.as_str(), entitlement.purpose), ("", 0));
    let principal = membership.principal.unwrap();
    assert_eq!(
        (
            principal.id.unwrap().resource.as_str(),
            principal.display_name.as_str()
        ),
        ("u", "")
    );
    assert!(membership.annotations.is_empty() && membership.sources.is_none());
}

#[test]
fn a_grant_of_an_entitlement_keeps_its_id_verbatim() {
    let entitlement = v2::Entitlement {
        id: "some::other/form".to_owned(),
        resource: Some(ResourceBuilder::new("app", "a").build().unwrap()),
        slug: "x".to_owned(),
        ..v2::Entitlement::default()
    };
    let grant = GrantBuilder::of(&entitlement, resource_id("user", "u"))
        .build()
        .unwrap();
    assert_eq!(grant.id, "some::other/form:user:u");
    assert_eq!(grant.entitlement.unwrap().slug, "", "id and resource only");
}

#[test]
fn grants_carry_expansion_and_immutability() {
    let (site, group) = (resource_id("site", "s"), resource_id("group", "g"));
    let member = EntitlementId::of(&group, "member");
    let grant = GrantBuilder::new(&site, "role:x", &group)
        .expandable([member.clone()])
        .expandable_within([member], true, ["user"])
        .immutable(Profile::new().text("method", "group_direct"))
        .metadata(Profile::new().text("k", "v"))
        .build()
        .unwrap();
    let expandable: v2::GrantExpandable = any::find(&grant.annotations).unwrap().unwrap();
    assert_eq!(expandable.entitlement_ids, ["group:g:member"]);
    assert!(expandable.shallow);
    assert_eq!(expandable.resource_type_ids, ["user"]);
    let immutable: v2::GrantImmutable = any::find(&grant.annotations).unwrap().unwrap();
    assert!(immutable.metadata.unwrap().fields.contains_key("method"));
    assert_eq!(grant.annotations.len(), 3);
}
