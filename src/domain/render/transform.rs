//! Keys that are made of the merged ones: templates, derivations, public SSH keys.
//!
//! Everything is made of the merged keys and nothing of what is made here, so there is no order and no
//! cycle. A key that is made takes the place of a merged key of its name, which its own template may use.
//!
//! **Where a made key belongs.** Targets select by tag, source and path. What is made of several keys carries
//! the tags that all of them have, their source when it is one, and the folder that all of them lie in: a
//! target gets it exactly when its selection would take everything that it is made of. What is made of
//! nothing (a constant) has no source and no tags.
//!
//! **Optional keys** (`transform.optional`): what is made of one that is absent is absent, too, unless its
//! template asks first (`is defined`, `default`, `{% if KEY %}`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::assemble::TemplateTexts;
use super::derive::derive;
use super::faults::{Faults, invalid, member_path, shown};
use super::ssh::public_key;
use super::template::{Engine, RenderTemplate, Rendered};
use crate::bundle::{Bundle, BundleEntry, MAX_BYTES, Provenance};
use crate::conditions::Reason;
use crate::fault::Fault;
use crate::keys::InstallationKey;
use crate::names::Key;
use crate::secret::SecretValue;
use crate::sync::{Making, Transform, ValidatedSync};

/// Applies `spec.transform` to the merged keys.
pub(super) fn transform(
    sync: &ValidatedSync,
    merged: Bundle,
    templates: &TemplateTexts,
    key: &InstallationKey,
    faults: &mut Faults,
) -> Bundle {
    let spec = &sync.transform;
    if spec.data.is_empty() && !spec.keep_only_declared {
        return merged;
    }
    let merged = Arc::new(merged);
    let mut maker = Maker {
        spec,
        merged: &merged,
        templates,
        engine: Engine::new(&sync.id, key, merged.clone(), &spec.optional),
    };
    let mut made = BTreeMap::new();
    let mut room = MAX_BYTES;
    for (name, making) in &spec.data {
        let path = member_path("spec.transform.data", name.as_str());
        match maker.make(&path, making) {
            Ok(Some(entry)) => {
                let left = room.checked_sub(entry.value.len());
                made.insert(name.clone(), entry);
                // Too large already, which the check of the whole tells: no memory is spent on the rest.
                let Some(left) = left else { break };
                room = left;
            }
            Ok(None) => {}
            Err(fault) => faults.push(*fault),
        }
    }
    drop(maker);
    if spec.keep_only_declared {
        return Bundle(made);
    }
    let mut bundle = Arc::try_unwrap(merged).unwrap_or_else(|shared| (*shared).clone());
    // A merged key whose replacement is absent is absent, too: its raw form was not asked for.
    bundle.0.retain(|name, _| !spec.data.contains_key(name));
    bundle.0.append(&mut made);
    bundle
}

struct Maker<'a> {
    spec: &'a Transform,
    merged: &'a Arc<Bundle>,
    templates: &'a TemplateTexts,
    engine: Engine,
}

impl Maker<'_> {
    /// One key; `None` when it is absent because an optional key that it is made of is.
    fn make(&mut self, path: &str, making: &Making) -> Result<Option<BundleEntry>, Box<Fault>> {
        match making {
            Making::Template(text) => self.render(&format!("{path}.template"), text.expose()),
            Making::TemplateFrom { config_map, key } => {
                let path = format!("{path}.templateFrom");
                match self.templates.get(config_map, key) {
                    Some(text) => self.render(&path, text),
                    None => Err(boxed(
                        invalid(
                            path,
                            format!(
                                "ConfigMap {} has no key {}",
                                shown(config_map.as_str()),
                                shown(key.as_str())
                            ),
                            Reason::NotFound,
                        )
                        .hint("Create it, in the namespace of the SecretSync"),
                    )),
                }
            }
            Making::Derive(how) => {
                let path = format!("{path}.derive");
                self.of_one(&path, &how.from, |seed| {
                    derive(seed, how).map_err(|error| failed(&path, error.to_string()))
                })
            }
            Making::SshPublicKey { from } => {
                let path = format!("{path}.sshPublicKey");
                self.of_one(&path, from, |private| {
                    public_key(private).map_err(|error| {
                        let message = format!("{} {error}", shown(from.as_str()));
                        failed(&path, message).hint(error.hint())
                    })
                })
            }
        }
    }

    fn of_one(
        &self,
        path: &str,
        from: &Key,
        make: impl FnOnce(&SecretValue) -> Result<SecretValue, Fault>,
    ) -> Result<Option<BundleEntry>, Box<Fault>> {
        match self.merged.0.get(from) {
            Some(entry) => Ok(Some(BundleEntry {
                value: make(&entry.value).map_err(boxed)?,
                provenance: shared_provenance([&entry.provenance]),
            })),
            None if self.spec.optional.contains(from) => Ok(None),
            None => {
                let message = format!("{} is absent", shown(from.as_str()));
                Err(boxed(self.absent(
                    &format!("{path}.from"),
                    message,
                    [from.as_str()],
                )))
            }
        }
    }

    fn render(&mut self, path: &str, text: &str) -> Result<Option<BundleEntry>, Box<Fault>> {
        match self.engine.render(text) {
            Ok(Rendered::Value(value, keys)) => Ok(Some(BundleEntry {
                value,
                provenance: self.provenance(&keys),
            })),
            Ok(Rendered::Absent) => Ok(None),
            Err(error) => Err(boxed(self.template_fault(path, &error))),
        }
    }

    fn template_fault(&self, path: &str, error: &RenderTemplate) -> Fault {
        let message = error.to_string();
        match error {
            RenderTemplate::Absent { names, .. } => {
                self.absent(path, message, names.iter().map(String::as_str))
            }
            RenderTemplate::NotText { .. } => {
                failed(path, message).hint("Bytes can be encoded first: `{{ KEY | b64encode }}`")
            }
            RenderTemplate::Output => invalid(path, message, Reason::TooLarge),
            _ => failed(path, message),
        }
    }

    fn absent<'n>(
        &self,
        path: &str,
        message: String,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Fault {
        let made = names
            .into_iter()
            .any(|name| self.spec.data.contains_key(name));
        failed(path, message).hint(if made {
            "What `transform` makes sees the sources' keys only, not what it makes elsewhere"
        } else {
            "Check `select` and `rename` of the sources, or list the key in `transform.optional`"
        })
    }

    fn provenance(&self, keys: &BTreeSet<Key>) -> Provenance {
        let entries = keys.iter().filter_map(|key| self.merged.0.get(key));
        shared_provenance(entries.map(|entry| &entry.provenance))
    }
}

fn boxed(fault: Fault) -> Box<Fault> {
    Box::new(fault)
}

fn failed(path: &str, message: String) -> Fault {
    invalid(path, message, Reason::RenderFailed)
}

/// What all of `inputs` have in common.
fn shared_provenance<'a>(inputs: impl IntoIterator<Item = &'a Provenance>) -> Provenance {
    let mut inputs = inputs.into_iter();
    let Some(first) = inputs.next() else {
        return Provenance::default();
    };
    let mut shared = Provenance {
        version: None,
        ..first.clone()
    };
    for input in inputs {
        shared.tags.retain(|tag| input.tags.contains(tag));
        if shared.source != input.source {
            shared.source = None;
        }
        shared.path = common_folder(&shared.path, &input.path);
    }
    if shared.source.is_none() {
        shared.path = String::new();
    }
    shared
}

/// The deepest folder that both paths are or lie in.
fn common_folder(one: &str, other: &str) -> String {
    one.split('/')
        .zip(other.split('/'))
        .take_while(|(one, other)| one == other)
        .map(|(segment, _)| segment)
        .collect::<Vec<_>>()
        .join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::SourceName;

    fn provenance(source: &str, path: &str, tags: &[&str]) -> Provenance {
        Provenance {
            source: Some(SourceName::new(source).unwrap()),
            path: path.to_owned(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            version: Some("1".to_owned()),
        }
    }

    #[test]
    fn what_is_made_belongs_where_all_of_its_inputs_belong() {
        let one = provenance("a", "x/y/z", &["api", "worker"]);
        let two = provenance("a", "x/y2", &["api"]);
        let other = provenance("b", "x/y", &["api"]);
        let shared = shared_provenance([&one, &two]);
        assert_eq!(shared.source, one.source);
        assert_eq!(shared.path, "x");
        assert_eq!(shared.tags, two.tags);
        assert_eq!(shared.version, None);
        let mixed = shared_provenance([&one, &other, &two]);
        assert_eq!((mixed.source, mixed.path.as_str()), (None, ""));
        assert_eq!(mixed.tags, two.tags);
        assert_eq!(shared_provenance([]), Provenance::default());
        assert_eq!(shared_provenance([&one]).path, "x/y/z");
    }
}
