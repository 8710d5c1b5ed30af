//! I/O: takes back a revision that a workload did not survive. The old values come from the record, not from a vault.

use jiff::Timestamp;

use super::apply::Applied;
use super::drive::{Casualty, takes_back};
use super::{Engine, Memory, PassRequest};
use crate::api::rollout::OnFailure;
use crate::api::status::{RolloutPhase, RolloutStatus};
use crate::audit::{AuditAction, AuditEntry};
use crate::bundle::Bundle;
use crate::conditions::Reason;
use crate::keys::Revision;
use crate::record::{RecordState, Rejection, StoredRevision};
use crate::report::{Findings, warning};
use crate::schedule::after;
use crate::sync::{Previous, ValidatedSync};
use crate::validate::Verdict;

/// What a look at the old values came to.
pub(super) enum OldValues {
    /// They work, as far as anybody can say.
    Good,
    /// They do not; why.
    Dead(String),
    /// Nobody can say now; why.
    Unknown(String),
}

impl Engine {
    /// Decides what becomes of a revision that `casualty` did not survive, and notes it: the next pass writes the old
    /// values back. Where they cannot be brought back, it stops and waits for a person.
    pub(super) async fn take_back(
        &self,
        request: PassRequest<'_>,
        (memory, applied): (&mut Memory, &mut Applied),
        casualty: Casualty,
        (status, findings): (&mut RolloutStatus, &mut Findings),
    ) {
        let sync = request.sync;
        if sync.rollout.on_failure == OnFailure::Hold || takes_back(&applied.state) {
            return;
        }
        let now = self.ports.clock.now();
        let old = match way_back(&applied.state, sync, now) {
            Ok(old) => old.clone(),
            Err(why) => return unsafe_to_go_back(status, &why),
        };
        if let Some(bundle) = &old.bundle {
            match self.judge_old(sync, bundle).await {
                OldValues::Good => {}
                OldValues::Dead(why) => return unsafe_to_go_back(status, &why),
                OldValues::Unknown(why) => {
                    status.phase = Some(RolloutPhase::RollingBack);
                    attend_all(status, Reason::ValidationInconclusive, &why);
                    return;
                }
            }
        }
        self.go_back(
            request,
            (memory, applied),
            (&old.revision, casualty),
            findings,
        )
        .await;
        if findings.stopped.is_none() {
            status.phase = Some(RolloutPhase::RollingBack);
            status.revision = Some(old.revision.to_string());
        }
    }

    /// Whether old values still pass the validators.
    pub(super) async fn judge_old(&self, sync: &ValidatedSync, bundle: &Bundle) -> OldValues {
        for validator in &sync.validators {
            match self.ask(&sync.id, validator, bundle).await {
                Verdict::Passed => {}
                Verdict::Failed(why) => {
                    return OldValues::Dead(format!(
                        "validator {}: {}",
                        validator.name,
                        validator.objects(why)
                    ));
                }
                Verdict::Inconclusive { why, .. } => {
                    return OldValues::Unknown(format!(
                        "validator {}: {}",
                        validator.name,
                        validator.objects(why)
                    ));
                }
            }
        }
        OldValues::Good
    }

    async fn go_back(
        &self,
        request: PassRequest<'_>,
        (memory, applied): (&mut Memory, &mut Applied),
        (old, casualty): (&Revision, Casualty),
        findings: &mut Findings,
    ) {
        let sync = request.sync;
        let now = self.ports.clock.now();
        let Some(bad) = applied.state.current.as_ref() else {
            return;
        };
        let cause = format!("{} {}", casualty.workload, casualty.why);
        let rejection = Rejection {
            revision: bad.revision.clone(),
            rules: sync.rules.clone(),
            retry: request.wishes.retry.map(ToOwned::to_owned),
            at: now,
            objections: Vec::new(),
            cause: Some(cause.clone()),
        };
        let told = format!(
            "revision {} is rejected and {old} is written back: {cause}",
            rejection.revision
        );
        memory.notes.blocked = rejection.faults();
        memory.waiting = None;
        let entry = AuditEntry {
            sync: Some(sync.id.clone()),
            by: None,
            action: AuditAction::Rollback,
            object: casualty.workload,
            keys: Vec::new(),
            revision: Some(rejection.revision.to_string()),
            failure: None,
        };
        applied.state.go_back(old, rejection, now);
        let version = applied.version.clone();
        let saved = self.save(&sync.id, &mut applied.state, version.as_ref(), findings);
        let saved = saved.await;
        self.ports.audit.record(AuditEntry {
            failure: saved.as_ref().err().map(|fault| fault.reason),
            ..entry
        });
        match saved {
            Ok(version) => {
                applied.version = Some(version);
                findings.take_record(&applied.state);
                findings.go_on = true;
                findings.events.push(warning(Reason::RolledBack, told));
            }
            Err(fault) => findings.stopped = Some(fault),
        }
    }
}

/// The revision to go back to, or why there is none.
fn way_back<'a>(
    record: &'a RecordState,
    sync: &ValidatedSync,
    now: Timestamp,
) -> Result<&'a StoredRevision, String> {
    let rollout = record.rollout.as_ref();
    let former = rollout.and_then(|rollout| rollout.former.as_ref());
    let Some(former) = former else {
        return Err("no older revision is known to have been well".to_owned());
    };
    let exposed = rollout.map_or(now, |rollout| rollout.exposed);
    match sync.rollout.previous {
        Previous::Invalid => return Err("the old values are dead (`previous: invalid`)".to_owned()),
        Previous::ValidFor(time) if now > after(exposed, time) => {
            return Err("the old values have ended (`previous: validFor`)".to_owned());
        }
        Previous::Unknown | Previous::Valid | Previous::ValidFor(_) => {}
    }
    let mut kept = record.older.iter();
    kept.find(|stored| stored.revision == *former && stored.bundle.is_some())
        .ok_or_else(|| format!("revision {former} is not kept (`spec.history`)"))
}

/// It stops, and says why the old values do not come back.
fn unsafe_to_go_back(status: &mut RolloutStatus, why: &str) {
    status.phase = Some(RolloutPhase::Held);
    attend_all(
        status,
        Reason::RollbackUnsafe,
        &format!("and the former values are not brought back: {why}"),
    );
}

/// Adds to what each failed workload says.
fn attend_all(status: &mut RolloutStatus, reason: Reason, what: &str) {
    let failed = |reason: &str| reason == Reason::RolloutHeld.as_str();
    for one in status
        .attention
        .iter_mut()
        .filter(|one| failed(&one.reason))
    {
        reason.as_str().clone_into(&mut one.reason);
        one.message = crate::text::shorten(&format!("{}, {what}", one.message), 1024);
    }
}
