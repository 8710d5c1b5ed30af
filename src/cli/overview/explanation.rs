//! Why a SecretSync is in the state that it is in.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use penstock_domain::api::status::{Condition, ConditionStatus, SourceState, TargetState};
use penstock_domain::conditions::{ConditionType, Reason};
use penstock_domain::fault::Fault;
use penstock_domain::people::{SyncEvent, SyncObject};

use super::advice::advice;
use super::state::{State, pending_lines, reason, waits_for};
use crate::output::{Style, Tone, plain};

/// The most events that are shown.
const MAX_EVENTS: usize = 8;

/// What was told about a SecretSync, if that could be learned.
#[derive(Debug, Clone, Copy)]
pub enum Told<'a> {
    /// Its events, oldest first.
    Events(&'a [SyncEvent]),
    /// They could not be read.
    Unknown(&'a Fault),
}

/// The explanation, `now` being the time that ages count to.
pub fn explanation(sync: &SyncObject, told: Told<'_>, now: Timestamp, style: Style) -> String {
    let mut page = Page {
        text: String::new(),
        style,
        now,
    };
    page.verdict(sync);
    page.conditions(sync);
    page.waiting(sync);
    page.places(sync);
    page.workloads(sync);
    page.events(told);
    page.next_steps(sync);
    page.text
}

struct Page {
    text: String,
    style: Style,
    now: Timestamp,
}

impl Page {
    fn line(&mut self, line: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{}", line.trim_end());
    }

    fn heading(&mut self, words: &str) {
        let words = self.style.paint(Tone::Strong, words);
        self.line("");
        self.line(&words);
    }

    fn verdict(&mut self, sync: &SyncObject) {
        let state = State::of(sync);
        let name = format!("SecretSync {}/{}", sync.id.namespace, sync.id.name);
        let (name, word) = (
            self.style.paint(Tone::Strong, &name),
            self.style.paint(state.tone(), state.word()),
        );
        let since = sync.condition(ConditionType::Ready);
        let since = since.map_or_else(String::new, |ready| {
            format!(", for {}", age(ready.last_transition_time.0, self.now))
        });
        self.line(&format!(
            "{name} is {word} ({}){since}.",
            plain(reason(sync))
        ));
        if let Some(ready) = sync.condition(ConditionType::Ready) {
            self.line(&format!("  {}", plain(&ready.message)));
        }
        if !sync.is_observed() {
            let seen = sync.status.observed_generation;
            let seen = seen.map_or_else(
                || "The operator has not looked at it yet.".to_owned(),
                |seen| {
                    format!(
                        "All this is about generation {seen} of its spec; generation {} has not been seen yet.",
                        sync.generation
                    )
                },
            );
            self.line(&format!("  {seen}"));
        }
    }

    /// Conditions that say something which Ready does not.
    fn conditions(&mut self, sync: &SyncObject) {
        let ready = sync.condition(ConditionType::Ready);
        let told = |condition: &&Condition| {
            let kind = condition.condition_type.as_str();
            let bad = match kind {
                "Ready" | "Stalled" => return false,
                "Reconciling" | "Drifted" | "Stale" => ConditionStatus::True,
                _ => ConditionStatus::False,
            };
            condition.status == bad && ready.is_none_or(|ready| ready.message != condition.message)
        };
        let conditions: Vec<&Condition> = sync.status.conditions.iter().filter(told).collect();
        for condition in conditions {
            let what = meaning(&condition.condition_type);
            let since = age(condition.last_transition_time.0, self.now);
            let line = format!(
                "{what} ({}, for {since}): {}",
                plain(&condition.reason),
                plain(&condition.message)
            );
            self.line(&line);
        }
    }

    fn waiting(&mut self, sync: &SyncObject) {
        if let Some(waits) = waits_for(sync) {
            self.line(&format!("It waits for {waits}."));
        }
        if let Some(pending) = sync.pending_plan() {
            self.heading("The plan that waits");
            for line in pending_lines(pending, self.style) {
                self.line(&format!("  {line}"));
            }
        }
    }

    fn places(&mut self, sync: &SyncObject) {
        if !sync.status.sources.is_empty() {
            self.heading("Sources");
        }
        for source in &sync.status.sources {
            let tone = match source.state {
                SourceState::Ready | SourceState::Skipped => Tone::Good,
                _ => Tone::Bad,
            };
            let state = self.style.paint(tone, &format!("{:?}", source.state));
            let version = source.version.as_ref();
            let version = version.map_or_else(String::new, |version| {
                format!(", version {}", plain(version))
            });
            self.line(&format!("  {}: {state}{version}", plain(&source.name)));
        }
        if !sync.status.targets.is_empty() {
            self.heading("Targets");
        }
        for target in &sync.status.targets {
            let tone = match target.state {
                TargetState::Synced => Tone::Good,
                TargetState::Pending => Tone::Change,
                TargetState::Drifted | TargetState::Blocked | TargetState::Failed => Tone::Bad,
            };
            let mut line = format!(
                "  {}: {}",
                plain(&target.name),
                self.style.paint(tone, &format!("{:?}", target.state))
            );
            if let Some(keys) = target.key_count {
                let _ = write!(line, ", {keys} {}", if keys == 1 { "key" } else { "keys" });
            }
            if let Some(message) = &target.message {
                let _ = write!(line, ": {}", plain(message));
            }
            self.line(&line);
        }
    }

    fn workloads(&mut self, sync: &SyncObject) {
        let Some(rollout) = &sync.status.rollout else {
            return;
        };
        let (Some(phase), Some(counts)) = (rollout.phase, rollout.counts) else {
            return;
        };
        if counts.total == 0 && rollout.attention.is_empty() {
            return;
        }
        self.heading("Workloads");
        self.line(&format!(
            "  {phase:?}: {} of {} run on the current content, {} restarting, {} waiting, {} failed, {} left out",
            counts.updated, counts.total, counts.restarting, counts.waiting, counts.failed, counts.skipped
        ));
        for one in &rollout.attention {
            let line = format!(
                "  {} {} ({}): {}",
                plain(&one.kind),
                plain(&one.name),
                plain(&one.reason),
                plain(&one.message)
            );
            let line = self.style.paint(Tone::Bad, &line);
            self.line(&line);
        }
    }

    fn events(&mut self, told: Told<'_>) {
        let events = match told {
            Told::Events([]) => return,
            Told::Events(events) => events,
            Told::Unknown(fault) => {
                self.heading("What was told last");
                self.line(&format!("  unknown: {}", plain(&fault.to_string())));
                return;
            }
        };
        self.heading("What was told last");
        let first = events.len().saturating_sub(MAX_EVENTS);
        for event in events.iter().skip(first) {
            let ago = event
                .at
                .map_or_else(|| "some time".to_owned(), |at| age(at, self.now));
            let line = format!(
                "  {ago} ago  {}  {}",
                plain(&event.reason),
                plain(&event.note)
            );
            let tone = if event.warning {
                Tone::Change
            } else {
                Tone::Faint
            };
            let line = self.style.paint(tone, &line);
            self.line(&line);
        }
    }

    fn next_steps(&mut self, sync: &SyncObject) {
        let mut steps: Vec<String> = Vec::new();
        let troubled = sync.status.conditions.iter().filter(|condition| {
            let good = match condition.condition_type.as_str() {
                "Stale" | "Drifted" | "Stalled" => ConditionStatus::False,
                "Reconciling" => return false,
                _ => ConditionStatus::True,
            };
            condition.status != good
        });
        for condition in troubled {
            let known = Reason::ALL
                .iter()
                .find(|one| one.as_str() == condition.reason);
            let step = known.and_then(|reason| advice(sync, *reason));
            steps.extend(step.filter(|step| !steps.contains(step)));
        }
        if !sync.is_observed() && !sync.suspended {
            steps.push(
                "If this lasts, see whether the operator runs and serves this namespace."
                    .to_owned(),
            );
        }
        if steps.is_empty() {
            return;
        }
        self.heading("What to do");
        for step in steps {
            self.line(&format!("  {step}"));
        }
    }
}

/// What it means that a condition is as it should not be.
fn meaning(kind: &str) -> &'static str {
    match kind {
        "Reconciling" => "Work is under way",
        "Drifted" => "Somebody changed a target",
        "Stale" => "What is in use may be old",
        "RolledOut" => "Not every workload runs on the current content",
        "ValueHealthy" => "A value in use no longer passes its check",
        _ => "Besides",
    }
}

/// How long ago, in the largest unit that fits.
pub(super) fn age(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(then).max(SignedDuration::ZERO).as_secs();
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}
