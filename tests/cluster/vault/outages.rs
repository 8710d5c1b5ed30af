//! A server that cannot be reached, does not serve, or is not the one that was meant.

use penstock_domain::conditions::Reason;
use penstock_domain::fault::FaultClass;
use penstock_testbed::{Authority, Door, OpenBao};
use serde_json::json;

use super::{Case, Outcome, registry, source, testbed, values};

/// The vault of this case is its own: the others must not notice.
#[tokio::test]
async fn a_sealed_or_stopped_server_is_unavailable_and_comes_back() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let openbao = OpenBao::start(&testbed.keeper, &testbed.tools).await?;
    let case = Case::new(&openbao, "app").await?;
    case.vault.put("secret", "app", &[("K", "1")]).await?;
    case.read("app").await?;
    openbao.seal().await?;
    for path in ["app", "app/"] {
        let fault = case.fault(path).await;
        assert_eq!(fault.class, FaultClass::Unavailable, "{fault}");
        assert!(fault.message.contains("sealed"), "{fault}");
    }
    openbao.unseal().await?;
    assert_eq!(values(&case.read("app").await?)["K"], "1");
    openbao.stop().await?;
    let fault = case.fault("app").await;
    assert_eq!(fault.class, FaultClass::Unavailable, "{fault}");
    openbao.start_again().await?;
    openbao.unseal().await?;
    assert_eq!(values(&case.read("app").await?)["K"], "1");
    Ok(())
}

/// The vault of this case is its own: a quota is for all who ask it.
#[tokio::test]
async fn a_quota_throttles() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let openbao = OpenBao::start(&testbed.keeper, &testbed.tools).await?;
    let case = Case::new(&openbao, "app").await?;
    case.vault.put("secret", "app", &[("K", "1")]).await?;
    case.read("app").await?;
    let quota = json!({"path": "secret/", "rate": 1, "interval": "1h"});
    case.vault
        .post("sys/quotas/rate-limit/tight", quota)
        .await?;
    let mut last = case.read("app").await;
    for _ in 0..3 {
        if last.is_err() {
            break;
        }
        last = case.read("app").await;
    }
    let fault = last.unwrap_err();
    assert!(
        matches!(fault.class, FaultClass::Throttled { .. }),
        "{fault}"
    );
    Ok(())
}

#[tokio::test]
async fn a_server_that_refuses_cuts_or_hangs_is_unavailable() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let case = Case::new(&testbed.openbao, "adapter/gate").await?;
    case.vault
        .put("secret", "adapter/gate", &[("K", "1")])
        .await?;
    let gate = testbed.openbao.gate().await?;
    let port = gate.port();
    let case = case.changed(|provider| provider.address = format!("https://localhost:{port}"));
    case.read("adapter/gate").await?;
    for door in [Door::Refuse, Door::Cut, Door::Hang] {
        gate.set(door).await?;
        let fault = case.fault("adapter/gate").await;
        assert_eq!(fault.class, FaultClass::Unavailable, "{door:?}: {fault}");
        gate.set(Door::Open).await?;
        case.read("adapter/gate").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_certificate_of_a_stranger_is_not_accepted() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let case = Case::new(&testbed.openbao, "adapter/stranger").await?;
    let stranger = Authority::new("stranger")?;
    let case = case.changed(|provider| {
        provider.ca_bundle = Some(stranger.certificate().to_owned());
    });
    let fault = case.fault("adapter/stranger").await;
    assert_eq!(fault.class, FaultClass::Unavailable);
    assert!(fault.message.contains("does not trust"), "{fault}");
    assert!(
        fault
            .hint
            .as_deref()
            .unwrap_or_default()
            .contains("CA bundle"),
        "{fault}"
    );
    let case = case.changed(|provider| provider.ca_bundle = None);
    let fault = case.fault("adapter/stranger").await;
    assert_eq!(fault.class, FaultClass::Unavailable, "{fault}");
    let case = case.changed(|provider| provider.ca_bundle = Some("no certificate".to_owned()));
    assert_eq!(
        case.fault("adapter/stranger").await.class,
        FaultClass::Invalid
    );
    Ok(())
}

#[tokio::test]
async fn a_certificate_counts_for_the_name_that_is_given() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let case = Case::new(&testbed.openbao, "adapter/named").await?;
    case.vault
        .put("secret", "adapter/named", &[("K", "1")])
        .await?;
    let case = case.changed(|provider| provider.tls_server_name = Some("localhost".to_owned()));
    case.read("adapter/named").await?;
    let case = case.changed(|provider| provider.tls_server_name = Some("other".to_owned()));
    let fault = case.fault("adapter/named").await;
    assert!(fault.message.contains("another host name"), "{fault}");
    Ok(())
}

#[tokio::test]
async fn a_namespace_reaches_no_vault_inside_without_the_administrator() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let case = Case::new(&testbed.openbao, "adapter/inside").await?;
    for address in [
        case.provider.address.clone(),
        case.provider.address.replace("127.0.0.1", "localhost"),
    ] {
        let mut provider = case.provider.clone();
        provider.address = address;
        let credentials = std::sync::Arc::clone(&case.secrets) as _;
        let closed = Case {
            registry: registry(&provider, credentials, &[]),
            provider,
            vault: case.vault.clone(),
            secrets: std::sync::Arc::clone(&case.secrets),
        };
        let fault = closed.fault_of(&source("adapter/inside")).await;
        assert_eq!(fault.class, FaultClass::Denied, "{fault}");
        assert_eq!(fault.reason, Reason::EgressDenied, "{fault}");
    }
    Ok(())
}
