//! `penstock explain`: why a SecretSync is in the state that it is in, in plain words.

use jiff::Timestamp;
use penstock_domain::names::SyncId;
use penstock_domain::people::SyncObjects;

use super::{ActError, say};
use crate::exit::Ending;
use crate::output::Streams;
use crate::overview::{Told, explanation};

/// Prints the explanation.
pub async fn explain(
    objects: &dyn SyncObjects,
    sync: &SyncId,
    streams: &mut Streams,
) -> Result<Ending, ActError> {
    let object = objects.get(sync).await?;
    // Whoever may not see events still learns the rest.
    let events = objects.events(&object).await;
    let told = match &events {
        Ok(events) => Told::Events(events),
        Err(fault) => Told::Unknown(fault),
    };
    let page = explanation(&object, told, Timestamp::now(), streams.style);
    say(streams, page.trim_end())?;
    Ok(Ending::Done)
}
