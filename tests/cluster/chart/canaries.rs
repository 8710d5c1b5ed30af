//! What the right to make Deployments and Jobs comes to, where canaries are switched on.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use kube::api::{Api, DeleteParams, PostParams};
use penstock_testbed::{Failure, eventually};
use serde_json::{Value, json};

use super::Setting;
use crate::cluster::{Outcome, SOON, testbed};

fn canary(kind: &str) -> Value {
    let mut canary = json!({
        "metadata": {
            "name": "penstock-canary-shop-0011",
            "labels": {"penstock.dev/canary": "00ff"},
            "ownerReferences": [{"apiVersion": "penstock.dev/v1alpha1", "kind": "SecretSync", "name": "shop", "uid": "u"}],
        },
        "spec": {"template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "app", "image": "any"}]},
        }},
    });
    match kind {
        "Job" => canary["spec"]["template"]["spec"]["restartPolicy"] = json!("Never"),
        _ => canary["spec"]["selector"] = json!({"matchLabels": {"a": "b"}}),
    }
    canary
}

/// What is no canary, or reaches its node.
fn others(kind: &str) -> Vec<Value> {
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut object = canary(kind);
        change(&mut object);
        object
    };
    vec![
        changed(&|object| object["metadata"]["name"] = json!("shop")),
        changed(&|object| object["metadata"]["labels"] = json!({})),
        changed(&|object| object["metadata"]["ownerReferences"] = json!([])),
        changed(&|object| object["metadata"]["ownerReferences"][0]["kind"] = json!("SecretStore")),
        changed(&|object| object["spec"]["template"]["spec"]["hostNetwork"] = json!(true)),
        changed(&|object| object["spec"]["template"]["spec"]["hostPID"] = json!(true)),
        changed(&|object| object["spec"]["template"]["spec"]["hostIPC"] = json!(true)),
        changed(&|object| {
            object["spec"]["template"]["spec"]["volumes"] =
                json!([{"name": "v", "hostPath": {"path": "/"}}]);
        }),
    ]
}

fn refused<K>(outcome: kube::Result<K>, policy: &str) -> Result<bool, Failure> {
    match outcome {
        Ok(_) => Ok(false),
        Err(kube::Error::Api(status)) if status.code == 403 && status.message.contains(policy) => {
            Ok(true)
        }
        Err(error) => Err(error.into()),
    }
}

async fn only_canaries<K>(setting: &Setting, operator: &kube::Client, kind: &str) -> Outcome
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    K: Clone + serde::Serialize + serde::de::DeserializeOwned + std::fmt::Debug,
{
    let policy = setting.cluster_name("canaries");
    let api: Api<K> = Api::namespaced(operator.clone(), setting.tenant.name());
    let theirs: Api<K> = setting.tenant.api();
    let create = async |api: &Api<K>, object: &Value, rehearsal: bool| {
        let parameters = PostParams {
            dry_run: rehearsal,
            ..PostParams::default()
        };
        let object = serde_json::from_value(object.clone()).map_err(kube::Error::SerdeError)?;
        api.create(&parameters, &object).await
    };
    let others = others(kind);
    let [first, ..] = others.as_slice() else {
        return Ok(());
    };
    // The API server learns of rights and policies by watches.
    eventually("the policy refuses", SOON, || async {
        match refused(create(&api, first, true).await, &policy) {
            Ok(true) => Ok(()),
            Ok(false) => Err("it lets it pass".to_owned()),
            Err(failure) => Err(failure.to_string()),
        }
    })
    .await?;
    for other in &others {
        assert!(
            refused(create(&api, other, true).await, &policy)?,
            "{other}"
        );
    }
    create(&api, &canary(kind), false).await?;
    api.delete("penstock-canary-shop-0011", &DeleteParams::default())
        .await?;
    create(&theirs, first, false).await?;
    let deleted = api.delete("shop", &DeleteParams::default()).await;
    assert!(refused(deleted, &policy)?, "a {kind} of the user's");
    Ok(())
}

#[tokio::test]
async fn the_operator_makes_and_deletes_nothing_but_canaries() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let values = |own: &str, tenant: &str| json!({"namespaces": [own, tenant], "crds": {"install": false}, "canaries": {"enabled": true}});
    let setting = Setting::install_for(testbed, values).await?;
    let operator = setting.operator(testbed).await?;
    only_canaries::<Deployment>(&setting, &operator, "Deployment").await?;
    only_canaries::<Job>(&setting, &operator, "Job").await
}
