//! A thousand readers of one thing cost one read.

use std::time::Duration;

use futures::future::join_all;
use penstock_domain::ports::{Freshness, Sources};
use penstock_domain::sync::ValidatedSource;
use penstock_domain::testing::sync_id;
use serde_json::{Value, json};

use super::{Case, Outcome, source, testbed, values};

const READERS: usize = 1000;
/// OpenBao refuses requests of more than a thousand strings, names and values together.
const FIELDS: usize = 400;
/// What a sync with an interval of ten minutes takes from others.
const HALF_AN_INTERVAL: Freshness = Freshness::Within(Duration::from_mins(5));

/// A thousand syncs read, each its own source.
async fn read_all(
    case: &Case,
    freshness: Freshness,
    of: impl Fn(usize) -> ValidatedSource,
) -> Result<(), penstock_domain::fault::Fault> {
    let reads = (0..READERS).map(|number| {
        let (sync, source) = (sync_id("prod", &format!("sync-{number}")), of(number));
        let registry = &case.registry;
        async move {
            let snapshot = registry.read(&sync, &source, freshness).await?;
            let name = source.field.unwrap_or_else(|| "KEY_0".to_owned());
            assert_eq!(values(&snapshot)[name.as_str()], "1");
            Ok(())
        }
    });
    join_all(reads).await.into_iter().collect()
}

#[tokio::test]
async fn a_thousand_syncs_of_one_path_cause_one_read_per_interval() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let (openbao, path) = (&testbed.openbao, "adapter/coalesced");
    let case = Case::new(openbao, path).await?;
    case.vault.put("secret", path, &[("KEY_0", "1")]).await?;
    let data = format!("secret/data/{path}");
    read_all(&case, HALF_AN_INTERVAL, |_| source(path)).await?;
    assert_eq!(openbao.count("read", &data)?, 1, "the first interval");
    read_all(&case, HALF_AN_INTERVAL, |_| source(path)).await?;
    assert_eq!(openbao.count("read", &data)?, 1, "within the interval");
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(10)).await;
    tokio::time::resume();
    read_all(&case, HALF_AN_INTERVAL, |_| source(path)).await?;
    assert_eq!(openbao.count("read", &data)?, 2, "the second interval");
    // Those that insist wait for a read that begins after they asked: how many that are depends on how long it takes
    // until all have asked, and it is far from one each.
    read_all(&case, Freshness::Now, |_| source(path)).await?;
    assert!(
        openbao.count("read", &data)? < READERS / 10,
        "they join each other"
    );
    Ok(())
}

#[tokio::test]
async fn a_thousand_readers_of_fields_of_one_secret_cause_one_read() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let (openbao, path) = (&testbed.openbao, "adapter/coalesced-fields");
    let case = Case::new(openbao, path).await?;
    let field = |number| (format!("KEY_{number}"), json!("1"));
    let fields = Value::Object((0..FIELDS).map(field).collect());
    case.vault.put_json("secret", path, fields).await?;
    let one_field = |number| ValidatedSource {
        field: Some(format!("KEY_{}", number % FIELDS)),
        ..source(path)
    };
    read_all(&case, HALF_AN_INTERVAL, one_field).await?;
    let data = format!("secret/data/{path}");
    assert_eq!(openbao.count("read", &data)?, 1);
    let never = ValidatedSource {
        field: Some("NEVER".to_owned()),
        ..source(path)
    };
    let fault = case.fault_of(&never).await;
    assert!(fault.message.contains("NEVER"), "{fault}");
    Ok(())
}

/// KV has no request for many secrets: each is read once, whoever asks, and nobody asks again while none changed.
#[tokio::test]
async fn a_thousand_syncs_of_one_folder_read_each_secret_once() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let (openbao, path) = (&testbed.openbao, "adapter/coalesced-folder");
    let case = Case::new(openbao, path).await?;
    for number in 0..20 {
        let (at, key) = (format!("{path}/s{number}"), format!("KEY_{number}"));
        case.vault.put("secret", &at, &[(&key, "1")]).await?;
    }
    let folder = source(&format!("{path}/"));
    read_all(&case, HALF_AN_INTERVAL, |_| folder.clone()).await?;
    assert_eq!(openbao.count("read", &format!("secret/data/{path}"))?, 20);
    assert_eq!(
        openbao.count("list", &format!("secret/metadata/{path}"))?,
        1
    );
    Ok(())
}
