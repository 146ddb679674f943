//! What the user should know about a finished sync: warnings and notes.

use std::collections::BTreeSet;

use baton_c1z::Sealed;
use baton_connector::LocalHooks;
use baton_proto::figures::counted;

use crate::count_check;
use crate::event::{Event, Observer};
use crate::external;
use crate::list;
use crate::phases;
use crate::progress::Progress;
use crate::repeats;
use crate::report::{Miscount, Repeated, Uncounted, UnknownType};
use crate::request::SyncRequest;
use crate::target::Target;

/// What was found in the rows of a sync that is sealed.
pub(crate) struct Findings {
    pub(crate) unknown_types: Vec<UnknownType>,
    pub(crate) shortfalls: Vec<Miscount>,
    pub(crate) surpluses: Vec<Miscount>,
    pub(crate) uncounted: Vec<Uncounted>,
    pub(crate) repeated: Vec<Repeated>,
    pub(crate) notes: Vec<String>,
    /// All of the above that is not as it should be, and more.
    pub(crate) warnings: Vec<String>,
}

impl Findings {
    pub(crate) fn of(
        sealed: &Sealed,
        progress: &Progress,
        connector: Option<&dyn LocalHooks>,
        request: &SyncRequest,
        target: &Target,
        external_warnings: Vec<String>,
    ) -> Self {
        let shortfalls = progress.count_checks.shortfalls();
        let surpluses = progress.count_checks.surpluses();
        let uncounted = progress.count_checks.uncounted();
        let repeated = repeats::report(&progress.repeats, connector);
        let unknown_types = progress.unknown_types();
        let mut warnings: Vec<String> = unknown_types.iter().map(ToString::to_string).collect();
        warnings.extend(count_check::warnings(&shortfalls, &surpluses, &uncounted));
        warnings.extend(count_check::full_ends(&progress.full_ends));
        let (explained, unexplained): (Vec<_>, Vec<_>) = repeated
            .iter()
            .partition(|repeated: &&Repeated| repeated.reason.is_some());
        let notes = explained.into_iter().map(ToString::to_string).collect();
        warnings.extend(unexplained.into_iter().map(ToString::to_string));
        warnings.extend(sealed.warnings.iter().cloned());
        warnings.extend(target.warning.clone());
        warnings.extend(left_out(progress, request));
        warnings.extend(oddities(progress, request));
        if let Some(folder) = &sealed.leftover {
            warnings.push(format!(
                "the working folder {} could not be removed",
                folder.display()
            ));
        }
        warnings.extend(external_warnings);
        Self {
            unknown_types,
            shortfalls,
            surpluses,
            uncounted,
            repeated,
            notes,
            warnings,
        }
    }

    /// Sends notes and warnings.
    pub(crate) fn send(&self, observer: &dyn Observer) {
        for message in &self.notes {
            observer.event(&Event::Note {
                message: message.clone(),
            });
        }
        for message in &self.warnings {
            observer.event(&Event::Warning {
                message: message.clone(),
            });
        }
    }
}

/// Named resources that are not in the file.
fn left_out(progress: &Progress, request: &SyncRequest) -> Vec<String> {
    let named = phases::chosen(&request.targets, &request.resource_type_filter);
    let absent = named.iter().map(list::single).filter_map(|list| {
        let absent = progress.absent.get(&list)?;
        Some(format!(
            "{} is left out: {}",
            list::name(&list),
            absent.reason
        ))
    });
    let outside = request
        .targets
        .iter()
        .filter(|target| !named.contains(target));
    let outside: BTreeSet<String> = outside
        .map(|target| list::name(&list::single(target)))
        .collect();
    let outside = outside
        .iter()
        .map(|name| format!("{name} is left out: the request excludes its type"));
    absent.chain(outside).collect()
}

/// What is unusual about the request or the connector's answers.
fn oddities(progress: &Progress, request: &SyncRequest) -> Vec<String> {
    let mut warnings = Vec::new();
    if request.external.is_some() && external::settings(request).is_none() {
        warnings.push(
            "the file of external resources is not used: the sync is of single resources, or of \
             none"
                .to_owned(),
        );
    }
    if progress.split_lists.repeated > 0 {
        warnings.push(counted(
            progress.split_lists.repeated,
            "further page token is listed more than once and is followed once",
            "further page tokens are listed more than once and are followed once",
        ));
    }
    // Under a filter they are types that are not wanted.
    let unknown_children = progress.unknown_children.iter();
    let unknown_children = unknown_children.filter(|_| request.resource_type_filter.is_empty());
    warnings.extend(unknown_children.map(|child| {
        format!("resources name the child type `{child}`, which is not among the connector's types")
    }));
    warnings
}
