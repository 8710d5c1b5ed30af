//! When a sync wants to run again, given what a pass found. Pure.

use std::time::Duration;

use jiff::Timestamp;

use super::Findings;
use crate::api::status::{RolloutPhase, SecretSyncStatus};
use crate::engine::PassRequest;
use crate::schedule::{Next, OBSERVE_EVERY};

/// How often a stuck or waiting rollout is looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// The longest pause before a rollout that waits is looked at: clocks are set, and windows change.
const LONGEST_LOOK: Duration = Duration::from_mins(5);

/// The next pass: soon after a failure, when a rollout is to be looked at, else at the refresh.
pub(super) fn next(
    request: PassRequest<'_>,
    findings: &Findings,
    status: &SecretSyncStatus,
    now: Timestamp,
) -> Next {
    let interval = request.sync.interval;
    let faults = findings
        .stopped
        .iter()
        .chain(&findings.notes.stale)
        .chain(&findings.notes.blocked)
        .chain(
            findings
                .written
                .values()
                .filter_map(|written| written.as_ref().err()),
        )
        .chain(findings.failed_looks.values())
        .chain(&findings.canary_left)
        .chain(&findings.rollout_fault);
    let mut retry: Option<Duration> = None;
    for fault in faults.filter(|fault| fault.class.is_transient()) {
        let asked = fault.retry_after().unwrap_or_default();
        retry = Some(retry.unwrap_or_default().max(asked));
    }
    if let Some(at_least) = retry {
        return Next::Retry {
            at_least,
            at_most: interval,
        };
    }
    if !findings.notes.confirming.is_empty() {
        return Next::confirm(interval);
    }
    let phase = status.rollout.as_ref().and_then(|rollout| rollout.phase);
    rollout_next(findings, phase, (interval, now))
}

/// When a rollout, or a change that waits, is to be looked at again.
fn rollout_next(
    findings: &Findings,
    phase: Option<RolloutPhase>,
    (interval, now): (Duration, Timestamp),
) -> Next {
    if findings.go_on {
        return Next::After(Duration::ZERO);
    }
    let until = |moment: Timestamp| Duration::try_from(moment.duration_since(now)).ok();
    let pause = findings
        .wave_pause
        .as_ref()
        .and_then(|(_, begins)| until(*begins));
    let window = findings
        .restart_window
        .and_then(|opening| opening.0)
        .and_then(until);
    let held = findings.held_back.as_ref().map(|held| held.pause);
    let looked = match phase {
        _ if held.is_some() => held,
        Some(RolloutPhase::Restarting | RolloutPhase::RollingBack) => Some(OBSERVE_EVERY),
        Some(RolloutPhase::Waiting) => {
            Some(pause.or(window).unwrap_or(LOOK_AGAIN).min(LONGEST_LOOK))
        }
        Some(RolloutPhase::Stuck | RolloutPhase::Held) => Some(LOOK_AGAIN),
        _ => None,
    };
    looked.map_or(Next::Interval(interval), |looked| {
        Next::After(interval.min(looked))
    })
}
