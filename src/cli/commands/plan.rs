//! `penstock plan`: what a sync would do, without doing it.

use crate::arguments::Form;
use crate::exit::{CommandError, Ending};
use crate::local::Session;
use crate::output::Streams;
use crate::report::{PlanReport, json, markdown, text};

/// Prints the plan. Writes nothing anywhere.
pub async fn plan(
    session: &Session,
    form: Form,
    streams: &mut Streams,
) -> Result<Ending, CommandError> {
    let looked = session.look_at_all(&[]).await;
    let report = session.report(&looked).await;
    print(&report, form, streams)?;
    Ok(if report.failed() {
        Ending::Failed
    } else if report.changes() {
        Ending::Changes
    } else {
        Ending::Done
    })
}

/// Prints a plan in one form.
pub(super) fn print(
    report: &PlanReport,
    form: Form,
    streams: &mut Streams,
) -> Result<(), CommandError> {
    let page = match form {
        Form::Text => text(report, streams.style),
        Form::Json => json(report).map_err(CommandError::WriteJson)?,
        Form::Markdown => markdown(report),
    };
    streams
        .out
        .write_all(page.as_bytes())
        .and_then(|()| streams.out.flush())
        .map_err(CommandError::Print)
}
