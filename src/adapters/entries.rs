//! The entries of one answer, under the bounds of a bundle.

use penstock_domain::bundle::{MAX_BYTES, MAX_KEYS, SourceEntry};

/// Collects entries.
#[derive(Default)]
pub(crate) struct Entries {
    list: Vec<SourceEntry>,
    bytes: usize,
}

/// More keys or bytes than a bundle may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany;

impl Entries {
    /// Adds one, unless it would be one too many.
    pub(crate) fn add(&mut self, entry: SourceEntry) -> Result<(), TooMany> {
        self.bytes += entry.name.len() + entry.value.len();
        if self.list.len() >= MAX_KEYS || self.bytes > MAX_BYTES {
            return Err(TooMany);
        }
        self.list.push(entry);
        Ok(())
    }

    /// All of them, in order.
    pub(crate) fn into_list(self) -> Vec<SourceEntry> {
        self.list
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use penstock_domain::secret::SecretValue;

    use super::*;

    fn entry(bytes: usize) -> SourceEntry {
        SourceEntry {
            name: "K".to_owned(),
            path: String::new(),
            tags: BTreeSet::new(),
            version: None,
            value: SecretValue::new(vec![b'x'; bytes]),
        }
    }

    #[test]
    fn no_answer_is_larger_than_a_bundle() {
        let mut entries = Entries::default();
        for _ in 0..MAX_KEYS {
            entries.add(entry(0)).unwrap();
        }
        assert_eq!(entries.add(entry(0)), Err(TooMany));
        let mut entries = Entries::default();
        entries.add(entry(MAX_BYTES - 1)).unwrap();
        assert_eq!(entries.add(entry(0)), Err(TooMany));
        assert_eq!(entries.into_list().len(), 1);
    }
}
