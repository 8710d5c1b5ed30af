//! One module per verb.

use crate::exit::CommandError;
use crate::local::Touches;
use crate::output::Streams;

pub mod cluster;
pub mod completions;
pub mod crd;
pub mod doctor;
pub mod documents;
pub mod env;
pub mod exec;
pub mod plan;
pub mod render;
pub mod store;
pub mod sync;
pub mod version;

/// Lists on standard output what a run would touch (`--offline`).
pub fn offline(touches: &Touches, streams: &mut Streams) -> Result<(), CommandError> {
    for touch in touches.iter() {
        writeln!(streams.out, "{touch}").map_err(CommandError::Print)?;
    }
    streams.out.flush().map_err(CommandError::Print)
}

/// Lists on standard error what the run that begins will touch.
pub fn announce(touches: &Touches, streams: &mut Streams) {
    for touch in touches.iter() {
        streams.tell(format!("{touch}"));
    }
}
