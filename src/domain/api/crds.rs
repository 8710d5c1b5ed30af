//! The `CustomResourceDefinition`s, as `crds/` holds them and `penstock crd` prints them.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;

use super::cluster_sync::ClusterSecretSync;
use super::rotation::SecretRotation;
use super::secret_sync::SecretSync;
use super::store::{ClusterSecretStore, SecretStore};

/// All our definitions, ready to be installed, in the order of their names.
pub fn all_crds() -> Vec<CustomResourceDefinition> {
    let mut crds = vec![
        ClusterSecretStore::crd(),
        ClusterSecretSync::crd(),
        SecretRotation::crd(),
        SecretStore::crd(),
        SecretSync::crd(),
    ];
    for crd in &mut crds {
        for version in &mut crd.spec.versions {
            if let Some(schema) = version
                .schema
                .as_mut()
                .and_then(|schema| schema.open_api_v3_schema.as_mut())
            {
                polish(schema);
            }
        }
    }
    crds
}

/// Says in Kubernetes' words what the generator says in JSON Schema's, all the way down.
fn polish(schema: &mut JSONSchemaProps) {
    if let Some(description) = &mut schema.description {
        *description = unwrap_lines(description);
    }
    // The API server warns about formats that OpenAPI 3.0 does not know; `minimum` and `maximum` stay.
    schema.format = match schema.format.as_deref() {
        Some("uint8" | "uint16" | "int8" | "int16") => Some("int32".to_owned()),
        Some("uint32" | "uint64") => Some("int64".to_owned()),
        other => other.map(str::to_owned),
    };
    // Inside the schema of a definition a title only repeats the name of a Rust type.
    schema.title = None;
    let required = schema.required.as_deref().unwrap_or_default();
    for (name, property) in schema.properties.iter_mut().flatten() {
        polish(property);
        // The API server compares `null` with the words of an enum as if it were one of them, and refuses
        // it even where the enum names it; without `nullable` a plain create at least drops it.
        let optional = !required.contains(name) && property.enum_.is_none();
        property.nullable = optional.then_some(true);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        polish(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        polish(values);
    }
}

/// Joins the lines of each paragraph, so that `kubectl explain` can wrap them itself.
fn unwrap_lines(text: &str) -> String {
    text.split("\n\n")
        .map(|paragraph| paragraph.replace('\n', " "))
        .collect::<Vec<_>>()
        .join("\n\n")
}

#[cfg(test)]
mod tests;
