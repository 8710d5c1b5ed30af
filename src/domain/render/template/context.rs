//! What a template sees: merged keys, handed over one by one as it looks them up.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use minijinja::value::{Enumerator, Object, ObjectRepr, Value};

use crate::bundle::Bundle;
use crate::names::Key;
use crate::secret::SecretValue;

/// The name of the map of all keys.
const ALL_KEYS: &str = "keys";

/// What one rendering looked up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Lookups {
    /// Keys that were there.
    pub(super) found: BTreeSet<Key>,
    /// Names that were not.
    pub(super) missed: BTreeSet<String>,
    /// The last of them: when a rendering stops at something undefined, most likely the cause.
    pub(super) last_missed: Option<String>,
    /// Keys whose value is no text and was used as text.
    pub(super) binary: BTreeSet<Key>,
}

/// The merged keys, and a diary of what was looked up.
pub(super) struct Merged {
    bundle: Arc<Bundle>,
    lookups: Mutex<Lookups>,
}

impl Merged {
    /// A context over `bundle`.
    pub(super) fn new(bundle: Arc<Bundle>) -> Arc<Self> {
        Arc::new(Self {
            bundle,
            lookups: Mutex::default(),
        })
    }

    /// The variables of a template.
    pub(super) fn variables(self: &Arc<Self>) -> Value {
        Value::from_object(Variables(self.clone()))
    }

    /// What was looked up so far; the diary starts anew.
    pub(super) fn take_lookups(&self) -> Lookups {
        std::mem::take(&mut self.diary())
    }

    fn diary(&self) -> MutexGuard<'_, Lookups> {
        self.lookups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look_up(self: &Arc<Self>, name: &str) -> Option<Value> {
        let Some((key, entry)) = self.bundle.0.get_key_value(name) else {
            let mut diary = self.diary();
            diary.missed.insert(name.to_owned());
            diary.last_missed = Some(name.to_owned());
            return None;
        };
        self.diary().found.insert(key.clone());
        Some(match entry.value.expose_text() {
            Some(text) => Value::from(text),
            None => Value::from_object(Binary {
                key: key.clone(),
                value: entry.value.clone(),
                merged: self.clone(),
            }),
        })
    }
}

/// `Debug` is what MiniJinja prints of some objects; it must not show content.
macro_rules! opaque_debug {
    ($type:ident) => {
        impl fmt::Debug for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(concat!(stringify!($type), "(***)"))
            }
        }
    };
}

struct Variables(Arc<Merged>);
opaque_debug!(Variables);

impl Object for Variables {
    fn get_value(self: &Arc<Self>, name: &Value) -> Option<Value> {
        self.get_value_by_str(name.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, name: &str) -> Option<Value> {
        if name == ALL_KEYS {
            Some(Value::from_object(AllKeys(self.0.clone())))
        } else {
            self.0.look_up(name)
        }
    }
}

struct AllKeys(Arc<Merged>);
opaque_debug!(AllKeys);

impl Object for AllKeys {
    fn get_value(self: &Arc<Self>, name: &Value) -> Option<Value> {
        self.0.look_up(name.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, name: &str) -> Option<Value> {
        self.0.look_up(name)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let names = self.0.bundle.0.keys();
        Enumerator::Values(names.map(|key| Value::from(key.as_str())).collect())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.0.bundle.0.len())
    }
}

/// A value that is no text. Filters for bytes take it; whoever takes it as text finds nothing in it, and
/// the rendering fails afterwards with the key's name.
pub(super) struct Binary {
    key: Key,
    value: SecretValue,
    merged: Arc<Merged>,
}
opaque_debug!(Binary);

impl Binary {
    /// The bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        self.value.expose()
    }

    /// Notes that it was used as text.
    pub(super) fn used_as_text(&self) {
        self.merged.diary().binary.insert(self.key.clone());
    }
}

impl Object for Binary {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    // An error here would make `to_string` panic inside the engine.
    fn render(self: &Arc<Self>, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.used_as_text();
        Ok(())
    }
}
