//! `targets[].then[]`: what happens once after a target got a new revision.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::null::null_is_empty;
use super::one_of::one_of;
use super::schema::{Filled, List, Map, StatusCode, Text, WebAddress, exactly_one};
use super::shared::{GoDuration, MaskedText, SecretKeyRef, StoreRef};

/// One action, done once per revision. Exactly one of `redeploy`, `dispatch`, `pipeline`, `http`, `command`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = exactly_one(Action::MEMBERS, "an action does exactly one thing"))]
pub struct Action {
    /// Makes a service of a cloud start its containers anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redeploy: Option<Redeploy>,
    /// Starts a workflow of GitHub Actions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dispatch: Option<Dispatch>,
    /// Starts a CircleCI pipeline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<Pipeline>,
    /// Sends an HTTP request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpAction>,
    /// Runs a command on the host of the target. Works in the CLI only, with `--allow-commands`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandAction>,
    /// Store whose credentials the action uses. Absent: the target's own store. `http` uses none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreRef>,
}

one_of! {
    /// What an action does.
    Action => Act {
        /// Makes a service start anew.
        Redeploy(Redeploy) = redeploy "redeploy",
        /// Starts a workflow.
        Dispatch(Dispatch) = dispatch "dispatch",
        /// Starts a pipeline.
        Pipeline(Pipeline) = pipeline "pipeline",
        /// Sends a request.
        Http(HttpAction) = http "http",
        /// Runs a command.
        Command(CommandAction) = command "command",
    }
}

/// A service of a cloud. Exactly one of `ecsService`, `cloudRunService`, `containerApp`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = exactly_one(Redeploy::MEMBERS, "redeploy one service"))]
pub struct Redeploy {
    /// A service of Amazon ECS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ecs_service: Option<EcsService>,
    /// A service of Google Cloud Run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloud_run_service: Option<CloudRunService>,
    /// An Azure Container App.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_app: Option<ContainerApp>,
}

one_of! {
    /// The service that starts anew.
    Redeploy => Service {
        /// Of Amazon ECS.
        EcsService(EcsService) = ecs_service "ecsService",
        /// Of Google Cloud Run.
        CloudRunService(CloudRunService) = cloud_run_service "cloudRunService",
        /// Of Azure Container Apps.
        ContainerApp(ContainerApp) = container_app "containerApp",
    }
}

/// A service of Amazon ECS.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EcsService {
    /// Name or ARN of the ECS cluster.
    #[schemars(with = "Filled<512>")]
    pub cluster: String,
    /// Name of the service.
    #[schemars(with = "Filled<255>")]
    pub service: String,
    /// AWS region. Absent: the store's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<64>>")]
    pub region: Option<String>,
}

/// A service of Google Cloud Run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CloudRunService {
    /// Name of the service.
    #[schemars(with = "Filled<63>")]
    pub service: String,
    /// Location, such as `europe-west1`.
    #[schemars(with = "Filled<64>")]
    pub location: String,
    /// Project. Absent: the store's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<64>>")]
    pub project: Option<String>,
}

/// An Azure Container App.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerApp {
    /// Name of the app.
    #[schemars(with = "Filled<64>")]
    pub name: String,
    /// Resource group that holds it.
    #[schemars(with = "Filled<90>")]
    pub resource_group: String,
    /// Subscription that holds the resource group.
    #[schemars(with = "Filled<64>")]
    pub subscription: String,
}

/// A workflow of GitHub Actions. Exactly one of `event`, `workflow`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = exactly_one(Dispatch::MEMBERS, "a dispatch is either a repository event or one workflow"))]
pub struct Dispatch {
    /// Repository, as `owner/name`.
    #[schemars(with = "Filled<140>")]
    pub repository: String,
    /// Type of a `repository_dispatch` event.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<100>>")]
    pub event: Option<String>,
    /// One workflow, by `workflow_dispatch`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<Workflow>,
    /// Payload of the event or inputs of the workflow, at most nine. The revision is added as `revision`.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[schemars(with = "Map<Text<1024>, 9>")]
    pub inputs: BTreeMap<String, String>,
}

one_of! {
    /// What is dispatched.
    Dispatch => DispatchKind {
        /// A repository event.
        Event(String) = event "event",
        /// One workflow.
        Workflow(Workflow) = workflow "workflow",
    }
}

/// One workflow of a repository.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Workflow {
    /// File name or id of the workflow, such as `deploy.yml`.
    #[schemars(with = "Filled<255>")]
    pub file: String,
    /// Branch or tag to run it on.
    #[serde(rename = "ref")]
    #[schemars(with = "Filled<255>")]
    pub reference: String,
}

/// A CircleCI pipeline.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pipeline {
    /// Slug of the project, such as `gh/acme/api`.
    #[schemars(with = "Filled<255>")]
    pub project: String,
    /// Branch to run on. Absent: the project's default branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<255>>")]
    pub branch: Option<String>,
    /// Parameters of the pipeline.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[schemars(with = "Map<Text<1024>, 32>")]
    pub parameters: BTreeMap<String, String>,
}

/// An HTTP request that tells somebody about the new revision. It never carries a value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpAction {
    /// Address of the request.
    #[schemars(with = "WebAddress")]
    pub url: String,
    /// GET, POST, PUT or PATCH. Absent: POST.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<HttpMethod>,
    /// Headers of the request.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[schemars(with = "Map<Text<4096>, 32>")]
    pub header: BTreeMap<String, MaskedText>,
    /// Whole value of the `Authorization` header, from a Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization: Option<SecretKeyRef>,
    /// Body of the request; `{{ revision }}`, `{{ namespace }}` and `{{ name }}` are replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<16384>>")]
    pub body: Option<MaskedText>,
    /// Status codes that count as done. Absent or empty: 200 to 299.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<StatusCode, 16>")]
    pub expect_status: Vec<u16>,
    /// How long one try may take. Absent: 10s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
}

/// A command on the host that a target of a store `ssh` lies on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommandAction {
    /// Command, as the user's shell on the host reads it, in the folder that the user lands in, such as
    /// `cd app && docker compose up -d`. It gets no value, and its output is not read.
    #[schemars(with = "Filled<4096>")]
    pub run: String,
    /// How long it may take, at most 1h. Absent: 5m.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
}

/// Methods of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schemars(description = "")]
pub enum HttpMethod {
    /// GET.
    Get,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// PATCH.
    Patch,
}
