//! Notes on pages, and the entitlements that they name, of servers that are wrong.

use baton_connector::{Any, Call, Code, Connector, PageNotes, UpstreamCount, v2};
use baton_proto::causes;
use prost::Message as _;

use super::peer::{Answer, Reply, scripted};
use crate::notes::{MAKE, MakeRequest, MakeResponse};

fn role(id: &str) -> v2::Resource {
    v2::Resource {
        id: Some(v2::ResourceId {
            resource_type: "role".to_owned(),
            resource: id.to_owned(),
            ..v2::ResourceId::default()
        }),
        ..v2::Resource::default()
    }
}

fn page(notes: &[u8]) -> v2::GrantsServiceListGrantsResponse {
    v2::GrantsServiceListGrantsResponse {
        annotations: vec![Any {
            type_url: "type.googleapis.com/baton.rust.v1.PageNotes".to_owned(),
            value: notes.to_vec(),
        }],
        ..v2::GrantsServiceListGrantsResponse::default()
    }
}

#[tokio::test(start_paused = true)]
async fn notes_are_taken_out_of_the_annotations() {
    // Nine rows, and a field that is not known here.
    let answer = page(&[0x08, 9, 0xf8, 0x3f, 7]);
    let (connector, _) = scripted(move |_| Reply::message(&answer));
    let page = connector.list_grants(&Call::alone(), &role("r1")).await;
    let page = page.unwrap();
    assert!(page.annotations.is_empty());
    let expected = PageNotes {
        upstream_count: UpstreamCount::Rows(9),
        ..PageNotes::default()
    };
    assert_eq!(page.notes, expected);
}

#[tokio::test(start_paused = true)]
async fn notes_that_cannot_be_read_are_an_error_that_names_the_list() {
    let answer = page(&[0x08]);
    let (connector, _) = scripted(move |_| Reply::message(&answer));
    let page = connector.list_grants(&Call::alone(), &role("r1")).await;
    let error = page.unwrap_err();
    assert_eq!(error.code(), Code::Internal);
    let text = causes::one_line(&error);
    let expected = "cannot read the notes on a page of grants of role `r1`: the message cannot \
                    be decoded";
    assert!(text.starts_with(expected), "{text}");
}

#[tokio::test(start_paused = true)]
async fn an_entitlement_is_made_as_its_server_answers_or_an_error() {
    let (connector, log) = scripted(|seen| {
        assert_eq!(seen.path, MAKE.path());
        let request: MakeRequest = seen.decoded();
        let entitlement = |id| {
            let made = v2::Entitlement {
                id: format!("role:{id}:owner"),
                resource: Some(role(id)),
                ..v2::Entitlement::default()
            };
            Some(made.encode_to_vec())
        };
        let entitlement = match request.slug.as_str() {
            "owner" => entitlement("r1"),
            "other" => entitlement("r2"),
            "damaged" => Some(vec![0xff]),
            "none" => None,
            _ => return Reply::error(12, "unknown service"),
        };
        Reply::Answer(Answer::bytes(&MakeResponse { entitlement }.encode_to_vec()))
    });
    let made = async |slug: &str| {
        let call = Call::alone();
        connector.added_entitlement(&call, &role("r1"), slug).await
    };
    let owner = made("owner").await.unwrap().unwrap();
    assert_eq!(owner.id, "role:r1:owner");
    let request: MakeRequest = log.lock().unwrap()[0].decoded();
    assert_eq!(request.resource, role("r1").encode_to_vec());
    assert_eq!(made("none").await.unwrap(), None);
    let other = made("other").await.unwrap_err();
    assert_eq!(
        other.to_string(),
        "the connector made the entitlement `role:r2:owner` for entitlement `other` of role `r1`"
    );
    let damaged = made("damaged").await.unwrap_err();
    assert!(damaged.to_string().contains("cannot read the answer to"));
    // A server that does not know the method, although it named the entitlement.
    let refused = made("unknown").await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
}
