//! The API server takes our definitions, and says what is wrong with an object and how to mend it.

mod cases;
mod objects;

use std::fs;
use std::path::{Path, PathBuf};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::ApiResource;
use kube::{Client, ResourceExt};
use penstock_domain::api::crds::all_crds;
use penstock_domain::api::secret_sync::SecretSync;
use penstock_domain::api::source::Extract;
use penstock_domain::api::status::{Condition, ConditionStatus, SecretSyncStatus};
use penstock_domain::api::target::SecretTarget;
use penstock_testbed::{Failure, Namespace, install_definitions};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use self::cases::{Expected, cases};
use self::objects::{resource_of, sync};
use super::{Outcome, testbed};

/// A client of a control plane that serves our kinds; none where there is no control plane.
pub(super) async fn client_with_definitions() -> Result<Option<Client>, Failure> {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    let Some(testbed) = testbed().await? else {
        return Ok(None);
    };
    let client = testbed.control_plane.client().await?;
    INSTALLED.get_or_try_init(|| define(&client)).await?;
    Ok(Some(client))
}

/// Installs our definitions, and waits until they are served.
pub(super) async fn define(client: &Client) -> Outcome {
    // A YAML document may be JSON.
    let documents: Result<Vec<_>, _> = all_crds().iter().map(serde_json::to_string).collect();
    install_definitions(client, &documents?.join("\n---\n")).await?;
    Ok(())
}

/// Tries to create an object without keeping it.
async fn try_create(client: &Client, namespace: &str, object: &Value) -> Result<(), kube::Error> {
    let parameters = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let api = api_of(client, namespace, &resource_of(object));
    let object = serde_json::from_value(object.clone()).map_err(kube::Error::SerdeError)?;
    api.create(&parameters, &object).await.map(drop)
}

/// Tries to apply an object without keeping it; fields that do not exist are refused, not dropped.
async fn try_apply(client: &Client, namespace: &str, object: &Value) -> Result<(), kube::Error> {
    let parameters = PatchParams {
        dry_run: true,
        ..PatchParams::apply("test").validation_strict()
    };
    let api = api_of(client, namespace, &resource_of(object));
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    api.patch(name, &parameters, &Patch::Apply(object))
        .await
        .map(drop)
}

fn api_of(client: &Client, namespace: &str, resource: &ApiResource) -> Api<DynamicObject> {
    if resource.kind.starts_with("Cluster") {
        Api::all_with(client.clone(), resource)
    } else {
        Api::namespaced_with(client.clone(), namespace, resource)
    }
}

#[tokio::test]
async fn objects_are_accepted_or_refused_with_a_way_out() -> Outcome {
    let Some(client) = client_with_definitions().await? else {
        return Ok(());
    };
    let namespace = Namespace::create(&client, "api").await?;
    let mut surprises = Vec::new();
    for case in cases() {
        let answer = try_create(&client, namespace.name(), &case.object).await;
        match (case.expected, answer) {
            (Expected::Accepted, Ok(())) => {}
            (Expected::Refused(parts), Err(kube::Error::Api(refusal)))
                if refusal.code == 422
                    && parts.iter().all(|part| refusal.message.contains(part)) => {}
            (expected, answer) => {
                let seen = answer.map_err(|error| error.to_string());
                surprises.push(format!(
                    "{}: expected {expected:?}, saw {seen:?}",
                    case.name
                ));
            }
        }
    }
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
    Ok(())
}

/// The documents of our kinds in the YAML files under `folder`, each with the file it stands in.
fn our_documents(folder: &Path) -> Result<Vec<(PathBuf, Value)>, Failure> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(our_documents(&path)?);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            let documents: Vec<Value> = serde_saphyr::from_multiple(&fs::read_to_string(&path)?)?;
            let ours = documents.into_iter().filter(|document| {
                let version = document["apiVersion"].as_str().unwrap_or_default();
                version.starts_with("penstock.dev/")
            });
            found.extend(ours.map(|document| (path.clone(), document)));
        }
    }
    Ok(found)
}

#[tokio::test]
async fn every_example_is_accepted_to_the_last_field() -> Outcome {
    let Some(client) = client_with_definitions().await? else {
        return Ok(());
    };
    let namespace = Namespace::create(&client, "api").await?;
    let examples = our_documents(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples")))?;
    assert!(!examples.is_empty());
    for (path, mut document) in examples {
        // An example may stand in a namespace of its own.
        if !document["metadata"]["namespace"].is_null() {
            document["metadata"]["namespace"] = namespace.name().into();
        }
        let answer = try_apply(&client, namespace.name(), &document).await;
        assert!(answer.is_ok(), "{}: {answer:?}", path.display());
    }
    Ok(())
}

#[tokio::test]
async fn the_definitions_are_structural_and_established() -> Outcome {
    let Some(client) = client_with_definitions().await? else {
        return Ok(());
    };
    let api: Api<CustomResourceDefinition> = Api::all(client);
    for crd in all_crds() {
        let served = api.get(&crd.name_any()).await?;
        let conditions = served
            .status
            .unwrap_or_default()
            .conditions
            .unwrap_or_default();
        let status_of = |wanted: &str| {
            let found = conditions
                .iter()
                .find(|condition| condition.type_ == wanted);
            found.map(|condition| condition.status.as_str())
        };
        let name = crd.name_any();
        assert_eq!(status_of("Established"), Some("True"), "{name}");
        assert_eq!(status_of("NamesAccepted"), Some("True"), "{name}");
        assert_eq!(status_of("NonStructuralSchema"), None, "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn the_api_server_serves_a_description_of_every_field() -> Outcome {
    let Some(client) = client_with_definitions().await? else {
        return Ok(());
    };
    let request = request_for("/openapi/v3/apis/penstock.dev/v1alpha1", "application/json")?;
    let document: Value = client.request(request).await?;
    let schema = &document["components"]["schemas"]["dev.penstock.v1alpha1.SecretSync"];
    let described = |pointer: &str| {
        schema
            .pointer(pointer)
            .and_then(|node| node["description"].as_str())
    };
    let interval = "/properties/spec/properties/interval";
    assert!(described(interval).is_some_and(|text| text.contains("At least 10s")));
    let mode =
        "/properties/spec/properties/rollout/properties/strategy/properties/canary/properties/mode";
    assert!(described(mode).is_some_and(|text| text.contains("There is no default")));
    Ok(())
}

#[tokio::test]
async fn null_is_kept_by_server_side_apply_and_read_as_absence() -> Outcome {
    let Some(client) = client_with_definitions().await? else {
        return Ok(());
    };
    let namespace = Namespace::create(&client, "api").await?;
    let mut with_nulls = sync("{interval: null, validate: null, guards: {maxDeletes: null}}");
    with_nulls["spec"]["sources"][0]["require"] = Value::Null;
    with_nulls["spec"]["sources"][0]["select"] = json!({"keys": null, "matching": null});
    with_nulls["spec"]["targets"][0]["secret"] = json!({"labels": null});
    let name = with_nulls["metadata"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let parameters = PatchParams::apply("test");
    let dynamic = api_of(&client, namespace.name(), &resource_of(&with_nulls));
    dynamic
        .patch(&name, &parameters, &Patch::Apply(&with_nulls))
        .await?;
    let read = namespace.api::<SecretSync>().get(&name).await?;
    assert_eq!(read.spec.interval, None);
    assert!(read.spec.validate.is_empty() && read.spec.sources[0].require.is_empty());
    // A closed word is the one thing that server-side apply does not take as null.
    with_nulls["spec"]["conflicts"] = Value::Null;
    let refused = dynamic
        .patch(&name, &parameters, &Patch::Apply(&with_nulls))
        .await;
    assert!(is_refused_for(&refused, "laterWins"), "{refused:?}");
    Ok(())
}

/// GitOps tools apply like this: without more words in the definitions, `secret: {}` would be taken away.
#[tokio::test]
async fn an_object_that_loses_its_last_member_stays_under_server_side_apply() -> Outcome {
    let Some(client) = client_with_definitions().await? else {
        return Ok(());
    };
    let namespace = Namespace::create(&client, "api").await?;
    let full = sync(
        "{sources: [{name: vault, store: {name: openbao}, path: apps/web, extract: {property: a}}], \
          targets: [{name: env, secret: {type: kubernetes.io/tls, labels: {a: b}}}]}",
    );
    let empty = sync(
        "{sources: [{name: vault, store: {name: openbao}, path: apps/web, extract: {}}], \
          targets: [{name: env, secret: {}}]}",
    );
    let name = full["metadata"]["name"].as_str().unwrap_or_default();
    let api = api_of(&client, namespace.name(), &resource_of(&full));
    for object in [&full, &empty] {
        let parameters = PatchParams::apply("test");
        api.patch(name, &parameters, &Patch::Apply(object)).await?;
    }
    let read = namespace.api::<SecretSync>().get(name).await?;
    assert_eq!(read.spec.targets[0].secret, Some(SecretTarget::default()));
    assert_eq!(read.spec.sources[0].extract, Some(Extract::default()));
    Ok(())
}

#[tokio::test]
async fn the_columns_show_the_status() -> Outcome {
    let Some(client) = client_with_definitions().await? else {
        return Ok(());
    };
    let namespace = Namespace::create(&client, "api").await?;
    let created = sync("{}");
    let created: SecretSync = serde_json::from_value(created)?;
    let api = namespace.api::<SecretSync>();
    let mut created = api.create(&PostParams::default(), &created).await?;
    created.status = Some(SecretSyncStatus {
        revision: Some("k1-3f9a".to_owned()),
        summary: Some("1/1".to_owned()),
        conditions: vec![Condition {
            condition_type: "Ready".to_owned(),
            status: ConditionStatus::True,
            observed_generation: 1,
            last_transition_time: serde_json::from_value(json!("2026-11-23T00:00:00Z"))?,
            reason: "Synced".to_owned(),
            message: "Every target holds the current content.".to_owned(),
        }],
        ..SecretSyncStatus::default()
    });
    let replaced = api
        .replace_status(&created.name_any(), &PostParams::default(), &created)
        .await?;
    assert_eq!(replaced.status, created.status);
    let path = format!(
        "/apis/penstock.dev/v1alpha1/namespaces/{}/secretsyncs",
        namespace.name()
    );
    let request = request_for(&path, "application/json;as=Table;v=v1;g=meta.k8s.io")?;
    let table: Value = client.request(request).await?;
    let columns: Vec<_> = table["columnDefinitions"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    let names: Vec<_> = columns
        .iter()
        .filter_map(|column| column["name"].as_str())
        .collect();
    assert_eq!(
        names,
        ["Name", "Ready", "Reason", "Revision", "Targets", "Age"]
    );
    let cells = table["rows"][0]["cells"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    assert_eq!(
        cells[1..5],
        [
            json!("True"),
            json!("Synced"),
            json!("k1-3f9a"),
            json!("1/1")
        ]
    );
    Ok(())
}

fn request_for(path: &str, accept: &str) -> Result<http::Request<Vec<u8>>, http::Error> {
    http::Request::get(path)
        .header("Accept", accept)
        .body(Vec::new())
}

fn is_refused_for<T>(answer: &Result<T, kube::Error>, part: &str) -> bool {
    matches!(answer, Err(kube::Error::Api(refusal)) if refusal.code == 422 && refusal.message.contains(part))
}
