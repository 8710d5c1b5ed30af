//! Names, labels and annotations that are ours: what carries them is never a source or a target.

use sha2::{Digest as _, Sha256};

use crate::keys::{InstallationId, hex};
use crate::names::{ObjectName, SyncId, TargetName};

/// The API group, and the prefix of every label and annotation of ours.
pub const GROUP: &str = "penstock.dev";

/// Label on every target object, with the value [`TRUE`]: it leads the operator's metadata watch to it.
pub const MANAGED_LABEL: &str = "penstock.dev/managed";
/// Label on every record object, with the value [`TRUE`].
pub const RECORD_LABEL: &str = "penstock.dev/record";
/// The value of labels that only say yes.
pub const TRUE: &str = "true";

/// Annotation on a target: whose it is, see [`owner_tag`]. Our record decides, this only tells people.
pub const OWNER_ANNOTATION: &str = "penstock.dev/owner";
/// The owner tag of an object that several syncs share.
pub const SHARED_OWNER: &str = "shared";
/// Annotation on a target: the keyed hash of what we wrote. Nothing trusts it.
pub const CONTENT_ANNOTATION: &str = "penstock.dev/content";
/// Annotation on a SecretSync: a new value asks for a read now.
pub const REFRESH_ANNOTATION: &str = "penstock.dev/refresh";
/// Annotation on a SecretSync: a new value lifts the rejections that were given before it.
pub const RETRY_ANNOTATION: &str = "penstock.dev/retry";
/// Annotation on a SecretSync: the revision that stays in use, whatever the sources bring.
pub const PIN_ANNOTATION: &str = "penstock.dev/pin";
/// Annotation on a SecretSync: revisions that leaked, separated by commas; they are purged and never come back.
pub const REVOKE_ANNOTATION: &str = "penstock.dev/revoke";
/// Annotation on a SecretSync: a new value drops all older revisions and rejections.
pub const FORGET_ANNOTATION: &str = "penstock.dev/forget";
/// Annotation on a SecretSync: the revision that skips soak and change windows.
pub const NOW_ANNOTATION: &str = "penstock.dev/now";
/// Annotation on a SecretSync: the revision whose rollout a person approves.
pub const APPROVE_ROLLOUT_ANNOTATION: &str = "penstock.dev/approve-rollout";
/// Annotation on a SecretSync: `<hash>.<generation>` of the one plan that a person approves.
pub const APPROVE_ANNOTATION: &str = "penstock.dev/approve";
/// Annotation on a SecretSync: who approves; an admission policy holds it to the user's name.
pub const BY_ANNOTATION: &str = "penstock.dev/by";
/// Annotation on a workload: the value `"false"` says that we never restart it.
pub const RELOAD_ANNOTATION: &str = "penstock.dev/reload";
/// Annotation on a Secret to be read from outside its namespace: `<cluster store>/<namespace>`.
pub const ACCEPT_FROM_ANNOTATION: &str = "penstock.dev/accept-from";
/// Annotation on a SecretSync: the ClusterSecretSync that stamps it. Without it, nothing of it is touched.
pub const STAMPED_BY_ANNOTATION: &str = "penstock.dev/stamped-by";
/// Annotation on a SecretSync that is stamped: the labels and annotations that the template gave it, as JSON, so
/// that those which the template drops can be taken away.
pub const STAMPED_METADATA_ANNOTATION: &str = "penstock.dev/stamped-metadata";
/// Label on whatever a trial makes: names the SecretSync, as a digest.
pub const CANARY_LABEL: &str = "penstock.dev/canary";
/// Label on whatever a trial makes: the revision that is tried.
pub const CANARY_REVISION_LABEL: &str = "penstock.dev/canary-revision";
/// Label on whatever a trial makes: what it is there for.
pub const CANARY_ROLE_LABEL: &str = "penstock.dev/canary-role";
/// Annotation on the Deployment or Job of a trial: a digest of what it was made as.
pub const CANARY_MADE_AS_ANNOTATION: &str = "penstock.dev/canary-made-as";
/// Annotation on a workload: what a canary of it overrides, as JSON.
pub const CANARY_PATCH_ANNOTATION: &str = "penstock.dev/canary-patch";
/// Annotation on a CronJob: the SecretSyncs, by name and separated by commas, whose trials may run it.
pub const ALLOW_RUN_ANNOTATION: &str = "penstock.dev/allow-run";
/// Readiness gate of a canary that keeps its labels: it never comes true, so that no Service sends traffic.
pub const CANARY_GATE: &str = "penstock.dev/canary";
/// Variable that each container of a canary has, with the value [`TRUE`].
pub const CANARY_VARIABLE: &str = "PENSTOCK_CANARY";
/// Finalizer on a SecretSync whose targets must be cleaned when it goes.
pub const CLEANUP_FINALIZER: &str = "penstock.dev/cleanup";

/// The Secret that holds installation key and id, in the operator's namespace.
pub const INSTALLATION_KEY_NAME: &str = "penstock-installation-key";

/// What record objects start with; a digit, a hyphen or a dot follows.
const RECORD_PREFIX: &str = "penstock-record";
/// What candidate objects of canaries start with.
pub const CANDIDATE_PREFIX: &str = "penstock-candidate-";
/// What Deployments and Jobs of canaries start with.
pub const CANARY_PREFIX: &str = "penstock-canary-";

/// What every field manager of ours at a target starts with.
pub const FIELD_MANAGER_PREFIX: &str = "penstock-";
/// The field manager of restart markers.
pub const MARKER_FIELD_MANAGER: &str = "penstock";

/// The field manager of one target of one sync: under a shared name, the second sync's apply would delete
/// the first one's keys.
pub fn field_manager(sync: &SyncId, target: &TargetName) -> String {
    let digest = Sha256::digest(format!("{sync}/{target}"));
    let short = digest.get(..8).unwrap_or(&digest);
    format!("{FIELD_MANAGER_PREFIX}{}", hex(short))
}

/// Whether a label or annotation of this name is ours.
pub fn is_reserved_metadata(name: &str) -> bool {
    name.strip_prefix(GROUP)
        .is_some_and(|rest| rest.starts_with('/'))
}

/// Whether an object of this name is ours alone: a record, a candidate or the installation key.
pub fn is_reserved_object(name: &str) -> bool {
    let record = name.strip_prefix(RECORD_PREFIX).is_some_and(|rest| {
        rest.trim_start_matches(|digit: char| digit.is_ascii_digit())
            .starts_with(['-', '.'])
    });
    record || name.starts_with(CANDIDATE_PREFIX) || name == INSTALLATION_KEY_NAME
}

/// The name of part `part` of the record of the SecretSync `sync`: `penstock-record-<sync>` for the first
/// (0), `penstock-record1-<sync>` and so on for what spilled over. Where that is longer than Kubernetes
/// allows, a hash of the name takes its place (`penstock-record.<hash>`), which no other sync's name can
/// look like.
#[expect(
    clippy::expect_used,
    reason = "a reserved prefix and an object name, or a hash, of checked length make an object name"
)]
pub fn record_object_name(sync: &ObjectName, part: u32) -> ObjectName {
    let prefix = match part {
        0 => RECORD_PREFIX.to_owned(),
        part => format!("{RECORD_PREFIX}{part}"),
    };
    let plain = format!("{prefix}-{sync}");
    let name = if plain.len() <= ObjectName::MAX_LENGTH {
        plain
    } else {
        let digest = Sha256::digest(sync.as_str());
        let short = digest.get(..16).unwrap_or(&digest);
        format!("{prefix}.{}", hex(short))
    };
    ObjectName::new(name).expect("a record's name is an object name")
}

/// Whose a target is: `<installation id>/<namespace>/<name>`.
pub fn owner_tag(installation: &InstallationId, sync: &SyncId) -> String {
    format!("{}/{}/{}", installation.as_str(), sync.namespace, sync.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::NamespaceName;

    fn name(text: &str) -> ObjectName {
        ObjectName::new(text).unwrap()
    }

    #[test]
    fn records_have_reserved_names_that_two_syncs_never_share() {
        let long = "a".repeat(250);
        let longer = format!("{}b", "a".repeat(249));
        let mut seen = std::collections::BTreeSet::new();
        for sync in ["a", "1-a", "1.a", "record-a", &long, &longer] {
            for part in [0, 1, 11] {
                let record = record_object_name(&name(sync), part);
                assert!(is_reserved_object(record.as_str()), "{record}");
                assert!(seen.insert(record.clone()), "{record} twice");
            }
        }
        assert_eq!(
            record_object_name(&name("panbot"), 0).as_str(),
            "penstock-record-panbot"
        );
    }

    #[test]
    fn only_our_own_names_are_reserved() {
        for ours in [
            "penstock-installation-key",
            "penstock-candidate-x",
            "penstock-record-x",
            "penstock-record12-x",
            "penstock-record.00ff",
        ] {
            assert!(is_reserved_object(ours), "{ours}");
        }
        for other in [
            "penstock",
            "penstock-records",
            "panbot",
            "x-penstock-record-x",
        ] {
            assert!(!is_reserved_object(other), "{other}");
        }
    }

    #[test]
    fn every_target_has_a_field_manager_of_its_own() {
        let sync = |namespace, sync| SyncId {
            namespace: NamespaceName::new(namespace).unwrap(),
            name: name(sync),
        };
        let target = |text| TargetName::new(text).unwrap();
        let manager = field_manager(&sync("a", "s"), &target("t"));
        assert_eq!(manager, "penstock-5a879ee5b335cbb0");
        for other in [
            field_manager(&sync("b", "s"), &target("t")),
            field_manager(&sync("a", "x"), &target("t")),
            field_manager(&sync("a", "s"), &target("x")),
        ] {
            assert_ne!(manager, other);
        }
    }

    #[test]
    fn an_owner_tag_names_installation_namespace_and_sync() {
        let sync = SyncId {
            namespace: NamespaceName::new("prod").unwrap(),
            name: name("panbot"),
        };
        let installation = InstallationId::new("test-installation").unwrap();
        assert_eq!(
            owner_tag(&installation, &sync),
            "test-installation/prod/panbot"
        );
    }
}
