//! Which keys of a store SecretSyncs require: pure.

use std::collections::BTreeSet;

use penstock_domain::items::ItemPlace;
use penstock_domain::names::Key;
use penstock_domain::stores::access::RemotePath;
use penstock_domain::sync::{Origin, Rename, StoreReference, ValidatedSource, ValidatedSync};

/// What syncs require of a store.
#[derive(Debug, Default)]
pub struct Required {
    /// The items, with the keys that each must have, under their names in the store.
    pub items: Vec<(ItemPlace, BTreeSet<String>)>,
    /// What cannot be told, and why: one sentence each.
    pub unclear: Vec<String>,
}

/// What `syncs` require of `store`.
pub fn required<'a>(
    syncs: impl IntoIterator<Item = &'a ValidatedSync>,
    store: &StoreReference,
) -> Required {
    let mut found = Required::default();
    for sync in syncs {
        let reads =
            |source: &&ValidatedSource| matches!(&source.origin, Origin::Store(of) if of == store);
        for source in sync.sources.iter().filter(reads) {
            if source.require.is_empty() {
                continue;
            }
            let (place, keys) = match of_source(sync, source, store) {
                Ok(wanted) => wanted,
                Err(why) => {
                    let sentence = format!(
                        "{}/{} source {}: {why}",
                        sync.id.namespace, sync.id.name, source.name
                    );
                    found.unclear.push(sentence);
                    continue;
                }
            };
            match found
                .items
                .iter_mut()
                .find(|(known, _)| same(known, &place))
            {
                Some((_, wanted)) => wanted.extend(keys),
                None => found.items.push((place, keys.into_iter().collect())),
            }
        }
    }
    found
}

/// Whether two places are one: the slash that says folder makes no other item of it.
fn same(one: &ItemPlace, other: &ItemPlace) -> bool {
    let name = |place: &ItemPlace| ItemPlace {
        path: place.path.clone().as_folder(),
        ..place.clone()
    };
    name(one) == name(other)
}

fn of_source(
    sync: &ValidatedSync,
    source: &ValidatedSource,
    store: &StoreReference,
) -> Result<(ItemPlace, Vec<String>), &'static str> {
    if source.version.is_some() {
        return Err("a pinned version cannot be added to");
    }
    if source.extract.is_some() || source.field.is_some() || source.decode.is_some() {
        return Err(
            "its keys are made of a field, a document or an encoding: make them by `penstock set`",
        );
    }
    let path = RemotePath::parse(&source.path).map_err(|_| "its path is none")?;
    if source.select.recursive {
        return Err("it reads folders, and nothing says which of them should hold a key");
    }
    if !(source.select.tags_any.is_empty() && source.select.tags_all.is_empty()) {
        return Err("it takes keys by their tags, and what is made has none");
    }
    let keys: Option<Vec<String>> = source
        .require
        .iter()
        .map(|key| name_at_store(&source.rename, key))
        .collect();
    let keys =
        keys.ok_or("its `rename` cannot be undone to tell what keys are called in the store")?;
    let place = ItemPlace {
        namespace: sync.id.namespace.clone(),
        store: store.clone(),
        environment: source.environment.clone(),
        options: source.options.clone(),
        path,
    };
    Ok((place, keys))
}

/// What a key is called before it is renamed; none where several names would do, or none that can be told.
fn name_at_store(rename: &Rename, key: &Key) -> Option<String> {
    let plain = rename.replace.is_empty() && rename.map.is_empty() && rename.case.is_none();
    let bare = key.as_str().strip_prefix(rename.prefix.as_str())?;
    plain.then(|| format!("{}{bare}", rename.strip_prefix))
}
