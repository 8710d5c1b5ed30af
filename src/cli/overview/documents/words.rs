//! The same in words.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};

use super::super::explanation::age;
use super::super::table::aligned;
use super::{DocumentSync, State, TargetLine, TargetWord};
use crate::output::{Style, Tone, plain};

/// What stands where there is nothing.
const NOTHING: &str = "-";
/// The most names of keys that are listed.
const MAX_KEYS: usize = 20;
/// The most revisions of a kind that are listed.
const MAX_REVISIONS: usize = 5;

/// Many SecretSyncs, a line each. Below them, what is wrong or waits.
pub fn documents_table(syncs: &[DocumentSync], now: Timestamp, style: Style) -> String {
    let head = [
        "NAMESPACE",
        "NAME",
        "STATE",
        "REASON",
        "TARGETS",
        "KEYS",
        "ACCEPTED",
        "REVISION",
    ];
    let rows = syncs.iter().map(|sync| {
        let kept = &sync.remembered;
        let row = vec![
            sync.namespace.clone(),
            sync.name.clone(),
            sync.state.word().to_owned(),
            sync.reason.to_owned(),
            sync.targets.clone(),
            kept.keys.len().to_string(),
            kept.accepted
                .map_or_else(|| NOTHING.to_owned(), |at| ago(at, now)),
            kept.revision.clone().unwrap_or_else(|| NOTHING.to_owned()),
        ];
        (sync.state.tone(), row)
    });
    let mut page = aligned(&head, rows.collect(), 0, style);
    let notes: Vec<String> = syncs.iter().flat_map(notes).collect();
    if !notes.is_empty() {
        page.push('\n');
    }
    for note in notes {
        page.push_str(&note);
        page.push('\n');
    }
    page
}

/// What must be told of one besides its line.
fn notes(sync: &DocumentSync) -> Vec<String> {
    let name = format!("{}/{}", sync.namespace, sync.name);
    let mut notes = Vec::new();
    if matches!(sync.state, State::Held | State::NotReady) {
        notes.push(format!("{name}: {}", plain(&sync.message)));
    }
    for source in sync.sources.iter().filter(|source| source.fell_back) {
        notes.push(format!(
            "{name}: source {} fell back ({:?}): what was accepted before stays in use",
            plain(&source.name),
            source.state
        ));
    }
    let rest = sync
        .unknown
        .iter()
        .map(|one| format!("{name}: {}", plain(one)));
    notes.extend(rest);
    notes
}

/// Why it is in the state that it is in, and what to do; `now` is the time that ages count to.
pub fn explained(sync: &DocumentSync, now: Timestamp, style: Style) -> String {
    let mut page = Page {
        text: String::new(),
        style,
        now,
    };
    page.verdict(sync);
    page.content(sync);
    page.sources(sync);
    page.targets(sync);
    page.rejected(sync);
    page.steps(sync);
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

    fn verdict(&mut self, sync: &DocumentSync) {
        let name = format!("SecretSync {}/{}", sync.namespace, sync.name);
        let (name, word) = (
            self.style.paint(Tone::Strong, &name),
            self.style.paint(sync.state.tone(), sync.state.word()),
        );
        self.line(&format!("{name}: {word} ({}).", sync.reason));
        self.line(&format!("  {}", plain(&sync.message)));
        for unknown in &sync.unknown {
            self.line(&format!("  {}", plain(unknown)));
        }
    }

    fn content(&mut self, sync: &DocumentSync) {
        let kept = &sync.remembered;
        self.heading("In use");
        let Some(at) = kept.accepted else {
            let words = if kept.recorded {
                "nothing yet"
            } else {
                "nothing that a record knows of: there is none, or it cannot be opened"
            };
            return self.line(&format!("  {words}"));
        };
        let revision = kept.revision.as_deref().unwrap_or("a revision");
        self.line(&format!("  {revision}, accepted {}", ago(at, self.now)));
        let names: Vec<String> = kept
            .keys
            .iter()
            .take(MAX_KEYS)
            .map(|one| plain(one))
            .collect();
        let more = kept.keys.len().saturating_sub(names.len());
        let more = if more > 0 {
            format!(", +{more}")
        } else {
            String::new()
        };
        if !names.is_empty() {
            self.line(&format!("  keys: {}{more}", names.join(", ")));
        }
        for older in kept.older.iter().take(MAX_REVISIONS) {
            let when = ago(older.accepted, self.now);
            self.line(&format!("  before: {}, accepted {when}", older.revision));
        }
    }

    fn sources(&mut self, sync: &DocumentSync) {
        if !sync.sources.is_empty() {
            self.heading("Sources");
        }
        for source in &sync.sources {
            let mut line = format!("  {}: {:?}", plain(&source.name), source.state);
            if let Some(version) = &source.accepted_version {
                let _ = write!(line, ", version {} accepted", plain(version));
            }
            if source.fell_back {
                line.push_str("; fell back: what was accepted before stays in use");
            }
            self.line(&line);
        }
        for trouble in &sync.troubles {
            let words = format!("{}: {}", plain(&trouble.subject), plain(&trouble.message));
            let words = self.style.paint(Tone::Bad, &words);
            self.line(&format!("  {words} ({})", trouble.reason));
        }
    }

    fn targets(&mut self, sync: &DocumentSync) {
        if !sync.target_states.is_empty() {
            self.heading("Targets");
        }
        for target in &sync.target_states {
            let line = self.target(target);
            self.line(&line);
        }
    }

    fn target(&self, target: &TargetLine) -> String {
        let (tone, word) = match target.state {
            TargetWord::Synced => (Tone::Good, "as it should be"),
            TargetWord::Pending => (Tone::Change, "to be written"),
            TargetWord::Drifted => (Tone::Bad, "changed by somebody else"),
            TargetWord::Blocked => (Tone::Bad, "blocked"),
            TargetWord::Unknown => (Tone::Bad, "not looked at"),
        };
        let mut line = format!(
            "  {} ({}): {}",
            plain(&target.name),
            plain(&target.object),
            self.style.paint(tone, word)
        );
        let keys = if target.keys == 1 { "key" } else { "keys" };
        let _ = match &target.revision {
            Some(revision) => write!(
                line,
                "; {} {keys} of ours, of revision {revision}",
                target.keys
            ),
            None => write!(line, "; {} {keys} of ours", target.keys),
        };
        if let Some(message) = &target.message {
            let _ = write!(line, "; {}", plain(message));
        }
        line
    }

    fn rejected(&mut self, sync: &DocumentSync) {
        if !sync.remembered.rejected.is_empty() {
            self.heading("Rejected");
        }
        for rejected in sync.remembered.rejected.iter().take(MAX_REVISIONS) {
            let revision = rejected.revision.as_deref().unwrap_or("a revision");
            self.line(&format!("  {revision}, {}", ago(rejected.at, self.now)));
            for objection in &rejected.objections {
                self.line(&format!("    {}", plain(objection)));
            }
        }
    }

    fn steps(&mut self, sync: &DocumentSync) {
        if sync.to_do.is_empty() {
            return;
        }
        self.heading("What to do");
        for step in &sync.to_do {
            self.line(&format!("  {}", plain(step)));
        }
    }
}

/// How long ago, for people.
fn ago(then: Timestamp, now: Timestamp) -> String {
    if now.duration_since(then) < SignedDuration::from_mins(1) {
        return "just now".to_owned();
    }
    format!("{} ago", age(then, now))
}
