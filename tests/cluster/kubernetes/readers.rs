//! Secrets, ConfigMaps and tokens, read by name.

use penstock_adapters::kubernetes::KubernetesReaders;
use penstock_adapters::kubernetes::installation_key::load_or_create;
use penstock_domain::conditions::Reason;
use penstock_domain::fault::FaultClass;
use penstock_domain::names::ObjectName;
use penstock_domain::reserved::INSTALLATION_KEY_NAME;
use penstock_domain::stores::{Credentials, DataKind, DataObjects, TokenRequest};

use penstock_testbed::Failure;

use super::{Corner, Outcome, testbed};

const OBJECTS: &str = "
apiVersion: v1
kind: Secret
metadata: {name: login, annotations: {penstock.dev/accept-from: stores/prod}}
data: {token: aHVudGVyMg==, bytes: AP8=}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {ca.crt: PEM}
binaryData: {bytes: AP8=}
---
apiVersion: v1
kind: Secret
metadata: {name: penstock-record-x}
data: {sealed: AAAA}
---
apiVersion: v1
kind: Secret
metadata: {name: renamed, labels: {penstock.dev/record: 'true'}}
data: {sealed: AAAA}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: open, annotations: {penstock.dev/accept-from: 'other, vault'}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: closed}
";

#[tokio::test]
async fn what_is_named_is_read_and_what_is_ours_is_not() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let corner = Corner::new(testbed, "read").await?;
    corner.namespace.apply(OBJECTS).await?;
    load_or_create(&corner.api, &corner.name).await?;
    let readers = KubernetesReaders::new(corner.api.clone());
    let name = |text: &str| ObjectName::new(text);

    let token = readers
        .secret_key(&corner.name, &name("login")?, "token")
        .await?;
    assert_eq!(token.expose_text(), Some("hunter2"));
    let ca = readers
        .config_map_key(&corner.name, &name("settings")?, "ca.crt")
        .await?;
    assert_eq!(ca, "PEM");

    let object = readers
        .get(&corner.name, DataKind::Secret, &name("login")?)
        .await?
        .ok_or_else(|| Failure::because("there is a Secret"))?;
    assert_eq!(object.accept_from.as_deref(), Some("stores/prod"));
    assert_eq!(object.data["bytes"].expose(), [0, 255]);
    let object = readers
        .get(&corner.name, DataKind::ConfigMap, &name("settings")?)
        .await?
        .ok_or_else(|| Failure::because("there is a ConfigMap"))?;
    assert_eq!(object.data.keys().collect::<Vec<_>>(), ["bytes", "ca.crt"]);

    let absent = readers
        .get(&corner.name, DataKind::Secret, &name("nope")?)
        .await?;
    assert_eq!(absent, None);
    for (object, key, class) in [
        ("nope", "token", FaultClass::NotFound),
        ("login", "nope", FaultClass::NotFound),
        ("penstock-record-x", "sealed", FaultClass::Denied),
        ("renamed", "sealed", FaultClass::Denied),
        (INSTALLATION_KEY_NAME, "key", FaultClass::Denied),
    ] {
        let read = readers.secret_key(&corner.name, &name(object)?, key).await;
        assert_eq!(read.map_err(|fault| fault.class), Err(class), "{object}");
    }
    let binary = readers
        .config_map_key(&corner.name, &name("settings")?, "bytes")
        .await;
    assert_eq!(binary.unwrap_err().class, FaultClass::Invalid);
    Ok(())
}

#[tokio::test]
async fn a_token_is_given_for_an_account_that_consents_and_for_its_audience_only() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let corner = Corner::new(testbed, "read").await?;
    corner.namespace.apply(OBJECTS).await?;
    let readers = KubernetesReaders::new(corner.api.clone());
    let request = |account: &str, audiences: &[&str]| -> Result<_, Failure> {
        Ok(TokenRequest {
            namespace: corner.name.clone(),
            service_account: ObjectName::new(account)?,
            audiences: audiences
                .iter()
                .map(|&audience| audience.to_owned())
                .collect(),
            store: ObjectName::new("vault")?,
            lifetime_seconds: 600,
        })
    };
    let token = readers
        .service_account_token(&request("open", &["https://vault.example"])?)
        .await?;
    let claims = token
        .expose_text()
        .and_then(|token| token.split('.').nth(1));
    let claims = decode(claims.ok_or_else(|| Failure::because("a token has three parts"))?)?;
    assert_eq!(claims["aud"], serde_json::json!(["https://vault.example"]));

    let closed = readers
        .service_account_token(&request("closed", &["a"])?)
        .await;
    let closed = closed.unwrap_err();
    assert_eq!(
        (closed.class, closed.reason),
        (FaultClass::Denied, Reason::NotAllowed)
    );
    let absent = readers
        .service_account_token(&request("nope", &["a"])?)
        .await;
    assert_eq!(absent.unwrap_err().class, FaultClass::NotFound);
    let nobody = readers.service_account_token(&request("open", &[])?).await;
    assert_eq!(nobody.unwrap_err().class, FaultClass::Invalid);
    Ok(())
}

/// The claims of a JSON web token.
fn decode(part: &str) -> Result<serde_json::Value, Failure> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part)?;
    Ok(serde_json::from_slice(&bytes)?)
}
