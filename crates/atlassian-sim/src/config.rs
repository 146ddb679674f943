//! What a simulator is made of: the organization to invent, the keys to accept and the habits to show.

use std::time::Duration;

use jiff::Timestamp;

use crate::audit::Audit;
use crate::clock::Clock;
use crate::faults::Fault;
use crate::flaws::SearchFlaws;
use crate::limits::RateLimits;
use crate::model::scim::{ScimAccountId, UnverifiedDomain};

/// Most users that an organization can be generated with.
pub const MAX_USERS: u32 = 2_000_000;
/// Most groups that an organization can be generated with.
pub const MAX_GROUPS: u32 = 200_000;
/// Most workspaces that an organization can be generated with.
pub const MAX_WORKSPACES: u32 = 5_000;
/// Most audit events that an organization can be generated with.
pub const MAX_EVENTS: u32 = 1_000_000;

/// How many members groups have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupSizes {
    /// The n-th largest group has an n-th of the members of the largest; every thirteenth is empty.
    HeavyTailed {
        /// Members of the largest group; `None`: all users of its directory, at most 50,000.
        largest: Option<u32>,
    },
    /// Every group has this many members, or its whole directory when that is smaller.
    Even(u32),
}

/// What organization to invent. Equal specs give equal organizations.
///
/// ```
/// use atlassian_sim::OrganizationSpec;
/// let spec = OrganizationSpec { users: 500, groups: 40, seed: 7, ..OrganizationSpec::default() };
/// assert!(spec.check().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationSpec {
    /// Accounts, 1 to [`MAX_USERS`].
    pub users: u32,
    /// Groups, 0 to [`MAX_GROUPS`].
    pub groups: u32,
    /// Everything invented follows from it.
    pub seed: u64,
    /// Directories, 1 to 8; `None`: two from 20 users on, else one.
    pub directories: Option<u8>,
    /// Workspaces in the workspace list, 0 to [`MAX_WORKSPACES`].
    pub workspaces: u32,
    /// Average number of workspace roles that a user holds directly.
    pub roles_per_user: u32,
    /// How many users in a hundred may hold roles, of their own or through groups; the others, apart from the first users
    /// with their peculiarities, hold none. `None`: all may.
    pub role_holders: Option<u8>,
    /// Sizes of groups.
    pub group_sizes: GroupSizes,
    /// API tokens; `None`: one for every tenth user, at least five.
    pub tokens: Option<u32>,
    /// Audit events, 0 to [`MAX_EVENTS`]; `None`: two per user, at most 1,000.
    pub events: Option<u32>,
    /// Whether to invent the uncommon as well: missing and null members, unknown roles and owners, strange names.
    pub odd_data: bool,
}

impl Default for OrganizationSpec {
    fn default() -> Self {
        Self {
            users: 500,
            groups: 40,
            seed: 1,
            directories: None,
            workspaces: 6,
            roles_per_user: 1,
            role_holders: None,
            group_sizes: GroupSizes::HeavyTailed { largest: None },
            tokens: None,
            events: None,
            odd_data: true,
        }
    }
}

impl OrganizationSpec {
    /// Returns an error for the first value that is out of its range.
    pub fn check(&self) -> Result<(), crate::Error> {
        let rows = [
            ("users", u64::from(self.users), 1, u64::from(MAX_USERS)),
            ("groups", u64::from(self.groups), 0, u64::from(MAX_GROUPS)),
            (
                "workspaces",
                u64::from(self.workspaces),
                0,
                u64::from(MAX_WORKSPACES),
            ),
            (
                "directories",
                u64::from(self.directories.unwrap_or(1)),
                1,
                8,
            ),
            ("roles_per_user", u64::from(self.roles_per_user), 0, 50),
            (
                "role_holders",
                u64::from(self.role_holders.unwrap_or(0)),
                0,
                100,
            ),
            (
                "events",
                u64::from(self.events.unwrap_or(0)),
                0,
                u64::from(MAX_EVENTS),
            ),
            (
                "tokens",
                u64::from(self.tokens.unwrap_or(0)),
                0,
                u64::from(MAX_USERS),
            ),
        ];
        for (name, value, least, most) in rows {
            if value < least || value > most {
                return Err(crate::Error::OutOfRange {
                    name,
                    value,
                    least,
                    most,
                });
            }
        }
        Ok(())
    }

    pub(crate) fn directory_count(&self) -> u8 {
        self.directories
            .unwrap_or(if self.users >= 20 { 2 } else { 1 })
            .max(1)
    }

    pub(crate) fn token_count(&self) -> u32 {
        self.tokens.unwrap_or((self.users / 10).max(5))
    }

    pub(crate) fn event_count(&self) -> u32 {
        self.events
            .unwrap_or(self.users.saturating_mul(2).min(1000))
    }
}

/// An API key that the simulator knows.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// The bearer token.
    pub token: String,
    /// Scopes; `None`: a key without scopes, which may do everything.
    pub scopes: Option<Vec<String>>,
    /// From then on the key is refused.
    pub expires_at: Option<Timestamp>,
    /// Belongs to another organization: every request for ours answers 404.
    pub foreign: bool,
}

impl AccessKey {
    /// A key without scopes that never expires.
    pub fn unscoped(token: impl Into<String>) -> Self {
        Self {
            token: token.into(),
            scopes: None,
            expires_at: None,
            foreign: false,
        }
    }

    /// A key with the given scopes.
    pub fn scoped<S: Into<String>>(
        token: impl Into<String>,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        Self {
            scopes: Some(scopes.into_iter().map(Into::into).collect()),
            ..Self::unscoped(token)
        }
    }

    /// A key of another organization.
    pub fn foreign(token: impl Into<String>) -> Self {
        Self {
            foreign: true,
            ..Self::unscoped(token)
        }
    }
}

impl std::fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessKey")
            .field("token", &"[redacted]")
            .field("scopes", &self.scopes)
            .field("expires_at", &self.expires_at)
            .field("foreign", &self.foreign)
            .finish()
    }
}

/// How the last page is marked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LastPage {
    /// `"next": null`.
    #[default]
    Null,
    /// No `next` member.
    Missing,
    /// `"next": ""`.
    Empty,
}

/// How full pages are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PageFill {
    /// As many items as asked for while there are some.
    #[default]
    Full,
    /// Between one item and the number asked for.
    Short,
    /// As [`PageFill::Short`], and now and then an empty page though more follow.
    ShortOrEmpty,
    /// Never more items than this, at least one, whatever is asked for.
    AtMost(u32),
}

/// What a cursor points at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CursorKind {
    /// The last item served: pages stay right when the organization changes.
    #[default]
    Keyset,
    /// A number of items to pass over: changes shift what follows.
    Offset,
}

/// Habits of paging.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paging {
    /// The end of a list.
    pub last_page: LastPage,
    /// Fill of pages.
    pub fill: PageFill,
    /// Meaning of cursors.
    pub cursors: CursorKind,
    /// How long a cursor lives, except those of the event stream: see [`Audit::cursor_lifetime`].
    pub cursor_lifetime: Duration,
    /// Cursors in the padded standard alphabet, with `+`, `/` and `=` that a query must escape.
    pub cursors_need_escaping: bool,
    /// `links.next` of the workspace list as URL instead of the bare token.
    pub workspace_next_is_url: bool,
}

impl Default for Paging {
    fn default() -> Self {
        Self {
            last_page: LastPage::Null,
            fill: PageFill::Full,
            cursors: CursorKind::Keyset,
            cursor_lifetime: Duration::from_hours(1),
            cursors_need_escaping: false,
            workspace_next_is_url: false,
        }
    }
}

/// How a scoped key without the needed scope is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScopeRefusal {
    /// 401 with `ADMIN-401-2`.
    #[default]
    Unauthorized,
    /// 403 with `ADMIN-UAM-403-1`.
    Forbidden,
}

/// How a path of an older generation answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// As ever.
    Alive,
    /// 404 of the gateway, as a route that is gone.
    NotFound,
    /// 410 with an errors list.
    Gone,
}

/// Variations of answers that the documentation leaves open, and the generations that still live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answers {
    /// `errors[].status` as number instead of text.
    pub numeric_error_status: bool,
    /// Refusal of scoped keys. The account API always refuses them with 403.
    pub scope_refusal: ScopeRefusal,
    /// A user in two directories appears twice when all directories are listed.
    pub user_per_directory: bool,
    /// v1 paths that ended in mid-2026.
    pub retired_v1: Generation,
    /// `GET` lists of users and groups, announced to end in mid-2027.
    pub get_lists: Generation,
    /// `POST` searches of users and groups.
    pub searches: Generation,
    /// What the searches misreport.
    pub search_flaws: SearchFlaws,
}

impl Default for Answers {
    fn default() -> Self {
        Self {
            numeric_error_status: false,
            scope_refusal: ScopeRefusal::Unauthorized,
            user_per_directory: false,
            retired_v1: Generation::NotFound,
            get_lists: Generation::Alive,
            searches: Generation::Alive,
            search_flaws: SearchFlaws::default(),
        }
    }
}

/// How writes answer where the documentation leaves it open, and what they refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a choice of its own that a test makes by name"
)]
pub struct Writes {
    /// Endpoints by name that are not enabled for the organization: 403 `ADMIN-UAM-403-1`.
    pub not_enabled: Vec<String>,
    /// Most users that each product can have; `None`: any number. See also
    /// [`OrganizationHandle::set_licence_limit`](crate::OrganizationHandle::set_licence_limit).
    pub licence_limit: Option<u32>,
    /// Adding a member again answers 409 `ADMIN-UAM-409-2` instead of 204.
    pub readd_conflicts: bool,
    /// Removing a user who is not a member answers 204 instead of 404.
    pub absent_removal_succeeds: bool,
    /// The organization has units: users cannot be added to the group of organization admins.
    pub organization_units: bool,
    /// Groups with members cannot be deleted: 409 `ADMIN-409-5`.
    pub only_empty_groups_go: bool,
    /// How long it takes until an invited user accepts; `None`: never.
    pub invitations_accepted_after: Option<Duration>,
    /// What becomes of users of an identity provider whose domain is not verified.
    pub unverified_domains: UnverifiedDomain,
    /// Refuses to take the role from the last active organization admin.
    pub protect_last_admin: bool,
    /// Audit events of roles name the role and the resource in their context.
    pub role_event_context: bool,
    /// How long roles on the organization stay invisible; `None`: as long as other changes.
    pub organization_role_delay: Option<Duration>,
}

impl Writes {
    /// Endpoints that Atlassian support has to enable for an organization.
    pub const SUPPORT_ENABLED: [&'static str; 3] = [
        "POST v1/users/{id}/roles/assign",
        "POST v1/users/{id}/roles/revoke",
        "POST v2/users/invite",
    ];
}

impl Default for Writes {
    fn default() -> Self {
        Self {
            not_enabled: Vec::new(),
            licence_limit: None,
            readd_conflicts: false,
            absent_removal_succeeds: false,
            organization_units: false,
            only_empty_groups_go: false,
            invitations_accepted_after: None,
            unverified_domains: UnverifiedDomain::Refused,
            protect_last_admin: true,
            role_event_context: true,
            organization_role_delay: None,
        }
    }
}

/// Everything a [`Simulator`](crate::Simulator) is made from.
///
/// ```
/// use atlassian_sim::{Config, OrganizationSpec, RateLimits, Simulator};
/// let config = Config {
///     organization: OrganizationSpec { users: 20, groups: 3, ..OrganizationSpec::default() },
///     limits: RateLimits::off(),
///     ..Config::default()
/// };
/// let simulator = Simulator::new(config)?;
/// assert_eq!(simulator.truth().users.len(), 20);
/// # Ok::<(), atlassian_sim::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The organization to invent.
    pub organization: OrganizationSpec,
    /// Date and time.
    pub clock: Clock,
    /// Accepted keys; the first is what [`Simulator::access_token`](crate::Simulator::access_token) gives. Empty: one key
    /// without scopes, derived from the seed.
    pub keys: Vec<AccessKey>,
    /// Added to every answer.
    pub latency: Duration,
    /// How long changes by writes, and submitted ones, stay invisible.
    pub visibility_delay: Duration,
    /// Request quotas.
    pub limits: RateLimits,
    /// Habits of paging.
    pub paging: Paging,
    /// Habits of answering.
    pub answers: Answers,
    /// Token of the first directory's identity provider; `None`: one made from the seed.
    pub scim_token: Option<String>,
    /// When answers name the account of a new user of an identity provider.
    pub scim_account_id: ScimAccountId,
    /// Habits of writes.
    pub writes: Writes,
    /// Habits of the audit log.
    pub audit: Audit,
    /// What goes wrong, and when. The first that matches a request acts.
    pub faults: Vec<Fault>,
}
