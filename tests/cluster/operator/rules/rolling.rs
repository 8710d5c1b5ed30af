//! Waves on a real cluster: in order, so many at a time, each well before the next.

use penstock_testbed::{Failure, eventually};

use super::super::super::stage::{Stage, Usage, on_shared_stage};
use super::super::super::{Outcome, SOON};
use super::{changed, synced};

const WAVES: &str = "
sources: [{name: vault, store: {name: vault}, path: $apps/$case}]
targets: [{name: env, secret: {}}]
rollout:
  waves:
  - {name: edge, selector: {matchLabels: {tier: edge}}, pause: 3s}
  - {name: rest, rest: {}, maxParallel: 2}
";

const FIRST: &super::Fields = &[("A", "t0psecret-1")];
const SECOND: &super::Fields = &[("A", "t0psecret-2")];

/// Which of the Deployments carry a marker.
async fn marked(stage: &Stage, names: &[&'static str]) -> Result<Vec<&'static str>, Failure> {
    let mut marked = Vec::new();
    for name in names {
        let template = stage
            .deployment(name)
            .await?
            .spec
            .unwrap_or_default()
            .template;
        let annotations = template.metadata.and_then(|metadata| metadata.annotations);
        if annotations.is_some_and(|all| all.contains_key("penstock.dev/content-waves")) {
            marked.push(*name);
        }
    }
    Ok(marked)
}

#[tokio::test]
async fn a_wave_begins_when_the_one_before_is_well_and_has_paused() -> Outcome {
    on_shared_stage(async |stage| {
        const NAMES: [&str; 4] = ["waves-a", "waves-b", "waves-c", "waves-edge"];
        synced(stage, "waves", WAVES, FIRST).await?;
        for name in NAMES {
            let tier = if name == "waves-edge" { "edge" } else { "core" };
            stage
                .deploy_changed(name, &[Usage::EnvFrom("waves")], |object| {
                    object["metadata"]["labels"] = serde_json::json!({"tier": tier});
                })
                .await?;
        }
        for name in NAMES {
            stage.is_rolled_out(name).await?;
            stage.started_before_now(name).await?;
        }
        changed(stage, "waves", SECOND).await?;
        stage.await_secret("waves", SECOND).await?;
        let first = eventually("the first wave is marked", SOON, || async {
            let marked = marked(stage, &NAMES)
                .await
                .map_err(|error| error.to_string())?;
            if marked.is_empty() {
                Err("none".to_owned())
            } else {
                Ok(marked)
            }
        });
        assert_eq!(first.await?, ["waves-edge"]);
        for name in NAMES {
            stage.await_restarts(name, 1).await?;
        }
        let done = stage
            .await_condition("waves", ("RolledOut", "True"), "RolledOut")
            .await?;
        assert!(done.message.contains("every workload"), "{}", done.message);
        // Each once, and in order: who came first is the one of the first wave.
        let times = eventually("all carry a marker", SOON, || async {
            let marked = marked(stage, &NAMES)
                .await
                .map_err(|error| error.to_string())?;
            if marked.len() == NAMES.len() {
                Ok(())
            } else {
                Err(format!("{marked:?}"))
            }
        });
        Ok(times.await?)
    })
    .await
}
