//! The design's rules on the running operator: each case fails without its rule.
//!
//! | rule | here | elsewhere |
//! |---|---|---|
//! | 1 nothing is lost | [`vanishing`], [`leaving`] | `first_sync`, `eso_matrix::retention`, `bad_input::stores` |
//! | 2 own only what we made | [`owning`] | `eso_matrix::ownership`, `bad_input::targets` |
//! | 3 no value by the side door | – | every case: [`stage`](super::super::stage) looks for values at its end |
//! | 4 one change, one restart | [`restarting`], [`processes`] | `first_sync`, `kills` |
//! | 6 unchanged costs nothing | [`processes`] | `eso_matrix::decisions`, `kills` |
//! | 7 no confused deputy | – | `eso_matrix::cluster_stores`, `bad_input::stores`, `chart` |
//! | 8 repair without the vault | – | `first_sync`, `eso_matrix::repair` |

mod leaving;
mod owning;
mod processes;
mod restarting;
mod rolling;
mod vanishing;

use super::super::Outcome;
use super::super::stage::Stage;

/// A plain copy of the entry that is called like the sync.
const COPY: &str = "
sources: [{name: vault, store: {name: vault}, path: $apps/$case}]
targets: [{name: env, secret: {}}]
";

/// Fields of an entry in the vault.
type Fields = [(&'static str, &'static str)];

/// A sync by this spec whose entry holds `fields`, ready; `$case` in the spec stands for its name.
async fn synced(stage: &Stage, case: &str, spec: &str, fields: &Fields) -> Outcome {
    stage.put(case, fields).await?;
    stage.sync(case, &spec.replace("$case", case)).await?;
    stage.is_synced(case).await
}

/// New content in the vault, and a read of it.
async fn changed(stage: &Stage, case: &str, fields: &Fields) -> Outcome {
    stage.put(case, fields).await?;
    stage.refresh(case).await
}
