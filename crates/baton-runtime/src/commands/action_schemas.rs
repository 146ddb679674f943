//! `--list-action-schemas`: which actions the connector has.

use baton_connector::{Call, config, v2};
use baton_proto::json;
use baton_term::Block;
use config::field::Field as Kind;

use crate::context::CommandContext;
use crate::error::{Error, Result};
use crate::exit::ExitStatus;
use crate::flags::{self, ResultForm};
use crate::panics;
use crate::refused_flags;

/// Lists the schemas of all actions, or of those of a resource type.
pub(crate) async fn list(context: CommandContext) -> Result<ExitStatus> {
    let config = context.config();
    refused_flags::refuse_change_flags_of_reads(config)?;
    context.check_settings()?;
    let type_id = [
        flags::LIST_ACTION_SCHEMAS_TYPE,
        flags::LIST_RESOURCE_ACTIONS,
    ]
    .map(|flag| config.get(&flag).to_owned());
    let by_switch = config.get(&flags::LIST_ACTION_SCHEMAS);
    let type_id = type_id[usize::from(!by_switch)].clone();
    let built = context.connect()?;
    context.check_announced(&built).await?;
    let call = Call::alone().stopped_by(context.cancel().clone());
    let schemas = panics::guard_async("listing actions", async {
        let actions = built.connector.actions().ok_or(Error::NoActions)?;
        Ok(actions.schemas(&call, Some(&type_id)).await?)
    })
    .await?;
    let response = v2::ListActionSchemasResponse {
        schemas,
        annotations: Vec::new(),
    };
    let text = json::to_string(&response, &json::Options::default());
    let text = text.map_err(|source| Error::Print {
        what: "the actions",
        source,
    })?;
    log(&response, &type_id, &text);
    if config.get(&flags::OUTPUT) == ResultForm::Json {
        let text = context.stderr.gate().pass_json(&text).into_owned();
        context.print(format!("{text}\n").as_bytes())?;
    } else {
        let text = block(&response.schemas, &type_id).render(&context.stderr.gate(), false);
        context.print(text.as_bytes())?;
    }
    Ok(ExitStatus::Success)
}

/// The log line of the Go programs, with the schemas as protobuf JSON.
fn log(response: &v2::ListActionSchemasResponse, type_id: &str, text: &str) {
    let count = response.schemas.len();
    if type_id.is_empty() {
        tracing::info!(count, schemas = text, "Action Schemas");
    } else {
        tracing::info!(
            resource_type_id = type_id,
            count,
            schemas = text,
            "Action Schemas"
        );
    }
}

fn block(schemas: &[v2::BatonActionSchema], type_id: &str) -> Block {
    let mut text = Block::new();
    if schemas.is_empty() {
        text.line(match type_id {
            "" => "the connector has no actions".to_owned(),
            type_id => format!("resource type `{type_id}` has no actions"),
        });
    }
    for schema in schemas {
        let of_type = match schema.resource_type_id.as_str() {
            "" => String::new(),
            type_id => format!(" of resource type `{type_id}`"),
        };
        text.line(format!(
            "`{}`{of_type}{}",
            schema.name,
            about(&schema.display_name)
        ));
        if !schema.description.is_empty() {
            text.indented(2, &schema.description);
        }
        for argument in &schema.arguments {
            let required = if argument.is_required {
                ", required"
            } else {
                ""
            };
            let kind = kind(argument.field.as_ref());
            let about = about(&argument.display_name);
            text.indented(2, format!("`{}` ({kind}{required}){about}", argument.name));
        }
    }
    text
}

fn about(name: &str) -> String {
    if name.is_empty() {
        return String::new();
    }
    format!(": {name}")
}

fn kind(kind: Option<&Kind>) -> &'static str {
    match kind {
        Some(Kind::StringField(_)) => "text",
        Some(Kind::IntField(_)) => "number",
        Some(Kind::BoolField(_)) => "true or false",
        Some(Kind::StringSliceField(_)) => "list of texts",
        Some(Kind::StringMapField(_)) => "object",
        Some(Kind::ResourceIdField(_)) => "resource id",
        Some(Kind::ResourceIdSliceField(_)) => "list of resource ids",
        Some(Kind::ResourceField(_)) => "resource",
        Some(Kind::ResourceSliceField(_)) => "list of resources",
        Some(Kind::EntitlementSliceField(_)) => "list of entitlements",
        Some(Kind::GrantSliceField(_)) => "list of grants",
        None => "any value",
    }
}
