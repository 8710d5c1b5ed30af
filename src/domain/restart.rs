//! Which workloads must restart, and how far they are. Pure: workloads and pods come in as views.
//!
//! A restart is a marker on the pod template, `<key id>-<hash>.<attempt>`, of what the workload uses of a
//! sync's targets. It is level-triggered: setting it twice is setting it once, and it survives crashes,
//! retries and changes of leader. It is never a time.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::conditions::Reason;
use crate::keys::InstallationKey;
use crate::names::{Key, SyncId};
use crate::record::{RecordState, RestartRecord, TargetRecord, saturating_sub};
use crate::reserved::{CONTENT_ANNOTATION, RELOAD_ANNOTATION};
use crate::sync::{Rollout, ValidatedSync};
use crate::workload::{OWN_TROUBLE, PodView, UsedObject, WorkloadView};

/// Start times of pods are whole seconds on another machine's clock: a pod counts as started after a write
/// only with this much between them.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(2);

/// How often one marker is set before somebody who strips it is named.
const MAX_TIMES_SET: u32 = 2;

/// The longest name part of an annotation (Kubernetes: qualified names).
const MAX_ANNOTATION_NAME: usize = 63;

/// The annotation on pod templates that carries the marker of `sync`.
pub fn marker_annotation(sync: &SyncId) -> String {
    let plain = format!("{CONTENT_ANNOTATION}-{}", sync.name);
    let name_length = plain.split('/').next_back().map_or(0, str::len);
    if name_length <= MAX_ANNOTATION_NAME {
        plain
    } else {
        let digest = crate::keys::public_digest(sync.name.as_str());
        format!("{CONTENT_ANNOTATION}.{digest}")
    }
}

/// Whether `workload` uses one of `keys` of `target`.
pub fn uses(workload: &WorkloadView, target: &TargetRecord, keys: &BTreeSet<Key>) -> bool {
    workload
        .uses
        .iter()
        .filter(|usage| is_object(&usage.object, target))
        .any(|usage| keys.iter().any(|key| usage.keys.contain(key)))
}

fn is_object(object: &UsedObject, target: &TargetRecord) -> bool {
    match object {
        UsedObject::Secret(name) => target.kind == "Secret" && *name == target.object,
        UsedObject::ConfigMap(name) => target.kind == "ConfigMap" && *name == target.object,
    }
}

/// The hash part of the marker: over the hashes of everything that the workload uses of the sync's targets.
pub fn marker_hash(
    workload: &WorkloadView,
    record: &RecordState,
    sync: &SyncId,
    key: &InstallationKey,
) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for (name, target) in &record.targets {
        let usages: Vec<_> = workload
            .uses
            .iter()
            .filter(|usage| is_object(&usage.object, target))
            .collect();
        for (key_name, hash) in &target.keys {
            if usages.iter().any(|usage| usage.keys.contain(key_name)) {
                parts.extend([name.as_str(), key_name.as_str(), hash.as_str()]);
            }
        }
    }
    format!(
        "{}-{}",
        key.id().as_str(),
        key.fingerprint("marker", sync, parts, 8)
    )
}

/// What a marker says of the content, without the attempt.
fn hash_of(marker: &str) -> Option<&str> {
    marker.rsplit_once('.').map(|(hash, _)| hash)
}

/// The next marker for `hash`, after `last`: the first attempt of a new content, one more of the same.
fn next_marker(hash: &str, last: Option<&str>) -> String {
    let attempt = last
        .and_then(|last| last.rsplit_once('.'))
        .filter(|(last_hash, _)| *last_hash == hash)
        .and_then(|(_, attempt)| attempt.parse::<u32>().ok())
        .unwrap_or(0);
    format!("{hash}.{}", attempt.saturating_add(1))
}

/// Why a workload is left alone, if it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeftAlone {
    /// It says so itself: `penstock.dev/reload: "false"`.
    OptedOut,
    /// A person must do something; the sentence says what.
    Attention(String),
    /// It has no pods and wants none.
    NoPods,
}

/// Whether a workload is left alone, and why.
pub fn left_alone(workload: &WorkloadView) -> Option<LeftAlone> {
    if workload
        .annotations
        .get(RELOAD_ANNOTATION)
        .is_some_and(|value| value == "false")
    {
        Some(LeftAlone::OptedOut)
    } else if let Some(owner) = &workload.controlled_by {
        Some(LeftAlone::Attention(format!(
            "is controlled by {owner}, which would undo the restart: restart it there"
        )))
    } else if workload.paused {
        Some(LeftAlone::Attention(
            "is paused: resume it, and it is restarted".to_owned(),
        ))
    } else if workload.on_delete {
        Some(LeftAlone::Attention(
            "replaces pods only when they are deleted (OnDelete): delete its pods".to_owned(),
        ))
    } else if workload.replicas == 0 && workload.existing == 0 {
        Some(LeftAlone::NoPods)
    } else {
        None
    }
}

/// Workloads that use a key that changes.
pub fn affected<'a>(
    workloads: &'a [WorkloadView],
    targets: &'a [(TargetRecord, BTreeSet<Key>)],
) -> impl Iterator<Item = (usize, &'a WorkloadView)> {
    workloads.iter().enumerate().filter(|(_, workload)| {
        targets
            .iter()
            .any(|(target, keys)| uses(workload, target, keys))
    })
}

/// Writes into `record` that `workload` must restart for content written at `since`.
pub fn intend(
    record: &mut RecordState,
    workload: &WorkloadView,
    sync: &ValidatedSync,
    (since, now): (Timestamp, Timestamp),
    key: &InstallationKey,
) {
    let hash = marker_hash(workload, record, &sync.id, key);
    let annotation = marker_annotation(&sync.id);
    let carried = workload.template_annotations.get(&annotation);
    let former = record.restarts.get(&workload.id.uid);
    let open = |former: &&RestartRecord| {
        carried != Some(&former.marker) && hash_of(&former.marker) == Some(&hash)
    };
    if let Some(open) = former.filter(open).cloned() {
        // Intended before, and not begun: the write failed, say. It is still one restart.
        let again = RestartRecord { since, ..open };
        record.restarts.insert(workload.id.uid.clone(), again);
        return;
    }
    let last = former.map(|former| &former.marker).or(carried);
    let marker = next_marker(&hash, last.map(String::as_str));
    let caused = former
        .map(|former| former.caused.clone())
        .unwrap_or_default();
    let mut intended = RestartRecord {
        workload: workload.id.clone(),
        marker,
        since,
        times_set: 0,
        caused,
        ailing: is_ailing(workload, former, &annotation),
    };
    let back = record.rollout.as_ref();
    if !spend(&mut intended, &sync.rollout, now)
        && back.is_some_and(|rollout| rollout.takes_back.is_some())
    {
        // Nobody stays on a bad value because the budget is used up.
        intended.caused.push(now);
        intended.times_set = intended.times_set.saturating_add(1);
    }
    record.restarts.insert(workload.id.uid.clone(), intended);
}

/// Whether it was unwell before it is restarted, and not because of a restart of ours that is under way.
fn is_ailing(workload: &WorkloadView, former: Option<&RestartRecord>, annotation: &str) -> bool {
    let unwell = workload.available < workload.replicas;
    let carried = workload.template_annotations.get(annotation);
    match former.filter(|former| carried == Some(&former.marker)) {
        Some(under_way) if unwell => under_way.ailing,
        _ => unwell,
    }
}

/// What the pods of a restart that is under way, or late, say about the content. None where they say nothing: the
/// cluster may be the cause, or a trouble that was there before.
pub fn diagnose(restart: &RestartRecord, pods: &[PodView], late: bool) -> Option<String> {
    if restart.ailing {
        return None;
    }
    let caused = restart.caused.last().copied().unwrap_or(restart.since);
    let border = caused.checked_sub(CLOCK_TOLERANCE).unwrap_or(caused);
    let is_new = |pod: &&PodView| pod.started.is_some_and(|started| started >= border);
    let new: Vec<&PodView> = pods.iter().filter(is_new).collect();
    let crash = new.iter().find_map(|pod| {
        let trouble = pod.trouble.as_deref()?;
        OWN_TROUBLE.contains(&trouble).then_some(trouble)
    });
    if let Some(trouble) = crash {
        return Some(format!("has pods that do not start on it ({trouble})"));
    }
    let unready = |pod: &&&PodView| !pod.ready && pod.trouble.is_none();
    (late && new.iter().any(|pod| unready(&pod)))
        .then(|| "has pods that run on it and do not get ready".to_owned())
}

/// Counts one restart against the budget, if it still has one: then the marker may be set.
pub fn spend(restart: &mut RestartRecord, rollout: &Rollout, now: Timestamp) -> bool {
    let window = saturating_sub(now, rollout.restart_window);
    restart.caused.retain(|at| *at >= window);
    let free = restart.caused.len() < usize::try_from(rollout.max_restarts).unwrap_or(usize::MAX);
    if free {
        restart.caused.push(now);
        restart.times_set = restart.times_set.saturating_add(1);
    }
    free
}

/// Whether every pod started after `since`, so that a missing marker is no missing restart.
pub fn all_started_after(pods: &[PodView], since: Timestamp) -> bool {
    let border = since.checked_add(CLOCK_TOLERANCE).unwrap_or(since);
    pods.iter()
        .all(|pod| pod.started.is_none_or(|started| started >= border))
}

/// Whether some pod started between `from` and `until`: on tampered content.
pub fn some_started_within(pods: &[PodView], from: Timestamp, until: Timestamp) -> bool {
    let from = from.checked_sub(CLOCK_TOLERANCE).unwrap_or(from);
    pods.iter().any(|pod| {
        pod.started
            .is_some_and(|started| started >= from && started <= until)
    })
}

/// What to do next about one workload that must restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Set the marker (after a look at the pods).
    Mark,
    /// The marker was set and is gone: set it once more, and remember.
    MarkAgain,
    /// The marker is set; pods are being replaced.
    Progressing,
    /// Done.
    Settled,
    /// It does not survive the content; why.
    Failed(String),
    /// Its turn has not come: an earlier wave, a window.
    Waits,
    /// A person must look.
    Attention(Reason, String),
}

/// Decides the next step for a workload. `set_here`: this process has set the marker before.
pub fn step(
    workload: &WorkloadView,
    restart: &RestartRecord,
    sync: &ValidatedSync,
    set_here: bool,
    now: Timestamp,
) -> Step {
    if let Some(alone) = left_alone(workload) {
        return match alone {
            LeftAlone::Attention(why) => Step::Attention(Reason::RestartRefused, why),
            LeftAlone::OptedOut | LeftAlone::NoPods => Step::Settled,
        };
    }
    let carried = workload
        .template_annotations
        .get(&marker_annotation(&sync.id));
    if carried == Some(&restart.marker) {
        return progress(workload, restart, sync.rollout.deadline, now);
    }
    match (restart.times_set, set_here) {
        (0, _) => Step::Attention(Reason::RestartBudgetExhausted, budget_text(&sync.rollout)),
        (times, true) if times >= MAX_TIMES_SET => {
            Step::Attention(Reason::RestartContested, contested_text(workload))
        }
        (_, true) => Step::MarkAgain,
        (_, false) => Step::Mark,
    }
}

pub(crate) fn budget_text(rollout: &Rollout) -> String {
    format!(
        "was restarted {} times within {}s, which is the budget (`rollout.budget`): it waits",
        rollout.max_restarts,
        rollout.restart_window.as_secs()
    )
}

/// Who removed it, the API server does not remember: only who manages the workload besides.
fn contested_text(workload: &WorkloadView) -> String {
    let who = if workload.managers.is_empty() {
        "whoever else manages it".to_owned()
    } else {
        format!("its other managers ({})", workload.managers.join(", "))
    };
    format!(
        "has lost its restart marker twice: let {who} ignore annotations of the pod template under \
         penstock.dev/, or restart the workload yourself"
    )
}

fn progress(
    workload: &WorkloadView,
    restart: &RestartRecord,
    deadline: Duration,
    now: Timestamp,
) -> Step {
    let seen = workload.observed_generation >= workload.generation;
    let replaced = workload.updated >= workload.replicas && workload.existing <= workload.updated;
    if seen && replaced && workload.available >= workload.replicas {
        return Step::Settled;
    }
    if let Some(why) = &workload.stalled {
        return Step::Attention(
            Reason::RolloutStuck,
            format!("says that it does not go on: {why}"),
        );
    }
    let caused = restart.caused.last().copied();
    let begun = caused.map_or(restart.since, |caused| caused.max(restart.since));
    if begun >= saturating_sub(now, deadline) {
        return Step::Progressing;
    }
    let message = format!(
        "has {} of {} pods on the new content and {} available after {}s",
        workload.updated,
        workload.replicas,
        workload.available,
        deadline.as_secs()
    );
    Step::Attention(Reason::RolloutStuck, message)
}

/// Whether Stakater Reloader is told to restart this workload, too.
pub fn has_reloader_annotation(workload: &WorkloadView) -> bool {
    workload
        .annotations
        .iter()
        .any(|(name, value)| name.contains("reloader.stakater.com/") && value != "false")
}
