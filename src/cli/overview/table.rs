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
    let rows = syncs
        .iter()
        .map(|sync| (State::of(sync).tone(), row(sync).to_vec()));
    let mut page = aligned(&head, rows.collect(), usize::from(!namespaces), style);
    page.push_str(&waiting(syncs, namespaces));
    page
}

/// The column of the state.
const STATE: usize = 2;

/// Rows below a head, each column as wide as its widest cell. Columns before `first` are left out; the state is painted.
pub(super) fn aligned(
    head: &[&str],
    rows: Vec<(Tone, Vec<String>)>,
    first: usize,
    style: Style,
) -> String {
    let head: Vec<String> = head.iter().map(|&word| word.to_owned()).collect();
    let columns = head.len();
    let mut all = vec![(Tone::Strong, head)];
    all.extend(rows);
    let width = |column: usize| {
        let cells = all.iter().filter_map(|(_, row)| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut page = String::new();
    for (index, (tone, row)) in all.iter().enumerate() {
        let cells = row.iter().zip(&widths).enumerate().skip(first);
        let line: Vec<String> = cells
            .map(|(column, (cell, width))| {
                let padded = format!("{cell:width$}");
                if index == 0 || column == STATE {
                    style.paint(*tone, &padded)
                } else {
                    padded
                }
            })
            .collect();
        page.push_str(line.join("  ").trim_end());
        page.push('\n');
    }
    page
}

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
