//! Many SecretSyncs of one path ask the vault as seldom as one.

use super::super::Outcome;
use super::super::stage::{Setup, on_stage};

const SYNCS: usize = 20;
const SPEC: &str = "
interval: 10s
sources: [{name: vault, store: {name: vault}, path: $apps/shared}]
targets: [{name: env, secret: {}}]
";

/// Whoever is due within half an interval of a read takes its answer, so that syncs whose turns are spread over the
/// whole interval cost two reads in it, and the change may fall into a third.
#[tokio::test]
async fn a_change_reaches_all_syncs_of_a_path_by_a_few_reads() -> Outcome {
    on_stage(Setup::new(), async |stage| {
        stage.put("shared", &[("A", "t0psecret-1")]).await?;
        let names: Vec<String> = (0..SYNCS)
            .map(|number| format!("shared-{number}"))
            .collect();
        for name in &names {
            stage.sync(name, SPEC).await?;
        }
        for name in &names {
            stage.is_synced(name).await?;
        }
        let before = stage.reads("shared")?;
        stage.put("shared", &[("A", "t0psecret-2")]).await?;
        for name in &names {
            stage.await_secret(name, &[("A", "t0psecret-2")]).await?;
        }
        let reads = stage.reads("shared")? - before;
        assert!(reads <= 6, "{SYNCS} syncs read {reads} times");
        Ok(())
    })
    .await
}
