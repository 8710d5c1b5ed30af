//! Every metric, with its name and labels.
//!
//! Labels take their values from short, fixed lists: kinds, outcomes, reason constants. Objects are not
//! named: a cluster with ten thousand syncs has as many series as one with ten. Ages, which a status must not
//! hold, are a distribution and a maximum, computed when somebody asks.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::process::ProcessMetrics;

/// What every name of ours begins with.
const PREFIX: &str = "penstock";

/// Seconds that a pass or a call may take; the outer ones are timeouts.
const DURATION_BUCKETS: [f64; 10] = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// Seconds since a good read; from a minute to a day.
pub const AGE_BUCKETS: [u64; 6] = [60, 300, 900, 3_600, 21_600, 86_400];

/// A word of a fixed list.
type Word = &'static str;

/// What was worked on, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PassLabels {
    /// The kind of the object.
    pub kind: Word,
    /// `ok`, `waiting` or `failed`.
    pub result: Word,
    /// The reason of its Ready condition.
    pub reason: Word,
}

/// One kind of thing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct KindLabels {
    /// The kind.
    pub kind: Word,
}

/// A call through a port, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CallLabels {
    /// What was called for.
    pub kind: Word,
    /// `ok`, or the reason of the fault.
    pub outcome: Word,
}

/// One reason of the documented list.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabels {
    /// The reason.
    pub reason: Word,
}

/// One request to the API server.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, as RBAC has them.
    pub verb: Word,
    /// The resource, with its subresource (`secretsyncs/status`); `other` when it is none of those we use.
    pub resource: Word,
    /// The status code; 0 when there was no answer.
    pub code: u16,
}

/// A state that objects are in.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    state: Word,
}

/// What a scrape asks the controller about its syncs.
#[derive(Debug, Clone, Default)]
pub struct SyncStates {
    /// How many syncs there are, by the reason of their Ready condition.
    pub by_reason: BTreeMap<Word, u64>,
    /// How long ago each sync last knew its sources good.
    pub read_ages: Vec<Duration>,
    /// How many objects wait for their turn now.
    pub waiting: u64,
    /// How many objects are worked on now.
    pub running: u64,
}

/// Answers a scrape's question about the syncs.
pub type AskSyncStates = Box<dyn Fn() -> SyncStates + Send + Sync>;

/// All metrics of the process.
pub struct Metrics {
    registry: Registry,
    states: Arc<StatesCollector>,
    /// Passes over one object.
    pub passes: Family<PassLabels, Counter>,
    /// How long they took.
    pub pass_duration: Family<KindLabels, Histogram, fn() -> Histogram>,
    /// How long objects waited after they were due.
    pub queue_delay: Histogram,
    /// Reads of sources.
    pub source_reads: Family<CallLabels, Counter>,
    /// How long they took.
    pub source_read_duration: Family<KindLabels, Histogram, fn() -> Histogram>,
    /// Looks at targets that needed a read.
    pub target_reads: Family<CallLabels, Counter>,
    /// Writes to targets, removals included.
    pub target_writes: Family<CallLabels, Counter>,
    /// Writes of records.
    pub record_writes: Family<CallLabels, Counter>,
    /// Restart markers set.
    pub restarts: Family<CallLabels, Counter>,
    /// Checks of stores.
    pub store_checks: Family<CallLabels, Counter>,
    /// Status writes.
    pub status_writes: Family<CallLabels, Counter>,
    /// Events published, by their reason.
    pub events: Family<ReasonLabels, Counter>,
    /// Events held back: repetitions, and what the queue had no room for.
    pub events_withheld: Counter,
    /// Audit entries that could not be written.
    pub audit_lost: Counter,
    /// Requests to the API server.
    pub requests: Family<RequestLabels, Counter>,
    /// Failures of watches.
    pub watch_failures: Family<KindLabels, Counter>,
    /// Watches of single Secrets and ConfigMaps that syncs refer to.
    pub reference_watches: Gauge,
    /// 1 while this process leads.
    pub leader: Gauge,
    /// How often this process became the leader.
    pub leader_elections: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Metrics").finish_non_exhaustive()
    }
}

fn durations() -> Histogram {
    Histogram::new(DURATION_BUCKETS)
}

impl Metrics {
    /// All metrics at zero.
    pub fn new() -> Self {
        let constructor: fn() -> Histogram = durations;
        let mut metrics = Self {
            registry: Registry::default(),
            states: Arc::default(),
            passes: Family::default(),
            pass_duration: Family::new_with_constructor(constructor),
            queue_delay: durations(),
            source_reads: Family::default(),
            source_read_duration: Family::new_with_constructor(constructor),
            target_reads: Family::default(),
            target_writes: Family::default(),
            record_writes: Family::default(),
            restarts: Family::default(),
            store_checks: Family::default(),
            status_writes: Family::default(),
            events: Family::default(),
            events_withheld: Counter::default(),
            audit_lost: Counter::default(),
            requests: Family::default(),
            watch_failures: Family::default(),
            reference_watches: Gauge::default(),
            leader: Gauge::default(),
            leader_elections: Counter::default(),
        };
        metrics.register_work();
        metrics.register_surroundings();
        metrics
    }

    fn register_work(&mut self) {
        let registry = self.registry.sub_registry_with_prefix(PREFIX);
        registry.register(
            "passes",
            "Passes over one object, by kind, result and the reason of its Ready condition",
            self.passes.clone(),
        );
        registry.register(
            "pass_duration_seconds",
            "How long passes took, by kind",
            self.pass_duration.clone(),
        );
        registry.register(
            "queue_delay_seconds",
            "How long objects waited for their turn after they were due",
            self.queue_delay.clone(),
        );
        registry.register(
            "source_reads",
            "Reads of sources, by what they read from and outcome",
            self.source_reads.clone(),
        );
        registry.register(
            "source_read_duration_seconds",
            "How long reads of sources took",
            self.source_read_duration.clone(),
        );
        registry.register(
            "target_reads",
            "Reads of targets, by kind and outcome; known versions need none",
            self.target_reads.clone(),
        );
        registry.register(
            "target_writes",
            "Writes to targets, removals included, by kind and outcome",
            self.target_writes.clone(),
        );
        registry.register(
            "record_writes",
            "Writes of records, by outcome",
            self.record_writes.clone(),
        );
        registry.register(
            "restarts",
            "Restart markers set on workloads, by kind and outcome",
            self.restarts.clone(),
        );
        registry.register(
            "store_checks",
            "Checks of stores, by kind and outcome",
            self.store_checks.clone(),
        );
    }

    fn register_surroundings(&mut self) {
        let registry = self.registry.sub_registry_with_prefix(PREFIX);
        registry.register(
            "status_writes",
            "Status writes, by kind and outcome",
            self.status_writes.clone(),
        );
        registry.register(
            "events",
            "Kubernetes Events published, by reason",
            self.events.clone(),
        );
        registry.register(
            "events_withheld",
            "Kubernetes Events held back because they repeat or are too many",
            self.events_withheld.clone(),
        );
        registry.register(
            "audit_entries_lost",
            "Audit entries that could not be written; anything above zero is a reason to look",
            self.audit_lost.clone(),
        );
        registry.register(
            "api_requests",
            "Requests to the API server, by verb, resource and status code (0: no answer)",
            self.requests.clone(),
        );
        registry.register(
            "watch_failures",
            "Failures of watches, by kind; each is tried again",
            self.watch_failures.clone(),
        );
        registry.register(
            "reference_watches",
            "Watches of single Secrets and ConfigMaps that syncs and stores refer to",
            self.reference_watches.clone(),
        );
        registry.register(
            "leader",
            "1 while this process leads, else 0",
            self.leader.clone(),
        );
        registry.register(
            "leader_elections",
            "How often this process became the leader",
            self.leader_elections.clone(),
        );
        registry.register(
            "build",
            "The version that runs",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        registry.register_collector(Box::new(Arc::clone(&self.states)));
        self.registry
            .register_collector(Box::new(ProcessMetrics::default()));
    }

    /// Lets scrapes ask `ask` about the syncs from now on; none when nobody knows.
    pub fn ask_about_syncs(&self, ask: Option<AskSyncStates>) {
        *self
            .states
            .ask
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = ask;
    }

    /// All metrics in the OpenMetrics text format.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Measures one stretch of time into a histogram.
#[derive(Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Asks the controller at every scrape.
#[derive(Default)]
struct StatesCollector {
    ask: Mutex<Option<AskSyncStates>>,
}

impl fmt::Debug for StatesCollector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("StatesCollector")
    }
}

impl StatesCollector {
    fn states(&self) -> SyncStates {
        let ask = self.ask.lock().unwrap_or_else(PoisonError::into_inner);
        ask.as_ref().map(|ask| ask()).unwrap_or_default()
    }
}

impl Collector for StatesCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let states = self.states();
        let mut family = encoder.encode_descriptor(
            "syncs",
            "SecretSyncs, by the reason of their Ready condition",
            None,
            MetricType::Gauge,
        )?;
        for (reason, count) in &states.by_reason {
            gauge(*count).encode(family.encode_family(&ReasonLabels { reason })?)?;
        }
        let mut family = encoder.encode_descriptor(
            "queue_objects",
            "Objects that wait for their turn or are worked on",
            None,
            MetricType::Gauge,
        )?;
        for (state, count) in [("waiting", states.waiting), ("running", states.running)] {
            gauge(count).encode(family.encode_family(&StateLabels { state })?)?;
        }
        let oldest = states.read_ages.iter().max().copied().unwrap_or_default();
        let family = encoder.encode_descriptor(
            "sync_read_age_max_seconds",
            "The longest time since a sync last knew its sources good",
            None,
            MetricType::Gauge,
        )?;
        ConstGauge::new(oldest.as_secs_f64()).encode(family)?;
        let mut family = encoder.encode_descriptor(
            "syncs_older",
            "SecretSyncs whose last good read of their sources is longer ago than so many seconds",
            None,
            MetricType::Gauge,
        )?;
        for seconds in AGE_BUCKETS {
            let age = Duration::from_secs(seconds);
            let older = states.read_ages.iter().filter(|read| **read > age).count();
            let labels = [("than_seconds", seconds.to_string())];
            gauge(older as u64).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

fn gauge(count: u64) -> ConstGauge<i64> {
    ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_labels_are_as_documented() {
        let metrics = Metrics::new();
        let labels = PassLabels {
            kind: "SecretSync",
            result: "ok",
            reason: "Synced",
        };
        metrics.passes.get_or_create(&labels).inc();
        metrics
            .restarts
            .get_or_create(&CallLabels {
                kind: "Deployment",
                outcome: "ok",
            })
            .inc();
        let request = RequestLabels {
            verb: "patch",
            resource: "secretsyncs/status",
            code: 200,
        };
        metrics.requests.get_or_create(&request).inc();
        metrics.leader.set(1);
        let text = metrics.encode().unwrap();
        for line in [
            "penstock_passes_total{kind=\"SecretSync\",result=\"ok\",reason=\"Synced\"} 1",
            "penstock_restarts_total{kind=\"Deployment\",outcome=\"ok\"} 1",
            "penstock_api_requests_total{verb=\"patch\",resource=\"secretsyncs/status\",code=\"200\"} 1",
            "penstock_leader 1",
            "penstock_events_withheld_total 0",
            "penstock_audit_entries_lost_total 0",
            concat!(
                "penstock_build_info{version=\"",
                env!("CARGO_PKG_VERSION"),
                "\"} 1"
            ),
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} is not in\n{text}"
            );
        }
        assert!(
            text.lines()
                .any(|line| line.starts_with("process_start_time_seconds ")),
            "{text}"
        );
    }

    #[test]
    fn ages_are_computed_when_somebody_asks() {
        let metrics = Metrics::new();
        metrics.ask_about_syncs(Some(Box::new(|| SyncStates {
            by_reason: BTreeMap::from([("Synced", 2), ("Unavailable", 1)]),
            read_ages: [30, 90, 4_000].map(Duration::from_secs).to_vec(),
            waiting: 3,
            running: 0,
        })));
        let text = metrics.encode().unwrap();
        for line in [
            "penstock_syncs{reason=\"Unavailable\"} 1",
            "penstock_queue_objects{state=\"waiting\"} 3",
            "penstock_sync_read_age_max_seconds 4000.0",
            "penstock_syncs_older{than_seconds=\"60\"} 2",
            "penstock_syncs_older{than_seconds=\"3600\"} 1",
            "penstock_syncs_older{than_seconds=\"21600\"} 0",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} is not in\n{text}"
            );
        }
        metrics.ask_about_syncs(None);
        assert!(
            metrics
                .encode()
                .unwrap()
                .contains("penstock_sync_read_age_max_seconds 0.0")
        );
    }
}
