//! What Helm makes of the chart, without a cluster.

use kube::ResourceExt;
use kube::api::DynamicObject;
use penstock_testbed::{ChartError, Failure};
use serde_json::{Value, json};
use tokio::process::Command;

use super::{chart, release};
use crate::cluster::{Outcome, testbed};

/// Everything that is off by default, on.
fn everything() -> Value {
    json!({
        "replicas": 3,
        "namespaces": ["a", "b"],
        "clusterStores": {"readable": [{"namespace": "b", "secrets": ["registry"]}]},
        "serviceAccountTokens": [{"namespace": "a", "names": ["vault-login"]}],
        "egressAllow": ["10.0.0.0/8", "fd00::/8"],
        "image": {"pullSecrets": [{"name": "registry"}]},
        "extraEnv": [{"name": "TZ", "value": "UTC"}],
        "podAnnotations": {"a": "b"},
        "podLabels": {"c": "d"},
        "serviceMonitor": {"create": true},
        "hooks": {"enabled": true, "annotations": {"e": "f"}},
        "canaries": {"enabled": true},
        "networkPolicy": {
            "create": true,
            "hooksFrom": [{"namespaceSelector": {}}],
            "metricsFrom": [{"namespaceSelector": {}}],
            "egress": [{"ports": [{"port": 443}]}],
        },
    })
}

/// The widest installation.
fn stamping() -> Value {
    json!({"clusterWide": true, "clusterSyncs": {"enabled": true}})
}

#[tokio::test]
async fn the_chart_passes_lint() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    for values in [
        json!({}),
        everything(),
        json!({"clusterWide": true}),
        stamping(),
    ] {
        chart(testbed).lint(&values).await?;
    }
    Ok(())
}

#[tokio::test]
async fn values_that_mean_nothing_are_refused() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    for values in [
        json!({"namespace": ["a"]}),
        json!({"clusterWide": true, "namespaces": ["a"]}),
        json!({"clusterSyncs": {"enabled": true}}),
        json!({"namespaces": ["Not_a_namespace"]}),
        json!({"egressAllow": ["10.0.0.1"]}),
        json!({"serviceAccountTokens": [{"namespace": "a", "names": []}]}),
        json!({"admissionPolicies": {"everything": false}}),
        json!({"hooks": {"port": 8081}}),
        json!({"canaries": true}),
    ] {
        let rendered = chart(testbed).render(&release("x", values.clone())).await;
        assert!(
            matches!(
                rendered,
                Err(ChartError::Refuse {
                    verb: "template",
                    ..
                })
            ),
            "{values} is taken"
        );
    }
    Ok(())
}

async fn rendered(values: Value) -> Result<Option<Vec<DynamicObject>>, Failure> {
    let Some(testbed) = testbed().await? else {
        return Ok(None);
    };
    let objects = chart(testbed).render(&release("apps", values)).await?;
    Ok(Some(objects))
}

fn of_kind<'a>(
    objects: &'a [DynamicObject],
    kind: &'a str,
) -> impl Iterator<Item = &'a DynamicObject> {
    objects.iter().filter(move |object| {
        object
            .types
            .as_ref()
            .is_some_and(|types| types.kind == kind)
    })
}

fn only<'a>(objects: &'a [DynamicObject], kind: &'a str) -> Result<&'a DynamicObject, Failure> {
    let mut found = of_kind(objects, kind);
    match (found.next(), found.next()) {
        (Some(object), None) => Ok(object),
        _ => Err(Failure::because(format!("not one {kind}"))),
    }
}

/// Every right of the operator, one line each, in the order of the alphabet.
pub(super) fn rights(objects: &[DynamicObject]) -> Vec<String> {
    let words = |value: &Value| {
        let words = value.as_array().into_iter().flatten();
        let words: Vec<_> = words.filter_map(Value::as_str).collect();
        words.join(",")
    };
    let mut rights = Vec::new();
    for kind in ["RoleBinding", "ClusterRoleBinding"] {
        for binding in of_kind(objects, kind) {
            let role = binding.data["roleRef"]["name"].as_str().unwrap_or_default();
            let named = |object: &&DynamicObject| {
                object.name_any() == role && object.namespace() == binding.namespace()
            };
            let roles = of_kind(objects, kind.trim_end_matches("Binding"));
            let place = binding.namespace().unwrap_or_else(|| "*".to_owned());
            for rule in roles
                .filter(named)
                .filter_map(|role| role.data["rules"].as_array())
                .flatten()
            {
                let only = match words(&rule["resourceNames"]) {
                    all if all.is_empty() => all,
                    some => format!(" [{some}]"),
                };
                let (group, resources) = (words(&rule["apiGroups"]), words(&rule["resources"]));
                let verbs = words(&rule["verbs"]);
                rights.push(format!("{place} {group}/{resources}{only}: {verbs}"));
            }
        }
    }
    rights.sort();
    rights
}

/// What may be on or off, in every combination.
fn combinations() -> impl Iterator<Item = [bool; 4]> {
    (0..16_u8).map(|bits| [1, 2, 4, 8].map(|bit| bits & bit != 0))
}

#[tokio::test]
async fn every_combination_renders_and_gives_what_it_says() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    for [wide, stores, syncs, more] in combinations() {
        let mut values = json!({
            "clusterWide": wide,
            "clusterStores": {"enabled": stores},
            "clusterSyncs": {"enabled": syncs},
        });
        if more {
            values["clusterStores"]["readable"] = json!([{"namespace": "b", "configMaps": ["ca"]}]);
            values["serviceAccountTokens"] = json!([{"namespace": "a", "names": ["login"]}]);
            values["workloads"] = json!({"argoRollouts": false});
            values["replicas"] = json!(2);
        }
        let release = release("apps", values.clone());
        if syncs && !wide {
            let refused = chart(testbed).render(&release).await;
            assert!(
                matches!(refused, Err(ChartError::Refuse { .. })),
                "{values}"
            );
            continue;
        }
        chart(testbed).lint(&values).await?;
        let objects = chart(testbed).render(&release).await?;
        let rights = rights(&objects);
        let has = |right: &str| rights.iter().any(|line| line.starts_with(right));
        assert!(
            rights.windows(2).all(|two| two[0] != two[1]),
            "twice: {rights:?}"
        );
        assert_eq!(has("* /secrets"), wide, "{values}");
        assert_eq!(
            has("* penstock.dev/clustersecretstores"),
            stores,
            "{values}"
        );
        assert_eq!(
            has("* penstock.dev/clustersecretsyncs"),
            stores || syncs,
            "{values}"
        );
        assert_eq!(has("* penstock.dev/secretsyncs: create"), syncs, "{values}");
        assert_eq!(
            has("default events.k8s.io/events"),
            stores || syncs,
            "{values}"
        );
        assert_eq!(has("b /configmaps [ca]: get"), stores && more, "{values}");
        assert_eq!(
            has("a /serviceaccounts/token [login]: create"),
            more,
            "{values}"
        );
    }
    Ok(())
}

/// Whoever changes this list changes what a broken-in operator can do: `SECURITY.md` and the chart's README
/// say it, too.
#[tokio::test]
async fn the_rights_are_exactly_these() -> Outcome {
    let Some(objects) = rendered(json!({"namespaces": ["prod"]})).await? else {
        return Ok(());
    };
    let expected = [
        "* /namespaces [prod]: list,watch",
        "* apiextensions.k8s.io/customresourcedefinitions [secretsyncs.penstock.dev]: get",
        "* penstock.dev/clustersecretstores/status: patch",
        "* penstock.dev/clustersecretstores: list,watch",
        "* penstock.dev/clustersecretsyncs/status: patch",
        "* penstock.dev/clustersecretsyncs: list,watch",
        "* penstock.dev/secretsyncs: patch",
        "apps /secrets [penstock-installation-key]: get",
        "apps /secrets,configmaps: get,list,watch",
        "apps /secrets: create",
        "apps coordination.k8s.io/leases [penstock]: get,update",
        "apps coordination.k8s.io/leases: create",
        "default events.k8s.io/events: create",
        "prod /namespaces: get",
        "prod /pods: list",
        "prod /secrets,configmaps: get,list,watch,create,patch,delete",
        "prod apps/deployments,statefulsets,daemonsets: get,list,patch",
        "prod apps/replicasets: list",
        "prod argoproj.io/rollouts: get,list,patch",
        "prod events.k8s.io/events: create",
        "prod penstock.dev/secretsyncs,secretstores: list,watch",
        "prod penstock.dev/secretsyncs/status,secretstores/status: patch",
    ];
    assert_eq!(rights(&objects), expected);
    Ok(())
}

#[tokio::test]
async fn stamping_adds_the_right_to_make_syncs_and_nothing_else() -> Outcome {
    let Some(all) = rendered(json!({"clusterWide": true})).await? else {
        return Ok(());
    };
    let Some(stamping) = rendered(stamping()).await? else {
        return Ok(());
    };
    let mut wanted = rights(&all);
    wanted.push("* penstock.dev/secretsyncs: create".to_owned());
    wanted.sort();
    assert_eq!(rights(&stamping), wanted);
    Ok(())
}

#[tokio::test]
async fn canaries_add_these_rights_and_nothing_else() -> Outcome {
    let on = json!({"enabled": true});
    for wide in [false, true] {
        let (values, place) = if wide {
            (json!({"clusterWide": true}), "*")
        } else {
            (json!({"namespaces": ["prod"]}), "prod")
        };
        let Some(without) = rendered(values.clone()).await? else {
            return Ok(());
        };
        let mut values = values;
        values["canaries"] = on.clone();
        let Some(with) = rendered(values).await? else {
            return Ok(());
        };
        let mut wanted = rights(&without);
        wanted.extend(
            [
                "/persistentvolumeclaims: get",
                "apps/deployments: create,delete",
                "batch/cronjobs: get",
                "batch/jobs: get,list,create,delete",
                "flagger.app/canaries: list",
            ]
            .map(|right| format!("{place} {right}")),
        );
        wanted.sort();
        assert_eq!(rights(&with), wanted);
    }
    Ok(())
}

#[tokio::test]
async fn what_is_switched_off_leaves_no_right_behind() -> Outcome {
    let values = json!({
        "clusterStores": {"enabled": false, "readable": [{"namespace": "b", "secrets": ["x"]}]},
        "workloads": {"argoRollouts": false},
    });
    let Some(objects) = rendered(values).await? else {
        return Ok(());
    };
    let rights = rights(&objects);
    for absent in ["clustersecretstores", "rollouts", "serviceaccounts"] {
        assert!(
            !rights.iter().any(|right| right.contains(absent)),
            "{absent}"
        );
    }
    let elsewhere = |right: &&String| !right.starts_with("apps ") && !right.starts_with("* ");
    assert_eq!(rights.iter().find(elsewhere), None);
    let of_the_cluster: Vec<_> = rights
        .iter()
        .filter(|right| right.starts_with('*'))
        .collect();
    assert_eq!(of_the_cluster.len(), 2, "{of_the_cluster:?}");
    Ok(())
}

#[tokio::test]
async fn what_is_listed_by_name_is_granted_by_name() -> Outcome {
    let Some(objects) = rendered(everything()).await? else {
        return Ok(());
    };
    let rights = rights(&objects);
    let named: Vec<_> = rights
        .iter()
        .filter(|right| right.contains("serviceaccounts") || right.contains("registry"))
        .collect();
    assert_eq!(
        named,
        [
            "a /serviceaccounts [vault-login]: get",
            "a /serviceaccounts/token [vault-login]: create",
            "b /secrets [penstock-store-check,registry]: get",
        ]
    );
    Ok(())
}

#[tokio::test]
async fn serving_the_whole_cluster_is_the_same_list_of_rights() -> Outcome {
    let Some(one) = rendered(json!({"namespaces": ["prod"]})).await? else {
        return Ok(());
    };
    let Some(all) = rendered(json!({"clusterWide": true})).await? else {
        return Ok(());
    };
    let mut widened: Vec<_> = rights(&one)
        .into_iter()
        .map(|right| right.replace("prod ", "* ").replace(" [prod]", ""))
        .collect();
    widened.sort();
    assert_eq!(rights(&all), widened);
    Ok(())
}

#[tokio::test]
async fn the_pod_can_do_nothing_but_run() -> Outcome {
    let Some(objects) = rendered(json!({})).await? else {
        return Ok(());
    };
    let pod = &only(&objects, "Deployment")?.data["spec"]["template"]["spec"];
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(
        pod["securityContext"]["seccompProfile"]["type"],
        "RuntimeDefault"
    );
    let container = &pod["containers"][0]["securityContext"];
    assert_eq!(container["readOnlyRootFilesystem"], true);
    assert_eq!(container["allowPrivilegeEscalation"], false);
    assert_eq!(container["capabilities"]["drop"], json!(["ALL"]));
    assert!(container["capabilities"]["add"].is_null());
    for volume in ["volumes", "hostNetwork", "hostPID"] {
        assert!(pod[volume].is_null(), "{volume}");
    }
    let account = only(&objects, "ServiceAccount")?;
    assert_eq!(account.data["automountServiceAccountToken"], false);
    Ok(())
}

#[tokio::test]
async fn a_second_replica_brings_a_disruption_budget() -> Outcome {
    for (replicas, budgets) in [(1, 0), (2, 1)] {
        let Some(objects) = rendered(json!({"replicas": replicas})).await? else {
            return Ok(());
        };
        assert_eq!(of_kind(&objects, "PodDisruptionBudget").count(), budgets);
    }
    Ok(())
}

#[tokio::test]
async fn chart_operator_and_image_have_one_version() -> Outcome {
    let Some(objects) = rendered(json!({})).await? else {
        return Ok(());
    };
    let version = env!("CARGO_PKG_VERSION");
    let deployment = only(&objects, "Deployment")?;
    assert_eq!(deployment.labels()["app.kubernetes.io/version"], version);
    assert_eq!(
        deployment.labels()["helm.sh/chart"],
        format!("penstock-{version}")
    );
    let image = &deployment.data["spec"]["template"]["spec"]["containers"][0]["image"];
    assert_eq!(*image, format!("penstock:{version}"));
    Ok(())
}

/// A variable that the operator does not know would be a value of the chart that does nothing.
#[tokio::test]
async fn every_variable_of_the_container_is_one_that_the_operator_takes() -> Outcome {
    let values = json!({"egressAllow": ["10.0.0.0/8"]});
    let all = json!({"clusterWide": true});
    let help = Command::new(env!("CARGO_BIN_EXE_penstock"))
        .args(["run", "--help"])
        .output()
        .await?;
    let help = String::from_utf8(help.stdout)?;
    let canaries = json!({"canaries": {"enabled": true}});
    for values in [values, all, stamping(), canaries] {
        let Some(objects) = rendered(values).await? else {
            return Ok(());
        };
        let pod = &only(&objects, "Deployment")?.data["spec"]["template"]["spec"];
        let variables = pod["containers"][0]["env"].as_array().into_iter().flatten();
        let names: Vec<_> = variables
            .filter_map(|variable| variable["name"].as_str())
            .collect();
        assert!(names.len() > 5, "{names:?}");
        for name in names {
            assert!(
                help.contains(&format!("[env: {name}]")),
                "{name} is not in --help"
            );
        }
    }
    Ok(())
}

/// What Helm keeps, an uninstall cannot take along with every object of its kind (design decision 5).
#[tokio::test]
async fn definitions_stay_on_uninstall_and_can_be_left_out() -> Outcome {
    let Some(objects) = rendered(json!({})).await? else {
        return Ok(());
    };
    let definitions: Vec<_> = of_kind(&objects, "CustomResourceDefinition").collect();
    assert_eq!(definitions.len(), 5);
    for definition in definitions {
        let policy = definition.annotations().get("helm.sh/resource-policy");
        assert_eq!(
            policy.map(String::as_str),
            Some("keep"),
            "{}",
            definition.name_any()
        );
    }
    let Some(objects) = rendered(json!({"crds": {"install": false}})).await? else {
        return Ok(());
    };
    assert_eq!(of_kind(&objects, "CustomResourceDefinition").count(), 0);
    Ok(())
}
