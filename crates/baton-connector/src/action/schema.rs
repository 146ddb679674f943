//! Builders of the schema of an action.

use baton_proto::c1::config::v1 as config;
use baton_proto::c1::connector::v2;
use config::field::Field as Kind;

/// Builds the schema of an action.
///
/// ```
/// use baton_connector::{ActionSchema, Argument, v2};
///
/// let schema: v2::BatonActionSchema = ActionSchema::new("disable_user")
///     .display_name("Disable a user")
///     .action_type(v2::ActionType::AccountDisable)
///     .argument(Argument::text("user_id").display_name("User").required())
///     .argument(Argument::flag("now"))
///     .argument(Argument::text("at"))
///     .mutually_exclusive(["now", "at"])
///     .returns(Argument::flag("success"))
///     .into();
/// assert_eq!(schema.arguments.len(), 3);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct ActionSchema(v2::BatonActionSchema);

impl ActionSchema {
    /// An action without arguments.
    pub fn new(name: impl Into<String>) -> Self {
        Self(v2::BatonActionSchema {
            name: name.into(),
            ..v2::BatonActionSchema::default()
        })
    }

    /// The name for people.
    pub fn display_name(mut self, name: impl Into<String>) -> Self {
        self.0.display_name = name.into();
        self
    }

    /// A sentence about it.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.0.description = description.into();
        self
    }

    /// Adds a kind of action that it is. A type has at most one action of each
    /// kind.
    pub fn action_type(mut self, kind: v2::ActionType) -> Self {
        self.0.action_type.push(kind.into());
        self
    }

    /// Adds an argument.
    pub fn argument(mut self, argument: impl Into<config::Field>) -> Self {
        self.0.arguments.push(argument.into());
        self
    }

    /// Adds a field of the answer.
    pub fn returns(mut self, field: impl Into<config::Field>) -> Self {
        self.0.return_types.push(field.into());
        self
    }

    /// All of these arguments are given, or none.
    pub fn required_together<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        self.constraint(config::ConstraintKind::RequiredTogether, names)
    }

    /// At least one of these arguments is given.
    pub fn at_least_one<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        self.constraint(config::ConstraintKind::AtLeastOne, names)
    }

    /// At most one of these arguments is given.
    pub fn mutually_exclusive<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        self.constraint(config::ConstraintKind::MutuallyExclusive, names)
    }

    /// With any of these arguments all of `others` are given.
    pub fn dependent_on<N: Into<String>, O: Into<String>>(
        mut self,
        names: impl IntoIterator<Item = N>,
        others: impl IntoIterator<Item = O>,
    ) -> Self {
        self = self.constraint(config::ConstraintKind::DependentOn, names);
        if let Some(constraint) = self.0.constraints.last_mut() {
            constraint.secondary_field_names = others.into_iter().map(Into::into).collect();
        }
        self
    }

    fn constraint<N: Into<String>>(
        mut self,
        kind: config::ConstraintKind,
        names: impl IntoIterator<Item = N>,
    ) -> Self {
        self.0.constraints.push(config::Constraint {
            kind: kind.into(),
            field_names: names.into_iter().map(Into::into).collect(),
            ..config::Constraint::default()
        });
        self
    }
}

impl From<ActionSchema> for v2::BatonActionSchema {
    fn from(schema: ActionSchema) -> Self {
        schema.0
    }
}

/// Builds an argument of an action, or a field of its answer.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct Argument(config::Field);

impl Argument {
    /// One of any kind, with the rules and defaults of that kind.
    pub fn of_kind(name: impl Into<String>, kind: Kind) -> Self {
        Self(config::Field {
            name: name.into(),
            field: Some(kind),
            ..config::Field::default()
        })
    }

    /// A text.
    pub fn text(name: impl Into<String>) -> Self {
        Self::of_kind(name, Kind::StringField(config::StringField::default()))
    }

    /// A whole number.
    pub fn number(name: impl Into<String>) -> Self {
        Self::of_kind(name, Kind::IntField(config::IntField::default()))
    }

    /// True or false.
    pub fn flag(name: impl Into<String>) -> Self {
        Self::of_kind(name, Kind::BoolField(config::BoolField::default()))
    }

    /// A list of texts.
    pub fn texts(name: impl Into<String>) -> Self {
        let kind = config::StringSliceField::default();
        Self::of_kind(name, Kind::StringSliceField(kind))
    }

    /// An object with values of any kind.
    pub fn map(name: impl Into<String>) -> Self {
        Self::of_kind(
            name,
            Kind::StringMapField(config::StringMapField::default()),
        )
    }

    /// The id of a resource, as an object with `resource_type_id` and
    /// `resource_id`; of one of these types, if any are named.
    pub fn resource_id<T: Into<String>>(
        name: impl Into<String>,
        types: impl IntoIterator<Item = T>,
    ) -> Self {
        let types: Vec<String> = types.into_iter().map(Into::into).collect();
        let rules = (!types.is_empty()).then_some(config::ResourceIdRules {
            allowed_resource_type_ids: types,
        });
        let kind = config::ResourceIdField {
            default_value: None,
            rules,
        };
        Self::of_kind(name, Kind::ResourceIdField(kind))
    }

    /// The name for people.
    pub fn display_name(mut self, name: impl Into<String>) -> Self {
        self.0.display_name = name.into();
        self
    }

    /// A sentence about it.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.0.description = description.into();
        self
    }

    /// It must be given, and a text or a list must not be empty.
    pub fn required(mut self) -> Self {
        self.0.is_required = true;
        self
    }

    /// Its value is a secret: no error shows it.
    pub fn secret(mut self) -> Self {
        self.0.is_secret = true;
        self
    }
}

impl From<Argument> for config::Field {
    fn from(argument: Argument) -> Self {
        argument.0
    }
}
