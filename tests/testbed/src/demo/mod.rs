//! What Penstock does, on a real cluster with a real vault, told while it happens.
//!
//! | part | what it is |
//! |---|---|
//! | [`demo`] | the whole of it: sets the stage, tells the chapters |
//! | `stage` | cluster, vault, chart and operator, started and installed |
//! | `quickstart` | `examples/quickstart/` with its two marked places filled in |
//! | `shop` | its objects as the API server has them |
//! | `chapters` | the story: every claim is a condition with a deadline |
//! | `current` | somebody's own cluster: asking before it is touched |
//! | [`Traces`] | what is taken away again afterwards |

mod chapters;
mod current;
mod quickstart;
mod shop;
mod stage;
mod traces;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use self::chapters::Tour;
pub use self::current::CurrentError;
pub use self::quickstart::QuickstartError;
use self::stage::Stage;
pub use self::traces::Traces;
use crate::failure::Failure;
use crate::keeper::Keeper;
use crate::story::Story;

/// Where the demo takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cluster {
    /// A control plane on this machine, started for it.
    Local,
    /// The cluster of the current kubeconfig context.
    Current,
}

/// How the demo is to be.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// Where it takes place.
    pub cluster: Cluster,
    /// Do not ask before the current cluster is touched.
    pub yes: bool,
    /// The `penstock` binary.
    pub operator: PathBuf,
    /// The folder of this repository, with `crds/`, `charts/` and `examples/`.
    pub repository: PathBuf,
}

/// Tells the whole story. Fails where a claim does not come true before its deadline.
///
/// What it makes in a cluster that stays is noted in `traces`, which the caller removes, whether this ends
/// by itself or is dropped.
pub async fn demo(
    story: &mut Story,
    keeper: &Arc<Keeper>,
    options: &DemoOptions,
    traces: &Traces,
) -> Result<(), Failure> {
    story.title(
        "Penstock",
        "A vault's content becomes a Secret and stays equal to it; what uses it is restarted once per change. \
         All of this is real: the API server, the vault, the operator under the chart's own rights.",
    );
    story.line("");
    let stage = Stage::set(story, keeper, options, traces).await?;
    let start = Instant::now();
    Tour::new(story, stage).tell().await?;
    story.line("");
    story.say(&format!(
        "That took {} seconds. The files and what else to try are in examples/quickstart/; `make cluster` starts \
         servers like these and keeps them running.",
        start.elapsed().as_secs()
    ));
    Ok(())
}
