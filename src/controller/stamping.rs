//! What a ClusterSecretSync does in which namespace. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use kube::core::{Selector, SelectorExt as _};
use penstock_domain::admit::Problems;
use penstock_domain::api::cluster_sync::{ClusterSecretSyncSpec, TemplateMetadata};
use penstock_domain::api::secret_sync::SecretSync;
use penstock_domain::api::status::{Condition, ConditionStatus};
use penstock_domain::conditions::{ConditionType, Reason};
use penstock_domain::names::{NamespaceName, ObjectName};
use penstock_domain::report::cluster_sync::Stamped;
use penstock_domain::reserved::{GROUP, STAMPED_BY_ANNOTATION, STAMPED_METADATA_ANNOTATION};
use serde_json::{Map, Value, json};

use crate::patch::{difference, precondition};
use crate::world::{TrackedSync, UnreadableSpec};

/// The labels of every namespace.
pub(crate) type Namespaces = BTreeMap<NamespaceName, Arc<BTreeMap<String, String>>>;

/// What is to be done in one namespace.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stamp {
    /// There is no SecretSync of that name: make this one.
    Create(Box<SecretSync>),
    /// Ours differs from the template: this merge patch makes it equal, in exactly the version that was seen.
    Update(Value),
    /// Nothing; this is how it stands.
    Nothing(Stamped),
}

/// Why a template is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RefusedTemplate {
    pub(crate) reason: Reason,
    pub(crate) message: String,
}

impl RefusedTemplate {
    /// The spec is not what this version's types say.
    pub(crate) fn unreadable(unreadable: &UnreadableSpec) -> Self {
        invalid(unreadable.to_string())
    }

    /// The SecretSync that the template makes has problems, each with its field below `spec`.
    pub(crate) fn of_template(problems: &Problems) -> Self {
        Self {
            reason: problems.reason(),
            message: format!("spec.template: {problems}"),
        }
    }
}

fn invalid(message: impl Into<String>) -> RefusedTemplate {
    RefusedTemplate {
        reason: Reason::InvalidSpec,
        message: message.into(),
    }
}

/// A template that can be stamped.
#[derive(Debug)]
pub(crate) struct Template<'a> {
    spec: &'a ClusterSecretSyncSpec,
    metadata: TemplateMetadata,
    selector: Selector,
    /// The ClusterSecretSync.
    owner: &'a ObjectName,
    /// The name of the SecretSync in each namespace.
    pub(crate) name: ObjectName,
}

impl<'a> Template<'a> {
    /// Takes the template of the ClusterSecretSync `owner`; the SecretSync that it makes has been admitted by
    /// `admit`, which says what is wrong with it.
    pub(crate) fn of(
        owner: &'a ObjectName,
        spec: &'a ClusterSecretSyncSpec,
        admit: impl FnOnce(&SecretSync) -> Result<(), RefusedTemplate>,
    ) -> Result<Self, RefusedTemplate> {
        let name = match &spec.name {
            None => owner.clone(),
            Some(name) => ObjectName::new(name.as_str())
                .map_err(|error| invalid(format!("spec.name: {error}")))?,
        };
        let selector = Selector::try_from(meta::LabelSelector::from(&spec.namespace_selector))
            .map_err(|_| invalid("spec.namespaceSelector: is not a label selector"))?;
        let metadata = spec.template.metadata.clone().unwrap_or_default();
        check_metadata(&metadata)?;
        let template = Self {
            spec,
            metadata,
            selector,
            owner,
            name,
        };
        admit(&template.object(ANYWHERE))?;
        Ok(template)
    }

    /// The SecretSync as it should stand in `namespace`.
    pub(crate) fn object(&self, namespace: &str) -> SecretSync {
        let mut object = SecretSync::new(self.name.as_str(), self.spec.template.spec.clone());
        object.metadata.namespace = Some(namespace.to_owned());
        object.metadata.labels = Some(self.metadata.labels.clone());
        object.metadata.annotations = Some(self.annotations());
        object
    }

    /// The annotations of what is stamped: the template's and ours.
    fn annotations(&self) -> BTreeMap<String, String> {
        let mut annotations = self.metadata.annotations.clone();
        annotations.insert(STAMPED_BY_ANNOTATION.to_owned(), self.owner.to_string());
        if let Some(given) = self.given() {
            annotations.insert(STAMPED_METADATA_ANNOTATION.to_owned(), given);
        }
        annotations
    }

    /// What the template gives, to be remembered; none when it gives nothing.
    fn given(&self) -> Option<String> {
        (self.metadata != TemplateMetadata::default()).then(|| json!(self.metadata).to_string())
    }

    /// Whether a namespace with these labels is meant.
    pub(crate) fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        self.selector.matches(labels)
    }

    /// What is to be done in `namespace`, where `found` stands under the template's name.
    pub(crate) fn stamp(&self, namespace: &NamespaceName, found: Option<&TrackedSync>) -> Stamp {
        let Some(found) = found else {
            return Stamp::Create(Box::new(self.object(namespace.as_str())));
        };
        if found.stamped_by() != Some(self.owner.as_str()) {
            let message = format!(
                "SecretSync {} is there, and this ClusterSecretSync did not make it; rename or remove it",
                self.name
            );
            let reason = Reason::ForeignTarget.as_str().to_owned();
            return Stamp::Nothing(Stamped::Failed { reason, message });
        }
        let given = found.annotations.get(STAMPED_METADATA_ANNOTATION);
        let is_as_it_should = found
            .decode()
            .is_ok_and(|sync| sync.spec == self.spec.template.spec);
        if is_as_it_should && given.map(String::as_str) == self.given().as_deref() {
            Stamp::Nothing(standing(found))
        } else {
            Stamp::Update(self.update(found))
        }
    }

    /// What others added to the spec goes; what others added to the metadata stays.
    fn update(&self, found: &TrackedSync) -> Value {
        let former = found.annotations.get(STAMPED_METADATA_ANNOTATION);
        let former: TemplateMetadata = former
            .and_then(|given| serde_json::from_str(given).ok())
            .unwrap_or_default();
        let mut annotations = replaced(&former.annotations, &self.annotations());
        if self.given().is_none() {
            annotations.insert(STAMPED_METADATA_ANNOTATION.to_owned(), Value::Null);
        }
        let mut metadata = precondition(&found.uid, &found.resource_version);
        metadata["labels"] = replaced(&former.labels, &self.metadata.labels).into();
        metadata["annotations"] = annotations.into();
        let spec = difference(&found.spec_value(), &json!(self.spec.template.spec));
        json!({"metadata": metadata, "spec": spec.unwrap_or_else(|| json!({}))})
    }
}

/// The merge patch that sets `now` and takes away what only `former` has.
fn replaced(
    former: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
) -> Map<String, Value> {
    let gone = former.keys().map(|name| (name.clone(), Value::Null));
    let set = now.iter().map(|(name, value)| (name.clone(), json!(value)));
    gone.chain(set).collect()
}

/// Names under our prefix are the operator's and those of people who command one sync.
fn check_metadata(metadata: &TemplateMetadata) -> Result<(), RefusedTemplate> {
    let is_ours = |name: &&String| {
        let rest = name.strip_prefix(GROUP);
        rest.is_some_and(|rest| rest.starts_with('/'))
    };
    for (field, names) in [
        ("labels", &metadata.labels),
        ("annotations", &metadata.annotations),
    ] {
        if let Some(name) = names.keys().find(is_ours) {
            return Err(invalid(format!(
                "spec.template.metadata.{field}[{name}]: names under {GROUP}/ command one sync; leave it out"
            )));
        }
    }
    Ok(())
}

/// A namespace for the check of a template; no rule depends on it.
const ANYWHERE: &str = "default";

/// How a stamped SecretSync stands.
fn standing(sync: &TrackedSync) -> Stamped {
    let status = sync.status();
    let condition = |wanted: ConditionType| -> Option<&Condition> {
        let mut conditions = status.conditions.iter();
        conditions.find(|condition| {
            condition.condition_type == wanted.as_str()
                && condition.observed_generation == sync.generation
        })
    };
    let holds = |condition: &Condition| condition.status == ConditionStatus::True;
    match condition(ConditionType::Ready) {
        Some(ready) if holds(ready) => Stamped::Ready,
        Some(ready) if !condition(ConditionType::Reconciling).is_some_and(holds) => {
            Stamped::Failed {
                reason: ready.reason.clone(),
                message: ready.message.clone(),
            }
        }
        _ => Stamped::Pending,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn spec(value: Value) -> ClusterSecretSyncSpec {
        serde_json::from_value(value).unwrap()
    }

    fn common() -> Value {
        json!({
            "namespaceSelector": {"matchLabels": {"team": "a"}},
            "template": {
                "metadata": {"labels": {"app": "x"}},
                "spec": {
                    "sources": [{"name": "s", "literal": {"A": "1"}}],
                    "targets": [{"name": "env", "secret": {}}],
                },
            },
        })
    }

    fn owner() -> ObjectName {
        ObjectName::new("shared").unwrap()
    }

    const GIVEN: &str = r#"{"labels":{"app":"x"}}"#;

    fn prod() -> NamespaceName {
        NamespaceName::new("prod").unwrap()
    }

    fn found(spec: &Value, by: &str, conditions: &[(&str, &str)]) -> TrackedSync {
        let condition = |(name, status): &(&str, &str)| {
            json!({
                "type": name, "status": status, "reason": "Because", "message": "why",
                "observedGeneration": 2, "lastTransitionTime": "2026-01-01T00:00:00Z",
            })
        };
        let object = json!({
            "metadata": {
                "namespace": "prod", "name": "shared", "uid": "u", "resourceVersion": "7", "generation": 2,
                "annotations": {"penstock.dev/stamped-by": by, "penstock.dev/stamped-metadata": GIVEN},
            },
            "spec": spec,
            "status": {"conditions": conditions.iter().map(condition).collect::<Vec<_>>()},
        });
        TrackedSync::from_watch(serde_json::from_value(object).unwrap()).unwrap()
    }

    const READY: &[(&str, &str)] = &[("Ready", "True"), ("Reconciling", "False")];

    #[test]
    fn what_is_made_says_who_made_it() {
        let (spec, owner) = (spec(common()), owner());
        let template = Template::of(&owner, &spec, |_| Ok(())).unwrap();
        let object = template.object("prod");
        let annotations = object.metadata.annotations.unwrap();
        assert_eq!(
            annotations.get(STAMPED_BY_ANNOTATION).map(String::as_str),
            Some("shared")
        );
        assert_eq!(
            object
                .metadata
                .labels
                .unwrap()
                .get("app")
                .map(String::as_str),
            Some("x")
        );
        assert_eq!(
            annotations
                .get(STAMPED_METADATA_ANNOTATION)
                .map(String::as_str),
            Some(GIVEN)
        );
        assert!(matches!(template.stamp(&prod(), None), Stamp::Create(_)));
        assert!(template.selects(&BTreeMap::from([("team".to_owned(), "a".to_owned())])));
        assert!(!template.selects(&BTreeMap::new()));
    }

    #[test]
    fn what_is_as_it_should_be_is_told_as_it_stands() {
        let (spec, owner) = (spec(common()), owner());
        let template = Template::of(&owner, &spec, |_| Ok(())).unwrap();
        let wanted = common().pointer("/template/spec").unwrap().clone();
        let stamp =
            |conditions| template.stamp(&prod(), Some(&found(&wanted, "shared", conditions)));
        let failed = Stamped::Failed {
            reason: "Because".to_owned(),
            message: "why".to_owned(),
        };
        for (conditions, expected) in [
            (READY, Stamped::Ready),
            (&[], Stamped::Pending),
            (
                &[("Ready", "False"), ("Reconciling", "True")],
                Stamped::Pending,
            ),
            (&[("Ready", "False"), ("Stalled", "True")], failed),
        ] {
            assert_eq!(
                stamp(conditions),
                Stamp::Nothing(expected),
                "{conditions:?}"
            );
        }
    }

    #[test]
    fn what_somebody_else_made_is_told_and_left() {
        let (spec, owner) = (spec(common()), owner());
        let template = Template::of(&owner, &spec, |_| Ok(())).unwrap();
        let wanted = common().pointer("/template/spec").unwrap().clone();
        let foreign = template.stamp(&prod(), Some(&found(&wanted, "another", READY)));
        assert!(
            matches!(foreign, Stamp::Nothing(Stamped::Failed { reason, .. }) if reason == "ForeignTarget")
        );
    }

    #[test]
    fn an_update_takes_away_what_the_template_lost_and_what_others_put_into_the_spec() {
        let owner = owner();
        let mut now = common();
        now["template"]["metadata"] = json!({"annotations": {"a": "1"}});
        let spec = spec(now);
        let template = Template::of(&owner, &spec, |_| Ok(())).unwrap();
        let mut edited = common().pointer("/template/spec").unwrap().clone();
        edited["interval"] = json!("5m");
        let stamp = template.stamp(&prod(), Some(&found(&edited, "shared", READY)));
        let patch = json!({
            "metadata": {
                "uid": "u", "resourceVersion": "7", "labels": {"app": null},
                "annotations": {
                    "a": "1", "penstock.dev/stamped-by": "shared",
                    "penstock.dev/stamped-metadata": r#"{"annotations":{"a":"1"}}"#,
                },
            },
            "spec": {"interval": null},
        });
        assert_eq!(stamp, Stamp::Update(patch));
    }

    #[test]
    fn a_template_that_gives_no_metadata_any_more_leaves_no_note_of_it() {
        let owner = owner();
        let mut now = common();
        now["template"]["metadata"] = Value::Null;
        let spec = spec(now);
        let template = Template::of(&owner, &spec, |_| Ok(())).unwrap();
        let wanted = common().pointer("/template/spec").unwrap().clone();
        let stamp = template.stamp(&prod(), Some(&found(&wanted, "shared", READY)));
        let Stamp::Update(patch) = stamp else {
            panic!("{stamp:?}")
        };
        let note = patch.pointer("/metadata/annotations/penstock.dev~1stamped-metadata");
        assert_eq!(note, Some(&Value::Null));
        assert_eq!(patch.pointer("/metadata/labels/app"), Some(&Value::Null));
    }

    #[test]
    fn a_template_that_cannot_work_is_stamped_nowhere() {
        let owner = owner();
        let mut commanding = common();
        commanding["template"]["metadata"]["annotations"] = json!({"penstock.dev/approve": "x"});
        let mut misnamed = common();
        misnamed["name"] = json!("No_Name");
        for value in [commanding, misnamed] {
            let spec = spec(value);
            let refused = Template::of(&owner, &spec, |_| Ok(())).unwrap_err();
            assert_eq!(refused.reason, Reason::InvalidSpec);
        }
        let spec = spec(common());
        let problem = invalid("spec.sources[0]: is wrong");
        assert_eq!(
            Template::of(&owner, &spec, |_| Err(problem.clone())).unwrap_err(),
            problem
        );
    }
}
