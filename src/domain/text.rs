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

#[cfg(test)]
mod tests {
    use super::*;

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
