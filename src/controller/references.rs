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
use crate::pauses::GrowingPauses;
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
    /// Takes in what there is now; says what that is news of, if anything. Whoever reads the object has read
    /// it before the first look, so whether that brings news is for others to judge.
    fn take(&mut self, key: &ObjectKey, now: Option<Version>) -> Option<Change> {
        let former = std::mem::replace(self, Self::Version(now.clone()));
        match former {
            Self::Nothing => Some(Change::ReferenceListed(key.clone(), now?)),
            Self::Version(former) => (former != now).then(|| Change::Reference(key.clone())),
        }
    }
}

async fn follow_one<K: Watchable>(watcher: Watcher, key: ObjectKey, api: Api<K>) {
    let config = Config::default().fields(&format!("metadata.name={}", key.name));
    let mut events = watcher::watcher(api, config)
        .backoff(GrowingPauses::default())
        .boxed();
    let mut known = Known::default();
    let mut listed = None;
    while let Some(event) = events.next().await {
        let news = match event {
            Ok(Event::Init) => {
                listed = None;
                None
            }
            Ok(Event::InitApply(object)) => {
                listed = version(&object);
                None
            }
            Ok(Event::InitDone) => known.take(&key, listed.take()),
            Ok(Event::Apply(object)) => known.take(&key, version(&object)),
            Ok(Event::Delete(_)) => known.take(&key, None),
            Err(error) => {
                watcher.tell_failure(key.kind.as_str(), Some(&key.namespace), &error);
                None
            }
        };
        if let Some(news) = news
            && watcher.changes.send(news).await.is_err()
        {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_look_is_told_with_its_version_and_every_other_version_is_news() {
        let key = ObjectKey {
            kind: ObjectKind::Secret,
            namespace: penstock_domain::names::NamespaceName::new("prod").unwrap(),
            name: penstock_domain::names::ObjectName::new("role").unwrap(),
        };
        let version = |number: &str| Version {
            uid: "u".into(),
            resource_version: number.into(),
        };
        let mut known = Known::default();
        let mut told = |now: Option<&str>| match known.take(&key, now.map(version)) {
            Some(Change::ReferenceListed(_, version)) => {
                format!("listed {}", version.resource_version)
            }
            Some(Change::Reference(_)) => "news".to_owned(),
            _ => "nothing".to_owned(),
        };
        assert_eq!(told(Some("1")), "listed 1");
        assert_eq!(told(Some("1")), "nothing");
        assert_eq!(told(Some("2")), "news");
        assert_eq!(told(None), "news");
        assert_eq!(told(None), "nothing");
        assert_eq!(told(Some("3")), "news");
        assert!(Known::default().take(&key, None).is_none());
    }
}
