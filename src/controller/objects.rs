//! Objects as watches bring them: trimmed while they are decoded, and never undecodable.
//!
//! A watch of our kinds must not stall because one object of them cannot be read. So a watch reads metadata
//! only and keeps spec and status as text; whoever works on the object decodes it, and a text that cannot be
//! decoded is a condition on that one object. The text is also the smallest form in which thousands of
//! objects can be kept. managedFields and foreign annotations are dropped before they take memory
//! (48 KB for one Secret of 1,000 keys).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Resource;
use kube::api::ObjectMeta;
use kube::core::DynamicResourceScope;
use penstock_domain::reserved::GROUP;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

/// An object of one of our kinds, with spec and status as JSON text.
#[derive(Debug, Clone)]
pub(crate) struct Lean<K> {
    metadata: ObjectMeta,
    /// `spec`, as compact JSON; `null` when there is none.
    pub(crate) spec: Box<str>,
    /// `status`, as compact JSON; `null` when there is none.
    pub(crate) status: Box<str>,
    kind: PhantomData<fn() -> K>,
}

/// Any object, metadata only: the API server is asked for no more.
#[derive(Debug, Clone)]
pub(crate) struct Outline<K> {
    metadata: ObjectMeta,
    kind: PhantomData<fn() -> K>,
}

/// Metadata as it is kept.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LeanMeta {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    deletion_timestamp: Option<Time>,
    finalizers: Option<Vec<String>>,
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    annotations: OurAnnotations,
}

/// Annotations under our prefix.
#[derive(Default)]
struct OurAnnotations(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for OurAnnotations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ours;

        impl<'de> Visitor<'de> for Ours {
            type Value = OurAnnotations;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("annotations")
            }

            fn visit_unit<E>(self) -> Result<OurAnnotations, E> {
                Ok(OurAnnotations::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OurAnnotations, A::Error> {
                let mut ours = BTreeMap::new();
                while let Some(name) = map.next_key::<Cow<'de, str>>()? {
                    if is_ours(&name) {
                        ours.insert(name.into_owned(), map.next_value()?);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(OurAnnotations(ours))
            }
        }

        deserializer.deserialize_any(Ours)
    }
}

fn is_ours(annotation: &str) -> bool {
    annotation
        .strip_prefix(GROUP)
        .is_some_and(|rest| rest.starts_with('/'))
}

impl From<LeanMeta> for ObjectMeta {
    fn from(meta: LeanMeta) -> Self {
        Self {
            name: meta.name,
            namespace: meta.namespace,
            uid: meta.uid,
            resource_version: meta.resource_version,
            generation: meta.generation,
            deletion_timestamp: meta.deletion_timestamp,
            finalizers: meta.finalizers,
            labels: meta.labels,
            annotations: Some(meta.annotations.0),
            ..Self::default()
        }
    }
}

impl<'de, K> Deserialize<'de> for Lean<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Wire {
            metadata: LeanMeta,
            #[serde(default)]
            spec: Value,
            #[serde(default)]
            status: Value,
        }

        let wire = Wire::deserialize(deserializer)?;
        Ok(Self {
            metadata: wire.metadata.into(),
            spec: wire.spec.to_string().into_boxed_str(),
            status: wire.status.to_string().into_boxed_str(),
            kind: PhantomData,
        })
    }
}

impl<'de, K> Deserialize<'de> for Outline<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Wire {
            metadata: LeanMeta,
        }

        let wire = Wire::deserialize(deserializer)?;
        Ok(Self {
            metadata: wire.metadata.into(),
            kind: PhantomData,
        })
    }
}

/// Only because `Api::patch` wants it; patches are written as JSON.
impl<K> Serialize for Lean<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.metadata.serialize(serializer)
    }
}

macro_rules! resource {
    ($type:ident, $metadata_only:expr) => {
        impl<K: Resource<DynamicType = ()>> Resource for $type<K> {
            type DynamicType = ();
            // The feed says where it watches; kube's check of scopes at compile time is for known kinds.
            type Scope = DynamicResourceScope;

            fn kind((): &()) -> Cow<'_, str> {
                K::kind(&())
            }

            fn group((): &()) -> Cow<'_, str> {
                K::group(&())
            }

            fn version((): &()) -> Cow<'_, str> {
                K::version(&())
            }

            fn plural((): &()) -> Cow<'_, str> {
                K::plural(&())
            }

            fn metadata_api() -> bool {
                $metadata_only
            }

            fn meta(&self) -> &ObjectMeta {
                &self.metadata
            }

            fn meta_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }
        }
    };
}

resource!(Lean, false);
resource!(Outline, true);

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Secret;
    use kube::ResourceExt as _;
    use kube::api::WatchEvent;
    use penstock_domain::api::secret_sync::SecretSync;
    use serde_json::json;

    use super::*;

    fn object() -> Value {
        json!({
            "apiVersion": "penstock.dev/v1alpha1",
            "kind": "SecretSync",
            "metadata": {
                "name": "panbot", "namespace": "prod", "uid": "u", "resourceVersion": "7", "generation": 2,
                "annotations": {
                    "penstock.dev/refresh": "1",
                    "penstock.developers/x": "foreign",
                    "kubectl.kubernetes.io/last-applied-configuration": "{}",
                },
                "labels": {"app": "panbot"},
                "finalizers": ["penstock.dev/cleanup"],
                "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}],
            },
            "spec": {"sources": "not a list", "interval": 5},
            "status": {"summary": "1/1"},
        })
    }

    #[test]
    fn an_object_that_no_type_can_read_still_comes_through() {
        let event = json!({"type": "MODIFIED", "object": object()});
        let event: WatchEvent<Lean<SecretSync>> = serde_json::from_value(event).unwrap();
        let WatchEvent::Modified(lean) = event else {
            panic!("another event")
        };
        assert_eq!(&*lean.spec, r#"{"interval":5,"sources":"not a list"}"#);
        assert_eq!(&*lean.status, r#"{"summary":"1/1"}"#);
        assert_eq!(
            (lean.name_any().as_str(), lean.meta().generation),
            ("panbot", Some(2))
        );
    }

    #[test]
    fn what_others_wrote_into_the_metadata_takes_no_memory() {
        let lean: Lean<SecretSync> = serde_json::from_value(object()).unwrap();
        assert_eq!(
            lean.annotations().keys().collect::<Vec<_>>(),
            ["penstock.dev/refresh"]
        );
        assert_eq!(lean.finalizers(), ["penstock.dev/cleanup"]);
        assert!(lean.managed_fields().is_empty());
    }

    #[test]
    fn absent_and_null_parts_are_null() {
        for object in [
            json!({"metadata": {"name": "a"}}),
            json!({"metadata": {"name": "a", "annotations": null}, "spec": null, "status": null}),
        ] {
            let lean: Lean<SecretSync> = serde_json::from_value(object).unwrap();
            assert_eq!((&*lean.spec, &*lean.status), ("null", "null"));
        }
    }

    #[test]
    fn outlines_ask_for_metadata_only() {
        assert!(Outline::<Secret>::metadata_api());
        assert!(!Lean::<SecretSync>::metadata_api());
        assert_eq!(
            Outline::<Secret>::url_path(&(), Some("a")),
            "/api/v1/namespaces/a/secrets"
        );
    }
}
