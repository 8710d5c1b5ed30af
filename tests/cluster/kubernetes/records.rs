//! Records as Secrets.

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams};
use penstock_adapters::kubernetes::{KubernetesRecords, MAX_INLINE_BYTES};
use penstock_domain::conditions::Reason;
use penstock_domain::fault::FaultClass;
use penstock_domain::names::NamespaceName;
use penstock_domain::ports::Records;
use penstock_domain::reserved::{RECORD_LABEL, record_object_name};
use penstock_domain::testing::contract::record::{CASES, RecordWorld};
use penstock_testbed::{Failure, Filter, Snare, Verb};

use super::{Cases, Corner, Outcome, testbed};

struct World {
    records: KubernetesRecords,
    corner: Corner,
}

impl RecordWorld for World {
    fn records(&self) -> &dyn Records {
        &self.records
    }

    fn namespace(&self) -> NamespaceName {
        self.corner.name.clone()
    }
}

const LARGE: usize = 3 * 512 * 1024;

fn sealed(length: usize, byte: u8) -> Vec<u8> {
    vec![byte; length]
}

/// Names of all Secrets in the namespace.
async fn secrets(corner: &Corner) -> Result<Vec<String>, kube::Error> {
    let api: Api<Secret> = corner.namespace.api();
    let list = api.list(&ListParams::default()).await?;
    Ok(list.items.iter().map(ResourceExt::name_any).collect())
}

#[tokio::test]
async fn the_contract_of_records_holds() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let mut cases = Cases::default();
    for case in CASES {
        let corner = Corner::new(testbed, "record").await?;
        let world = World {
            records: KubernetesRecords::new(corner.api.clone()),
            corner,
        };
        cases.spawn(case.name, async move { (case.run)(&world).await });
    }
    cases.join().await
}

#[tokio::test]
async fn a_small_record_is_one_write_each_time() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let corner = Corner::new(testbed, "record").await?;
    let records = KubernetesRecords::new(corner.api.clone());
    let sync = corner.sync("a")?;
    let mut version = None;
    for byte in 0..3 {
        corner.proxy.reset();
        let saved = records
            .save(&sync, sealed(MAX_INLINE_BYTES, byte), version.as_ref())
            .await?;
        version = Some(saved);
        assert_eq!(corner.proxy.requests().len(), 1);
    }
    corner.proxy.reset();
    records.load(&sync).await?;
    assert_eq!(corner.proxy.requests().len(), 1);
    Ok(())
}

#[tokio::test]
async fn record_objects_carry_label_and_type() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let corner = Corner::new(testbed, "record").await?;
    let records = KubernetesRecords::new(corner.api.clone());
    records
        .save(&corner.sync("a")?, sealed(LARGE, 1), None)
        .await?;
    let api: Api<Secret> = corner.namespace.api();
    let list = api.list(&ListParams::default()).await?;
    assert_eq!(list.items.len(), 1 + LARGE.div_ceil(MAX_INLINE_BYTES));
    for secret in list {
        assert_eq!(secret.type_.as_deref(), Some("penstock.dev/record"));
        assert_eq!(secret.labels()[RECORD_LABEL], "true");
        assert!(secret.metadata.owner_references.is_none());
    }
    Ok(())
}

/// Dies at every write of a large save, before it and after it: the old record stays whole until the head
/// turns, the next save succeeds, and nothing is left over.
#[tokio::test]
async fn a_crash_at_any_write_of_a_large_save_leaves_a_whole_record() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    for old_size in [10, LARGE] {
        // Three parts, the head, and for a large predecessor the deletion of its parts.
        let writes = if old_size == LARGE { 7 } else { 4 };
        for nth in 1..=writes {
            for snare in [Snare::Hold, Snare::HoldAnswer] {
                crash(&Corner::new(testbed, "crash").await?, old_size, nth, snare).await?;
            }
        }
    }
    Ok(())
}

async fn crash(corner: &Corner, old_size: usize, nth: usize, snare: Snare) -> Outcome {
    let records = KubernetesRecords::new(corner.api.clone());
    let sync = corner.sync("a")?;
    let (old, new) = (sealed(old_size, 1), sealed(LARGE, 2));
    let version = records.save(&sync, old.clone(), None).await?;
    let trap = corner.proxy.trap(Filter::writes(), nth, snare);
    let save = records.save(&sync, new.clone(), Some(&version));
    tokio::select! {
        saved = save => panic!("write {nth} was not trapped: {saved:?}"),
        caught = trap.sprung() => assert!(caught.is_some()),
    }
    drop(trap);

    let stored = records
        .load(&sync)
        .await?
        .ok_or_else(|| Failure::because("the record is there"))?;
    let turned = nth > 4 || (nth == 4 && snare == Snare::HoldAnswer);
    let expected = if turned { &new } else { &old };
    assert!(
        stored.sealed == *expected,
        "crash at write {nth}, {snare:?}"
    );

    let last = sealed(LARGE, 3);
    let version = records
        .save(&sync, last.clone(), Some(&stored.version))
        .await?;
    assert!(
        records
            .load(&sync)
            .await?
            .is_some_and(|stored| stored.sealed == last)
    );
    let small = records.save(&sync, sealed(10, 4), Some(&version)).await?;
    records.save(&sync, last, Some(&small)).await?;
    records.delete(&sync).await?;
    assert_eq!(secrets(corner).await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn what_a_crash_left_behind_is_collected_by_the_next_large_save() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let corner = Corner::new(testbed, "crash").await?;
    let records = KubernetesRecords::new(corner.api.clone());
    let sync = corner.sync("a")?;
    let version = records.save(&sync, sealed(10, 1), None).await?;
    let trap = corner.proxy.trap(Filter::writes(), 4, Snare::Hold);
    tokio::select! {
        saved = records.save(&sync, sealed(LARGE, 2), Some(&version)) => panic!("{saved:?}"),
        caught = trap.sprung() => assert!(caught.is_some()),
    }
    drop(trap);
    let parts = LARGE.div_ceil(MAX_INLINE_BYTES);
    assert_eq!(secrets(&corner).await?.len(), 1 + parts);
    records
        .save(&sync, sealed(LARGE, 3), Some(&version))
        .await?;
    assert_eq!(secrets(&corner).await?.len(), 1 + parts);
    Ok(())
}

#[tokio::test]
async fn a_record_with_a_missing_part_is_unreadable_and_says_so() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let corner = Corner::new(testbed, "record").await?;
    let records = KubernetesRecords::new(corner.api.clone());
    let sync = corner.sync("a")?;
    records.save(&sync, sealed(LARGE, 1), None).await?;
    let api: Api<Secret> = corner.namespace.api();
    let part = record_object_name(&sync.name, 2);
    api.delete(part.as_str(), &DeleteParams::default()).await?;
    let fault = records.load(&sync).await.unwrap_err();
    assert_eq!(
        (fault.class, fault.reason),
        (FaultClass::Invalid, Reason::RecordUnreadable)
    );
    Ok(())
}

#[tokio::test]
async fn somebody_elses_secret_under_the_name_of_a_record_is_neither_read_nor_replaced() -> Outcome
{
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let corner = Corner::new(testbed, "record").await?;
    let records = KubernetesRecords::new(corner.api.clone());
    let sync = corner.sync("a")?;
    corner
        .namespace
        .apply("{apiVersion: v1, kind: Secret, metadata: {name: penstock-record-a}, stringData: {sealed: x}}")
        .await?;
    let load = records.load(&sync).await.unwrap_err();
    assert_eq!(load.reason, Reason::RecordUnreadable);
    let save = records.save(&sync, sealed(10, 1), None).await.unwrap_err();
    assert_eq!(save.class, FaultClass::Conflict);
    Ok(())
}

#[tokio::test]
async fn a_reader_never_sees_half_of_a_record_that_is_replaced_meanwhile() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let corner = Corner::new(testbed, "record").await?;
    let records = KubernetesRecords::new(corner.api.clone());
    let sync = corner.sync("a")?;
    let version = records.save(&sync, sealed(LARGE, 1), None).await?;
    // The reader has the head and the first part; then everything is replaced.
    let second = Filter::any().verb(Verb::Get).resource("secrets");
    let trap = corner.proxy.trap(second, 3, Snare::Hold);
    let reader = tokio::spawn({
        let (records, sync) = (records.clone(), sync.clone());
        async move { records.load(&sync).await }
    });
    trap.sprung()
        .await
        .ok_or_else(|| Failure::because("the proxy is there"))?;
    records
        .save(&sync, sealed(LARGE, 2), Some(&version))
        .await?;
    trap.release();
    let stored = reader
        .await??
        .ok_or_else(|| Failure::because("the record is there"))?;
    assert!(stored.sealed == sealed(LARGE, 2));
    Ok(())
}
