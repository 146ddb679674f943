//! The asset that names the program that wrote a file, and how complete the
//! file is.

use baton_c1z::{NewAsset, PROVENANCE_ASSET};
use serde::Serialize;

use crate::policy;
use crate::progress::Progress;
use crate::report::{Completeness, Dropped, SkipKind};
use crate::request::{Provenance, SyncRequest};

/// The content of the provenance asset. Nothing in it varies with the run,
/// with timing or with how the requests were planned.
#[derive(Serialize)]
struct ProvenanceText<'a> {
    tool: &'a str,
    version: &'a str,
    sync_type: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resource_types: Vec<&'a str>,
    completeness: Completeness,
    unreadable_lists: u64,
    vanished_lists: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    skipped: Vec<SkippedText>,
    #[serde(skip_serializing_if = "Dropped::is_empty")]
    dropped: Dropped,
}

#[derive(Serialize)]
struct SkippedText {
    what: String,
    resource_type: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    resource: String,
    why: SkipKind,
}

pub(crate) fn asset(
    provenance: &Provenance,
    request: &SyncRequest,
    completeness: Completeness,
    progress: &Progress,
) -> NewAsset {
    let mut resource_types: Vec<&str> = request
        .resource_type_filter
        .iter()
        .map(String::as_str)
        .collect();
    resource_types.sort_unstable();
    resource_types.dedup();
    let skipped = progress.skipped().into_iter().map(|skipped| SkippedText {
        what: skipped.what,
        resource_type: skipped.resource_type,
        resource: skipped.resource,
        why: skipped.kind,
    });
    let text = ProvenanceText {
        tool: &provenance.tool,
        version: &provenance.version,
        sync_type: policy::sync_type(request).as_str(),
        resource_types,
        completeness,
        unreadable_lists: progress.unreadable(),
        vanished_lists: progress.vanished(),
        skipped: skipped.collect(),
        dropped: progress.dropped,
    };
    NewAsset {
        id: PROVENANCE_ASSET.to_owned(),
        content_type: "application/json".to_owned(),
        data: crate::records::to_text(&text).into_bytes(),
    }
}
