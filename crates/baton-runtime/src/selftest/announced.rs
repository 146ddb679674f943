//! Whether a connector does what it announces in its metadata.

use std::collections::BTreeSet;

use baton_connector::{Code, Connector, Page, v2};
use v2::Capability;

use super::caller::{Answer, Caller, Fault};
use super::recorder::Recorded;
use super::{CheckResult, Verdict};

/// Schemas of actions and tickets that are requested by their names, at most.
const SCHEMAS: usize = 10;
/// What a connector refuses tickets with that it was not asked to serve.
const NOT_ENABLED: &str = "is not enabled";

const TYPES: &str = "announced resource types are listed";
const CHANGES: &str = "announced changes are offered";
const ACCOUNTS: &str = "accounts and credentials are as announced";
const FEEDS: &str = "event feeds are as announced";
const ACTIONS: &str = "actions are as announced";
const TICKETS: &str = "tickets are as announced";

/// What a connector announces.
pub(super) struct Announced {
    metadata: v2::ConnectorMetadata,
    capabilities: v2::ConnectorCapabilities,
}

impl Announced {
    /// Requests it; `None` where the connector announces nothing.
    pub(super) async fn read(caller: &Caller) -> Answer<Option<Self>> {
        let call = caller.call();
        let mut metadata = caller.ask(caller.connector().metadata(&call)).await?;
        Ok(metadata.capabilities.take().map(|capabilities| Self {
            metadata,
            capabilities,
        }))
    }

    fn has(&self, capability: Capability) -> bool {
        let all = &self.capabilities.connector_capabilities;
        all.contains(&capability.into())
    }

    fn has_any(&self, capabilities: &[Capability]) -> bool {
        capabilities.iter().any(|capability| self.has(*capability))
    }

    /// Whether a type has a capability.
    pub(super) fn of_type(&self, type_id: &str, capability: Capability) -> bool {
        let mut types = self.capabilities.resource_type_capabilities.iter();
        let of_type = types.find(|announced| id(announced) == type_id);
        of_type.is_some_and(|announced| announced.capabilities.contains(&capability.into()))
    }
}

fn id(announced: &v2::ResourceTypeCapability) -> &str {
    let resource_type = announced.resource_type.as_ref();
    resource_type.map_or("", |resource_type| resource_type.id.as_str())
}

/// The checks of a connector whose metadata give `announced`.
pub(super) async fn checks(
    caller: &Caller,
    announced: &Answer<Option<Announced>>,
    recorded: &Recorded,
) -> Vec<CheckResult> {
    let verdicts = match announced {
        Err(fault) => {
            let found = vec![format!("the metadata cannot be read: {fault}")];
            let mut verdicts = vec![Verdict::Skip("the metadata cannot be read"); 6];
            verdicts[0] = Verdict::Fail(found);
            verdicts
        }
        Ok(None) => vec![Verdict::Skip("the metadata have no capabilities"); 6],
        Ok(Some(announced)) => vec![
            Verdict::of(types(announced, recorded)),
            Verdict::of(changes(announced, caller.connector())),
            Verdict::of(credentials(announced)),
            feeds(caller, announced).await,
            actions(caller, announced, recorded).await,
            tickets(caller, announced).await,
        ],
    };
    let names = [TYPES, CHANGES, ACCOUNTS, FEEDS, ACTIONS, TICKETS];
    let checks = names.into_iter().zip(verdicts);
    checks
        .map(|(name, verdict)| CheckResult { name, verdict })
        .collect()
}

fn types(announced: &Announced, recorded: &Recorded) -> Vec<String> {
    let types = &announced.capabilities.resource_type_capabilities;
    let known: BTreeSet<&str> = types.iter().map(id).collect();
    let listed = recorded.types.iter().map(|listed| listed.id.as_str());
    let listed: BTreeSet<&str> = listed.collect();
    let missing = known.difference(&listed);
    let missing = missing.map(|id| format!("type `{id}` is announced, but not listed"));
    let further = listed.difference(&known);
    let further = further.map(|id| format!("type `{id}` is listed, but not announced"));
    let mut found: Vec<String> = missing.chain(further).collect();
    for announced_type in types {
        for capability in announced_type.capabilities() {
            if !announced.has(capability) {
                let (name, id) = (capability.as_str_name(), id(announced_type));
                found.push(format!(
                    "type `{id}` has {name}, but the connector does not announce it"
                ));
            }
        }
    }
    found
}

/// Whether the parts are there that make announced changes. A connector in another
/// process shows that only when a change is made.
fn changes(announced: &Announced, connector: &dyn Connector) -> Vec<String> {
    let parts = [
        (Capability::Provision, connector.provisioning().is_some()),
        (Capability::ResourceCreate, connector.creating().is_some()),
        (Capability::ResourceDelete, connector.deleting().is_some()),
        (
            Capability::AccountProvisioning,
            connector.accounts().is_some(),
        ),
        (
            Capability::CredentialRotation,
            connector.credentials().is_some(),
        ),
        (
            Capability::CredentialIssue,
            connector.credentials().is_some(),
        ),
    ];
    let missing = parts
        .into_iter()
        .filter(|(capability, offered)| announced.has(*capability) && !offered);
    missing
        .map(|(capability, _)| {
            let name = capability.as_str_name();
            format!("{name} is announced, but the connector has no such part")
        })
        .collect()
}

/// Whether an engine can create accounts and credentials from what is announced.
fn credentials(announced: &Announced) -> Vec<String> {
    let mut found = Vec::new();
    let details = announced.capabilities.credential_details.clone();
    let details = details.unwrap_or_default();
    if announced.has(Capability::AccountProvisioning) {
        let name = Capability::AccountProvisioning.as_str_name();
        if announced.metadata.account_creation_schema.is_none() {
            found.push(format!(
                "{name} is announced, but the metadata have no account creation schema"
            ));
        }
        let options = details.capability_account_provisioning.map(|details| {
            (
                details.supported_credential_options,
                details.preferred_credential_option,
            )
        });
        found.extend(options_fault(name, options));
    }
    if announced.has(Capability::CredentialRotation) {
        let name = Capability::CredentialRotation.as_str_name();
        let options = details.capability_credential_rotation.map(|details| {
            (
                details.supported_credential_options,
                details.preferred_credential_option,
            )
        });
        found.extend(options_fault(name, options));
    }
    for announced_type in &announced.capabilities.resource_type_capabilities {
        let issues = announced_type
            .capabilities()
            .any(|capability| capability == Capability::CredentialIssue);
        let details = announced_type.credential_issue.as_ref();
        if issues && details.is_none_or(|details| details.options.is_empty()) {
            let (name, id) = (
                Capability::CredentialIssue.as_str_name(),
                id(announced_type),
            );
            found.push(format!("type `{id}` has {name}, but no options of it"));
        }
    }
    found
}

/// What is wrong with the supported options and the preferred one of a capability.
fn options_fault(name: &str, options: Option<(Vec<i32>, i32)>) -> Option<String> {
    match options {
        None => Some(format!("{name} is announced without credential details")),
        Some((supported, _)) if supported.is_empty() => {
            Some(format!("{name} is announced without a credential option"))
        }
        Some((supported, preferred)) if !supported.contains(&preferred) => Some(format!(
            "the preferred credential option of {name} is not among those that it supports"
        )),
        Some(_) => None,
    }
}

/// Rows of a list that a capability announces.
fn as_announced<T>(
    is_announced: bool,
    name: &str,
    what: &str,
    answer: Answer<Vec<T>>,
) -> std::result::Result<Vec<T>, Verdict> {
    let found = match (is_announced, answer) {
        (true, Ok(rows)) if rows.is_empty() => {
            format!("{name} is announced, but there are no {what}")
        }
        (false, Ok(rows)) if !rows.is_empty() => {
            format!("there are {what}, but {name} is not announced")
        }
        (_, Ok(rows)) => return Ok(rows),
        (false, Err(fault)) if fault.code() == Some(Code::Unimplemented) => return Ok(Vec::new()),
        (_, Err(fault)) => format!("cannot list {what}: {fault}"),
    };
    Err(Verdict::Fail(vec![found]))
}

async fn feeds(caller: &Caller, announced: &Announced) -> Verdict {
    let call = caller.call();
    let answer = match caller.connector().event_feeds() {
        None => Ok(Vec::new()),
        Some(feeds) => caller.ask(feeds.list_feeds(&call)).await,
    };
    let is_announced = announced.has_any(&[Capability::EventFeedV2, Capability::EventFeed]);
    let name = Capability::EventFeedV2.as_str_name();
    match as_announced(is_announced, name, "event feeds", answer) {
        Err(verdict) => verdict,
        Ok(feeds) => Verdict::of(twice(
            "event feed",
            feeds.iter().map(|feed| feed.id.clone()),
        )),
    }
}

/// Names that come more than once.
fn twice(what: &str, names: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let repeated = names.filter(|name| !seen.insert(name.clone()));
    let repeated = repeated.map(|name| format!("{what} `{name}` is listed more than once"));
    repeated.collect()
}

async fn actions(caller: &Caller, announced: &Announced, recorded: &Recorded) -> Verdict {
    let Some(actions) = caller.connector().actions() else {
        let is_announced = announced.has(Capability::Actions);
        let name = Capability::Actions.as_str_name();
        let answer = as_announced::<()>(is_announced, name, "actions", Ok(Vec::new()));
        return answer.map_or_else(|verdict| verdict, |_| Verdict::Pass);
    };
    let call = caller.call();
    let is_announced = announced.has(Capability::Actions);
    let name = Capability::Actions.as_str_name();
    let answer = caller.ask(actions.schemas(&call, None)).await;
    let schemas = match as_announced(is_announced, name, "actions", answer) {
        Ok(schemas) => schemas,
        Err(verdict) => return verdict,
    };
    let named = |schema: &v2::BatonActionSchema| match schema.resource_type_id.as_str() {
        "" => schema.name.clone(),
        type_id => format!("{} of type {type_id}", schema.name),
    };
    let mut found = twice("action", schemas.iter().map(named));
    let (global, of_types): (Vec<_>, Vec<_>) = schemas
        .iter()
        .partition(|schema| schema.resource_type_id.is_empty());
    for schema in global.into_iter().take(SCHEMAS) {
        let name = &schema.name;
        match caller.ask(actions.schema(&call, name)).await {
            Ok(one) if one.name == *name => {}
            Ok(one) => found.push(format!(
                "the schema of action `{name}` is one of `{}`",
                one.name
            )),
            Err(fault) => found.push(format!("action `{name}` is listed, but: {fault}")),
        }
    }
    for schema in of_types.into_iter().take(SCHEMAS) {
        let (name, type_id) = (&schema.name, &schema.resource_type_id);
        if !recorded.types.iter().any(|listed| listed.id == *type_id) {
            found.push(format!(
                "action `{name}` is of type `{type_id}`, which is not listed"
            ));
        }
        match caller.ask(actions.schemas(&call, Some(type_id))).await {
            Ok(listed) if listed.iter().any(|listed| listed.name == *name) => {}
            Ok(_) => found.push(format!(
                "action `{name}` is not among the actions of type `{type_id}`"
            )),
            Err(fault) => found.push(format!(
                "the actions of type `{type_id}` cannot be listed: {fault}"
            )),
        }
    }
    Verdict::of(found)
}

/// Whether the connector was not asked to serve what was requested.
pub(super) fn is_disabled(fault: &Fault) -> bool {
    match fault {
        Fault::Refused(error) => {
            matches!(error.code(), Code::Unknown | Code::FailedPrecondition)
                && error.to_string().contains(NOT_ENABLED)
        }
        _ => false,
    }
}

async fn tickets(caller: &Caller, announced: &Announced) -> Verdict {
    let is_announced = announced.has(Capability::Ticketing);
    let call = caller.call();
    let tickets = caller.connector().tickets();
    let answer = match tickets {
        None => Ok(Vec::new()),
        Some(tickets) => match caller.ask(tickets.list_schemas(&call)).await {
            Err(fault) if is_disabled(&fault) && is_announced => {
                return Verdict::Skip("the connector does not serve tickets now");
            }
            Err(fault) if is_disabled(&fault) => Ok(Vec::new()),
            answer => answer.map(Page::into_items),
        },
    };
    let name = Capability::Ticketing.as_str_name();
    let schemas = match (
        tickets,
        as_announced(is_announced, name, "kinds of ticket", answer),
    ) {
        (_, Err(verdict)) => return verdict,
        (None, Ok(_)) => return Verdict::Pass,
        (Some(tickets), Ok(schemas)) => schemas.into_iter().map(move |schema| (tickets, schema)),
    };
    let mut found = Vec::new();
    for (tickets, schema) in schemas.take(SCHEMAS) {
        let id = &schema.id;
        match caller.ask(tickets.get_schema(&call, id)).await {
            Ok(one) if one.id == *id => {}
            Ok(one) => found.push(format!("kind of ticket `{id}` is `{}`", one.id)),
            Err(fault) => found.push(format!("kind of ticket `{id}` is listed, but: {fault}")),
        }
    }
    Verdict::of(found)
}
