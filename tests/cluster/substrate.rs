//! What the other cases stand on does what it says: the proxy and its traps, gates, outages,
//! identities, counting.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use kube::api::{Api, DeleteParams, ObjectMeta, PostParams, WatchEvent, WatchParams};
use kube::{Client, ResourceExt};
use penstock_testbed::{
    ApiProxy, ControlPlane, ControlPlaneOptions, Door, Failure, Filter, KubernetesLogin, Namespace,
    OpenBao, Operator, OperatorOptions, Part, ServiceAccountName, Snare, Testbed, VaultClient,
    VaultError, Verb, eventually,
};
use serde_json::json;

use super::{Outcome, SOON, testbed};

fn config_map(name: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        ..ConfigMap::default()
    }
}

/// A proxy, a client that goes through it, and a namespace of its own.
async fn proxied(
    testbed: &Testbed,
    prefix: &str,
) -> Result<(ApiProxy, Api<ConfigMap>, Namespace), Failure> {
    let direct = testbed.control_plane.client().await?;
    let namespace = Namespace::create(&direct, prefix).await?;
    let proxy = ApiProxy::start(testbed.control_plane.endpoint()).await?;
    let through = proxy
        .endpoint()
        .client(testbed.control_plane.admin_token())
        .await?;
    let api = Api::namespaced(through, namespace.name());
    Ok((proxy, api, namespace))
}

#[tokio::test]
async fn the_proxy_counts_by_verb_and_streams_watches() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let (proxy, api, namespace) = proxied(testbed, "proxy").await?;
    let events = api.watch(&WatchParams::default().timeout(60), "0").await?;
    pin_mut!(events);
    api.create(&PostParams::default(), &config_map("one"))
        .await?;
    // The watch is still open when its event arrives.
    let mut seen = false;
    while let Some(event) = events.next().await {
        if matches!(event?, WatchEvent::Added(map) if map.name_any() == "one") {
            seen = true;
            break;
        }
    }
    assert!(seen);
    api.get("one").await?;
    let here = || Filter::any().namespace(namespace.name());
    assert_eq!(proxy.count(&here().verb(Verb::Watch)), 1);
    assert_eq!(
        proxy.count(&here().verb(Verb::Create).resource("configmaps")),
        1
    );
    assert_eq!(proxy.count(&here().verb(Verb::Get)), 1);
    assert_eq!(proxy.count(&Filter::writes()), 1);
    Ok(())
}

#[tokio::test]
async fn a_held_write_reaches_the_api_server_only_when_released() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let (proxy, api, namespace) = proxied(testbed, "hold").await?;
    let trap = proxy.trap(Filter::writes().resource("configmaps"), 2, Snare::Hold);
    api.create(&PostParams::default(), &config_map("first"))
        .await?;
    let second = tokio::spawn({
        let api = api.clone();
        async move {
            api.create(&PostParams::default(), &config_map("second"))
                .await
        }
    });
    let caught = trap
        .sprung()
        .await
        .ok_or_else(|| Failure::because("the proxy has ended"))?;
    assert_eq!(caught.resource, "configmaps");
    assert!(
        namespace
            .api::<ConfigMap>()
            .get_opt("second")
            .await?
            .is_none()
    );
    trap.release();
    second.await??;
    assert!(
        namespace
            .api::<ConfigMap>()
            .get_opt("second")
            .await?
            .is_some()
    );
    Ok(())
}

#[tokio::test]
async fn a_held_write_whose_trap_is_dropped_never_happens() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let (proxy, api, namespace) = proxied(testbed, "discard").await?;
    let trap = proxy.trap(Filter::writes(), 1, Snare::Hold);
    let write = tokio::spawn({
        let api = api.clone();
        async move {
            api.create(&PostParams::default(), &config_map("never"))
                .await
        }
    });
    trap.sprung()
        .await
        .ok_or_else(|| Failure::because("the proxy has ended"))?;
    drop(trap);
    assert!(write.await?.is_err());
    assert!(
        namespace
            .api::<ConfigMap>()
            .get_opt("never")
            .await?
            .is_none()
    );
    assert_eq!(proxy.count(&Filter::writes()), 0);
    Ok(())
}

#[tokio::test]
async fn a_write_with_a_lost_answer_has_happened() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let (proxy, api, namespace) = proxied(testbed, "lost").await?;
    let trap = proxy.trap(Filter::writes(), 1, Snare::DropAnswer);
    assert!(
        api.create(&PostParams::default(), &config_map("done"))
            .await
            .is_err()
    );
    assert_eq!(
        trap.caught().map(|request| request.verb),
        Some(Verb::Create)
    );
    assert!(
        namespace
            .api::<ConfigMap>()
            .get_opt("done")
            .await?
            .is_some()
    );
    Ok(())
}

#[tokio::test]
async fn a_trap_answers_in_the_api_servers_place() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let (proxy, api, namespace) = proxied(testbed, "answer").await?;
    let conflict = reqwest::StatusCode::CONFLICT;
    let _trap = proxy.trap(
        Filter::writes().verb(Verb::Create),
        1,
        Snare::Answer(conflict),
    );
    let refused = api.create(&PostParams::default(), &config_map("x")).await;
    assert!(matches!(refused, Err(kube::Error::Api(status)) if status.reason == "Conflict"));
    assert!(namespace.api::<ConfigMap>().get_opt("x").await?.is_none());
    Ok(())
}

#[tokio::test]
async fn a_service_account_has_its_own_rights_and_no_more() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let admin = testbed.control_plane.client().await?;
    let namespace = Namespace::create(&admin, "account").await?;
    let token = account_token(&admin, &namespace, "operator").await?;
    let client = testbed.control_plane.endpoint().client(&token).await?;
    let maps: Api<ConfigMap> = Api::namespaced(client, namespace.name());
    let refused = maps.list(&kube::api::ListParams::default()).await;
    assert!(matches!(refused, Err(kube::Error::Api(status)) if status.code == 403));
    Ok(())
}

#[tokio::test]
async fn service_accounts_log_in_to_the_vault_both_ways() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let (plane, vault) = (&testbed.control_plane, &testbed.openbao);
    let admin = plane.client().await?;
    let namespace = Namespace::create(&admin, "login").await?;
    let token = account_token(&admin, &namespace, "app").await?;
    let mount = format!("kubernetes-{}", namespace.name());
    let login = KubernetesLogin {
        address: &plane.endpoint().address,
        authority: plane
            .endpoint()
            .certificate_authority
            .as_deref()
            .unwrap_or_default(),
        reviewer_token: plane.admin_token(),
    };
    vault.enable_kubernetes_login(&mount, &login).await?;
    let client = vault.client()?;
    let role = json!({
        "bound_service_account_names": ["app"],
        "bound_service_account_namespaces": [namespace.name()],
        "token_policies": ["default"],
    });
    client.post(&format!("auth/{mount}/role/app"), role).await?;
    let body = json!({"role": "app", "jwt": token});
    let answer = client
        .with_token("")
        .post(&format!("auth/{mount}/login"), body.clone())
        .await?;
    assert!(answer["auth"]["client_token"].is_string());

    let account = ServiceAccountName::new(namespace.name(), "app");
    let body = json!({"role": "app", "jwt": account.token(&admin, &["vault"]).await?});
    let mount = format!("jwt-{}", namespace.name());
    vault
        .enable_jwt_login(&mount, plane.token_key(), plane.token_issuer())
        .await?;
    let role = json!({
        "role_type": "jwt",
        "user_claim": "sub",
        "bound_audiences": ["vault"],
        "bound_subject": format!("system:serviceaccount:{}:app", namespace.name()),
        "token_policies": ["default"],
    });
    client.post(&format!("auth/{mount}/role/app"), role).await?;
    let answer = client
        .with_token("")
        .post(&format!("auth/{mount}/login"), body)
        .await?;
    assert!(answer["auth"]["client_token"].is_string());
    Ok(())
}

async fn account_token(
    admin: &Client,
    namespace: &Namespace,
    name: &str,
) -> Result<String, kube::Error> {
    let account = ServiceAccount {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        ..ServiceAccount::default()
    };
    namespace
        .api::<ServiceAccount>()
        .create(&PostParams::default(), &account)
        .await?;
    ServiceAccountName::new(namespace.name(), name)
        .token(admin, &[])
        .await
}

#[tokio::test]
async fn vault_reads_are_counted_by_path() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let vault = testbed.openbao.client()?;
    vault.put("secret", "counted/a", &[("K", "1")]).await?;
    for _ in 0..3 {
        vault.get("secret", "counted/a").await?;
    }
    assert_eq!(testbed.openbao.count("read", "secret/data/counted")?, 3);
    assert_eq!(testbed.openbao.count("read", "secret/data/count")?, 0);
    Ok(())
}

#[tokio::test]
async fn an_approle_reads_what_its_policy_allows() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let vault = testbed.openbao.client()?;
    vault.put("secret", "role/mine", &[("K", "1")]).await?;
    vault.put("secret", "other/theirs", &[("K", "2")]).await?;
    vault.put_read_policy("role", &["secret/data/role"]).await?;
    vault.enable_auth("approle-substrate", "approle").await?;
    let role = vault
        .create_approle("approle-substrate", "app", &["role"], json!({}))
        .await?;
    let body = json!({"role_id": role.role_id, "secret_id": role.secret_id});
    let login = vault
        .with_token("")
        .post("auth/approle-substrate/login", body)
        .await?;
    let client = vault.with_token(login["auth"]["client_token"].as_str().unwrap_or_default());
    assert_eq!(client.get("secret", "role/mine").await?["K"], "1");
    let denied = client.get("secret", "other/theirs").await;
    assert!(matches!(denied, Err(VaultError::Refuse { status, .. }) if status == 403));
    Ok(())
}

#[tokio::test]
async fn a_gate_closes_the_vault_for_one_client_only() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let vault = &testbed.openbao;
    let gate = vault.gate().await?;
    let direct = vault.client()?;
    let through = VaultClient::new(
        &gate.address(),
        vault.certificate_authority(),
        vault.root_token(),
    )?;
    direct.put("secret", "gate/a", &[("K", "1")]).await?;
    assert_eq!(through.get("secret", "gate/a").await?["K"], "1");
    gate.set(Door::Refuse).await?;
    assert!(through.get("secret", "gate/a").await.is_err());
    assert_eq!(direct.get("secret", "gate/a").await?["K"], "1");
    gate.set(Door::Open).await?;
    assert_eq!(through.get("secret", "gate/a").await?["K"], "1");
    Ok(())
}

/// The vault of this case is its own: the others must not notice.
#[tokio::test]
async fn a_vault_keeps_its_data_over_seal_stop_and_pause() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let vault = OpenBao::start(&testbed.keeper, &testbed.tools).await?;
    let client = vault.client()?;
    client.put("secret", "kept", &[("K", "1")]).await?;

    vault.seal().await?;
    let sealed = client.get("secret", "kept").await;
    assert!(matches!(sealed, Err(VaultError::Refuse { status, .. }) if status == 503));
    vault.unseal().await?;
    assert_eq!(client.get("secret", "kept").await?["K"], "1");

    vault.stop().await?;
    assert!(matches!(
        client.get("secret", "kept").await,
        Err(VaultError::Ask { .. })
    ));
    vault.start_again().await?;
    assert_eq!(client.get("secret", "kept").await?["K"], "1");

    vault.pause().await?;
    let waiting = client.get("secret", "kept");
    assert!(
        tokio::time::timeout(Duration::from_millis(300), waiting)
            .await
            .is_err()
    );
    vault.resume().await?;
    assert_eq!(client.get("secret", "kept").await?["K"], "1");
    Ok(())
}

/// The control plane of this case is its own, too.
#[tokio::test]
async fn a_control_plane_keeps_its_objects_over_the_death_of_its_parts() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let options = ControlPlaneOptions { nodes: 0 };
    let plane = ControlPlane::start(&testbed.keeper, &testbed.tools, &options);
    let plane = Box::pin(plane).await?;
    let maps: Api<ConfigMap> = Api::namespaced(plane.client().await?, "default");
    maps.create(&PostParams::default(), &config_map("kept"))
        .await?;
    plane.kill_part(Part::ApiServer).await?;
    assert!(maps.get("kept").await.is_err());
    plane.kill_part(Part::Etcd).await?;
    plane.start_part(Part::Etcd).await?;
    plane.start_part(Part::ApiServer).await?;
    plane.await_ready().await?;
    maps.delete("kept", &DeleteParams::default()).await?;
    assert!(plane.kubectl(&["get", "configmap", "kept"]).await.is_err());
    Ok(())
}

/// Any program will do for this: `sleep` says nothing and ends when told.
#[tokio::test]
async fn an_operator_is_measured_ended_and_started_again() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let options = OperatorOptions {
        name: "sleeper".into(),
        binary: "sh".into(),
        kubeconfig: testbed.control_plane.kubeconfig(),
        arguments: vec![
            "-c".into(),
            "echo started with $KUBECONFIG; exec sleep 1000".into(),
        ],
        environment: BTreeMap::new(),
        ready: "http://127.0.0.1:9/readyz".into(),
    };
    let mut operator = Operator::start(&Arc::clone(&testbed.keeper), options).await?;
    eventually("it has said so", SOON, || async {
        let log = operator.log().unwrap_or_default();
        if log.contains("admin.kubeconfig") {
            Ok(())
        } else {
            Err(log)
        }
    })
    .await?;
    assert!(operator.usage()?.resident > 0);
    assert_eq!(operator.terminate(SOON).await?.signal, Some(15));
    let ended = operator.await_ready(SOON).await;
    assert!(ended.is_err_and(|error| error.to_string().contains("started with")));
    operator.start_again().await?;
    assert_eq!(operator.exit(), None);
    assert_eq!(operator.kill().await?.signal, Some(9));
    Ok(())
}
