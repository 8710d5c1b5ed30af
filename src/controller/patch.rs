//! Objects as JSON: what of one is new, as a patch. Pure.

use serde_json::{Map, Value, json};

/// The `metadata` of an object that a write must find: any other version answers 409.
pub(crate) fn precondition(uid: &str, resource_version: &str) -> Value {
    json!({"uid": uid, "resourceVersion": resource_version})
}

/// The field of a path that a decoder names: `.` is the root, `sources[0].path` is below `spec`.
pub(crate) fn field_path(path: &str) -> String {
    if path == "." {
        "spec".to_owned()
    } else {
        format!("spec.{path}")
    }
}

/// The object in `text`, or an empty one when there is something else.
pub(crate) fn object_or_empty(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(object @ Value::Object(_)) => object,
        _ => Value::Object(Map::new()),
    }
}

/// The merge patch (RFC 7386) that turns `old` into `new`; none when they are equal. Members that are gone
/// become `null`; lists are replaced as a whole.
pub(crate) fn difference(old: &Value, new: &Value) -> Option<Value> {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let changed = new.iter().filter_map(|(name, value)| {
                let difference = match old.get(name) {
                    Some(before) => difference(before, value)?,
                    None => value.clone(),
                };
                Some((name.clone(), difference))
            });
            let gone = old
                .keys()
                .filter(|name| !new.contains_key(*name))
                .map(|name| (name.clone(), Value::Null));
            let patch: Map<String, Value> = changed.chain(gone).collect();
            (!patch.is_empty()).then_some(Value::Object(patch))
        }
        (old, new) if old == new => None,
        (_, new) => Some(new.clone()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// RFC 7386, section 2.
    fn merge(target: &Value, patch: &Value) -> Value {
        let Value::Object(patch) = patch else {
            return patch.clone();
        };
        let mut result = target.as_object().cloned().unwrap_or_default();
        for (name, value) in patch {
            if value.is_null() {
                result.remove(name);
            } else {
                let before = result.get(name).cloned().unwrap_or_default();
                result.insert(name.clone(), merge(&before, value));
            }
        }
        Value::Object(result)
    }

    #[test]
    fn equal_means_no_write() {
        let status = json!({"conditions": [{"type": "Ready"}], "record": {"counter": 3}});
        assert_eq!(difference(&status, &status.clone()), None);
        assert_eq!(difference(&json!({}), &json!({})), None);
    }

    #[test]
    fn the_patch_leads_from_old_to_new() {
        let states = [
            json!({}),
            json!({"revision": "a", "record": {"counter": 1}}),
            json!({"revision": "b", "record": {"counter": 2}, "refresh": "x"}),
            json!({"conditions": [{"type": "Ready", "status": "True"}], "record": {}}),
            json!({"conditions": [{"type": "Ready", "status": "False"}], "summary": "1/2"}),
        ];
        for old in &states {
            for new in &states {
                match difference(old, new) {
                    Some(patch) => assert_eq!(&merge(old, &patch), new, "{old} → {new}"),
                    None => assert_eq!(old, new),
                }
            }
        }
    }

    #[test]
    fn only_what_changed_is_sent() {
        let old = json!({"revision": "a", "summary": "1/1", "record": {"counter": 1}});
        let new = json!({"revision": "a", "record": {"counter": 2}});
        let patch = json!({"summary": null, "record": {"counter": 2}});
        assert_eq!(difference(&old, &new), Some(patch));
    }
}
