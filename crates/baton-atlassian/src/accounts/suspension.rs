//! The actions `disable_user` and `enable_user`: a person is suspended or restored
//! in each directory, with one write for each.

use std::sync::Arc;

use async_trait::async_trait;
use baton_connector::resource::Profile;
use baton_connector::{Action, Arguments, Call, Change, Creation, Error, Reply, Result, Write};
use baton_proto::Code;
use prost_types::Struct;

use crate::api::Access;
use crate::mapping::USER_ID;
use crate::provision::OrganizationAdmins;
use crate::roles::ORGANIZATION_ADMIN;
use crate::syncers::AccessAction;

#[async_trait]
impl Action for AccessAction {
    async fn describe(&self, call: &Call, arguments: &Arguments) -> Result<Creation<Struct>> {
        let user = arguments.text(USER_ID)?;
        let organization = &self.shared.organization;
        let mut change = Change::create();
        if organization.go_compatible {
            let write = organization.write_access_everywhere(self.access, user)?;
            change = change.write(self.explained(write, user));
            return Ok(change.gives(|_call, _made| async { Ok(success()) }));
        }
        let directories = organization.on(call).directories_of(user).await?;
        if directories.is_empty() {
            let text = format!("user `{user}` is in no directory of the organization");
            return Err(Error::stated(Code::FailedPrecondition, text));
        }
        let verb = self.verb();
        for directory in &directories {
            let write = organization.write_access(self.access, &directory.id, user)?;
            let name = directory.name.as_deref().unwrap_or(&directory.id);
            let write = write.called(format!("{verb} in directory `{name}`"));
            change = change.write(self.explained(write, user));
        }
        let (looking, user) = (Arc::clone(organization), user.to_owned());
        let wanted = self.access.word();
        let ids: Vec<String> = directories.into_iter().map(|found| found.id).collect();
        let change = change.read_back(move |call| {
            let (api, user, ids) = (looking.on(&call), user.clone(), ids.clone());
            async move {
                for id in &ids {
                    let found = api.membership_in(id, &user).await?;
                    if found.as_deref() != Some(wanted) {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        });
        Ok(change.gives(|_call, _made| async { Ok(success()) }))
    }
}

fn success() -> Struct {
    Profile::new().flag("success", true).build()
}

impl AccessAction {
    fn verb(&self) -> &'static str {
        match self.access {
            Access::Suspended => "suspend",
            Access::Active => "restore",
        }
    }

    /// The write, with its error answers explained.
    fn explained(&self, write: Write, user: &str) -> Write {
        let doing = format!("cannot {} user `{user}`", self.verb());
        let (organization, user) = (Arc::clone(&self.shared.organization), user.to_owned());
        let suspends = self.access == Access::Suspended;
        write.judged_by_reading(move |call, error| {
            let api = organization.on(&call);
            let (user, doing) = (user.clone(), doing.clone());
            async move {
                let may_be_admin = suspends && error.status() == Some(400);
                if may_be_admin
                    && matches!(OrganizationAdmins::include(&api, &user).await, Ok(true))
                {
                    let text = format!("{doing}: organization admins cannot be suspended");
                    let hint = format!("revoke the role `{ORGANIZATION_ADMIN}` first");
                    let error = Error::caused(Code::FailedPrecondition, text, error);
                    return Reply::Failed(error.with_hint(hint));
                }
                Reply::Failed(error.during(doing))
            }
        })
    }
}
