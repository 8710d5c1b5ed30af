//! Folders, collections and projects nest by slashes in their names.

/// Whether `name` is the path of these segments.
pub(crate) fn is(name: &str, segments: &[String]) -> bool {
    name.split('/').eq(segments.iter().map(String::as_str))
}

/// Whether `name` lies below the path of these segments.
pub(crate) fn is_below(name: &str, segments: &[String]) -> bool {
    let mut own = name.split('/');
    segments.iter().all(|segment| own.next() == Some(segment)) && own.next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_segment_by_segment() {
        let of = |text: &str| -> Vec<String> { text.split('/').map(str::to_owned).collect() };
        assert!(is("a/b", &of("a/b")));
        assert!(!is("a/b", &of("a")) && !is("a", &of("a/b")) && !is("ab", &of("a")));
        assert!(is_below("a/b", &of("a")) && is_below("a/b/c", &of("a")));
        assert!(!is_below("ab", &of("a")) && !is_below("a", &of("a")));
        assert!(is_below("a", &[]), "everything lies below the root");
    }
}
