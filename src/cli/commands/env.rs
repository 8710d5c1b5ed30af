//! `penstock env`: the bundle as an environment, for `source` and its kin.

use penstock_domain::formats::{Delimiter, render};

use crate::arguments::EnvArguments;
use crate::exit::{CommandError, Ending};
use crate::local::Session;
use crate::output::{Streams, plain};

/// Prints the bundle; without `--reveal` only names, as comments, so that a `source` by mistake does nothing.
pub async fn env(
    session: &Session,
    arguments: &EnvArguments,
    streams: &mut Streams,
) -> Result<Ending, CommandError> {
    let contents = session.contents().await?;
    for fault in &contents.stale {
        streams.tell(format!(
            "warning: {} did not answer; what it last gave is used",
            fault.subject
        ));
    }
    if !arguments.reveal {
        for (key, origin) in &contents.origins {
            let line = format!("# {}  ({})\n", plain(key.as_str()), plain(origin));
            streams
                .out
                .write_all(line.as_bytes())
                .map_err(CommandError::Print)?;
        }
        streams.tell("only names are shown: say --reveal to print values");
        return Ok(Ending::Done);
    }
    // No form that this verb has needs a delimiter.
    let delimiter = Delimiter::from_random([0; 16]);
    let text = render(arguments.format.into(), &contents.values, &delimiter)?;
    session.note_reveal("standard output", contents.values.keys());
    streams
        .out
        .write_all(text.expose())
        .and_then(|()| streams.out.flush())
        .map_err(CommandError::Print)?;
    Ok(Ending::Done)
}
