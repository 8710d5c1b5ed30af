//! `penstock suspend` and `penstock resume`: `spec.suspend`, and nothing else.

use penstock_domain::names::SyncId;
use penstock_domain::people::{SyncChange, SyncObjects};

use super::{ActError, say};
use crate::exit::Ending;
use crate::output::Streams;

/// Stops the operator from reading and writing for `syncs`, or lets it go on.
pub async fn suspend(
    objects: &dyn SyncObjects,
    syncs: &[SyncId],
    suspend: bool,
    streams: &mut Streams,
) -> Result<Ending, ActError> {
    let mut found = Vec::new();
    for id in syncs {
        found.push(objects.get(id).await?);
    }
    let (done, already) = if suspend {
        (
            "suspended: nothing is read or written, what is in targets stays",
            "is suspended already",
        )
    } else {
        ("resumed", "is not suspended")
    };
    for sync in found {
        let name = format!("{}/{}", sync.id.namespace, sync.id.name);
        if sync.suspended == suspend {
            say(streams, &format!("{name}: {already}"))?;
            continue;
        }
        let change = SyncChange {
            suspend: Some(suspend),
            ..SyncChange::default()
        };
        objects.change(&sync, &change).await?;
        say(streams, &format!("{name}: {done}"))?;
    }
    Ok(Ending::Done)
}
