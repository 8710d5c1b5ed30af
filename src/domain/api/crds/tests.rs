use std::collections::BTreeMap;

use super::*;

/// A client-side `kubectl apply` copies the whole object into one annotation, which the API server
/// limits to 256 KiB.
const ANNOTATION_LIMIT: usize = 256 * 1024;

/// Every schema node of every definition, with the path that leads to it.
fn nodes() -> BTreeMap<String, JSONSchemaProps> {
    fn walk(path: String, schema: &JSONSchemaProps, found: &mut BTreeMap<String, JSONSchemaProps>) {
        for (name, property) in schema.properties.iter().flatten() {
            walk(format!("{path}.{name}"), property, found);
        }
        if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
            walk(format!("{path}[]"), items, found);
        }
        if let Some(JSONSchemaPropsOrBool::Schema(values)) = &schema.additional_properties {
            walk(format!("{path}{{}}"), values, found);
        }
        found.insert(path, schema.clone());
    }
    let mut found = BTreeMap::new();
    for crd in all_crds() {
        for version in crd.spec.versions {
            let root = version.schema.unwrap().open_api_v3_schema.unwrap();
            walk(crd.spec.names.kind.clone(), &root, &mut found);
        }
    }
    // The API server owns `metadata`.
    found.retain(|path, _| path.split('.').nth(1) != Some("metadata"));
    found
}

/// The paths of the nodes for which `bad` holds.
fn paths_where(bad: impl Fn(&str, &JSONSchemaProps) -> bool) -> Vec<String> {
    nodes()
        .into_iter()
        .filter(|(path, node)| bad(path, node))
        .map(|(path, _)| path)
        .collect()
}

fn is_property(path: &str) -> bool {
    path.contains('.') && !path.ends_with("[]") && !path.ends_with("{}")
}

/// What every object has: `apiVersion`, `kind`, `spec`, `status`.
fn is_given(path: &str) -> bool {
    path.split('.').count() == 2
}

#[test]
fn each_definition_fits_into_an_annotation() {
    for crd in all_crds() {
        let size = serde_json::to_string(&crd).unwrap().len();
        assert!(
            size < ANNOTATION_LIMIT,
            "{:?} is {size} bytes",
            crd.metadata.name
        );
    }
}

#[test]
fn every_field_says_what_it_does() {
    let wanting = paths_where(|path, node| {
        let description = node.description.as_deref().unwrap_or_default();
        is_property(path)
            && !is_given(path)
            && (description.len() < 10 || !description.ends_with('.'))
    });
    assert_eq!(wanting, [""; 0]);
}

#[test]
fn every_closed_word_stands_in_the_description_of_its_field() {
    let all = nodes();
    let mut missing = Vec::new();
    for (path, node) in &all {
        let field = path.trim_end_matches("[]").trim_end_matches("{}");
        let description = all[field].description.clone().unwrap_or_default();
        for word in node
            .enum_
            .iter()
            .flatten()
            .filter_map(|word| word.0.as_str())
        {
            if !description.contains(word) {
                missing.push(format!("{path}: {word}"));
            }
        }
    }
    assert_eq!(missing, [""; 0]);
}

#[test]
fn everything_is_bounded() {
    let unbounded = paths_where(|path, node| match node.type_.as_deref() {
        _ if is_given(path) => false,
        Some("string") => {
            node.max_length.is_none()
                && node.enum_.is_none()
                && node.format.as_deref() != Some("date-time")
        }
        Some("array") => node.max_items.is_none(),
        Some("object") => node.additional_properties.is_some() && node.max_properties.is_none(),
        Some("integer") => node.format.is_none(),
        Some("boolean") => false,
        _ => true,
    });
    assert_eq!(unbounded, [""; 0]);
}

#[test]
fn no_field_has_a_default() {
    assert_eq!(paths_where(|_, node| node.default.is_some()), [""; 0]);
}

#[test]
fn no_schema_has_alternatives_that_the_api_server_cannot_explain() {
    let alternatives = paths_where(|_, node| {
        node.one_of.is_some()
            || node.any_of.is_some()
            || node.all_of.is_some()
            || node.not.is_some()
            || node.x_kubernetes_preserve_unknown_fields.is_some()
            || node.x_kubernetes_int_or_string.is_some()
    });
    assert_eq!(alternatives, [""; 0]);
}

#[test]
fn null_stands_for_absence_in_every_optional_field_but_closed_words() {
    let all = nodes();
    let wrong: Vec<_> = all
        .iter()
        .filter(|(path, node)| {
            let Some((parent, name)) = path.rsplit_once('.') else {
                return false;
            };
            let required = all[parent]
                .required
                .iter()
                .flatten()
                .any(|required| required == name);
            is_property(path)
                && !is_given(path)
                && node.enum_.is_none()
                && (node.nullable == Some(true)) == required
        })
        .map(|(path, _)| path.clone())
        .collect();
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn every_list_of_objects_says_how_it_merges() {
    let silent = paths_where(|_, node| match &node.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => {
            items.type_.as_deref() == Some("object") && node.x_kubernetes_list_type.is_none()
        }
        _ => false,
    });
    assert_eq!(silent, [""; 0]);
}

#[test]
fn what_says_something_by_being_there_survives_server_side_apply_when_it_becomes_empty() {
    let atomic = paths_where(|_, node| node.x_kubernetes_map_type.as_deref() == Some("atomic"));
    for field in [
        "SecretSync.spec.targets[].secret",
        "SecretSync.spec.targets[].configMap",
        "SecretSync.spec.sources[].extract",
        "ClusterSecretStore.spec.allow[].namespaceSelector",
    ] {
        assert!(
            atomic.iter().any(|path| path == field),
            "{field}: {atomic:?}"
        );
    }
    assert!(!atomic.iter().any(|path| path == "SecretSync.spec.rollout"));
}

#[test]
fn every_rule_has_a_message() {
    let mute = paths_where(|_, node| {
        node.x_kubernetes_validations
            .iter()
            .flatten()
            .any(|rule| rule.message.as_deref().unwrap_or_default().len() < 10)
    });
    assert_eq!(mute, [""; 0]);
}

#[test]
fn every_rule_names_members_that_exist() {
    let mut unknown = Vec::new();
    for (path, node) in nodes() {
        for rule in node.x_kubernetes_validations.iter().flatten() {
            for (_, rest) in rule
                .rule
                .match_indices("has(self.")
                .map(|(at, found)| rule.rule.split_at(at + found.len()))
            {
                let member = rest.split(['.', ')']).next().unwrap_or_default();
                if !node
                    .properties
                    .iter()
                    .flatten()
                    .any(|(name, _)| name == member)
                {
                    unknown.push(format!("{path}: {member}"));
                }
            }
        }
    }
    assert_eq!(unknown, [""; 0]);
}

#[test]
fn uninstalling_the_chart_keeps_the_definitions() {
    for crd in all_crds() {
        let annotations = crd.metadata.annotations.unwrap();
        assert_eq!(
            annotations
                .get("helm.sh/resource-policy")
                .map(String::as_str),
            Some("keep")
        );
    }
}
