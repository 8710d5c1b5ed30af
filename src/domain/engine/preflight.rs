//! I/O: asks whether what was just read works, before anything of it is written; and whether what is in use still
//! does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;

use super::{Engine, Loaded, Memory, PassRequest, Prepared, later};
use crate::audit::{AuditAction, AuditEntry};
use crate::bundle::Bundle;
use crate::conditions::Reason;
use crate::content::Gathered;
use crate::fault::{Fault, FaultClass};
use crate::keys::Revision;
use crate::names::SyncId;
use crate::record::{RecordState, Rejection};
use crate::sync::ValidatedSync;
use crate::validate::{Check, Objection, Validator, Verdict};

/// What is known of one candidate. Another candidate, or other rules, start anew.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Candidate {
    revision: Revision,
    generation: i64,
    /// The validators that it has passed.
    passed: BTreeSet<String>,
}

/// What is known of the values in use.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Health {
    generation: i64,
    /// When each validator is to be asked again.
    due: BTreeMap<String, Timestamp>,
    /// What each that failed said last.
    objections: BTreeMap<String, Objection>,
    /// The validators that have given a verdict.
    heard: BTreeSet<String>,
}

/// What pre-flight made of what was read.
pub(super) struct Preflight {
    pub(super) gathered: Gathered,
    /// To be remembered before anything else is.
    pub(super) rejection: Option<Rejection>,
}

impl Preflight {
    fn free(gathered: Gathered) -> Self {
        Self {
            gathered,
            rejection: None,
        }
    }

    fn held(faults: Vec<Fault>) -> Self {
        Self::free(Gathered::Unusable(faults))
    }
}

impl Engine {
    /// Lets through what may be written. What is in use already has passed; what a rejection names has not.
    pub(super) async fn preflight(
        &self,
        request: PassRequest<'_>,
        gathered: Gathered,
        record: &RecordState,
        memory: &mut Memory,
    ) -> Preflight {
        let sync = request.sync;
        let (Gathered::Complete(bundle) | Gathered::Partial { bundle, .. }) = &gathered else {
            return Preflight::free(gathered);
        };
        let revision = self.key.revision(&sync.id, bundle.values());
        let in_use = record.current.as_ref();
        if in_use.is_some_and(|one| one.revision == revision) {
            return Preflight::free(gathered);
        }
        let verdict = self.verdict(request, (bundle, revision), record, memory);
        let Some(held) = verdict.await else {
            return Preflight::free(gathered);
        };
        // What cannot be used was read all the same: a key that it had is not absent twice in a row.
        memory.see(&gathered);
        held
    }

    /// What holds a candidate back; none when nothing does.
    async fn verdict(
        &self,
        request: PassRequest<'_>,
        (bundle, revision): (&Bundle, Revision),
        record: &RecordState,
        memory: &mut Memory,
    ) -> Option<Preflight> {
        let sync = request.sync;
        if let Some(fault) = revoked(request, record, &revision) {
            return Some(Preflight::held(vec![fault]));
        }
        if let Some(rejection) = record.rejection_of(&revision, &sync.rules, request.wishes.retry) {
            return Some(Preflight::held(rejection.faults()));
        }
        if sync.validators.is_empty() {
            return None;
        }
        let judged = self.judge_candidate(sync, bundle, &revision, memory).await;
        if !judged.failed.is_empty() {
            memory.candidate = None;
            let rejection = Rejection {
                revision,
                rules: sync.rules.clone(),
                retry: request.wishes.retry.map(ToOwned::to_owned),
                at: self.ports.clock.now(),
                objections: judged.failed,
                cause: None,
            };
            let faults = rejection.objections.iter().map(Objection::rejects);
            return Some(Preflight {
                gathered: Gathered::Unusable(faults.collect()),
                rejection: Some(rejection),
            });
        }
        if !judged.unknown.is_empty() {
            // What was read is not kept; the next pass reads again.
            memory.read_due = Some(self.ports.clock.now());
            return Some(Preflight::held(judged.unknown));
        }
        None
    }

    /// Asks the validators that have not passed yet: first those that only look, and the others when these agree.
    async fn judge_candidate(
        &self,
        sync: &ValidatedSync,
        bundle: &Bundle,
        revision: &Revision,
        memory: &mut Memory,
    ) -> Judged {
        let candidate = memory.candidate_of(revision, sync.generation);
        let open = sync
            .validators
            .iter()
            .filter(|one| !candidate.passed.contains(&one.name));
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            open.partition(|one| matches!(one.check, Check::Here(_)));
        let mut judged = Judged::default();
        for wave in [here, elsewhere] {
            if !judged.failed.is_empty() {
                break;
            }
            let verdicts = join_all(wave.iter().map(|one| self.ask(&sync.id, one, bundle))).await;
            for (validator, verdict) in wave.into_iter().zip(verdicts) {
                judged.note(validator, verdict, &mut candidate.passed);
            }
        }
        judged
    }

    /// One validator's verdict. A key that is not there is not judged.
    pub(super) async fn ask(
        &self,
        sync: &SyncId,
        validator: &Validator,
        bundle: &Bundle,
    ) -> Verdict {
        let Some(entry) = bundle.0.get(&validator.key) else {
            return Verdict::Passed;
        };
        let now = self.ports.clock.now();
        let verdict = match (&validator.check, validator.judge(&entry.value, now)) {
            (_, Some(verdict)) => return verdict,
            (Check::Here(_), None) => return Verdict::Passed,
            (Check::Elsewhere(check), None) => {
                let ports = &self.ports.validators;
                ports.ask(sync, (validator, check), &entry.value).await
            }
        };
        self.ports.audit.record(AuditEntry {
            sync: Some(sync.clone()),
            by: None,
            action: AuditAction::Validate,
            object: format!("validator {}", validator.name),
            keys: vec![validator.key.to_string()],
            revision: None,
            failure: match &verdict {
                Verdict::Passed => None,
                Verdict::Failed(_) => Some(Reason::ValidationFailed),
                Verdict::Inconclusive { .. } => Some(Reason::ValidationInconclusive),
            },
        });
        verdict
    }

    /// Remembers a rejection before anything else happens: whoever dies afterwards does not ask again. For those who
    /// carry nothing out; [`Engine::carry_out`] does it by itself. A record that is gone, or that another key sealed,
    /// is made anew together with what is ours at the targets, never by a rejection alone.
    pub async fn remember(&self, request: PassRequest<'_>, prepared: &mut Prepared) {
        let rebased = |loaded: &Loaded| loaded.rebased.is_some();
        if prepared.is_sealed_elsewhere() || prepared.loaded.as_ref().is_some_and(rebased) {
            return;
        }
        let (Some(loaded), Some(rejection)) = (&mut prepared.loaded, prepared.rejection.take())
        else {
            return;
        };
        let mut next = loaded.state.clone();
        next.reject(rejection);
        let (id, version) = (&request.sync.id, loaded.version.as_ref());
        match self
            .save(id, &mut next, version, &mut prepared.findings)
            .await
        {
            Ok(version) => {
                loaded.state = next;
                loaded.version = Some(version);
            }
            Err(fault) => prepared.findings.stopped = Some(fault),
        }
    }

    /// Asks again about the values in use, those validators whose time has come. Says whether anything turned.
    pub(super) async fn examine(&self, request: PassRequest<'_>, memory: &mut Memory) -> bool {
        let sync = request.sync;
        let now = self.ports.clock.now();
        let due = memory.health_due(sync, now);
        if due.is_empty() {
            return false;
        }
        let loaded = self.load_record(request).await;
        let in_use = loaded.as_ref().ok();
        let Some(bundle) = in_use.and_then(|loaded| loaded.state.current_bundle()) else {
            // Nothing is in use, or nobody keeps its values: their turn comes again, not at once.
            for validator in &due {
                memory.health.put_off(validator, now);
            }
            return false;
        };
        let asked = due.iter().map(|one| self.ask(&sync.id, one, bundle));
        let verdicts = join_all(asked).await;
        let before = memory.health.told();
        for (validator, verdict) in due.iter().zip(verdicts) {
            memory.health.hear(validator, verdict, now);
        }
        memory.health.told() != before
    }
}

/// What is told of a candidate that a person has revoked, also just now.
pub(super) fn revoked(
    request: PassRequest<'_>,
    record: &RecordState,
    revision: &Revision,
) -> Option<Fault> {
    let asked = request.wishes.revoked().any(|one| one == revision.as_str());
    (asked || record.is_revoked(revision)).then(|| {
        let subject = format!("revision {revision}");
        Fault::new(
            FaultClass::Invalid,
            subject,
            "was revoked, and the sources bring it again",
        )
        .because(Reason::RevisionRevoked)
        .hint("Nothing was written. Change the value at its source")
    })
}

/// What all validators together came to.
#[derive(Default)]
struct Judged {
    failed: Vec<Objection>,
    unknown: Vec<Fault>,
}

impl Judged {
    fn note(&mut self, validator: &Validator, verdict: Verdict, passed: &mut BTreeSet<String>) {
        match verdict {
            Verdict::Passed => {
                passed.insert(validator.name.clone());
            }
            Verdict::Failed(why) => self.failed.push(validator.objects(why)),
            Verdict::Inconclusive { why, retry_after } => {
                self.unknown.push(validator.objects(why).waits(retry_after));
            }
        }
    }
}

impl Health {
    /// What the condition says: nothing before the first verdict.
    pub(super) fn told(&self) -> Option<Vec<Objection>> {
        let objections = || self.objections.values().cloned().collect();
        (!self.heard.is_empty()).then(objections)
    }

    fn put_off(&mut self, validator: &Validator, now: Timestamp) {
        let every = validator.every.unwrap_or(Duration::MAX);
        self.due.insert(validator.name.clone(), later(now, every));
    }

    fn hear(&mut self, validator: &Validator, verdict: Verdict, now: Timestamp) {
        let every = validator.every.unwrap_or(Duration::MAX);
        let mut pause = every;
        match verdict {
            Verdict::Passed => {
                self.heard.insert(validator.name.clone());
                self.objections.remove(&validator.name);
            }
            Verdict::Failed(why) => {
                self.heard.insert(validator.name.clone());
                let objection = validator.objects(why);
                self.objections.insert(validator.name.clone(), objection);
            }
            // What was said last still stands.
            Verdict::Inconclusive { retry_after, .. } => {
                pause = every.max(retry_after.unwrap_or_default());
            }
        }
        self.due.insert(validator.name.clone(), later(now, pause));
    }
}

impl Memory {
    fn candidate_of(&mut self, revision: &Revision, generation: i64) -> &mut Candidate {
        let same = |one: &Candidate| one.revision == *revision && one.generation == generation;
        let known = self.candidate.take().filter(same);
        self.candidate.insert(known.unwrap_or_else(|| Candidate {
            revision: revision.clone(),
            generation,
            passed: BTreeSet::new(),
        }))
    }

    /// The validators that are to be asked again about the values in use. One that was never asked waits for its
    /// time first: what was written has just passed, and a process that starts asks nobody at once.
    fn health_due<'a>(&mut self, sync: &'a ValidatedSync, now: Timestamp) -> Vec<&'a Validator> {
        if self.health.generation != sync.generation {
            self.health = Health {
                generation: sync.generation,
                ..Health::default()
            };
        }
        let repeated = sync.validators.iter().filter_map(|one| {
            let every = one.every?;
            let first = later(now, every);
            let due = self.health.due.entry(one.name.clone()).or_insert(first);
            // Further away than it is ever set: the clock went back.
            (*due <= now).then_some(one)
        });
        repeated.collect()
    }

    /// What has passed is in use: it is well until its validators are asked again.
    pub(super) fn promoted(&mut self, sync: &ValidatedSync, record: &RecordState, now: Timestamp) {
        let current = record.current.as_ref().map(|current| &current.revision);
        let is_in_use = |candidate: &mut Candidate| Some(&candidate.revision) == current;
        if self.candidate.take_if(is_in_use).is_none() {
            return;
        }
        let repeated = || sync.validators.iter().filter(|one| one.every.is_some());
        self.health = Health {
            generation: sync.generation,
            ..Health::default()
        };
        for validator in repeated() {
            self.health.hear(validator, Verdict::Passed, now);
        }
    }

    /// When the values in use are next asked about.
    pub(super) fn next_examination(&self, now: Timestamp) -> Option<Duration> {
        let first = self.health.due.values().min()?;
        let pause = first.duration_since(now);
        Some(Duration::try_from(pause).unwrap_or_default())
    }
}
