//! What a task asks of a full sync (`service-mode.md` §2.7).

use baton_c1z::Format;
use baton_proto::Code;
use baton_proto::bid::{ResourceBid, TypedId};
use baton_proto::c1::connector::v2;
use baton_proto::c1::connectorapi::baton::v1::task::SyncFullTask;
use baton_sync::SyncRequest;

use crate::finish::Failure;

/// The names of the formats in tasks.
const ENGINES: [(&str, Format); 2] = [("sqlite", Format::V1), ("pebble", Format::V3)];

/// Adds what a task asks for to the settings of the program, which win where both name
/// a format.
pub(super) fn apply(task: &SyncFullTask, request: &mut SyncRequest) -> Result<(), Failure> {
    if request.format.is_none() {
        request.format = Some(format(&task.storage_engine)?);
    }
    request.skip_expansion = task.skip_expand_grants;
    request.skip_entitlements_and_grants = task.skip_entitlements_and_grants;
    request.skip_grants = task.skip_grants;
    if !task.sync_resource_type_ids.is_empty() {
        request
            .resource_type_filter
            .clone_from(&task.sync_resource_type_ids);
    }
    let targets = task.targeted_sync_resources.iter().map(target);
    request.targets = targets.collect::<Result<_, _>>()?;
    Ok(())
}

/// The format of an engine; that of new files where none is named.
fn format(engine: &str) -> Result<Format, Failure> {
    if engine.is_empty() {
        return Ok(Format::V1);
    }
    let known = ENGINES.iter().find(|(name, _)| *name == engine);
    known.map(|(_, format)| *format).ok_or_else(|| {
        let text = format!("require-engine-driver: dotc1z: engine not available: {engine}");
        Failure::retryable(Code::Unknown, text)
    })
}

fn target(resource: &v2::Resource) -> Result<ResourceBid, Failure> {
    let whole = |id: &v2::ResourceId| {
        let is_whole = !id.resource_type.is_empty() && !id.resource.is_empty();
        is_whole.then(|| TypedId {
            resource_type: id.resource_type.clone(),
            resource: id.resource.clone(),
        })
    };
    let id = resource.id.as_ref().and_then(whole);
    let id = id.ok_or_else(|| {
        Failure::retryable(
            Code::InvalidArgument,
            "a targeted resource of the task has no type or no id",
        )
    })?;
    Ok(ResourceBid {
        id,
        parent: resource.parent_resource_id.as_ref().and_then(whole),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(resource_type: &str, id: &str) -> v2::Resource {
        v2::Resource {
            id: Some(v2::ResourceId {
                resource_type: resource_type.to_owned(),
                resource: id.to_owned(),
                ..v2::ResourceId::default()
            }),
            ..v2::Resource::default()
        }
    }

    #[test]
    fn settings_of_the_program_win_over_the_format_of_the_task() {
        let mut task = SyncFullTask {
            storage_engine: "pebble".to_owned(),
            ..SyncFullTask::default()
        };
        let mut request = SyncRequest::new("x");
        apply(&task, &mut request).unwrap();
        assert_eq!(request.format, Some(Format::V3));
        request.format = Some(Format::V1);
        apply(&task, &mut request).unwrap();
        assert_eq!(request.format, Some(Format::V1));
        task.storage_engine = "rocks".to_owned();
        apply(&task, &mut request).unwrap();
        request.format = None;
        let failure = apply(&task, &mut request).unwrap_err();
        assert_eq!(
            failure.status.message,
            "require-engine-driver: dotc1z: engine not available: rocks"
        );
        task.storage_engine.clear();
        apply(&task, &mut request).unwrap();
        assert_eq!(request.format, Some(Format::V1));
    }

    #[test]
    fn the_types_of_the_task_win_over_those_of_the_program() {
        let mut request = SyncRequest::new("x");
        request.resource_type_filter = vec!["user".to_owned()];
        apply(&SyncFullTask::default(), &mut request).unwrap();
        assert_eq!(request.resource_type_filter, ["user"]);
        let task = SyncFullTask {
            sync_resource_type_ids: vec!["group".to_owned()],
            ..SyncFullTask::default()
        };
        apply(&task, &mut request).unwrap();
        assert_eq!(request.resource_type_filter, ["group"]);
    }

    #[test]
    fn targets_need_type_and_id() {
        let mut request = SyncRequest::new("x");
        let task = |resource| SyncFullTask {
            targeted_sync_resources: vec![resource],
            skip_grants: true,
            ..SyncFullTask::default()
        };
        apply(&task(resource("user", "u1")), &mut request).unwrap();
        assert_eq!(request.targets[0].to_string(), "bid:r:user/u1");
        assert!(request.skip_grants);
        for odd in [
            resource("", "u1"),
            resource("user", ""),
            v2::Resource::default(),
        ] {
            assert!(apply(&task(odd), &mut request).is_err());
        }
    }
}
