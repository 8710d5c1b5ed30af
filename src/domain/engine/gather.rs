//! I/O: reads the sources, all at once, and renders what they answer.

use futures::future::join_all;

use super::{Engine, Memory};
use crate::api::status::{SourceState, SourceStatus};
use crate::audit::{AuditAction, AuditEntry};
use crate::bundle::{Bundle, Snapshot, SourceVersion};
use crate::conditions::Reason;
use crate::content::Gathered;
use crate::fault::{Fault, FaultClass};
use crate::names::SourceName;
use crate::ports::Freshness;
use crate::render::{self, SourceAnswer, TemplateTexts};
use crate::sync::{OnUnavailable, ValidatedSource, ValidatedSync};

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
        let reads = sync
            .sources
            .iter()
            .map(|source| self.read_one(sync, source, freshness));
        let (answers, templates) = futures::join!(join_all(reads), self.templates(sync));
        memory.sources = sync
            .sources
            .iter()
            .zip(&answers)
            .map(|(source, answer)| state_of(source, answer))
            .collect();
        let versions = sync
            .sources
            .iter()
            .zip(&answers)
            .filter_map(|(source, answer)| version_of(source, answer));
        let versions = versions.collect();
        let gathered = self.combine(sync, &answers, templates);
        let complete = matches!(gathered, Gathered::Complete(_));
        memory.set_due(complete, sync, now);
        if complete {
            memory.versions = versions;
        }
        gathered
    }

    async fn read_one(
        &self,
        sync: &ValidatedSync,
        source: &ValidatedSource,
        freshness: Freshness,
    ) -> Result<Snapshot, Fault> {
        let answer = self.ports.sources.read(&sync.id, source, freshness).await;
        self.ports.audit.record(AuditEntry {
            sync: sync.id.clone(),
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

    fn combine(
        &self,
        sync: &ValidatedSync,
        answers: &[Result<Snapshot, Fault>],
        templates: Result<TemplateTexts, Vec<Fault>>,
    ) -> Gathered {
        let mut faults = Vec::new();
        let mut given = Vec::new();
        for (index, (source, answer)) in sync.sources.iter().zip(answers).enumerate() {
            match answer {
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
        let templates = match templates {
            Ok(templates) => templates,
            Err(faults) => {
                return Gathered::Missing {
                    faults,
                    fail: false,
                };
            }
        };
        match self.make(sync, &given, &templates) {
            Err(problems) => Gathered::Unusable(problems),
            Ok(bundle) if faults.is_empty() => Gathered::Complete(bundle),
            Ok(bundle) => Gathered::Partial {
                bundle,
                faults: faults.into_iter().map(|(_, fault)| fault).collect(),
            },
        }
    }

    /// Renders, and checks that every target can take its part.
    fn make(
        &self,
        sync: &ValidatedSync,
        given: &[SourceAnswer<'_>],
        templates: &TemplateTexts,
    ) -> Result<Bundle, Vec<Fault>> {
        let bundle = render::render(sync, given, templates, &self.key)?;
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
