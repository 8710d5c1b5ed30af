//! What a case needs of the place where targets lie.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::at::both;
use crate::names::{Key, NamespaceName};
use crate::ports::Targets;
use crate::secret::SecretValue;
use crate::sync::Destination;

/// Where targets lie, and what other people do there.
#[async_trait]
pub trait TargetWorld: Send + Sync {
    /// The port.
    fn targets(&self) -> &dyn Targets;
    /// A namespace that nobody else uses.
    fn namespace(&self) -> NamespaceName;
    /// The destinations that every case is run at.
    fn destinations(&self) -> Vec<Destination> {
        both().into()
    }
    /// Whether values may be any bytes, or must be text.
    fn holds_bytes(&self) -> bool {
        true
    }
    /// Whether an object keeps its uid when it is written.
    fn keeps_identity(&self) -> bool {
        true
    }
    /// Somebody else makes this object (an `Opaque` Secret, a ConfigMap, a file) with these keys.
    async fn plant(&self, destination: &Destination, data: &BTreeMap<Key, SecretValue>);
    /// Somebody else sets one key of the object by hand, or deletes it (`None`).
    async fn edit(&self, destination: &Destination, key: &Key, value: Option<&SecretValue>);
    /// Somebody else deletes the object.
    async fn delete(&self, destination: &Destination);
}
