//! SIGKILL at every write of a change, on the real API server: before it arrives, and after it was done.
//!
//! The engine's own tests die at every write in memory; here the process really dies, and what it leaves
//! behind lies in etcd.

use kube::ResourceExt;
use penstock_domain::api::secret_sync::SecretSync;
use penstock_testbed::{Failure, Filter, Snare};
use serde_json::json;

use super::super::Outcome;
use super::super::stage::{Setup, Stage, Usage, on_stage};

const SPEC: &str = "
sources: [{name: vault, store: {name: vault}, path: $apps/web}]
targets: [{name: env, secret: {}}]
";

/// The writes of a change, in their order: the record, the target, the marker, the status.
const WRITES: &[(&str, &str)] = &[
    ("secrets", "penstock-record-web"),
    ("secrets", "web"),
    ("deployments", "web"),
    ("secretsyncs/status", "web"),
];

/// Asks for a read without waiting for anybody to honour it.
async fn ask_for_a_read(stage: &Stage, nonce: &str) -> Result<SecretSync, Failure> {
    let annotation = json!({"metadata": {"annotations": {"penstock.dev/refresh": nonce}}});
    stage.patch_sync("web", annotation).await
}

fn the_write((resource, name): (&str, &str)) -> Filter {
    let writes = Filter::writes().name(name);
    match resource.split_once('/') {
        Some((resource, subresource)) => writes.subresource(resource, subresource),
        None => writes.resource(resource),
    }
}

async fn change_and_kill_at(write: (&str, &str), snare: Snare) -> Outcome {
    on_stage(Setup::new().proxied(), async |stage| {
        stage.put("web", &[("A", "t0psecret-1")]).await?;
        stage.sync("web", SPEC).await?;
        stage.is_synced("web").await?;
        stage.deploy("web", &[Usage::EnvFrom("web")]).await?;
        stage
            .put("web", &[("A", "t0psecret-2"), ("B", "t0psecret-2")])
            .await?;

        let trap = stage.proxy()?.trap(the_write(write), 1, snare);
        let asked = ask_for_a_read(stage, "before-the-kill").await?;
        assert!(asked.annotations().contains_key("penstock.dev/refresh"));
        let caught = trap.sprung().await;
        assert!(caught.is_some(), "{write:?} was never written");
        assert_eq!(stage.kill_operator().await?.signal, Some(9));
        drop(trap);

        stage.revive_operator().await?;
        stage
            .await_secret("web", &[("A", "t0psecret-2"), ("B", "t0psecret-2")])
            .await?;
        stage.is_synced("web").await?;
        stage.await_restarts("web", 1).await?;
        stage
            .await_condition("web", ("RolledOut", "True"), "RolledOut")
            .await?;
        let repairs = stage.log_lines(&["\"audit\"", "\"repair\""]);
        assert!(
            repairs.is_empty(),
            "our own interrupted write was taken for tampering: {repairs:?}"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn killed_before_any_write_of_a_change_the_next_process_finishes_it_with_one_restart()
-> Outcome {
    for write in WRITES {
        change_and_kill_at(*write, Snare::Hold).await?;
    }
    Ok(())
}

#[tokio::test]
async fn killed_after_any_write_of_a_change_the_next_process_finishes_it_with_one_restart()
-> Outcome {
    for write in WRITES {
        change_and_kill_at(*write, Snare::HoldAnswer).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_restart_of_the_operator_writes_nothing_and_restarts_nobody() -> Outcome {
    on_stage(Setup::new().proxied(), async |stage| {
        stage.put("web", &[("A", "t0psecret-1")]).await?;
        stage.sync("web", SPEC).await?;
        stage.is_synced("web").await?;
        stage.deploy("web", &[Usage::EnvFrom("web")]).await?;
        let before = stage.sync_object("web").await?.metadata.resource_version;
        let reads = stage.reads("web")?;
        stage.stop_operator().await?;
        stage.proxy()?.reset();
        stage.revive_operator().await?;
        // The first pass of a new process reads the source; when a refresh is honoured after it, it is over.
        let fresh =
            penstock_testbed::eventually("the vault is read", super::super::SOON, || async {
                match stage.reads("web") {
                    Ok(now) if now > reads => Ok(()),
                    Ok(now) => Err(now.to_string()),
                    Err(error) => Err(error.to_string()),
                }
            });
        fresh.await?;
        assert_eq!(
            stage.sync_object("web").await?.metadata.resource_version,
            before
        );
        for resource in ["secrets", "deployments"] {
            assert_eq!(
                stage.proxy()?.count(&Filter::writes().resource(resource)),
                0,
                "{resource}"
            );
        }
        assert_eq!(stage.restarts("web").await?, 0);
        Ok(())
    })
    .await
}
