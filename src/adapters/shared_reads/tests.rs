use std::sync::atomic::{AtomicUsize, Ordering};

use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::ObjectName;
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::access::RemotePath;
use penstock_domain::sync::{SourceOptions, StoreKind};
use penstock_domain::testing::sync_id;
use tokio::sync::Notify;

use super::*;

fn key() -> ReadKey {
    ReadKey {
        store: StoreReference {
            kind: StoreKind::Namespaced,
            name: ObjectName::new("openbao").unwrap(),
        },
        home: NamespaceName::new("prod").unwrap(),
        uid: "u".to_owned(),
        generation: 1,
        credential_hash: [0; 32],
        query: StoreQuery {
            environment: None,
            path: RemotePath::parse("apps/panbot").unwrap(),
            recursive: false,
            field: None,
            version: None,
            options: SourceOptions::None,
            on_behalf_of: None,
        },
    }
}

/// Counts reads; each returns its number.
#[derive(Default, Clone)]
struct Source {
    reads: Arc<AtomicUsize>,
    gate: Option<Arc<Notify>>,
    bytes: usize,
}

impl Source {
    fn slow() -> Self {
        Self {
            gate: Some(Arc::default()),
            ..Self::default()
        }
    }

    fn read(&self) -> impl Future<Output = Result<Snapshot, StoreFailure>> + Send + 'static {
        let source = self.clone();
        async move {
            let number = source.reads.fetch_add(1, Ordering::SeqCst) + 1;
            if let Some(gate) = &source.gate {
                gate.notified().await;
            }
            let entry = SourceEntry {
                name: number.to_string(),
                path: String::new(),
                tags: std::collections::BTreeSet::new(),
                version: None,
                value: SecretValue::new(vec![0; source.bytes]),
            };
            Ok(Snapshot {
                entries: vec![entry],
                version: None,
            })
        }
    }

    fn count(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }
}

async fn get(
    reads: &Arc<SharedReads>,
    source: &Source,
    sync: &str,
    freshness: Freshness,
) -> String {
    get_key(reads, source, key(), sync, freshness).await
}

async fn get_key(
    reads: &Arc<SharedReads>,
    source: &Source,
    key: ReadKey,
    sync: &str,
    freshness: Freshness,
) -> String {
    let sync = sync_id("prod", sync);
    let outcome = reads.get(key, &sync, freshness, || source.read()).await;
    outcome.unwrap().entries[0].name.clone()
}

const WITHIN: Freshness = Freshness::Within(Duration::from_secs(10));

#[tokio::test(start_paused = true)]
async fn a_crowd_at_one_time_costs_one_read() {
    let (reads, source) = (Arc::new(SharedReads::default()), Source::slow());
    let crowd = (0..100).map(|_| get(&reads, &source, "a", WITHIN));
    let mut crowd = futures::future::join_all(crowd);
    assert!(futures::poll!(&mut crowd).is_pending());
    source.gate.iter().for_each(|gate| gate.notify_one());
    assert_eq!(crowd.await, ["1"; 100]);
}

#[tokio::test(start_paused = true)]
async fn a_value_is_kept_once_two_syncs_have_asked() {
    let (reads, source) = (Arc::new(SharedReads::default()), Source::default());
    for expected in ["1", "2"] {
        assert_eq!(
            get(&reads, &source, "a", WITHIN).await,
            expected,
            "one sync only"
        );
    }
    assert!(reads.state().kept.is_empty());
    assert_eq!(get(&reads, &source, "b", WITHIN).await, "3");
    for sync in ["a", "b", "c"] {
        assert_eq!(get(&reads, &source, sync, WITHIN).await, "3");
    }
    tokio::time::advance(Duration::from_secs(11)).await;
    assert_eq!(get(&reads, &source, "a", WITHIN).await, "4", "too old");
    assert_eq!(
        get(&reads, &source, "a", Freshness::Now).await,
        "5",
        "must be new"
    );
}

#[tokio::test(start_paused = true)]
async fn who_must_have_news_does_not_join_a_read_that_has_begun() {
    let (reads, source) = (Arc::new(SharedReads::default()), Source::slow());
    let gate = source.gate.clone().unwrap();
    let spawn = |freshness| {
        let (reads, source) = (Arc::clone(&reads), source.clone());
        tokio::spawn(async move { get(&reads, &source, "a", freshness).await })
    };
    let first = spawn(WITHIN);
    tokio::task::yield_now().await;
    assert_eq!(source.count(), 1);
    let joined = spawn(WITHIN);
    let later = [
        spawn(Freshness::Now),
        spawn(Freshness::Now),
        spawn(Freshness::Now),
    ];
    tokio::task::yield_now().await;
    assert_eq!(source.count(), 1, "the next one waits for the first");
    gate.notify_one();
    assert_eq!(first.await.unwrap(), "1");
    assert_eq!(joined.await.unwrap(), "1");
    gate.notify_one();
    for later in later {
        assert_eq!(later.await.unwrap(), "2", "one more read for all of them");
    }
    assert!(reads.state().running.is_empty());
}

#[tokio::test(start_paused = true)]
async fn every_coordinate_makes_another_read() {
    let (reads, source) = (Arc::new(SharedReads::default()), Source::default());
    let change = |change: fn(&mut ReadKey)| {
        let mut key = key();
        change(&mut key);
        key
    };
    let keys = [
        key(),
        change(|key| key.store.kind = StoreKind::Cluster),
        change(|key| key.store.name = ObjectName::new("other").unwrap()),
        change(|key| key.home = NamespaceName::new("dev").unwrap()),
        change(|key| key.uid = "v".to_owned()),
        change(|key| key.generation = 2),
        change(|key| key.credential_hash = [1; 32]),
        change(|key| key.query.environment = Some("dev".to_owned())),
        change(|key| key.query.path = RemotePath::parse("apps/panbot/").unwrap()),
        change(|key| key.query.recursive = true),
        change(|key| key.query.field = Some("password".to_owned())),
        change(|key| key.query.version = Some("1".to_owned())),
        change(|key| {
            key.query.options = SourceOptions::Vault {
                mount: Some("kv".to_owned()),
            }
        }),
        change(|key| key.query.on_behalf_of = NamespaceName::new("dev").ok()),
    ];
    for sync in ["a", "b"] {
        for key in &keys {
            get_key(&reads, &source, key.clone(), sync, WITHIN).await;
        }
    }
    assert_eq!(source.count(), keys.len() * 2);
    for key in &keys {
        get_key(&reads, &source, key.clone(), "c", WITHIN).await;
    }
    assert_eq!(
        source.count(),
        keys.len() * 2,
        "kept apart, each for itself"
    );
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_leaves_does_not_take_the_answer_from_others() {
    let (reads, source) = (Arc::new(SharedReads::default()), Source::slow());
    let gate = source.gate.clone().unwrap();
    let mut leaving = Box::pin(get(&reads, &source, "a", WITHIN));
    assert!(futures::poll!(&mut leaving).is_pending());
    let mut staying = Box::pin(get(&reads, &source, "b", WITHIN));
    assert!(futures::poll!(&mut staying).is_pending());
    drop(leaving);
    gate.notify_one();
    assert_eq!(staying.await, "1");
}

#[tokio::test(start_paused = true)]
async fn a_read_that_everybody_left_is_begun_anew() {
    let (reads, source) = (Arc::new(SharedReads::default()), Source::slow());
    let gate = source.gate.clone().unwrap();
    let mut leaving = Box::pin(get(&reads, &source, "a", WITHIN));
    assert!(futures::poll!(&mut leaving).is_pending());
    drop(leaving);
    gate.notify_one();
    assert_eq!(get(&reads, &source, "a", WITHIN).await, "2");
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_shared_and_not_kept() {
    let (reads, source) = (Arc::new(SharedReads::default()), Source::default());
    let failing = || async {
        let fault = Fault::new(FaultClass::Unavailable, "s", "down");
        Err(StoreFailure::from(fault))
    };
    for sync in ["a", "b"] {
        let outcome = reads
            .get(key(), &sync_id("prod", sync), WITHIN, failing)
            .await;
        assert_eq!(outcome.unwrap_err().fault.class, FaultClass::Unavailable);
    }
    assert_eq!(get(&reads, &source, "c", WITHIN).await, "1");
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_is_bounded_and_can_be_forgotten() {
    let reads = Arc::new(SharedReads::default());
    let source = Source {
        bytes: MAX_KEPT_BYTES / 4,
        ..Source::default()
    };
    for number in 0..10_u32 {
        let mut key = key();
        key.query.version = Some(number.to_string());
        for sync in ["a", "b"] {
            get_key(&reads, &source, key.clone(), sync, WITHIN).await;
        }
        let state = reads.state();
        assert!(state.kept_bytes <= MAX_KEPT_BYTES);
        assert!(state.kept.contains_key(&key), "the newest stays");
    }
    reads.forget(&key().home, &key().store);
    assert!(reads.state().kept.is_empty());
    assert_eq!(reads.state().kept_bytes, 0);
}
