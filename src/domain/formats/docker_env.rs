//! Files for `docker run --env-file`, as Docker's command line reads them (docker/cli, `pkg/kvfile`).
//!
//! - The file is UTF-8; a byte order mark is dropped. Lines end with `\n`, a `\r` before it goes, too. A line
//!   may be 64 KiB long, its end included (`bufio.MaxScanTokenSize`).
//! - Blanks before a name are dropped; empty lines and lines that start with `#` mean nothing.
//! - A line is `NAME=value`. The name holds no blank. The value is the rest of the line as it stands, blanks at
//!   its end, `#`, `$` and quotes included: nothing is expanded, nothing can span lines.
//! - Newer versions drop a pair of equal quotes around the whole value, older ones keep it. So a value of that
//!   form cannot be written, and is not understood where it is read.
//! - A line without `=` takes the variable from Docker's own environment: it is not understood here.

use super::document::{Layout, Located, ReadDocument, lines, without_end};
use zeroize::Zeroizing;

/// The longest line with its end that Docker reads.
const MAX_LINE: usize = 64 * 1024;

/// What stands where.
pub(super) fn locate(text: &str) -> Layout {
    let mut layout = Layout::default();
    for (number, (start, line)) in lines(text).enumerate() {
        let number = number + 1;
        let content = without_end(line);
        let trimmed = content.trim_start();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let Some((name, value)) = trimmed.split_once('=') else {
            let problem = ReadDocument::NoValue { line: number };
            layout.unknown.push((Some(trimmed.to_owned()), problem));
            continue;
        };
        if name.is_empty() || name.contains([' ', '\t']) {
            let problem = ReadDocument::NoAssignment { line: number };
            layout.unknown.push((None, problem));
            continue;
        }
        if is_quoted(value) {
            let problem = ReadDocument::Quoted { line: number };
            layout.unknown.push((Some(name.to_owned()), problem));
        }
        let end = start + content.len();
        layout.entries.push(Located {
            name: name.to_owned(),
            value: Zeroizing::new(value.to_owned()),
            whole: start..start + line.len(),
            value_at: end - value.len()..end,
        });
    }
    layout
}

/// Why a value cannot stand in such a file.
pub(super) fn refusal(name: &str, value: &str) -> Option<&'static str> {
    if value.contains('\n') {
        Some("spans lines, and Docker's env files have no quotes")
    } else if value.ends_with('\r') {
        Some("ends with a carriage return, which Docker takes for the end of the line")
    } else if is_quoted(value) {
        Some("begins and ends with the same quote, which versions of Docker read differently")
    } else if name.len() + value.len() + 2 > MAX_LINE {
        Some("is longer than the 64 KiB that Docker reads of a line")
    } else {
        None
    }
}

fn is_quoted(value: &str) -> bool {
    value.len() >= 2
        && ['\'', '"']
            .iter()
            .any(|quote| value.starts_with(*quote) && value.ends_with(*quote))
}
