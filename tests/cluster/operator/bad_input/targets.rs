//! What stands where we want to write.

use serde_json::json;

use super::super::super::Outcome;
use super::super::super::stage::on_shared_stage;
use super::{GOOD, GOOD_CONTENT, goes_on};

#[tokio::test]
async fn a_foreign_secret_is_left_as_it_is() -> Outcome {
    on_shared_stage(async |stage| {
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "foreign"},
            "stringData": {"THEIRS": "t0psecret-x"},
        });
        stage.apply(&secret.to_string()).await?;
        let before = stage.secret_object("foreign").await?;
        stage.put("foreign", GOOD_CONTENT).await?;
        stage
            .sync("foreign", &GOOD.replace("$case", "foreign"))
            .await?;
        let condition = stage
            .await_condition("foreign", ("Ready", "False"), "ForeignTarget")
            .await?;
        assert!(condition.message.contains("adopt"), "{}", condition.message);
        stage
            .await_event("foreign", "ForeignTarget", &["Secret foreign", "adopt"])
            .await?;
        assert_eq!(stage.secret_object("foreign").await?, before);
        goes_on(stage, "foreign").await?;

        // The way out.
        let adopting = GOOD.replace("secret: {}", "secret: {}, adopt: always");
        stage
            .sync("foreign", &adopting.replace("$case", "foreign"))
            .await?;
        let all = [GOOD_CONTENT, &[("THEIRS", "t0psecret-x")]].concat();
        stage.await_secret("foreign", &all).await?;
        stage.is_synced("foreign").await
    })
    .await
}

#[tokio::test]
async fn the_secret_of_another_sync_is_refused_even_to_who_adopts() -> Outcome {
    on_shared_stage(async |stage| {
        stage.put("first", GOOD_CONTENT).await?;
        stage.put("second", &[("A", "t0psecret-9")]).await?;
        stage.sync("first", &GOOD.replace("$case", "first")).await?;
        stage.is_synced("first").await?;
        let before = stage.secret_object("first").await?;
        let spec = "
            sources: [{name: vault, store: {name: vault}, path: $apps/second}]
            targets: [{name: env, secret: {name: first}, adopt: always}]
            ";
        stage.sync("second", spec).await?;
        stage
            .await_condition("second", ("Ready", "False"), "OwnedByAnother")
            .await?;
        stage
            .await_event("second", "OwnedByAnother", &["SecretSync first", "share"])
            .await?;
        stage.refresh("first").await?;
        assert_eq!(stage.secret_object("first").await?, before);
        stage.is_synced("first").await
    })
    .await
}

#[tokio::test]
async fn the_type_of_a_secret_does_not_change() -> Outcome {
    on_shared_stage(async |stage| {
        stage.put("retype", GOOD_CONTENT).await?;
        stage
            .sync("retype", &GOOD.replace("$case", "retype"))
            .await?;
        stage.is_synced("retype").await?;
        let before = stage.secret_object("retype").await?;
        let typed = |secret: &str| {
            GOOD.replace("$case", "retype")
                .replace("secret: {}", &format!("secret: {secret}"))
        };
        stage
            .sync("retype", &typed("{type: example.com/other}"))
            .await?;
        let condition = stage
            .await_condition("retype", ("Stalled", "True"), "TargetImmutable")
            .await?;
        assert!(
            condition.message.contains("recreate"),
            "{}",
            condition.message
        );
        stage
            .await_event("retype", "TargetImmutable", &["type", "recreate"])
            .await?;
        assert_eq!(stage.secret_object("retype").await?, before);

        stage
            .sync(
                "retype",
                &typed("{type: example.com/other, recreate: true}"),
            )
            .await?;
        stage.is_synced("retype").await?;
        let after = stage.secret_object("retype").await?;
        assert_eq!(
            (after.type_.as_deref(), after.data),
            (Some("example.com/other"), before.data)
        );
        Ok(())
    })
    .await
}
