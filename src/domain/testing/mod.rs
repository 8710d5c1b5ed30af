//! For the tests of every room: builders, in-memory ports, the contract suite.

use crate::keys::{InstallationId, InstallationKey, KEY_LENGTH};
use crate::names::{NamespaceName, ObjectName, SyncId};

/// An installation key that is the same for the same seed.
#[expect(
    clippy::expect_used,
    reason = "a constant that fits; test support only"
)]
pub fn installation_key(seed: u8) -> InstallationKey {
    let id = InstallationId::new("test-installation").expect("a good id");
    InstallationKey::new([seed; KEY_LENGTH], id)
}

/// A sync's id from two names that must be good.
#[expect(
    clippy::expect_used,
    reason = "names in tests are good; test support only"
)]
pub fn sync_id(namespace: &str, name: &str) -> SyncId {
    SyncId {
        namespace: NamespaceName::new(namespace).expect("a good namespace"),
        name: ObjectName::new(name).expect("a good name"),
    }
}
