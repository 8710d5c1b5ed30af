//! Pure: what the record must say before anything is written.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::apply::Work;
use super::{Memory, PassRequest};
use crate::api::status::RolloutPhase;
use crate::bundle::SourceVersion;
use crate::diff::TargetDiff;
use crate::keys::Revision;
use crate::names::{SourceName, TargetName};
use crate::record::{DeletionNote, Orphan, RecordState, StoredRevision, TargetRecord};
use crate::sync::ValidatedTarget;

/// The record as it must be before anything is written, and what is left to others from now on.
pub(super) fn next_record(
    work: &Work<'_>,
    memory: &Memory,
    now: Timestamp,
) -> (RecordState, Vec<TargetRecord>) {
    let former = &work.loaded.state;
    let mut next = former.clone();
    let wishes = work.request.wishes;
    next.revoke(wishes.revoked().map(Revision::from_text));
    if let Some(wish) = wishes.forget {
        next.forget(wish);
    }
    if work.plan.held.is_some() {
        return (next, Vec::new());
    }
    if work.holds_back
        && is_proven(work)
        && let Some(rollout) = &mut next.rollout
    {
        rollout.done = true;
    }
    let deleted = note_targets(&mut next, work);
    let left = leave_behind(&mut next, work.request);
    accept_content(&mut next, work, memory, now);
    if next == *former {
        return (next, left);
    }
    if work.content.fresh {
        // Who did not answer keeps the version that was accepted last.
        let named = |name: &SourceName| {
            work.request
                .sync
                .sources
                .iter()
                .any(|one| one.name == *name)
        };
        next.sources.extend(memory.versions.clone());
        next.sources.retain(|name, _| named(name));
    }
    if deleted > 0 {
        let count = u32::try_from(deleted).unwrap_or(u32::MAX);
        next.deletions.push(DeletionNote { at: now, count });
    }
    if let Some(approval) = work.approval() {
        next.use_approval(&approval.hash);
    }
    next.prune(&work.request.sync.history, now);
    (next, left)
}

/// Notes what each target will hold; how many keys leave.
fn note_targets(next: &mut RecordState, work: &Work<'_>) -> usize {
    let mut deleted = 0;
    for difference in &work.plan.targets {
        let writable = difference.blocked.is_none() && !difference.reported;
        let mut targets = work.request.sync.targets.iter();
        let target = targets.find(|target| target.name == difference.target);
        if let Some(target) = target.filter(|_| writable) {
            note_target(next, target, difference, work);
            deleted += difference.new_deletions().count();
        }
    }
    deleted
}

/// Takes the plan's content as the one in use, unless no target could take any of it.
fn accept_content(next: &mut RecordState, work: &Work<'_>, memory: &Memory, now: Timestamp) {
    let former = &work.loaded.state;
    let current = former.current.as_ref().map(|current| &current.revision);
    let mut targets = work.plan.targets.iter();
    let taken = next.targets != former.targets || targets.all(|one| one.blocked.is_none());
    // Of targets that could not be looked at, none has a difference here.
    let seen = !work.plan.targets.is_empty();
    if current != Some(&work.plan.revision) && seen && (taken || current.is_none()) {
        let accepted = StoredRevision {
            revision: work.plan.revision.clone(),
            at: now,
            bundle: work.content.bundle.clone(),
            versions: versions_of(former, work, memory),
        };
        next.begin_rollout(&accepted.revision, is_proven(work), now);
        next.accept(accepted, &work.request.sync.history);
    }
    follow_history(next, work);
}

/// The versions of the sources that the content came from; those of its first time, where an older one comes back.
fn versions_of(
    record: &RecordState,
    work: &Work<'_>,
    memory: &Memory,
) -> BTreeMap<SourceName, SourceVersion> {
    let stored = record.stored(work.plan.revision.as_str());
    match stored.filter(|_| !work.content.fresh) {
        Some(stored) => stored.versions.clone(),
        None => memory.versions.clone(),
    }
}

/// Whether the rollout of what is in use has ended well: then one can go back to it. Status tells, and the record where
/// status tells of a change that waits.
fn is_proven(work: &Work<'_>) -> bool {
    let record = &work.loaded.state;
    let Some(current) = record.current.as_ref() else {
        return true;
    };
    let noted = record.rollout.as_ref();
    let noted = noted.filter(|rollout| rollout.revision == current.revision);
    let Some(noted) = noted.filter(|rollout| !rollout.done) else {
        return true;
    };
    let told = work.request.status.rollout.as_ref();
    told.is_some_and(|told| {
        told.phase.is_some_and(RolloutPhase::is_over)
            && told.revision.as_deref() == Some(noted.revision.as_str())
    })
}

/// What the spec says about keeping values holds for the revision in use, too, from the edit on.
fn follow_history(next: &mut RecordState, work: &Work<'_>) {
    let request = work.request;
    let edited = request.status.observed_generation != Some(request.sync.generation);
    let keeps = request.sync.history.keep_values;
    let Some(current) = &mut next.current else {
        return;
    };
    if !keeps {
        current.bundle = None;
        next.older.clear();
    } else if edited && current.bundle.is_none() && current.revision == work.plan.revision {
        current.bundle.clone_from(&work.content.bundle);
    }
}

fn note_target(
    next: &mut RecordState,
    target: &ValidatedTarget,
    difference: &TargetDiff,
    work: &Work<'_>,
) {
    let desired = work.desired.get(&target.name);
    let former = desired.and_then(|desired| desired.former.as_ref());
    let untouched =
        former.filter(|former| !difference.is_change() && former.keys == difference.wanted);
    let owned = match untouched {
        Some(former) => TargetRecord {
            delete_with_sync: target.delete_with_sync,
            ..former.clone()
        },
        // Nothing stands there and nothing is made: there is nothing to own.
        None if former.is_none() && difference.wanted.is_empty() && !difference.is_change() => {
            return;
        }
        None => noted(next, target, difference, &work.plan.revision),
    };
    let replaced = next.targets.insert(target.name.clone(), owned);
    if let Some(owned) = replaced.filter(|replaced| !replaced.is_of(target)) {
        next.orphans.push(Orphan {
            target: target.name.clone(),
            owned,
        });
    }
}

/// What is written, or found to be right without a write. A write that is tried again is noted already.
fn noted(
    next: &RecordState,
    target: &ValidatedTarget,
    difference: &TargetDiff,
    revision: &Revision,
) -> TargetRecord {
    let former = next.targets.get(&target.name);
    let owned = |saved| TargetRecord {
        kind: target.destination.kind().to_owned(),
        object: target.destination.object_name().to_owned(),
        format: target.destination.file().map(|file| file.place.format),
        revision: revision.clone(),
        keys: difference.wanted.clone(),
        before: difference.before.clone(),
        whole: difference.whole,
        delete_with_sync: target.delete_with_sync,
        saved,
    };
    former
        .filter(|former| owned(former.saved) == **former)
        .cloned()
        .unwrap_or_else(|| owned(next.counter.saturating_add(1)))
}

/// Targets that the spec no longer has become orphans; only those that said `onDelete: delete` are remembered,
/// the others are given back. An object that a target of another name goes on with is neither: it is remembered
/// until that target's own record has it.
fn leave_behind(next: &mut RecordState, request: PassRequest<'_>) -> Vec<TargetRecord> {
    let gone: Vec<TargetName> = next
        .targets
        .keys()
        .filter(|name| {
            !request
                .sync
                .targets
                .iter()
                .any(|target| target.name == **name)
        })
        .cloned()
        .collect();
    for target in gone {
        if let Some(owned) = next.targets.remove(&target) {
            next.orphans.push(Orphan { target, owned });
        }
    }
    let (waiting, gone): (Vec<_>, Vec<_>) = std::mem::take(&mut next.orphans)
        .into_iter()
        .partition(|orphan| goes_on(request, orphan));
    let (remembered, left): (Vec<_>, Vec<_>) = gone
        .into_iter()
        .partition(|orphan| orphan.owned.delete_with_sync);
    let has_moved = |orphan: &Orphan| {
        let mut records = next.targets.values();
        records.any(|owned| owned.label() == orphan.owned.label())
    };
    let waiting = waiting.into_iter().filter(|orphan| !has_moved(orphan));
    next.orphans = waiting.chain(remembered).collect();
    left.into_iter().map(|orphan| orphan.owned).collect()
}

/// Whether a target of another name has the object now.
pub(super) fn goes_on(request: PassRequest<'_>, orphan: &Orphan) -> bool {
    let mut targets = request.sync.targets.iter();
    targets.any(|target| orphan.owned.is_of(target))
}
