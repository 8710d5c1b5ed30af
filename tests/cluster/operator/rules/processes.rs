//! Rules 4 and 6 over the life of processes: another leader or another version changes nothing.

use penstock_testbed::{Filter, Snare, eventually};

use super::super::super::stage::{Setup, Stage, Usage, on_stage};
use super::super::super::{Outcome, SOON};
use super::{COPY, changed, synced};

/// A synced Secret and a Deployment that uses it, before a new process takes over.
async fn prepared(stage: &Stage) -> Outcome {
    synced(stage, "web", COPY, &[("A", "t0psecret-1")]).await?;
    stage.deploy("web", &[Usage::EnvFrom("web")]).await
}

/// Waits until a new process has read the vault, and looks at what it wrote since the proxy was reset.
async fn took_over_without_a_write(stage: &Stage, reads: usize, version: Option<&str>) -> Outcome {
    let read = eventually("the new process reads the vault", SOON, || async {
        match stage.reads("web") {
            Ok(count) if count > reads => Ok(()),
            Ok(count) => Err(format!("{count} times")),
            Err(error) => Err(error.to_string()),
        }
    });
    read.await?;
    // The read is the beginning of a pass. The next one is asked for after it, and both are over then.
    stage.put("web", &[("A", "t0psecret-1")]).await?;
    let before = stage.sync_object("web").await?.metadata.resource_version;
    assert_eq!(before.as_deref(), version, "the status");
    stage.refresh("web").await?;
    for resource in ["secrets", "deployments"] {
        let written = stage.proxy()?.count(&Filter::writes().resource(resource));
        assert_eq!(written, 0, "{resource}");
    }
    assert_eq!(stage.restarts("web").await?, 0);
    Ok(())
}

async fn goes_on(stage: &Stage) -> Outcome {
    changed(stage, "web", &[("A", "t0psecret-2")]).await?;
    stage.await_secret("web", &[("A", "t0psecret-2")]).await?;
    stage.await_restarts("web", 1).await?;
    stage
        .await_condition("web", ("RolledOut", "True"), "RolledOut")
        .await?;
    Ok(())
}

#[tokio::test]
async fn another_leader_restarts_nobody_and_goes_on() -> Outcome {
    on_stage(Setup::new().proxied(), async |stage| {
        prepared(stage).await?;
        let _second = stage.start_replica("penstock-1").await?;
        let reads = stage.reads("web")?;
        let version = stage.sync_object("web").await?.metadata.resource_version;
        stage.proxy()?.reset();
        assert_eq!(stage.stop_operator().await?.code, Some(0));
        took_over_without_a_write(stage, reads, version.as_deref()).await?;
        goes_on(stage).await
    })
    .await
}

#[tokio::test]
async fn an_upgrade_restarts_nobody_and_goes_on() -> Outcome {
    on_stage(Setup::new().proxied(), async |stage| {
        prepared(stage).await?;
        let reads = stage.reads("web")?;
        let version = stage.sync_object("web").await?.metadata.resource_version;
        assert_eq!(stage.stop_operator().await?.code, Some(0));
        stage.proxy()?.reset();
        let _newer = stage.start_newer_version("penstock-0").await?;
        took_over_without_a_write(stage, reads, version.as_deref()).await?;
        goes_on(stage).await
    })
    .await
}

/// A leader that hangs in the middle of a change is overtaken. What it had on the way when it hung arrives after
/// the new leader's work, and changes nothing.
#[tokio::test]
async fn a_leader_that_hangs_is_overtaken_and_its_late_write_is_refused() -> Outcome {
    let setup = Setup::new()
        .proxied()
        .argument("--lease-duration=6s")
        .argument("--lease-renew-deadline=4s")
        .argument("--lease-retry-period=1s");
    on_stage(setup, async |stage| {
        prepared(stage).await?;
        stage.put("web", &[("A", "t0psecret-2")]).await?;
        let target = Filter::writes().resource("secrets").name("web");
        let trap = stage.proxy()?.trap(target, 1, Snare::Hold);
        let annotations = serde_json::json!({"penstock.dev/refresh": "before-it-hangs"});
        let patch = serde_json::json!({"metadata": {"annotations": annotations}});
        stage.patch_sync("web", patch).await?;
        assert!(
            trap.sprung().await.is_some(),
            "the target was never written"
        );
        stage
            .with_operator(async |operator| Ok(operator.pause().await?))
            .await?;

        let _second = stage.start_replica("penstock-1").await?;
        stage.await_secret("web", &[("A", "t0psecret-2")]).await?;
        changed(stage, "web", &[("A", "t0psecret-3")]).await?;
        stage.await_secret("web", &[("A", "t0psecret-3")]).await?;
        stage.is_synced("web").await?;
        let before = stage.secret_object("web").await?;
        trap.release();
        stage
            .with_operator(async |operator| Ok(operator.resume().await?))
            .await?;
        stage.refresh("web").await?;
        assert_eq!(stage.secret_object("web").await?, before);
        Ok(())
    })
    .await
}
