//! The objects that stand in for targets while a revision is tried.

use std::collections::{BTreeMap, BTreeSet};

use penstock_domain::canary::{Candidate, CandidateKind, Trial};
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::{Key, SyncId};
use penstock_domain::ports::Canaries as _;
use penstock_domain::reserved::{CANARY_LABEL, MARKER_FIELD_MANAGER};
use penstock_domain::secret::SecretValue;
use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::names::{Marks, Role, resource, sync_label};
use super::{KubernetesCanaries, Workshop, in_between};
use crate::kubernetes::listing::Listing;
use crate::kubernetes::object::{ConfigMap, Encoded, Metadata, MetadataOnly, Secret, encode};
use crate::kubernetes::request::{Address, Call};

/// The type of a Secret that says none.
const OPAQUE: &str = "Opaque";

/// A candidate on its way to the API server.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    metadata: DocumentMetadata<'a>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    secret_type: Option<&'a str>,
    immutable: bool,
    data: BTreeMap<&'a str, Encoded>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    binary_data: BTreeMap<&'a str, Encoded>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DocumentMetadata<'a> {
    name: &'a str,
    labels: BTreeMap<&'static str, String>,
    owner_references: [Value; 1],
}

/// A candidate as it stands.
struct Standing {
    metadata: Metadata,
    secret_type: Option<String>,
    immutable: bool,
    data: BTreeMap<Key, SecretValue>,
}

impl From<Secret> for Standing {
    fn from(secret: Secret) -> Self {
        let values = secret.data.into_iter();
        Self {
            metadata: secret.metadata,
            secret_type: Some(secret.type_name),
            immutable: secret.immutable,
            data: values.map(|(key, value)| (key, value.0)).collect(),
        }
    }
}

impl From<ConfigMap> for Standing {
    fn from(map: ConfigMap) -> Self {
        let text = map.data.into_iter().map(|(key, value)| (key, value.0));
        let bytes = map.binary_data.into_iter();
        Self {
            metadata: map.metadata,
            secret_type: None,
            immutable: map.immutable,
            data: text
                .chain(bytes.map(|(key, value)| (key, value.0)))
                .collect(),
        }
    }
}

impl Standing {
    /// Ours as the trial has it. What is somebody else's may have changed since: it is not what is tried.
    fn holds(&self, candidate: &Candidate) -> bool {
        let ours = candidate.data.iter();
        let mut gone = candidate
            .ours
            .iter()
            .filter(|key| !candidate.data.contains_key(*key));
        ours.into_iter()
            .all(|(key, value)| self.data.get(key) == Some(value))
            && !gone.any(|key| self.data.contains_key(key))
    }

    fn is(&self, candidate: &Candidate, owner: &str) -> bool {
        self.immutable
            && self.secret_type.as_deref() == secret_type(candidate)
            && self.holds(candidate)
            && self
                .metadata
                .owner_references
                .iter()
                .any(|one| one.uid == owner)
    }
}

impl KubernetesCanaries {
    /// Makes those that are missing. One with other content is of an older spec: the whole trial is then begun anew,
    /// because its canary may have started on it.
    pub(super) async fn make_candidates(&self, workshop: &Workshop<'_>) -> Result<(), Fault> {
        for candidate in &workshop.trial.candidates {
            self.make(workshop, candidate).await?;
        }
        Ok(())
    }

    async fn make(&self, workshop: &Workshop<'_>, candidate: &Candidate) -> Result<(), Fault> {
        let resource = resource(candidate.kind);
        let stable = candidate.stable.as_str();
        let name = workshop.marks.candidate(candidate.kind, stable);
        let subject = format!("the stand-in for {} {stable}", resource.kind());
        let namespace = &workshop.sync.namespace;
        let stable_address = Address {
            resource,
            namespace,
            name: stable,
        };
        let stands = self
            .standing(stable_address, candidate.kind, &subject)
            .await?;
        let whole = with_others(candidate, stands.map(|stands| stands.data));
        let (data, binary_data) = encode(resource, &whole);
        let document = Document {
            api_version: resource.api_version(),
            kind: resource.kind(),
            metadata: DocumentMetadata {
                name: &name,
                labels: workshop.marks.labels(Role::Candidate),
                owner_references: [workshop.owner.reference()],
            },
            secret_type: secret_type(candidate),
            immutable: true,
            data,
            binary_data,
        };
        let call = Call::create(resource, namespace, MARKER_FIELD_MANAGER, &document);
        let created = self.api.call::<IgnoredAny>(&call.metadata_only()).await;
        match created {
            Ok(_) => return Ok(()),
            Err(failure) if failure.is_conflict() => {}
            Err(failure) => return Err(failure.fault(&subject)),
        }
        let address = Address {
            resource,
            namespace,
            name: &name,
        };
        let standing = self.standing(address, candidate.kind, &subject).await?;
        let Some(standing) = standing else {
            return Err(in_between(&subject));
        };
        if standing.metadata.deletion_timestamp.is_some() {
            return Err(in_between(&subject));
        }
        if standing.is(candidate, &workshop.owner.uid) {
            return Ok(());
        }
        let ours = sync_label(workshop.sync);
        if standing.metadata.labels.get(CANARY_LABEL) != Some(&ours) {
            let why = format!("somebody else's object has the name {name}");
            return Err(Fault::new(FaultClass::Conflict, &subject, why).hint("Delete it"));
        }
        self.stop(workshop.sync).await?;
        let why = "it held what the spec no longer says; the trial begins anew";
        Err(Fault::new(FaultClass::Conflict, subject, why))
    }

    /// Whether all of them are there: a container that starts again needs them.
    pub(super) async fn has_candidates(
        &self,
        (sync, trial): (&SyncId, &Trial),
        marks: &Marks,
    ) -> Result<bool, Fault> {
        for kind in [CandidateKind::Secret, CandidateKind::ConfigMap] {
            let wanted = trial
                .candidates
                .iter()
                .filter(|candidate| candidate.kind == kind);
            let wanted: BTreeSet<_> = wanted
                .map(|candidate| marks.candidate(kind, candidate.stable.as_str()))
                .collect();
            if wanted.is_empty() {
                continue;
            }
            let selector = marks.selector(Role::Candidate);
            let listing = Listing {
                resource: resource(kind),
                namespace: Some(&sync.namespace),
                selector: &selector,
                fields: "",
                metadata_only: true,
            };
            let listed = self.api.list(listing, |found: MetadataOnly| {
                let stays = found.metadata.deletion_timestamp.is_none();
                stays.then_some(found.metadata.name)
            });
            let found = listed.await.map_err(|failure| {
                failure.fault(&format!("stand-ins of the canary of {}", sync.name))
            })?;
            if !wanted.is_subset(&found.into_iter().collect()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn standing(
        &self,
        address: Address<'_>,
        kind: CandidateKind,
        subject: &str,
    ) -> Result<Option<Standing>, Fault> {
        let call = Call::get(address);
        let found = match kind {
            CandidateKind::Secret => {
                let found = self.api.find::<Secret>(&call).await;
                found.map(|found| found.map(Standing::from))
            }
            CandidateKind::ConfigMap => {
                let found = self.api.find::<ConfigMap>(&call).await;
                found.map(|found| found.map(Standing::from))
            }
        };
        found.map_err(|failure| failure.fault(subject))
    }
}

/// What the target will hold: ours as it is tried, and what is somebody else's as it stands.
fn with_others(
    candidate: &Candidate,
    stands: Option<BTreeMap<Key, SecretValue>>,
) -> BTreeMap<Key, SecretValue> {
    let mut whole = stands.unwrap_or_default();
    whole.retain(|key, _| !candidate.ours.contains(key));
    whole.extend(candidate.data.clone());
    whole
}

fn secret_type(candidate: &Candidate) -> Option<&str> {
    match candidate.kind {
        CandidateKind::Secret => Some(candidate.secret_type.as_deref().unwrap_or(OPAQUE)),
        CandidateKind::ConfigMap => None,
    }
}

#[cfg(test)]
mod tests {
    use penstock_domain::names::ObjectName;

    use super::*;

    fn data(entries: &[(&str, &str)]) -> BTreeMap<Key, SecretValue> {
        let entry = |(key, value): &(&str, &str)| {
            (
                Key::new(*key).unwrap(),
                SecretValue::new((*value).to_owned()),
            )
        };
        entries.iter().map(entry).collect()
    }

    #[test]
    fn a_stand_in_has_the_keys_of_others_and_not_ours_that_leave() {
        let candidate = Candidate {
            kind: CandidateKind::Secret,
            stable: ObjectName::new("env").unwrap(),
            secret_type: None,
            data: data(&[("A", "2")]),
            ours: data(&[("A", "1"), ("GONE", "1")]).into_keys().collect(),
        };
        let stands = data(&[("A", "1"), ("GONE", "1"), ("THEIRS", "x")]);
        let whole = with_others(&candidate, Some(stands));
        assert_eq!(whole, data(&[("A", "2"), ("THEIRS", "x")]));
        assert_eq!(with_others(&candidate, None), data(&[("A", "2")]));
    }
}
