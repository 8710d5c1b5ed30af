//! The finalizer, and what happens when a SecretSync goes.

use std::path::Path;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{Patch, PatchParams};
use penstock_domain::api::secret_sync::SecretSync;
use penstock_domain::conditions::Reason;
use penstock_domain::report;
use penstock_domain::reserved::CLEANUP_FINALIZER;
use penstock_domain::schedule::Next;
use penstock_domain::text::key_list;
use penstock_observability::telemetry::WriteFailed;
use serde_json::json;

use super::status::api;
use super::sync::{KIND, LONGEST_RETRY, regarding};
use super::{AFTER_CONFLICT, NextTurn, SyncMemory, TurnEnd, Worker};
use crate::finalizer::{CleanUpVerdict, FinalizerStep, Surroundings, clean_up_verdict};
use crate::objects::Outline;
use crate::patch::precondition;
use crate::problem::describe;
use crate::watches::Watchable;
use crate::world::TrackedSync;

/// The definition of SecretSyncs.
const DEFINITION: &str = "secretsyncs.penstock.dev";

/// Why a finalizer was not changed, or the surroundings not seen.
#[derive(Debug, thiserror::Error)]
pub(super) enum CleanUpError {
    /// This process may not write now.
    #[error("another replica leads")]
    Fenced,
    /// The API server refused or did not answer.
    #[error("the API server did not take the request")]
    Ask(#[source] Box<kube::Error>),
    /// The answer is not an object.
    #[error("the API server's answer makes no sense")]
    ReadAnswer,
}

impl From<kube::Error> for CleanUpError {
    fn from(error: kube::Error) -> Self {
        Self::Ask(Box::new(error))
    }
}

impl Worker {
    /// Puts our finalizer on, or takes it off.
    pub(super) async fn set_finalizer(
        &self,
        sync: &TrackedSync,
        step: FinalizerStep,
    ) -> Result<Arc<TrackedSync>, CleanUpError> {
        if !self.may_write() {
            return Err(CleanUpError::Fenced);
        }
        let others = sync
            .finalizers
            .iter()
            .filter(|name| *name != CLEANUP_FINALIZER);
        let ours = (step == FinalizerStep::Hold).then_some(CLEANUP_FINALIZER);
        let finalizers: Vec<&str> = others.map(String::as_str).chain(ours).collect();
        let mut metadata = precondition(&sync.uid, &sync.resource_version);
        if let Some(members) = metadata.as_object_mut() {
            members.insert("finalizers".to_owned(), json!(finalizers));
        }
        let patch = Patch::Merge(json!({"metadata": metadata}));
        let api: Api<_> = api::<SecretSync>(&self.client, Some(sync.id.namespace.as_str()));
        let parameters = PatchParams::default();
        let object = api
            .patch(sync.id.name.as_str(), &parameters, &patch)
            .await?;
        if sync.deleting {
            return Ok(Arc::new(sync.clone()));
        }
        // Nobody waits for a finalizer.
        let learnt = self.learn(object);
        learnt.map(|(sync, _)| sync).ok_or(CleanUpError::ReadAnswer)
    }

    /// Ends a turn whose finalizer could not be changed.
    pub(super) fn finalizer_failed(
        &self,
        sync: &TrackedSync,
        error: &CleanUpError,
        memory: &mut SyncMemory,
    ) -> TurnEnd {
        let next = match error {
            CleanUpError::Ask(error) => match error.as_ref() {
                kube::Error::Api(status) if matches!(status.code, 404 | 409) => {
                    Next::After(AFTER_CONFLICT)
                }
                error => {
                    let (object, why) = (sync.id.to_string(), describe(error));
                    WriteFailed {
                        kind: KIND,
                        object: &object,
                        what: "finalizer",
                        why: &why,
                    }
                    .emit();
                    RETRY
                }
            },
            CleanUpError::Fenced | CleanUpError::ReadAnswer => RETRY,
        };
        self.turn_after(next, memory)
    }

    fn turn_after(&self, next: Next, memory: &mut SyncMemory) -> TurnEnd {
        let failed = matches!(next, Next::Retry { .. });
        let pause = memory.pause(next, failed, self.clock().now());
        TurnEnd {
            next: pause.map_or(NextTurn::WhenWoken, NextTurn::After),
            ..TurnEnd::default()
        }
    }

    /// Cleans what the sync's targets want cleaned, if it is the sync itself that goes, and lets it go.
    pub(super) async fn clean_up(&self, sync: &TrackedSync, memory: &mut SyncMemory) -> TurnEnd {
        let verdict = match self.surroundings(sync).await {
            Ok(surroundings) => clean_up_verdict(surroundings),
            Err(error) => return self.finalizer_failed(sync, &error, memory),
        };
        let note = match verdict {
            CleanUpVerdict::Keep(why) => report::warning(Reason::Orphaned, why.to_owned()),
            CleanUpVerdict::Clean => match self.engine.clean_up(&sync.id, Path::new("")).await {
                Ok(removed) if removed.is_empty() => {
                    report::event(Reason::CleanedUp, "there was nothing to remove".to_owned())
                }
                Ok(removed) => {
                    let message = format!("removed our keys from {}", key_list(&removed));
                    report::event(Reason::CleanedUp, message)
                }
                Err(fault) => {
                    let at_least = fault.retry_after().unwrap_or_default();
                    let note = report::warning(fault.reason, fault.to_string());
                    self.tell(&regarding(sync), &[note], &mut memory.repetition);
                    let next = Next::Retry {
                        at_least,
                        at_most: LONGEST_RETRY,
                    };
                    return self.turn_after(next, memory);
                }
            },
        };
        self.tell(&regarding(sync), &[note], &mut memory.repetition);
        match self.set_finalizer(sync, FinalizerStep::LetGo).await {
            Ok(_) => TurnEnd::default(),
            Err(error) => self.finalizer_failed(sync, &error, memory),
        }
    }

    /// What else is being deleted.
    async fn surroundings(&self, sync: &TrackedSync) -> Result<Surroundings, CleanUpError> {
        let namespaces: Api<Outline<Namespace>> = Api::all(self.client.clone());
        let definitions: Api<Outline<CustomResourceDefinition>> = Api::all(self.client.clone());
        let namespace = goes(&namespaces, sync.id.namespace.as_str());
        let definition = goes(&definitions, DEFINITION);
        let (namespace_goes, definition_goes) = futures::try_join!(namespace, definition)?;
        Ok(Surroundings {
            namespace_goes,
            definition_goes,
        })
    }
}

const RETRY: Next = Next::Retry {
    at_least: AFTER_CONFLICT,
    at_most: LONGEST_RETRY,
};

/// Whether an object is being deleted, or gone; none when we may not look.
async fn goes<K: Watchable>(api: &Api<K>, name: &str) -> Result<Option<bool>, CleanUpError> {
    match api.get(name).await {
        Ok(object) => Ok(Some(object.meta().deletion_timestamp.is_some())),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Some(true)),
        Err(kube::Error::Api(status)) if status.code == 403 => Ok(None),
        Err(error) => Err(error.into()),
    }
}
