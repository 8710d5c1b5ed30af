//! Rule 1 when something larger goes: a namespace, or the definitions themselves.

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::rbac::v1::RoleBinding;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, ListParams};
use penstock_testbed::{Door, eventually};

use super::super::super::api::define;
use super::super::super::stage::{Setup, Stage, Usage, on_stage};
use super::super::super::{Outcome, SOON};
use super::{COPY, changed, synced};

/// A plain copy that is cleaned up when the sync goes.
fn cleaning() -> String {
    COPY.replace("secret: {}", "secret: {}, onDelete: delete")
}

async fn is_gone(stage: &Stage) -> Outcome {
    let namespaces: Api<Namespace> = Api::all(stage.client().clone());
    let name = stage.namespace().name();
    let gone = eventually(format!("{name} is gone"), SOON, || async {
        match namespaces.get_opt(name).await {
            Ok(None) => Ok(()),
            Ok(Some(found)) => Err(format!("{:?}", found.status)),
            Err(error) => Err(error.to_string()),
        }
    });
    Ok(gone.await?)
}

#[tokio::test]
async fn a_namespace_goes_while_its_store_is_out_of_reach() -> Outcome {
    on_stage(Setup::new().gated(), async |stage| {
        synced(stage, "web", &cleaning(), &[("A", "t0psecret-1")]).await?;
        stage.set_door(Door::Refuse).await?;
        stage.namespace().delete().await?;
        is_gone(stage).await
    })
    .await
}

/// Everything in a namespace is deleted in no certain order: the operator's rights in it may go before the
/// objects that wait for it.
#[tokio::test]
async fn a_namespace_goes_although_the_operators_rights_in_it_went_first() -> Outcome {
    on_stage(Setup::new(), async |stage| {
        synced(stage, "web", &cleaning(), &[("A", "t0psecret-1")]).await?;
        let bindings = stage.namespace().api::<RoleBinding>();
        bindings
            .delete_collection(&DeleteParams::default(), &ListParams::default())
            .await?;
        stage.namespace().delete().await?;
        is_gone(stage).await
    })
    .await
}

/// All SecretSyncs and stores go with their definitions, and everything that they own. Nothing of value may be
/// among it.
#[tokio::test]
async fn definitions_that_are_deleted_and_restored_cost_nothing() -> Outcome {
    on_stage(Setup::new().own_control_plane(), async |stage| {
        let fields = [("A", "t0psecret-1")];
        synced(stage, "web", COPY, &fields).await?;
        synced(stage, "cleaned", &cleaning(), &fields).await?;
        stage.deploy("web", &[Usage::EnvFrom("web")]).await?;
        let versions = async || -> Result<_, penstock_testbed::Failure> {
            let mut versions = Vec::new();
            for name in ["web", "cleaned"] {
                versions.push(stage.secret_object(name).await?.metadata.resource_version);
            }
            Ok(versions)
        };
        let before = versions().await?;
        let stores = stage.store_documents().await?;

        let definitions: Api<CustomResourceDefinition> = Api::all(stage.client().clone());
        for name in ["secretsyncs.penstock.dev", "secretstores.penstock.dev"] {
            definitions.delete(name, &DeleteParams::default()).await?;
        }
        for name in ["secretsyncs.penstock.dev", "secretstores.penstock.dev"] {
            let gone = eventually(format!("{name} is gone"), SOON, || async {
                match definitions.get_opt(name).await {
                    Ok(None) => Ok(()),
                    Ok(Some(_)) => Err("it is there".to_owned()),
                    Err(error) => Err(error.to_string()),
                }
            });
            gone.await?;
        }
        assert_eq!(versions().await?, before, "the definitions went");

        define(stage.client()).await?;
        for store in &stores {
            stage.apply(store).await?;
        }
        stage
            .eventually_sync("web", &COPY.replace("$case", "web"))
            .await?;
        stage
            .sync("cleaned", &cleaning().replace("$case", "cleaned"))
            .await?;
        for sync in ["web", "cleaned"] {
            stage.is_synced(sync).await?;
        }
        assert_eq!(versions().await?, before, "the definitions came back");
        assert_eq!(stage.restarts("web").await?, 0);

        changed(stage, "web", &[("A", "t0psecret-2")]).await?;
        stage.await_secret("web", &[("A", "t0psecret-2")]).await?;
        stage.await_restarts("web", 1).await
    })
    .await
}
