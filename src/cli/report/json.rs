//! For programs.

use super::PlanReport;

/// The report as one JSON document with a final newline. Members are only ever added.
pub fn json(report: &PlanReport) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(report)?;
    text.push('\n');
    Ok(text)
}
