//! `penstock-testbed bench`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use penstock_testbed::{BenchOptions, Failure, Story};

use super::demo::{operator, repository};
use super::{interrupt, own_keeper};

#[derive(Args)]
pub(super) struct Options {
    /// SecretSyncs, vault paths and Secrets
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    objects: u32,
    /// Keys in each
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    keys: u32,
    /// Seconds between two reads of one SecretSync
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(10..=3_600))]
    interval: u32,
    /// Seconds in which nothing changes
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    quiet: u32,
    /// How often one value is changed
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    samples: u32,
    /// The `penstock` binary; without it, the one beside this program
    #[arg(long)]
    operator: Option<PathBuf>,
}

pub(super) async fn bench(options: Options) -> Result<(), Failure> {
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let seconds = |number: u32| Duration::from_secs(number.into());
    let options = BenchOptions {
        objects: count(options.objects),
        keys: count(options.keys),
        interval: seconds(options.interval),
        quiet: seconds(options.quiet),
        samples: count(options.samples),
        operator: operator(options.operator)?,
        repository: repository(),
    };
    let mut story = Story::on_stdout();
    let keeper = own_keeper().await?;
    let outcome = tokio::select! {
        outcome = penstock_testbed::bench(&mut story, &keeper, &options) => outcome,
        interrupted = interrupt::any() => Err(interrupted),
    };
    keeper.close().await;
    outcome
}
