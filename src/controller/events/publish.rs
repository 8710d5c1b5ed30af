//! Events go out one after the other beside the passes, never in their way.

use std::sync::Arc;

use crate::problem::describe;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use penstock_domain::conditions::Reason;
use penstock_domain::text::shorten;
use penstock_observability::metrics::Metrics;
use penstock_observability::telemetry::{EventFate, EventHandled};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Events that wait to be published at most; what does not fit is counted and dropped.
const QUEUE: usize = 512;

/// Limits of events.k8s.io/v1 (`ValidateEventCreate` in k8s.io/kubernetes): bytes.
const MAX_NOTE: usize = 1024;
const MAX_INSTANCE: usize = 128;

/// Events about objects of the cluster lie here; the API server takes them nowhere else.
const CLUSTER_EVENTS: &str = "default";

/// The object that an Event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Regarding {
    /// Its API version.
    pub(crate) api_version: &'static str,
    /// Its kind.
    pub(crate) kind: &'static str,
    /// Its namespace; none for an object of the cluster.
    pub(crate) namespace: Option<String>,
    /// Its name.
    pub(crate) name: String,
    /// Its uid.
    pub(crate) uid: String,
}

/// One Event on its way.
#[derive(Debug)]
struct Note {
    regarding: Regarding,
    warning: bool,
    reason: Reason,
    message: String,
}

/// Where passes leave their Events.
#[derive(Debug, Clone)]
pub(crate) struct EventPublisher {
    queue: Sender<Note>,
    metrics: Arc<Metrics>,
}

/// The other end of an [`EventPublisher`].
#[derive(Debug)]
pub(crate) struct EventQueue(Receiver<Note>);

impl EventPublisher {
    /// A publisher and the queue that [`publish_events`] empties.
    pub(crate) fn new(metrics: Arc<Metrics>) -> (Self, EventQueue) {
        let (queue, notes) = channel(QUEUE);
        (Self { queue, metrics }, EventQueue(notes))
    }

    /// Leaves an Event. Never waits.
    pub(crate) fn tell(
        &self,
        regarding: Regarding,
        warning: bool,
        reason: Reason,
        message: String,
    ) {
        let note = Note {
            regarding,
            warning,
            reason,
            message,
        };
        if self.queue.try_send(note).is_err() {
            EventHandled {
                reason,
                fate: EventFate::NoRoom,
            }
            .emit(&self.metrics);
        }
    }

    /// Counts an Event that only repeats what was told.
    pub(crate) fn withhold(&self, reason: Reason) {
        EventHandled {
            reason,
            fate: EventFate::Repeats,
        }
        .emit(&self.metrics);
    }
}

/// Publishes what is left in `queue`, one after the other, until all publishers are gone.
pub(crate) async fn publish_events(
    client: Client,
    mut queue: EventQueue,
    instance: String,
    metrics: Arc<Metrics>,
) {
    while let Some(note) = queue.0.recv().await {
        let reason = note.reason;
        let event = event(note, &instance);
        let namespace = event.metadata.namespace.clone().unwrap_or_default();
        let api: Api<Event> = Api::namespaced(client.clone(), &namespace);
        let published = api.create(&PostParams::default(), &event).await;
        let refusal = published.err().map(|error| describe(&error));
        let fate = refusal
            .as_deref()
            .map_or(EventFate::Published, EventFate::Refused);
        EventHandled { reason, fate }.emit(&metrics);
    }
}

fn event(note: Note, instance: &str) -> Event {
    let Note {
        regarding,
        warning,
        reason,
        message,
    } = note;
    let namespace = regarding.namespace.clone();
    Event {
        metadata: ObjectMeta {
            generate_name: Some(format!("{}-", regarding.name)),
            namespace: Some(
                namespace
                    .clone()
                    .unwrap_or_else(|| CLUSTER_EVENTS.to_owned()),
            ),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(Timestamp::now())),
        reporting_controller: Some("penstock.dev/operator".to_owned()),
        reporting_instance: Some(shorten(instance, MAX_INSTANCE)),
        action: Some("Sync".to_owned()),
        reason: Some(reason.as_str().to_owned()),
        type_: Some(if warning { "Warning" } else { "Normal" }.to_owned()),
        note: Some(shorten(&message, MAX_NOTE)),
        regarding: Some(ObjectReference {
            api_version: Some(regarding.api_version.to_owned()),
            kind: Some(regarding.kind.to_owned()),
            namespace,
            name: Some(regarding.name),
            uid: Some(regarding.uid),
            ..ObjectReference::default()
        }),
        ..Event::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(namespace: Option<&str>, message: &str) -> Note {
        Note {
            regarding: Regarding {
                api_version: "penstock.dev/v1alpha1",
                kind: "SecretSync",
                namespace: namespace.map(str::to_owned),
                name: "panbot".to_owned(),
                uid: "u".to_owned(),
            },
            warning: true,
            reason: Reason::SourceUnavailable,
            message: message.to_owned(),
        }
    }

    #[test]
    fn an_event_lies_beside_its_object() {
        let told = event(
            note(Some("prod"), "source vault does not answer"),
            "penstock-0",
        );
        assert_eq!(told.metadata.namespace.as_deref(), Some("prod"));
        assert_eq!(told.metadata.generate_name.as_deref(), Some("panbot-"));
        assert_eq!(told.reason.as_deref(), Some("SourceUnavailable"));
        assert_eq!(told.type_.as_deref(), Some("Warning"));
        let of_the_cluster = event(note(None, ""), "penstock-0");
        assert_eq!(
            of_the_cluster.metadata.namespace.as_deref(),
            Some("default")
        );
        assert_eq!(of_the_cluster.regarding.unwrap().namespace, None);
    }

    #[test]
    fn a_long_note_is_cut_between_characters() {
        let told = event(note(Some("prod"), &"ü".repeat(1_000)), "penstock-0");
        let text = told.note.unwrap();
        assert!(
            text.len() <= MAX_NOTE && text.ends_with("ü…"),
            "{}",
            text.len()
        );
    }

    #[tokio::test]
    async fn what_does_not_fit_is_counted_and_dropped() {
        let metrics = Arc::new(Metrics::new());
        let (publisher, _queue) = EventPublisher::new(Arc::clone(&metrics));
        for _ in 0..QUEUE + 5 {
            let Note {
                regarding,
                warning,
                reason,
                message,
            } = note(Some("prod"), "x");
            publisher.tell(regarding, warning, reason, message);
        }
        assert_eq!(metrics.events_withheld.get(), 5);
    }
}
