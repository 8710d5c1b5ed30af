//! What RBAC cannot say, and the admission policies do.

use std::fmt::Debug;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::{Client, ResourceExt};
use penstock_domain::api::secret_sync::SecretSync;
use penstock_testbed::{
    ControlPlane, ControlPlaneOptions, Failure, Namespace, ServiceAccountName, eventually,
    install_definitions,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{ROLLOUTS, Setting, acting_as, chart, release};
use crate::cluster::{Outcome, SOON, testbed};

const MARKER: &str = "penstock.dev/content-shop";

fn workload(kind: &str) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "shop", "labels": {"app": "shop"}, "annotations": {"theirs": "1"}},
        "spec": {
            "selector": {"matchLabels": {"app": "shop"}},
            "template": {
                "metadata": {"labels": {"app": "shop"}, "annotations": {"theirs": "1"}},
                "spec": {"containers": [{"name": "shop", "image": "any"}]},
            },
        },
    })
}

/// A change of annotations of the pod template; `null` takes one away.
fn template_annotations(annotations: &Value) -> Value {
    json!({"spec": {"template": {"metadata": {"annotations": annotations}}}})
}

fn markers() -> [Value; 4] {
    [
        template_annotations(&json!({MARKER: "0a-1b.1"})),
        template_annotations(&json!({MARKER: "0a-2c.1", "penstock.dev/content.0123": "0a-1b.1"})),
        template_annotations(&json!({MARKER: null})),
        json!({}),
    ]
}

fn anything_else() -> [Value; 9] {
    [
        json!({"metadata": {"annotations": {"penstock.dev/content": "x"}}}),
        json!({"metadata": {"annotations": {"theirs": null}}}),
        json!({"metadata": {"labels": {"app": "other"}}}),
        json!({"metadata": {"finalizers": ["penstock.dev/cleanup"]}}),
        json!({"spec": {"revisionHistoryLimit": 1}}),
        json!({"spec": {"template": {"metadata": {"labels": {"more": "x"}}}}}),
        json!({"spec": {"template": {"spec": {"hostNetwork": true}}}}),
        template_annotations(&json!({"theirs": null})),
        template_annotations(&json!({"sidecar.istio.io/inject": "false", MARKER: "0a-1b.2"})),
    ]
}

/// Merges `patch` into the object `name`; a rehearsal is checked like any other and changes nothing.
async fn merge<K>(api: &Api<K>, name: &str, patch: &Value, rehearsal: bool) -> kube::Result<K>
where
    K: Clone + DeserializeOwned + Debug,
{
    let parameters = PatchParams {
        dry_run: rehearsal,
        ..PatchParams::default()
    };
    api.patch(name, &parameters, &Patch::Merge(patch)).await
}

/// Whether the policy whose name is, or ends in, `policy` said no. Anything else that went wrong is an error.
fn refused<K>(outcome: kube::Result<K>, policy: &str) -> Result<bool, Failure> {
    match outcome {
        Ok(_) => Ok(false),
        Err(kube::Error::Api(status)) if status.code == 403 && status.message.contains(policy) => {
            Ok(true)
        }
        Err(error) => Err(error.into()),
    }
}

/// The API server learns of policies by watches: waits until this one refuses `patch`.
async fn await_policy<K>(api: &Api<K>, name: &str, patch: &Value, policy: &str) -> Outcome
where
    K: Clone + DeserializeOwned + Debug,
{
    eventually(format!("{policy} refuses"), SOON, || async {
        match refused(merge(api, name, patch, true).await, policy) {
            Ok(true) => Ok(()),
            Ok(false) => Err("it lets it pass".to_owned()),
            Err(failure) => Err(failure.to_string()),
        }
    })
    .await?;
    Ok(())
}

/// The operator, at one workload of a kind: markers pass, all else is refused.
async fn only_markers_pass<K>(setting: &Setting, operator: &Client, kind: &str) -> Outcome
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    K: Clone + DeserializeOwned + Debug,
{
    let namespace = setting.tenant.name();
    setting.tenant.apply(&workload(kind).to_string()).await?;
    let policy = setting.cluster_name("workloads");
    let api: Api<K> = Api::namespaced(operator.clone(), namespace);
    let [first, ..] = anything_else();
    await_policy(&api, "shop", &first, &policy).await?;
    for patch in markers() {
        merge(&api, "shop", &patch, false).await?;
        for other in anything_else() {
            assert!(
                refused(merge(&api, "shop", &other, true).await, &policy)?,
                "{kind}: {other} passes"
            );
        }
    }
    // A person is not held by it.
    let theirs: Api<K> = Api::namespaced(setting.admin.clone(), namespace);
    merge(
        &theirs,
        "shop",
        &json!({"spec": {"revisionHistoryLimit": 1}}),
        false,
    )
    .await?;
    Ok(())
}

#[tokio::test]
async fn the_operator_changes_nothing_of_a_workload_but_its_marker() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let setting = Setting::install(testbed).await?;
    let operator = setting.operator(testbed).await?;
    only_markers_pass::<Deployment>(&setting, &operator, "Deployment").await?;
    only_markers_pass::<StatefulSet>(&setting, &operator, "StatefulSet").await?;
    only_markers_pass::<DaemonSet>(&setting, &operator, "DaemonSet").await?;
    Ok(())
}

/// On a control plane of its own: a new kind for everybody would change what other cases see.
#[tokio::test]
async fn an_argo_rollout_is_held_to_the_same_with_and_without_a_template() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let options = ControlPlaneOptions { nodes: 0 };
    let keeper = Arc::clone(&testbed.keeper);
    let plane = ControlPlane::start(&keeper, &testbed.tools, &options).await?;
    let admin = plane.client().await?;
    install_definitions(&admin, ROLLOUTS).await?;
    let namespace = Namespace::create(&admin, "argo").await?;
    let installed = chart(testbed)
        .install(&admin, &release(namespace.name(), json!({})))
        .await?;
    let token = installed.service_account.token(&admin, &[]).await?;
    let operator = plane.endpoint().client(&token).await?;
    let mut with = workload("Rollout");
    with["apiVersion"] = json!("argoproj.io/v1alpha1");
    let mut without = with.clone();
    without["metadata"]["name"] = json!("borrowed");
    without["spec"] = json!({"workloadRef": {"kind": "Deployment", "name": "shop"}});
    namespace.apply(&with.to_string()).await?;
    namespace.apply(&without.to_string()).await?;

    let kind = GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Rollout");
    let rollouts: Api<DynamicObject> =
        Api::namespaced_with(operator, namespace.name(), &ApiResource::from_gvk(&kind));
    let policy = format!("penstock-{}-workloads", namespace.name());
    let steal = json!({"spec": {"workloadRef": {"name": "other"}}});
    await_policy(&rollouts, "borrowed", &steal, &policy).await?;
    for other in anything_else() {
        assert!(
            refused(merge(&rollouts, "shop", &other, true).await, &policy)?,
            "{other}"
        );
    }
    // This definition has no subresource that would keep a status apart.
    let told = json!({"status": {"phase": "Healthy"}});
    assert!(refused(
        merge(&rollouts, "shop", &told, true).await,
        &policy
    )?);
    for patch in markers() {
        merge(&rollouts, "shop", &patch, false).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_large_workload_is_not_too_much_for_the_policy() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let setting = Setting::install(testbed).await?;
    let operator = setting.operator(testbed).await?;
    let variables: Vec<_> = (0..100)
        .map(|number| json!({"name": format!("V{number}"), "value": "x".repeat(200)}))
        .collect();
    let containers: Vec<_> = (0..30)
        .map(|number| json!({"name": format!("c{number}"), "image": "any", "env": variables}))
        .collect();
    let annotations: serde_json::Map<_, _> = (0..1500)
        .map(|number| (format!("a{number}"), json!("x".repeat(100))))
        .collect();
    let mut large = workload("Deployment");
    large["spec"]["template"]["spec"]["containers"] = json!(containers);
    large["spec"]["template"]["metadata"]["annotations"] = json!(annotations);
    setting.tenant.apply(&large.to_string()).await?;
    let api: Api<Deployment> = Api::namespaced(operator, setting.tenant.name());
    let policy = setting.cluster_name("workloads");
    await_policy(&api, "shop", &json!({"spec": {"paused": true}}), &policy).await?;
    merge(
        &api,
        "shop",
        &template_annotations(&json!({MARKER: "0a-1b.1"})),
        false,
    )
    .await?;
    Ok(())
}

const SYNC: &str = "
apiVersion: penstock.dev/v1alpha1
kind: SecretSync
metadata: {name: shop, labels: {a: b}}
spec:
  sources: [{name: vault, store: {name: openbao}, path: apps/shop}]
  targets: [{name: env, secret: {}}]
";

#[tokio::test]
async fn the_operator_changes_nothing_of_a_sync_but_finalizer_and_status() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let setting = Setting::install(testbed).await?;
    setting.tenant.apply(SYNC).await?;
    let operator = setting.operator(testbed).await?;
    let api: Api<SecretSync> = Api::namespaced(operator, setting.tenant.name());
    let policy = setting.cluster_name("syncs");
    await_policy(&api, "shop", &json!({"spec": {"suspend": true}}), &policy).await?;
    for patch in [
        json!({"spec": {"interval": "20m"}}),
        json!({"metadata": {"labels": {"a": null}}}),
        json!({"metadata": {"annotations": {"penstock.dev/by": "somebody"}}}),
    ] {
        assert!(
            refused(merge(&api, "shop", &patch, true).await, &policy)?,
            "{patch}"
        );
    }
    for finalizers in [json!(["penstock.dev/cleanup"]), json!(null)] {
        merge(
            &api,
            "shop",
            &json!({"metadata": {"finalizers": finalizers}}),
            false,
        )
        .await?;
    }
    // The right is the cluster's; the policy holds it to what is served.
    let foreign = Namespace::create(&setting.admin, "foreign").await?;
    foreign.apply(SYNC).await?;
    let operator = setting.operator(testbed).await?;
    let elsewhere: Api<SecretSync> = Api::namespaced(operator, foreign.name());
    let hold = json!({"metadata": {"finalizers": ["penstock.dev/cleanup"]}});
    assert!(refused(
        merge(&elsewhere, "shop", &hold, true).await,
        &policy
    )?);
    let status = json!({"status": {"summary": "1/1"}});
    api.patch_status("shop", &PatchParams::default(), &Patch::Merge(&status))
        .await?;
    Ok(())
}

/// An installation that stamps: what a ClusterSecretSync made is the operator's to change, and nothing else.
#[tokio::test]
async fn the_operator_makes_and_changes_only_syncs_that_say_what_stamped_them() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let stamping = |_: &str, _: &str| json!({"clusterWide": true, "clusterSyncs": {"enabled": true}, "crds": {"install": false}});
    let setting = Setting::install_for(testbed, stamping).await?;
    setting.tenant.apply(SYNC).await?;
    let operator = setting.operator(testbed).await?;
    let api: Api<SecretSync> = Api::namespaced(operator, setting.tenant.name());
    let policy = setting.cluster_name("syncs");
    await_policy(&api, "shop", &json!({"spec": {"suspend": true}}), &policy).await?;
    let by =
        |stamper: &str| json!({"metadata": {"annotations": {"penstock.dev/stamped-by": stamper}}});
    assert!(refused(
        merge(&api, "shop", &by("all"), true).await,
        &policy
    )?);
    let mut made = setting.tenant.api::<SecretSync>().get("shop").await?;
    made.metadata = serde_json::from_value(json!({"name": "made"}))?;
    let created = api.create(&PostParams::default(), &made).await;
    assert!(refused(created, &policy)?);
    made.metadata.annotations =
        Some([("penstock.dev/stamped-by".to_owned(), "all".to_owned())].into());
    api.create(&PostParams::default(), &made).await?;
    for (patch, expected) in [
        (json!({"spec": {"suspend": true}}), false),
        (json!({"metadata": {"labels": {"a": "b"}}}), false),
        (by("another"), true),
        (
            json!({"metadata": {"annotations": null}, "spec": {"suspend": null}}),
            true,
        ),
        (
            json!({"metadata": {"ownerReferences": [
                {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "b"},
            ]}}),
            true,
        ),
    ] {
        let outcome = merge(&api, "made", &patch, false).await;
        assert_eq!(refused(outcome, &policy)?, expected, "{patch}");
    }
    Ok(())
}

fn secret(name: &str, kind: &str) -> Result<Secret, Failure> {
    Ok(serde_json::from_value(json!({
        "metadata": {
            "name": name,
            "annotations": {"kubernetes.io/service-account.name": "default"},
        },
        "type": kind,
        "stringData": {
            "tls.crt": "", "tls.key": "", ".dockerconfigjson": "{}", "ssh-privatekey": "x",
            "username": "x", "token-id": "abcdef",
        },
    }))?)
}

#[tokio::test]
async fn the_operator_makes_no_secret_that_kubernetes_fills_or_trusts() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let setting = Setting::install(testbed).await?;
    let operator = setting.operator(testbed).await?;
    let api: Api<Secret> = Api::namespaced(operator, setting.tenant.name());
    let rehearsal = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let policy = setting.cluster_name("secrets");
    let token = secret("x", "kubernetes.io/service-account-token")?;
    eventually(format!("{policy} refuses"), SOON, || async {
        match refused(api.create(&rehearsal, &token).await, &policy) {
            Ok(true) => Ok(()),
            Ok(false) => Err("it lets it pass".to_owned()),
            Err(failure) => Err(failure.to_string()),
        }
    })
    .await?;
    for (kind, expected) in [
        ("bootstrap.kubernetes.io/token", true),
        ("kubernetes.io/anything-new", true),
        ("Opaque", false),
        ("kubernetes.io/dockerconfigjson", false),
        ("kubernetes.io/tls", false),
        ("kubernetes.io/ssh-auth", false),
        ("kubernetes.io/basic-auth", false),
        ("example.com/theirs", false),
        ("penstock.dev/installation-key", false),
    ] {
        let outcome = api.create(&rehearsal, &secret("x", kind)?).await;
        assert_eq!(refused(outcome, &policy)?, expected, "{kind}");
    }
    Ok(())
}

#[tokio::test]
async fn the_operator_makes_its_installation_key_and_never_touches_it_again() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let setting = Setting::install(testbed).await?;
    let operator = setting.operator(testbed).await?;
    // Its own namespace is served, so that RBAC alone would let it.
    let api: Api<Secret> = Api::namespaced(operator, setting.own.name());
    let name = "penstock-installation-key";
    let key = secret(name, "penstock.dev/installation-key")?;
    api.create(&PostParams::default(), &key).await?;
    let policy = setting.cluster_name("secrets");
    let patch = json!({"metadata": {"labels": {"a": "b"}}});
    await_policy(&api, name, &patch, &policy).await?;
    let deleted = api.delete(name, &DeleteParams::default()).await;
    assert!(refused(deleted, &policy)?);
    Ok(())
}

/// Any installation's: this policy holds everybody, so the one that refuses first may be another case's.
const APPROVALS: &str = "-approvals' denied request";

/// Somebody with one of the chart's roles for people.
async fn person(setting: &Setting, name: &str, role: &str) -> Result<ServiceAccountName, Failure> {
    let account = ServiceAccountName::new(setting.tenant.name(), name);
    let role = setting.cluster_name(role);
    let objects = [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": name},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role,
            },
            "subjects": [
                {"kind": "ServiceAccount", "name": name, "namespace": account.namespace},
            ],
        }),
    ];
    for object in objects {
        setting.tenant.apply(&object.to_string()).await?;
    }
    let binding = setting.tenant.api::<RoleBinding>().get(name).await?;
    assert_eq!(binding.name_any(), name);
    Ok(account)
}

#[tokio::test]
async fn approvals_are_given_by_approvers_in_their_own_name() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let setting = Setting::install(testbed).await?;
    setting.tenant.apply(SYNC).await?;
    let alice = person(&setting, "alice", "editor").await?;
    let bob = person(&setting, "bob", "approver").await?;
    let policy = APPROVALS;
    let client = |account: ServiceAccountName| {
        let admin = setting.admin.clone();
        async move { acting_as(testbed, &admin, &account).await }
    };
    let namespace = setting.tenant.name();
    let editor: Api<SecretSync> = Api::namespaced(client(alice.clone()).await?, namespace);
    let approver: Api<SecretSync> = Api::namespaced(client(bob.clone()).await?, namespace);
    let (alice, bob) = (alice.username(), bob.username());
    let annotate = |name: &str, value: Value, by: Value| {
        let annotations = json!({format!("penstock.dev/{name}"): value, "penstock.dev/by": by});
        json!({"metadata": {"annotations": annotations}})
    };
    let by = |by: Value| json!({"metadata": {"annotations": {"penstock.dev/by": by}}});
    await_policy(
        &editor,
        "shop",
        &annotate("approve", json!("x"), json!(alice)),
        policy,
    )
    .await?;
    // Who has the role, what they do, and whether it is refused. What passes stays done.
    let steps = [
        (&editor, by(json!(bob)), false),
        (&editor, annotate("refresh", json!("1"), json!(null)), false),
        (
            &editor,
            annotate("approve-rollout", json!("x"), json!(alice)),
            true,
        ),
        (&editor, annotate("now", json!("x"), json!(bob)), true),
        (&editor, annotate("retry", json!("x"), json!(alice)), true),
        (
            &approver,
            annotate("approve", json!("x"), json!(null)),
            true,
        ),
        (
            &approver,
            annotate("approve", json!("x"), json!(alice)),
            true,
        ),
        (
            &approver,
            annotate("approve", json!("x"), json!(bob)),
            false,
        ),
        (&editor, annotate("approve", json!("y"), json!(bob)), true),
        (&editor, by(json!(alice)), true),
        (&editor, by(json!(null)), true),
        (&editor, json!({"spec": {"interval": "20m"}}), false),
        (&approver, annotate("retry", json!("1"), json!(bob)), false),
        (&editor, annotate("retry", json!(null), json!(bob)), false),
        (
            &editor,
            annotate("approve", json!(null), json!(null)),
            false,
        ),
    ];
    for (number, (who, patch, expected)) in steps.iter().enumerate() {
        let outcome = merge(who, "shop", patch, false).await;
        assert_eq!(
            refused(outcome, policy)?,
            *expected,
            "step {number}: {patch}"
        );
    }
    // The way around: no write of a status takes an annotation along, whoever makes it.
    let everything = setting.tenant.api::<SecretSync>();
    let patch = Patch::Merge(annotate("approve", json!("x"), json!(bob)));
    let written = everything
        .patch_status("shop", &PatchParams::default(), &patch)
        .await?;
    assert_eq!(written.annotations().get("penstock.dev/approve"), None);
    Ok(())
}

#[tokio::test]
async fn a_sync_cannot_be_born_approved() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let setting = Setting::install(testbed).await?;
    setting.tenant.apply(SYNC).await?;
    let alice = person(&setting, "alice", "editor").await?;
    let client = acting_as(testbed, &setting.admin, &alice).await?;
    let api: Api<SecretSync> = Api::namespaced(client, setting.tenant.name());
    let policy = APPROVALS;
    let annotations = json!({"penstock.dev/approve": "x", "penstock.dev/by": alice.username()});
    let patch = json!({"metadata": {"annotations": annotations}});
    await_policy(&api, "shop", &patch, policy).await?;
    let mut sync = api.get("shop").await?;
    sync.metadata = serde_json::from_value(json!({"name": "born", "annotations": annotations}))?;
    let outcome = api.create(&PostParams::default(), &sync).await;
    assert!(refused(outcome, policy)?);
    sync.metadata.annotations = None;
    api.create(&PostParams::default(), &sync).await?;
    Ok(())
}
