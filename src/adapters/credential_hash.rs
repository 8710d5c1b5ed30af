//! The name of what a store logs in with.

use sha2::{Digest as _, Sha256};

/// Names credentials without telling them, part by part: reads are shared only under equal ones.
pub(crate) fn hash_of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_credentials_do_not_run_into_each_other() {
        let hash = |parts: &[&str]| hash_of(parts.iter().map(|part| part.as_bytes()));
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
        assert_eq!(hash(&["ab", "c"]), hash(&["ab", "c"]));
    }
}
