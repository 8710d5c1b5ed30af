//! A target that goes by another name while its object stays: what we own there stays ours.

use std::collections::BTreeMap;

use super::TargetRecord;
use crate::keys::{ContentHash, InstallationKey};
use crate::names::{Key, SyncId, TargetName};
use crate::secret::SecretValue;

/// A target's former name and its present one.
#[derive(Debug, Clone, Copy)]
pub struct Renaming<'a> {
    /// The sync that both belong to.
    pub sync: &'a SyncId,
    /// The name under which the record knows the object.
    pub from: &'a TargetName,
    /// The name in the spec.
    pub to: &'a TargetName,
}

impl Renaming<'_> {
    /// What we own, under the present name. Hashes are bound to a target's name, so each is made anew from the
    /// value that it stands for, which is among `known`: what stands there, and what should. A hash of some
    /// other value stays, and equals nothing: that value was edited or replaced.
    pub fn rebase(
        &self,
        owned: &TargetRecord,
        known: &[&BTreeMap<Key, SecretValue>],
        key: &InstallationKey,
    ) -> TargetRecord {
        let rebase = |hashes: &BTreeMap<Key, ContentHash>| -> BTreeMap<Key, ContentHash> {
            let one = |(name, hash): (&Key, &ContentHash)| {
                let mut values = known.iter().filter_map(|values| values.get(name));
                let value = values
                    .find(|value| key.content_hash(self.sync, self.from, name, value) == *hash);
                let rebased = value.map_or_else(
                    || hash.clone(),
                    |value| key.content_hash(self.sync, self.to, name, value),
                );
                (name.clone(), rebased)
            };
            hashes.iter().map(one).collect()
        };
        let before = match &owned.before {
            super::Before::Absent => super::Before::Absent,
            super::Before::Keys(keys) => super::Before::Keys(rebase(keys)),
        };
        TargetRecord {
            keys: rebase(&owned.keys),
            before,
            ..owned.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Revision;
    use crate::record::Before;
    use crate::testing::{installation_key, key, sync};

    fn values(entries: &[(&str, &str)]) -> BTreeMap<Key, SecretValue> {
        let own = |(name, value): &(&str, &str)| (key(name), SecretValue::from(*value));
        entries.iter().map(own).collect()
    }

    #[test]
    fn hashes_of_known_values_are_made_anew_and_others_equal_nothing() {
        let (installation, id) = (installation_key(1), sync().id);
        let names = ["old", "new"].map(|name| TargetName::new(name).unwrap());
        let [from, to] = &names;
        let hashes = |name: &TargetName, entries: &[(&str, &str)]| -> BTreeMap<Key, ContentHash> {
            let values = values(entries).into_iter();
            let hash = |(key, value)| {
                let hash = installation.content_hash(&id, name, &key, &value);
                (key, hash)
            };
            values.map(hash).collect()
        };
        let owned = TargetRecord {
            format: None,
            kind: "Secret".to_owned(),
            object: "panbot".to_owned(),
            revision: Revision::from_text("r"),
            keys: hashes(from, &[("A", "1"), ("B", "1"), ("C", "1")]),
            before: Before::Keys(hashes(from, &[("A", "0"), ("B", "1")])),
            whole: true,
            delete_with_sync: false,
            saved: 1,
        };
        let standing = values(&[("A", "1"), ("B", "edited"), ("C", "edited")]);
        let desired = values(&[("B", "1"), ("C", "2")]);
        let renaming = Renaming {
            sync: &id,
            from,
            to,
        };
        let rebased = renaming.rebase(&owned, &[&standing, &desired], &installation);
        let expected = hashes(to, &[("A", "1"), ("B", "1")]);
        let mut keys = rebased.keys.clone();
        assert_eq!(keys.remove(&key("C")), owned.keys.get(&key("C")).cloned());
        assert_eq!(keys, expected);
        let before = rebased.before_keys();
        assert_eq!(before.get(&key("B")), expected.get(&key("B")));
        assert_eq!(before.get(&key("A")), owned.before_keys().get(&key("A")));
        assert_eq!(rebased.object, owned.object);
    }
}
