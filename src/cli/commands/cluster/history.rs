//! `penstock history`: which revisions are known of a SecretSync, as far as its status tells.

use penstock_domain::names::SyncId;
use penstock_domain::people::SyncObjects;

use super::{ActError, say};
use crate::exit::Ending;
use crate::output::Streams;
use crate::overview::revisions;

/// Prints the revisions.
pub async fn history(
    objects: &dyn SyncObjects,
    sync: &SyncId,
    streams: &mut Streams,
) -> Result<Ending, ActError> {
    let object = objects.get(sync).await?;
    let page = revisions(&object, streams.style);
    say(streams, page.trim_end())?;
    Ok(Ending::Done)
}
