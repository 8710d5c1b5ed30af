//! From the template of a workload or a CronJob to that of a canary. Pure.
//!
//! What is not understood stays as it is: the template is cloned as JSON, so that fields that this version does not
//! know, and whatever admission webhooks look for, are in the copy.

use std::collections::BTreeMap;

use penstock_domain::canary::CanaryLabels;
use penstock_domain::reserved::{
    CANARY_GATE, CANARY_MADE_AS_ANNOTATION, CANARY_VARIABLE, TRUE, is_reserved_metadata,
};
use serde_json::{Map, Value, json};

use super::names::{Marks, Owner, Role, Substitutes, digest};
use super::patch::Patch;
use super::refusal::Refusal;

/// Prefixes of labels and annotations by which others recognise what they manage: Argo CD, Flux, Helm, kubectl, and
/// Reloader, which would restart the canary.
const TRACKING: [&str; 7] = [
    "argocd.argoproj.io/",
    "kustomize.toolkit.fluxcd.io/",
    "helm.toolkit.fluxcd.io/",
    "meta.helm.sh/",
    "helm.sh/",
    "kubectl.kubernetes.io/last-applied-configuration",
    "app.kubernetes.io/managed-by",
];
/// The domain of Reloader's annotations.
const RELOADER: &str = "reloader.stakater.com/";
/// How long a Job of a trial may run at most. Its deadline is the plan's, or the check's; this is for what is left
/// behind by an operator that does not come back.
const LONGEST_RUN_SECONDS: u64 = 24 * 60 * 60;

/// What everything of one trial is made with.
pub(super) struct Making<'a> {
    pub(super) marks: &'a Marks,
    pub(super) owner: &'a Owner,
    pub(super) substitutes: &'a Substitutes,
}

/// The Deployment of one pod that is made from `workload`.
pub(super) fn deployment(
    making: &Making<'_>,
    workload: &Value,
    labels: CanaryLabels,
    patch: &Patch,
) -> Result<Value, Refusal> {
    let name = text(workload, "/metadata/name");
    let mut template = template(making, workload.pointer("/spec/template"), Role::Canary)?;
    let ours = making.marks.labels(Role::Canary);
    keep_labels(&mut template, labels, &ours);
    patch.apply(&mut template["spec"])?;
    // A gate of the original's comes true by somebody who looks for its pods, and a canary is not one of them.
    if let Some(spec) = template["spec"].as_object_mut() {
        spec.insert("restartPolicy".to_owned(), json!("Always"));
        spec.remove("readinessGates");
        if labels == CanaryLabels::Keep {
            let gate = json!([{"conditionType": CANARY_GATE}]);
            spec.insert("readinessGates".to_owned(), gate);
        }
    }
    let mut spec = json!({
        "replicas": 1,
        "revisionHistoryLimit": 0,
        // Never two of them.
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": ours},
        "template": template,
    });
    if let Some(seconds) = workload.pointer("/spec/progressDeadlineSeconds") {
        spec["progressDeadlineSeconds"] = seconds.clone();
    }
    Ok(object(
        making,
        ("apps/v1", "Deployment"),
        (Role::Canary, name),
        &spec,
    ))
}

/// The Job that is one run of `cron_job`: one pod, once.
pub(super) fn job(making: &Making<'_>, cron_job: &Value, role: Role<'_>) -> Result<Value, Refusal> {
    let name = text(cron_job, "/metadata/name");
    let template = cron_job.pointer("/spec/jobTemplate/spec/template");
    let mut template = template_of_job(making, template, role)?;
    // With `OnFailure` the pod of a failed run, and with it the exit status, would be gone at once.
    if let Some(spec) = template["spec"].as_object_mut() {
        spec.insert("restartPolicy".to_owned(), json!("Never"));
    }
    let own = cron_job
        .pointer("/spec/jobTemplate/spec/activeDeadlineSeconds")
        .and_then(Value::as_u64);
    let longest = own.map_or(LONGEST_RUN_SECONDS, |own| own.clamp(1, LONGEST_RUN_SECONDS));
    let spec = json!({
        "backoffLimit": 0,
        "completions": 1,
        "parallelism": 1,
        "activeDeadlineSeconds": longest,
        "template": template,
    });
    Ok(object(making, ("batch/v1", "Job"), (role, name), &spec))
}

fn template_of_job(
    making: &Making<'_>,
    original: Option<&Value>,
    role: Role<'_>,
) -> Result<Value, Refusal> {
    let mut template = template(making, original, role)?;
    keep_labels(
        &mut template,
        CanaryLabels::Keep,
        &making.marks.labels(role),
    );
    Ok(template)
}

/// The template with candidates in the place of targets, and without the marks of others.
fn template(
    making: &Making<'_>,
    original: Option<&Value>,
    role: Role<'_>,
) -> Result<Value, Refusal> {
    let spec = original.and_then(|template| template.get("spec"));
    let Some(spec) = spec.filter(|spec| spec.is_object()) else {
        return Err(Refusal::new("it has no pod template", "Give it one"));
    };
    let mut spec = spec.clone();
    if replace(&mut spec, making.substitutes) == 0 {
        let way_out = match role {
            Role::Canary => "Name a workload or CronJob that uses a target of this SecretSync",
            _ => "Name a CronJob that uses a target of this SecretSync",
        };
        let why = "it uses none of the objects that this SecretSync writes, so it could not tell \
                   whether the new values work";
        return Err(Refusal::new(why, way_out));
    }
    for container in containers(&mut spec) {
        let env = container
            .as_object_mut()
            .map(|container| container.entry("env").or_insert_with(|| json!([])));
        if let Some(Value::Array(env)) = env {
            env.retain(|variable| variable["name"] != CANARY_VARIABLE);
            env.push(json!({"name": CANARY_VARIABLE, "value": TRUE}));
        }
    }
    let metadata = original.and_then(|template| template.get("metadata"));
    Ok(json!({
        "metadata": {
            "labels": foreign(metadata, "labels"),
            "annotations": foreign(metadata, "annotations"),
        },
        "spec": spec,
    }))
}

/// Labels or annotations that belong to the workload itself.
fn foreign(metadata: Option<&Value>, field: &str) -> Map<String, Value> {
    let all = metadata.and_then(|metadata| metadata.get(field)?.as_object());
    let all = all.into_iter().flatten();
    all.filter(|(name, _)| !is_tracking(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn is_tracking(name: &str) -> bool {
    is_reserved_metadata(name)
        || TRACKING.iter().any(|prefix| name.starts_with(prefix))
        || name.contains(RELOADER)
}

fn keep_labels(template: &mut Value, keep: CanaryLabels, ours: &BTreeMap<&'static str, String>) {
    let labels = &mut template["metadata"]["labels"];
    if keep == CanaryLabels::Strip || !labels.is_object() {
        *labels = json!({});
    }
    for (name, value) in ours {
        labels[*name] = json!(value);
    }
}

/// An object of the trial, with a digest of what it was made as: another template makes another canary.
fn object(
    making: &Making<'_>,
    (api_version, kind): (&str, &str),
    (role, from): (Role<'_>, &str),
    spec: &Value,
) -> Value {
    let owner = making.owner.reference();
    let made_as = digest(&[&spec.to_string()], 16);
    json!({
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": making.marks.name(role, from),
            "labels": making.marks.labels(role),
            "annotations": {CANARY_MADE_AS_ANNOTATION: made_as},
            "ownerReferences": [owner],
        },
        "spec": spec,
    })
}

/// All containers of a pod, init containers too.
pub(super) fn containers(spec: &mut Value) -> Vec<&mut Value> {
    let mut found = Vec::new();
    let Some(spec) = spec.as_object_mut() else {
        return found;
    };
    for (field, list) in spec.iter_mut() {
        if field == "containers" || field == "initContainers" {
            found.extend(list.as_array_mut().into_iter().flatten());
        }
    }
    found
}

/// Puts candidates in the place of targets, in every way in which a pod can use them; how often.
///
/// `imagePullSecrets` are left alone: the pod does not see them, and a pull that fails never rejects a revision.
fn replace(spec: &mut Value, substitutes: &Substitutes) -> usize {
    let Substitutes {
        secrets,
        config_maps,
    } = substitutes;
    let mut replaced = 0;
    for container in containers(spec) {
        for source in list(container, "envFrom") {
            replaced += rename(source.get_mut("secretRef"), "name", secrets);
            replaced += rename(source.get_mut("configMapRef"), "name", config_maps);
        }
        for variable in list(container, "env") {
            let Some(from) = variable.get_mut("valueFrom") else {
                continue;
            };
            replaced += rename(from.get_mut("secretKeyRef"), "name", secrets);
            replaced += rename(from.get_mut("configMapKeyRef"), "name", config_maps);
        }
    }
    for volume in list(spec, "volumes") {
        replaced += rename(volume.get_mut("secret"), "secretName", secrets);
        replaced += rename(volume.get_mut("configMap"), "name", config_maps);
        let Some(projected) = volume.get_mut("projected") else {
            continue;
        };
        for source in list(projected, "sources") {
            replaced += rename(source.get_mut("secret"), "name", secrets);
            replaced += rename(source.get_mut("configMap"), "name", config_maps);
        }
    }
    replaced
}

fn list<'a>(object: &'a mut Value, field: &str) -> impl Iterator<Item = &'a mut Value> {
    let list = object.get_mut(field).and_then(Value::as_array_mut);
    list.into_iter().flatten()
}

fn rename(reference: Option<&mut Value>, field: &str, names: &BTreeMap<String, String>) -> usize {
    let name = reference.and_then(|reference| reference.get_mut(field));
    let Some(name) = name else { return 0 };
    match name.as_str().and_then(|name| names.get(name)) {
        Some(substitute) => {
            *name = json!(substitute);
            1
        }
        None => 0,
    }
}

pub(super) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
