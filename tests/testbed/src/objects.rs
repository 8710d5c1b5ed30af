//! Applying YAML, as kubectl would.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{Scope, pinned_kind};
use kube::{Client, ResourceExt};

use crate::eventually::{Unmet, eventually};

/// Whom the API server takes us for.
const MANAGER: &str = "penstock-testbed";
const ESTABLISHING: Duration = Duration::from_mins(1);

/// Why objects were not applied.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The text is not YAML of Kubernetes objects.
    #[error("cannot read the objects: {0}")]
    Read(String),
    /// The API server does not know the kind.
    #[error("cannot find the kind of {name}")]
    FindKind {
        /// Kind and name.
        name: String,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
    /// The API server refused an object.
    #[error("cannot apply {name}: {source}")]
    Apply {
        /// Kind and name.
        name: String,
        /// Why.
        source: Box<kube::Error>,
    },
    /// A kind is not served.
    #[error("the kinds are not served")]
    Establish(#[source] Unmet),
}

/// Applies the documents of a YAML text server-side, in their order, taking over fields that others
/// own. Objects without a namespace go to `namespace`, or to `default`.
pub async fn apply(
    client: &Client,
    namespace: Option<&str>,
    yaml: &str,
) -> Result<Vec<DynamicObject>, ObjectError> {
    let mut applied = Vec::new();
    for object in read(yaml)? {
        applied.push(apply_one(client, namespace, &object).await?);
    }
    Ok(applied)
}

/// Applies CustomResourceDefinitions and waits until their kinds are served.
pub async fn install_definitions(client: &Client, yaml: &str) -> Result<(), ObjectError> {
    for definition in apply(client, None, yaml).await? {
        await_served(client, &definition.name_any()).await?;
    }
    Ok(())
}

/// Waits until the kind of a CustomResourceDefinition is served.
pub(crate) async fn await_served(client: &Client, name: &str) -> Result<(), ObjectError> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    eventually(format!("{name} is served"), ESTABLISHING, || async {
        let definition = api.get(name).await.map_err(|error| error.to_string())?;
        let status = definition.status.unwrap_or_default();
        let conditions = status.conditions.unwrap_or_default();
        let served = conditions
            .iter()
            .any(|condition| condition.type_ == "Established" && condition.status == "True");
        if served {
            Ok(())
        } else {
            Err("not established".to_owned())
        }
    })
    .await
    .map_err(ObjectError::Establish)
}

/// The objects of a YAML text.
pub(crate) fn read(yaml: &str) -> Result<Vec<DynamicObject>, ObjectError> {
    let documents: Vec<serde_json::Value> =
        serde_saphyr::from_multiple(yaml).map_err(|error| ObjectError::Read(error.to_string()))?;
    documents
        .into_iter()
        .filter(|document| !document.is_null())
        .map(|document| {
            serde_json::from_value(document).map_err(|error| ObjectError::Read(error.to_string()))
        })
        .collect()
}

/// Applies one object: see [`apply`].
pub(crate) async fn apply_one(
    client: &Client,
    namespace: Option<&str>,
    object: &DynamicObject,
) -> Result<DynamicObject, ObjectError> {
    let types = object.types.clone().unwrap_or_default();
    let name = format!("{} {}", types.kind, object.name_any());
    let kind =
        GroupVersionKind::try_from(&types).map_err(|error| ObjectError::Read(error.to_string()))?;
    let found = pinned_kind(client, &kind).await;
    let (resource, capabilities) = found.map_err(|error| ObjectError::FindKind {
        name: name.clone(),
        source: Box::new(error),
    })?;
    let api: Api<DynamicObject> = match capabilities.scope {
        Scope::Cluster => Api::all_with(client.clone(), &resource),
        Scope::Namespaced => {
            let own = object.metadata.namespace.as_deref();
            let namespace = own.or(namespace).unwrap_or("default");
            Api::namespaced_with(client.clone(), namespace, &resource)
        }
    };
    let parameters = PatchParams::apply(MANAGER).force();
    api.patch(&object.name_any(), &parameters, &Patch::Apply(object))
        .await
        .map_err(|error| ObjectError::Apply {
            name,
            source: Box::new(error),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_read_in_order_and_empty_ones_are_skipped() {
        let yaml = "---\n# nothing\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: a}\n---\n\
                    apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: b}\n";
        let objects = read(yaml).unwrap();
        let names: Vec<_> = objects.iter().map(ResourceExt::name_any).collect();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        assert!(read("- just\n- a list\n").is_err());
        assert!(read("{").is_err());
    }
}
