//! Reads on schedule ask the metadata whether anything changed.

use std::time::Duration;

use penstock_domain::bundle::Snapshot;
use penstock_domain::fault::Fault;
use penstock_domain::ports::{Freshness, Sources};
use penstock_domain::stores::{Capability, StoreProbe};
use penstock_domain::sync::{EntrySelection, ValidatedSource};
use penstock_domain::testing::sync_id;
use penstock_testbed::{Failure, OpenBao};
use serde_json::json;

use super::{Case, Outcome, source, testbed, values};

/// A store that may ask for metadata of `path` in every way.
async fn watching(openbao: &OpenBao, path: &str) -> Result<Case, Failure> {
    let case = Case::new(openbao, path).await?;
    let policy = path.replace('/', "-");
    let paths = ["data", "metadata", "detailed-metadata"];
    let paths = paths.map(|verb| format!("secret/{verb}/{path}"));
    let paths = paths.each_ref().map(String::as_str);
    case.vault.put_read_policy(&policy, &paths).await?;
    Ok(case)
}

/// A read on schedule.
async fn refresh(case: &Case, source: &ValidatedSource) -> Result<Snapshot, Fault> {
    let freshness = Freshness::Within(Duration::ZERO);
    let sync = sync_id("prod", "panbot");
    case.registry.read(&sync, source, freshness).await
}

/// How often data and metadata below `path` were asked for: in this order.
fn asked(openbao: &OpenBao, path: &str) -> Result<(usize, usize), Failure> {
    let data = openbao.count("read", &format!("secret/data/{path}"))?;
    let mut metadata = 0;
    for (operation, verb) in [
        ("read", "metadata"),
        ("list", "metadata"),
        ("list", "detailed-metadata"),
    ] {
        metadata += openbao.count(operation, &format!("secret/{verb}/{path}"))?;
    }
    Ok((data, metadata))
}

fn recursive(path: &str) -> ValidatedSource {
    ValidatedSource {
        select: EntrySelection {
            recursive: true,
            ..EntrySelection::default()
        },
        ..source(path)
    }
}

#[tokio::test]
async fn a_folder_that_did_not_change_is_one_request_however_many_secrets_it_has() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let (openbao, path) = (&testbed.openbao, "adapter/probed");
    let case = watching(openbao, path).await?;
    for number in 0..40 {
        let at = format!("{path}/s{number}");
        case.vault.put("secret", &at, &[("K", "1")]).await?;
    }
    let folder = source(&format!("{path}/"));
    let first = refresh(&case, &folder).await?;
    assert_eq!(asked(openbao, path)?, (40, 1), "all of them, once listed");
    assert!(refresh(&case, &folder).await? == first);
    assert_eq!(asked(openbao, path)?, (40, 2), "one question");
    // Each of these is seen by the question, and everything is read again.
    let tags = json!({"custom_metadata": {"team": "api"}});
    let metadata = format!("secret/metadata/{path}/s7");
    case.vault.post(&metadata, tags).await?;
    let tagged = refresh(&case, &folder).await?;
    assert_ne!(tagged, first, "a tag");
    case.vault
        .put("secret", &format!("{path}/s8"), &[("K", "2")])
        .await?;
    let changed = refresh(&case, &folder).await?;
    assert_ne!(changed, tagged, "a version");
    case.vault.delete("secret", &format!("{path}/s9")).await?;
    assert_eq!(refresh(&case, &folder).await?.entries.len(), 39);
    case.vault.purge("secret", &format!("{path}/s10")).await?;
    assert_eq!(refresh(&case, &folder).await?.entries.len(), 38);
    case.vault
        .put("secret", &format!("{path}/s9"), &[("K", "3")])
        .await?;
    assert_eq!(refresh(&case, &folder).await?.entries.len(), 39);
    let before = asked(openbao, path)?;
    refresh(&case, &folder).await?;
    assert_eq!(asked(openbao, path)?, (before.0, before.1 + 1));
    Ok(())
}

#[tokio::test]
async fn folders_below_are_asked_for_one_by_one() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let (openbao, path) = (&testbed.openbao, "adapter/probed-deep");
    let case = watching(openbao, path).await?;
    for at in ["a/one", "a/two", "b/one", "top"] {
        let at = format!("{path}/{at}");
        case.vault.put("secret", &at, &[("K", "1")]).await?;
    }
    let first = refresh(&case, &recursive(path)).await?;
    assert_eq!(asked(openbao, path)?, (4, 3));
    assert!(refresh(&case, &recursive(path)).await? == first);
    assert_eq!(asked(openbao, path)?, (4, 6));
    case.vault
        .put("secret", &format!("{path}/b/two"), &[("K", "1")])
        .await?;
    assert_eq!(refresh(&case, &recursive(path)).await?.entries.len(), 5);
    Ok(())
}

#[tokio::test]
async fn a_large_secret_that_did_not_change_does_not_travel() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let (openbao, path) = (&testbed.openbao, "adapter/probed-large");
    let case = watching(openbao, path).await?;
    let large = "x".repeat(64 * 1024);
    case.vault.put("secret", path, &[("K", &large)]).await?;
    for _ in 0..3 {
        assert_eq!(values(&refresh(&case, &source(path)).await?)["K"], large);
    }
    assert_eq!(asked(openbao, path)?, (1, 2));
    case.vault.put("secret", path, &[("K", "small")]).await?;
    for _ in 0..3 {
        assert_eq!(values(&refresh(&case, &source(path)).await?)["K"], "small");
    }
    assert_eq!(asked(openbao, path)?, (4, 3), "as cheap as the question");
    // Who insists gets no earlier answer.
    case.vault.put("secret", path, &[("K", &large)]).await?;
    let before = asked(openbao, path)?;
    for _ in 0..2 {
        case.read(path).await?;
    }
    assert_eq!(asked(openbao, path)?, (before.0 + 2, before.1));
    Ok(())
}

/// The policy of before still works: nothing but one refused question an hour.
#[tokio::test]
async fn a_policy_that_hides_the_metadata_costs_one_question_and_no_login() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let (openbao, path) = (&testbed.openbao, "adapter/probed-blind");
    let case = Case::new(openbao, path).await?;
    for name in ["a", "b"] {
        let at = format!("{path}/{name}");
        case.vault.put("secret", &at, &[("K", "1")]).await?;
    }
    let folder = source(&format!("{path}/"));
    for _ in 0..4 {
        assert_eq!(refresh(&case, &folder).await?.entries.len(), 2);
    }
    let detailed = format!("secret/detailed-metadata/{path}");
    assert_eq!(openbao.count("list", &detailed)?, 1);
    assert_eq!(asked(openbao, path)?.0, 8, "the whole, each time");
    Ok(())
}

#[tokio::test]
async fn the_second_version_can_be_asked_and_the_first_cannot() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let case = Case::new(&testbed.openbao, "adapter/probes").await?;
    for (version, probes) in [(1, false), (2, true)] {
        let mount = format!("probes/{version}");
        case.vault.enable_kv(&mount, version).await?;
        let case = Case::with(&testbed.openbao, |provider| provider.mount = Some(mount))?;
        case.secrets.set("token", testbed.openbao.root_token());
        let store = case.store();
        let capabilities = case.registry.check(&store).await?;
        assert_eq!(
            capabilities.contains(&Capability::Probe),
            probes,
            "{version}"
        );
    }
    Ok(())
}
