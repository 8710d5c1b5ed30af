//! One JSON object. Strings are values as they are; anything else is its JSON text.
//!
//! A merge changes single members and leaves the rest of the text as it stands, white space and order included.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::document::{Layout, Located, ReadDocument};
use super::json_node::{Node, node, text_of};

/// What stands where. `value_at` is the value, `whole` begins after the brace or comma before the member and
/// ends with the value.
pub(super) fn locate(text: &str) -> Result<Layout, ReadDocument> {
    if text.trim().is_empty() {
        return Ok(Layout::default());
    }
    let whole: &RawValue = serde_json::from_str(text).map_err(|_| ReadDocument::NotJson)?;
    let Ok(Node::Object(members)) = node(whole) else {
        return Err(ReadDocument::NotJson);
    };
    let offset = |part: &str| (part.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
    let mut from = text.find('{').map_or(0, |brace| brace + 1);
    let mut layout = Layout::default();
    for (name, raw) in members {
        let start = offset(raw.get());
        let end = start + raw.get().len();
        layout.entries.push(Located {
            name,
            value: text_of(raw).map_err(|_| ReadDocument::NotJson)?,
            whole: from..end,
            value_at: start..end,
        });
        from = text
            .get(end..)
            .and_then(|rest| rest.find([',', '}']))
            .map_or(end, |found| end + found + 1);
    }
    Ok(layout)
}

/// A value as a JSON string.
pub(super) fn quote(value: &str) -> Zeroizing<String> {
    // A string has a JSON text whatever it holds.
    Zeroizing::new(serde_json::to_string(value).unwrap_or_default())
}

/// The text with members set and removed.
pub(super) fn merge(
    text: &str,
    layout: &Layout,
    set: &BTreeMap<&str, &str>,
    remove: &BTreeSet<&str>,
) -> Zeroizing<String> {
    let part = |range: Range<usize>| text.get(range).unwrap_or_default();
    let first = layout
        .entries
        .first()
        .map(|entry| part(entry.whole.clone()));
    let indent = first.map_or("\n  ", |member| {
        member.split_once('"').map_or("", |(blanks, _)| blanks)
    });
    let mut members: Vec<Zeroizing<String>> = Vec::new();
    for entry in &layout.entries {
        if remove.contains(entry.name.as_str()) {
            continue;
        }
        let before = part(entry.whole.start..entry.value_at.start);
        let value = match set.get(entry.name.as_str()) {
            Some(value) if **value != **entry.value => quote(value),
            _ => Zeroizing::new(part(entry.value_at.clone()).to_owned()),
        };
        members.push(Zeroizing::new(format!("{before}{}", value.as_str())));
    }
    let known: BTreeSet<&str> = layout
        .entries
        .iter()
        .map(|entry| entry.name.as_str())
        .collect();
    for (name, value) in set.iter().filter(|(name, _)| !known.contains(*name)) {
        let (name, value) = (quote(name), quote(value));
        members.push(Zeroizing::new(format!(
            "{indent}{}: {}",
            name.as_str(),
            value.as_str()
        )));
    }
    let (open, close) = braces(text, layout, members.is_empty());
    let mut merged = Zeroizing::new(open.to_owned());
    for (at, member) in members.iter().enumerate() {
        if at > 0 {
            merged.push(',');
        }
        merged.push_str(member);
    }
    if layout.entries.is_empty() && !members.is_empty() && !close.starts_with(char::is_whitespace) {
        merged.push('\n');
    }
    merged.push_str(close);
    merged
}

/// What stands before the first member and behind the last.
fn braces<'a>(text: &'a str, layout: &Layout, becomes_empty: bool) -> (&'a str, &'a str) {
    let part = |range: Range<usize>| text.get(range).unwrap_or_default();
    let open = text.find('{').map_or("{", |brace| part(0..brace + 1));
    let close = match layout.entries.last() {
        Some(last) => part(last.whole.end..text.len()),
        None if text.trim().is_empty() => "\n}\n",
        None if becomes_empty => part(open.len()..text.len()),
        None => text
            .rfind('}')
            .map_or("\n}\n", |brace| part(brace..text.len())),
    };
    (open, close)
}
