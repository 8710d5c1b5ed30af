//! The loop that takes, renews and releases the lease.

use std::sync::Arc;
use std::time::Duration;

use penstock_observability::metrics::Metrics;
use penstock_observability::telemetry::{
    Following, LeadershipGained, LeadershipLost, LeaseFailed, LostBecause,
};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::election::{Election, LeaseView, Step};
use super::fence::WriteFence;
use super::lease::{LeaseClaim, LeaseError, Leases};
use crate::settings::{ElectionSettings, ElectionTiming};

/// Where this process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is known yet.
    Unknown,
    /// Another process leads.
    Following,
    /// This process leads.
    Leading,
}

/// Takes part in the election of a leader, and opens the fence while it leads.
pub struct Leadership {
    fence: Arc<WriteFence>,
    standing: watch::Sender<Standing>,
    metrics: Arc<Metrics>,
}

impl Leadership {
    /// Takes part with `fence`.
    pub fn new(fence: Arc<WriteFence>, metrics: Arc<Metrics>) -> Self {
        Self {
            fence,
            standing: watch::Sender::new(Standing::Unknown),
            metrics,
        }
    }

    /// Follows the standing.
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// Leads for good, without an election: this process is the only one.
    pub fn lead_alone(&self) {
        self.fence.open_for_good();
        self.become_leader("the only replica");
    }

    /// Takes part until `stop`, then releases the lease. `stop` comes when the last pass has ended.
    pub(crate) async fn run(
        &self,
        leases: &dyn Leases,
        settings: &ElectionSettings,
        stop: CancellationToken,
    ) {
        let mut candidate = Candidate {
            leadership: self,
            leases,
            election: Election::new(settings.identity.clone(), settings.timing.lease()),
            identity: &settings.identity,
            timing: settings.timing,
            held: None,
        };
        stop.run_until_cancelled(candidate.take_part()).await;
        candidate.release().await;
    }

    fn become_leader(&self, identity: &str) {
        if self.standing.send_replace(Standing::Leading) != Standing::Leading {
            LeadershipGained { identity }.emit(&self.metrics);
        }
    }

    fn become_follower(&self, leader: &str) {
        self.fence.close();
        let before = self.standing.send_replace(Standing::Following);
        if before == Standing::Leading {
            LeadershipLost {
                why: LostBecause::Taken,
            }
            .emit(&self.metrics);
        }
        if before != Standing::Following {
            Following { leader }.emit();
        }
    }

    fn lose(&self, why: LostBecause) {
        self.fence.close();
        if self.standing.send_replace(Standing::Unknown) == Standing::Leading {
            LeadershipLost { why }.emit(&self.metrics);
        }
    }
}

/// One run of [`Leadership::run`].
struct Candidate<'a> {
    leadership: &'a Leadership,
    leases: &'a dyn Leases,
    election: Election,
    identity: &'a str,
    timing: ElectionTiming,
    /// The lease as we hold it.
    held: Option<LeaseView>,
}

impl Candidate<'_> {
    async fn take_part(&mut self) {
        loop {
            let attempt = Instant::now();
            self.attempt().await;
            // The fence may close before the next attempt; the others must know when it does.
            let next = attempt + self.timing.retry();
            if let Some(closes) = self
                .leadership
                .fence
                .closes_at()
                .filter(|closes| *closes < next)
            {
                sleep_until(closes).await;
                self.leadership.lose(LostBecause::NotRenewed);
                self.held = None;
            }
            sleep_until(next).await;
        }
    }

    /// One look at the lease, and what follows from it. Never longer than a retry period, so that several
    /// attempts fit into the renew deadline.
    async fn attempt(&mut self) {
        let patience = self.timing.retry().max(Duration::from_millis(500));
        let began = Instant::now();
        match timeout(patience, self.advance(began)).await {
            Ok(Ok(()) | Err(LeaseError::Vanish)) => {}
            Ok(Err(LeaseError::LoseRace)) => self.election.lose_race(began),
            Ok(Err(LeaseError::Ask(error))) => LeaseFailed {
                why: &error.to_string(),
            }
            .emit(),
            Err(_) => LeaseFailed {
                why: "the API server does not answer",
            }
            .emit(),
        }
    }

    async fn advance(&mut self, began: Instant) -> Result<(), LeaseError> {
        // A renewal needs no read: it names the version that our last write left behind.
        let lease = match self.held.take() {
            Some(held) => Some(held),
            None => self.leases.read().await?,
        };
        let lasting = self.timing.lease();
        let acquired = lease.as_ref().and_then(|lease| lease.acquired);
        let claim = |transitions, acquired| LeaseClaim {
            holder: self.identity.to_owned(),
            duration: lasting,
            transitions,
            acquired,
        };
        let held = match self.election.decide(lease, began) {
            Step::Create => self.leases.write(claim(0, None), None).await?,
            Step::Take {
                resource_version,
                transitions,
            } => {
                let claim = claim(transitions, None);
                self.leases.write(claim, Some(&resource_version)).await?
            }
            Step::Renew {
                resource_version,
                transitions,
            } => {
                let claim = claim(transitions, acquired);
                self.leases.write(claim, Some(&resource_version)).await?
            }
            Step::StandBy { leader } => {
                self.leadership.become_follower(&leader);
                return Ok(());
            }
            Step::Wait => {
                self.leadership.lose(LostBecause::Deleted);
                return Ok(());
            }
        };
        self.held = Some(held);
        self.leadership
            .fence
            .open(began, self.timing.renew_deadline());
        self.leadership.become_leader(self.identity);
        Ok(())
    }

    /// Gives the lease back, so that nobody has to wait for it to run out. Best effort.
    async fn release(&mut self) {
        let held = self.held.take();
        self.leadership.lose(LostBecause::Stopping);
        if let Some(held) = held {
            let claim = LeaseClaim {
                holder: String::new(),
                duration: Duration::from_secs(1),
                transitions: held.transitions,
                acquired: held.acquired,
            };
            let release = self.leases.write(claim, Some(&held.resource_version));
            if timeout(self.timing.retry(), release).await.is_err() {
                LeaseFailed {
                    why: "the API server does not answer",
                }
                .emit();
            }
        }
    }
}
