//! For a terminal.

use std::fmt::Write as _;

use super::{Change, CommandReport, PlanReport, SyncReport, SyncState, TargetReport, Trouble};
use crate::output::{Style, Tone, plain};

/// The most keys of one target that are named one by one.
const MAX_KEYS: usize = 200;

/// The report as text. What does not change is counted, not listed.
pub fn text(report: &PlanReport, style: Style) -> String {
    let mut page = Page {
        text: String::new(),
        style,
    };
    for sync in &report.syncs {
        page.sync(sync);
    }
    page.conclusion(report);
    page.text
}

struct Page {
    text: String,
    style: Style,
}

impl Page {
    fn line(&mut self, indent: usize, line: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{:indent$}{line}", "");
    }

    fn sync(&mut self, sync: &SyncReport) {
        let heading = format!("SecretSync {}/{}", sync.namespace, sync.name);
        let heading = self.style.paint(Tone::Strong, &heading);
        match sync.state {
            SyncState::Suspended => self.line(0, &format!("{heading}: suspended")),
            SyncState::Unchanged => self.line(0, &format!("{heading}: nothing to do")),
            _ => self.line(0, &heading),
        }
        for trouble in &sync.problems {
            self.trouble(2, Tone::Bad, trouble);
        }
        for trouble in &sync.stale {
            self.trouble(2, Tone::Change, trouble);
        }
        let quiet = sync.state == SyncState::Unchanged;
        for target in sync.targets.iter().filter(|_| !quiet) {
            self.target(target);
        }
        if let Some(held) = &sync.held {
            self.trouble(2, Tone::Change, held);
        }
        for unknown in &sync.unknown {
            let unknown = self.style.paint(Tone::Faint, &plain(unknown));
            self.line(2, &unknown);
        }
        if !sync.restarts.is_empty() {
            let restarts = plain(&sync.restarts.join(", "));
            self.line(2, &format!("would restart {restarts}"));
        }
    }

    fn target(&mut self, target: &TargetReport) {
        let label = format!("{} {}", target.kind, plain(&target.object));
        let label = self.style.paint(Tone::Strong, &label);
        let mut what = target.counts.words();
        if target.metadata_only {
            what.push_str(match target.kind.as_str() {
                "File" => "; its mode changes",
                "HostFile" => "; its mode changes, or its command is still due",
                _ => "; labels, annotations or the owner's tag change",
            });
        }
        if target.tampered {
            what.push_str("; somebody else changed it");
        }
        if target.keys.is_empty() {
            "no keys".clone_into(&mut what);
        }
        self.line(2, &format!("{label} (target {}): {what}", target.name));
        if let Some(blocked) = &target.blocked {
            return self.trouble(4, Tone::Bad, blocked);
        }
        let told = |change: Change| change != Change::Unchanged;
        let width = target
            .keys
            .iter()
            .filter(|(_, key)| told(key.change))
            .map(|(name, _)| plain(name).chars().count())
            .max()
            .unwrap_or_default()
            .min(40);
        let keys = target.keys.iter().filter(|(_, key)| told(key.change));
        for (name, key) in keys.clone().take(MAX_KEYS) {
            let (mark, tone) = mark(key.change);
            let mut line = format!("{mark} {:width$}", plain(name));
            if let Some(from) = key.from.as_ref().filter(|_| wants_origin(key.change)) {
                line = format!("{line}  {}", plain(from));
            }
            if let Some(content) = key.content.as_ref().filter(|_| wants_origin(key.change)) {
                line = format!("{line}  #{content}");
            }
            if key.change == Change::Foreign {
                line.push_str("  not ours, left alone");
            }
            let line = self.style.paint(tone, line.trim_end());
            self.line(4, &line);
        }
        let more = keys.count().saturating_sub(MAX_KEYS);
        if more > 0 {
            self.line(4, &format!("… and {more} more"));
        }
        if let Some(command) = &target.command {
            self.command(command);
        }
    }

    fn command(&mut self, command: &CommandReport) {
        let run = plain(&command.run.replace('\n', " ⏎ "));
        self.line(4, &format!("then runs on the host: {run}"));
        if !command.allowed {
            let refused = "without --allow-commands this is refused, and nothing is written";
            let refused = self.style.paint(Tone::Change, refused);
            self.line(6, &format!("→ {refused}"));
        }
    }

    fn trouble(&mut self, indent: usize, tone: Tone, trouble: &Trouble) {
        let sentence = format!("{}: {}", plain(&trouble.subject), plain(&trouble.message));
        let sentence = self.style.paint(tone, &sentence);
        self.line(indent, &format!("{sentence} ({})", trouble.reason));
        if let Some(hint) = &trouble.hint {
            self.line(indent + 2, &format!("→ {}", plain(hint)));
        }
    }

    fn conclusion(&mut self, report: &PlanReport) {
        let failed = report
            .syncs
            .iter()
            .filter(|sync| sync.state == SyncState::Failed)
            .count();
        let held = report
            .syncs
            .iter()
            .filter(|sync| sync.state == SyncState::Held)
            .count();
        let mut words = vec![if report.changes() || report.failed() {
            report.summary.words()
        } else {
            "nothing to do".to_owned()
        }];
        words.retain(|word| !word.is_empty());
        if report.summary.blocked > 0 {
            words.push(format!("{} blocked", report.summary.blocked));
        }
        if held > 0 {
            words.push(format!("{held} waiting for approval"));
        }
        if failed > 0 {
            words.push(format!("{failed} of {} failed", report.syncs.len()));
        }
        let words = self.style.paint(Tone::Strong, &words.join(", "));
        self.line(0, "");
        self.line(0, &format!("Plan: {words}."));
    }
}

fn mark(change: Change) -> (char, Tone) {
    match change {
        Change::Create => ('+', Tone::Good),
        Change::Update => ('~', Tone::Change),
        Change::Delete => ('-', Tone::Bad),
        Change::Adopt => ('=', Tone::Change),
        Change::Unchanged => (' ', Tone::Faint),
        Change::Foreign => ('?', Tone::Faint),
    }
}

fn wants_origin(change: Change) -> bool {
    matches!(change, Change::Create | Change::Update | Change::Adopt)
}
