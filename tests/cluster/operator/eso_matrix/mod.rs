//! What users of External Secrets Operator rely on, as far as it is ours: the cases of `CASES.md`, by whose
//! numbers syncs and vault paths are called here.

mod cluster_stores;
mod content;
mod decisions;
mod metadata;
mod ownership;
mod repair;
mod retention;

use serde_json::Value;

use super::super::Outcome;
use super::super::stage::{Stage, on_shared_stage};

/// The smallest spec that is a plain copy: one entry into a Secret of the sync's name.
const COPY: &str = "
sources: [{name: vault, store: {name: vault}, path: $apps/$case}]
targets: [{name: env, secret: {}}]
";

/// Seeds the vault, applies a SecretSync called `case`, and waits for exactly this Secret of that name.
/// `$case` in the spec stands for `case`.
async fn arrives(
    case: &str,
    entries: &[(&str, Value)],
    spec: &str,
    expected: &[(&str, &str)],
) -> Outcome {
    on_shared_stage(async |stage| {
        for (path, fields) in entries {
            stage.put_json(path, fields.clone()).await?;
        }
        stage.sync(case, &spec.replace("$case", case)).await?;
        stage.await_secret(case, expected).await?;
        stage.is_synced(case).await
    })
    .await
}

/// A plain copy of an entry with these fields, synced: what other cases begin with.
async fn copied(stage: &Stage, case: &str, fields: &[(&str, &str)]) -> Outcome {
    copied_by(stage, case, COPY, fields).await
}

/// The same with another spec.
async fn copied_by(stage: &Stage, case: &str, spec: &str, fields: &[(&str, &str)]) -> Outcome {
    stage.put(case, fields).await?;
    stage.sync(case, &spec.replace("$case", case)).await?;
    stage.await_secret(case, fields).await?;
    stage.is_synced(case).await
}
