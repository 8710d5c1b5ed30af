//! The watches: what they ask for, and what they make of it.
//!
//! Lists come in small pages and are decoded into the trimmed forms of [`crate::objects`], so that a start in
//! a large cluster needs no large memory. A watch that fails is tried again with growing pauses, for ever.

use std::fmt::Debug;
use std::sync::Arc;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::core::DynamicResourceScope;
use kube::runtime::watcher::{Config, Event};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use penstock_domain::api::cluster_sync::ClusterSecretSync;
use penstock_domain::api::secret_sync::SecretSync;
use penstock_domain::api::store::{ClusterSecretStore, SecretStore};
use penstock_domain::names::{NamespaceName, ObjectName};
use penstock_domain::reserved::{MANAGED_LABEL, TRUE, is_reserved_object};
use penstock_observability::metrics::Metrics;
use penstock_observability::telemetry::WatchFailed;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;

use crate::objects::{Lean, Outline};
use crate::pauses::GrowingPauses;
use crate::problem::describe;
use crate::settings::Settings;
use crate::world::{
    Change, Feed, FeedKind, Listing, ObjectKey, ObjectKind, TrackedClusterSync, TrackedStore,
    TrackedSync, Version,
};

/// Objects per page of a list.
const PAGE: u32 = 100;

/// Everything that is watched for as long as this process leads.
pub(crate) fn feeds(settings: &Settings) -> Vec<Feed> {
    let kinds = [
        FeedKind::Syncs,
        FeedKind::Stores,
        FeedKind::Targets(ObjectKind::Secret),
        FeedKind::Targets(ObjectKind::ConfigMap),
    ];
    let mut feeds: Vec<Feed> = settings
        .scope
        .watched()
        .into_iter()
        .flat_map(|namespace| {
            kinds.map(|kind| Feed {
                kind,
                namespace: namespace.clone(),
            })
        })
        .collect();
    let of_the_cluster = |kind| Feed {
        kind,
        namespace: None,
    };
    if settings.cluster_stores {
        feeds.push(of_the_cluster(FeedKind::ClusterStores));
    }
    if settings.looks_at_the_cluster() {
        feeds.push(of_the_cluster(FeedKind::ClusterSyncs));
        // Labels say which entries of a store's `allow` are meant, and where to stamp.
        let namespaces = settings.scope.watched().into_iter();
        feeds.extend(namespaces.map(|namespace| Feed {
            kind: FeedKind::Namespaces,
            namespace,
        }));
    }
    feeds
}

/// Where watches leave what they bring.
#[derive(Clone)]
pub(crate) struct Watcher {
    /// The way to the API server.
    pub(crate) client: Client,
    /// The operator's namespace.
    pub(crate) operator_namespace: NamespaceName,
    /// Where changes go.
    pub(crate) changes: Sender<Change>,
    /// Where failures are counted.
    pub(crate) metrics: Arc<Metrics>,
}

/// What all watched forms have in common.
pub(crate) trait Watchable:
    Resource<DynamicType = (), Scope = DynamicResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Send
    + 'static
{
}

impl<K> Watchable for K where
    K: Resource<DynamicType = (), Scope = DynamicResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + 'static
{
}

/// What a watch says of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    Here,
    Gone,
}

impl Watcher {
    /// Starts to watch `feed` on `tasks`.
    pub(crate) fn start(&self, feed: Feed, tasks: &mut JoinSet<()>) {
        match feed.kind {
            FeedKind::Syncs => self.spawn(tasks, feed, sync),
            FeedKind::Stores => self.spawn(tasks, feed, store),
            FeedKind::ClusterStores => {
                let home = self.operator_namespace.clone();
                self.spawn(tasks, feed, move |lean, presence| {
                    cluster_store(lean, presence, &home)
                });
            }
            FeedKind::ClusterSyncs => self.spawn(tasks, feed, cluster_sync),
            FeedKind::Targets(ObjectKind::Secret) => {
                self.spawn(tasks, feed, |outline: Outline<Secret>, presence| {
                    target(&outline, ObjectKind::Secret, presence)
                });
            }
            FeedKind::Targets(ObjectKind::ConfigMap) => {
                self.spawn(tasks, feed, |outline: Outline<ConfigMap>, presence| {
                    target(&outline, ObjectKind::ConfigMap, presence)
                });
            }
            FeedKind::Namespaces => {
                self.spawn(tasks, feed, |outline, presence| {
                    namespace(&outline, presence)
                });
            }
        }
    }

    fn spawn<K: Watchable>(
        &self,
        tasks: &mut JoinSet<()>,
        feed: Feed,
        take: impl Fn(K, Presence) -> Option<Change> + Send + 'static,
    ) {
        let api = api(&self.client, &feed);
        tasks.spawn(self.clone().follow(api, feed, take));
    }

    async fn follow<K: Watchable>(
        self,
        api: Api<K>,
        feed: Feed,
        take: impl Fn(K, Presence) -> Option<Change>,
    ) {
        let mut events = watcher(api, config(&feed))
            .backoff(GrowingPauses::default())
            .boxed();
        let mut listing = Listing::default();
        while let Some(event) = events.next().await {
            let change = match event {
                Ok(Event::Init) => {
                    listing = Listing::default();
                    None
                }
                Ok(Event::InitApply(object)) => {
                    let change = take(object, Presence::Here);
                    if let Some(change) = &change {
                        listing.note(change);
                    }
                    change
                }
                Ok(Event::InitDone) => {
                    Some(Change::Listed(feed.clone(), std::mem::take(&mut listing)))
                }
                Ok(Event::Apply(object)) => take(object, Presence::Here),
                Ok(Event::Delete(object)) => take(object, Presence::Gone),
                Err(error) => {
                    self.tell_failure(feed.kind.as_str(), feed.namespace.as_ref(), &error);
                    None
                }
            };
            if let Some(change) = change
                && self.changes.send(change).await.is_err()
            {
                return;
            }
        }
    }
}

impl Watcher {
    /// Counts and tells that a watch failed.
    pub(crate) fn tell_failure(
        &self,
        kind: &'static str,
        namespace: Option<&NamespaceName>,
        error: &watcher::Error,
    ) {
        use watcher::Error::{
            InitialListFailed, NoResourceVersion, WatchError, WatchFailed as Failed,
            WatchStartFailed,
        };
        let why = match error {
            InitialListFailed(error) | WatchStartFailed(error) | Failed(error) => describe(error),
            // 410 Gone: the watch fell too far behind and lists anew. That is how watches work.
            WatchError(status) if status.code == 410 => return,
            WatchError(status) => describe(&kube::Error::Api(status.clone())),
            NoResourceVersion => "an object came without a version".to_owned(),
        };
        let namespace = namespace.map_or("", NamespaceName::as_str);
        WatchFailed {
            kind,
            namespace,
            why: &why,
        }
        .emit(&self.metrics);
    }
}

/// Where a feed asks. A namespace lies in none, not even in itself.
pub(crate) fn api<K: Watchable>(client: &Client, feed: &Feed) -> Api<K> {
    match &feed.namespace {
        Some(namespace) if feed.kind != FeedKind::Namespaces => {
            Api::namespaced_with(client.clone(), namespace.as_str(), &())
        }
        _ => Api::all(client.clone()),
    }
}

/// Which labels and which fields a feed asks for.
pub(crate) fn selectors(feed: &Feed) -> (Option<String>, Option<String>) {
    match (feed.kind, &feed.namespace) {
        (FeedKind::Targets(_), _) => (Some(format!("{MANAGED_LABEL}={TRUE}")), None),
        (FeedKind::Namespaces, Some(name)) => (None, Some(format!("metadata.name={name}"))),
        _ => (None, None),
    }
}

/// What a feed asks for.
fn config(feed: &Feed) -> Config {
    let (label_selector, field_selector) = selectors(feed);
    Config {
        label_selector,
        field_selector,
        ..Config::default().page_size(PAGE)
    }
}

fn here<T>(object: T, presence: Presence) -> Option<Arc<T>> {
    (presence == Presence::Here).then(|| Arc::new(object))
}

fn sync(lean: Lean<SecretSync>, presence: Presence) -> Option<Change> {
    let sync = TrackedSync::from_watch(lean)?;
    Some(Change::Sync(
        Arc::new(sync.id.clone()),
        here(sync, presence),
    ))
}

fn store(lean: Lean<SecretStore>, presence: Presence) -> Option<Change> {
    let store = TrackedStore::of_namespace(lean)?;
    Some(Change::Store(store.key.clone(), here(store, presence)))
}

fn cluster_store(
    lean: Lean<ClusterSecretStore>,
    presence: Presence,
    home: &NamespaceName,
) -> Option<Change> {
    let store = TrackedStore::of_cluster(lean, home)?;
    Some(Change::Store(store.key.clone(), here(store, presence)))
}

fn cluster_sync(lean: Lean<ClusterSecretSync>, presence: Presence) -> Option<Change> {
    let sync = TrackedClusterSync::from_watch(lean)?;
    let name = Arc::new(sync.name.clone());
    Some(Change::ClusterSync(name, here(sync, presence)))
}

fn target<K: Watchable>(outline: &K, kind: ObjectKind, presence: Presence) -> Option<Change> {
    let name = ObjectName::new(outline.meta().name.clone()?).ok()?;
    if is_reserved_object(name.as_str()) {
        return None;
    }
    let namespace = NamespaceName::new(outline.namespace()?).ok()?;
    let version = version(outline).filter(|_| presence == Presence::Here);
    Some(Change::Target(
        ObjectKey {
            kind,
            namespace,
            name,
        },
        version,
    ))
}

/// Which version of an object a watch brought.
pub(crate) fn version<K: Watchable>(outline: &K) -> Option<Version> {
    Some(Version {
        uid: outline.meta().uid.clone()?.into_boxed_str(),
        resource_version: outline.meta().resource_version.clone()?.into_boxed_str(),
    })
}

fn namespace(outline: &Outline<Namespace>, presence: Presence) -> Option<Change> {
    let name = NamespaceName::new(outline.meta().name.clone()?).ok()?;
    // One that is being deleted takes nothing new.
    let stays = presence == Presence::Here && outline.meta().deletion_timestamp.is_none();
    let labels = stays.then(|| outline.labels().clone());
    Some(Change::Namespace(name, labels))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_asked_for_by_label_and_one_namespace_by_name() {
        let feed = |kind, namespace: Option<&str>| Feed {
            kind,
            namespace: namespace.map(|name| NamespaceName::new(name).unwrap()),
        };
        let labels = selectors(&feed(FeedKind::Targets(ObjectKind::Secret), Some("prod")));
        assert_eq!(labels, (Some("penstock.dev/managed=true".to_owned()), None));
        let name = selectors(&feed(FeedKind::Namespaces, Some("prod")));
        assert_eq!(name, (None, Some("metadata.name=prod".to_owned())));
        assert_eq!(selectors(&feed(FeedKind::Namespaces, None)), (None, None));
        assert_eq!(
            selectors(&feed(FeedKind::Syncs, Some("prod"))),
            (None, None)
        );
    }
}
