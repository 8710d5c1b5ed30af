//! Small texts that conditions, events and plans share.

/// How many key names a message shows before it counts.
pub const SHOWN_KEYS: usize = 20;

/// `A, B, C`, at most [`SHOWN_KEYS`] names, then `+n`.
pub fn key_list<S: AsRef<str>>(names: &[S]) -> String {
    let shown: Vec<&str> = names.iter().take(SHOWN_KEYS).map(AsRef::as_ref).collect();
    let rest = names.len().saturating_sub(SHOWN_KEYS);
    if rest == 0 {
        shown.join(", ")
    } else {
        format!("{}, +{rest}", shown.join(", "))
    }
}

/// At most `limit` bytes of `text`, cut at a character, with an ellipsis where it was cut.
pub fn shorten(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let end = (0..=limit.saturating_sub('…'.len_utf8()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0);
    format!("{}…", text.get(..end).unwrap_or_default())
}

/// The name of `known` that somebody who wrote `written` most likely meant; none when nothing is near.
///
/// Near is an edit distance (with neighbours swapped counted once) of at most a third of the longer name.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .filter(|name| name.len() <= MAX_COMPARED && written.len() <= MAX_COMPARED)
        .map(|name| {
            (
                distance(&written.to_lowercase(), &name.to_lowercase()),
                name,
            )
        })
        .filter(|(apart, name)| *apart * 3 <= name.chars().count().max(written.chars().count()))
        .min()
        .map(|(_, name)| name)
}

/// The longest name that is compared: the work grows with the product of both lengths.
const MAX_COMPARED: usize = 128;

/// The optimal string alignment distance.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let cost = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX / 2);
    let mut two_above: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=other.len()).collect();
    let mut before = None;
    for (index, here) in one.chars().enumerate() {
        let mut row = vec![index + 1];
        for (at, there) in other.iter().enumerate() {
            let replaced = cost(&above, at) + usize::from(here != *there);
            let dropped = cost(&above, at + 1) + 1;
            let added = cost(&row, at) + 1;
            let crossed = at > 0 && before == Some(*there) && other.get(at - 1) == Some(&here);
            let swapped = if crossed {
                cost(&two_above, at - 1) + 1
            } else {
                usize::MAX
            };
            row.push(replaced.min(dropped).min(added).min(swapped));
        }
        before = Some(here);
        two_above = std::mem::replace(&mut above, row);
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_the_name_that_was_meant() {
        let known = ["sources", "targets", "interval", "onUnavailable", "path"];
        for (written, meant) in [
            ("source", Some("sources")),
            ("tragets", Some("targets")),
            ("intervall", Some("interval")),
            ("onUnavailble", Some("onUnavailable")),
            ("onunavailable", Some("onUnavailable")),
            ("pth", Some("path")),
            ("zzz", None),
            ("", None),
            ("something else", None),
        ] {
            assert_eq!(nearest(written, known), meant, "{written}");
        }
        assert_eq!(distance("abcd", "acbd"), 1);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn long_lists_are_counted_not_shown() {
        let names: Vec<String> = (0..23).map(|index| format!("K{index}")).collect();
        assert!(key_list(&names).ends_with("K19, +3"));
        assert_eq!(key_list(&["A", "B"]), "A, B");
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(shorten("größer", 6), "gr…");
        assert_eq!(shorten("short", 5), "short");
    }
}
