//! What happens, one struct per happening: it owns its log line and its metric.
//!
//! A happening carries names, reasons and our own sentences, never a value (rule 3) and never an object.
//! What repeats without news is logged at `debug`.

mod hooks;

use std::net::SocketAddr;
use std::time::Duration;

use penstock_domain::conditions::Reason;

pub use self::hooks::{HookOutcome, HookReceived};
use crate::metrics::{CallLabels, KindLabels, Metrics, PassLabels, ReasonLabels};

/// The process starts to work.
#[derive(Debug)]
pub struct ProcessStarted<'a> {
    /// Its version.
    pub version: &'a str,
    /// Which namespaces it serves, in words.
    pub scope: &'a str,
    /// Where probes and metrics are served.
    pub admin: SocketAddr,
}

impl ProcessStarted<'_> {
    /// Tells it.
    pub fn emit(&self) {
        tracing::info!(version = self.version, scope = self.scope, admin = %self.admin, "started");
    }
}

/// The process was asked to stop.
#[derive(Debug)]
pub struct StopRequested {
    /// How many passes are under way.
    pub running: usize,
}

impl StopRequested {
    /// Tells it.
    pub fn emit(&self) {
        tracing::info!(
            running = self.running,
            "stopping: passes under way are finished first"
        );
    }
}

/// The process is done.
#[derive(Debug)]
pub struct Stopped {
    /// Passes that did not end in time and were dropped; what they began, the next run finishes.
    pub dropped: usize,
}

impl Stopped {
    /// Tells it.
    pub fn emit(&self) {
        if self.dropped == 0 {
            tracing::info!("stopped");
        } else {
            tracing::warn!(
                dropped = self.dropped,
                "stopped; passes that did not end in time were dropped, the next run finishes them"
            );
        }
    }
}

/// Something panicked.
#[derive(Debug)]
pub struct Panicked<'a> {
    /// Where: file and line.
    pub place: &'a str,
}

impl Panicked<'_> {
    /// Tells it.
    pub fn emit(&self) {
        tracing::error!(
            place = self.place,
            "a bug in Penstock: it panicked; please report the place"
        );
    }
}

/// An audit entry is lost.
#[derive(Debug)]
pub struct AuditEntryLost<'a> {
    /// Why.
    pub why: &'a str,
}

impl AuditEntryLost<'_> {
    /// Tells it: each in the metric, fewer and fewer of them in the log.
    pub fn emit(&self, metrics: &Metrics) {
        let lost = metrics.audit_lost.inc() + 1;
        if lost.is_power_of_two() {
            tracing::error!(why = self.why, lost, "an audit entry is lost");
        }
    }
}

/// This process leads from now on.
#[derive(Debug)]
pub struct LeadershipGained<'a> {
    /// Under which name.
    pub identity: &'a str,
}

impl LeadershipGained<'_> {
    /// Tells it.
    pub fn emit(&self, metrics: &Metrics) {
        metrics.leader.set(1);
        metrics.leader_elections.inc();
        tracing::info!(identity = self.identity, "leading");
    }
}

/// This process leads no longer.
#[derive(Debug)]
pub struct LeadershipLost {
    /// Why.
    pub why: LostBecause,
}

/// Why a leadership ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostBecause {
    /// The process stops and gives the lease back.
    Stopping,
    /// The lease could not be renewed in time.
    NotRenewed,
    /// Somebody deleted the lease.
    Deleted,
    /// Another replica holds it.
    Taken,
}

impl LeadershipLost {
    /// Tells it.
    pub fn emit(&self, metrics: &Metrics) {
        metrics.leader.set(0);
        let why = match self.why {
            LostBecause::Stopping => {
                tracing::info!("the lease is given back");
                return;
            }
            LostBecause::NotRenewed => "the lease could not be renewed in time",
            LostBecause::Deleted => "the lease was deleted",
            LostBecause::Taken => "another replica holds the lease",
        };
        tracing::warn!(why, "no longer leading: nothing is written from now on");
    }
}

/// Another process leads.
#[derive(Debug)]
pub struct Following<'a> {
    /// Its name.
    pub leader: &'a str,
}

impl Following<'_> {
    /// Tells it.
    pub fn emit(&self) {
        tracing::info!(leader = self.leader, "another replica leads; standing by");
    }
}

/// The lease could not be read or written.
#[derive(Debug)]
pub struct LeaseFailed<'a> {
    /// Why, in the API server's words or ours.
    pub why: &'a str,
}

impl LeaseFailed<'_> {
    /// Tells it.
    pub fn emit(&self) {
        tracing::warn!(
            why = self.why,
            "the lease could not be read or written; trying again"
        );
    }
}

/// The installation key could not be read; nothing starts without it.
#[derive(Debug)]
pub struct KeyUnavailable<'a> {
    /// Why.
    pub why: &'a str,
}

impl KeyUnavailable<'_> {
    /// Tells it.
    pub fn emit(&self) {
        tracing::warn!(
            why = self.why,
            "the installation key cannot be read; trying again"
        );
    }
}

/// A watch failed and is tried again.
#[derive(Debug)]
pub struct WatchFailed<'a> {
    /// What is watched.
    pub kind: &'static str,
    /// Where; empty for the whole cluster.
    pub namespace: &'a str,
    /// Why.
    pub why: &'a str,
}

impl WatchFailed<'_> {
    /// Tells it.
    pub fn emit(&self, metrics: &Metrics) {
        metrics
            .watch_failures
            .get_or_create(&KindLabels { kind: self.kind })
            .inc();
        tracing::warn!(
            kind = self.kind,
            namespace = self.namespace,
            why = self.why,
            "a watch failed; trying again"
        );
    }
}

/// There are more referenced objects than may be watched; the rest is read on schedule only.
#[derive(Debug)]
pub struct ReferenceNotWatched<'a> {
    /// The object.
    pub object: &'a str,
    /// The limit.
    pub limit: usize,
}

impl ReferenceNotWatched<'_> {
    /// Tells it.
    pub fn emit(&self) {
        tracing::warn!(
            object = self.object,
            limit = self.limit,
            "too many referenced objects to watch; this one is read on schedule only"
        );
    }
}

/// How a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassResult {
    /// Everything is as it should be.
    Ok,
    /// Something is under way or waits, and no one needs to act.
    Waiting,
    /// Somebody should look.
    Failed,
}

impl PassResult {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Waiting => "waiting",
            Self::Failed => "failed",
        }
    }
}

/// A pass over one object ended.
#[derive(Debug)]
pub struct PassEnded<'a> {
    /// The object's kind.
    pub kind: &'static str,
    /// The object: `namespace/name`.
    pub object: &'a str,
    /// How it ended.
    pub result: PassResult,
    /// The reason of its Ready condition.
    pub reason: &'static str,
    /// The message of its Ready condition.
    pub message: &'a str,
    /// Whether anything in its status is news.
    pub news: bool,
    /// How long the pass took.
    pub took: Duration,
}

impl PassEnded<'_> {
    /// Tells it.
    pub fn emit(&self, metrics: &Metrics) {
        let Self {
            kind,
            object,
            reason,
            message,
            ..
        } = *self;
        let result = self.result.as_str();
        metrics
            .passes
            .get_or_create(&PassLabels {
                kind,
                result,
                reason,
            })
            .inc();
        metrics
            .pass_duration
            .get_or_create(&KindLabels { kind })
            .observe(self.took.as_secs_f64());
        let milliseconds = u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX);
        match (self.result, self.news) {
            (_, false) => tracing::debug!(kind, object, reason, milliseconds, "{message}"),
            (PassResult::Failed, true) => {
                tracing::warn!(kind, object, reason, milliseconds, "{message}");
            }
            (_, true) => tracing::info!(kind, object, reason, milliseconds, "{message}"),
        }
    }
}

/// A status was written, or not.
#[derive(Debug)]
pub struct StatusWritten<'a> {
    /// The object's kind.
    pub kind: &'static str,
    /// The object.
    pub object: &'a str,
    /// Why it failed, if it did: the reason and the sentence.
    pub failure: Option<(Reason, &'a str)>,
}

impl StatusWritten<'_> {
    /// Tells it.
    pub fn emit(&self, metrics: &Metrics) {
        let outcome = self.failure.map_or("ok", |(reason, _)| reason.as_str());
        let labels = CallLabels {
            kind: self.kind,
            outcome,
        };
        metrics.status_writes.get_or_create(&labels).inc();
        match self.failure {
            // Somebody else wrote in between; the watch brings the news, and the next pass the status.
            None | Some((Reason::Conflict | Reason::NotFound, _)) => {
                tracing::debug!(kind = self.kind, object = self.object, outcome, "status");
            }
            Some((_, why)) => {
                tracing::warn!(
                    kind = self.kind,
                    object = self.object,
                    why,
                    "status not written"
                );
            }
        }
    }
}

/// Something of ours on an object could not be written; it is tried again.
#[derive(Debug)]
pub struct WriteFailed<'a> {
    /// The object's kind.
    pub kind: &'static str,
    /// The object.
    pub object: &'a str,
    /// What of it.
    pub what: &'static str,
    /// Why.
    pub why: &'a str,
}

impl WriteFailed<'_> {
    /// Tells it.
    pub fn emit(&self) {
        let Self {
            kind,
            object,
            what,
            why,
        } = *self;
        tracing::warn!(kind, object, what, why, "a write failed; trying again");
    }
}

/// A store was checked.
#[derive(Debug)]
pub struct StoreChecked<'a> {
    /// `SecretStore` or `ClusterSecretStore`.
    pub kind: &'static str,
    /// The store.
    pub object: &'a str,
    /// What is wrong with it, if anything: the reason and the sentence.
    pub failure: Option<(Reason, &'a str)>,
    /// Whether that is news.
    pub news: bool,
}

impl StoreChecked<'_> {
    /// Tells it.
    pub fn emit(&self, metrics: &Metrics) {
        let outcome = self.failure.map_or("ok", |(reason, _)| reason.as_str());
        let labels = CallLabels {
            kind: self.kind,
            outcome,
        };
        metrics.store_checks.get_or_create(&labels).inc();
        match (self.failure, self.news) {
            (_, false) => tracing::debug!(kind = self.kind, object = self.object, outcome, "store"),
            (None, true) => tracing::info!(kind = self.kind, object = self.object, "store ready"),
            (Some((reason, why)), true) => tracing::warn!(
                kind = self.kind,
                object = self.object,
                reason = reason.as_str(),
                why,
                "store not ready"
            ),
        }
    }
}

/// A Kubernetes Event was published, held back, or could not be published.
#[derive(Debug)]
pub struct EventHandled<'a> {
    /// Its reason.
    pub reason: Reason,
    /// What became of it.
    pub fate: EventFate<'a>,
}

/// What becomes of a Kubernetes Event.
#[derive(Debug, Clone, Copy)]
pub enum EventFate<'a> {
    /// It was published.
    Published,
    /// It repeats what was published a short while ago.
    Repeats,
    /// The queue has no room.
    NoRoom,
    /// The API server did not take it.
    Refused(&'a str),
}

impl EventHandled<'_> {
    /// Tells it.
    pub fn emit(&self, metrics: &Metrics) {
        let reason = self.reason.as_str();
        match self.fate {
            EventFate::Published => {
                metrics.events.get_or_create(&ReasonLabels { reason }).inc();
            }
            EventFate::Repeats | EventFate::NoRoom => {
                metrics.events_withheld.inc();
            }
            EventFate::Refused(why) => {
                metrics.events_withheld.inc();
                tracing::debug!(reason, why, "an Event could not be published");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_counts_whether_or_not_it_is_news() {
        let metrics = Metrics::new();
        for news in [true, false] {
            PassEnded {
                kind: "SecretSync",
                object: "prod/panbot",
                result: PassResult::Failed,
                reason: Reason::SourceUnavailable.as_str(),
                message: "source vault does not answer",
                news,
                took: Duration::from_millis(5),
            }
            .emit(&metrics);
        }
        let text = metrics.encode().unwrap();
        let line = "penstock_passes_total{kind=\"SecretSync\",result=\"failed\",reason=\"SourceUnavailable\"} 2";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn leadership_shows_in_the_gauge() {
        let metrics = Metrics::new();
        LeadershipGained { identity: "a" }.emit(&metrics);
        assert_eq!(metrics.leader.get(), 1);
        LeadershipLost {
            why: LostBecause::Taken,
        }
        .emit(&metrics);
        assert_eq!(
            (metrics.leader.get(), metrics.leader_elections.get()),
            (0, 1)
        );
    }
}
