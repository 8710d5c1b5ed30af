//! `penstock status` and `explain` of documents.

use std::error::Error;

use penstock_cli::arguments::{ClusterCommand, InputArguments};
use penstock_cli::commands::documents;
use penstock_cli::exit::Ending;
use penstock_cli::output::plain;

use super::{Purpose, verb};

/// Carries a verb out that was asked about documents; none where it was asked about a cluster.
pub(crate) fn overview(command: &ClusterCommand) -> Option<Result<Ending, Box<dyn Error>>> {
    match command {
        ClusterCommand::Status(arguments) => {
            let inputs = arguments.of.documents(&arguments.syncs)?;
            let given = (&inputs, &arguments.of.state, Purpose::Look);
            Some(verb(given, async |session, streams| {
                documents::status(session, &named(&inputs), arguments.output, streams).await
            }))
        }
        ClusterCommand::Explain(arguments) => {
            let only = std::slice::from_ref(&arguments.sync);
            let inputs = arguments.of.documents(only)?;
            let given = (&inputs, &arguments.of.state, Purpose::Look);
            Some(verb(given, async |session, streams| {
                documents::explain(session, &named(&inputs), streams).await
            }))
        }
        _ => None,
    }
}

/// The documents, as they are named to another verb.
fn named(inputs: &InputArguments) -> String {
    let mut words: Vec<String> = Vec::new();
    for path in &inputs.paths {
        let path = plain(&path.display().to_string());
        let harmless = |one: char| one.is_alphanumeric() || "/._-".contains(one);
        let quoted = if path.chars().all(harmless) {
            path
        } else {
            format!("'{}'", path.replace('\'', "'\\''"))
        };
        words.push(format!("-f {quoted}"));
    }
    for (name, value) in &inputs.set {
        words.push(format!("--set {}={}", plain(name), plain(value)));
    }
    words.join(" ")
}
