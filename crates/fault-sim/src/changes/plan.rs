//! What happens in one simulation of changes. All of it follows from a seed, and
//! each step and each trouble can be taken out again.

use std::fmt;
use std::time::Duration;

use atlassian_sim::{Action, Calls, Fault, OrganizationSpec, RetryAfter, Writes};
use baton_connector::Operation;

use crate::random::Dice;

/// Endpoints of the writes that grants and revokes send.
const WRITES: [&str; 8] = [
    "POST v2/groups/{id}/memberships",
    "DELETE v2/groups/{id}/memberships/{member}",
    "POST v1/users/{id}/roles/assign",
    "POST v1/users/{id}/roles/revoke",
    "POST v2/groups/{id}/role-assignments/assign",
    "POST v2/groups/{id}/role-assignments/revoke",
    "POST v1/users/{id}/role-assignments/assign",
    "POST v1/users/{id}/role-assignments/revoke",
];

/// Endpoints of the reads that they need.
const READS: [&str; 6] = [
    "POST v2/groups/search",
    "POST v2/users/search",
    "GET v2/groups/{id}",
    "GET v2/groups/{id}/role-assignments",
    "GET v2/users/{id}/role-assignments",
    "GET v2/directories",
];

/// What is granted or revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The membership of a user in a group.
    Membership,
    /// The role of a user or a group on a workspace.
    WorkspaceRole,
    /// The role of a user on the organization.
    OrganizationRole,
    /// An entitlement and a principal of any types.
    Anything,
    /// What the step before was about.
    Same,
}

/// What goes wrong in a change. Requests are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// These writes suffer this.
    Write(Calls, Action),
    /// These reads of each kind suffer this.
    Read(Calls, Action),
    /// At this request the process is killed.
    KillAt(u64),
    /// At this request the process is asked to stop.
    StopAt(u64),
}

impl Trouble {
    /// The faults of the server.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        let (endpoints, calls, action) = match self {
            Self::Write(calls, action) => (&WRITES[..], calls, action),
            Self::Read(calls, action) => (&READS[..], calls, action),
            Self::KillAt(_) | Self::StopAt(_) => return Vec::new(),
        };
        let fault = |endpoint: &&str| Fault::new(*endpoint, calls.clone(), action.clone());
        endpoints.iter().map(fault).collect()
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it does.
    pub operation: Operation,
    /// What it is about.
    pub subject: Subject,
    /// Picks the entitlement and the principal.
    pub object: u64,
    /// Picks a grant that there is, rather than any pair.
    pub existing: bool,
    /// It is asked for twice at the same time.
    pub twice: bool,
    /// It is a dry run.
    pub dry_run: bool,
    /// It follows the step before at once, in the same process; otherwise in a
    /// new process, once the step before shows.
    pub same_process: bool,
    /// What goes wrong in it.
    pub troubles: Vec<Trouble>,
}

impl Step {
    /// A change that nothing disturbs, of something that is picked already.
    pub(crate) fn calm(operation: Operation) -> Self {
        Self {
            operation,
            subject: Subject::Same,
            object: 0,
            existing: false,
            twice: false,
            dry_run: false,
            same_process: false,
            troubles: Vec::new(),
        }
    }
}

/// A whole simulation of changes.
#[derive(Debug, Clone)]
pub struct ChangePlan {
    /// What decides the rest.
    pub seed: u64,
    /// The organization.
    pub organization: OrganizationSpec,
    /// What the API leaves open about writes.
    pub writes: Writes,
    /// How long a change does not show.
    pub visible_after: Duration,
    /// Longest delay of an answer.
    pub delay: Duration,
    /// The changes, in order.
    pub steps: Vec<Step>,
}

impl ChangePlan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 11);
        let dice = &mut dice;
        let count = |n: u64| u32::try_from(n).unwrap_or(1);
        let seconds = |dice: &mut Dice, most| Duration::from_secs(dice.between(1, most));
        let organization_role_delay = dice.one_in(3).then(|| seconds(dice, 30));
        Self {
            seed,
            organization: OrganizationSpec {
                users: count(dice.between(3, 12)),
                groups: count(dice.between(1, 4)),
                seed,
                directories: Some(if dice.one_in(3) { 2 } else { 1 }),
                workspaces: count(dice.between(1, 3)),
                roles_per_user: count(dice.below(3)),
                tokens: Some(0),
                events: Some(0),
                odd_data: dice.one_in(4),
                ..OrganizationSpec::default()
            },
            writes: Writes {
                readd_conflicts: dice.one_in(2),
                absent_removal_succeeds: dice.one_in(2),
                organization_role_delay,
                ..Writes::default()
            },
            visible_after: match dice.below(3) {
                0 => Duration::ZERO,
                1 => seconds(dice, 5),
                _ => seconds(dice, 30),
            },
            delay: Duration::from_millis([0, 5, 2000][pick(dice, 3)]),
            steps: (0..dice.between(1, 5)).map(|_| step(dice)).collect(),
        }
    }

    /// Every plan with one step or one trouble less.
    pub fn smaller(&self) -> Vec<Self> {
        let mut smaller = Vec::new();
        for at in 0..self.steps.len() {
            let mut plan = self.clone();
            plan.steps.remove(at);
            smaller.push(plan);
            for trouble in 0..self.steps[at].troubles.len() {
                let mut plan = self.clone();
                plan.steps[at].troubles.remove(trouble);
                smaller.push(plan);
            }
        }
        smaller
    }
}

fn pick(dice: &mut Dice, n: u64) -> usize {
    usize::try_from(dice.below(n)).unwrap_or(0)
}

fn step(dice: &mut Dice) -> Step {
    let operation = if dice.one_in(2) {
        Operation::Grant
    } else {
        Operation::Revoke
    };
    let subject = match dice.below(12) {
        0..4 => Subject::Membership,
        4..7 => Subject::WorkspaceRole,
        7..9 => Subject::OrganizationRole,
        9 => Subject::Anything,
        _ => Subject::Same,
    };
    let mut troubles = Vec::new();
    for _ in 0..dice.below(3) {
        troubles.push(write_trouble(dice));
    }
    if dice.one_in(3) {
        troubles.push(read_trouble(dice));
    }
    match dice.below(6) {
        0 => troubles.push(Trouble::KillAt(dice.between(1, 8))),
        1 => troubles.push(Trouble::StopAt(dice.between(1, 8))),
        _ => {}
    }
    Step {
        operation,
        subject,
        object: dice.number(),
        // Rather what can be done than what is so already.
        existing: dice.one_in(4) != (operation == Operation::Revoke),
        twice: dice.one_in(6),
        dry_run: dice.one_in(8),
        same_process: dice.one_in(3),
        troubles,
    }
}

fn calls(dice: &mut Dice) -> Calls {
    match dice.below(6) {
        0 => Calls::Nth(2),
        1 => Calls::Between(1, 2),
        2 => Calls::From(1),
        3 => Calls::From(2),
        _ => Calls::Nth(1),
    }
}

/// What happens to writes. None answers that things are as wanted when they are
/// not: an application that lies is believed.
fn write_trouble(dice: &mut Dice) -> Trouble {
    let statuses = [500, 502, 503, 504];
    let status = statuses[pick(dice, 4)];
    let action = match dice.below(14) {
        0..3 => Action::LoseAnswer,
        3 => Action::Hang,
        4 | 5 => Action::MaskAnswer(status),
        6 => Action::ConnectionReset,
        7 => Action::Status(status),
        8 => Action::HtmlPage([200, 502][pick(dice, 2)]),
        9 => Action::Refuse(403, "ADMIN-UAM-403-1"),
        10 => Action::Refuse(409, "ADMIN-UAM-409-3"),
        11 => Action::TooManyRequests(RetryAfter::Seconds(7)),
        12 => Action::TooManyRequests(RetryAfter::Absent),
        _ => Action::Delay(Duration::from_secs(dice.between(1, 400))),
    };
    Trouble::Write(calls(dice), action)
}

/// What happens to reads. A reader can see it: what looks like a good answer is
/// one.
fn read_trouble(dice: &mut Dice) -> Trouble {
    let action = match dice.below(6) {
        0 => Action::ConnectionReset,
        1 => Action::Status(503),
        2 => Action::Status(403),
        3 => Action::HtmlPage(200),
        4 => Action::InvalidJson,
        _ => Action::Delay(Duration::from_secs(dice.between(1, 60))),
    };
    Trouble::Read(calls(dice), action)
}

impl fmt::Display for ChangePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = &self.organization;
        writeln!(
            f,
            "seed {}: {} users, {} groups, {} workspaces; changes show after {:?}, delays to {:?}",
            self.seed, of.users, of.groups, of.workspaces, self.visible_after, self.delay
        )?;
        writeln!(f, "  {:?}", self.writes)?;
        for (step, number) in self.steps.iter().zip(1..) {
            writeln!(
                f,
                "  step {number}: {:?} {:?} {} existing {} twice {} dry run {} same process {}",
                step.operation,
                step.subject,
                step.object,
                step.existing,
                step.twice,
                step.dry_run,
                step.same_process
            )?;
            for trouble in &step.troubles {
                writeln!(f, "    {trouble:?}")?;
            }
        }
        Ok(())
    }
}
