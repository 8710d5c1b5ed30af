//! Watches of single Secrets and ConfigMaps that syncs and stores read: one each, by name, up to a limit.
//!
//! A watch by name needs no right to list anything else. Only *that* an object changed is told: its content is
//! read when it is needed. What goes beyond the limit is read on schedule only.

use std::collections::{BTreeSet, HashMap};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use kube::runtime::watcher::{Config, Event};
use kube::runtime::{WatchStreamExt as _, watcher};
use penstock_observability::telemetry::ReferenceNotWatched;
use tokio::task::{AbortHandle, JoinSet};

use crate::objects::Outline;
use crate::watches::{Watchable, Watcher, version};
use crate::world::{Change, ObjectKey, ObjectKind, Version};

/// The watches that run.
pub(crate) struct ReferenceWatches {
    watcher: Watcher,
    limit: usize,
    running: HashMap<ObjectKey, AbortHandle>,
    /// What has been told to be beyond the limit.
    refused: BTreeSet<ObjectKey>,
}

impl ReferenceWatches {
    /// No watches yet, and never more than `limit`.
    pub(crate) fn new(watcher: Watcher, limit: usize) -> Self {
        Self {
            watcher,
            limit,
            running: HashMap::new(),
            refused: BTreeSet::new(),
        }
    }

    /// Watches exactly `wanted`, as far as the limit allows.
    pub(crate) fn adjust(&mut self, wanted: &BTreeSet<ObjectKey>, tasks: &mut JoinSet<()>) {
        self.running.retain(|key, task| {
            let keep = wanted.contains(key);
            if !keep {
                task.abort();
            }
            keep
        });
        self.refused.retain(|key| wanted.contains(key));
        for key in wanted {
            if self.running.contains_key(key) {
                continue;
            }
            if self.running.len() < self.limit {
                self.refused.remove(key);
                let task = tasks.spawn(follow(self.watcher.clone(), key.clone()));
                self.running.insert(key.clone(), task);
            } else if self.refused.insert(key.clone()) {
                ReferenceNotWatched {
                    object: &key.to_string(),
                    limit: self.limit,
                }
                .emit();
            }
        }
        let running = i64::try_from(self.running.len()).unwrap_or(i64::MAX);
        self.watcher.metrics.reference_watches.set(running);
    }
}

async fn follow(watcher: Watcher, key: ObjectKey) {
    let client = watcher.client.clone();
    let namespace = key.namespace.as_str();
    match key.kind {
        ObjectKind::Secret => {
            let api: Api<Outline<Secret>> = Api::namespaced_with(client, namespace, &());
            follow_one(watcher, key, api).await;
        }
        ObjectKind::ConfigMap => {
            let api: Api<Outline<ConfigMap>> = Api::namespaced_with(client, namespace, &());
            follow_one(watcher, key, api).await;
        }
    }
}

/// What is known of the object.
#[derive(Debug, Default, PartialEq)]
enum Known {
    /// Nothing yet: it has not been listed.
    #[default]
    Nothing,
    /// It is there in this version, or not there.
    Version(Option<Version>),
}

impl Known {
    /// Takes in what there is now; says whether that is news. The first look is none: whoever reads the
    /// object has just read it.
    fn is_news(&mut self, now: Option<Version>) -> bool {
        let now = Self::Version(now);
        let news = !matches!(self, Self::Nothing) && *self != now;
        *self = now;
        news
    }
}

async fn follow_one<K: Watchable>(watcher: Watcher, key: ObjectKey, api: Api<K>) {
    let config = Config::default().fields(&format!("metadata.name={}", key.name));
    let mut events = watcher::watcher(api, config).default_backoff().boxed();
    let mut known = Known::default();
    let mut listed = None;
    while let Some(event) = events.next().await {
        let news = match event {
            Ok(Event::Init) => {
                listed = None;
                false
            }
            Ok(Event::InitApply(object)) => {
                listed = version(&object);
                false
            }
            Ok(Event::InitDone) => known.is_news(listed.take()),
            Ok(Event::Apply(object)) => known.is_news(version(&object)),
            Ok(Event::Delete(_)) => known.is_news(None),
            Err(error) => {
                watcher.tell_failure(key.kind.as_str(), Some(&key.namespace), &error);
                false
            }
        };
        if news
            && watcher
                .changes
                .send(Change::Reference(key.clone()))
                .await
                .is_err()
        {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_look_is_no_news_and_every_other_version_is() {
        let version = |number: &str| {
            Some(Version {
                uid: "u".into(),
                resource_version: number.into(),
            })
        };
        let mut known = Known::default();
        assert!(!known.is_news(version("1")));
        assert!(!known.is_news(version("1")));
        assert!(known.is_news(version("2")));
        assert!(known.is_news(None));
        assert!(!known.is_news(None));
        assert!(known.is_news(version("3")));
    }
}
