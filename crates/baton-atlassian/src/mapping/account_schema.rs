//! What an account is created from, and the actions on one.

use baton_connector::{AccountField, AccountSchema, ActionSchema, Argument, v2};

use crate::api::Access;

/// The argument of the actions: an account id.
pub(crate) const USER_ID: &str = "user_id";

/// Keys of the fields.
pub(crate) mod account_fields {
    pub(crate) const USER_NAME: &str = "userName";
    pub(crate) const EMAIL: &str = "email";
    pub(crate) const GIVEN_NAME: &str = "givenName";
    pub(crate) const FAMILY_NAME: &str = "familyName";
    pub(crate) const DISPLAY_NAME: &str = "displayName";
}

/// The fields, as the Go connector announces them. An e-mail address alone makes
/// an account: it is also the name.
pub(crate) fn account_schema() -> AccountSchema {
    use account_fields::{DISPLAY_NAME, EMAIL, FAMILY_NAME, GIVEN_NAME, USER_NAME};
    let address = "user@example.com";
    let user_name = AccountField::text(USER_NAME, "Username").required();
    let email = AccountField::address(EMAIL, "Email").required();
    let given_name = AccountField::text(GIVEN_NAME, "First Name");
    let family_name = AccountField::text(FAMILY_NAME, "Last Name");
    let display_name = AccountField::text(DISPLAY_NAME, "Display Name");
    AccountSchema::new()
        .field(
            user_name
                .or_login()
                .or_email()
                .placeholder(address)
                .order(1),
        )
        .field(email.or_email().placeholder(address).order(2))
        .field(given_name.placeholder("John").order(3))
        .field(family_name.placeholder("Doe").order(4))
        .field(display_name.placeholder("John Doe").order(5))
}

/// The action that suspends a person, or the one that restores.
pub(crate) fn access_schema(access: Access) -> ActionSchema {
    let (name, display_name, kind, description) = match access {
        Access::Suspended => (
            "disable_user",
            "Disable User",
            v2::ActionType::AccountDisable,
            "Suspends a user in every directory. Roles and memberships stay.",
        ),
        Access::Active => (
            "enable_user",
            "Enable User",
            v2::ActionType::AccountEnable,
            "Restores a suspended user in every directory.",
        ),
    };
    let user = Argument::text(USER_ID).display_name("User ID");
    ActionSchema::new(name)
        .display_name(display_name)
        .description(description)
        .action_type(kind)
        .argument(user.description("the account id").required())
        .returns(Argument::flag("success").display_name("Success"))
}
