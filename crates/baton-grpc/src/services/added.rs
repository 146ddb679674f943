//! Entitlements that the notes on a page name, for clients that read notes.

use std::sync::Arc;

use baton_proto::c1::connector::v2;
use baton_proto::{Code, encode};
use prost::Message;

use super::shared::{Asked, Shared};
use super::texts::{failed, invalid};
use crate::notes::{MAKE, MakeRequest, MakeResponse};
use crate::{Context, MAX_MESSAGE_BYTES, Router, Status};

pub(crate) fn add(router: &mut Router, shared: &Arc<Shared>) {
    let shared = Arc::clone(shared);
    router.read_encoded(MAKE, move |request, context| {
        let shared = Arc::clone(&shared);
        async move { make(&shared, request, &context).await }
    });
}

async fn make(shared: &Shared, request: MakeRequest, context: &Context) -> Result<Vec<u8>, Status> {
    let resource = v2::Resource::decode(request.resource.as_slice());
    let resource =
        resource.map_err(|_| invalid("error: the resource of an entitlement cannot be decoded"))?;
    let asked = Asked {
        sync_id: &request.active_sync_id,
        token: "",
        page_size: 0,
        annotations: Vec::new(),
    };
    let call = shared.call_of(context, asked);
    let connector = &shared.connector;
    let made = connector.added_entitlement(&call, &resource, &request.slug);
    let made = made
        .await
        .map_err(|error| failed("error: make added entitlement failed: ", &error))?;
    let entitlement = made.map(|made| encode::to_vec(&made));
    let answer = MakeResponse { entitlement }.encode_to_vec();
    if answer.len() > MAX_MESSAGE_BYTES {
        let text = format!(
            "error: the entitlement `{}` has {} bytes, and a message may have {MAX_MESSAGE_BYTES}",
            request.slug,
            answer.len()
        );
        return Err(Status::new(Code::ResourceExhausted, text));
    }
    Ok(answer)
}
