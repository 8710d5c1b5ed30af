//! What the objects of a trial are called, and the labels by which they are found again.

use std::collections::BTreeMap;

use penstock_domain::canary::{Candidate, CandidateKind, Trial};
use penstock_domain::keys::hex;
use penstock_domain::names::SyncId;
use penstock_domain::reserved::{
    CANARY_LABEL, CANARY_PREFIX, CANARY_REVISION_LABEL, CANARY_ROLE_LABEL, CANDIDATE_PREFIX,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::kubernetes::request::Resource;

/// What an object of a trial is there for.
#[derive(Clone, Copy)]
pub(super) enum Role<'a> {
    /// It stands in for a target.
    Candidate,
    /// The canary itself.
    Canary,
    /// A run of the check of this name.
    Check(&'a str),
}

impl Role<'_> {
    fn label(self) -> String {
        match self {
            Self::Candidate => "candidate".to_owned(),
            Self::Canary => "canary".to_owned(),
            Self::Check(name) => format!("check-{}", digest(&[name], 6)),
        }
    }
}

/// Names and labels of one trial: they follow from the sync and the revision alone, so that whoever takes over
/// finds what is there.
pub(super) struct Marks {
    sync: String,
    revision: String,
}

impl Marks {
    pub(super) fn of(sync: &SyncId, trial: &Trial) -> Self {
        let revision = trial.revision.as_str();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
        let bytes = revision.as_bytes();
        let label = bytes.len() <= 63
            && bytes.iter().all(|byte| plain(*byte))
            && edge(bytes.first().copied())
            && edge(bytes.last().copied());
        Self {
            sync: sync_label(sync),
            revision: if label {
                revision.to_owned()
            } else {
                digest(&[revision], 16)
            },
        }
    }

    /// The value of [`CANARY_LABEL`].
    pub(super) fn sync(&self) -> &str {
        &self.sync
    }

    /// The labels of an object.
    pub(super) fn labels(&self, role: Role<'_>) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            (CANARY_LABEL, self.sync.clone()),
            (CANARY_REVISION_LABEL, self.revision.clone()),
            (CANARY_ROLE_LABEL, role.label()),
        ])
    }

    /// A selector of what has these labels.
    pub(super) fn selector(&self, role: Role<'_>) -> String {
        let labels = self.labels(role);
        let terms: Vec<_> = labels
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        terms.join(",")
    }

    /// The name of a Deployment or Job; `from` is what it was made of, for people. At most 57 characters, so that it
    /// can be a label (a Job's pods bear its name as one).
    pub(super) fn name(&self, role: Role<'_>, from: &str) -> String {
        let digest = digest(&[&self.sync, &self.revision, &role.label(), from], 8);
        let short = cut(from, 24).replace('.', "-");
        let short = short.trim_matches('-');
        format!("{CANARY_PREFIX}{short}-{digest}")
    }

    /// The name of the object that stands in for a target.
    pub(super) fn candidate(&self, kind: CandidateKind, stable: &str) -> String {
        let kind = resource(kind).kind();
        let digest = digest(&[&self.sync, &self.revision, kind, stable], 8);
        let short = cut(stable, 200).trim_matches(['-', '.']);
        format!("{CANDIDATE_PREFIX}{short}-{digest}")
    }
}

/// A selector of everything that trials of a sync have made.
pub(super) fn everything(sync: &SyncId) -> String {
    format!("{CANARY_LABEL}={}", sync_label(sync))
}

/// Whether an object of this name was made by a trial.
pub(super) fn is_of_a_trial(name: &str) -> bool {
    name.starts_with(CANARY_PREFIX) || name.starts_with(CANDIDATE_PREFIX)
}

/// The value of [`CANARY_LABEL`]: a name may be longer than a label.
pub(super) fn sync_label(sync: &SyncId) -> String {
    digest(&[sync.namespace.as_str(), sync.name.as_str()], 16)
}

pub(super) fn resource(kind: CandidateKind) -> Resource {
    match kind {
        CandidateKind::Secret => Resource::Secret,
        CandidateKind::ConfigMap => Resource::ConfigMap,
    }
}

/// What a pod is to use instead of what it uses: candidates by the name of the target that they stand in for.
#[derive(Default)]
pub(super) struct Substitutes {
    pub(super) secrets: BTreeMap<String, String>,
    pub(super) config_maps: BTreeMap<String, String>,
}

impl Substitutes {
    pub(super) fn of(marks: &Marks, candidates: &[Candidate]) -> Self {
        let mut substitutes = Self::default();
        for candidate in candidates {
            let names = match candidate.kind {
                CandidateKind::Secret => &mut substitutes.secrets,
                CandidateKind::ConfigMap => &mut substitutes.config_maps,
            };
            let stable = candidate.stable.as_str();
            names.insert(stable.to_owned(), marks.candidate(candidate.kind, stable));
        }
        substitutes
    }
}

/// The SecretSync that owns what a trial makes, so that garbage collection takes what nobody else has taken away.
/// No `blockOwnerDeletion`: that takes a right on the owner's finalizers, and nothing has to wait.
pub(super) struct Owner {
    pub(super) name: String,
    pub(super) uid: String,
}

impl Owner {
    pub(super) fn reference(&self) -> Value {
        let resource = Resource::SecretSync;
        json!({
            "apiVersion": resource.api_version(),
            "kind": resource.kind(),
            "name": self.name,
            "uid": self.uid,
        })
    }
}

/// A digest of texts, each with its length before it: hexadecimal, `bytes` bytes.
pub(super) fn digest(parts: &[&str], bytes: usize) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let hash = hash.finalize();
    hex(hash.get(..bytes).unwrap_or(&hash))
}

/// The first characters of a name of Kubernetes, which are ASCII.
fn cut(text: &str, length: usize) -> &str {
    text.get(..length).unwrap_or(text)
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use jiff::Timestamp;
    use penstock_domain::canary::{Canary, CanaryLabels};
    use penstock_domain::keys::Revision;
    use penstock_domain::names::{NamespaceName, ObjectName};
    use penstock_domain::reserved::is_reserved_object;
    use penstock_domain::sync::WorkloadKind;
    use penstock_domain::workload::WorkloadId;

    use super::*;

    pub(in super::super) fn sync(name: &str) -> SyncId {
        SyncId {
            namespace: NamespaceName::new("prod").unwrap(),
            name: ObjectName::new(name).unwrap(),
        }
    }

    pub(in super::super) fn trial(revision: &str) -> Trial {
        let candidate = |kind, stable| Candidate {
            kind,
            stable: ObjectName::new(stable).unwrap(),
            secret_type: None,
            data: BTreeMap::new(),
            ours: BTreeSet::new(),
        };
        Trial {
            revision: Revision::from_text(revision),
            canary: Canary::Pod(
                WorkloadId {
                    kind: WorkloadKind::Deployment,
                    namespace: NamespaceName::new("prod").unwrap(),
                    name: ObjectName::new("api").unwrap(),
                    uid: "u".to_owned(),
                },
                CanaryLabels::Strip,
            ),
            candidates: vec![
                candidate(CandidateKind::Secret, "env"),
                candidate(CandidateKind::ConfigMap, "env"),
            ],
            begun: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn names_are_fit_for_what_they_name_and_of_one_trial_alone() {
        let long = format!("{}.x", "a".repeat(250));
        let mut seen = BTreeSet::new();
        for name in ["panbot", "pan.bot", &long] {
            for revision in ["0011aabb-0123456789abcdef", "1", "not a label!", "-x-"] {
                let marks = Marks::of(&sync(name), &trial(revision));
                for stable in ["env", "a.b-", &long] {
                    let roles = [Role::Canary, Role::Check("smoke"), Role::Check("other")];
                    for made in roles.map(|role| marks.name(role, stable)) {
                        assert!(made.len() <= 57 && ObjectName::new(made.as_str()).is_ok());
                        assert!(!made.contains('.'), "{made}");
                        assert!(seen.insert(made.clone()), "{made} twice");
                    }
                    for kind in [CandidateKind::Secret, CandidateKind::ConfigMap] {
                        let made = marks.candidate(kind, stable);
                        assert!(ObjectName::new(made.as_str()).is_ok(), "{made}");
                        assert!(is_reserved_object(&made), "{made}");
                        assert!(seen.insert(made.clone()), "{made} twice");
                    }
                }
                for value in marks.labels(Role::Check("x")).into_values() {
                    assert!(!value.is_empty() && value.len() <= 63, "{value}");
                }
            }
        }
    }

    #[test]
    fn a_secret_and_a_config_map_of_one_name_have_two_candidates() {
        let trial = trial("0011aabb-0123456789abcdef");
        let substitutes = Substitutes::of(&Marks::of(&sync("s"), &trial), &trial.candidates);
        assert_ne!(substitutes.secrets["env"], substitutes.config_maps["env"]);
    }
}
