//! A tree against the schema that the API server has for its kind.
//!
//! The schema comes from the types themselves, so it knows every field. Rules in CEL are left to the domain,
//! which states them again; shapes and bounds are checked here, where the field can be pointed at.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use penstock_domain::api::crds::all_crds;
use penstock_domain::text::nearest;
use serde_json::Value;

use super::tree::{Content, Entry, Node};

/// One thing that is wrong, by the node where it shows.
#[derive(Debug)]
pub(super) struct Mismatch {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) field: Option<String>,
    pub(super) path: String,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// The schemas of `spec`, by kind.
static SPECS: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    let specs = all_crds().into_iter().filter_map(|crd| {
        let kind = crd.spec.names.kind.clone();
        let version = crd.spec.versions.into_iter().next()?;
        let schema = version.schema?.open_api_v3_schema?;
        let spec = serde_json::to_value(schema.properties?.remove("spec")?).ok()?;
        Some((kind, spec))
    });
    specs.collect()
});

/// The kinds of our group.
pub(super) fn our_kinds() -> impl Iterator<Item = &'static str> {
    SPECS.keys().map(String::as_str)
}

/// What an object may hold beside its `spec`.
const OBJECT: &[&str] = &["apiVersion", "kind", "metadata", "spec", "status"];
/// `ObjectMeta` of Kubernetes 1.35, so that what `kubectl get -o yaml` prints is taken.
const METADATA: &[&str] = &[
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Checks an object of one of our kinds.
pub(super) fn check(kind: &str, node: &Node) -> Vec<Mismatch> {
    let mut check = Check::default();
    check.known(node, OBJECT, "", kind);
    if let Some(metadata) = node.get("metadata") {
        check.known(metadata, METADATA, "metadata", "metadata");
    }
    match (
        SPECS.get(kind),
        node.entries().iter().find(|entry| entry.key == "spec"),
    ) {
        (Some(schema), Some(entry)) => check.node(schema, &entry.value, &At::of("spec", entry)),
        (Some(_), None) => {
            let here = At {
                path: "spec".to_owned(),
                line: node.line,
                column: node.column,
                field: None,
            };
            check.wrong(&here, "is missing", None);
        }
        (None, _) => {}
    }
    check.0
}

/// Checks the fields of an object that is not ours.
pub(super) fn check_fields(kind: &str, node: &Node, fields: &[&str]) -> Vec<Mismatch> {
    let mut check = Check::default();
    check.known(node, fields, "", kind);
    if let Some(metadata) = node.get("metadata") {
        check.known(metadata, METADATA, "metadata", "metadata");
    }
    check.0
}

/// Where a check is.
struct At {
    path: String,
    line: usize,
    column: usize,
    field: Option<String>,
}

impl At {
    fn of(path: impl Into<String>, entry: &Entry) -> Self {
        Self {
            path: path.into(),
            line: entry.line,
            column: entry.column,
            field: Some(entry.key.clone()),
        }
    }
}

#[derive(Default)]
struct Check(Vec<Mismatch>);

impl Check {
    fn wrong(&mut self, at: &At, message: impl Into<String>, hint: Option<String>) {
        self.0.push(Mismatch {
            line: at.line,
            column: at.column,
            field: at.field.clone(),
            path: at.path.clone(),
            message: message.into(),
            hint,
        });
    }

    /// Notes every key of a mapping that is none of `names`.
    fn known(&mut self, node: &Node, names: &[&str], path: &str, of: &str) {
        for entry in node.entries() {
            if !names.contains(&entry.key.as_str()) {
                self.unknown(entry, path, names.iter().copied(), of);
            }
        }
    }

    fn unknown<'a>(
        &mut self,
        entry: &Entry,
        path: &str,
        names: impl Iterator<Item = &'a str> + Clone,
        of: &str,
    ) {
        let meant = nearest(&entry.key, names.clone());
        let hint = meant.map_or_else(
            || {
                let names: Vec<&str> = names.take(40).collect();
                format!("There are: {}", names.join(", "))
            },
            |meant| format!("Did you mean `{meant}`?"),
        );
        let at = At::of(joined(path, &entry.key), entry);
        self.wrong(&at, format!("is no field of {of}"), Some(hint));
    }

    fn node(&mut self, schema: &Value, node: &Node, at: &At) {
        // `null` is absence, for every optional field.
        if matches!(node.content, Content::Null) && schema["nullable"] == Value::Bool(true) {
            return;
        }
        match schema["type"].as_str() {
            Some("object") => self.object(schema, node, at),
            Some("array") => self.array(schema, node, at),
            Some("string") => self.text(schema, node, at),
            Some("boolean") => self.is(
                matches!(node.content, Content::Bool(_)),
                "true or false",
                node,
                at,
            ),
            Some("integer" | "number") => self.number(schema, node, at),
            _ => {}
        }
    }

    fn is(&mut self, good: bool, expected: &str, node: &Node, at: &At) {
        if good {
            return;
        }
        let quoting =
            expected == "a text" && matches!(node.content, Content::Number(_) | Content::Bool(_));
        let hint = quoting.then(|| "Put it into quotes".to_owned());
        let message = format!("is {}, and {expected} is expected", node.content.kind());
        self.wrong(at, message, hint);
    }

    fn object(&mut self, schema: &Value, node: &Node, at: &At) {
        if !matches!(node.content, Content::Map(_)) {
            return self.is(false, "a mapping", node, at);
        }
        let entries = node.entries();
        if let Some(most) = bound(schema, "maxProperties").filter(|most| entries.len() > *most) {
            self.wrong(at, format!("has more than {most} entries"), None);
        }
        let properties = schema["properties"].as_object();
        for entry in entries {
            let inner = At::of(joined(&at.path, &entry.key), entry);
            let known = properties.and_then(|properties| properties.get(&entry.key));
            let any = &schema["additionalProperties"];
            if let Some(schema) = known {
                self.node(schema, &entry.value, &inner);
            } else if any.is_object() {
                self.node(any, &entry.value, &inner);
            } else if let Some(properties) = properties {
                let names = properties.keys().map(String::as_str);
                self.unknown(entry, &at.path, names, &at.path);
            }
        }
        for name in schema["required"].as_array().into_iter().flatten() {
            let name = name.as_str().unwrap_or_default();
            if node.get(name).is_none() {
                let here = At {
                    path: joined(&at.path, name),
                    line: at.line,
                    column: at.column,
                    field: at.field.clone(),
                };
                self.wrong(&here, "is missing", None);
            }
        }
    }

    fn array(&mut self, schema: &Value, node: &Node, at: &At) {
        if !matches!(node.content, Content::List(_)) {
            return self.is(false, "a list", node, at);
        }
        let items = node.items();
        if let Some(most) = bound(schema, "maxItems").filter(|most| items.len() > *most) {
            return self.wrong(at, format!("has more than {most} items"), None);
        }
        if items.is_empty() && bound(schema, "minItems").is_some_and(|least| least > 0) {
            self.wrong(at, "is empty", None);
        }
        for (index, item) in items.iter().enumerate() {
            let first = item.entries().first();
            let inner = At {
                path: format!("{}[{index}]", at.path),
                line: item.line,
                column: item.column,
                field: first.map(|entry| entry.key.clone()),
            };
            self.node(&schema["items"], item, &inner);
        }
    }

    /// A wrong word is not repeated: it may be a value that slipped in.
    fn text(&mut self, schema: &Value, node: &Node, at: &At) {
        let Some(text) = node.text() else {
            return self.is(false, "a text", node, at);
        };
        if let Some(most) = bound(schema, "maxLength").filter(|most| text.chars().count() > *most) {
            return self.wrong(at, format!("is longer than {most} characters"), None);
        }
        if text.is_empty() && bound(schema, "minLength").is_some_and(|least| least > 0) {
            return self.wrong(at, "is empty", None);
        }
        let Some(words) = schema["enum"].as_array() else {
            return;
        };
        let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
        if !words.contains(&text) {
            let hint = nearest(text, words.iter().copied());
            let hint = hint.map(|meant| format!("Did you mean `{meant}`?"));
            self.wrong(at, format!("is none of {}", words.join(", ")), hint);
        }
    }

    fn number(&mut self, schema: &Value, node: &Node, at: &At) {
        let Content::Number(number) = &node.content else {
            return self.is(false, "a number", node, at);
        };
        if schema["type"] == "integer" && !(number.is_i64() || number.is_u64()) {
            return self.wrong(at, "is no whole number", None);
        }
        let value = number.as_f64().unwrap_or(f64::INFINITY);
        if let Some(least) = schema["minimum"].as_f64().filter(|least| value < *least) {
            self.wrong(at, format!("is less than {least}"), None);
        }
        if let Some(most) = schema["maximum"].as_f64().filter(|most| value > *most) {
            self.wrong(at, format!("is more than {most}"), None);
        }
    }
}

fn bound(schema: &Value, name: &str) -> Option<usize> {
    schema[name]
        .as_u64()
        .and_then(|bound| usize::try_from(bound).ok())
}

fn joined(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}
