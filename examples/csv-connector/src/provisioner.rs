//! Changes who is in a group or has a role: adds rows and removes them.

use std::sync::Arc;

use baton_connector::resource::{
    EntitlementId, GrantBuilder, ResourceBuilder, ResourceExt as _, resource_id,
};
use baton_connector::{
    Call, Change, Code, Error, Held, Provisioner, Result, Through, Write, async_trait, v2,
};

use crate::folder::{Kind, Link};
use crate::syncers::{Collections, holders, slug};
use crate::{edit, refused};

#[async_trait]
impl Provisioner for Collections {
    async fn grant(
        &self,
        _call: &Call,
        entitlement: &v2::Entitlement,
        principal: &v2::Resource,
    ) -> Result<Change> {
        let link = self.link(entitlement, principal)?;
        let tables = self.tables.now()?;
        for (kind, id) in [(self.kind, &link.to), (link.kind, &link.id)] {
            if !tables.has(kind, id) {
                let text = format!("there is no {} `{id}`", kind.word());
                return Err(Error::stated(Code::NotFound, text));
            }
        }
        let resource = entitlement.resource.clone().unwrap_or_default();
        let change = Change::grant(self.grant_of(&resource, &link)?, self.held(&link)?);
        Ok(change.write(self.write(link, true)))
    }

    async fn revoke(&self, _call: &Call, grant: &v2::Grant) -> Result<Change> {
        let (entitlement, principal) = (grant.entitlement.clone(), grant.principal.clone());
        let entitlement = entitlement.unwrap_or_default();
        let link = self.link(&entitlement, &principal.unwrap_or_default())?;
        let change = Change::revoke(&grant.id, self.held(&link)?);
        Ok(change.write(self.write(link, false)))
    }

    async fn holds(
        &self,
        _call: &Call,
        entitlement: &v2::Entitlement,
        principal: &v2::Resource,
    ) -> Result<Held> {
        self.held(&self.link(entitlement, principal)?)
    }
}

impl Collections {
    /// The row that a grant is.
    fn link(&self, entitlement: &v2::Entitlement, principal: &v2::Resource) -> Result<Link> {
        let to = entitlement.resource.as_ref().map_or("", |to| to.id());
        let ours = EntitlementId::of(&resource_id(self.kind.word(), to), slug(self.kind));
        let mut holders = holders(self.kind).iter();
        let holder = holders.find(|kind| kind.word() == principal.type_id());
        let problem = match holder {
            _ if entitlement.id != ours.as_str() => {
                format!("there is no entitlement `{}`", entitlement.id)
            }
            None => format!("a `{}` cannot hold `{ours}`", principal.type_id()),
            Some(&kind) => {
                let (to, id) = (to.to_owned(), principal.id().to_owned());
                return Ok(Link { to, kind, id });
            }
        };
        Err(Error::stated(Code::InvalidArgument, problem))
    }

    /// Whether the row is there, and which rows of groups and roles inside give
    /// the same.
    fn held(&self, link: &Link) -> Result<Held> {
        let tables = self.tables.now()?;
        let member = (link.kind, link.id.as_str());
        let (mut direct, mut through) = (false, Vec::new());
        for (kind, path) in tables.paths((self.kind, &link.to), member) {
            if (kind, path) == (self.kind, link) {
                direct = true;
            } else {
                let resource = ResourceBuilder::new(kind.word(), &path.to).build()?;
                let principal = resource_id(link.kind.word(), &link.id);
                let grant = GrantBuilder::new(&resource, slug(kind), principal).build()?;
                let grant_id = grant.id;
                through.push(Through { resource, grant_id });
            }
        }
        Ok(match (direct, through.is_empty()) {
            (true, _) => Held::Directly { through },
            (false, true) => Held::No,
            (false, false) => Held::Indirectly { through },
        })
    }

    /// Adds the row or removes it. A second time does no harm.
    fn write(&self, link: Link, wanted: bool) -> Write {
        let file = match self.kind {
            Kind::Role => "assignments.csv",
            Kind::User | Kind::Group => "members.csv",
        };
        let row = format!("`{},{},{}`", link.to, link.kind.word(), link.id);
        let doing = if wanted {
            format!("add the row {row} to `{file}`")
        } else {
            format!("remove the row {row} from `{file}`")
        };
        let tables = Arc::clone(&self.tables);
        let set = move |_| {
            let set = edit::set(tables.folder(), file, &link, wanted).map_err(refused);
            async { set }
        };
        Write::local(doing, set).repeatable()
    }
}
