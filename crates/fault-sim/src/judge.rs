//! Judges how an attempt ended: by its result, and by the file that it
//! leaves, compared with what was true during the attempt.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, SystemTime};

use baton_c1z::{C1zFile, Filter, ReadOptions, Table, View};
use baton_proto::bid::TypedId;
use baton_proto::c1::connector::v2;
use baton_proto::{Code, causes};
use baton_sync::{Completeness, Error, Report};
use prost::Message;
use prost_types::value::Kind;

use crate::disk::DiskFault;
use crate::history::Facts;
use crate::missing_rows::{MissingRows, owner_of, principal_of, type_of, without_made_up_members};
use crate::plan::{Extent, Mishap};
use crate::play::{Ending, Judged, Simulation, Violation, violated};

impl Simulation<'_> {
    /// Checks an ending, and sums it up in a few words.
    pub(crate) fn judge(
        &self,
        ending: &Ending,
        mishaps: &[Mishap],
        before: Option<&[u8]>,
    ) -> Judged<String> {
        let now = self.target_bytes();
        let untouched = now.as_deref() == before;
        match ending {
            Ending::Killed => {
                if untouched {
                    return Ok("killed".to_owned());
                }
                self.check_newest(&self.target, None)?;
                Ok("killed after the last step".to_owned())
            }
            Ending::Ended(result) => match result.as_ref() {
                Ok(report) if report.completeness == Completeness::Complete => {
                    if report.path != self.target.canonicalize().unwrap_or_default() {
                        return violated("a complete sync lies elsewhere");
                    }
                    self.check_newest(&report.path, Some(report))?;
                    Ok("complete".to_owned())
                }
                Ok(report) => {
                    if !untouched {
                        return violated("a partial sync has touched the target");
                    }
                    if report.skipped.is_empty() || report.unreadable == 0 {
                        return violated("a partial sync does not list what is missing");
                    }
                    self.check_newest(&report.path, Some(report))?;
                    Ok("partial".to_owned())
                }
                Err(error) => {
                    self.judge_error(error, mishaps, untouched)?;
                    let text = self.without_folders(&error.to_string());
                    Ok(format!("{:?}: {text}", error.code()))
                }
            },
        }
    }

    fn judge_error(&self, error: &Error, mishaps: &[Mishap], untouched: bool) -> Judged<()> {
        let text = causes::one_line(error);
        if matches!(error, Error::Crashed { .. } | Error::Journal { .. }) {
            return violated(format!("the engine broke: {text}"));
        }
        if !untouched {
            // The one failure after the last step: see the seal's documentation.
            if !text.contains("make the rename durable") {
                return violated(format!("a failed sync has touched the target: {text}"));
            }
            self.check_newest(&self.target, None)?;
        }
        if matches!(error, Error::Empty { .. }) {
            // The only group may have been deleted: not to be believed at once.
            return Ok(());
        }
        if mishaps.is_empty() {
            return violated(format!("failed without a mishap: {text}"));
        }
        let stopped = mishaps.iter().any(|m| matches!(m, Mishap::StopAt(_)));
        if error.code() == Code::Canceled && !stopped {
            return violated(format!("stopped without a request to stop: {text}"));
        }
        let disk_only = mishaps
            .iter()
            .all(|m| matches!(m, Mishap::Disk(DiskFault::FullFrom(_)) | Mishap::Change(..)));
        if disk_only && error.code() != Code::ResourceExhausted {
            return violated(format!(
                "a full disk is reported as {:?}: {text}",
                error.code()
            ));
        }
        Ok(())
    }

    /// Compares the newest sync of a file with what was true.
    fn check_newest(&self, path: &Path, report: Option<&Report>) -> Judged<()> {
        let unreadable = |e: baton_c1z::Error| Violation(format!("the file is damaged: {e}"));
        let file = C1zFile::open(path, &ReadOptions::default()).map_err(unreadable)?;
        let newest = file.latest_finished(None).cloned();
        let Some(run) = newest else {
            return violated("the file holds no finished sync");
        };
        if report.is_some_and(|report| report.sync_id != run.id) {
            return violated("the newest sync is not the reported one");
        }
        let began = run.started_at.and_then(|at| SystemTime::try_from(at).ok());
        let ended = run.ended_at.and_then(|at| SystemTime::try_from(at).ok());
        let (Some(began), Some(ended)) = (began, ended) else {
            return violated("the sync has no times");
        };
        let view = file.view(View::Sync(&run.id)).map_err(unreadable)?;
        let mut found = Facts::default();
        // Resources that no list has.
        let mut added = BTreeSet::new();
        view.scan(Table::Resources, &Filter::default(), &mut |row| {
            let resource = v2::Resource::decode(row.data).unwrap_or_default();
            if is_added(&resource) {
                added.insert(row.id.to_owned());
                return Ok(ControlFlow::Continue(()));
            }
            found.resources.insert(row.id.to_owned());
            found.names.insert(row.id.to_owned(), resource.display_name);
            Ok(ControlFlow::Continue(()))
        })
        .map_err(unreadable)?;
        let (mut granted, mut held) = (BTreeSet::new(), BTreeSet::new());
        view.scan(Table::Grants, &Filter::default(), &mut |row| {
            found.grants.insert(row.id.to_owned());
            granted.insert(row.entitlement_id.to_owned());
            held.insert(format!("{}:{}", row.resource_type_id, row.resource_id));
            Ok(ControlFlow::Continue(()))
        })
        .map_err(unreadable)?;
        let mut members = BTreeSet::new();
        let mut entitlements = BTreeSet::new();
        view.scan(Table::Entitlements, &Filter::default(), &mut |row| {
            entitlements.insert(row.id.to_owned());
            if let Some(group) = row.id.strip_suffix(":member") {
                members.insert(group.to_owned());
            }
            Ok(ControlFlow::Continue(()))
        })
        .map_err(unreadable)?;
        if let Some(id) = added.difference(&held).next() {
            return violated(format!("{id} was added, and nothing is granted on it"));
        }
        // A sync of named resources holds a part.
        let is_there = |id: &&String| found.resources.contains(*id) || added.contains(*id);
        if self.plan.extent != Extent::Named {
            let missing = granted.difference(&entitlements).next();
            if let Some(id) = missing.or_else(|| held.iter().find(|id| !is_there(id))) {
                return violated(format!("grants are on {id}, which is not there"));
            }
        }
        self.network.history(|history| {
            let moments = history.between(began, ended + Duration::from_secs(1));
            let believed = without_made_up_members(self.plan, found.clone(), report);
            if let Some(untrue) = believed.untrue(&moments) {
                return violated(untrue);
            }
            if let Some(id) = members.difference(&found.resources).next() {
                return violated(format!("an entitlement is on {id}, which is not there"));
            }
            match report {
                Some(report) if report.completeness == Completeness::Complete => {
                    self.check_nothing_lost(&found, &members, &moments, report)
                }
                _ => Ok(()),
            }
        })
    }

    fn check_nothing_lost(
        &self,
        found: &Facts,
        members: &BTreeSet<String>,
        moments: &[&Facts],
        report: &Report,
    ) -> Judged<()> {
        let without_members = found
            .resources
            .iter()
            .find(|id| id.starts_with("group:") && !members.contains(*id));
        let extent = self.plan.extent;
        if let Some(id) = without_members.filter(|_| extent != Extent::ResourcesOnly) {
            return violated(format!("{id} has no entitlement"));
        }
        if let Extent::Types(types) = extent {
            let mut found = found.resources.iter();
            if let Some(id) = found.find(|id| !types.contains(&type_of(id))) {
                return violated(format!("{id} was not asked for"));
            }
        }
        // A list that the server reports as deleted is left out, and the report names it.
        let reported = |id: &str| {
            report
                .skipped
                .iter()
                .map(|skipped| &skipped.resource)
                .any(|of| {
                    !of.is_empty()
                        && (id.ends_with(&format!(":{of}")) || id.starts_with(&format!("{of}:")))
                })
        };
        let missing = MissingRows::new(self.plan, found, moments, report);
        if let Some(alarm) = missing.false_alarm() {
            return violated(alarm);
        }
        let (mut resources, mut grants) = found.lost(moments);
        resources.retain(|id| self.wants_resource(id));
        grants.retain(|id| self.wants_grant(id) && !reported(id));
        // The file that is there before is a full one.
        if report.targeted {
            self.check_targets(found, &resources, &missing, report)?;
            resources.clear();
            grants.retain(|id| found.resources.contains(owner_of(id)));
        }
        match missing.unexplained(&resources, &grants) {
            Some(lost) => violated(lost),
            None => Ok(()),
        }
    }

    /// Whether a sync of this extent holds the resource.
    fn wants_resource(&self, id: &str) -> bool {
        match self.plan.extent {
            Extent::Full | Extent::ResourcesOnly | Extent::WithoutGrants => true,
            Extent::Types(types) => types.contains(&type_of(id)),
            Extent::Named => self.is_target(id),
        }
    }

    /// Whether a sync of this extent holds the grant.
    fn wants_grant(&self, id: &str) -> bool {
        match self.plan.extent {
            Extent::Full => true,
            Extent::ResourcesOnly | Extent::WithoutGrants => false,
            Extent::Types(types) => [id, principal_of(id)]
                .iter()
                .all(|id| types.contains(&type_of(id))),
            Extent::Named => self.is_target(owner_of(id)),
        }
    }

    fn is_target(&self, id: &str) -> bool {
        self.targets.iter().any(|target| {
            let TypedId {
                resource_type,
                resource,
            } = &target.id;
            id.split_once(':') == Some((resource_type, resource))
        })
    }

    /// A named resource is there or reported as left out. None that was there
    /// throughout is reported as missing upstream, unless a cursor passed over it.
    fn check_targets(
        &self,
        found: &Facts,
        lost: &[&str],
        missing: &MissingRows<'_>,
        report: &Report,
    ) -> Judged<()> {
        let claimed = |id: &str| {
            let id = id.split_once(':').map_or(id, |(_, id)| id);
            let mut warnings = report.warnings.iter();
            warnings.any(|w| w.contains(id) && w.contains("it does not exist"))
        };
        if let Some(id) = lost.iter().find(|id| !missing.shifting && claimed(id)) {
            return violated(format!(
                "{id} was there throughout, and is reported as missing upstream"
            ));
        }
        for target in &self.targets {
            let (kind, id) = (&target.id.resource_type, &target.id.resource);
            let is_there = found.resources.contains(&format!("{kind}:{id}"));
            let skipped = report.skipped.iter().any(|s| s.resource.ends_with(id));
            if !is_there && !skipped && !report.warnings.iter().any(|w| w.contains(id)) {
                return violated(format!("{kind} `{id}` was named and is left out, silently"));
            }
        }
        Ok(())
    }

    /// A text without the test's folder, which has another name each time, and
    /// without the working folder's, which is made from it.
    fn without_folders(&self, text: &str) -> String {
        const PREFIX: &str = "baton-work-";
        let mut text = text.replace(&*self.folder.to_string_lossy(), "");
        if let Some(at) = text.find(PREFIX).map(|at| at + PREFIX.len()) {
            let end = text[at..].find('/').map_or(text.len(), |len| at + len);
            text.replace_range(at..end, "");
        }
        text
    }

    /// Nothing of the work is left once a sync is complete.
    pub(crate) fn check_folder(&self) -> Judged<()> {
        let entries = std::fs::read_dir(&self.folder).map_err(|e| Violation(e.to_string()))?;
        let names: BTreeSet<String> = entries
            .filter_map(Result::ok)
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        let in_work = std::fs::read_dir(&self.work).map_err(|e| Violation(e.to_string()))?;
        if in_work.count() > 0 {
            return violated("a working folder is left behind");
        }
        let known = ["sync.c1z", "sync.partial.c1z", "work"];
        match names.iter().find(|name| !known.contains(&name.as_str())) {
            Some(rest) => violated(format!("{rest} is left behind")),
            None => Ok(()),
        }
    }
}

/// Whether a resource is there only because grants are on it.
fn is_added(resource: &v2::Resource) -> bool {
    let profile = resource.profile.as_ref();
    let listed = profile.and_then(|profile| profile.fields.get("listed"));
    listed.is_some_and(|value| value.kind == Some(Kind::BoolValue(false)))
}
