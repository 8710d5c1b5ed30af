//! From what stamping found to the status of a ClusterSecretSync. Pure; nothing changes while nothing
//! happened.

use jiff::Timestamp;

use super::{event, judge, warning};
use crate::api::cluster_sync::{ClusterSecretSyncStatus, FailedNamespace, NamespaceCounts};
use crate::conditions::Reason;
use crate::engine::EventNote;
use crate::names::{NamespaceName, SyncId};
use crate::text::{key_list, shorten};

/// The most failed namespaces that are listed.
const MAX_FAILED: usize = 50;
/// The longest message of a failed namespace.
const MAX_MESSAGE: usize = 1000;

/// How one namespace that matches stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stamped {
    /// Its SecretSync is ready.
    Ready,
    /// Its SecretSync is on its way.
    Pending,
    /// Its SecretSync failed, or could not be stamped.
    Failed {
        /// Why.
        reason: String,
        /// What is the matter.
        message: String,
    },
}

/// How all namespaces stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stamping {
    /// Those that match, in the order of their names.
    pub namespaces: Vec<(NamespaceName, Stamped)>,
    /// SecretSyncs that were stamped and are not meant any more: their namespace left, or the name changed.
    pub orphaned: Vec<SyncId>,
}

/// The status of a ClusterSecretSync, and what to tell.
pub fn stamped(
    former: &ClusterSecretSyncStatus,
    stamping: &Stamping,
    (generation, now): (i64, Timestamp),
) -> (ClusterSecretSyncStatus, Vec<EventNote>) {
    let all = stamping.namespaces.len();
    let count = |wanted: fn(&Stamped) -> bool| {
        let found = stamping
            .namespaces
            .iter()
            .filter(|(_, stamped)| wanted(stamped))
            .count();
        u32::try_from(found).unwrap_or(u32::MAX)
    };
    let ready = count(|stamped| *stamped == Stamped::Ready);
    let failed = failures(stamping);
    let mut status = ClusterSecretSyncStatus {
        observed_generation: Some(generation),
        conditions: former.conditions.clone(),
        summary: Some(format!("{ready}/{all}")),
        counts: Some(NamespaceCounts {
            matching: u32::try_from(all).unwrap_or(u32::MAX),
            ready,
            failed: count(|stamped| matches!(stamped, Stamped::Failed { .. })),
            orphaned: u32::try_from(stamping.orphaned.len()).unwrap_or(u32::MAX),
        }),
        failed: failed.clone(),
        pending_plan: former.pending_plan.clone(),
    };
    let message = format!("{ready} of {all} namespaces hold the current content");
    let about = (generation, now);
    if let Some(first) = failed.first() {
        let message = format!("{message}; {}: {}", first.namespace, first.message);
        judge::refused(
            &mut status.conditions,
            false,
            (Reason::NamespacesFailed, &message),
            about,
        );
    } else if usize::try_from(ready).is_ok_and(|ready| ready == all) {
        judge::well(&mut status.conditions, (Reason::Synced, &message), about);
    } else {
        judge::under_way(&mut status.conditions, (Reason::Pending, &message), about);
    }
    let events = events(former, &status, stamping, &message);
    (status, events)
}

/// The template cannot be stamped: Stalled, with every problem in the message, until it changes.
pub fn refused(
    former: &ClusterSecretSyncStatus,
    (reason, message): (Reason, &str),
    about: (i64, Timestamp),
) -> (ClusterSecretSyncStatus, Vec<EventNote>) {
    let mut status = former.clone();
    status.observed_generation = Some(about.0);
    judge::refused(&mut status.conditions, true, (reason, message), about);
    let news = status.conditions != former.conditions;
    let events = news.then(|| warning(reason, message.to_owned()));
    (status, events.into_iter().collect())
}

/// This installation does not serve ClusterSecretSyncs: that, and how to switch it on. Nothing is said where
/// another installation has spoken.
pub fn not_served(
    former: &ClusterSecretSyncStatus,
    about: (i64, Timestamp),
) -> (ClusterSecretSyncStatus, Vec<EventNote>) {
    let spoken = former
        .conditions
        .iter()
        .any(|condition| condition.reason != Reason::NotSupported.as_str());
    if spoken {
        return (former.clone(), Vec::new());
    }
    refused(former, (Reason::NotSupported, NOT_SERVED), about)
}

const NOT_SERVED: &str = "this installation does not serve ClusterSecretSyncs; switch them on with the chart's values \
     clusterWide: true and clusterSyncs.enabled: true (penstock run --all-namespaces --cluster-syncs true)";

fn failures(stamping: &Stamping) -> Vec<FailedNamespace> {
    let failed = stamping
        .namespaces
        .iter()
        .filter_map(|(namespace, stamped)| match stamped {
            Stamped::Failed { reason, message } => Some(FailedNamespace {
                namespace: namespace.to_string(),
                reason: reason.clone(),
                message: shorten(message, MAX_MESSAGE),
            }),
            Stamped::Ready | Stamped::Pending => None,
        });
    failed.take(MAX_FAILED).collect()
}

fn events(
    former: &ClusterSecretSyncStatus,
    status: &ClusterSecretSyncStatus,
    stamping: &Stamping,
    message: &str,
) -> Vec<EventNote> {
    let orphans_before = former.counts.map_or(0, |counts| counts.orphaned);
    let orphans = status.counts.map_or(0, |counts| counts.orphaned);
    let left = (orphans > orphans_before).then(|| {
        let names: Vec<String> = stamping.orphaned.iter().map(ToString::to_string).collect();
        let message = format!(
            "no longer meant, kept and still in force: {}; delete those that shall end",
            key_list(&names)
        );
        warning(Reason::Orphaned, message)
    });
    let failed = (status.failed != former.failed)
        .then(|| status.failed.first())
        .flatten()
        .map(|first| {
            let message = format!("{}: {}", first.namespace, first.message);
            warning(Reason::NamespacesFailed, message)
        });
    let all_ready = status
        .counts
        .is_some_and(|counts| counts.ready == counts.matching);
    let news = status.conditions != former.conditions && status.summary != former.summary;
    let synced = (news && all_ready && !stamping.namespaces.is_empty())
        .then(|| event(Reason::Synced, message.to_owned()));
    [left, failed, synced].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::status::ConditionStatus;
    use crate::names::ObjectName;

    fn name(text: &str) -> NamespaceName {
        NamespaceName::new(text).unwrap()
    }

    fn failed() -> Stamped {
        Stamped::Failed {
            reason: "ForeignTarget".to_owned(),
            message: "is not ours".to_owned(),
        }
    }

    fn run(
        former: &ClusterSecretSyncStatus,
        stamping: &Stamping,
    ) -> (ClusterSecretSyncStatus, Vec<EventNote>) {
        stamped(former, stamping, (3, Timestamp::from_second(100).unwrap()))
    }

    fn condition<'a>(
        status: &'a ClusterSecretSyncStatus,
        name: &str,
    ) -> (ConditionStatus, &'a str) {
        let mut conditions = status.conditions.iter();
        let found = conditions
            .find(|condition| condition.condition_type == name)
            .unwrap();
        (found.status, found.reason.as_str())
    }

    #[test]
    fn counts_and_failures_are_told_once() {
        let stamping = Stamping {
            namespaces: vec![(name("a"), Stamped::Ready), (name("b"), failed())],
            orphaned: vec![SyncId {
                namespace: name("c"),
                name: ObjectName::new("shared").unwrap(),
            }],
        };
        let (status, events) = run(&ClusterSecretSyncStatus::default(), &stamping);
        assert_eq!(status.summary.as_deref(), Some("1/2"));
        let counts = NamespaceCounts {
            matching: 2,
            ready: 1,
            failed: 1,
            orphaned: 1,
        };
        assert_eq!(status.counts, Some(counts));
        assert_eq!(
            condition(&status, "Ready"),
            (ConditionStatus::False, "NamespacesFailed")
        );
        let reasons: Vec<_> = events.iter().map(|event| event.reason).collect();
        assert_eq!(reasons, [Reason::Orphaned, Reason::NamespacesFailed]);
        assert_eq!(run(&status, &stamping), (status, Vec::new()));
    }

    #[test]
    fn what_is_on_its_way_reconciles_and_what_is_there_is_ready() {
        let mut stamping = Stamping {
            namespaces: vec![(name("a"), Stamped::Pending)],
            orphaned: Vec::new(),
        };
        let (status, events) = run(&ClusterSecretSyncStatus::default(), &stamping);
        assert!(events.is_empty());
        assert_eq!(
            condition(&status, "Reconciling"),
            (ConditionStatus::True, "Pending")
        );
        stamping.namespaces[0].1 = Stamped::Ready;
        let (status, events) = run(&status, &stamping);
        assert_eq!(
            condition(&status, "Ready"),
            (ConditionStatus::True, "Synced")
        );
        assert_eq!(events.len(), 1);
    }

    #[test]
    fn a_selection_of_nothing_is_ready() {
        let (status, events) = run(&ClusterSecretSyncStatus::default(), &Stamping::default());
        assert_eq!(
            condition(&status, "Ready"),
            (ConditionStatus::True, "Synced")
        );
        assert!(events.is_empty());
    }

    #[test]
    fn the_list_of_failures_is_bounded() {
        let namespaces = (0..80)
            .map(|number| (name(&format!("n{number}")), failed()))
            .collect();
        let stamping = Stamping {
            namespaces,
            orphaned: Vec::new(),
        };
        let (status, _) = run(&ClusterSecretSyncStatus::default(), &stamping);
        assert_eq!(status.failed.len(), MAX_FAILED);
        assert_eq!(status.counts.unwrap().failed, 80);
    }
    #[test]
    fn who_does_not_serve_them_says_so_once_and_never_to_who_does() {
        let now = Timestamp::from_second(100).unwrap();
        let (status, events) = not_served(&ClusterSecretSyncStatus::default(), (1, now));
        assert_eq!(
            condition(&status, "Stalled"),
            (ConditionStatus::True, "NotSupported")
        );
        assert!(events[0].message.contains("clusterSyncs.enabled"));
        assert_eq!(not_served(&status, (1, now)), (status, Vec::new()));
        let (served, _) = run(&ClusterSecretSyncStatus::default(), &Stamping::default());
        assert_eq!(not_served(&served, (9, now)), (served, Vec::new()));
    }
}
