//! I/O: reads the sources, all at once, and renders what they answer.

use std::sync::Arc;

use futures::channel::oneshot;
use futures::{StreamExt as _, stream};

use super::{Engine, Memory};
use crate::api::status::{SourceState, SourceStatus};
use crate::audit::{AuditAction, AuditEntry};
use crate::bundle::{Bundle, MAX_ANSWERED_BYTES, Snapshot, SourceVersion};
use crate::conditions::Reason;
use crate::content::Gathered;
use crate::fault::{Fault, FaultClass};
use crate::keys::InstallationKey;
use crate::names::SourceName;
use crate::ports::Freshness;
use crate::render::{self, SourceAnswer, TemplateTexts};
use crate::sync::{OnUnavailable, ValidatedSource, ValidatedSync};

/// Sources of one sync that are read at the same time.
const READS_AT_ONCE: usize = 8;

/// Whether sources are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// When it is time.
    WhenDue,
    /// In any case, past every cache.
    Now,
}

impl Engine {
    /// Reads the sources when it is time, and says what they came to. Dropped before its end, it leaves
    /// nothing behind: what was due stays due.
    pub async fn read(
        &self,
        sync: &ValidatedSync,
        reading: Reading,
        memory: &mut Memory,
    ) -> Gathered {
        let now = self.ports.clock.now();
        let asked = reading == Reading::Now;
        if sync.suspend || (!asked && !memory.is_due(sync, now)) {
            return Gathered::NotDue;
        }
        let freshness =
            if asked || memory.read_generation != sync.generation || !memory.absent.is_empty() {
                Freshness::Now
            } else {
                Freshness::Within(sync.interval / 2)
            };
        let reads = self.read_all(sync, freshness);
        let (answers, templates) = futures::join!(reads, self.templates(sync));
        let answers = match answers {
            Ok(answers) => answers,
            Err(fault) => {
                memory.set_due(false, sync, now);
                return Gathered::Unusable(vec![fault]);
            }
        };
        let states: Vec<_> = sync
            .sources
            .iter()
            .zip(&answers)
            .filter(|(source, _)| !source.skipped)
            .map(|(source, answer)| state_of(source, answer))
            .collect();
        let versions = sync
            .sources
            .iter()
            .zip(&answers)
            .filter_map(|(source, answer)| version_of(source, answer));
        let versions = versions.collect();
        let answers = Answers {
            sources: answers,
            templates,
        };
        let gathered = self.combine_aside(sync, answers).await;
        // Only now: a read that is dropped before leaves nothing behind.
        memory.sources = states;
        let complete = matches!(gathered, Gathered::Complete(_));
        memory.set_due(complete, sync, now);
        if complete || matches!(gathered, Gathered::Partial { .. }) {
            memory.versions = versions;
        }
        gathered
    }

    /// The answers in the order of the spec. Too much of them ends it, and drops them, before all are in: no more
    /// memory is ever spent on one sync.
    async fn read_all(
        &self,
        sync: &ValidatedSync,
        freshness: Freshness,
    ) -> Result<Vec<Result<Snapshot, Fault>>, Fault> {
        let mut reads = Vec::with_capacity(sync.sources.len());
        for source in &sync.sources {
            reads.push(self.read_one(sync, source, freshness));
        }
        let mut reads = stream::iter(reads).buffered(READS_AT_ONCE);
        let mut answers = Vec::with_capacity(sync.sources.len());
        let mut room = MAX_ANSWERED_BYTES;
        while let Some(answer) = reads.next().await {
            let bytes = answer.as_ref().map_or(0, Snapshot::bytes);
            room = room.checked_sub(bytes).ok_or_else(too_much)?;
            answers.push(answer);
        }
        Ok(answers)
    }

    async fn read_one(
        &self,
        sync: &ValidatedSync,
        source: &ValidatedSource,
        freshness: Freshness,
    ) -> Result<Snapshot, Fault> {
        if source.skipped {
            return Ok(Snapshot::default());
        }
        let answer = self.ports.sources.read(&sync.id, source, freshness).await;
        self.ports.audit.record(AuditEntry {
            sync: Some(sync.id.clone()),
            by: None,
            action: AuditAction::Read,
            object: format!("source {}", source.name),
            keys: Vec::new(),
            revision: None,
            failure: answer.as_ref().err().map(|fault| fault.reason),
        });
        answer
    }

    /// Template documents that lie in ConfigMaps.
    async fn templates(&self, sync: &ValidatedSync) -> Result<TemplateTexts, Vec<Fault>> {
        let (mut texts, mut faults) = (TemplateTexts::default(), Vec::new());
        for (config_map, key) in render::template_references(sync) {
            match self.ports.sources.template(&sync.id, config_map, key).await {
                Ok(text) => texts.insert(config_map.clone(), key.clone(), text),
                Err(fault) => faults.push(Fault {
                    subject: format!("template ConfigMap {config_map}, key {key}"),
                    ..fault
                }),
            }
        }
        if faults.is_empty() {
            Ok(texts)
        } else {
            Err(faults)
        }
    }

    /// Combines answers where it holds up nobody: at once, or on a thread of its own when templates hash
    /// passwords.
    async fn combine_aside(&self, sync: &ValidatedSync, answers: Answers) -> Gathered {
        if !answers.hash_passwords(sync) {
            return combine(sync, &answers, &self.key);
        }
        let (sync, key) = (sync.clone(), Arc::clone(&self.key));
        let (sender, receiver) = oneshot::channel();
        let work = move || {
            // Nobody waits any more: a repair has overtaken the read.
            drop(sender.send(combine(&sync, &answers, &key)));
        };
        self.ports.offload.run(Box::new(work)).await;
        receiver.await.unwrap_or_else(|_| Gathered::Missing {
            faults: vec![not_rendered()],
            fail: false,
        })
    }
}

/// What was read for one sync.
struct Answers {
    /// In the order of the spec's sources.
    sources: Vec<Result<Snapshot, Fault>>,
    templates: Result<TemplateTexts, Vec<Fault>>,
}

impl Answers {
    fn hash_passwords(&self, sync: &ValidatedSync) -> bool {
        let templates = self.templates.as_ref();
        templates.is_ok_and(|templates| render::hashes_passwords(sync, templates))
    }
}

fn too_much() -> Fault {
    let message = format!("their answers are more than {MAX_ANSWERED_BYTES} bytes together");
    Fault::new(FaultClass::Invalid, "spec.sources", message)
        .because(Reason::TooLarge)
        .hint("Name narrower paths, or split them over several SecretSyncs")
}

fn not_rendered() -> Fault {
    let message = "rendering came to no end; the log says why";
    Fault::new(FaultClass::Unavailable, "spec.transform", message).because(Reason::InternalError)
}

/// What answers come to. Pure.
fn combine(sync: &ValidatedSync, answers: &Answers, key: &InstallationKey) -> Gathered {
    let mut faults = Vec::new();
    let mut given = Vec::new();
    for (index, (source, answer)) in sync.sources.iter().zip(&answers.sources).enumerate() {
        match answer {
            Ok(_) if source.skipped => {}
            Ok(snapshot) => given.push(SourceAnswer {
                source: &source.name,
                snapshot,
            }),
            Err(fault) => faults.push((index, at_source(source, fault.clone()))),
        }
    }
    let needed = |(index, _): &(usize, Fault)| {
        sync.sources
            .get(*index)
            .is_none_or(|source| source.on_unavailable != OnUnavailable::UseOthers)
    };
    if faults.iter().any(needed) {
        return Gathered::missing(sync, faults);
    }
    let templates = match &answers.templates {
        Ok(templates) => templates,
        Err(faults) => {
            return Gathered::Missing {
                faults: faults.clone(),
                fail: false,
            };
        }
    };
    match make(sync, &given, templates, key) {
        Err(problems) => Gathered::Unusable(problems),
        Ok(bundle) if faults.is_empty() && !sync.sources.iter().any(|one| one.skipped) => {
            Gathered::Complete(bundle)
        }
        // What a skipped source gave before is not gone.
        Ok(bundle) => Gathered::Partial {
            bundle,
            faults: faults.into_iter().map(|(_, fault)| fault).collect(),
        },
    }
}

/// Renders, and checks that every target can take its part.
fn make(
    sync: &ValidatedSync,
    given: &[SourceAnswer<'_>],
    templates: &TemplateTexts,
    key: &InstallationKey,
) -> Result<Bundle, Vec<Fault>> {
    let bundle = render::render(sync, given, templates, key)?;
    let problems: Vec<Fault> = sync
        .targets
        .iter()
        .filter_map(|target| render::target_data(&bundle, target).err())
        .flatten()
        .collect();
    if problems.is_empty() {
        Ok(bundle)
    } else {
        Err(problems)
    }
}

fn at_source(source: &ValidatedSource, fault: Fault) -> Fault {
    let reason = match fault.reason {
        Reason::NotFound => Reason::SourceNotFound,
        Reason::Unavailable => Reason::SourceUnavailable,
        other => other,
    };
    let subject = format!("source {}", source.name);
    let subject = if fault.subject.is_empty() || fault.subject == subject {
        subject
    } else {
        format!("{subject} ({})", fault.subject)
    };
    Fault {
        reason,
        subject,
        ..fault
    }
}

fn version_of(
    source: &ValidatedSource,
    answer: &Result<Snapshot, Fault>,
) -> Option<(SourceName, SourceVersion)> {
    let version = answer.as_ref().ok()?.version.clone()?;
    Some((source.name.clone(), version))
}

fn state_of(source: &ValidatedSource, answer: &Result<Snapshot, Fault>) -> SourceStatus {
    let state = match answer {
        Ok(_) => SourceState::Ready,
        Err(fault) => match fault.class {
            FaultClass::NotFound => SourceState::NotFound,
            FaultClass::Denied => SourceState::Denied,
            FaultClass::Unavailable | FaultClass::Conflict => SourceState::Unavailable,
            FaultClass::Throttled { .. } => SourceState::Throttled,
            FaultClass::Invalid | FaultClass::NotSupported => SourceState::Invalid,
        },
    };
    let version = answer
        .as_ref()
        .ok()
        .and_then(|snapshot| snapshot.version.as_ref())
        .map(ToString::to_string);
    SourceStatus {
        name: source.name.to_string(),
        state,
        version,
    }
}
