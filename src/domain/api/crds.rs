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
    let one_of = is_one_of(schema);
    let required = schema.required.as_deref().unwrap_or_default();
    for (name, property) in schema.properties.iter_mut().flatten() {
        polish(property);
        // The API server compares `null` with the words of an enum as if it were one of them, and refuses
        // it even where the enum names it; without `nullable` a plain create at least drops it.
        let optional = !required.contains(name) && property.enum_.is_none();
        property.nullable = optional.then_some(true);
        // Server-side apply drops an object that loses its last member, and with it what it stood for:
        // `secret: {type: …}` that becomes `secret: {}`. One that is owned as a whole stays.
        if one_of && may_be_empty(property) {
            property.x_kubernetes_map_type = Some("atomic".to_owned());
        }
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        polish(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        polish(values);
    }
}

/// Whether exactly one member must be set, so that it counts which one is there.
fn is_one_of(schema: &JSONSchemaProps) -> bool {
    let mut rules = schema.x_kubernetes_validations.iter().flatten();
    rules.any(|rule| rule.rule.contains(".exists_one("))
}

/// Whether this is an object that may have members and need not have any.
fn may_be_empty(schema: &JSONSchemaProps) -> bool {
    schema.properties.is_some() && schema.required.as_ref().is_none_or(Vec::is_empty)
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
