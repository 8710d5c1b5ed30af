//! Many SecretSyncs on as many vault paths, measured.
//!
//! The API server, the vault and the operator are the real ones, and share this machine's cores. The operator
//! runs under the chart's own rights and talks to the API server without anything in between. Targets stand
//! beside the figures; missing one is a finding, not a failure.
//!
//! | part | what it is |
//! |---|---|
//! | [`bench()`] | the whole of it |
//! | `site` | servers, chart and operator, and looks at what they did |
//! | `fleet` | the SecretSyncs, their paths, and waiting for them |
//! | `phases` | what is measured, in its order |
//! | `tally` | requests, from the API server's own metrics |
//! | `straight` | the operator's writes without the operator |
//! | `report` | the figures as a table |

mod fleet;
mod phases;
mod report;
mod site;
mod spread;
mod straight;
mod tally;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use self::phases::Phases;
use self::report::Report;
use self::site::Site;
pub use self::spread::SpreadError;
use crate::failure::Failure;
use crate::keeper::Keeper;
use crate::story::Story;
use crate::tools::build;

/// What is measured.
#[derive(Clone, Debug)]
pub struct BenchOptions {
    /// SecretSyncs, vault paths and Secrets.
    pub objects: usize,
    /// Keys in each.
    pub keys: usize,
    /// How often each sync reads the vault.
    pub interval: Duration,
    /// How long nothing changes.
    pub quiet: Duration,
    /// How often one value is changed.
    pub samples: usize,
    /// The `penstock` binary; its release profile is what counts.
    pub operator: PathBuf,
    /// The folder of this repository, with `crds/` and `charts/`.
    pub repository: PathBuf,
}

/// Measures, and tells the figures as one table.
pub async fn bench(
    story: &mut Story,
    keeper: &Arc<Keeper>,
    options: &BenchOptions,
) -> Result<(), Failure> {
    let what = format!("{} SecretSyncs, measured", options.objects);
    story.title(
        &what,
        "A real API server, a real vault, the operator under the chart's own rights.",
    );
    story.line("");
    let tools = build(story, keeper).await?;
    let starting = Box::pin(Site::start(keeper, &tools, options));
    let site = story.step("servers and operator run", starting).await?;
    let phases = Phases {
        story,
        site,
        options,
        report: Report::default(),
    };
    phases.run().await
}
