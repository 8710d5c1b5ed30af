//! ClusterSecretSyncs, with an operator that serves the whole cluster under the chart's account.

use k8s_openapi::api::core::v1::Namespace as NamespaceObject;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use kube::{Client, ResourceExt};
use penstock_domain::api::cluster_sync::{ClusterSecretSync, ClusterSecretSyncStatus};
use penstock_domain::api::secret_sync::SecretSync;
use penstock_domain::api::status::ConditionStatus;
use penstock_testbed::{ApiRequest, Failure, Filter, Namespace, eventually};
use serde_json::{Value, json};

use super::stage::{Setup, Stage, on_stage};
use super::{Outcome, SOON};

/// A stage whose operator serves every namespace, and ClusterSecretSyncs.
fn whole_cluster() -> Setup {
    Setup::new()
        .cluster_stores()
        .value("namespaces", json!([]))
        .value("clusterWide", json!(true))
        .value("clusterSyncs", json!({"enabled": true}))
}

fn merge() -> PatchParams {
    PatchParams::default()
}

async fn label(client: &Client, namespace: &str, labels: Value) -> Outcome {
    let api: Api<NamespaceObject> = Api::all(client.clone());
    let patch = Patch::Merge(json!({"metadata": {"labels": labels}}));
    api.patch(namespace, &merge(), &patch).await?;
    Ok(())
}

async fn namespace(client: &Client, labels: Value) -> Result<Namespace, Failure> {
    let namespace = Namespace::create(client, "stamped").await?;
    label(client, namespace.name(), labels).await?;
    Ok(namespace)
}

/// A ClusterSecretSync `name` for the namespaces of team `name`, as a person with kubectl would apply it.
async fn stamp(stage: &Stage, name: &str, template: Value) -> Outcome {
    let object = json!({
        "apiVersion": "penstock.dev/v1alpha1", "kind": "ClusterSecretSync",
        "metadata": {"name": name},
        "spec": {"namespaceSelector": {"matchLabels": {"team": name}}, "template": template},
    });
    stage.apply(&object.to_string()).await?;
    Ok(())
}

/// A template whose Secret holds `A`.
fn template(value: &str) -> Value {
    json!({"spec": {
        "sources": [{"name": "literal", "literal": {"A": value}}],
        "targets": [{"name": "env", "secret": {}}],
    }})
}

/// Waits until the status says this: matching, ready, failed, orphaned.
async fn await_counts(
    stage: &Stage,
    name: &str,
    expected: [u32; 4],
) -> Result<ClusterSecretSyncStatus, Failure> {
    let api: Api<ClusterSecretSync> = Api::all(stage.client().clone());
    let what = format!("{name} counts {expected:?}");
    let found = eventually(what, SOON, || async {
        let found = api.get(name).await.map_err(|error| error.to_string())?;
        let status = found.status.clone().unwrap_or_default();
        let counts = status.counts.unwrap_or_default();
        let counts = [
            counts.matching,
            counts.ready,
            counts.failed,
            counts.orphaned,
        ];
        let is_new = status.observed_generation == found.metadata.generation;
        if is_new && counts == expected {
            Ok(status)
        } else {
            Err(format!("{status:?}"))
        }
    });
    Ok(found.await?)
}

/// The reason of its Ready, and whether it holds.
fn ready(status: &ClusterSecretSyncStatus) -> (&str, bool) {
    let mut conditions = status.conditions.iter();
    let ready = conditions.find(|condition| condition.condition_type == "Ready");
    ready.map_or(("", false), |ready| {
        (ready.reason.as_str(), ready.status == ConditionStatus::True)
    })
}

async fn await_value(namespace: &Namespace, name: &str, value: &str) -> Outcome {
    let api = namespace.api::<Secret>();
    let what = format!("Secret {name} in {} holds {value}", namespace.name());
    eventually(what, SOON, || async {
        let found = api.get_opt(name).await.map_err(|error| error.to_string())?;
        let data = found.and_then(|secret| secret.data).unwrap_or_default();
        match data.get("A") {
            Some(found) if found.0 == value.as_bytes() => Ok(()),
            _ => Err(format!("{:?}", data.keys())),
        }
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_cluster_sync_stamps_every_namespace_that_matches_and_deletes_nothing() -> Outcome {
    let case = on_stage(whole_cluster().proxied(), async |stage| {
        let client = stage.client().clone();
        let first = namespace(&client, json!({"team": "shared"})).await?;
        let other = namespace(&client, json!({"team": "other"})).await?;
        stamp(stage, "shared", template("t0psecret-1")).await?;
        await_value(&first, "shared", "t0psecret-1").await?;
        let status = await_counts(stage, "shared", [1, 1, 0, 0]).await?;
        assert_eq!(ready(&status), ("Synced", true));

        // One that comes to match later.
        let second = namespace(&client, json!({})).await?;
        label(&client, second.name(), json!({"team": "shared"})).await?;
        await_value(&second, "shared", "t0psecret-1").await?;
        await_counts(stage, "shared", [2, 2, 0, 0]).await?;
        assert!(other.api::<SecretSync>().get_opt("shared").await?.is_none());

        // One that leaves keeps all of it, and is told.
        label(&client, second.name(), json!({"team": null})).await?;
        await_counts(stage, "shared", [1, 1, 0, 1]).await?;
        await_value(&second, "shared", "t0psecret-1").await?;
        let words = format!("{}/shared", second.name());
        await_cluster_event(&client, "Orphaned", &words).await?;
        label(&client, second.name(), json!({"team": "shared"})).await?;
        await_counts(stage, "shared", [2, 2, 0, 0]).await?;

        // One that is deleted is neither failed nor left.
        let third = namespace(&client, json!({"team": "shared"})).await?;
        await_counts(stage, "shared", [3, 3, 0, 0]).await?;
        third.delete().await?;
        let status = await_counts(stage, "shared", [2, 2, 0, 0]).await?;
        assert_eq!(ready(&status), ("Synced", true));

        // The ClusterSecretSync goes: nothing else does. It comes back, and finds all as it should be.
        let syncs = first.api::<SecretSync>();
        let api: Api<ClusterSecretSync> = Api::all(client.clone());
        api.delete("shared", &DeleteParams::default()).await?;
        let before = syncs.get("shared").await?;
        stage.proxy()?.reset();
        stamp(stage, "shared", template("t0psecret-1")).await?;
        await_counts(stage, "shared", [2, 2, 0, 0]).await?;
        let after = syncs.get("shared").await?;
        assert_eq!(before.resource_version(), after.resource_version());
        await_value(&first, "shared", "t0psecret-1").await?;

        // A new leader finds nothing to write.
        stage.stop_operator().await?;
        stage.proxy()?.reset();
        stage.revive_operator().await?;
        let read = Filter::any().resource("clustersecretsyncs");
        let proxy = stage.proxy()?;
        eventually("the operator looks at them", SOON, || async {
            (proxy.count(&read) > 0).then_some(()).ok_or("not yet")
        })
        .await?;
        let newcomer = namespace(&client, json!({"team": "shared"})).await?;
        await_value(&newcomer, "shared", "t0psecret-1").await?;
        await_counts(stage, "shared", [3, 3, 0, 0]).await?;
        let elsewhere = newcomer.name().to_owned();
        let writes = Filter::writes().and(move |request: &ApiRequest| {
            request.namespace != elsewhere && request.resource != "clustersecretsyncs"
        });
        assert_eq!(proxy.count(&writes), 0, "{:?}", proxy.requests());
        Ok(())
    });
    Box::pin(case).await
}

#[tokio::test]
async fn what_is_stamped_follows_the_template_and_what_is_foreign_is_left() -> Outcome {
    on_stage(whole_cluster(), async |stage| {
        let client = stage.client().clone();
        let ours = namespace(&client, json!({"team": "shared"})).await?;
        let mut labelled = template("t0psecret-1");
        labelled["metadata"] = json!({"labels": {"a": "1"}, "annotations": {"example.com/a": "1"}});
        stamp(stage, "shared", labelled).await?;
        await_value(&ours, "shared", "t0psecret-1").await?;
        let syncs = ours.api::<SecretSync>();
        let made = syncs.get("shared").await?;
        assert_eq!(made.labels().get("a").map(String::as_str), Some("1"));

        // The template changes: all of it follows, and what others added to the metadata stays.
        let theirs = json!({"metadata": {"labels": {"theirs": "1"}}});
        syncs.patch("shared", &merge(), &Patch::Merge(theirs)).await?;
        stamp(stage, "shared", template("t0psecret-2")).await?;
        await_value(&ours, "shared", "t0psecret-2").await?;
        let made = syncs.get("shared").await?;
        assert_eq!(made.labels().get("a"), None);
        assert_eq!(made.labels().get("theirs").map(String::as_str), Some("1"));
        assert_eq!(made.annotations().get("example.com/a"), None);

        // An edit of what was stamped is undone, fields that the template does not name included.
        let edit = json!({"spec": {"suspend": true, "interval": "1h"}});
        syncs.patch("shared", &merge(), &Patch::Merge(edit)).await?;
        eventually("the edit is undone", SOON, || async {
            let sync = syncs.get("shared").await.map_err(|error| error.to_string())?;
            let spec = json!(sync.spec);
            (spec.get("suspend").is_none() && spec.get("interval").is_none())
                .then_some(())
                .ok_or_else(|| spec.to_string())
        })
        .await?;
        await_counts(stage, "shared", [1, 1, 0, 0]).await?;

        // A SecretSync of that name that somebody else made.
        let foreign = namespace(&client, json!({})).await?;
        let own = json!({
            "apiVersion": "penstock.dev/v1alpha1", "kind": "SecretSync", "metadata": {"name": "shared"},
            "spec": template("t0psecret-own")["spec"],
        });
        foreign.apply(&own.to_string()).await?;
        await_value(&foreign, "shared", "t0psecret-own").await?;
        label(&client, foreign.name(), json!({"team": "shared"})).await?;
        let status = await_counts(stage, "shared", [2, 1, 1, 0]).await?;
        assert_eq!(ready(&status), ("NamespacesFailed", false));
        let [failed] = &status.failed[..] else {
            return Err(Failure::because(format!("{status:?}")));
        };
        assert_eq!((&*failed.namespace, &*failed.reason), (foreign.name(), "ForeignTarget"));
        await_value(&foreign, "shared", "t0psecret-own").await?;
        let theirs = foreign.api::<SecretSync>();
        assert!(theirs.get("shared").await?.annotations().is_empty());

        // Its owner makes room. Their Secret is not ours to overwrite: that is told, too.
        theirs.delete("shared", &DeleteParams::default()).await?;
        let status = await_counts(stage, "shared", [2, 1, 1, 0]).await?;
        assert_eq!(&*status.failed[0].namespace, foreign.name());
        foreign
            .api::<Secret>()
            .delete("shared", &DeleteParams::default())
            .await?;
        await_value(&foreign, "shared", "t0psecret-2").await?;
        await_counts(stage, "shared", [2, 2, 0, 0]).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_template_that_cannot_work_is_stamped_nowhere() -> Outcome {
    on_stage(whole_cluster(), async |stage| {
        let client = stage.client().clone();
        let place = namespace(&client, json!({"team": "broken"})).await?;
        let mut broken = template("t0psecret-1");
        broken["metadata"] = json!({"annotations": {"penstock.dev/approve": "x"}});
        broken["spec"]["sources"][0]["rename"] =
            json!({"replace": [{"matching": "(", "with": ""}]});
        for (template, words) in [
            (
                broken.clone(),
                "spec.template.metadata.annotations[penstock.dev/approve]",
            ),
            (
                json!({"spec": broken["spec"]}),
                "spec.template: spec.sources[0].rename",
            ),
        ] {
            stamp(stage, "broken", template).await?;
            let api: Api<ClusterSecretSync> = Api::all(client.clone());
            eventually(format!("it says {words}"), SOON, || async {
                let found = api.get("broken").await.map_err(|error| error.to_string())?;
                let conditions = found.status.unwrap_or_default().conditions;
                let told = conditions.iter().any(|condition| {
                    condition.condition_type == "Stalled"
                        && condition.status == ConditionStatus::True
                        && condition.message.contains(words)
                });
                told.then_some(()).ok_or_else(|| format!("{conditions:?}"))
            })
            .await?;
        }
        assert!(place.api::<SecretSync>().get_opt("broken").await?.is_none());
        Ok(())
    })
    .await
}

/// Rule 7: what a namespace may read of a cluster store is decided for each namespace, whoever wrote the sync.
#[tokio::test]
async fn a_stamp_gives_no_namespace_more_than_the_store_allows_it() -> Outcome {
    on_stage(whole_cluster(), async |stage| {
        let client = stage.client().clone();
        stage.put("gold", &[("A", "t0psecret-gold")]).await?;
        let token = stage.secret("vault-token").await?;
        let operator = stage.operator_namespace();
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "central"}, "stringData": token,
        });
        operator.apply(&secret.to_string()).await?;
        let vault = &stage.testbed().openbao;
        let store = json!({
            "apiVersion": "penstock.dev/v1alpha1", "kind": "ClusterSecretStore",
            "metadata": {"name": "central"},
            "spec": {
                "provider": {"vault": {
                    "address": vault.address(),
                    "caBundle": vault.certificate_authority(),
                    "auth": {"token": {"secretRef": {"name": "central", "key": "token"}}},
                }},
                "allow": [{
                    "namespaceSelector": {"matchLabels": {"tier": "gold"}}, "keyPrefixes": ["$apps/"],
                    "read": true,
                }],
            },
        });
        stage.apply(&store.to_string()).await?;
        let gold = namespace(&client, json!({"team": "limited", "tier": "gold"})).await?;
        let plain = namespace(&client, json!({"team": "limited"})).await?;
        let limited = json!({"spec": {
            "sources": [{
                "name": "central", "path": "$apps/gold",
                "store": {"name": "central", "kind": "ClusterSecretStore"},
            }],
            "targets": [{"name": "env", "secret": {}}],
        }});
        stamp(stage, "limited", limited).await?;
        await_value(&gold, "limited", "t0psecret-gold").await?;
        let status = await_counts(stage, "limited", [2, 1, 1, 0]).await?;
        assert_eq!(&*status.failed[0].namespace, plain.name());
        assert!(plain.api::<Secret>().get_opt("limited").await?.is_none());
        label(&client, plain.name(), json!({"tier": "gold"})).await?;
        await_value(&plain, "limited", "t0psecret-gold").await?;
        Ok(())
    })
    .await
}

async fn await_cluster_event(client: &Client, reason: &str, words: &str) -> Outcome {
    let api: Api<Event> = Api::namespaced(client.clone(), "default");
    eventually(format!("an event {reason} says {words}"), SOON, || async {
        let events = api
            .list(&ListParams::default())
            .await
            .map_err(|error| error.to_string())?;
        let notes: Vec<_> = events
            .iter()
            .map(|event| {
                (
                    event.reason.as_deref(),
                    event.note.as_deref().unwrap_or_default(),
                )
            })
            .collect();
        let told =
            |(found, note): &(Option<&str>, &str)| *found == Some(reason) && note.contains(words);
        if notes.iter().any(told) {
            Ok(())
        } else {
            Err(format!("{notes:?}"))
        }
    })
    .await?;
    Ok(())
}
