//! Flags about changes that clients make.

use std::time::Duration;

use atlassian_sim::{Error, UnverifiedDomain, Writes, parse_duration};
use clap::{Args, ValueEnum};

/// Longest delay until a change is visible (§14 rule 6).
const MAX_CONSISTENCY: Duration = Duration::from_secs(30);

/// How writes are answered and refused.
#[derive(Debug, Args)]
pub struct WriteArgs {
    /// How long changes stay invisible, at most `30s`
    #[arg(long, default_value = "0s", value_parser = parse_consistency, value_name = "TIME")]
    consistency: Duration,
    /// How long roles on the organization stay invisible, at most `30s` (default: as --consistency)
    #[arg(long, value_parser = parse_consistency, value_name = "TIME")]
    organization_role_consistency: Option<Duration>,
    /// Refuses the endpoints that Atlassian support has to enable, with 403
    #[arg(long)]
    support_endpoints_off: bool,
    /// Refuses an endpoint as not enabled, with 403, for example `POST v2/groups/{id}/memberships`; may be repeated
    #[arg(long, value_name = "ENDPOINT")]
    not_enabled: Vec<String>,
    /// Most users of each product (default: any number)
    #[arg(long, value_name = "N")]
    licence_limit: Option<u32>,
    /// Refuses to add a member again, with 409 instead of 204
    #[arg(long)]
    readd_conflicts: bool,
    /// Answers 204 instead of 404 when a user to remove is not a member
    #[arg(long)]
    absent_removal_succeeds: bool,
    /// Refuses to add members to the group of organization admins
    #[arg(long)]
    organization_units: bool,
    /// Refuses to delete groups with members, with 409
    #[arg(long)]
    only_empty_groups_go: bool,
    /// How long it takes until an invited user accepts (default: never)
    #[arg(long, value_parser = parse_duration, value_name = "TIME")]
    invitations_accepted_after: Option<Duration>,
    /// What becomes of users of an identity provider whose domain is not verified: refused, or made outside the organization
    #[arg(long, default_value = "refused", value_name = "HOW")]
    scim_unverified_domains: UnverifiedArg,
    /// Lets the last organization admin lose the role
    #[arg(long)]
    no_last_admin_protection: bool,
    /// Leaves role and resource out of the context of role events
    #[arg(long)]
    no_role_event_context: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum UnverifiedArg {
    Refused,
    Outside,
}

impl From<UnverifiedArg> for UnverifiedDomain {
    fn from(arg: UnverifiedArg) -> Self {
        match arg {
            UnverifiedArg::Refused => UnverifiedDomain::Refused,
            UnverifiedArg::Outside => UnverifiedDomain::Outside,
        }
    }
}

impl WriteArgs {
    /// How long changes stay invisible.
    pub fn consistency(&self) -> Duration {
        self.consistency
    }

    /// The habits of writes.
    pub fn writes(self) -> Writes {
        let mut not_enabled = self.not_enabled;
        if self.support_endpoints_off {
            not_enabled.extend(Writes::SUPPORT_ENABLED.map(str::to_owned));
        }
        Writes {
            not_enabled,
            licence_limit: self.licence_limit,
            readd_conflicts: self.readd_conflicts,
            absent_removal_succeeds: self.absent_removal_succeeds,
            organization_units: self.organization_units,
            only_empty_groups_go: self.only_empty_groups_go,
            invitations_accepted_after: self.invitations_accepted_after,
            unverified_domains: self.scim_unverified_domains.into(),
            protect_last_admin: !self.no_last_admin_protection,
            role_event_context: !self.no_role_event_context,
            organization_role_delay: self.organization_role_consistency,
        }
    }
}

fn parse_consistency(text: &str) -> Result<Duration, ConsistencyError> {
    let time = parse_duration(text)?;
    if time > MAX_CONSISTENCY {
        return Err(ConsistencyError::TooLong(text.to_owned()));
    }
    Ok(time)
}

/// Why a delay cannot be used.
#[derive(Debug, thiserror::Error)]
enum ConsistencyError {
    #[error("`{0}` is longer than 30s")]
    TooLong(String),
    #[error(transparent)]
    Syntax(#[from] Error),
}
