//! Many SecretSyncs, a line each.

use penstock_domain::people::SyncObject;

use super::state::{State, reason, waits_for};
use crate::output::{Style, Tone, plain};

/// What stands where there is nothing.
const NOTHING: &str = "-";

/// A table, with the namespaces where they are needed. Below it, what waits for whom.
pub fn table(syncs: &[SyncObject], namespaces: bool, style: Style) -> String {
    let head = [
        "NAMESPACE",
        "NAME",
        "STATE",
        "REASON",
        "TARGETS",
        "REVISION",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(syncs.iter().map(row));
    let widths: Vec<usize> = (0..head.len())
        .map(|column| {
            let lengths = rows.iter().filter_map(|row| row.get(column));
            lengths.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut page = String::new();
    for (index, row) in rows.iter().enumerate() {
        let tone = index
            .checked_sub(1)
            .and_then(|at| syncs.get(at))
            .map_or(Tone::Strong, |sync| State::of(sync).tone());
        let cells = row.iter().zip(&widths).enumerate();
        let cells = cells.filter(|(column, _)| namespaces || *column > 0);
        let line: Vec<String> = cells
            .map(|(column, (cell, width))| {
                let padded = format!("{cell:width$}");
                let painted = index == 0 || column == STATE;
                if painted {
                    style.paint(tone, &padded)
                } else {
                    padded
                }
            })
            .collect();
        page.push_str(line.join("  ").trim_end());
        page.push('\n');
    }
    page.push_str(&waiting(syncs, namespaces));
    page
}

/// The column of the state.
const STATE: usize = 2;

fn row(sync: &SyncObject) -> [String; 6] {
    let or_nothing = |text: &Option<String>| text.as_deref().map_or(NOTHING.to_owned(), plain);
    [
        sync.id.namespace.to_string(),
        sync.id.name.to_string(),
        State::of(sync).word().to_owned(),
        plain(reason(sync)),
        or_nothing(&sync.status.summary),
        or_nothing(&sync.status.revision),
    ]
}

fn waiting(syncs: &[SyncObject], namespaces: bool) -> String {
    let lines: Vec<String> = syncs
        .iter()
        .filter_map(|sync| {
            let waits = waits_for(sync)?;
            let name = if namespaces {
                format!("{}/{}", sync.id.namespace, sync.id.name)
            } else {
                sync.id.name.to_string()
            };
            Some(format!("{name} waits for {waits}\n"))
        })
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    format!("\n{}", lines.concat())
}
