//! The servers work, and work together.

use k8s_openapi::api::apps::v1::Deployment;
use penstock_testbed::{Namespace, eventually};

use super::{Outcome, SOON, testbed};

const TWO_REPLICAS: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: any}]}
";

#[tokio::test]
async fn a_deployment_becomes_available() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let client = testbed.control_plane.client().await?;
    let namespace = Namespace::create(&client, "smoke").await?;
    namespace.apply(TWO_REPLICAS).await?;
    let deployments = namespace.api::<Deployment>();
    eventually("both replicas are available", SOON, || async {
        let status = deployments
            .get("web")
            .await
            .map(|web| web.status.unwrap_or_default());
        match status.map(|status| status.available_replicas) {
            Ok(Some(2)) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn the_vault_gives_back_what_it_was_given() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let vault = testbed.openbao.client()?;
    let version = vault
        .put("secret", "smoke/app", &[("USER", "panbot"), ("LEVEL", "3")])
        .await?;
    assert_eq!(version, 1);
    let entry = vault.get("secret", "smoke/app").await?;
    assert_eq!(entry["USER"], "panbot");
    assert_eq!(entry.len(), 2);
    Ok(())
}

#[tokio::test]
async fn the_vault_is_refused_by_who_does_not_know_its_authority() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let url = format!("{}/v1/sys/health", testbed.openbao.address());
    assert!(
        reqwest::get(url)
            .await
            .is_err_and(|error| error.is_connect())
    );
    Ok(())
}
