//! Ports that count and time what passes through them, so that neither the engine nor an adapter has to.

use std::sync::Arc;

use async_trait::async_trait;
use penstock_domain::bundle::Snapshot;
use penstock_domain::fault::Fault;
use penstock_domain::names::{Key, NamespaceName, ObjectName, SyncId};
use penstock_domain::ports::{
    Freshness, Marked, Observation, Ports, RecordVersion, Records, Removal, Sources, StoredRecord,
    Targets, Workloads, Write, Written,
};
use penstock_domain::sync::{Origin, StoreKind, ValidatedSource, ValidatedTarget, WorkloadScope};
use penstock_domain::workload::{PodView, WorkloadId, WorkloadView};

use crate::metrics::{CallLabels, KindLabels, Metrics, Stopwatch};

/// The outcome of a call that went well.
pub const OK: &str = "ok";

/// The outcome of `result` as a label: `ok`, or the fault's reason.
pub fn outcome<T>(result: &Result<T, Fault>) -> &'static str {
    match result {
        Ok(_) => OK,
        Err(fault) => fault.reason.as_str(),
    }
}

/// `ports`, counted and timed.
#[must_use]
pub fn instrument(ports: Ports, metrics: &Arc<Metrics>) -> Ports {
    let metrics = || Arc::clone(metrics);
    Ports {
        sources: Arc::new(Counted {
            inner: ports.sources,
            metrics: metrics(),
        }),
        targets: Arc::new(Counted {
            inner: ports.targets,
            metrics: metrics(),
        }),
        records: Arc::new(Counted {
            inner: ports.records,
            metrics: metrics(),
        }),
        workloads: Arc::new(Counted {
            inner: ports.workloads,
            metrics: metrics(),
        }),
        ..ports
    }
}

/// A port with its counters.
struct Counted<P: ?Sized> {
    metrics: Arc<Metrics>,
    inner: Arc<P>,
}

/// What a source reads from, as a label; none for what costs nothing.
fn origin_kind(origin: &Origin) -> Option<&'static str> {
    match origin {
        Origin::Store(store) => Some(match store.kind {
            StoreKind::Namespaced => "SecretStore",
            StoreKind::Cluster => "ClusterSecretStore",
        }),
        Origin::Secret { .. } => Some("Secret"),
        Origin::ConfigMap { .. } => Some("ConfigMap"),
        Origin::File { .. } => Some("File"),
        Origin::Literal(_) | Origin::ProcessEnvironment => None,
    }
}

impl<P: ?Sized> Counted<P> {
    fn count_read<T>(&self, kind: &'static str, watch: &Stopwatch, result: &Result<T, Fault>) {
        let labels = CallLabels {
            kind,
            outcome: outcome(result),
        };
        self.metrics.source_reads.get_or_create(&labels).inc();
        self.metrics
            .source_read_duration
            .get_or_create(&KindLabels { kind })
            .observe(watch.elapsed().as_secs_f64());
    }
}

#[async_trait]
impl Sources for Counted<dyn Sources> {
    async fn read(
        &self,
        sync: &SyncId,
        source: &ValidatedSource,
        freshness: Freshness,
    ) -> Result<Snapshot, Fault> {
        let watch = Stopwatch::start();
        let result = self.inner.read(sync, source, freshness).await;
        if let Some(kind) = origin_kind(&source.origin) {
            self.count_read(kind, &watch, &result);
        }
        result
    }

    async fn template(
        &self,
        sync: &SyncId,
        config_map: &ObjectName,
        key: &Key,
    ) -> Result<String, Fault> {
        let watch = Stopwatch::start();
        let result = self.inner.template(sync, config_map, key).await;
        self.count_read("ConfigMap", &watch, &result);
        result
    }
}

#[async_trait]
impl Targets for Counted<dyn Targets> {
    async fn observe(&self, sync: &SyncId, target: &ValidatedTarget) -> Result<Observation, Fault> {
        let result = self.inner.observe(sync, target).await;
        let labels = CallLabels {
            kind: target.destination.kind(),
            outcome: outcome(&result),
        };
        self.metrics.target_reads.get_or_create(&labels).inc();
        result
    }

    async fn write(
        &self,
        sync: &SyncId,
        target: &ValidatedTarget,
        write: Write,
    ) -> Result<Written, Fault> {
        let result = self.inner.write(sync, target, write).await;
        let labels = CallLabels {
            kind: target.destination.kind(),
            outcome: outcome(&result),
        };
        self.metrics.target_writes.get_or_create(&labels).inc();
        result
    }

    async fn remove(
        &self,
        sync: &SyncId,
        target: &ValidatedTarget,
        removal: Removal,
    ) -> Result<(), Fault> {
        let result = self.inner.remove(sync, target, removal).await;
        let labels = CallLabels {
            kind: target.destination.kind(),
            outcome: outcome(&result),
        };
        self.metrics.target_writes.get_or_create(&labels).inc();
        result
    }
}

#[async_trait]
impl Records for Counted<dyn Records> {
    async fn load(&self, sync: &SyncId) -> Result<Option<StoredRecord>, Fault> {
        self.inner.load(sync).await
    }

    async fn save(
        &self,
        sync: &SyncId,
        sealed: Vec<u8>,
        expected: Option<&RecordVersion>,
    ) -> Result<RecordVersion, Fault> {
        let result = self.inner.save(sync, sealed, expected).await;
        let labels = CallLabels {
            kind: "save",
            outcome: outcome(&result),
        };
        self.metrics.record_writes.get_or_create(&labels).inc();
        result
    }

    async fn delete(&self, sync: &SyncId) -> Result<(), Fault> {
        let result = self.inner.delete(sync).await;
        let labels = CallLabels {
            kind: "delete",
            outcome: outcome(&result),
        };
        self.metrics.record_writes.get_or_create(&labels).inc();
        result
    }
}

#[async_trait]
impl Workloads for Counted<dyn Workloads> {
    async fn list(
        &self,
        namespace: &NamespaceName,
        scope: &WorkloadScope,
    ) -> Result<Vec<WorkloadView>, Fault> {
        self.inner.list(namespace, scope).await
    }

    async fn pods(&self, workload: &WorkloadView) -> Result<Vec<PodView>, Fault> {
        self.inner.pods(workload).await
    }

    async fn mark(
        &self,
        workload: &WorkloadId,
        annotation: &str,
        value: &str,
    ) -> Result<Marked, Fault> {
        let result = self.inner.mark(workload, annotation, value).await;
        let outcome = match &result {
            Ok(Marked::Gone) => "gone",
            other => outcome(other),
        };
        let labels = CallLabels {
            kind: workload.kind.as_str(),
            outcome,
        };
        self.metrics.restarts.get_or_create(&labels).inc();
        result
    }
}
