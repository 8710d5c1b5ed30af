//! Replicas on one lease, with a clock that is turned by hand.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use penstock_domain::ports::Fence as _;
use penstock_observability::metrics::Metrics;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::election::LeaseView;
use super::lease::{LeaseClaim, LeaseError, Leases};
use super::{Leadership, Standing, WriteFence};
use crate::settings::{ElectionSettings, ElectionTiming};

/// The API server: one lease, replaced only in the expected version.
#[derive(Clone, Default)]
struct Server {
    lease: Arc<Mutex<Option<LeaseView>>>,
    versions: Arc<AtomicU64>,
}

/// One replica's way to the API server.
struct Line {
    server: Server,
    cut: Arc<AtomicBool>,
}

impl Line {
    async fn pass(&self) {
        if self.cut.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl Leases for Line {
    async fn read(&self) -> Result<Option<LeaseView>, LeaseError> {
        self.pass().await;
        Ok(self.server.lease.lock().unwrap().clone())
    }

    async fn write(
        &self,
        claim: LeaseClaim,
        expected: Option<&str>,
    ) -> Result<LeaseView, LeaseError> {
        self.pass().await;
        let mut lease = self.server.lease.lock().unwrap();
        let version = lease.as_ref().map(|lease| lease.resource_version.as_str());
        if version != expected {
            let vanished = version.is_none();
            return Err(if vanished {
                LeaseError::Vanish
            } else {
                LeaseError::LoseRace
            });
        }
        let next = self.server.versions.fetch_add(1, Ordering::Relaxed);
        let written = LeaseView {
            holder: claim.holder,
            duration: claim.duration,
            transitions: claim.transitions,
            acquired: claim.acquired,
            resource_version: next.to_string(),
        };
        *lease = Some(written.clone());
        Ok(written)
    }
}

/// One replica that takes part in the election.
struct Replica {
    fence: Arc<WriteFence>,
    leadership: Arc<Leadership>,
    cut: Arc<AtomicBool>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Replica {
    fn start(server: &Server, identity: &str) -> Self {
        let fence = Arc::new(WriteFence::closed());
        let metrics = Arc::new(Metrics::new());
        let leadership = Arc::new(Leadership::new(Arc::clone(&fence), metrics));
        let cut = Arc::new(AtomicBool::new(false));
        let stop = CancellationToken::new();
        let settings = ElectionSettings {
            lease: "penstock".to_owned(),
            identity: identity.to_owned(),
            timing: ElectionTiming::default(),
        };
        let line = Line {
            server: server.clone(),
            cut: Arc::clone(&cut),
        };
        let (runner, token) = (Arc::clone(&leadership), stop.clone());
        let task = tokio::spawn(async move { runner.run(&line, &settings, token).await });
        Self {
            fence,
            leadership,
            cut,
            stop,
            task,
        }
    }

    async fn reaches(&self, standing: Standing) -> Duration {
        let start = Instant::now();
        let mut standings = self.leadership.standing();
        standings.wait_for(|now| *now == standing).await.unwrap();
        start.elapsed()
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn one_leads_and_the_other_stands_by() {
    let server = Server::default();
    let first = Replica::start(&server, "first");
    first.reaches(Standing::Leading).await;
    let second = Replica::start(&server, "second");
    second.reaches(Standing::Following).await;
    for _ in 0..100 {
        tokio::time::sleep(SECOND).await;
        assert!(first.fence.may_write() && !second.fence.may_write());
    }
    assert_eq!(
        server.lease.lock().unwrap().as_ref().unwrap().transitions,
        0
    );
}

#[tokio::test(start_paused = true)]
async fn a_leader_without_a_line_stops_writing_before_another_begins() {
    let server = Server::default();
    let first = Replica::start(&server, "first");
    first.reaches(Standing::Leading).await;
    let second = Replica::start(&server, "second");
    second.reaches(Standing::Following).await;

    first.cut.store(true, Ordering::Relaxed);
    let mut gap = 0;
    while !second.fence.may_write() {
        tokio::time::sleep(SECOND / 10).await;
        assert!(!(first.fence.may_write() && second.fence.may_write()));
        gap += u32::from(!first.fence.may_write());
    }
    assert!(gap >= 30, "only {gap} tenths of a second without a leader");

    first.cut.store(false, Ordering::Relaxed);
    first.reaches(Standing::Following).await;
    assert!(second.fence.may_write() && !first.fence.may_write());
}

#[tokio::test(start_paused = true)]
async fn a_killed_leader_is_followed_when_its_lease_has_run_out() {
    let server = Server::default();
    let first = Replica::start(&server, "first");
    first.reaches(Standing::Leading).await;
    first.task.abort();
    let second = Replica::start(&server, "second");
    let waited = second.reaches(Standing::Leading).await;
    assert!((15..20).contains(&waited.as_secs()), "{waited:?}");
    assert_eq!(
        server.lease.lock().unwrap().as_ref().unwrap().transitions,
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_stops_gives_the_lease_back() {
    let server = Server::default();
    let first = Replica::start(&server, "first");
    first.reaches(Standing::Leading).await;
    let second = Replica::start(&server, "second");
    second.reaches(Standing::Following).await;
    first.stop.cancel();
    first.task.await.unwrap();
    assert!(!first.fence.may_write());
    let waited = second.reaches(Standing::Leading).await;
    assert!(waited <= 3 * SECOND, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_short_silence_of_the_api_server_costs_nothing() {
    let server = Server::default();
    let first = Replica::start(&server, "first");
    first.reaches(Standing::Leading).await;
    for _ in 0..10 {
        first.cut.store(true, Ordering::Relaxed);
        tokio::time::sleep(5 * SECOND).await;
        assert!(first.fence.may_write());
        first.cut.store(false, Ordering::Relaxed);
        tokio::time::sleep(5 * SECOND).await;
        assert!(first.fence.may_write());
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_deleted_by_hand_is_made_again_by_its_holder() {
    let server = Server::default();
    let first = Replica::start(&server, "first");
    first.reaches(Standing::Leading).await;
    let second = Replica::start(&server, "second");
    second.reaches(Standing::Following).await;
    for _ in 0..10 {
        *server.lease.lock().unwrap() = None;
        for _ in 0..50 {
            tokio::time::sleep(SECOND / 10).await;
            assert!(first.fence.may_write() && !second.fence.may_write());
        }
    }
}
