//! The spec as a whole, as a table of contents.

use std::time::Duration;

use super::parameters::replaced;
use super::place::Place;
use super::problems::Problems;
use super::rollout::rollout;
use super::source::source;
use super::target::{check_across, target, target_path};
use super::transform::transform;
use super::validate::{rules, validators};
use super::words::{duration, unique};
use crate::api::defaults;
use crate::api::secret_sync::{
    Conflicts as ApiConflicts, History as ApiHistory, HistoryKeep, SecretSync, SecretSyncSpec,
};
use crate::names::{NamespaceName, ObjectName, SyncId};
use crate::sync::{Conflicts, History, ValidatedSource, ValidatedSync, ValidatedTarget};

/// The most revisions that a record keeps besides the current one.
const MAX_OLDER: u32 = 20;
/// The shortest age at which a revision is purged.
const LEAST_AGE: Duration = Duration::from_mins(1);

/// Checks a SecretSync for the operator, and fills in what absence means. Pure: the same object gives the same
/// answer.
pub fn admit(object: &SecretSync) -> Result<ValidatedSync, Problems> {
    admit_at(object, Place::Operator)
}

/// As [`admit`], for whoever says so.
pub fn admit_at(object: &SecretSync, place: Place<'_>) -> Result<ValidatedSync, Problems> {
    let mut problems = Problems::default();
    let id = identity(&mut problems, object);
    let spec = &*replaced(&mut problems, &object.spec, place);
    unsupported(&mut problems, spec);
    let interval = duration(
        &mut problems,
        "spec.interval",
        spec.interval.as_ref(),
        (defaults::INTERVAL, defaults::INTERVAL_MINIMUM),
    );
    let sources = sources(&mut problems, spec, place);
    let transform = transform(&mut problems, spec.transform.as_ref());
    let targets = targets(&mut problems, spec, (id.as_ref(), place));
    let names: Vec<&str> = spec
        .sources
        .iter()
        .map(|source| source.name.as_str())
        .collect();
    check_across(&mut problems, &sources, &targets, &names);
    let rollout = rollout(&mut problems, spec.rollout.as_ref());
    let validators = validators(&mut problems, &spec.validate);
    let guards = spec.guards.clone().unwrap_or_default();
    let history = history(&mut problems, spec.history.as_ref());
    match id {
        Some(id) if problems.is_empty() => Ok(ValidatedSync {
            id,
            folder: place.folder(),
            generation: object.metadata.generation.unwrap_or_default(),
            interval,
            suspend: spec.suspend.unwrap_or_default(),
            conflicts: conflicts(spec.conflicts.unwrap_or_default()),
            sources,
            transform,
            targets,
            validators,
            rules: rules(spec),
            rollout,
            max_deletes: Some(guards.max_deletes.unwrap_or(defaults::MAX_DELETES)),
            history,
        }),
        _ => Err(problems),
    }
}

fn identity(problems: &mut Problems, object: &SecretSync) -> Option<SyncId> {
    let namespace = object.metadata.namespace.clone().unwrap_or_default();
    let namespace = problems.name("metadata.namespace", NamespaceName::new(namespace));
    let name = object.metadata.name.clone().unwrap_or_default();
    let name = problems.name("metadata.name", ObjectName::new(name));
    Some(SyncId {
        namespace: namespace?,
        name: name?,
    })
}

fn unsupported(problems: &mut Problems, spec: &SecretSyncSpec) {
    let set = [
        (
            "spec.forEach",
            spec.for_each.is_some(),
            "Make one SecretSync for each",
        ),
        (
            "spec.notify",
            !spec.notify.is_empty(),
            "Leave it out, and watch the conditions and events",
        ),
    ];
    for (field, _, hint) in set.iter().filter(|(_, set, _)| *set) {
        problems.unsupported(*field, hint);
    }
}

fn sources(
    problems: &mut Problems,
    spec: &SecretSyncSpec,
    place: Place<'_>,
) -> Vec<ValidatedSource> {
    if spec.sources.is_empty() {
        problems.invalid("spec.sources", "is empty");
    }
    let path = |at: usize| format!("spec.sources[{at}]");
    let names = spec.sources.iter().map(|source| source.name.as_str());
    unique(problems, names, |at| format!("{}.name", path(at)));
    let listed = spec.sources.iter().enumerate();
    listed
        .filter_map(|(at, listed)| source(problems, &path(at), listed, place))
        .collect()
}

fn targets(
    problems: &mut Problems,
    spec: &SecretSyncSpec,
    at: (Option<&SyncId>, Place<'_>),
) -> Vec<ValidatedTarget> {
    if spec.targets.is_empty() {
        problems.invalid("spec.targets", "is empty");
    }
    let names = spec.targets.iter().map(|target| target.name.as_str());
    unique(problems, names, |at| format!("spec.targets[{at}].name"));
    let listed = spec.targets.iter().enumerate();
    listed
        .filter_map(|(index, listed)| target(problems, &target_path(index, listed), listed, at))
        .collect()
}

fn conflicts(conflicts: ApiConflicts) -> Conflicts {
    match conflicts {
        ApiConflicts::LaterWins => Conflicts::LaterWins,
        ApiConflicts::FirstWins => Conflicts::FirstWins,
        ApiConflicts::Error => Conflicts::Error,
    }
}

fn history(problems: &mut Problems, history: Option<&ApiHistory>) -> History {
    let history = history.cloned().unwrap_or_default();
    let keep_values = history.keep.unwrap_or_default() == HistoryKeep::Revisions;
    if !keep_values && (history.older.is_some() || history.max_age.is_some()) {
        problems.invalid(
            "spec.history.keep",
            "`none` keeps no revision: remove older and maxAge",
        );
    }
    let older = history.older.unwrap_or(defaults::HISTORY_OLDER);
    if older > MAX_OLDER {
        problems.invalid("spec.history.older", format!("is more than {MAX_OLDER}"));
    }
    History {
        older: if keep_values {
            usize::try_from(older).unwrap_or_default()
        } else {
            0
        },
        max_age: duration(
            problems,
            "spec.history.maxAge",
            history.max_age.as_ref(),
            (defaults::HISTORY_MAX_AGE, LEAST_AGE),
        ),
        keep_values,
    }
}
