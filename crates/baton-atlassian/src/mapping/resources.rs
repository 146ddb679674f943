//! Objects of the API as resources.

use baton_connector::Result;
use baton_connector::resource::{
    Profile, ResourceBuilder, SecretTraitBuilder, Status, UserTraitBuilder, resource_id,
};
use baton_proto::any;
use baton_proto::c1::connector::v2;
use v2::secret_trait::CredentialType;

use super::time::{later, timestamp};
use super::{API_TOKEN, Fidelity, GROUP, ORGANIZATION, USER, WORKSPACE, profile_keys};
use crate::api::models;

/// A resource of the type with this id. Without an id from the API it has none,
/// so that the engine drops and counts it.
fn finish(builder: ResourceBuilder, type_id: &str, name: &str) -> v2::Resource {
    builder.build().unwrap_or_else(|_| v2::Resource {
        id: Some(resource_id(type_id, "")),
        display_name: name.to_owned(),
        ..v2::Resource::default()
    })
}

/// What a user's status word means. Words that the API does not document, and
/// no word, are no statement.
fn user_status(word: &str) -> Status {
    match word {
        "active" => Status::Enabled,
        // An account that waits for its deletion can still be restored.
        "suspended" | "not_invited" | "deactivated" | "for_deletion" => Status::Disabled,
        _ => Status::Unspecified,
    }
}

/// A user. The display name is the e-mail address; the full name is in the
/// profile as `username`.
pub(crate) fn user(user: &models::User, fidelity: Fidelity) -> v2::Resource {
    let email = user.email.as_deref().unwrap_or_default();
    let word = user.status.as_deref().unwrap_or_default();
    let status = user_status(word);
    let mut profile = Profile::new()
        .text("account_id", &user.account_id)
        .text(
            "account_type",
            user.account_type.as_deref().unwrap_or_default(),
        )
        .text("username", user.name.as_deref().unwrap_or_default())
        .flag("email_verified", user.email_verified.unwrap_or_default());
    let mut person = UserTraitBuilder::new().primary_email(email).login(email);
    if fidelity.is_full() {
        profile = full_user_profile(profile, user);
        person = person.status(status, word);
        if let Some(at) = last_active(user) {
            person = person.last_login(at);
        }
        if let Some(enabled) = user.mfa_enabled {
            person = person.mfa_enabled(enabled);
        }
    }
    let builder = ResourceBuilder::new(USER, &user.account_id)
        .display_name(email)
        .profile(profile)
        .status(status, word)
        .user(person);
    finish(builder, USER, email)
}

/// A user whose account id is not known yet; `alias` is how the application
/// calls it until then.
pub(crate) fn user_without_id(
    known: &models::User,
    alias: &str,
    fidelity: Fidelity,
) -> v2::Resource {
    let stand_in = models::User {
        account_id: alias.to_owned(),
        ..known.clone()
    };
    let mut resource = user(&stand_in, fidelity);
    resource.id = None;
    if let Some(profile) = &mut resource.profile {
        profile.fields.remove("account_id");
    }
    let ids = vec![alias.to_owned()];
    any::append(&mut resource.annotations, &v2::Aliases { ids });
    resource
}

fn full_user_profile(profile: Profile, user: &models::User) -> Profile {
    let said = |text: &Option<String>| text.clone().filter(|words| !words.is_empty());
    let profile = profile
        .maybe_text("nickname", said(&user.nickname))
        .maybe_text("account_status", said(&user.account_status))
        .maybe_text("membership_status", said(&user.membership_status))
        .maybe_text("claim_status", said(&user.claim_status))
        .maybe_text("management_source", said(&user.management_source))
        .maybe_text("added_to_org", said(&user.added_to_org))
        .maybe_text("last_active", last_active_text(user))
        .maybe_text("job_title", said(&user.job_title))
        .maybe_text("department", said(&user.department))
        .maybe_text("organization", said(&user.organization))
        .maybe_text("location", said(&user.location))
        .maybe_text("time_zone", said(&user.time_zone));
    match user.claim_status.as_deref() {
        Some("managed") => profile.flag("managed", true),
        Some("unmanaged") => profile.flag("managed", false),
        _ => profile,
    }
}

fn last_active(user: &models::User) -> Option<prost_types::Timestamp> {
    let times = user.last_active.iter();
    times.fold(None, |latest, text| later(latest, timestamp(text)))
}

fn last_active_text(user: &models::User) -> Option<String> {
    let latest = last_active(user)?;
    user.last_active
        .iter()
        .find(|text| timestamp(text) == Some(latest))
        .cloned()
}

/// A group.
pub(crate) fn group(group: &models::Group, fidelity: Fidelity) -> v2::Resource {
    let name = group.name.as_deref().unwrap_or_default();
    let mut profile = Profile::new().text("name", name).text(
        "description",
        group.description.as_deref().unwrap_or_default(),
    );
    if fidelity.is_full() {
        profile = profile
            .maybe_text(profile_keys::DIRECTORY_ID, group.directory_id.as_deref())
            .maybe_text(profile_keys::MANAGED_BY, group.managed_by.as_deref());
        if let Some(synced) = group.external_synced {
            profile = profile.flag(profile_keys::EXTERNAL_SYNCED, synced);
        }
    }
    let builder = ResourceBuilder::new(GROUP, &group.id)
        .display_name(name)
        .profile(profile)
        .group();
    finish(builder, GROUP, name)
}

/// A workspace, named after its product and its own name.
pub(crate) fn workspace(workspace: &models::Workspace, fidelity: Fidelity) -> v2::Resource {
    let about = workspace.attributes.clone();
    let name = format!(
        "{}: {}",
        about.product.as_deref().unwrap_or_default(),
        about.name.as_deref().unwrap_or_default()
    );
    let mut builder = ResourceBuilder::new(WORKSPACE, &workspace.id).display_name(&name);
    if fidelity.is_full() {
        let profile = Profile::new()
            .maybe_text("type_key", about.type_key)
            .maybe_text("status", about.status)
            .maybe_text("host_url", about.host_url)
            .maybe_text("sandbox", about.sandbox);
        if !profile.is_empty() {
            builder = builder.profile(profile);
        }
        if let Some(at) = about.created_at.as_deref().and_then(timestamp) {
            builder = builder.created_at(at);
        }
    }
    finish(builder, WORKSPACE, &name)
}

/// A thing that a role assignment names and that no list may have. All that is
/// known of it is its id, which stands for its name, and whose it is.
pub(crate) fn unlisted(type_id: &str, id: &str, owner: &str) -> Result<v2::Resource> {
    let mut profile = Profile::new();
    if type_id == WORKSPACE {
        profile = profile.text("type_key", owner);
    }
    ResourceBuilder::new(type_id, id)
        .display_name(id)
        .profile(profile.flag("listed", false))
        .build()
}

/// The organization, named by its id when it has no name.
pub(crate) fn organization(organization: &models::Organization) -> v2::Resource {
    let name = organization
        .name
        .as_deref()
        .filter(|name| !name.is_empty())
        .unwrap_or(&organization.id);
    let builder = ResourceBuilder::new(ORGANIZATION, &organization.id).display_name(name);
    finish(builder, ORGANIZATION, name)
}

/// An API token, as a secret that stands for its owner.
pub(crate) fn api_token(token: &models::ApiToken, fidelity: Fidelity) -> v2::Resource {
    let name = token
        .label
        .as_deref()
        .filter(|label| !label.is_empty())
        .unwrap_or(&token.id);
    let time = |text: &Option<String>| text.as_deref().and_then(timestamp);
    let mut secret = SecretTraitBuilder::new(CredentialType::StaticSecret, "atlassian.api_token");
    if let Some(at) = time(&token.expires_at) {
        secret = secret.expires_at(at);
    }
    if let Some(at) = time(&token.last_active_at) {
        secret = secret.last_used_at(at);
    }
    let owner = token.owner_id.as_deref();
    if let Some(owner) = owner.filter(|id| !id.is_empty()) {
        secret = secret.identity(resource_id(USER, owner));
    }
    let mut builder = ResourceBuilder::new(API_TOKEN, &token.id)
        .display_name(name)
        .secret(secret);
    if let Some(at) = time(&token.created_at) {
        builder = builder.created_at(at);
    }
    if fidelity.is_full() {
        let mut profile = Profile::new().maybe_text("status", token.status.as_deref());
        if let Some(scopes) = &token.scopes {
            profile = profile.texts("scopes", scopes.iter().cloned());
        }
        if !profile.is_empty() {
            builder = builder.profile(profile);
        }
    }
    finish(builder, API_TOKEN, name)
}
