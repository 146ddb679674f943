//! The command line, turned into a simulator's config.

mod audit;
mod writes;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use atlassian_sim::{
    AccessKey, Answers, Clock, Config, CursorKind, Error, FAULT_GRAMMAR, Fault, Generation,
    GroupSizes, LastPage, OrganizationSpec, PageFill, Paging, RateLimits, ScimAccountId,
    ScopeRefusal, SearchFlaws, Simulator, parse_budget, parse_duration,
};
use clap::{Parser, ValueEnum};

use audit::AuditArgs;
use writes::WriteArgs;

/// How long running requests may take after Ctrl-C.
pub const SHUTDOWN_LIMIT: Duration = Duration::from_secs(2);

/// Serves a simulated Atlassian organization.
///
/// Prints one line: the command that syncs from it. Ends with Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "atlassian-sim", version, after_long_help = FAULT_GRAMMAR)]
pub struct Args {
    /// Users of the organization
    #[arg(long, default_value_t = 500, value_name = "N")]
    users: u32,
    /// Groups of the organization
    #[arg(long, default_value_t = 40, value_name = "N")]
    groups: u32,
    /// Workspaces of the organization
    #[arg(long, default_value_t = 6, value_name = "N")]
    workspaces: u32,
    /// Directories, 1 to 8 (default: 2 from 20 users on, else 1)
    #[arg(long, value_name = "N")]
    directories: Option<u8>,
    /// Average number of workspace roles that a user holds directly
    #[arg(long, default_value_t = 1, value_name = "N")]
    roles_per_user: u32,
    /// Users in a hundred who may hold roles, of their own or through groups (default: all)
    #[arg(long, value_name = "PERCENT")]
    role_holders: Option<u8>,
    /// Members of the largest group (default: all users of its directory, at most 50,000)
    #[arg(long, value_name = "N", conflicts_with = "group_size")]
    largest_group: Option<u32>,
    /// Gives every group this many members instead of heavy-tailed sizes
    #[arg(long, value_name = "N")]
    group_size: Option<u32>,
    /// API tokens (default: one for every tenth user, at least 5)
    #[arg(long, value_name = "N")]
    tokens: Option<u32>,
    /// Audit events that are there from the start, at most 1,000,000 (default: two per user, at most 1,000)
    #[arg(long, value_name = "N")]
    events: Option<u32>,
    /// Leaves out missing and null members, unknown roles and strange names
    #[arg(long)]
    plain_data: bool,
    /// Seed of everything invented
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1", value_name = "IP")]
    host: IpAddr,
    /// Port to listen on; 0: any free one
    #[arg(long, default_value_t = 8080, value_name = "PORT")]
    port: u16,
    /// Accepted API key (default: one made from the seed)
    #[arg(long, value_name = "TOKEN")]
    access_token: Option<String>,
    /// Scope of the API key; may be repeated (default: a key without scopes, which may do everything)
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Refuses a missing scope with 403 instead of 401
    #[arg(long)]
    forbid_missing_scope: bool,
    /// Time added to every answer, for example `40ms`
    #[arg(long, default_value = "0ms", value_parser = parse_duration, value_name = "TIME")]
    latency: Duration,
    /// `off`, `100/s` (token bucket per endpoint), `500/m` (one-minute windows), or `default` (500 reads a minute, 10 for events)
    #[arg(long, default_value = "default", value_name = "RATE")]
    rate_limit: RateLimits,
    /// Budget per minute of one endpoint, for example `GET v1/events=10`; may be repeated
    #[arg(long = "budget", value_parser = parse_budget, value_name = "ENDPOINT=N")]
    budgets: Vec<(String, u32)>,
    /// Leaves the X-RateLimit headers out
    #[arg(long)]
    no_rate_limit_headers: bool,
    /// Gives X-RateLimit-Reset without seconds
    #[arg(long)]
    reset_without_seconds: bool,
    /// Answers 429 without a header that gives the time to wait
    #[arg(long)]
    bare_429: bool,
    /// Makes requests go wrong; may be repeated; see the end of --help
    #[arg(long = "fault", value_name = "RULE")]
    faults: Vec<Fault>,
    /// How the last page is marked
    #[arg(long, default_value = "null", value_name = "HOW")]
    last_page: LastPageArg,
    /// How full pages are
    #[arg(long, default_value = "full", value_name = "HOW")]
    pages: PagesArg,
    /// Cursors count items, so that changes shift later pages
    #[arg(long)]
    shifting_cursors: bool,
    /// Cursors hold characters that a query must escape
    #[arg(long)]
    awkward_cursors: bool,
    /// How long a cursor is valid; cursors of the event stream have --event-cursor-lifetime
    #[arg(long, default_value = "60m", value_parser = parse_duration, value_name = "TIME")]
    cursor_lifetime: Duration,
    /// Gives the workspace list's next page as URL
    #[arg(long)]
    workspace_urls: bool,
    /// Gives `errors[].status` as a number
    #[arg(long)]
    numeric_error_status: bool,
    /// Lists a user in two directories twice
    #[arg(long)]
    user_per_directory: bool,
    /// How v1 paths answer that ended in mid-2026
    #[arg(long, default_value = "not-found", value_name = "HOW")]
    retired_v1: GenerationArg,
    /// How the GET lists of users and groups answer, which end in mid-2027
    #[arg(long, default_value = "alive", value_name = "HOW")]
    get_lists: GenerationArg,
    /// How the searches of users and groups answer
    #[arg(long, default_value = "alive", value_name = "HOW")]
    searches: GenerationArg,
    /// Searches leave out about every n-th user when they expand groups
    #[arg(long, default_value_t = 0, value_name = "N")]
    search_omits: u32,
    /// Searches show about every n-th user without roles
    #[arg(long, default_value_t = 0, value_name = "N")]
    search_hides_roles: u32,
    /// Searches show about every n-th user without groups, and count accordingly
    #[arg(long, default_value_t = 0, value_name = "N")]
    search_hides_groups: u32,
    /// Token of the identity provider of the first directory (default: one made from the seed)
    #[arg(long, value_name = "TOKEN")]
    scim_token: Option<String>,
    /// When answers name the account of a new user of an identity provider: `at-once`, `never`, or after a time, for example `20s`
    #[arg(long, default_value = "at-once", value_parser = parse_account_id, value_name = "WHEN")]
    scim_account_id: ScimAccountId,
    #[command(flatten)]
    audit: AuditArgs,
    #[command(flatten)]
    writes: WriteArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LastPageArg {
    Null,
    Missing,
    Empty,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PagesArg {
    Full,
    Short,
    ShortOrEmpty,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum GenerationArg {
    Alive,
    NotFound,
    Gone,
}

impl From<GenerationArg> for Generation {
    fn from(arg: GenerationArg) -> Self {
        match arg {
            GenerationArg::Alive => Generation::Alive,
            GenerationArg::NotFound => Generation::NotFound,
            GenerationArg::Gone => Generation::Gone,
        }
    }
}

fn parse_account_id(text: &str) -> Result<ScimAccountId, Error> {
    match text {
        "at-once" => Ok(ScimAccountId::AtOnce),
        "never" => Ok(ScimAccountId::Never),
        _ => parse_duration(text).map(ScimAccountId::After),
    }
}

impl Args {
    /// Where to listen.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.host, self.port)
    }

    /// The simulator's config.
    pub fn config(self) -> Config {
        Config {
            organization: self.organization(),
            clock: Clock::system(),
            keys: self.keys(),
            latency: self.latency,
            visibility_delay: self.writes.consistency(),
            paging: self.paging(),
            answers: self.answers(),
            scim_token: self.scim_token,
            scim_account_id: self.scim_account_id,
            writes: self.writes.writes(),
            audit: self.audit.audit(),
            limits: RateLimits {
                budgets: self.budgets,
                headers: !self.no_rate_limit_headers,
                reset_without_seconds: self.reset_without_seconds,
                bare_refusals: self.bare_429,
                ..self.rate_limit
            },
            faults: self.faults,
        }
    }

    fn organization(&self) -> OrganizationSpec {
        let group_sizes = match self.group_size {
            Some(size) => GroupSizes::Even(size),
            None => GroupSizes::HeavyTailed {
                largest: self.largest_group,
            },
        };
        OrganizationSpec {
            users: self.users,
            groups: self.groups,
            seed: self.seed,
            directories: self.directories,
            workspaces: self.workspaces,
            roles_per_user: self.roles_per_user,
            role_holders: self.role_holders,
            group_sizes,
            tokens: self.tokens,
            events: self.events,
            odd_data: !self.plain_data,
        }
    }

    /// The key of the flags, if any; scopes without a token get one of their own.
    fn keys(&self) -> Vec<AccessKey> {
        let token = match (&self.access_token, self.scopes.is_empty()) {
            (None, true) => return Vec::new(),
            (Some(token), _) => token.clone(),
            (None, false) => format!("sim-scoped-key-{:016x}", self.seed),
        };
        let scopes = (!self.scopes.is_empty()).then(|| self.scopes.clone());
        vec![AccessKey {
            scopes,
            ..AccessKey::unscoped(token)
        }]
    }

    fn paging(&self) -> Paging {
        Paging {
            last_page: match self.last_page {
                LastPageArg::Null => LastPage::Null,
                LastPageArg::Missing => LastPage::Missing,
                LastPageArg::Empty => LastPage::Empty,
            },
            fill: match self.pages {
                PagesArg::Full => PageFill::Full,
                PagesArg::Short => PageFill::Short,
                PagesArg::ShortOrEmpty => PageFill::ShortOrEmpty,
            },
            cursors: if self.shifting_cursors {
                CursorKind::Offset
            } else {
                CursorKind::Keyset
            },
            cursor_lifetime: self.cursor_lifetime,
            cursors_need_escaping: self.awkward_cursors,
            workspace_next_is_url: self.workspace_urls,
        }
    }

    fn answers(&self) -> Answers {
        Answers {
            numeric_error_status: self.numeric_error_status,
            scope_refusal: if self.forbid_missing_scope {
                ScopeRefusal::Forbidden
            } else {
                ScopeRefusal::Unauthorized
            },
            user_per_directory: self.user_per_directory,
            retired_v1: self.retired_v1.into(),
            get_lists: self.get_lists.into(),
            searches: self.searches.into(),
            search_flaws: SearchFlaws {
                omit_expanded: self.search_omits,
                hide_roles: self.search_hides_roles,
                hide_memberships: self.search_hides_groups,
                counts_agree: true,
                ..SearchFlaws::default()
            },
        }
    }
}

/// The command that syncs from a served simulator, on one line.
pub fn sync_command(simulator: &Simulator, address: SocketAddr) -> String {
    format!(
        "baton-atlassian --access-token {} --organization-id {} --base-url {}",
        shell_word(simulator.access_token()),
        simulator.organization_id(),
        Simulator::base_url(address)
    )
}

/// The text as one word of a shell.
fn shell_word(text: &str) -> String {
    let plain = !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.:/=+@".contains(c));
    if plain {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
