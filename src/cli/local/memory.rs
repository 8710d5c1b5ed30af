//! What `--record` and `--key` mean for an invocation: which stores they lead to, and what must not be the same.

use penstock_domain::names::NamespaceName;
use penstock_domain::stores::access::RemotePath;
use penstock_domain::sync::{Origin, StoreKind, StoreReference};

use super::credentials::StoreEntry;
use super::invocation::Invocation;
use super::touches::{Touch, follow_store};
use crate::arguments::{KeyOrigin, RecordPlace, StateArguments};
use crate::documents::{Problem, Problems};

impl Invocation {
    /// Adds what a record and a key in stores touch. Refuses stores that are not among the documents, a record that is
    /// also a source, and a key that lies with the record which it seals.
    pub fn remember_by(
        &mut self,
        state: &StateArguments,
        namespace: &NamespaceName,
    ) -> Result<(), Problems> {
        if let Some(RecordPlace::Store(entry)) = &state.record {
            let record = path("--record", entry)?;
            self.is_no_source(&entry.store, &record)?;
            let mut namespaces: Vec<NamespaceName> = self
                .syncs
                .iter()
                .map(|chosen| chosen.sync.id.namespace.clone())
                .collect();
            namespaces.dedup();
            for namespace in namespaces {
                self.reach("--record", &namespace, &entry.store)?;
            }
            let touch = format!("{}, {}", entry.store, record.to_text());
            self.touches.add(Touch::Record(touch));
        }
        if let Some(KeyOrigin::Store(entry)) = &state.key {
            self.reach("--key", namespace, &entry.store)?;
            if let Some(RecordPlace::Store(record)) = &state.record {
                let (key, place) = (path("--key", entry)?, path("--record", record)?);
                if entry.store == record.store && lies_in(&key, &place) {
                    let message = "is kept beside the records that it seals";
                    return Err(Problem::new(None, "--key", message)
                        .hint("Keep it at another path, best in another store")
                        .into());
                }
            }
        }
        Ok(())
    }

    fn reach(
        &mut self,
        flag: &str,
        namespace: &NamespaceName,
        store: &StoreReference,
    ) -> Result<(), Problems> {
        let home = match store.kind {
            StoreKind::Namespaced => namespace,
            StoreKind::Cluster => &self.operator_namespace,
        };
        if !self
            .documents
            .stores
            .contains_key(&(home.clone(), store.clone()))
        {
            let message = format!("{store} is not among the documents (namespace {home})");
            return Err(Problem::new(None, flag, message)
                .hint("Name the file that holds it by another `-f`")
                .into());
        }
        let touches = follow_store(
            (namespace, store),
            &self.documents,
            &self.secrets,
            &self.operator_namespace,
        )?;
        self.touches.join(touches);
        Ok(())
    }

    fn is_no_source(&self, store: &StoreReference, record: &RemotePath) -> Result<(), Problems> {
        for chosen in &self.syncs {
            for (index, source) in chosen.sync.sources.iter().enumerate() {
                let reads = matches!(&source.origin, Origin::Store(of) if of == store);
                let Ok(path) = RemotePath::parse(&source.path) else {
                    continue;
                };
                let meets =
                    lies_in(&path, record) || source.select.recursive && lies_in(record, &path);
                if reads && meets {
                    let field = format!("spec.sources[{index}].path");
                    let at = Some(chosen.origin.find(&field));
                    let message =
                        "reads where --record keeps the records, which are never a source";
                    return Err(Problem::new(at, field, message).into());
                }
            }
        }
        Ok(())
    }
}

fn path(flag: &str, entry: &StoreEntry) -> Result<RemotePath, Problems> {
    RemotePath::parse(&entry.path)
        .map_err(|problem| Problem::new(None, flag, format!("the path {problem}")).into())
}

fn lies_in(path: &RemotePath, folder: &RemotePath) -> bool {
    path.segments().starts_with(folder.segments())
}
