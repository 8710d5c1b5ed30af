//! Small specs to start from. Names in tests are good, so these panic on bad ones.
#![expect(
    clippy::expect_used,
    reason = "test support: a bad name is a bug in the test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::api::rollout::OnFailure;
use crate::keys::{InstallationId, InstallationKey, KEY_LENGTH};
use crate::names::{Key, NamespaceName, ObjectName, SourceName, SyncId, TargetName};
use crate::sync::{
    Adopt, Conflicts, Destination, EntrySelection, History, OnUnavailable, Origin, Previous,
    Rename, Rollout, RulesDigest, SecretDestination, StoreKind, StoreReference, TargetSelection,
    Transform, ValidatedSource, ValidatedSync, ValidatedTarget, WorkloadKind, WorkloadScope,
};
use crate::workload::{Use, UsedKeys, UsedObject, WorkloadId, WorkloadView};

/// An installation key that is the same for the same seed.
pub fn installation_key(seed: u8) -> InstallationKey {
    let id = InstallationId::new("test-installation").expect("a good id");
    InstallationKey::new([seed; KEY_LENGTH], id)
}

/// A sync's id.
pub fn sync_id(namespace: &str, name: &str) -> SyncId {
    SyncId {
        namespace: NamespaceName::new(namespace).expect("a good namespace"),
        name: ObjectName::new(name).expect("a good name"),
    }
}

/// A source that reads the store `vault`.
pub fn source(name: &str) -> ValidatedSource {
    let store = StoreReference {
        kind: StoreKind::Namespaced,
        name: ObjectName::new("vault").expect("a good name"),
    };
    ValidatedSource {
        name: SourceName::new(name).expect("a good name"),
        origin: Origin::Store(store),
        environment: None,
        path: "app".to_owned(),
        field: None,
        options: crate::sync::SourceOptions::default(),
        extract: None,
        decode: None,
        version: None,
        select: EntrySelection::default(),
        rename: Rename::default(),
        require: Vec::new(),
        on_unavailable: OnUnavailable::KeepLast,
        skipped: false,
    }
}

/// A target that writes the Secret `object`.
pub fn target(name: &str, object: &str) -> ValidatedTarget {
    ValidatedTarget {
        name: TargetName::new(name).expect("a good name"),
        destination: Destination::Secret(SecretDestination::named(
            ObjectName::new(object).expect("a good name"),
        )),
        select: TargetSelection::default(),
        adopt: Adopt::Never,
        share_keys: false,
        delete_with_sync: false,
        repair: true,
    }
}

/// `prod/panbot`: source `vault`, target `env` that writes the Secret `panbot`, defaults for the rest.
pub fn sync() -> ValidatedSync {
    ValidatedSync {
        id: sync_id("prod", "panbot"),
        folder: std::path::PathBuf::new(),
        generation: 1,
        interval: Duration::from_mins(10),
        suspend: false,
        conflicts: Conflicts::LaterWins,
        sources: vec![source("vault")],
        transform: Transform::default(),
        targets: vec![target("env", "panbot")],
        validators: Vec::new(),
        rules: RulesDigest::default(),
        rollout: Rollout {
            restart: true,
            workloads: WorkloadScope::Discover,
            deadline: Duration::from_mins(10),
            after_tampering: true,
            max_restarts: 3,
            restart_window: Duration::from_hours(1),
            canary: None,
            waves: Vec::new(),
            on_failure: OnFailure::Hold,
            previous: Previous::Unknown,
            windows: Vec::new(),
            approval: false,
        },
        max_deletes: None,
        history: History {
            older: 2,
            max_age: Duration::from_hours(720),
            keep_values: true,
        },
    }
}

/// A healthy Deployment of two pods in `prod` that uses `keys` (all when empty) of the Secret `secret`.
pub fn deployment(name: &str, secret: &str, keys: &[&str]) -> WorkloadView {
    let keys = if keys.is_empty() {
        UsedKeys::All
    } else {
        UsedKeys::Only(
            keys.iter()
                .map(|key| (*key).to_owned())
                .collect::<BTreeSet<_>>(),
        )
    };
    WorkloadView {
        id: WorkloadId {
            kind: WorkloadKind::Deployment,
            namespace: NamespaceName::new("prod").expect("a good namespace"),
            name: ObjectName::new(name).expect("a good name"),
            uid: format!("uid-{name}"),
        },
        generation: 1,
        observed_generation: 1,
        replicas: 2,
        updated: 2,
        available: 2,
        existing: 2,
        paused: false,
        on_delete: false,
        stalled: None,
        controlled_by: None,
        managers: Vec::new(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        template_annotations: BTreeMap::new(),
        uses: vec![Use {
            object: UsedObject::Secret(secret.to_owned()),
            keys,
        }],
        pod_selector: format!("app={name}"),
    }
}

/// A key that must be good.
pub fn key(name: &str) -> Key {
    Key::new(name).expect("a good key")
}
