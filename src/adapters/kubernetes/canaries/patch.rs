//! The annotation `penstock.dev/canary-patch` of a workload: what a canary of it does otherwise. Pure.
//!
//! ```json
//! {"containers": {"app": {"command": ["/app"], "args": ["--no-queue"], "env": {"QUEUE": "off", "OLD": null}}},
//!  "initContainers": {"migrate": {"skip": true}}}
//! ```
//!
//! Who may write it may write the workload, and so run anything in its place; a SecretSync has no say in it. It is
//! read strictly: a word that is not understood may be the one that keeps the canary from doing harm.

use std::collections::BTreeMap;

use penstock_domain::reserved::{CANARY_PATCH_ANNOTATION, CANARY_VARIABLE};
use serde::Deserialize;
use serde_json::{Value, json};

use super::refusal::Refusal;

/// The longest annotation that is read, in bytes.
const MAX_LENGTH: usize = 16 * 1024;
/// The most entries of any of its lists and maps.
const MAX_ENTRIES: usize = 64;
/// The way out of a bad one.
const WAY_OUT: &str = "Write it as JSON: {\"containers\": {NAME: {\"command\": [..], \"args\": [..], \"env\": \
                       {NAME: VALUE or null}}}, \"initContainers\": {NAME: {\"skip\": true}}}";

/// What a canary does otherwise.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct Patch {
    containers: BTreeMap<String, Changes>,
    init_containers: BTreeMap<String, InitChanges>,
}

/// What one container does otherwise.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Changes {
    command: Option<Vec<String>>,
    args: Option<Vec<String>>,
    /// Variables, and those that are taken away.
    env: BTreeMap<String, Option<String>>,
}

/// What one init container does otherwise.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct InitChanges {
    /// It is left out.
    skip: bool,
    command: Option<Vec<String>>,
    args: Option<Vec<String>>,
    env: BTreeMap<String, Option<String>>,
}

impl Patch {
    /// Reads the annotation of `workload`; without one nothing is otherwise.
    pub(super) fn of(workload: &Value) -> Result<Self, Refusal> {
        let annotations = workload.pointer("/metadata/annotations");
        let written = annotations.and_then(|all| all.get(CANARY_PATCH_ANNOTATION));
        match written.and_then(Value::as_str) {
            None => Ok(Self::default()),
            Some(text) => Self::read(text),
        }
    }

    fn read(text: &str) -> Result<Self, Refusal> {
        let bad =
            |what: &str| Refusal::new(format!("its {CANARY_PATCH_ANNOTATION} {what}"), WAY_OUT);
        if text.len() > MAX_LENGTH {
            return Err(bad("is longer than 16 KiB"));
        }
        // What serde says may quote the text, which is somebody else's; and it would take a list for an object.
        let misspelt = || bad("is not what Penstock understands, which may be a misspelt word");
        let written: Value = serde_json::from_str(text).map_err(|_| misspelt())?;
        let lists = ["containers", "initContainers"].map(|field| written.get(field));
        let objects = |all: &Value| {
            all.as_object()
                .is_some_and(|all| all.values().all(Value::is_object))
        };
        if !written.is_object() || !lists.into_iter().flatten().all(objects) {
            return Err(misspelt());
        }
        let patch: Self = serde_json::from_value(written).map_err(|_| misspelt())?;
        let init = patch.init_containers.values();
        let most = patch
            .containers
            .values()
            .map(|changes| changes.env.len())
            .chain(init.map(|changes| changes.env.len()))
            .chain([patch.containers.len(), patch.init_containers.len()])
            .max();
        if most > Some(MAX_ENTRIES) {
            return Err(bad("holds more than 64 entries in one place"));
        }
        Ok(patch)
    }

    /// Changes the pod of a canary. A container that it does not have is a mistake.
    pub(super) fn apply(&self, pod: &mut Value) -> Result<(), Refusal> {
        for (name, changes) in &self.containers {
            let Changes { command, args, env } = changes;
            let container = container(pod, "containers", name)?;
            change(container, command.as_ref(), args.as_ref(), env);
        }
        for (name, changes) in &self.init_containers {
            let container = container(pod, "initContainers", name)?;
            change(
                container,
                changes.command.as_ref(),
                changes.args.as_ref(),
                &changes.env,
            );
        }
        if let Some(Value::Array(all)) = pod.get_mut("initContainers") {
            all.retain(|one| {
                let name = one["name"].as_str().unwrap_or_default();
                !self
                    .init_containers
                    .get(name)
                    .is_some_and(|changes| changes.skip)
            });
        }
        Ok(())
    }
}

fn container<'a>(pod: &'a mut Value, field: &str, name: &str) -> Result<&'a mut Value, Refusal> {
    let list = pod.get_mut(field).and_then(Value::as_array_mut);
    let mut list = list.into_iter().flatten();
    list.find(|container| container["name"] == name)
        .ok_or_else(|| {
            let why =
                format!("its {CANARY_PATCH_ANNOTATION} names one of {field} that it does not have");
            Refusal::new(why, WAY_OUT)
        })
}

fn change(
    container: &mut Value,
    command: Option<&Vec<String>>,
    args: Option<&Vec<String>>,
    env: &BTreeMap<String, Option<String>>,
) {
    if let Some(command) = command {
        container["command"] = json!(command);
    }
    if let Some(args) = args {
        container["args"] = json!(args);
    }
    let Some(fields) = container.as_object_mut() else {
        return;
    };
    let written = fields.entry("env").or_insert_with(|| json!([]));
    let Value::Array(variables) = written else {
        return;
    };
    for (name, value) in env.iter().filter(|(name, _)| *name != CANARY_VARIABLE) {
        let at = variables
            .iter()
            .position(|variable| variable["name"] == name.as_str());
        let new = value
            .as_ref()
            .map(|value| json!({"name": name, "value": value}));
        match (at, new) {
            // In its old place: a later variable may refer to it.
            (Some(at), Some(new)) => variables[at] = new,
            (Some(at), None) => drop(variables.remove(at)),
            (None, Some(new)) => variables.insert(0, new),
            (None, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Patch, Refusal> {
        Patch::of(&json!({"metadata": {"annotations": {CANARY_PATCH_ANNOTATION: text}}}))
    }

    #[test]
    fn without_an_annotation_nothing_is_otherwise() {
        assert_eq!(Patch::of(&json!({"metadata": {}})), Ok(Patch::default()));
        assert_eq!(read("{}"), Ok(Patch::default()));
    }

    #[test]
    fn what_is_not_understood_is_refused_and_not_quoted() {
        let many: Vec<_> = (0..65)
            .map(|number| format!("\"c{number}\": {{}}"))
            .collect();
        for bad in [
            "",
            "hunter2",
            "[]",
            r#"{"containers": {"a": [["hunter2"]]}}"#,
            r#"{"containers": []}"#,
            r#"{"containers": {"a": {"comand": ["hunter2"]}}}"#,
            r#"{"containers": {"a": {"image": "hunter2"}}}"#,
            r#"{"containers": {"a": {"env": {"A": 1}}}}"#,
            r#"{"serviceAccountName": "hunter2"}"#,
            r#"{"containers": {"a": {"skip": true}}}"#,
            &format!("{{\"containers\": {{{}}}}}", many.join(",")),
            &format!("{{}}{}", " ".repeat(MAX_LENGTH)),
        ] {
            let refusal = read(bad).unwrap_err();
            assert!(!refusal.why().contains("hunter2"), "{refusal:?}");
        }
    }

    #[test]
    fn commands_arguments_variables_and_init_containers_are_otherwise() {
        let patch = read(
            r#"{"containers": {"app": {"command": ["/try"], "args": [], "env": {"QUEUE": "off", "OLD": null, "NEW": "n"}}},
                "initContainers": {"migrate": {"skip": true}, "fetch": {"args": ["--dry-run"]}}}"#,
        )
        .unwrap();
        let mut pod = json!({
            "initContainers": [{"name": "migrate"}, {"name": "fetch", "args": ["--all"]}],
            "containers": [
                {"name": "app", "image": "app", "command": ["/app"], "args": ["serve"],
                 "env": [{"name": "QUEUE", "value": "on"}, {"name": "OLD", "value": "x"}, {"name": "KEPT", "value": "$(QUEUE)"}]},
                {"name": "sidecar"}]});
        patch.apply(&mut pod).unwrap();
        assert_eq!(
            pod,
            json!({
                "initContainers": [{"name": "fetch", "args": ["--dry-run"], "env": []}],
                "containers": [
                    {"name": "app", "image": "app", "command": ["/try"], "args": [],
                     "env": [{"name": "NEW", "value": "n"}, {"name": "QUEUE", "value": "off"}, {"name": "KEPT", "value": "$(QUEUE)"}]},
                    {"name": "sidecar"}]})
        );
    }

    #[test]
    fn a_container_that_is_not_there_is_a_mistake() {
        for text in [
            r#"{"containers": {"ap": {}}}"#,
            r#"{"initContainers": {"app": {"skip": true}}}"#,
        ] {
            let applied = read(text)
                .unwrap()
                .apply(&mut json!({"containers": [{"name": "app"}]}));
            assert!(applied.is_err(), "{text}");
        }
    }

    #[test]
    fn the_variable_that_says_canary_stays() {
        let patch = read(r#"{"containers": {"app": {"env": {"PENSTOCK_CANARY": null}}}}"#).unwrap();
        let mut pod = json!({"containers": [{"name": "app", "env": [{"name": "PENSTOCK_CANARY", "value": "true"}]}]});
        let before = pod.clone();
        patch.apply(&mut pod).unwrap();
        assert_eq!(pod, before);
    }
}
