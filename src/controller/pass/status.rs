//! Writes a status, if anything in it is news.

use kube::api::{Patch, PatchParams};
use kube::core::DynamicResourceScope;
use kube::{Api, Client, Resource};
use penstock_observability::metrics::Metrics;
use penstock_observability::telemetry::StatusWritten;
use serde::Serialize;
use serde_json::{Value, json};

use crate::objects::Lean;
use crate::patch::{difference, precondition};
use crate::problem::{describe, reason};

/// Whose status it is, in exactly which version.
pub(super) struct Holder<'a> {
    pub(super) kind: &'static str,
    /// None for an object of the cluster.
    pub(super) namespace: Option<&'a str>,
    pub(super) name: &'a str,
    pub(super) uid: &'a str,
    pub(super) resource_version: &'a str,
}

/// What became of a status.
pub(super) enum Write<K> {
    /// Nothing in it is news.
    Nothing,
    /// It was written; this is the object now.
    Done(Box<Lean<K>>),
    /// The object is another by now, or gone: the watch tells.
    Overtaken,
    /// It was not written.
    Failed,
}

/// An Api for the trimmed form of a kind.
pub(super) fn api<K>(client: &Client, namespace: Option<&str>) -> Api<Lean<K>>
where
    Lean<K>: Resource<DynamicType = (), Scope = DynamicResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &()),
        None => Api::all(client.clone()),
    }
}

/// Writes what differs between `old` and `new`, if anything does.
pub(super) async fn write_status<K>(
    client: &Client,
    metrics: &Metrics,
    holder: &Holder<'_>,
    old: &Value,
    new: &impl Serialize,
) -> Write<K>
where
    K: Resource<DynamicType = ()>,
    Lean<K>: Resource<DynamicType = (), Scope = DynamicResourceScope>,
{
    let new = serde_json::to_value(new).unwrap_or_default();
    let Some(news) = difference(old, &new) else {
        return Write::Nothing;
    };
    let patch = json!({
        "metadata": precondition(holder.uid, holder.resource_version),
        "status": news,
    });
    let api: Api<Lean<K>> = api(client, holder.namespace);
    let parameters = PatchParams::default();
    let written = api
        .patch_status(holder.name, &parameters, &Patch::Merge(patch))
        .await;
    let failure = written
        .as_ref()
        .err()
        .map(|error| (reason(error), describe(error)));
    let object = match holder.namespace {
        Some(namespace) => format!("{namespace}/{}", holder.name),
        None => holder.name.to_owned(),
    };
    StatusWritten {
        kind: holder.kind,
        object: &object,
        failure: failure
            .as_ref()
            .map(|(reason, why)| (*reason, why.as_str())),
    }
    .emit(metrics);
    match written {
        Ok(object) => Write::Done(Box::new(object)),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Write::Overtaken,
        Err(_) => Write::Failed,
    }
}
