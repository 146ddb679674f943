//! The simulator's router as a network, with delays, and with everything that
//! happens at a certain request.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use atlassian_sim::{
    AccountStatus, Change, Membership, NewUser, Principal, Simulator, TransportFault,
};
use baton_connector::Clock;
use baton_connector::http::{BodyStream, Transport, TransportError, TransportErrorKind};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::disk::Disk;
use crate::history::History;
use crate::plan::{Alteration, Mishap};
use crate::random::Dice;

/// The clock of the simulated machine: it goes with tokio's time.
#[derive(Debug, Clone, Copy)]
pub struct SimulatedClock {
    begin: SystemTime,
    origin: Instant,
}

impl SimulatedClock {
    /// A clock that shows `begin` now.
    pub fn starting_at(begin: SystemTime) -> Self {
        let origin = Instant::now();
        Self { begin, origin }
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> SystemTime {
        self.begin + self.origin.elapsed()
    }
}

struct State {
    dice: Dice,
    requests: u64,
    mishaps: Vec<Mishap>,
    cancel: CancellationToken,
    history: History,
}

/// The network between the connector and the simulator. Clones share it.
#[derive(Clone)]
pub struct Network {
    simulator: Simulator,
    clock: SimulatedClock,
    disk: Disk,
    delay: Duration,
    state: Arc<Mutex<State>>,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Network")
    }
}

impl Network {
    /// A network to a simulator whose answers take up to `delay`.
    pub fn to(
        simulator: Simulator,
        clock: SimulatedClock,
        disk: Disk,
        delay: Duration,
        dice: Dice,
    ) -> Self {
        let mut history = History::default();
        history.record(clock.now(), &simulator.truth());
        let state = State {
            dice,
            requests: 0,
            mishaps: Vec::new(),
            cancel: CancellationToken::new(),
            history,
        };
        Self {
            simulator,
            clock,
            disk,
            delay,
            state: Arc::new(Mutex::new(state)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An attempt begins; returns what asks it to stop.
    pub fn start(&self, mishaps: &[Mishap]) -> CancellationToken {
        let faults = mishaps.iter().filter_map(|mishap| match mishap {
            Mishap::Server(fault) => Some(fault.clone()),
            _ => None,
        });
        self.simulator.set_faults(faults.collect());
        let mut state = self.state();
        state.requests = 0;
        state.mishaps = mishaps.to_vec();
        state.cancel = CancellationToken::new();
        state.cancel.clone()
    }

    /// Looks at what was true when.
    pub fn history<R>(&self, look: impl FnOnce(&History) -> R) -> R {
        look(&self.state().history)
    }

    /// Requests of this attempt.
    pub fn requests(&self) -> u64 {
        self.state().requests
    }

    /// What happens at this request, and how long its answer takes.
    fn arrive(&self) -> Duration {
        let mut state = self.state();
        state.requests += 1;
        let now = state.requests;
        for mishap in state.mishaps.clone() {
            match mishap {
                Mishap::Change(at, what, object) if at == now => {
                    self.alter(what, object);
                    let truth = self.simulator.truth();
                    state.history.record(self.clock.now(), &truth);
                }
                Mishap::KillAt(at, power) if at == now => self.disk.kill(power),
                Mishap::StopAt(at) if at == now => state.cancel.cancel(),
                _ => {}
            }
        }
        let most = u64::try_from(self.delay.as_millis()).unwrap_or(0);
        Duration::from_millis(state.dice.below(most + 1))
    }

    /// Changes the organization; where there is no such object, it stays.
    fn alter(&self, what: Alteration, object: u64) {
        let truth = self.simulator.truth();
        let mut dice = Dice::new(object, 7);
        let user = dice.pick(&truth.users).map(|user| user.account_id.clone());
        let user = user.unwrap_or_default();
        let directory = dice.pick(&truth.directory_ids).cloned();
        let directory = directory.unwrap_or_default();
        let group = dice.pick(&truth.groups).map(|group| group.id.clone());
        let group = group.unwrap_or_default();
        let workspace = dice.pick(&truth.workspaces).map(|found| found.id.clone());
        let workspace = workspace.unwrap_or_default();
        let organization = self.simulator.organization();
        let assign = |principal| Change::AssignRole {
            principal,
            resource_id: workspace.clone(),
            role: "atlassian/user".to_owned(),
        };
        // An object that is not there cannot change; then there is no mishap.
        let _ = match what {
            Alteration::AddUser => organization
                .add_user(NewUser::named(
                    format!("New {object}"),
                    format!("new-{object}@example.com"),
                ))
                .map(drop),
            Alteration::RemoveUser => organization.remove_user(&user),
            Alteration::Readdress => {
                organization.set_email(&user, Some(&format!("moved-{object}@example.com")))
            }
            Alteration::Suspend if object.is_multiple_of(2) => {
                organization.set_account_status(&user, AccountStatus::Inactive, false)
            }
            Alteration::Suspend => {
                organization.set_membership(&user, &directory, Membership::Suspended)
            }
            Alteration::LeaveDirectory => {
                organization.set_membership(&user, &directory, Membership::None)
            }
            Alteration::AddGroup => organization
                .add_group(&format!("new-{object}"), Some(&directory), false)
                .map(drop),
            Alteration::RemoveGroup => organization.remove_group(&group),
            Alteration::RenameGroup => {
                organization.rename_group(&group, &format!("renamed-{object}"))
            }
            Alteration::Join => organization.add_member(&group, &user).map(drop),
            Alteration::Leave => match dice.pick(&truth.memberships) {
                Some(of) => organization
                    .remove_member(&of.group_id, &of.account_id)
                    .map(drop),
                None => Ok(()),
            },
            Alteration::Assign => organization.apply(assign(Principal::User(user))).map(drop),
            Alteration::AssignGroup => organization
                .apply(assign(Principal::Group(group)))
                .map(drop),
            Alteration::Revoke => match dice.pick(&truth.direct_roles) {
                Some(role) => organization
                    .apply(Change::RevokeRole {
                        principal: role.principal.clone(),
                        resource_id: role.resource_id.clone(),
                        role: role.role.clone(),
                    })
                    .map(drop),
                None => Ok(()),
            },
            Alteration::AddToken => organization.add_token(&user).map(drop),
            Alteration::RevokeToken => match dice.pick(&truth.tokens) {
                Some(token) => organization.revoke_token(&token.id),
                None => Ok(()),
            },
        };
    }
}

#[async_trait]
impl Transport for Network {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<BodyStream>, TransportError> {
        let delay = self.arrive();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let request = request.map(axum::body::Body::from);
        let response = match self.simulator.router().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        if response.extensions().get() == Some(&TransportFault::ConnectionReset) {
            return Err(TransportError::new(TransportErrorKind::Reset, "scripted"));
        }
        Ok(response.map(|body| {
            let pieces = body.into_data_stream().map(|piece| {
                piece.map_err(|_| TransportError::new(TransportErrorKind::Truncated, "scripted"))
            });
            Box::pin(pieces) as BodyStream
        }))
    }
}
