//! `--invoke-action`: one action of the connector.

use std::sync::Arc;
use std::time::Duration;

use baton_connector::{ActionState, Actions, Call, Connector, Invoke};
use prost_types::Struct;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::audit::Party;
use super::json_object;
use super::making::Making;
use super::result::{ActionPart, Brought};
use super::subject::Subject;
use crate::context::CommandContext;
use crate::error::{ActionEnd, Error, Result};
use crate::exit::ExitStatus;
use crate::flags;

/// Time between two looks at the state of an action.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The action that the flags name.
struct Wanted {
    name: String,
    type_id: String,
    arguments: Struct,
}

impl Wanted {
    /// Of the flags of actions, or of those of resource actions.
    fn of_flags(context: &CommandContext) -> Result<Self> {
        let config = context.config();
        let [name, type_id, arguments] = if config.get(&flags::INVOKE_ACTION).is_empty() {
            flags::RESOURCE_ACTION
        } else {
            flags::ACTION
        };
        let text = config.get(&arguments);
        let arguments = if text.is_empty() {
            Struct::default()
        } else {
            let flag = arguments.name();
            json_object::parse(flag, text).map_err(|source| Error::ActionArguments {
                flag,
                source: Box::new(source),
            })?
        };
        Ok(Self {
            name: config.get(&name).to_owned(),
            type_id: config.get(&type_id).to_owned(),
            arguments,
        })
    }
}

/// Runs `--invoke-action`, or `--invoke-resource-action`.
pub(crate) async fn invoke(context: CommandContext) -> Result<ExitStatus> {
    let wanted = Wanted::of_flags(&context)?;
    let limit = context.config().get(&flags::ACTION_TIMEOUT);
    let target = Making::check(&context)?;
    let built = context.connect()?;
    context.check_announced(&built).await?;
    let subject = Subject::Action(Party {
        type_id: wanted.type_id.clone(),
        id: wanted.name.clone(),
        name: String::new(),
    });
    let making = Making::new(context, built, target, subject).await?;
    making
        .make(async |connector, call| {
            let state = run(&connector, &call, &wanted, limit).await?;
            Ok(Brought {
                action: Some(ActionPart::of(&state)),
                ..Brought::default()
            })
        })
        .await
}

/// Begins the action and waits for its end.
async fn run(
    connector: &Arc<dyn Connector>,
    call: &Call,
    wanted: &Wanted,
    limit: Duration,
) -> Result<ActionState> {
    let actions = connector.actions().ok_or(Error::NoActions)?;
    let deadline = Instant::now() + limit;
    // The call waits a second at most, and its end would hide the action's id.
    let unstopped = call.clone().stopped_by(CancellationToken::new());
    let begun = Invoke {
        name: &wanted.name,
        type_id: Some(&wanted.type_id),
        arguments: &wanted.arguments,
        inline_wait: Duration::ZERO,
    };
    let mut state = actions.invoke(&unstopped, begun).await?;
    tracing::info!(
        action_id = state.id,
        name = state.name,
        status = state.status.as_str_name(),
        response = shown(&state),
        "ActionInvoke response"
    );
    let mut end = ActionEnd::ByItself;
    while !state.is_final() {
        tokio::select! {
            biased;
            () = call.stop().cancelled() => end = ActionEnd::Stopped,
            () = sleep_until(deadline) => end = ActionEnd::Late(limit),
            () = sleep(LOOK_EVERY) => {
                state = actions.status(call, &state.id).await?;
                continue;
            }
        }
        state = settled(connector, actions, call, state).await?;
        break;
    }
    tracing::info!(resp = shown(&state), "ActionInvoke response");
    if state.status == baton_connector::v2::BatonActionStatus::Complete {
        return Ok(state);
    }
    Err(Error::Action {
        state: Box::new(state),
        end,
    })
}

/// The state of an action that is no longer waited for. In this process it ends
/// with the program, so it is asked to, and what it has begun is brought to its
/// end.
async fn settled(
    connector: &Arc<dyn Connector>,
    actions: &dyn Actions,
    call: &Call,
    state: ActionState,
) -> Result<ActionState> {
    let Some(local) = connector.local() else {
        return Ok(state);
    };
    local.end_actions().await;
    Ok(actions.status(call, &state.id).await?)
}

/// The answer of an action as log lines have it.
fn shown(state: &ActionState) -> String {
    let part = ActionPart::of(state);
    if part.response.is_null() {
        // As in the log lines of the Go programs.
        return "<nil>".to_owned();
    }
    part.response.to_string()
}
