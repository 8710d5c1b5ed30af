//! For the comment on a pull request.

use std::fmt::Write as _;

use super::{Change, PlanReport, SyncReport, SyncState, TargetReport, Trouble};
use crate::output::misleads;

/// The most keys of one target that are named; a comment has its limits.
const MAX_KEYS: usize = 100;

/// The report as Markdown.
pub fn markdown(report: &PlanReport) -> String {
    let mut page = String::from("### Penstock plan\n\n");
    let mut summary = report.summary.words();
    if !report.changes() && !report.failed() {
        "nothing to do".clone_into(&mut summary);
    } else if summary.is_empty() {
        "failed".clone_into(&mut summary);
    }
    line(&mut page, &format!("**{summary}**\n"));
    for sync in &report.syncs {
        sync_section(&mut page, sync);
    }
    page
}

/// Writing to a String cannot fail.
fn line(page: &mut String, text: &str) {
    let _ = writeln!(page, "{text}");
}

fn sync_section(page: &mut String, sync: &SyncReport) {
    let state = match sync.state {
        SyncState::Unchanged => "nothing to do",
        SyncState::Changes => "changes",
        SyncState::Held => "waits for approval",
        SyncState::Failed => "failed",
        SyncState::Suspended => "suspended",
    };
    line(
        page,
        &format!("#### `{}/{}`: {state}\n", sync.namespace, sync.name),
    );
    for trouble in sync.problems.iter().chain(&sync.stale).chain(&sync.held) {
        trouble_item(page, trouble);
    }
    for unknown in &sync.unknown {
        line(page, &format!("- {}", words(unknown)));
    }
    if sync.state == SyncState::Unchanged {
        return;
    }
    for target in &sync.targets {
        target_section(page, target);
    }
    if !sync.restarts.is_empty() {
        let restarts: Vec<String> = sync.restarts.iter().map(|one| code(one)).collect();
        line(page, &format!("\nWould restart {}.", restarts.join(", ")));
    }
}

fn target_section(page: &mut String, target: &TargetReport) {
    let label = code(&format!("{} {}", target.kind, target.object));
    line(
        page,
        &format!(
            "\n{label} (target {}): {}\n",
            code(&target.name),
            target.counts.words()
        ),
    );
    if let Some(blocked) = &target.blocked {
        return trouble_item(page, blocked);
    }
    if let Some(command) = &target.command {
        let allowed = if command.allowed {
            ""
        } else {
            " (refused without `--allow-commands`)"
        };
        let run = code(&command.run);
        line(page, &format!("Then runs on the host{allowed}: {run}\n"));
    }
    let told = target
        .keys
        .iter()
        .filter(|(_, key)| key.change != Change::Unchanged);
    if told.clone().next().is_none() {
        return;
    }
    line(page, "| key | change | from |\n|---|---|---|");
    for (name, key) in told.clone().take(MAX_KEYS) {
        let change = match key.change {
            Change::Create => "create",
            Change::Update => "update",
            Change::Delete => "**delete**",
            Change::Adopt => "adopt",
            Change::Unchanged => "unchanged",
            Change::Foreign => "not ours, left alone",
        };
        let from = key.from.as_deref().map(code).unwrap_or_default();
        line(page, &format!("| {} | {change} | {from} |", code(name)));
    }
    let more = told.count().saturating_sub(MAX_KEYS);
    if more > 0 {
        line(page, &format!("| … | {more} more | |"));
    }
}

fn trouble_item(page: &mut String, trouble: &Trouble) {
    let hint = trouble
        .hint
        .as_deref()
        .map(|hint| format!(" {}", words(hint)));
    line(
        page,
        &format!(
            "- {}: {}: {}.{}",
            trouble.reason,
            words(&trouble.subject),
            words(&trouble.message),
            hint.unwrap_or_default()
        ),
    );
}

/// A name as code. A backtick or a pipe in it would end the code or the cell.
fn code(text: &str) -> String {
    let safe: String = text
        .chars()
        .map(|character| match character {
            '`' => '\'',
            '|' => '¦',
            other if other.is_control() || misleads(other) => ' ',
            other => other,
        })
        .collect();
    format!("`{safe}`")
}

/// A sentence: what Markdown and HTML would take for more than words is escaped, but for backticks in pairs.
fn words(text: &str) -> String {
    let mut safe = String::new();
    for character in text.chars() {
        match character {
            '<' => safe.push_str("&lt;"),
            '&' => safe.push_str("&amp;"),
            '\\' | '*' | '_' | '[' | ']' | '|' | '#' | '!' | '@' => safe.extend(['\\', character]),
            other if other.is_control() || misleads(other) => safe.push(' '),
            other => safe.push(other),
        }
    }
    safe
}
