//! Every way to log in, and what becomes of a login that ends.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{ObjectMeta, PostParams};
use penstock_adapters::kubernetes::{ApiServer, ApiServerLimits, KubernetesReaders};
use penstock_domain::api::shared::ServiceAccountRef;
use penstock_domain::api::vault::{VaultAppRoleAuth, VaultAuth, VaultKubernetesAuth};
use penstock_domain::conditions::Reason;
use penstock_domain::fault::FaultClass;
use penstock_domain::ports::{Freshness, Sources};
use penstock_domain::reserved::ACCEPT_FROM_ANNOTATION;
use penstock_domain::stores::Credentials;
use penstock_domain::testing::sync_id;
use penstock_testbed::{KubernetesLogin, Namespace, OpenBao, eventually};
use serde_json::json;

use super::{Case, Outcome, SOON, registry_at, secret_ref, source, testbed, values};

/// A store that logs in with an AppRole at a mount of its own, named like `path`.
async fn app_role(
    openbao: &OpenBao,
    path: &str,
    settings: serde_json::Value,
) -> Result<Case, penstock_testbed::Failure> {
    let case = Case::new(openbao, path).await?;
    let name = path.replace('/', "-");
    case.vault.put("secret", path, &[("K", "1")]).await?;
    case.vault.enable_auth(&name, "approle").await?;
    let role = case
        .vault
        .create_approle(&name, "reader", &[&name], settings)
        .await?;
    let case = case.changed(|provider| {
        provider.auth = VaultAuth {
            app_role: Some(VaultAppRoleAuth {
                mount: Some(name),
                role_id: Some(role.role_id.into()),
                secret_id_ref: secret_ref("secretId"),
                ..VaultAppRoleAuth::default()
            }),
            ..VaultAuth::default()
        };
    });
    case.secrets
        .set("secretId", &format!("{}\n", role.secret_id));
    Ok(case)
}

#[tokio::test]
async fn an_app_role_logs_in_once() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let path = "adapter/approle";
    let case = app_role(&testbed.openbao, path, json!({"token_ttl": "1h"})).await?;
    for _ in 0..3 {
        assert_eq!(values(&case.read(path).await?)["K"], "1");
    }
    let logins = testbed
        .openbao
        .count("update", "auth/adapter-approle/login")?;
    assert_eq!(logins, 1);
    Ok(())
}

#[tokio::test]
async fn a_token_that_expires_is_followed_by_another() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let path = "adapter/expiring";
    let settings = json!({"token_ttl": "1s", "token_max_ttl": "1s"});
    let case = app_role(&testbed.openbao, path, settings).await?;
    eventually("a third login", SOON, || async {
        // Nobody notices: every read succeeds, whenever the token dies.
        let read = case.read(path).await;
        assert!(read.is_ok(), "{read:?}");
        let logins = testbed
            .openbao
            .count("update", "auth/adapter-expiring/login");
        match logins {
            Ok(3..) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_token_that_dies_by_use_is_followed_by_another() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let path = "adapter/counted";
    let case = app_role(&testbed.openbao, path, json!({"token_num_uses": 3})).await?;
    for _ in 0..7 {
        case.read(path).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_login_is_given_back_when_the_store_is_closed() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let path = "adapter/closing";
    let case = app_role(&testbed.openbao, path, json!({"token_ttl": "1h"})).await?;
    case.read(path).await?;
    let revoked = || testbed.openbao.count("update", "auth/token/revoke-self");
    let before = revoked()?;
    case.registry.close().await;
    assert!(revoked()? > before);
    Ok(())
}

#[tokio::test]
async fn a_wrong_secret_id_is_refused_in_our_words() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let path = "adapter/wrong-id";
    let case = app_role(&testbed.openbao, path, json!({})).await?;
    case.secrets.set("secretId", "hunter2-hunter2");
    let fault = case.fault(path).await;
    assert_eq!(fault.class, FaultClass::Denied);
    assert_eq!(fault.reason, Reason::CredentialsRefused);
    assert!(!format!("{fault} {fault:?}").contains("hunter2"));
    let elsewhere = case.changed(|provider| {
        let role = provider.auth.app_role.as_mut().unwrap();
        role.mount = Some("adapter-nowhere".to_owned());
    });
    // To somebody unknown the server does not tell that nothing is mounted there.
    let fault = elsewhere.fault(path).await;
    assert_eq!(fault.reason, Reason::CredentialsRefused, "{fault}");
    assert!(fault.hint.unwrap_or_default().contains("mount"));
    Ok(())
}

#[tokio::test]
async fn a_wrong_token_is_told_from_a_denied_path() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let case = Case::new(&testbed.openbao, "adapter/denied").await?;
    let fault = case.fault("adapter/elsewhere").await;
    assert_eq!(
        (fault.class, fault.reason),
        (FaultClass::Denied, Reason::Denied)
    );
    let wrong = Case::with(&testbed.openbao, |_| {})?;
    wrong.secrets.set("token", "s.hunter2hunter2hunter2");
    let fault = wrong.fault("adapter/denied").await;
    assert_eq!(fault.reason, Reason::CredentialsRefused);
    assert!(!format!("{fault} {fault:?}").contains("hunter2"));
    Ok(())
}

#[tokio::test]
async fn a_new_token_in_the_secret_is_taken_when_told() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let path = "adapter/renamed";
    let case = Case::new(&testbed.openbao, path).await?;
    case.vault.put("secret", path, &[("K", "1")]).await?;
    case.read(path).await?;
    let first = case.secrets.get("token");
    case.vault.revoke_token(&first).await?;
    let fault = case.fault(path).await;
    assert_eq!(fault.reason, Reason::CredentialsRefused, "{fault}");
    let token = case
        .vault
        .create_token(&["adapter-renamed"], "1h", true)
        .await?;
    case.secrets.set("token", &token);
    let home = penstock_domain::names::NamespaceName::new("prod").unwrap();
    case.registry.invalidate(&home, &super::reference());
    case.read(path).await?;
    Ok(())
}

/// The whole way: the store's ServiceAccount consents, the API server issues a token for the store's own
/// audience, the vault asks the API server about it.
#[tokio::test]
async fn a_service_account_logs_in() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let (plane, openbao) = (&testbed.control_plane, &testbed.openbao);
    let client = plane.client().await?;
    let namespace = Namespace::create(&client, "vault-login").await?;
    let case = Case::new(openbao, "adapter/kubernetes").await?;
    case.vault
        .put("secret", "adapter/kubernetes", &[("K", "1")])
        .await?;
    let mount = namespace.name().to_owned();
    let authority = plane.endpoint().certificate_authority.as_deref();
    let login = KubernetesLogin {
        address: &plane.endpoint().address,
        authority: authority.unwrap_or_default(),
        reviewer_token: plane.admin_token(),
    };
    openbao.enable_kubernetes_login(&mount, &login).await?;
    let role = json!({
        "bound_service_account_names": ["reader"],
        "bound_service_account_namespaces": [namespace.name()],
        "audience": format!("SecretStore/{}/vault", namespace.name()),
        "token_policies": ["adapter-kubernetes"],
    });
    case.vault
        .post(&format!("auth/{mount}/role/reader"), role)
        .await?;

    let accounts = namespace.api::<ServiceAccount>();
    let mut account = ServiceAccount {
        metadata: ObjectMeta {
            name: Some("reader".to_owned()),
            ..ObjectMeta::default()
        },
        ..ServiceAccount::default()
    };
    accounts.create(&PostParams::default(), &account).await?;
    let mut provider = case.provider.clone();
    provider.auth = VaultAuth {
        kubernetes: Some(VaultKubernetesAuth {
            mount: Some(mount),
            role: "reader".to_owned(),
            service_account: ServiceAccountRef {
                name: "reader".to_owned(),
                audiences: Vec::new(),
            },
        }),
        ..VaultAuth::default()
    };
    let read = async || {
        let api = ApiServer::new(client.clone(), ApiServerLimits::default());
        let readers: Arc<dyn Credentials> = Arc::new(KubernetesReaders::new(api));
        let home = penstock_domain::names::NamespaceName::new(namespace.name()).unwrap();
        let registry = registry_at(home, &provider, readers, &["127.0.0.0/8"]);
        let sync = sync_id(namespace.name(), "panbot");
        registry
            .read(&sync, &source("adapter/kubernetes"), Freshness::Now)
            .await
    };
    let fault = read().await.unwrap_err();
    assert_eq!(fault.reason, Reason::NotAllowed, "no consent yet: {fault}");
    account = accounts.get("reader").await?;
    let annotation = (ACCEPT_FROM_ANNOTATION.to_owned(), "vault".to_owned());
    account.metadata.annotations = Some([annotation].into());
    accounts
        .replace("reader", &PostParams::default(), &account)
        .await?;
    assert_eq!(values(&read().await?)["K"], "1");
    Ok(())
}
