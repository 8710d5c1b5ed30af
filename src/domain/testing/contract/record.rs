//! The contract of [`Records`].
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "the contract suite is test code"
)]

use crate::fault::{Fault, FaultClass};
use crate::names::{NamespaceName, ObjectName, SyncId};
use crate::ports::{RecordVersion, Records};

/// Where records lie.
pub trait RecordWorld: Send + Sync {
    /// The port.
    fn records(&self) -> &dyn Records;
    /// A namespace that nobody else uses.
    fn namespace(&self) -> NamespaceName;
}

super::cases! { dyn RecordWorld:
    nothing_is_loaded_before_the_first_save,
    what_was_saved_is_loaded_byte_for_byte,
    the_first_save_fails_when_there_is_a_record,
    a_save_fails_on_another_version,
    a_save_fails_when_the_record_is_gone,
    of_two_saves_on_one_version_one_wins,
    a_large_record_is_kept_whole,
    a_record_may_grow_and_shrink,
    a_record_beyond_the_limit_is_refused_and_the_old_one_stays,
    a_deleted_record_is_gone_and_may_be_deleted_again,
    records_of_two_syncs_are_two_records,
}

/// A large record, of which twice as much still fits.
fn large(world: &dyn RecordWorld) -> usize {
    limit(world) / 2
}

fn limit(world: &dyn RecordWorld) -> usize {
    world.records().max_bytes(&sync(world, "a"))
}

fn sync(world: &dyn RecordWorld, name: &str) -> SyncId {
    SyncId {
        namespace: world.namespace(),
        name: ObjectName::new(name).unwrap(),
    }
}

/// Bytes that no compression and no text encoding leaves alone by chance.
fn bytes(length: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).max(1);
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_be_bytes()
    })
    .flatten()
    .take(length)
    .collect()
}

fn is_conflict<T>(outcome: Result<T, Fault>) -> bool {
    outcome.is_err_and(|fault| fault.class == FaultClass::Conflict)
}

async fn must_hold(world: &dyn RecordWorld, sync: &SyncId, sealed: &[u8]) -> RecordVersion {
    let stored = world.records().load(sync).await.unwrap();
    let stored = stored.expect("there is a record");
    assert!(stored.sealed == sealed, "the record is not what was saved");
    stored.version
}

async fn nothing_is_loaded_before_the_first_save(world: &dyn RecordWorld) {
    let loaded = world.records().load(&sync(world, "a")).await.unwrap();
    assert_eq!(loaded, None);
}

async fn what_was_saved_is_loaded_byte_for_byte(world: &dyn RecordWorld) {
    for (name, sealed) in [
        ("empty", vec![]),
        ("zero", vec![0]),
        ("random", bytes(10_000, 1)),
        ("edge", bytes(700 * 1024, 2)),
    ] {
        let sync = sync(world, name);
        let saved = world.records().save(&sync, sealed.clone(), None).await;
        let loaded = must_hold(world, &sync, &sealed).await;
        assert_eq!(
            saved.unwrap(),
            loaded,
            "{name}: save and load agree on the version"
        );
    }
}

async fn the_first_save_fails_when_there_is_a_record(world: &dyn RecordWorld) {
    let sync = sync(world, "a");
    world
        .records()
        .save(&sync, bytes(10, 1), None)
        .await
        .unwrap();
    let second = world.records().save(&sync, bytes(10, 2), None).await;
    assert!(is_conflict(second));
    must_hold(world, &sync, &bytes(10, 1)).await;
}

async fn a_save_fails_on_another_version(world: &dyn RecordWorld) {
    let sync = sync(world, "a");
    let records = world.records();
    let first = records.save(&sync, bytes(10, 1), None).await.unwrap();
    let second = records.save(&sync, bytes(10, 2), Some(&first)).await;
    let second = second.unwrap();
    for size in [10, large(world)] {
        let stale = records.save(&sync, bytes(size, 3), Some(&first)).await;
        assert!(is_conflict(stale));
        let version = must_hold(world, &sync, &bytes(10, 2)).await;
        assert_eq!(version, second);
    }
}

async fn a_save_fails_when_the_record_is_gone(world: &dyn RecordWorld) {
    let sync = sync(world, "a");
    let records = world.records();
    let version = records.save(&sync, bytes(10, 1), None).await.unwrap();
    records.delete(&sync).await.unwrap();
    let late = records.save(&sync, bytes(10, 2), Some(&version)).await;
    assert!(is_conflict(late));
    assert_eq!(records.load(&sync).await.unwrap(), None);
}

async fn of_two_saves_on_one_version_one_wins(world: &dyn RecordWorld) {
    let records = world.records();
    for (name, size) in [("small", 10), ("large", large(world))] {
        let sync = sync(world, name);
        let first = records.save(&sync, bytes(size, 1), None).await.unwrap();
        let (left, right) = futures::join!(
            records.save(&sync, bytes(size, 2), Some(&first)),
            records.save(&sync, bytes(size, 3), Some(&first)),
        );
        let winner = match (left, right) {
            (Ok(_), Err(fault)) if fault.class == FaultClass::Conflict => 2,
            (Err(fault), Ok(_)) if fault.class == FaultClass::Conflict => 3,
            outcomes => unreachable!("{name}: not one winner: {outcomes:?}"),
        };
        must_hold(world, &sync, &bytes(size, winner)).await;
    }
}

async fn a_large_record_is_kept_whole(world: &dyn RecordWorld) {
    let sync = sync(world, "a");
    let sealed = bytes(large(world), 1);
    world
        .records()
        .save(&sync, sealed.clone(), None)
        .await
        .unwrap();
    must_hold(world, &sync, &sealed).await;
}

async fn a_record_may_grow_and_shrink(world: &dyn RecordWorld) {
    let sync = sync(world, "a");
    let (mut version, large) = (None, large(world));
    for (seed, size) in (1..).zip([10, large, large + 1, 2 * large, 10, large]) {
        let sealed = bytes(size, seed);
        let saved = world
            .records()
            .save(&sync, sealed.clone(), version.as_ref());
        saved.await.unwrap();
        version = Some(must_hold(world, &sync, &sealed).await);
    }
}

async fn a_record_beyond_the_limit_is_refused_and_the_old_one_stays(world: &dyn RecordWorld) {
    let sync = sync(world, "a");
    let records = world.records();
    let version = records.save(&sync, bytes(10, 1), None).await.unwrap();
    let refused = records
        .save(&sync, bytes(limit(world) + 1, 2), Some(&version))
        .await;
    assert_eq!(refused.unwrap_err().class, FaultClass::Invalid);
    assert_eq!(must_hold(world, &sync, &bytes(10, 1)).await, version);
}

async fn a_deleted_record_is_gone_and_may_be_deleted_again(world: &dyn RecordWorld) {
    let records = world.records();
    for (name, size) in [("small", 10), ("large", large(world))] {
        let sync = sync(world, name);
        records.save(&sync, bytes(size, 1), None).await.unwrap();
        for _ in 0..2 {
            records.delete(&sync).await.unwrap();
            assert_eq!(records.load(&sync).await.unwrap(), None);
        }
        records.save(&sync, bytes(size, 2), None).await.unwrap();
        must_hold(world, &sync, &bytes(size, 2)).await;
    }
}

async fn records_of_two_syncs_are_two_records(world: &dyn RecordWorld) {
    let records = world.records();
    let (one, other) = (sync(world, "a"), sync(world, "1-a"));
    records
        .save(&one, bytes(large(world), 1), None)
        .await
        .unwrap();
    records
        .save(&other, bytes(large(world), 2), None)
        .await
        .unwrap();
    records.delete(&one).await.unwrap();
    assert_eq!(records.load(&one).await.unwrap(), None);
    must_hold(world, &other, &bytes(large(world), 2)).await;
}
