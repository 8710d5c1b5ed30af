//! The Helm chart, rendered by Helm and installed for an operator that runs beside the cluster.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use k8s_openapi::api::core::v1::{Container, EnvVar};
use k8s_openapi::api::rbac::v1::{PolicyRule, RoleRef};
use kube::api::{Api, DynamicObject, PostParams};
use kube::{Client, ResourceExt};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::AsyncWriteExt;

use crate::eventually::{Unmet, eventually};
use crate::objects::{ObjectError, apply_one, await_served, read};
use crate::service_account::ServiceAccountName;
use crate::tools::Tools;

/// What `helm template` is told about the cluster: that of [`Tools`].
const KUBERNETES: &str = "1.35.4";
/// How long the API server may take to see new rights.
const GRANTING: Duration = Duration::from_secs(30);

/// Why the chart could not be rendered or installed.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// Helm could not be run.
    #[error("cannot run helm")]
    Run(#[source] io::Error),
    /// Helm refused the chart or the values.
    #[error("helm {verb}: {message}")]
    Refuse {
        /// What it was told to do.
        verb: &'static str,
        /// What it said.
        message: String,
    },
    /// What Helm rendered cannot be read, or was refused by the API server.
    #[error(transparent)]
    Apply(#[from] ObjectError),
    /// What Helm rendered is not what an operator needs.
    #[error("the rendered chart has {0}")]
    Unexpected(String),
    /// The rights were not there in time.
    #[error("the rights are not granted")]
    Grant(#[source] Unmet),
}

/// A chart in a folder, and the Helm that reads it.
#[derive(Clone, Debug)]
pub struct Chart {
    helm: PathBuf,
    folder: PathBuf,
}

/// One installation of a chart.
#[derive(Clone, Debug)]
pub struct Release {
    /// Its name.
    pub name: String,
    /// Its namespace, where the operator lives.
    pub namespace: String,
    /// The values that differ from the chart's.
    pub values: Value,
}

/// What an operator needs to run as if the cluster had started it.
#[derive(Clone, Debug)]
pub struct Installed {
    /// Whom it runs as.
    pub service_account: ServiceAccountName,
    /// The arguments of its container.
    pub arguments: Vec<String>,
    /// The environment of its container; what comes from the pod's fields is filled in.
    pub environment: BTreeMap<String, String>,
}

impl Chart {
    /// The chart in `folder`.
    pub fn new(tools: &Tools, folder: &Path) -> Self {
        Self {
            helm: tools.helm(),
            folder: folder.to_path_buf(),
        }
    }

    /// Runs `helm lint --strict` with `values`, and gives back what it said.
    pub async fn lint(&self, values: &Value) -> Result<String, ChartError> {
        self.helm("lint", &["--strict"], values).await
    }

    /// The objects of a release, in the order in which Helm installs them.
    pub async fn render(&self, release: &Release) -> Result<Vec<DynamicObject>, ChartError> {
        let namespace = format!("--namespace={}", release.namespace);
        let arguments = ["--name-template", &release.name, &namespace];
        let yaml = self.helm("template", &arguments, &release.values).await?;
        Ok(read(&yaml)?)
    }

    /// Applies everything of a release but its Deployment, whose image exists nowhere, and waits until the
    /// rights are granted. The namespaces must exist, and the definitions unless the values install them.
    pub async fn install(
        &self,
        client: &Client,
        release: &Release,
    ) -> Result<Installed, ChartError> {
        let objects = self.render(release).await?;
        let (deployments, others): (Vec<_>, Vec<_>) = objects
            .into_iter()
            .partition(|object| is(object, "Deployment"));
        let [deployment] = deployments.as_slice() else {
            let count = deployments.len();
            return Err(ChartError::Unexpected(format!("{count} Deployments")));
        };
        let installed = installed(&typed(deployment)?, release)?;
        for object in &others {
            apply_one(client, Some(&release.namespace), object).await?;
            if is(object, "CustomResourceDefinition") {
                await_served(client, &object.name_any()).await?;
            }
        }
        await_rights(client, &others, &installed.service_account).await?;
        Ok(installed)
    }

    async fn helm(
        &self,
        verb: &'static str,
        arguments: &[&str],
        values: &Value,
    ) -> Result<String, ChartError> {
        let output = self.run(verb, arguments, values).await;
        let output = output.map_err(ChartError::Run)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        // `lint` speaks on stdout, `template` on stderr.
        let said = [output.stdout, output.stderr].concat();
        Err(ChartError::Refuse {
            verb,
            message: String::from_utf8_lossy(&said).trim().to_owned(),
        })
    }

    async fn run(&self, verb: &str, arguments: &[&str], values: &Value) -> io::Result<Output> {
        let mut helm = tokio::process::Command::new(&self.helm)
            .env_clear()
            .args([verb, "--kube-version", KUBERNETES, "--values", "-"])
            .args(arguments)
            .arg(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut input) = helm.stdin.take() {
            input.write_all(values.to_string().as_bytes()).await?;
        }
        helm.wait_with_output().await
    }
}

fn is(object: &DynamicObject, kind: &str) -> bool {
    object
        .types
        .as_ref()
        .is_some_and(|types| types.kind == kind)
}

fn typed<K: DeserializeOwned>(object: &DynamicObject) -> Result<K, ChartError> {
    serde_json::to_value(object)
        .and_then(serde_json::from_value)
        .map_err(|error| ChartError::Unexpected(format!("an object of another shape: {error}")))
}

fn installed(deployment: &Deployment, release: &Release) -> Result<Installed, ChartError> {
    let pod = deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.template.spec.as_ref());
    let account = pod.and_then(|pod| pod.service_account_name.clone());
    let container = pod.and_then(|pod| pod.containers.first());
    let (Some(account), Some(container)) = (account, container) else {
        return Err(ChartError::Unexpected(
            "a pod without account or container".into(),
        ));
    };
    Ok(Installed {
        service_account: ServiceAccountName::new(&release.namespace, &account),
        arguments: container.args.clone().unwrap_or_default(),
        environment: environment(container, release)?,
    })
}

fn environment(
    container: &Container,
    release: &Release,
) -> Result<BTreeMap<String, String>, ChartError> {
    let variables = container.env.iter().flatten();
    variables
        .map(|variable| {
            let value = value(variable, release).ok_or_else(|| {
                ChartError::Unexpected(format!(
                    "a variable {} that no test can fill",
                    variable.name
                ))
            })?;
            Ok((variable.name.clone(), value))
        })
        .collect()
}

fn value(variable: &EnvVar, release: &Release) -> Option<String> {
    let Some(origin) = &variable.value_from else {
        return variable.value.clone();
    };
    match origin.field_ref.as_ref()?.field_path.as_str() {
        "metadata.namespace" => Some(release.namespace.clone()),
        "metadata.name" => Some(format!("{}-0", release.name)),
        _ => None,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Binding {
    role_ref: RoleRef,
}

#[derive(Deserialize)]
struct Role {
    rules: Vec<PolicyRule>,
}

/// The API server learns of roles and bindings by watches: whoever acts at once may be refused.
async fn await_rights(
    client: &Client,
    objects: &[DynamicObject],
    account: &ServiceAccountName,
) -> Result<(), ChartError> {
    let bindings = objects
        .iter()
        .filter(|object| is(object, "RoleBinding") || is(object, "ClusterRoleBinding"));
    for binding in bindings {
        let role = typed::<Binding>(binding)?.role_ref;
        let named = |object: &&DynamicObject| {
            is(object, &role.kind)
                && object.name_any() == role.name
                && object.namespace() == binding.namespace()
        };
        let Some(role) = objects.iter().find(named) else {
            return Err(ChartError::Unexpected(format!(
                "a binding to nothing, {}",
                role.name
            )));
        };
        for rule in typed::<Role>(role)?.rules {
            await_right(client, account, attributes(&rule, binding.namespace())).await?;
        }
    }
    Ok(())
}

/// One of the rights that a rule gives.
fn attributes(rule: &PolicyRule, namespace: Option<String>) -> ResourceAttributes {
    let first = |list: &Option<Vec<String>>| list.iter().flatten().next().cloned();
    let resource = first(&rule.resources).unwrap_or_default();
    let (resource, subresource) = match resource.split_once('/') {
        Some((resource, subresource)) => (resource.to_owned(), Some(subresource.to_owned())),
        None => (resource, None),
    };
    ResourceAttributes {
        namespace,
        verb: rule.verbs.first().cloned(),
        group: first(&rule.api_groups),
        resource: Some(resource),
        subresource,
        name: first(&rule.resource_names),
        ..ResourceAttributes::default()
    }
}

async fn await_right(
    client: &Client,
    account: &ServiceAccountName,
    attributes: ResourceAttributes,
) -> Result<(), ChartError> {
    let what = format!("{attributes:?}");
    eventually(what, GRANTING, || async {
        match may(client, account, attributes.clone()).await {
            Ok(true) => Ok(()),
            Ok(false) => Err("refused".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await
    .map_err(ChartError::Grant)
}

/// Whether RBAC lets a service account do something. `client` must be allowed to ask.
pub async fn may(
    client: &Client,
    account: &ServiceAccountName,
    attributes: ResourceAttributes,
) -> Result<bool, kube::Error> {
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(account.username()),
            groups: Some(account.groups()),
            resource_attributes: Some(attributes),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let api: Api<SubjectAccessReview> = Api::all(client.clone());
    let answer = api.create(&PostParams::default(), &review).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}
