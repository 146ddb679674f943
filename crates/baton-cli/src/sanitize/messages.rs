//! The messages of rows, with every text of the application replaced. A field
//! that this crate does not know is left out.

use baton_proto::c1::connector::v2;

use super::Sanitizer;

type Result = baton_proto::Result<()>;

impl Sanitizer {
    pub(super) fn resource_type(&mut self, message: &mut v2::ResourceType) -> Result {
        self.redactor.redact(&mut message.display_name);
        self.redactor.redact(&mut message.description);
        self.annotations(&mut message.annotations)
    }

    pub(super) fn resource_id(&self, id: &mut Option<v2::ResourceId>) {
        if id
            .as_ref()
            .is_some_and(|id| id.resource_type.is_empty() && id.resource.is_empty())
        {
            *id = None;
        }
        if let Some(id) = id {
            self.redactor.redact(&mut id.resource);
        }
    }

    #[expect(deprecated, reason = "older connectors fill these fields")]
    pub(super) fn resource(&mut self, message: &mut v2::Resource) -> Result {
        self.resource_id(&mut message.id);
        self.resource_id(&mut message.parent_resource_id);
        let redactor = &self.redactor;
        redactor.redact(&mut message.display_name);
        redactor.redact(&mut message.description);
        if let Some(id) = &mut message.external_id {
            redactor.redact(&mut id.id);
            redactor.url(&mut id.link);
            redactor.redact(&mut id.description);
        }
        if let Some(profile) = &mut message.profile {
            redactor.profile(profile);
        }
        self.asset_ref(&mut message.icon);
        if let Some(status) = &mut message.status {
            self.redactor.redact(&mut status.details);
        }
        if let Some(at) = &mut message.created_at {
            self.redactor.time(at);
        }
        self.annotations(&mut message.annotations)
    }

    pub(super) fn asset_ref(&self, asset: &mut Option<v2::AssetRef>) {
        if let Some(asset) = asset {
            self.redactor.redact(&mut asset.id);
        }
    }

    pub(super) fn entitlement(&mut self, message: &mut v2::Entitlement) -> Result {
        if let Some(resource) = &mut message.resource {
            self.resource(resource)?;
        }
        let redactor = &self.redactor;
        redactor.redact_id(&mut message.id);
        redactor.redact(&mut message.display_name);
        redactor.redact(&mut message.description);
        redactor.redact(&mut message.slug);
        for grantable in &mut message.grantable_to {
            self.resource_type(grantable)?;
        }
        self.annotations(&mut message.annotations)
    }

    pub(super) fn grant(&mut self, message: &mut v2::Grant) -> Result {
        if let Some(entitlement) = &mut message.entitlement {
            self.entitlement(entitlement)?;
        }
        if let Some(principal) = &mut message.principal {
            self.resource(principal)?;
        }
        self.redactor.redact_id(&mut message.id);
        if let Some(sources) = &mut message.sources {
            let old = std::mem::take(&mut sources.sources);
            sources.sources = old
                .into_iter()
                .map(|(id, source)| (self.redactor.id(&id), source))
                .collect();
        }
        self.annotations(&mut message.annotations)
    }
}
