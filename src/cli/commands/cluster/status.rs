//! `penstock status`: how SecretSyncs are.

use penstock_domain::names::{NamespaceName, SyncId};
use penstock_domain::people::{SyncObject, SyncObjects};

use super::{ActError, NOT_READY, say};
use crate::arguments::OverviewForm;
use crate::exit::Ending;
use crate::output::Streams;
use crate::overview::{as_json, table};

/// Which SecretSyncs.
#[derive(Debug, Clone, Copy)]
pub enum Wanted<'a> {
    /// These.
    Named(&'a [SyncId]),
    /// Those of a namespace.
    Of(&'a NamespaceName),
    /// All.
    Everywhere,
}

/// Prints an overview.
pub async fn status(
    objects: &dyn SyncObjects,
    wanted: Wanted<'_>,
    form: OverviewForm,
    streams: &mut Streams,
) -> Result<Ending, ActError> {
    let syncs = find(objects, wanted).await?;
    match form {
        OverviewForm::Json => {
            let page = as_json(&syncs).map_err(ActError::WriteJson)?;
            say(streams, &page)?;
        }
        OverviewForm::Text if syncs.is_empty() => {
            streams.tell(match wanted {
                Wanted::Of(namespace) => {
                    format!("There is no SecretSync in namespace {namespace}.")
                }
                _ => "There is no SecretSync.".to_owned(),
            });
        }
        OverviewForm::Text => {
            let page = table(&syncs, matches!(wanted, Wanted::Everywhere), streams.style);
            say(streams, page.trim_end())?;
        }
    }
    Ok(if syncs.iter().all(SyncObject::is_ready) {
        Ending::Done
    } else {
        NOT_READY
    })
}

async fn find(objects: &dyn SyncObjects, wanted: Wanted<'_>) -> Result<Vec<SyncObject>, ActError> {
    Ok(match wanted {
        Wanted::Of(namespace) => objects.list(Some(namespace)).await?,
        Wanted::Everywhere => objects.list(None).await?,
        Wanted::Named(ids) => {
            let mut found = Vec::new();
            for id in ids {
                found.push(objects.get(id).await?);
            }
            found
        }
    })
}
