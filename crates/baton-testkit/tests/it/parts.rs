//! Feeds, tickets and actions of a connector with a breach, and what it announces.

use baton_connector::{
    ActionState, Actions, Call, Code, Error, EventFeeds, Invoke, Page, Result, Tickets,
    async_trait, v2,
};
use v2::{
    Capability, CapabilityDetailCredentialOption as Kind,
    TicketsServiceBulkCreateTicketsRequest as BulkCreate,
    TicketsServiceBulkCreateTicketsResponse as BulkCreated,
    TicketsServiceBulkGetTicketsRequest as BulkGet,
    TicketsServiceBulkGetTicketsResponse as BulkGot, TicketsServiceCreateTicketRequest as Create,
    TicketsServiceCreateTicketResponse as Created, TicketsServiceGetTicketRequest as Get,
    TicketsServiceGetTicketResponse as Got,
};

use crate::breach::{Breach, FURTHER};

pub struct Parts(pub Breach);

/// Announces all that the connector has, and what the breach wants.
pub fn announce(breach: Breach, metadata: &mut v2::ConnectorMetadata) {
    let options = vec![Kind::NoPassword.into()];
    let preferred = match breach {
        Breach::NoPreferredOption => Kind::Unspecified,
        _ => Kind::NoPassword,
    };
    if breach != Breach::NoAccountSchema {
        metadata.account_creation_schema = Some(v2::ConnectorAccountCreationSchema::default());
    }
    let capabilities = metadata.capabilities.as_mut().unwrap();
    let supported = match breach {
        Breach::NoOptions => Vec::new(),
        _ => options.clone(),
    };
    let rotation = v2::CredentialDetailsCredentialRotation {
        supported_credential_options: supported,
        preferred_credential_option: preferred.into(),
    };
    capabilities.credential_details = Some(v2::CredentialDetails {
        capability_account_provisioning: Some(v2::CredentialDetailsAccountProvisioning {
            supported_credential_options: options,
            preferred_credential_option: Kind::NoPassword.into(),
        }),
        capability_credential_rotation: (breach != Breach::NoCredentialDetails).then_some(rotation),
    });
    let all = &mut capabilities.connector_capabilities;
    let hidden = match breach {
        Breach::HidesFeeds => Some(Capability::EventFeedV2),
        Breach::HidesCapability => Some(Capability::TargetedSync),
        _ => None,
    };
    all.extend(FURTHER.map(i32::from));
    if breach == Breach::NoParts {
        let parts = [
            Capability::EventFeedV2,
            Capability::Ticketing,
            Capability::Actions,
        ];
        all.retain(|capability| !parts.map(i32::from).contains(capability));
    }
    all.retain(|capability| hidden.map(i32::from) != Some(*capability));
    let types = &mut capabilities.resource_type_capabilities;
    match breach {
        Breach::HidesType => types.retain(|kind| kind.resource_type.as_ref().unwrap().id != "team"),
        Breach::NoIssueOptions => {
            let issue = Capability::CredentialIssue.into();
            types[0].capabilities.push(issue);
            all.push(issue);
        }
        Breach::NoCapabilities => metadata.capabilities = None,
        _ => {}
    }
}

impl Parts {
    fn refused(&self) -> Result<()> {
        match self.0 {
            Breach::NoParts => Err(Error::stated(Code::Unimplemented, "unknown service")),
            _ => Ok(()),
        }
    }
}

fn not_found(text: &str) -> Error {
    Error::stated(Code::NotFound, text)
}

#[async_trait]
impl EventFeeds for Parts {
    async fn list_feeds(&self, _: &Call) -> Result<Vec<v2::EventFeedMetadata>> {
        self.refused()?;
        let feed = v2::EventFeedMetadata {
            id: "log".to_owned(),
            ..v2::EventFeedMetadata::default()
        };
        Ok(match self.0 {
            Breach::NoFeeds => Vec::new(),
            Breach::FeedTwice => vec![feed.clone(), feed],
            _ => vec![feed],
        })
    }

    async fn list_events(
        &self,
        _: &Call,
        request: &v2::ListEventsRequest,
    ) -> Result<v2::ListEventsResponse> {
        self.refused()?;
        match request.event_feed_id.as_str() {
            "log" => Ok(v2::ListEventsResponse::default()),
            _ if self.0 == Breach::AnyFeed => Ok(v2::ListEventsResponse::default()),
            _ => Err(not_found("no such feed")),
        }
    }
}

fn action(name: &str, type_id: &str) -> v2::BatonActionSchema {
    v2::BatonActionSchema {
        name: name.to_owned(),
        resource_type_id: type_id.to_owned(),
        ..v2::BatonActionSchema::default()
    }
}

#[async_trait]
impl Actions for Parts {
    async fn schemas(&self, _: &Call, type_id: Option<&str>) -> Result<Vec<v2::BatonActionSchema>> {
        self.refused()?;
        let of_type = match self.0 {
            Breach::ActionOfNoType => "robot",
            _ => "user",
        };
        if self.0 == Breach::ActionOfOtherType && type_id.is_some() {
            return Ok(Vec::new());
        }
        let all = vec![action("lock", ""), action("rename", of_type)];
        let is_meant = |schema: &v2::BatonActionSchema| {
            type_id.is_none_or(|type_id| schema.resource_type_id == type_id)
        };
        Ok(all.into_iter().filter(is_meant).collect())
    }

    async fn schema(&self, _: &Call, name: &str) -> Result<v2::BatonActionSchema> {
        self.refused()?;
        match name {
            "lock" if self.0 != Breach::NoSchemaOfAction => Ok(action("lock", "")),
            _ => Err(not_found("no such action")),
        }
    }

    async fn invoke(&self, _: &Call, _: Invoke<'_>) -> Result<ActionState> {
        panic!("a test that only reads began an action");
    }

    async fn status(&self, _: &Call, id: &str) -> Result<ActionState> {
        self.refused()?;
        match self.0 {
            Breach::AnyAction if !id.is_empty() => Ok(ActionState {
                id: id.to_owned(),
                name: "lock".to_owned(),
                status: v2::BatonActionStatus::Complete,
                response: None,
            }),
            _ => Err(not_found("no such id")),
        }
    }
}

#[async_trait]
impl Tickets for Parts {
    async fn list_schemas(&self, _: &Call) -> Result<Page<v2::TicketSchema>> {
        self.refused()?;
        let refuse = |code, text| Err(Error::stated(code, text));
        match self.0 {
            Breach::TicketsUnimplemented => {
                refuse(Code::Unimplemented, "ticket manager not implemented")
            }
            Breach::TicketsDisabled => refuse(Code::Unknown, "ticketing is not enabled"),
            _ => Ok(Page::last(vec![v2::TicketSchema {
                id: "bug".to_owned(),
                ..v2::TicketSchema::default()
            }])),
        }
    }

    async fn get_schema(&self, _: &Call, id: &str) -> Result<v2::TicketSchema> {
        let id = match self.0 {
            Breach::OtherTicketSchema => "task",
            _ => id,
        };
        Ok(v2::TicketSchema {
            id: id.to_owned(),
            ..v2::TicketSchema::default()
        })
    }

    async fn create_ticket(&self, _: &Call, _: &Create) -> Result<Created> {
        panic!("a test that only reads created a ticket");
    }

    async fn bulk_create_tickets(&self, _: &Call, _: &BulkCreate) -> Result<BulkCreated> {
        panic!("a test that only reads created tickets");
    }

    async fn get_ticket(&self, _: &Call, _: &Get) -> Result<Got> {
        Ok(Got::default())
    }

    async fn bulk_get_tickets(&self, _: &Call, request: &BulkGet) -> Result<BulkGot> {
        self.refused()?;
        match (self.0, request.ticket_requests.is_empty()) {
            (Breach::TicketsDisabled, _) => {
                Err(Error::stated(Code::Unknown, "ticketing is not enabled"))
            }
            (_, true) => Err(Error::stated(Code::InvalidArgument, "no items")),
            _ => Ok(BulkGot::default()),
        }
    }
}
