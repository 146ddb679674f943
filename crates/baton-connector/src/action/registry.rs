//! Which actions a connector has, checked once (`service-mode.md` §6.3).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use baton_proto::c1::connector::v2;
use baton_proto::{Advice, Code};
use prost_types::Struct;
use v2::ActionType;

use super::arguments::Arguments;
use super::author::Action;
use super::check::ArgumentCheck;
use crate::error::{Error, Result};

/// Makes an action of what connecting has brought.
type Make<C> = Box<dyn Fn(&C) -> Result<Arc<dyn Action>> + Send + Sync>;

/// An action as it is registered, before anything is connected.
pub(crate) struct ActionSpec<C> {
    schema: v2::BatonActionSchema,
    make: Make<C>,
}

impl<C> ActionSpec<C> {
    /// An action of a resource type, or of the connector with the type's id empty.
    pub(crate) fn new<A: Action + 'static>(
        type_id: &str,
        schema: impl Into<v2::BatonActionSchema>,
        make: impl Fn(&C) -> Result<A> + Send + Sync + 'static,
    ) -> Self {
        let mut schema = schema.into();
        type_id.clone_into(&mut schema.resource_type_id);
        Self {
            schema,
            make: Box::new(move |connected| Ok(Arc::new(make(connected)?))),
        }
    }

    /// The action's schema.
    pub(crate) fn schema(&self) -> &v2::BatonActionSchema {
        &self.schema
    }

    /// The action, made of what connecting has brought.
    ///
    /// # Errors
    /// What makes it impossible, and an unusable schema.
    pub(crate) fn serve(&self, connected: &C) -> Result<Registered> {
        Ok(Registered {
            check: check_of(&self.schema)?,
            schema: self.schema.clone(),
            action: (self.make)(connected)?,
        })
    }
}

/// An action that can be invoked.
pub(crate) struct Registered {
    schema: v2::BatonActionSchema,
    check: ArgumentCheck,
    action: Arc<dyn Action>,
}

impl Registered {
    pub(super) fn name(&self) -> &str {
        &self.schema.name
    }

    pub(super) fn action(&self) -> Arc<dyn Action> {
        Arc::clone(&self.action)
    }

    /// The arguments, checked.
    pub(super) fn checked(&self, arguments: &Struct) -> Result<Arguments> {
        self.check.checked(&self.schema, arguments)
    }
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registered")
            .field(&self.schema.name)
            .finish()
    }
}

fn refused(schema: &v2::BatonActionSchema, reason: impl Into<String>) -> Error {
    Error::ActionRegistration {
        name: schema.name.clone(),
        type_id: schema.resource_type_id.clone(),
        reason: reason.into(),
    }
}

fn check_of(schema: &v2::BatonActionSchema) -> Result<ArgumentCheck> {
    ArgumentCheck::of(schema).map_err(|reason| refused(schema, reason))
}

/// Checks the schemas of a connector, each for itself and all together.
///
/// # Errors
/// [`Error::ActionRegistration`] with what is wrong with one.
pub(crate) fn check_schemas<'a>(
    schemas: impl IntoIterator<Item = &'a v2::BatonActionSchema>,
) -> Result<()> {
    let mut names = BTreeSet::new();
    let mut kinds = BTreeSet::new();
    for schema in schemas {
        if schema.name.is_empty() {
            return Err(refused(schema, "its name is empty"));
        }
        let type_id = &schema.resource_type_id;
        if !names.insert((type_id, &schema.name)) {
            return Err(refused(schema, "another action has its name"));
        }
        for kind in schema.action_type() {
            let may_repeat = matches!(kind, ActionType::Unspecified | ActionType::Dynamic);
            if !type_id.is_empty() && !may_repeat && !kinds.insert((type_id, kind)) {
                let kind = kind.as_str_name();
                let reason = format!("the type has another action of kind {kind}");
                return Err(refused(schema, reason));
            }
        }
        check_of(schema)?;
    }
    Ok(())
}

/// The actions of a connector, by type (empty for those of the connector) and
/// name.
#[derive(Debug, Default)]
pub(crate) struct Registry(BTreeMap<String, BTreeMap<String, Arc<Registered>>>);

impl Registry {
    /// All actions.
    ///
    /// # Errors
    /// As [`check_schemas`].
    pub(crate) fn new(actions: Vec<Registered>) -> Result<Self> {
        check_schemas(actions.iter().map(|action| &action.schema))?;
        let mut all: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for action in actions {
            let of_type = all.entry(action.schema.resource_type_id.clone());
            let of_type = of_type.or_default();
            of_type.insert(action.schema.name.clone(), Arc::new(action));
        }
        Ok(Self(all))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The schemas of a type, or of all actions, by type and name.
    pub(super) fn schemas(&self, type_id: Option<&str>) -> Vec<v2::BatonActionSchema> {
        let wanted = type_id.filter(|id| !id.is_empty());
        let types = self.0.iter();
        types
            .filter(|(id, _)| wanted.is_none_or(|wanted| wanted == *id))
            .flat_map(|(_, actions)| actions.values())
            .map(|action| action.schema.clone())
            .collect()
    }

    /// The schema of an action of the connector.
    pub(super) fn schema(&self, name: &str) -> Result<v2::BatonActionSchema> {
        let action = self.0.get("").and_then(|actions| actions.get(name));
        match action {
            Some(action) => Ok(action.schema.clone()),
            None => Err(not_found(format!("action {name} not found"))),
        }
    }

    /// The action to invoke. The texts are those of the Go SDK.
    pub(super) fn find(&self, type_id: Option<&str>, name: &str) -> Result<&Arc<Registered>> {
        let type_id = type_id.unwrap_or_default();
        let actions = self.0.get(type_id);
        let found = actions.and_then(|actions| actions.get(name));
        found.ok_or_else(|| {
            let error = not_found(match (type_id, actions) {
                ("", _) => format!("handler for action {name} not found"),
                (_, None) => format!("no actions found for resource type {type_id}"),
                (_, Some(_)) => {
                    format!("handler for action {name} not found for resource type {type_id}")
                }
            });
            error.with_advice(Advice::ListActions)
        })
    }
}

pub(super) fn not_found(text: String) -> Error {
    Error::stated(Code::NotFound, text)
}
