//! What a case that failed shows of its stage.

use std::fmt::Write;
use std::sync::PoisonError;

use penstock_domain::api::status::SecretSyncStatus;

use super::place::Stage;
use super::syncs::joined;

/// So many lines at the end of the log.
const LINES: usize = 50;

impl Stage {
    /// Status and events of the syncs that the case made, and the end of the operator's log.
    pub(super) async fn picture(&self) -> String {
        let syncs = self.syncs.lock();
        let syncs = syncs.unwrap_or_else(PoisonError::into_inner).clone();
        let mut text = String::new();
        for sync in &syncs {
            let status = match self.status(sync).await {
                Ok(status) => summary(&status),
                Err(error) => format!("{error}\n"),
            };
            let events = match self.events(sync).await {
                Ok(events) => joined(&events),
                Err(error) => error.to_string(),
            };
            // Writing to a String does not fail.
            let _ = write!(text, "--- SecretSync {sync}\n{status}{events}\n");
        }
        let log = self.log();
        // On the shared stage most lines are about others.
        let ours = |line: &&str| !self.shared || syncs.iter().any(|sync| line.contains(sync));
        let lines: Vec<_> = log.lines().filter(ours).collect();
        let last = lines.len().saturating_sub(LINES);
        let lines = lines.get(last..).unwrap_or_default();
        let _ = write!(text, "--- the log of the operator\n{}\n", lines.join("\n"));
        text
    }
}

fn summary(status: &SecretSyncStatus) -> String {
    let mut text = String::new();
    for condition in &status.conditions {
        let _ = writeln!(
            text,
            "{}={:?} {} ({}): {}",
            condition.condition_type,
            condition.status,
            condition.reason,
            condition.observed_generation,
            condition.message
        );
    }
    let rest = SecretSyncStatus {
        conditions: Vec::new(),
        ..status.clone()
    };
    let rest = serde_json::to_string(&rest).unwrap_or_default();
    let _ = writeln!(text, "{rest}");
    text
}
