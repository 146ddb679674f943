//! The actions of the connector of the recordings.

use std::collections::BTreeMap;
use std::time::Duration;

use baton_connector::{
    Action, ActionSchema, Argument, Arguments, Call, Change, Code, Creation, Error, ResourceSyncer,
    Result, Struct, TypeSpec, Types, Write, v2,
};
use prost_types::Value;
use prost_types::value::Kind;

struct Does(&'static str);

fn value(kind: Kind) -> Value {
    Value { kind: Some(kind) }
}

#[async_trait::async_trait]
impl Action for Does {
    async fn describe(&self, _call: &Call, arguments: &Arguments) -> Result<Creation<Struct>> {
        match self.0 {
            "fail" => return Err(Error::stated(Code::Unknown, "rich: action broke")),
            "panic" => panic!("rich: boom"),
            "slow" => tokio::time::sleep(Duration::from_secs(3)).await,
            _ => {}
        }
        let mut fields = BTreeMap::from([("success".to_owned(), value(Kind::BoolValue(true)))]);
        if self.0 == "echo" {
            let given = ["more", "text"].into_iter().filter_map(|name| {
                let given = arguments.get(name)?.clone();
                Some((name.to_owned(), given))
            });
            let echo = Struct {
                fields: given.collect(),
            };
            fields.insert("echo".to_owned(), value(Kind::StructValue(echo)));
        }
        let change = Change::create().write(Write::local("act", |_| async { Ok(()) }));
        Ok(change.gives(move |_, _| async move { Ok(Struct { fields }) }))
    }
}

fn schema(name: &'static str) -> ActionSchema {
    let text = Argument::text("text").display_name("Text");
    ActionSchema::new(name).display_name(name).argument(text)
}

/// A type with the action `disable`.
pub(crate) fn of_user<C: 'static, S>(user: TypeSpec<C, S>) -> TypeSpec<C, S>
where
    S: ResourceSyncer + 'static,
{
    let disable = ActionSchema::new("disable")
        .display_name("Disable")
        .action_type(v2::ActionType::AccountDisable);
    user.action(disable, |_| Ok(Does("disable")))
}

/// Types, with the actions of the connector itself.
pub(crate) fn of_connector(types: Types<()>) -> Types<()> {
    let echo = schema("echo")
        .argument(Argument::text("more"))
        .required_together(["text", "more"]);
    let types = types.action(echo, |(): &()| Ok(Does("echo")));
    ["fail", "panic", "slow"]
        .into_iter()
        .fold(types, |types, name| {
            types.action(schema(name), move |(): &()| Ok(Does(name)))
        })
}
