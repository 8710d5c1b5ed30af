//! The ways to log in that need no Kubernetes to be asked: passwords, tokens, certificates, wrapped secret ids.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{ObjectMeta, PostParams};
use penstock_adapters::kubernetes::{ApiServer, ApiServerLimits, KubernetesReaders};
use penstock_domain::api::shared::ServiceAccountRef;
use penstock_domain::api::vault::{
    VaultAppRoleAuth, VaultAuth, VaultCertAuth, VaultJwtAuth, VaultUserpassAuth,
};
use penstock_domain::conditions::Reason;
use penstock_domain::fault::FaultClass;
use penstock_domain::names::NamespaceName;
use penstock_domain::ports::{Freshness, Sources};
use penstock_domain::reserved::ACCEPT_FROM_ANNOTATION;
use penstock_domain::stores::Credentials;
use penstock_domain::testing::sync_id;
use penstock_testbed::{Authority, Failure, Namespace, OpenBao, VaultClient};
use serde_json::{Value, json};

use super::{Case, Outcome, registry_at, secret_ref, source, testbed, values};

/// A secret at `path`, a policy that reads it, and an auth method of `kind`; both are named like `path`.
async fn prepared(openbao: &OpenBao, path: &str, kind: &str) -> Result<(Case, String), Failure> {
    let case = Case::new(openbao, path).await?;
    let name = path.replace('/', "-");
    case.vault.put("secret", path, &[("K", "1")]).await?;
    case.vault.enable_auth(&name, kind).await?;
    Ok((case, name))
}

#[tokio::test]
async fn a_password_logs_in() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let path = "adapter/userpass";
    let (case, name) = prepared(&testbed.openbao, path, "userpass").await?;
    let user = json!({"password": "hunter2-hunter2", "token_policies": [name]});
    let users = format!("auth/{name}/users");
    case.vault.post(&format!("{users}/reader"), user).await?;
    let case = case.changed(|provider| {
        provider.auth = VaultAuth {
            userpass: Some(VaultUserpassAuth {
                mount: Some(name),
                username: "reader".to_owned(),
                password_ref: secret_ref("password"),
            }),
            ..VaultAuth::default()
        };
    });
    case.secrets.set("password", "hunter2-wrong");
    let fault = case.fault(path).await;
    assert_eq!(fault.reason, Reason::CredentialsRefused, "{fault}");
    assert!(!format!("{fault} {fault:?}").contains("hunter2"));
    // Another store: what was refused a moment ago is not tried again at once.
    let case = case.changed(|_| {});
    case.secrets.set("password", "hunter2-hunter2\n");
    for _ in 0..2 {
        assert_eq!(values(&case.read(path).await?)["K"], "1");
    }
    let login = "auth/adapter-userpass/login/reader";
    assert_eq!(testbed.openbao.count("update", login)?, 2);
    Ok(())
}

#[tokio::test]
async fn a_client_certificate_logs_in() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let path = "adapter/cert";
    let (case, name) = prepared(&testbed.openbao, path, "cert").await?;
    let authority = Authority::new("clients")?;
    let (ours, theirs) = (
        authority.server("reader", &[])?,
        Authority::new("others")?.server("reader", &[])?,
    );
    let role = json!({"certificate": authority.certificate(), "token_policies": [name]});
    case.vault
        .post(&format!("auth/{name}/certs/reader"), role)
        .await?;
    let case = case.changed(|provider| {
        provider.auth = VaultAuth {
            cert: Some(VaultCertAuth {
                mount: Some(name),
                role: Some("reader".to_owned()),
                certificate_ref: secret_ref("certificate"),
                key_ref: secret_ref("key"),
            }),
            ..VaultAuth::default()
        };
    });
    case.secrets.set("certificate", &theirs.certificate);
    case.secrets.set("key", &theirs.key);
    let fault = case.fault(path).await;
    assert_eq!(fault.reason, Reason::CredentialsRefused, "{fault}");
    let case = case.changed(|_| {});
    case.secrets.set("certificate", &ours.certificate);
    let fault = case.fault(path).await;
    assert_eq!(fault.class, FaultClass::Invalid, "another's key: {fault}");
    let case = case.changed(|_| {});
    case.secrets.set("key", &ours.key);
    assert_eq!(values(&case.read(path).await?)["K"], "1");
    let case = case.changed(|provider| {
        provider.address = provider.address.replace("https://", "http://");
    });
    let fault = case.fault(path).await;
    assert_eq!(fault.class, FaultClass::Invalid, "{fault}");
    assert!(fault.subject.ends_with("auth.cert"), "{fault}");
    Ok(())
}

/// The cluster's issuer signs, the server trusts its key and asks nobody.
#[tokio::test]
async fn a_token_of_a_service_account_logs_in_by_its_signature() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let (plane, openbao) = (&testbed.control_plane, &testbed.openbao);
    let client = plane.client().await?;
    let namespace = Namespace::create(&client, "vault-jwt").await?;
    let path = "adapter/jwt";
    let case = Case::new(openbao, path).await?;
    case.vault.put("secret", path, &[("K", "1")]).await?;
    let mount = namespace.name().to_owned();
    openbao
        .enable_jwt_login(&mount, plane.token_key(), plane.token_issuer())
        .await?;
    let subject = format!("system:serviceaccount:{}:reader", namespace.name());
    let role = json!({
        "role_type": "jwt",
        "user_claim": "sub",
        "bound_subject": subject,
        "bound_audiences": [format!("SecretStore/{}/vault", namespace.name())],
        "token_policies": ["adapter-jwt"],
    });
    let role_path = format!("auth/{mount}/role/reader");
    case.vault.post(&role_path, role).await?;
    let account = ServiceAccount {
        metadata: ObjectMeta {
            name: Some("reader".to_owned()),
            annotations: Some([(ACCEPT_FROM_ANNOTATION.to_owned(), "vault".to_owned())].into()),
            ..ObjectMeta::default()
        },
        ..ServiceAccount::default()
    };
    let accounts = namespace.api::<ServiceAccount>();
    accounts.create(&PostParams::default(), &account).await?;
    let mut provider = case.provider.clone();
    provider.auth = VaultAuth {
        jwt: Some(VaultJwtAuth {
            mount: Some(mount),
            role: Some("reader".to_owned()),
            service_account: Some(ServiceAccountRef {
                name: "reader".to_owned(),
                audiences: Vec::new(),
            }),
            ..VaultJwtAuth::default()
        }),
        ..VaultAuth::default()
    };
    let read = async |provider: &_| {
        let api = ApiServer::new(client.clone(), ApiServerLimits::default());
        let readers: Arc<dyn Credentials> = Arc::new(KubernetesReaders::new(api));
        let home = NamespaceName::new(namespace.name()).unwrap();
        let registry = registry_at(home, provider, readers, &["127.0.0.0/8"]);
        let sync = sync_id(namespace.name(), "panbot");
        registry.read(&sync, &source(path), Freshness::Now).await
    };
    assert_eq!(values(&read(&provider).await?)["K"], "1");
    // A token for somebody else is none for this role.
    let jwt = provider.auth.jwt.as_mut().unwrap();
    jwt.service_account.as_mut().unwrap().audiences = vec!["another".to_owned()];
    let fault = read(&provider).await.unwrap_err();
    assert_eq!(fault.reason, Reason::CredentialsRefused, "{fault}");
    // And one that would open the cluster is not even asked for.
    let jwt = provider.auth.jwt.as_mut().unwrap();
    let audience = "https://kubernetes.default.svc".to_owned();
    jwt.service_account.as_mut().unwrap().audiences = vec![audience];
    let fault = read(&provider).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Invalid, "{fault}");
    assert!(
        fault.subject.ends_with("auth.jwt.serviceAccount"),
        "{fault}"
    );
    Ok(())
}

/// An AppRole whose secret ids arrive wrapped.
async fn wrapped(openbao: &OpenBao, path: &str) -> Result<(Case, String), Failure> {
    let (case, name) = prepared(openbao, path, "approle").await?;
    let settings = json!({"token_ttl": "1h"});
    let role = case
        .vault
        .create_approle(&name, "reader", &[&name], settings)
        .await?;
    let mount = name.clone();
    let case = case.changed(|provider| {
        provider.auth = VaultAuth {
            app_role: Some(VaultAppRoleAuth {
                mount: Some(mount),
                role_id: Some(role.role_id.into()),
                secret_id_ref: secret_ref("secretId"),
                wrapped: Some(true),
                ..VaultAppRoleAuth::default()
            }),
            ..VaultAuth::default()
        };
    });
    Ok((case, name))
}

/// Writes to `path` and gives the token behind which the answer is.
async fn wrapping_token(vault: &VaultClient, path: &str, body: Value) -> Result<String, Failure> {
    let answer = vault.post_wrapped(path, body, "5m").await?;
    let token = answer["wrap_info"]["token"].as_str();
    token
        .map(str::to_owned)
        .ok_or_else(|| Failure::because("nothing is wrapped"))
}

#[tokio::test]
async fn a_wrapped_secret_id_is_opened_once_and_serves_every_login() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let path = "adapter/wrapped";
    let (case, name) = wrapped(&testbed.openbao, path).await?;
    let makes = format!("auth/{name}/role/reader/secret-id");
    let token = wrapping_token(&case.vault, &makes, json!({})).await?;
    case.secrets.set("secretId", &format!("{token}\n"));
    let unwrapped = || testbed.openbao.count("update", "sys/wrapping/unwrap");
    let before = unwrapped()?;
    for _ in 0..3 {
        assert_eq!(values(&case.read(path).await?)["K"], "1");
    }
    assert_eq!(unwrapped()?, before + 1);
    // Whoever comes second finds it opened, and hears what that may mean.
    let second = case.changed(|_| {});
    let fault = second.fault(path).await;
    assert_eq!(fault.reason, Reason::CredentialsRefused, "{fault}");
    assert!(fault.hint.unwrap_or_default().contains("somebody else"));
    Ok(())
}

#[tokio::test]
async fn what_is_no_wrapped_secret_id_is_not_opened() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let path = "adapter/foreign-wrapping";
    let (case, name) = wrapped(&testbed.openbao, path).await?;
    let elsewhere = format!("auth/{name}-2");
    case.vault
        .enable_auth(&format!("{name}-2"), "approle")
        .await?;
    let body = json!({"token_policies": [name]});
    case.vault
        .post(&format!("{elsewhere}/role/reader"), body)
        .await?;
    let makes = format!("{elsewhere}/role/reader/secret-id");
    let token = wrapping_token(&case.vault, &makes, json!({})).await?;
    case.secrets.set("secretId", &token);
    let fault = case.fault(path).await;
    assert_eq!(fault.reason, Reason::CredentialsRefused, "{fault}");
    assert!(fault.hint.unwrap_or_default().contains("not opened"));
    // It is still whole.
    let opened = case.vault.with_token(&token);
    let answer = opened.post("sys/wrapping/unwrap", json!({})).await?;
    assert!(answer["data"]["secret_id"].is_string());
    Ok(())
}
