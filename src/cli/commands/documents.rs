//! `penstock status` and `explain` without a cluster: a look at the sources and targets of documents, and their record.

use jiff::Timestamp;

use crate::arguments::OverviewForm;
use crate::exit::{CommandError, Ending};
use crate::local::Session;
use crate::output::Streams;
use crate::overview::{DocumentSync, documents_as_json, documents_table, explained};

/// What was looked at is not as it should be, and that has been told.
const NOT_READY: Ending = Ending::Status(2);

/// Prints an overview. `named` are the documents as they are named to another verb. Writes nothing anywhere.
pub async fn status(
    session: &Session,
    named: &str,
    form: OverviewForm,
    streams: &mut Streams,
) -> Result<Ending, CommandError> {
    let syncs = look(session, named).await;
    let page = match form {
        OverviewForm::Text => documents_table(&syncs, Timestamp::now(), streams.style),
        OverviewForm::Json => documents_as_json(&syncs).map_err(CommandError::WriteJson)? + "\n",
    };
    print(&page, streams)?;
    Ok(if syncs.iter().all(|sync| sync.ready) {
        Ending::Done
    } else {
        NOT_READY
    })
}

/// Prints why each sync is in the state that it is in, and what to do.
pub async fn explain(
    session: &Session,
    named: &str,
    streams: &mut Streams,
) -> Result<Ending, CommandError> {
    let syncs = look(session, named).await;
    let pages = syncs.iter();
    let pages = pages.map(|sync| explained(sync, Timestamp::now(), streams.style));
    let page = pages.collect::<Vec<_>>().join("\n");
    print(&page, streams)?;
    Ok(Ending::Done)
}

async fn look(session: &Session, named: &str) -> Vec<DocumentSync> {
    let looked = session.look_at_all(&[]).await;
    let report = session.report(&looked).await;
    let pairs = looked.iter().zip(report.syncs);
    pairs
        .map(|(looked, report)| {
            DocumentSync::new(&looked.prepared, report, (named, session.key_is_kept))
        })
        .collect()
}

fn print(page: &str, streams: &mut Streams) -> Result<(), CommandError> {
    streams
        .out
        .write_all(page.as_bytes())
        .and_then(|()| streams.out.flush())
        .map_err(CommandError::Print)
}
