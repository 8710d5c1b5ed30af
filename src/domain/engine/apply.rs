//! I/O: carries a plan out. Record first (with what is intended), then targets, destruction last.

use std::collections::BTreeMap;
use std::path::Path;

use super::intent::{goes_on, next_record};
use super::observe::Desired;
use super::roll::Looked;
use super::{Approval, Engine, Loaded, Memory, PassRequest};
use crate::audit::{AuditAction, AuditEntry};
use crate::content::Content;
use crate::diff::{KeyChange, TargetDiff, owner_tag};
use crate::fault::{Fault, FaultClass};
use crate::keys::Revision;
use crate::names::{Key, SyncId, TargetName};
use crate::plan::Plan;
use crate::ports::{Observation, RecordVersion, Removal, Write, Written};
use crate::record::{self, EncodeRecord, Orphan, RecordState};
use crate::report::Findings;
use crate::reserved::{self, SHARED_OWNER};
use crate::sync::ValidatedTarget;

/// What is to be carried out.
pub(super) struct Work<'a> {
    pub(super) request: PassRequest<'a>,
    pub(super) loaded: &'a Loaded,
    pub(super) content: &'a Content,
    pub(super) desired: BTreeMap<TargetName, Desired>,
    pub(super) plan: &'a Plan,
    /// Each target could be looked at, and none is blocked.
    pub(super) unhindered: bool,
    /// A change waits: what is planned is what is in use.
    pub(super) holds_back: bool,
}

impl Work<'_> {
    /// A person's approval of this very plan. That of an earlier one may still stand on the object.
    pub(super) fn approval(&self) -> Option<&Approval> {
        let generation = self.request.sync.generation;
        self.request
            .approval
            .filter(|approval| approval.generation == generation && approval.hash == self.plan.hash)
    }
}

/// What carrying out left behind.
pub(super) struct Applied {
    pub(super) state: RecordState,
    pub(super) version: Option<RecordVersion>,
    /// Workloads, when the plan had to look at them.
    pub(super) looked: Looked,
    /// The record's counter when it was loaded: status that names it has told of everything before.
    pub(super) loaded_counter: u64,
    /// Every target that had to be written was.
    pub(super) whole: bool,
}

impl Engine {
    /// Carries the plan out; none when it could not even be recorded.
    pub(super) async fn apply(
        &self,
        work: Work<'_>,
        memory: &Memory,
        findings: &mut Findings,
    ) -> Option<Applied> {
        let now = self.ports.clock.now();
        let (mut state, left) = next_record(&work, memory, now);
        let looked = match self.intend_restarts(&work, &mut state, now).await {
            Ok(looked) => looked,
            Err(fault) => {
                findings.stopped = Some(fault);
                return None;
            }
        };
        let mut version = work.loaded.version.clone();
        if state != work.loaded.state {
            match self
                .save(
                    &work.request.sync.id,
                    &mut state,
                    version.as_ref(),
                    findings,
                )
                .await
            {
                Ok(saved) => {
                    version = Some(saved);
                    findings.rebased = work.loaded.rebased;
                    self.audit_decisions(&work, &state);
                }
                Err(fault) => {
                    findings.stopped = Some(fault);
                    return None;
                }
            }
        }
        findings.take_record(&state);
        let left = left.iter().map(|owned| (owned.label(), false));
        findings.orphans.extend(left);
        let whole = self.write_targets(&work, findings).await;
        let mut applied = Applied {
            loaded_counter: work.loaded.state.counter,
            state,
            version,
            looked,
            whole,
        };
        if whole && work.unhindered && work.plan.held.is_none() {
            self.drop_orphans(work.request, &mut applied, findings)
                .await;
        }
        Some(applied)
    }

    /// Tells what a person has decided about revisions, once it is recorded.
    fn audit_decisions(&self, work: &Work<'_>, state: &RecordState) {
        let (former, wishes) = (&work.loaded.state, work.request.wishes);
        let tell = |action, object: &str, revision: Option<String>| {
            self.ports.audit.record(AuditEntry {
                sync: Some(work.request.sync.id.clone()),
                by: wishes.by.map(ToOwned::to_owned),
                action,
                object: object.to_owned(),
                keys: Vec::new(),
                revision,
                failure: None,
            });
        };
        if state.revoked != former.revoked || state.forgotten != former.forgotten {
            let revoked = state.revoked.iter();
            let new: Vec<&str> = revoked
                .filter(|one| !former.revoked.contains(one))
                .map(Revision::as_str)
                .collect();
            tell(
                AuditAction::Purge,
                "record",
                (!new.is_empty()).then(|| new.join(",")),
            );
        }
        let in_use =
            |state: &RecordState| state.current.as_ref().map(|one| one.revision.to_string());
        let taken = in_use(state).filter(|taken| in_use(former).as_ref() != Some(taken));
        let Some(taken) = taken else { return };
        let is_wish = |wish: Option<&str>| wish == Some(taken.as_str());
        let approved = is_wish(wishes.approve_rollout) && work.request.sync.rollout.approval;
        for (holds, action, object) in [
            (
                is_wish(wishes.pin),
                AuditAction::Rollback,
                "pinned revision",
            ),
            (approved, AuditAction::Approve, "rollout"),
            (
                is_wish(wishes.now),
                AuditAction::Approve,
                "rollout without soak and windows",
            ),
        ] {
            if holds {
                tell(action, object, Some(taken.clone()));
            }
        }
    }

    /// Saves the record under the next counter. What does not fit is left out, and said.
    pub(super) async fn save(
        &self,
        id: &SyncId,
        state: &mut RecordState,
        version: Option<&RecordVersion>,
        findings: &mut Findings,
    ) -> Result<RecordVersion, Fault> {
        self.fenced()?;
        state.counter = state.counter.saturating_add(1);
        let limit = self.ports.records.max_bytes(id);
        let (sealed, truncated) = match record::encode(state, id, &self.key, limit) {
            Err(EncodeRecord::TooLarge) => {
                let hashes_only = without_values(state);
                record::encode(&hashes_only, id, &self.key, limit).map(|(sealed, _)| (sealed, true))
            }
            other => other,
        }
        .map_err(|error| Fault::new(FaultClass::Invalid, "record", error.to_string()))?;
        let saved = self.ports.records.save(id, sealed, version).await?;
        findings.truncated |= truncated;
        findings.record_counter = Some(state.counter);
        Ok(saved)
    }

    async fn write_targets(&self, work: &Work<'_>, findings: &mut Findings) -> bool {
        let mut whole = true;
        for difference in work.plan.writes() {
            let written = self.write_target(work, difference).await;
            whole &= written.is_ok();
            findings.written.insert(difference.target.clone(), written);
        }
        whole
    }

    async fn write_target(
        &self,
        work: &Work<'_>,
        difference: &TargetDiff,
    ) -> Result<Written, Fault> {
        self.fenced()?;
        let sync = work.request.sync;
        let missing = || {
            Fault::new(
                FaultClass::Conflict,
                format!("target {}", difference.target),
                "is gone from the spec",
            )
        };
        let target = sync
            .targets
            .iter()
            .find(|target| target.name == difference.target)
            .ok_or_else(missing)?;
        let desired = work.desired.get(&difference.target).ok_or_else(missing)?;
        let write = Write {
            data: desired.data.clone(),
            remove: difference.with(KeyChange::Delete).cloned().collect(),
            owner: owner_tag(&sync.id, target, &self.key),
            precondition: desired.precondition.clone(),
            recreate: difference.recreate,
        };
        let written = self.ports.targets.write(&sync.id, target, write).await;
        self.audit_write(work, target, difference, written.as_ref().err());
        written
    }

    fn audit_write(
        &self,
        work: &Work<'_>,
        target: &ValidatedTarget,
        difference: &TargetDiff,
        fault: Option<&Fault>,
    ) {
        let touched = |wanted: fn(&KeyChange) -> bool| -> Vec<String> {
            difference
                .keys
                .iter()
                .filter(|(_, change)| wanted(change))
                .map(|(key, _)| key.to_string())
                .collect()
        };
        let written = touched(|change| {
            matches!(
                change,
                KeyChange::Create | KeyChange::Update | KeyChange::Adopt
            )
        });
        let deleted = touched(|change| *change == KeyChange::Delete);
        let action = if difference.tampering.is_some() {
            AuditAction::Repair
        } else {
            AuditAction::Write
        };
        let entry = |action, keys| AuditEntry {
            sync: Some(work.request.sync.id.clone()),
            by: work.approval().and_then(|approval| approval.by.clone()),
            action,
            object: format!(
                "{} {}",
                target.destination.kind(),
                target.destination.object_name()
            ),
            keys,
            revision: Some(work.plan.revision.to_string()),
            failure: fault.map(|fault| fault.reason),
        };
        self.ports.audit.record(entry(action, written));
        if !deleted.is_empty() {
            self.ports.audit.record(entry(AuditAction::Delete, deleted));
        }
    }

    /// Removes what is left of targets that the spec no longer has and that said `onDelete: delete`.
    async fn drop_orphans(
        &self,
        request: PassRequest<'_>,
        applied: &mut Applied,
        findings: &mut Findings,
    ) {
        let (waiting, gone): (Vec<_>, Vec<_>) = std::mem::take(&mut applied.state.orphans)
            .into_iter()
            .partition(|orphan| goes_on(request, orphan));
        let wanted = gone.len();
        let mut left = Vec::new();
        for orphan in gone {
            match self
                .remove(&request.sync.id, &request.sync.folder, &orphan)
                .await
            {
                Ok(removed) => findings.orphans.push((orphan.owned.label(), removed)),
                Err(fault) => {
                    findings.stopped = Some(fault);
                    left.push(orphan);
                }
            }
        }
        let nothing_went = left.len() == wanted;
        applied.state.orphans = waiting.into_iter().chain(left).collect();
        if nothing_went {
            return;
        }
        match self
            .save(
                &request.sync.id,
                &mut applied.state,
                applied.version.as_ref(),
                findings,
            )
            .await
        {
            Ok(version) => applied.version = Some(version),
            Err(fault) => findings.stopped = Some(fault),
        }
    }

    /// Removes what is ours from one object, and says whether it did. An object without our tag is another
    /// of the same name, or was taken from us: it stays as it is. Paths of files start in `folder`.
    pub(super) async fn remove(
        &self,
        sync: &SyncId,
        folder: &Path,
        Orphan { target, owned }: &Orphan,
    ) -> Result<bool, Fault> {
        self.fenced()?;
        let Some(target) = owned.as_target(target, folder) else {
            return Ok(true);
        };
        let Observation::Present(object) = self.ports.targets.observe(sync, &target).await? else {
            return Ok(true);
        };
        let ours = reserved::owner_tag(self.key.installation(), sync);
        let tagged = |tag: &String| *tag == ours || (!owned.whole && tag == SHARED_OWNER);
        // A file carries no tag.
        if target.destination.carries_marks() && !object.owner.as_ref().is_some_and(tagged) {
            return Ok(false);
        }
        let removal = Removal {
            uid: object.uid,
            keys: owned.keys.keys().cloned().collect(),
            whole: owned.whole,
        };
        let removed = self.ports.targets.remove(sync, &target, removal).await;
        self.ports.audit.record(AuditEntry {
            sync: Some(sync.clone()),
            by: None,
            action: AuditAction::Delete,
            object: owned.label(),
            keys: owned.keys.keys().map(Key::to_string).collect(),
            revision: None,
            failure: removed.as_ref().err().map(|fault| fault.reason),
        });
        removed.map(|()| true)
    }
}

fn without_values(state: &RecordState) -> RecordState {
    let mut state = RecordState {
        older: Vec::new(),
        ..state.clone()
    };
    if let Some(current) = &mut state.current {
        current.bundle = None;
    }
    state
}
