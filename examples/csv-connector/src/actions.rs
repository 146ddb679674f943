//! Disables users, and enables them again.

use std::future::ready;
use std::sync::Arc;

use baton_connector::resource::Profile;
use baton_connector::{
    Action, ActionSchema, Argument, Arguments, Call, Change, Creation, Result, Struct, Write,
    async_trait, v2,
};
use csv::StringRecord;

use crate::accounts::{cell, unknown};
use crate::edit::{self, Edit};
use crate::folder::USERS;
use crate::refused;
use crate::tables::Tables;

/// Sets whether a user is active.
pub(crate) struct SetActive {
    tables: Arc<Tables>,
    active: bool,
}

impl SetActive {
    pub(crate) fn new(tables: &Arc<Tables>, active: bool) -> Self {
        let tables = Arc::clone(tables);
        Self { tables, active }
    }

    /// The name of the action, and its argument.
    pub(crate) fn schema(active: bool) -> ActionSchema {
        let (name, display_name, kind) = if active {
            (
                "enable_user",
                "Enable a user",
                v2::ActionType::AccountEnable,
            )
        } else {
            (
                "disable_user",
                "Disable a user",
                v2::ActionType::AccountDisable,
            )
        };
        ActionSchema::new(name)
            .display_name(display_name)
            .action_type(kind)
            .argument(Argument::text("user_id").display_name("User").required())
            .returns(Argument::flag("success"))
    }
}

#[async_trait]
impl Action for SetActive {
    async fn describe(&self, _call: &Call, arguments: &Arguments) -> Result<Creation<Struct>> {
        let id = arguments.text("user_id")?.to_owned();
        let active = self.active;
        let now = self.tables.now()?;
        let row = now.user(&id).ok_or_else(|| unknown(&id))?;
        let mut change = Change::create();
        if row.fields.active == active {
            change = change.already();
        }
        let (writing, looking) = (Arc::clone(&self.tables), Arc::clone(&self.tables));
        let cell = ActiveCell { id, active };
        let doing = format!("set `active` of `{}` to {active} in `{USERS}`", cell.id);
        let id = cell.id.clone();
        let write = Write::local(doing, move |_call| {
            let set = edit::apply(writing.folder(), USERS, &cell).map_err(refused);
            ready(set.map(drop))
        });
        let change = change.write(write.repeatable()).read_back(move |_call| {
            let now = looking.now();
            ready(now.map(|now| now.user(&id).is_some_and(|row| row.fields.active == active)))
        });
        Ok(change.gives(|_call, _made| ready(Ok(Profile::new().flag("success", true).build()))))
    }
}

/// A cell to set.
struct ActiveCell {
    id: String,
    active: bool,
}

impl Edit for ActiveCell {
    fn is_meant(&self, columns: &StringRecord, row: &StringRecord) -> csv::Result<bool> {
        Ok(cell(columns, row, "id") == Some(&self.id))
    }

    fn instead(
        &self,
        columns: &StringRecord,
        row: Option<&StringRecord>,
    ) -> csv::Result<Option<StringRecord>> {
        let Some(row) = row else { return Ok(None) };
        let active = if self.active { "true" } else { "false" };
        let cells = columns.iter().zip(row);
        let cells = cells.map(|(column, value)| match column {
            "active" => active,
            _ => value,
        });
        Ok(Some(cells.collect()))
    }
}
