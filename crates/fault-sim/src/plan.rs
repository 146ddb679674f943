//! What happens in one simulation: all of it follows from a seed, and each
//! mishap can be taken out again, to find those that matter.

use std::fmt;
use std::time::Duration;

use atlassian_sim::{
    Action, Answers, Calls, CursorKind, Fault, Generation, GroupSizes, LastPage, OrganizationSpec,
    PageFill, Pages, Paging, RateLimits, RetryAfter, WrongShape,
};
use baton_c1z::Format;
use baton_sync::Workers;

use crate::disk::DiskFault;
use crate::random::Dice;

/// Endpoints that a sync may ask.
const ENDPOINTS: [&str; 17] = [
    "*",
    "GET v1/orgs",
    "GET v1/orgs/{org}",
    "GET v2/directories",
    "GET v2/users",
    "POST v2/users/search",
    "GET v2/users/{id}/role-assignments",
    "GET v2/groups",
    "POST v2/groups/search",
    "GET v2/groups/{id}/role-assignments",
    "POST v2/workspaces",
    "GET v2/users/count",
    "GET v2/groups/count",
    "GET api-access/v1/api-tokens",
    "GET api-access/v1/api-tokens/count",
    "GET v2/users/{id}",
    "GET v2/groups/{id}",
];

/// Lists that the API counts.
pub(crate) const COUNTED: [&str; 5] = [
    "GET v2/users",
    "POST v2/users/search",
    "GET v2/groups",
    "POST v2/groups/search",
    "GET api-access/v1/api-tokens",
];

/// A change of the organization, on objects picked by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alteration {
    /// A user comes.
    AddUser,
    /// A user goes, with all that it had.
    RemoveUser,
    /// A user gets another address.
    Readdress,
    /// A user is suspended in a directory.
    Suspend,
    /// A user leaves a directory.
    LeaveDirectory,
    /// A group comes.
    AddGroup,
    /// A group goes.
    RemoveGroup,
    /// A group gets another name.
    RenameGroup,
    /// A user joins a group.
    Join,
    /// A member leaves a group.
    Leave,
    /// A user gets a role.
    Assign,
    /// A user loses a role.
    Revoke,
    /// A group gets a role.
    AssignGroup,
    /// A token comes.
    AddToken,
    /// A token goes.
    RevokeToken,
}

/// Those that take something out of a list.
const DEPARTURES: [Alteration; 6] = [
    Alteration::RemoveUser,
    Alteration::LeaveDirectory,
    Alteration::RemoveGroup,
    Alteration::Leave,
    Alteration::Revoke,
    Alteration::RevokeToken,
];

const ALTERATIONS: [Alteration; 15] = [
    Alteration::AddUser,
    Alteration::RemoveUser,
    Alteration::Readdress,
    Alteration::Suspend,
    Alteration::LeaveDirectory,
    Alteration::AddGroup,
    Alteration::RemoveGroup,
    Alteration::RenameGroup,
    Alteration::Join,
    Alteration::Leave,
    Alteration::Assign,
    Alteration::Revoke,
    Alteration::AssignGroup,
    Alteration::AddToken,
    Alteration::RevokeToken,
];

/// Something that happens in an attempt to sync. Requests are counted from 1
/// in each attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mishap {
    /// The server does something else than asked.
    Server(Fault),
    /// The disk does.
    Disk(DiskFault),
    /// At this request the organization changes, on objects of this number.
    Change(u64, Alteration, u64),
    /// At this request the process is killed; with `true` the power goes too.
    KillAt(u64, bool),
    /// At this request the process is asked to stop.
    StopAt(u64),
    /// The run may last so long.
    Deadline(Duration),
}

/// One attempt to sync.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attempt {
    /// What goes wrong in it.
    pub mishaps: Vec<Mishap>,
    /// Faults of the disk are counted from the beginning of the seal.
    pub in_seal: bool,
    /// How long after its end the next one begins.
    pub pause: Duration,
}

/// How much is synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Everything.
    Full,
    /// Neither entitlements nor grants.
    ResourcesOnly,
    /// No grants.
    WithoutGrants,
    /// Resources of these types, and grants between them.
    Types(&'static [&'static str]),
    /// A few named users and groups, one of which does not exist, with their
    /// grants.
    Named,
}

/// Types that a sync may be limited to.
const TYPES: [&[&str]; 6] = [
    &["user"],
    &["group"],
    &["group", "user"],
    &["organization", "user", "workspace"],
    &["group", "workspace"],
    &["api_token"],
];

/// A whole simulation.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What decides the rest: the organization, delays and what is lost.
    pub seed: u64,
    /// The organization.
    pub organization: OrganizationSpec,
    /// Habits of paging.
    pub paging: Paging,
    /// Habits of answering.
    pub answers: Answers,
    /// Quotas.
    pub limits: RateLimits,
    /// How much is synced.
    pub extent: Extent,
    /// As the Go connector asks and writes.
    pub go_compatible: bool,
    /// Working files lie in a folder of their own.
    pub elsewhere: bool,
    /// Requests at once.
    pub workers: Workers,
    /// Longest delay of an answer.
    pub delay: Duration,
    /// The format that is asked for.
    pub format: Format,
    /// The format of the file that is there before.
    pub old: Option<Format>,
    /// What is tried before the run that nothing disturbs.
    pub attempts: Vec<Attempt>,
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 1);
        let dice = &mut dice;
        let users = u32::try_from(dice.between(5, 50)).unwrap_or(5);
        let format = |dice: &mut Dice| {
            if dice.one_in(2) {
                Format::V1
            } else {
                Format::V3
            }
        };
        let mut paging = paging(dice);
        let shifting = paging.cursors == CursorKind::Offset;
        let limits = limits(dice);
        if limits.policy == RateLimits::per_minute(A_MINUTE).policy {
            // Else a list of many short pages is never read to its end: its
            // cursor dies while the next minute is waited for.
            paging.cursor_lifetime = paging.cursor_lifetime.max(Duration::from_mins(10));
        }
        let attempts = dice.between(1, 4);
        // What the Go connector makes of odd data is its own affair. It counts nothing.
        let go_compatible = dice.one_in(if shifting { 8 } else { 4 });
        Self {
            seed,
            organization: OrganizationSpec {
                users,
                groups: u32::try_from(dice.between(1, 6)).unwrap_or(1),
                seed,
                directories: Some(if dice.one_in(3) { 2 } else { 1 }),
                workspaces: u32::try_from(dice.below(5)).unwrap_or(0),
                roles_per_user: u32::try_from(dice.below(3)).unwrap_or(0),
                // Where few hold roles, few are asked about.
                role_holders: seed.is_multiple_of(2).then_some(30),
                group_sizes: GroupSizes::HeavyTailed { largest: None },
                tokens: None,
                events: Some(0),
                odd_data: !go_compatible && dice.one_in(2),
            },
            paging,
            answers: answers(dice, go_compatible, shifting),
            limits,
            extent: match dice.below(if shifting { 24 } else { 12 }) {
                0 => Extent::ResourcesOnly,
                1 => Extent::WithoutGrants,
                2 => Extent::Types(TYPES[index(dice.below(TYPES.len() as u64))]),
                3 => Extent::Named,
                _ => Extent::Full,
            },
            go_compatible,
            elsewhere: dice.one_in(4),
            workers: match dice.below(4) {
                0 => Workers::Sequential,
                1 => Workers::Auto,
                _ => Workers::AtMost(u32::try_from(dice.between(1, 32)).unwrap_or(1)),
            },
            delay: Duration::from_millis([0, 5, 50, 2000][index(dice.below(4))]),
            format: format(dice),
            old: dice.one_in(2).then(|| format(dice)),
            attempts: (0..attempts)
                .map(|_| attempt(dice, shifting, go_compatible))
                .collect(),
        }
    }

    /// Whether the server does something else than asked at any time.
    pub fn has_server_faults(&self) -> bool {
        let mut mishaps = self.attempts.iter().flat_map(|attempt| &attempt.mishaps);
        mishaps.any(|mishap| matches!(mishap, Mishap::Server(_)))
    }

    /// What the server does to pages of such lists, at any time.
    pub fn actions_on<'a>(&'a self, endpoints: &'a [&str]) -> impl Iterator<Item = &'a Action> {
        let mishaps = self.attempts.iter().flat_map(|attempt| &attempt.mishaps);
        mishaps.filter_map(move |mishap| match mishap {
            Mishap::Server(fault) if endpoints.contains(&fault.endpoint.as_str()) => {
                Some(&fault.action)
            }
            _ => None,
        })
    }

    /// All mishaps, by attempt and place.
    pub fn places(&self) -> Vec<(usize, usize)> {
        let attempts = self.attempts.iter().enumerate();
        attempts
            .flat_map(|(at, attempt)| (0..attempt.mishaps.len()).map(move |of| (at, of)))
            .collect()
    }

    /// The plan without one of them.
    #[must_use]
    pub fn without(&self, place: (usize, usize)) -> Self {
        let mut plan = self.clone();
        plan.attempts[place.0].mishaps.remove(place.1);
        plan
    }
}

fn index(n: u64) -> usize {
    usize::try_from(n).unwrap_or(0)
}

fn paging(dice: &mut Dice) -> Paging {
    let shifting = dice.one_in(4);
    let fill = [PageFill::Full, PageFill::Short, PageFill::ShortOrEmpty][index(dice.below(3))];
    Paging {
        last_page: [LastPage::Null, LastPage::Missing, LastPage::Empty][index(dice.below(3))],
        // Only a list of several pages can lose something.
        fill: match dice.below(4) {
            0..3 if shifting => PageFill::AtMost(u32::try_from(dice.between(3, 9)).unwrap_or(3)),
            _ => fill,
        },
        cursors: if shifting {
            CursorKind::Offset
        } else {
            CursorKind::Keyset
        },
        cursor_lifetime: Duration::from_secs([30, 600, 3600][index(dice.below(3))]),
        cursors_need_escaping: dice.one_in(2),
        workspace_next_is_url: dice.one_in(2),
    }
}

/// Requests per minute where there is such a quota.
const A_MINUTE: u32 = 40;

fn limits(dice: &mut Dice) -> RateLimits {
    match dice.below(6) {
        0 => RateLimits::default(),
        1 => RateLimits::per_second(20),
        2 => RateLimits::per_minute(A_MINUTE),
        _ => RateLimits::off(),
    }
}

fn answers(dice: &mut Dice, go_compatible: bool, shifting: bool) -> Answers {
    let mut answers = Answers {
        numeric_error_status: dice.one_in(2),
        // Rows that come twice make up for others.
        user_per_directory: dice.one_in(if shifting { 8 } else { 3 }),
        ..Answers::default()
    };
    match dice.below(4) {
        0 => answers.searches = Generation::NotFound,
        1 if !go_compatible => answers.get_lists = Generation::Gone,
        _ => {}
    }
    answers
}

/// An attempt in which nothing happens but that things go: it ends, and what
/// it lost is looked at.
fn departures(dice: &mut Dice) -> Attempt {
    let mut depart = || {
        let what = *dice.pick(&DEPARTURES).unwrap_or(&Alteration::Leave);
        Mishap::Change(dice.between(4, 30), what, dice.number())
    };
    let mishaps = vec![depart(), depart(), depart(), depart()];
    Attempt {
        mishaps,
        in_seal: false,
        pause: Duration::from_secs(dice.between(1, 60)),
    }
}

fn attempt(dice: &mut Dice, shifting: bool, go_compatible: bool) -> Attempt {
    if shifting && dice.one_in(2) {
        return departures(dice);
    }
    let mut mishaps = Vec::new();
    for _ in 0..dice.below(3) {
        mishaps.push(Mishap::Server(match dice.below(5) {
            0 => odd_list(dice, go_compatible),
            _ => server_fault(dice),
        }));
    }
    for _ in 0..dice.below(3) {
        let what = *dice.pick(&ALTERATIONS).unwrap_or(&Alteration::AddUser);
        mishaps.push(Mishap::Change(early(dice), what, dice.number()));
    }
    match dice.below(8) {
        0 => mishaps.push(Mishap::KillAt(early(dice), false)),
        1 => mishaps.push(Mishap::KillAt(early(dice), true)),
        2 => mishaps.push(Mishap::StopAt(early(dice))),
        3 => {
            let limit = Duration::from_millis(dice.between(1, 20_000));
            mishaps.push(Mishap::Deadline(limit));
        }
        _ => {}
    }
    for _ in 0..dice.below(3) {
        let at = early(dice);
        mishaps.push(Mishap::Disk(match dice.below(7) {
            0 | 1 => DiskFault::Fails(at),
            2 => DiskFault::FullFrom(at),
            3 => DiskFault::ReadFails(at),
            4 => DiskFault::Kill(at),
            _ => DiskFault::PowerLoss(at),
        }));
    }
    let pause = match dice.below(12) {
        0 => Duration::from_hours(2),
        1 => Duration::from_hours(8 * 24),
        _ => Duration::from_secs(dice.between(1, 60)),
    };
    // Half the attempts whose disk fails get as far as the seal.
    let in_seal = dice.one_in(2);
    Attempt {
        mishaps,
        in_seal,
        pause,
    }
}

/// The number of a request or an operation: rather at the beginning.
fn early(dice: &mut Dice) -> u64 {
    let most = [10, 40, 120, 250][index(dice.below(4))];
    dice.between(1, most)
}

fn server_fault(dice: &mut Dice) -> Fault {
    let endpoint = *dice.pick(&ENDPOINTS).unwrap_or(&"*");
    let most = match endpoint {
        "*" => 120,
        _ if dice.one_in(2) => 6,
        _ => 40,
    };
    let calls = calls(dice, most);
    let pages = [Pages::Any, Pages::First, Pages::Later, Pages::Last][index(dice.below(4))];
    if endpoint.ends_with("/{id}") {
        // Other wrong answers about one object cannot be noticed.
        let shape = *dice.pick(WrongShape::ALL).unwrap_or(&WrongShape::ALL[0]);
        return Fault::new(endpoint, calls, Action::Shape(shape));
    }
    let status = [400, 401, 403, 404, 409, 410, 500, 501, 502, 503, 504];
    let action = match dice.below(18) {
        0 => Action::TooManyRequests(RetryAfter::Absent),
        1 => Action::TooManyRequests(RetryAfter::Seconds(
            [-5, 0, 7, 60, 99_999_999][index(dice.below(5))],
        )),
        2 => Action::TooManyRequests(RetryAfter::HttpDate([-60, 30, 4000][index(dice.below(3))])),
        3 => Action::TooManyRequests(RetryAfter::Text("soon".to_owned())),
        4 | 5 => Action::Status(*dice.pick(&status).unwrap_or(&500)),
        6 => Action::HtmlPage([200, 403, 404, 502][index(dice.below(4))]),
        7 => Action::ConnectionReset,
        8 => Action::Truncate(dice.one_in(2).then(|| index(dice.below(300)))),
        9 => Action::InvalidJson,
        10 => Action::RepeatCursor,
        11 => Action::ExpireCursor,
        12..=15 => Action::Shape(*dice.pick(WrongShape::ALL).unwrap_or(&WrongShape::ALL[0])),
        16 => Action::RefusePageSize(u32::try_from(dice.between(1, 99)).unwrap_or(1)),
        _ if dice.one_in(2) => Action::SlowDrip {
            bytes: index(dice.between(1, 400)),
            pause: Duration::from_millis(dice.between(1, 3000)),
        },
        _ => Action::Delay(Duration::from_secs(dice.between(1, 400))),
    };
    Fault::new(endpoint, calls, action).on(pages)
}

fn calls(dice: &mut Dice, most: u64) -> Calls {
    let first = dice.between(1, most);
    match dice.below(8) {
        0 => Calls::From(first),
        1 => Calls::Between(first, first + dice.below(8)),
        2 => Calls::Every(first + 1),
        3 => Calls::PerMille(u32::try_from(dice.between(20, 300)).unwrap_or(20)),
        _ => Calls::Nth(first),
    }
}

/// A list that is not as it should be, though each of its pages is whole.
fn odd_list(dice: &mut Dice, go_compatible: bool) -> Fault {
    let endpoint = *dice.pick(&COUNTED).unwrap_or(&COUNTED[0]);
    let calls = calls(dice, 6);
    let pages = [Pages::Any, Pages::First, Pages::Later, Pages::Last][index(dice.below(4))];
    match dice.below(6) {
        0 => Fault::new(endpoint, calls, Action::SamePage).on(pages),
        1 => Fault::new(endpoint, calls, Action::EmptyPage).on(pages),
        2 => Fault::new(endpoint, calls, Action::RepeatItems).on(pages),
        // The Go connector counts nothing, so these two deceive it.
        3 if !go_compatible => Fault::new(endpoint, calls, Action::CutCursor).on(Pages::Later),
        4 if !go_compatible => {
            let users = COUNTED[index(dice.below(2))];
            Fault::new(users, calls, Action::IgnoreFilters).on(pages)
        }
        _ => Fault::new(endpoint, calls, Action::Total(dice.below(60))).on(pages),
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "seed {}: {} users, {} groups, {} directories, {} workspaces, {:?}",
            self.seed,
            self.organization.users,
            self.organization.groups,
            self.organization.directories.unwrap_or(1),
            self.organization.workspaces,
            self.workers
        )?;
        writeln!(
            f,
            "  {:?}, go-compatible {}, format {:?}, file before {:?}, delays to {:?}",
            self.extent, self.go_compatible, self.format, self.old, self.delay
        )?;
        writeln!(f, "  {:?}", self.paging)?;
        writeln!(f, "  {:?}", self.answers)?;
        writeln!(f, "  {:?}", self.limits.policy)?;
        for (attempt, number) in self.attempts.iter().zip(1..) {
            let from = if attempt.in_seal {
                "the seal"
            } else {
                "its start"
            };
            writeln!(
                f,
                "  attempt {number} (disk faults from {from}), then {:?}:",
                attempt.pause
            )?;
            for mishap in &attempt.mishaps {
                writeln!(f, "    {mishap:?}")?;
            }
        }
        Ok(())
    }
}
