//! The API's JSON, as far as it is read. What decides rows (ids, roles,
//! cursors) is strict: another type there is an error, since guessing would
//! lose access silently. What only describes is lenient: an odd value counts
//! as absent. Unknown fields are ignored. These types never leave the crate.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A value of an unexpected type counts as absent.
pub(super) fn lenient<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let value = Value::deserialize(deserializer)?;
    Ok(T::deserialize(value).ok())
}

/// Absent and `null` both mean an empty text; any other type is an error.
pub(super) fn text_or_empty<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<String, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.unwrap_or_default())
}

/// Absent and `null` both mean an empty list; any other type is an error.
fn list_or_empty<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<Vec<T>>::deserialize(deserializer)?.unwrap_or_default())
}

/// A page of any list: the items and where the next page is.
#[derive(Debug, Deserialize)]
pub(crate) struct ListAnswer<T> {
    #[serde(default = "Option::default")]
    pub data: Option<Vec<T>>,
    pub links: Option<Links>,
    #[serde(default, deserialize_with = "lenient")]
    pub meta: Option<Meta>,
}

/// What some lists say about themselves.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Meta {
    /// Items of the whole list.
    #[serde(deserialize_with = "lenient")]
    pub total: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Links {
    #[serde(default, deserialize_with = "text_or_empty")]
    pub next: String,
}

/// An answer that holds one object.
#[derive(Debug, Deserialize)]
pub(crate) struct OneAnswer<T> {
    pub data: T,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Organization {
    #[serde(default, deserialize_with = "text_or_empty")]
    pub id: String,
    #[serde(default, deserialize_with = "lenient")]
    pub attributes: Option<OrganizationAttributes>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct OrganizationAttributes {
    #[serde(default, deserialize_with = "lenient")]
    pub name: Option<String>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct User {
    #[serde(deserialize_with = "text_or_empty")]
    pub account_id: String,
    #[serde(deserialize_with = "lenient")]
    pub account_type: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub status: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub account_status: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub membership_status: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub added_to_org: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub name: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub nickname: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub email: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub email_verified: Option<bool>,
    #[serde(deserialize_with = "lenient")]
    pub claim_status: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub management_source: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub mfa_enabled: Option<bool>,
    #[serde(deserialize_with = "lenient")]
    pub job_title: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub department: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub organization: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub location: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub time_zone: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub product_access: Option<Vec<ProductAccess>>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ProductAccess {
    #[serde(deserialize_with = "lenient")]
    pub last_active_timestamp: Option<String>,
}

/// A user of whom only the id matters: members of a group.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Member {
    #[serde(default, deserialize_with = "text_or_empty")]
    pub account_id: String,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Group {
    #[serde(deserialize_with = "text_or_empty")]
    pub id: String,
    #[serde(deserialize_with = "lenient")]
    pub name: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub description: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub directory_id: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub external_synced: Option<bool>,
    #[serde(deserialize_with = "lenient")]
    pub managed_by: Option<String>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct Workspace {
    #[serde(deserialize_with = "text_or_empty")]
    pub id: String,
    #[serde(deserialize_with = "lenient")]
    pub attributes: Option<WorkspaceAttributes>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct WorkspaceAttributes {
    #[serde(deserialize_with = "lenient")]
    pub name: Option<String>,
    #[serde(rename = "type", deserialize_with = "lenient")]
    pub product: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub type_key: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub status: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub host_url: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub created_at: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub sandbox: Option<Sandbox>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct Sandbox {
    #[serde(rename = "type", deserialize_with = "lenient")]
    pub kind: Option<String>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ApiToken {
    #[serde(deserialize_with = "text_or_empty")]
    pub id: String,
    #[serde(deserialize_with = "lenient")]
    pub label: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub status: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub created_at: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub expires_at: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub last_active_at: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub user: Option<TokenOwner>,
    #[serde(deserialize_with = "lenient")]
    pub scopes: Option<Vec<String>>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct TokenOwner {
    #[serde(deserialize_with = "lenient")]
    pub id: Option<String>,
}

/// The roles of one principal on one resource.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct RoleAssignment {
    #[serde(deserialize_with = "text_or_empty")]
    pub resource_id: String,
    #[serde(deserialize_with = "text_or_empty")]
    pub resource_owner: String,
    #[serde(deserialize_with = "list_or_empty")]
    pub roles: Vec<String>,
    #[serde(deserialize_with = "list_or_empty")]
    pub role_assignments: Vec<AssignedRole>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct AssignedRole {
    #[serde(deserialize_with = "text_or_empty")]
    pub role: String,
    #[serde(deserialize_with = "list_or_empty")]
    pub role_assignment_methods: Vec<String>,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_of_another_type_is_an_error_not_the_last_page() {
        let text = r#"{"data":[],"links":{"next":7}}"#;
        assert!(serde_json::from_str::<ListAnswer<User>>(text).is_err());
    }

    #[test]
    fn roles_of_another_type_are_an_error_not_no_roles() {
        let text = r#"{"resourceId":"r","resourceOwner":"o","roles":"atlassian/user"}"#;
        assert!(serde_json::from_str::<RoleAssignment>(text).is_err());
    }

    #[test]
    fn an_odd_descriptive_field_counts_as_absent() {
        let text = r#"{"accountId":"a","email":5,"emailVerified":"yes","addedToOrg":"","name":null,"new":{}}"#;
        let user: User = serde_json::from_str(text).unwrap();
        assert_eq!(user.account_id, "a");
        assert_eq!(user.email, None);
        assert_eq!(user.email_verified, None);
    }

    #[test]
    fn null_lists_are_empty_lists() {
        let text = r#"{"resourceId":"r","resourceOwner":"o","roles":null,"roleAssignments":null}"#;
        let item: RoleAssignment = serde_json::from_str(text).unwrap();
        assert!(item.roles.is_empty() && item.role_assignments.is_empty());
    }
}
