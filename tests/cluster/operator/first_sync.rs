//! The main job from end to end: what a newcomer sees in the demo, and what the stage itself can do.

use penstock_testbed::{Door, Filter};

use super::super::Outcome;
use super::super::stage::{Setup, Usage, on_stage};

const SPEC: &str = "
sources: [{name: vault, store: {name: vault}, path: $apps/web}]
targets: [{name: env, secret: {}}]
";

#[tokio::test]
async fn a_change_reaches_the_secret_and_restarts_its_users_once() -> Outcome {
    on_stage(Setup::new().proxied(), async |stage| {
        stage
            .put("web", &[("A", "t0psecret-1"), ("B", "t0psecret-1")])
            .await?;
        stage.sync("web", SPEC).await?;
        stage.is_synced("web").await?;
        let list = [
            "get",
            "psync",
            "web",
            "--namespace",
            stage.namespace().name(),
        ];
        let columns = stage.control_plane().kubectl(&list).await?;
        assert!(
            columns.contains("True") && columns.contains("1/1"),
            "{columns}"
        );
        stage.deploy("all", &[Usage::EnvFrom("web")]).await?;
        stage.deploy("mounts", &[Usage::Volume("web")]).await?;
        stage.deploy("one", &[Usage::Keys("web", &["B"])]).await?;

        stage.proxy()?.reset();
        stage
            .put("web", &[("A", "t0psecret-2"), ("B", "t0psecret-1")])
            .await?;
        stage.refresh("web").await?;
        stage
            .await_secret("web", &[("A", "t0psecret-2"), ("B", "t0psecret-1")])
            .await?;
        for (name, restarts) in [("all", 1), ("mounts", 1), ("one", 0)] {
            stage.await_restarts(name, restarts).await?;
        }
        stage
            .await_condition("web", ("RolledOut", "True"), "RolledOut")
            .await?;
        assert_eq!(stage.replica_sets("all").await?, 2);
        let written = |resource: &str| {
            let filter = Filter::writes().resource(resource);
            stage.proxy().map(|proxy| proxy.count(&filter))
        };
        assert_eq!(written("secrets")?, 2, "the record and the target");
        assert_eq!(written("deployments")?, 2, "a marker on each user");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_killed_operator_goes_on_and_one_that_is_stopped_ends_well() -> Outcome {
    on_stage(Setup::new(), async |stage| {
        stage.put("web", &[("A", "t0psecret-1")]).await?;
        stage.sync("web", SPEC).await?;
        stage.is_synced("web").await?;
        stage.deploy("all", &[Usage::EnvFrom("web")]).await?;
        stage.started_before_now("all").await?;
        assert_eq!(stage.kill_operator().await?.signal, Some(9));
        stage
            .edit_secret("web", &[("A", Some("t0psecret-edited"))])
            .await?;
        stage.revive_operator().await?;
        stage.await_secret("web", &[("A", "t0psecret-1")]).await?;
        stage.is_synced("web").await?;
        assert_eq!(
            stage.restarts("all").await?,
            0,
            "nobody started on the edited content"
        );
        let operator = stage
            .with_operator(async |operator| Ok(operator.usage()?))
            .await?;
        assert!(operator.resident > 0);
        assert_eq!(stage.stop_operator().await?.code, Some(0));
        assert!(
            !stage
                .log_lines(&["\"audit\"", "\"repair\"", "Secret web"])
                .is_empty()
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_outage_of_the_vault_loses_nothing_and_heals() -> Outcome {
    let setup = Setup::new().gated().argument("--store-check-interval=2s");
    on_stage(setup, async |stage| {
        stage.put("web", &[("A", "t0psecret-1")]).await?;
        stage.sync("web", SPEC).await?;
        stage.is_synced("web").await?;
        stage.set_door(Door::Refuse).await?;
        stage.refresh("web").await?;
        stage
            .await_condition("web", ("Stale", "True"), "SourceUnavailable")
            .await?;
        assert_eq!(
            format!("{:?}", stage.condition("web", "Ready").await?.status),
            "True"
        );
        stage
            .edit_secret("web", &[("A", Some("t0psecret-edited"))])
            .await?;
        stage.await_secret("web", &[("A", "t0psecret-1")]).await?;
        stage.put("web", &[("A", "t0psecret-2")]).await?;
        stage.set_door(Door::Open).await?;
        stage.await_secret("web", &[("A", "t0psecret-2")]).await?;
        stage
            .await_condition("web", ("Stale", "False"), "Synced")
            .await?;
        Ok(())
    })
    .await
}
