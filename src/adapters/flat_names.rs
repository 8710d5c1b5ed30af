//! Paths in systems whose names know no folders: a separator within the name stands for the slash.
//!
//! A path has one spelling for each name, whoever wrote it: `a/b` and `a--b` are the same secret and the same two
//! segments, so that what an `allow` entry holds is decided by what is read and not by how it is written.

use penstock_domain::stores::access::RemotePath;

/// What stands between segments unless a store says otherwise.
const USUAL: &str = "--";
/// The longest separator, in bytes.
const MAX_LENGTH: usize = 8;

/// What stands between the segments of a path in a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Separator(String);

/// The name of a secret, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    /// The folder, segments between slashes.
    pub(crate) folder: String,
    /// What the entry is called in it.
    pub(crate) name: String,
}

impl Separator {
    /// Reads a separator; `None` where it holds anything that `is_letter` does not allow in a name.
    pub(crate) fn parse(text: Option<&str>, is_letter: fn(u8) -> bool) -> Option<Self> {
        let text = text.unwrap_or(USUAL);
        let sound = !text.is_empty() && text.len() <= MAX_LENGTH && text.bytes().all(is_letter);
        sound.then(|| Self(text.to_owned()))
    }

    /// The path in its one spelling; `None` where a segment is empty then.
    pub(crate) fn canonical(&self, path: &RemotePath) -> Option<RemotePath> {
        if path.segments().is_empty() {
            return Some(path.clone());
        }
        let name = path.segments().join(&self.0);
        let segments: Vec<&str> = name.split(&self.0).collect();
        if segments.iter().any(|segment| segment.is_empty()) {
            return None;
        }
        let parsed = RemotePath::parse(&segments.join("/")).ok()?;
        Some(if path.is_folder() {
            parsed.as_folder()
        } else {
            parsed
        })
    }

    /// The name of the secret at a path.
    pub(crate) fn name_of(&self, path: &RemotePath) -> String {
        path.segments().join(&self.0)
    }

    /// What the names of all secrets in a folder begin with.
    pub(crate) fn prefix_of(&self, folder: &RemotePath) -> String {
        let mut prefix = self.name_of(folder);
        if !prefix.is_empty() {
            prefix.push_str(&self.0);
        }
        prefix
    }

    /// Takes a name apart.
    pub(crate) fn place(&self, name: &str) -> Placed {
        match name.rsplit_once(&self.0) {
            // A name that ends in the separator is not that of a folder: there are none.
            Some((folder, entry)) if !entry.is_empty() && !folder.is_empty() => Placed {
                folder: folder.replace(&self.0, "/"),
                name: entry.to_owned(),
            },
            _ => Placed {
                folder: String::new(),
                name: name.to_owned(),
            },
        }
    }

    /// Where the secret `name` lies in the folder whose names begin with `prefix`; `None` where it lies elsewhere.
    pub(crate) fn within(&self, prefix: &str, name: &str, recursive: bool) -> Option<Placed> {
        let begins = name
            .get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        let rest = name.get(prefix.len()..)?;
        if !begins || rest.is_empty() {
            return None;
        }
        let base = prefix.strip_suffix(self.0.as_str()).unwrap_or(prefix);
        let base = base.replace(&self.0, "/");
        let inner = self.place(rest);
        if inner.folder.is_empty() {
            return Some(Placed {
                folder: base,
                ..inner
            });
        }
        recursive.then(|| Placed {
            folder: if base.is_empty() {
                inner.folder
            } else {
                format!("{base}/{}", inner.folder)
            },
            name: inner.name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usual() -> Separator {
        Separator::parse(None, |byte| byte == b'-').unwrap()
    }

    fn path(text: &str) -> RemotePath {
        RemotePath::parse(text).unwrap()
    }

    #[test]
    fn a_name_has_one_path_however_it_is_written() {
        let separator = usual();
        for text in ["a/b/C", "a--b/C", "a/b--C", "a--b--C", "/a/b/C"] {
            let canonical = separator.canonical(&path(text)).unwrap();
            assert_eq!(canonical.segments(), ["a", "b", "C"], "{text}");
            assert_eq!(separator.name_of(&canonical), "a--b--C");
        }
        let folder = separator.canonical(&path("a--b/")).unwrap();
        assert!(folder.is_folder());
        assert_eq!(separator.prefix_of(&folder), "a--b--");
        assert_eq!(separator.prefix_of(&path("/")), "");
        for text in ["a----b", "--a", "a--", "a--/b"] {
            assert_eq!(separator.canonical(&path(text)), None, "{text}");
        }
    }

    #[test]
    fn a_folder_holds_what_begins_with_its_whole_name() {
        let separator = usual();
        let within = |prefix: &str, name: &str, recursive| {
            let placed = separator.within(prefix, name, recursive);
            placed.map(|placed| format!("{}:{}", placed.folder, placed.name))
        };
        for (prefix, name, recursive, expected) in [
            ("", "A", false, Some(":A")),
            ("", "shop--A", false, None),
            ("", "shop--A", true, Some("shop:A")),
            ("shop--", "shop--A", false, Some("shop:A")),
            ("shop--", "Shop--A", false, Some("shop:A")),
            ("shop--", "shop--db--A", false, None),
            ("shop--", "shop--db--A", true, Some("shop/db:A")),
            ("shop--", "shop-evil--A", true, None),
            ("shop--", "shop", true, None),
            ("shop--", "shop--", true, None),
            ("shop--", "shop--A--", true, Some("shop:A--")),
        ] {
            let found = within(prefix, name, recursive);
            assert_eq!(found.as_deref(), expected, "{prefix} {name} {recursive}");
        }
    }

    #[test]
    fn a_separator_is_made_of_what_names_are_made_of() {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        for (text, sound) in [
            (None, true),
            (Some("-"), true),
            (Some(""), false),
            (Some("/"), false),
            (Some("_"), false),
            (Some("---------"), false),
        ] {
            assert_eq!(Separator::parse(text, letter).is_some(), sound, "{text:?}");
        }
    }
}
