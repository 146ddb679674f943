//! Which users a list holds: the filters of the user endpoints, resolved to record numbers and answered from the indexes.
//!
//! The narrowest index that applies gives the candidates (accounts, addresses, groups, resources); the rest are checks
//! per candidate. Only lists without such a filter walk over all users, and they do so from the cursor on.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::filters::{self, Sort, Union};
use crate::errors::ApiError;
use crate::model::profile;
use crate::model::roles::Holding;
use crate::model::{Organization, Scope, User};
use crate::query::Query;

/// Most groups in the `groupIds` of a query.
const MAX_QUERY_GROUPS: usize = 10;

/// The filters as given; they travel in cursors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct UserFilter {
    pub group_ids: Vec<String>,
    pub account_ids: Vec<String>,
    pub directory_ids: Vec<String>,
    pub resource_ids: Vec<String>,
    pub email_domains: Vec<String>,
    pub role_ids: Vec<String>,
    pub status: Vec<String>,
    pub account_status: Vec<String>,
    pub membership_status: Vec<String>,
    pub claim_status: Option<String>,
    pub mfa_enabled: Option<bool>,
    pub search_term: Option<String>,
    pub emails: Vec<String>,
    pub sort: Option<Sort>,
    pub expand: Vec<String>,
}

impl UserFilter {
    pub(crate) fn from_query(query: &Query) -> Result<Self, ApiError> {
        let filter = Self {
            group_ids: query.all("groupIds"),
            account_ids: query.all("accountIds"),
            directory_ids: query.all("directoryIds"),
            resource_ids: query.all("resourceIds"),
            email_domains: query.all("emailDomains"),
            role_ids: query.all("roleIds"),
            status: query.all("status"),
            account_status: query.all("accountStatus"),
            membership_status: query.all("membershipStatus"),
            claim_status: query.get("claimStatus").map(str::to_owned),
            mfa_enabled: query.flag("mfaEnabled")?,
            search_term: query.get("searchTerm").map(str::to_owned),
            sort: filters::sort_from_query(query, "nick_name")?,
            ..Self::default()
        };
        if filter.group_ids.len() > MAX_QUERY_GROUPS {
            return Err(ApiError::bad_parameter(format!(
                "`groupIds` takes at most {MAX_QUERY_GROUPS} ids"
            )));
        }
        filter.checked()
    }

    pub(crate) fn from_body(body: &Map<String, Value>) -> Result<Self, ApiError> {
        let words = |name| filters::words(body, name);
        let filter = Self {
            group_ids: words("groupIds")?,
            account_ids: words("accountIds")?,
            directory_ids: words("directoryIds")?,
            resource_ids: words("resourceIds")?,
            email_domains: words("emailDomains")?,
            role_ids: words("roleIds")?,
            status: words("status")?,
            account_status: words("accountStatus")?,
            membership_status: words("membershipStatus")?,
            claim_status: filters::text(body, "claimStatus")?,
            mfa_enabled: filters::flag(body, "mfaEnabled")?,
            search_term: filters::text(body, "searchTerm")?,
            emails: words("emails")?,
            sort: filters::sort_from_body(body, "nick_name")?,
            expand: words("expand")?,
        };
        if !filter.emails.is_empty() && filter.search_term.is_some() {
            return Err(ApiError::bad_parameter(
                "`emails` and `searchTerm` exclude each other",
            ));
        }
        filters::require_known(
            "expand",
            &filter.expand,
            &[
                "platformRoles",
                "counts.resources",
                "productAccess",
                "groups",
            ],
        )?;
        filter.checked()
    }

    fn checked(self) -> Result<Self, ApiError> {
        filters::require_known(
            "status",
            &self.status,
            &[
                "active",
                "suspended",
                "not_invited",
                "deactivated",
                "for_deletion",
            ],
        )?;
        filters::require_known(
            "accountStatus",
            &self.account_status,
            &["active", "inactive", "closed"],
        )?;
        filters::require_known(
            "membershipStatus",
            &self.membership_status,
            &["active", "suspended", "no_membership"],
        )?;
        filters::require_known(
            "claimStatus",
            self.claim_status.as_slice(),
            &["managed", "unmanaged"],
        )?;
        filters::require_known_roles(&self.role_ids)?;
        Ok(self)
    }

    pub(crate) fn expands(&self, what: &str) -> bool {
        self.expand.iter().any(|e| e == what)
    }
}

/// A filter with ids turned into record numbers, for one request.
pub(crate) struct Resolved<'a> {
    org: &'a Organization,
    filter: &'a UserFilter,
    scope: Scope,
    /// `None`: no such filter. Unknown ids leave the list shorter, so that nothing matches them.
    groups: Option<Vec<u32>>,
    accounts: Option<Vec<u32>>,
    directories: Option<Vec<u8>>,
    resources: Option<Vec<u32>>,
    search: Option<String>,
}

fn resolve<T: Ord>(given: &[String], find: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    (!given.is_empty()).then(|| {
        let mut found: Vec<T> = given.iter().filter_map(|id| find(id)).collect();
        found.sort_unstable();
        found.dedup();
        found
    })
}

impl<'a> Resolved<'a> {
    pub(crate) fn new(org: &'a Organization, filter: &'a UserFilter, scope: Scope) -> Self {
        let mut accounts = resolve(&filter.account_ids, |id| org.find_user(id));
        if let Some(by_email) = resolve(&filter.emails, |e| org.find_email(e)) {
            accounts = Some(match accounts {
                Some(ids) => ids
                    .into_iter()
                    .filter(|n| by_email.binary_search(n).is_ok())
                    .collect(),
                None => by_email,
            });
        }
        Self {
            org,
            filter,
            scope,
            groups: resolve(&filter.group_ids, |id| org.find_group(id)),
            accounts,
            directories: resolve(&filter.directory_ids, |id| org.find_directory(id)),
            resources: resolve(&filter.resource_ids, |id| {
                org.resource_index.get(id).copied()
            }),
            search: filter.search_term.as_ref().map(|t| t.to_lowercase()),
        }
    }

    /// Numbers of matching users after `after`, in creation order.
    pub(crate) fn users(&self, after: Option<u32>) -> Box<dyn Iterator<Item = u32> + '_> {
        let org = self.org;
        let candidates: Box<dyn Iterator<Item = u32> + '_> = if let Some(accounts) = &self.accounts
        {
            Box::new(Union::new(vec![accounts], after))
        } else if let Some(groups) = &self.groups {
            Box::new(Union::new(
                groups
                    .iter()
                    .filter_map(|g| org.group(*g))
                    .map(|g| g.members.as_slice())
                    .collect(),
                after,
            ))
        } else if let Some(resources) = &self.resources {
            let holders = resources
                .iter()
                .filter_map(|r| org.resources.get(*r as usize));
            let lists = holders.flat_map(|r| {
                let members = r
                    .groups
                    .iter()
                    .filter_map(|g| org.group(*g))
                    .map(|g| g.members.as_slice());
                members.chain([r.users.as_slice()])
            });
            Box::new(Union::new(lists.collect(), after))
        } else {
            let end = u32::try_from(org.users.len()).unwrap_or(u32::MAX);
            Box::new(after.map_or(0, |a| a.saturating_add(1))..end)
        };
        Box::new(candidates.filter(|n| org.user(*n).is_some_and(|u| self.matches(*n, u))))
    }

    fn matches(&self, number: u32, user: &User) -> bool {
        user.is_listed(self.scope)
            && self.state_matches(user)
            && self.place_matches(user)
            && self.outside_matches(number, user)
            && self.roles_match(number)
    }

    fn state_matches(&self, user: &User) -> bool {
        let filter = self.filter;
        let holds =
            |words: &[String], word: &str| words.is_empty() || words.iter().any(|w| w == word);
        holds(&filter.status, user.status(self.scope))
            && holds(&filter.account_status, user.account.as_str())
            && holds(
                &filter.membership_status,
                user.membership_in(self.scope).as_str(),
            )
            && filter
                .claim_status
                .as_ref()
                .is_none_or(|c| (c == "managed") == user.managed)
    }

    fn place_matches(&self, user: &User) -> bool {
        let in_directory = |wanted: &Vec<u8>| user.directories().any(|d| wanted.contains(&d));
        let in_group =
            |wanted: &Vec<u32>| user.groups.iter().any(|g| wanted.binary_search(g).is_ok());
        self.directories.as_ref().is_none_or(in_directory)
            && self.groups.as_ref().is_none_or(in_group)
    }

    /// Filters that need the derived profile, which costs more than the record.
    fn outside_matches(&self, number: u32, user: &User) -> bool {
        let filter = self.filter;
        if filter
            .mfa_enabled
            .is_some_and(|wanted| super::users::mfa_enabled(self.org, number, user) != Some(wanted))
        {
            return false;
        }
        let nickname = || profile::nickname(self.org.seed, number);
        let found_by_nickname = self.search.as_ref().is_none_or(|t| nickname().contains(t));
        if filter.email_domains.is_empty() && found_by_nickname {
            return true;
        }
        let profile = self.org.profile(number);
        let email = profile
            .email
            .value()
            .map(|e| e.to_lowercase())
            .unwrap_or_default();
        let domain = email.split_once('@').map_or("", |(_, d)| d);
        let domain_fits = filter.email_domains.is_empty()
            || filter
                .email_domains
                .iter()
                .any(|d| d.to_lowercase() == domain);
        domain_fits && (found_by_nickname || self.search.as_ref().is_none_or(|t| email.contains(t)))
    }

    /// With both filters the role must be held on one of the resources (assumed).
    fn roles_match(&self, number: u32) -> bool {
        if self.filter.role_ids.is_empty() && self.resources.is_none() {
            return true;
        }
        holdings_match(
            self.org,
            &self.org.effective(number),
            self.resources.as_deref(),
            &self.filter.role_ids,
        )
    }
}

/// Whether any holding is on one of the resources with one of the roles; absent filters match everything.
pub(crate) fn holdings_match(
    org: &Organization,
    holdings: &[Holding],
    resources: Option<&[u32]>,
    roles: &[String],
) -> bool {
    holdings.iter().any(|h| {
        resources.is_none_or(|r| r.binary_search(&h.resource).is_ok())
            && (roles.is_empty()
                || h.roles
                    .iter()
                    .any(|(role, _)| roles.iter().any(|r| r == org.role_name(*role))))
    })
}
