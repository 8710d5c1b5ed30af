//! The installation key.

use futures::future::try_join_all;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::Api;
use penstock_adapters::kubernetes::installation_key::load_or_create;
use penstock_domain::fault::FaultClass;
use penstock_domain::reserved::INSTALLATION_KEY_NAME;

use super::{Corner, Outcome, testbed};

#[tokio::test]
async fn replicas_that_start_together_agree_on_one_key() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let corner = Corner::new(testbed, "key").await?;
    let keys = try_join_all((0..8).map(|_| load_or_create(&corner.api, &corner.name))).await?;
    let later = load_or_create(&corner.api, &corner.name).await?;
    for key in keys {
        assert_eq!(key.id(), later.id());
        assert_eq!(key.installation(), later.installation());
    }
    let api: Api<Secret> = corner.namespace.api();
    let secret = api.get(INSTALLATION_KEY_NAME).await?;
    assert_eq!(secret.immutable, Some(true));
    assert!(secret.metadata.owner_references.is_none());
    Ok(())
}

#[tokio::test]
async fn two_installations_have_two_keys() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let (one, other) = (
        Corner::new(testbed, "key").await?,
        Corner::new(testbed, "key").await?,
    );
    let one = load_or_create(&one.api, &one.name).await?;
    let other = load_or_create(&other.api, &other.name).await?;
    assert_ne!(one.id(), other.id());
    assert_ne!(one.installation(), other.installation());
    Ok(())
}

#[tokio::test]
async fn a_secret_of_that_name_that_holds_no_key_is_refused_and_stays() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let corner = Corner::new(testbed, "key").await?;
    corner
        .namespace
        .apply(
            "{apiVersion: v1, kind: Secret, type: penstock.dev/installation-key, \
             metadata: {name: penstock-installation-key}, stringData: {key: short, id: x}}",
        )
        .await?;
    let fault = load_or_create(&corner.api, &corner.name).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Invalid);
    assert!(fault.to_string().contains("`key`"), "{fault}");
    let api: Api<Secret> = corner.namespace.api();
    let data = api
        .get(INSTALLATION_KEY_NAME)
        .await?
        .data
        .unwrap_or_default();
    assert_eq!(data["key"], ByteString(b"short".to_vec()));
    Ok(())
}
