//! What the controller is told at its start.

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

use penstock_domain::names::NamespaceName;

/// Everything that the controller is told at its start.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which namespaces it serves.
    pub scope: Scope,
    /// The namespace that the operator runs in: its leases, its installation key and the credentials of
    /// ClusterSecretStores lie there.
    pub operator_namespace: NamespaceName,
    /// Whether ClusterSecretStores are read.
    pub cluster_stores: bool,
    /// Whether ClusterSecretSyncs are stamped; only in the scope of the whole cluster.
    pub cluster_syncs: bool,
    /// How many objects are worked on at once.
    pub concurrency: NonZeroUsize,
    /// How many Secrets and ConfigMaps that syncs and stores refer to are watched; the others are read on
    /// schedule only.
    pub reference_watches: usize,
    /// How often a store is checked, give or take 10 %.
    pub store_check_interval: Duration,
    /// How long passes under way may take to finish when the process is asked to stop.
    pub shutdown_grace: Duration,
    /// How replicas agree who writes; none: this process is the only one.
    pub election: Option<ElectionSettings>,
}

impl Settings {
    /// Whether ClusterSecretSyncs are stamped: only who serves the whole cluster can.
    pub(crate) fn stamps(&self) -> bool {
        self.cluster_syncs && self.scope == Scope::Cluster
    }

    /// Whether objects without a namespace are looked at. A ClusterSecretSync that is not stamped is told why.
    pub(crate) fn looks_at_the_cluster(&self) -> bool {
        self.cluster_stores || self.stamps()
    }
}

/// Which namespaces the controller serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// These.
    Namespaces(BTreeSet<NamespaceName>),
    /// All of the cluster.
    Cluster,
}

impl Scope {
    /// Whether objects of `namespace` are served.
    pub fn contains(&self, namespace: &NamespaceName) -> bool {
        match self {
            Self::Namespaces(names) => names.contains(namespace),
            Self::Cluster => true,
        }
    }

    /// One entry per watch: a namespace, or none for all of the cluster.
    pub(crate) fn watched(&self) -> Vec<Option<NamespaceName>> {
        match self {
            Self::Namespaces(names) => names.iter().cloned().map(Some).collect(),
            Self::Cluster => vec![None],
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Namespaces(names) => {
                let names: Vec<_> = names.iter().map(NamespaceName::as_str).collect();
                write!(formatter, "namespaces {}", names.join(", "))
            }
            Self::Cluster => formatter.write_str("the whole cluster"),
        }
    }
}

/// How replicas agree who writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElectionSettings {
    /// The Lease's name.
    pub lease: String,
    /// This process's name; no other process may have it, not even an earlier life of this one.
    pub identity: String,
    /// The times.
    pub timing: ElectionTiming,
}

/// The times of an election. `retry < renew_deadline < lease`, as [`ElectionTiming::new`] checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ElectionTiming {
    lease: Duration,
    renew_deadline: Duration,
    retry: Duration,
}

/// Why times of an election are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadTiming {
    /// The leader would still write after another could have taken the lease.
    #[error(
        "the renew deadline ({renew_deadline:?}) must be at least a second shorter than the lease duration ({lease:?})"
    )]
    DeadlineTooLong {
        /// The renew deadline.
        renew_deadline: Duration,
        /// The lease duration.
        lease: Duration,
    },
    /// One lost request would cost the leadership.
    #[error(
        "the retry period ({retry:?}) must be at most a third of the renew deadline ({renew_deadline:?})"
    )]
    RetryTooLong {
        /// The retry period.
        retry: Duration,
        /// The renew deadline.
        renew_deadline: Duration,
    },
    /// A lease says whole seconds.
    #[error("the lease duration ({lease:?}) must be 2 to 3600 whole seconds")]
    LeaseOutOfRange {
        /// The lease duration.
        lease: Duration,
    },
}

impl ElectionTiming {
    /// Takes a lease duration, the time without a renewal after which the leader stops writing, and the
    /// pause between attempts.
    pub fn new(
        lease: Duration,
        renew_deadline: Duration,
        retry: Duration,
    ) -> Result<Self, BadTiming> {
        if lease.subsec_nanos() != 0 || !(2..=3_600).contains(&lease.as_secs()) {
            return Err(BadTiming::LeaseOutOfRange { lease });
        }
        if renew_deadline + Duration::from_secs(1) > lease {
            return Err(BadTiming::DeadlineTooLong {
                renew_deadline,
                lease,
            });
        }
        if retry.is_zero() || retry * 3 > renew_deadline {
            return Err(BadTiming::RetryTooLong {
                retry,
                renew_deadline,
            });
        }
        Ok(Self {
            lease,
            renew_deadline,
            retry,
        })
    }

    /// How long the lease lasts.
    pub fn lease(&self) -> Duration {
        self.lease
    }

    /// How long after its last renewal began the leader may still write.
    pub fn renew_deadline(&self) -> Duration {
        self.renew_deadline
    }

    /// The pause between attempts to take or renew the lease.
    pub fn retry(&self) -> Duration {
        self.retry
    }
}

/// 15 s, 10 s and 2 s, as every controller built on client-go has them.
impl Default for ElectionTiming {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry: Duration::from_secs(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leader_must_stop_before_another_can_begin() {
        let timing = |lease, deadline, retry: u64| {
            let seconds = Duration::from_secs;
            ElectionTiming::new(seconds(lease), seconds(deadline), seconds(retry))
        };
        assert_eq!(timing(15, 10, 2), Ok(ElectionTiming::default()));
        assert!(matches!(
            timing(15, 15, 2),
            Err(BadTiming::DeadlineTooLong { .. })
        ));
        assert!(matches!(
            timing(15, 10, 4),
            Err(BadTiming::RetryTooLong { .. })
        ));
        assert!(matches!(
            timing(15, 10, 0),
            Err(BadTiming::RetryTooLong { .. })
        ));
        assert!(matches!(
            timing(1, 0, 0),
            Err(BadTiming::LeaseOutOfRange { .. })
        ));
    }
}
