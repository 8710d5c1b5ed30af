//! Objects that this version cannot read: written while the definitions said something else, by a newer
//! version say, or by somebody who took the schema away.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use super::super::super::Outcome;
use super::super::super::stage::{Setup, Stage, on_stage};
use super::{GOOD, GOOD_CONTENT, goes_on};

/// The API server takes any spec from now on.
async fn loosen(stage: &Stage, definition: &str) -> Outcome {
    let schema = json!({
        "type": "object",
        "properties": {
            "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        },
    });
    let patch = json!([{
        "op": "replace",
        "path": "/spec/versions/0/schema/openAPIV3Schema",
        "value": schema,
    }]);
    let patch: Patch<()> = Patch::Json(serde_json::from_value(patch)?);
    let api: Api<CustomResourceDefinition> = Api::all(stage.client().clone());
    api.patch(definition, &PatchParams::default(), &patch)
        .await?;
    Ok(())
}

#[tokio::test]
async fn an_object_that_cannot_be_read_gets_a_condition_and_the_others_go_on() -> Outcome {
    on_stage(Setup::new().own_control_plane(), async |stage| {
        stage.put("good", GOOD_CONTENT).await?;
        stage.sync("good", &GOOD.replace("$case", "good")).await?;
        stage.is_synced("good").await?;
        loosen(stage, "secretsyncs.penstock.dev").await?;
        loosen(stage, "secretstores.penstock.dev").await?;

        // The definitions are taken over a moment later: until then the API server refuses these.
        let odd = "
            sources: [{name: vault, store: {name: vault}, path: $apps/odd}]
            targets: many
            ";
        stage.eventually_sync("odd", odd).await?;
        stage
            .await_condition("odd", ("Ready", "False"), "InvalidSpec")
            .await?;
        stage
            .await_event("odd", "InvalidSpec", &["spec.targets", "kubectl explain"])
            .await?;

        // A sync that works turns unreadable: its Secret stays.
        let before = stage.secret_object("good").await?;
        stage
            .eventually_sync("good", &odd.replace("$apps/odd", "$apps/good"))
            .await?;
        stage
            .await_condition("good", ("Stalled", "True"), "InvalidSpec")
            .await?;
        assert_eq!(stage.secret_object("good").await?, before);

        // A store of a provider that this version does not know.
        let store = json!({
            "apiVersion": "penstock.dev/v1alpha1",
            "kind": "SecretStore",
            "metadata": {"name": "tomorrow"},
            "spec": {"provider": {"unheardOf": {"project": "x"}}},
        });
        stage.apply(&store.to_string()).await?;
        stage
            .await_store_condition("tomorrow", ("Ready", "False"), "Invalid")
            .await?;
        stage
            .await_event(
                "tomorrow",
                "Invalid",
                &["spec.provider", "set one of vault"],
            )
            .await?;
        goes_on(stage, "odd").await
    })
    .await
}
