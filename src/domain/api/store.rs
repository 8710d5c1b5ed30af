//! SecretStore and ClusterSecretStore: a connection to one outside system.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::aws::AwsProvider;
use super::azure_key_vault::AzureKeyVaultProvider;
use super::bitwarden::{BitwardenProvider, BitwardenSecretsManagerProvider};
use super::doppler::DopplerProvider;
use super::gcp_secret_manager::GcpSecretManagerProvider;
use super::http::HttpProvider;
use super::infisical::{Follow, InfisicalProvider};
use super::kubernetes::KubernetesProvider;
use super::null::null_is_empty;
use super::one_of::one_of;
use super::one_password::OnePasswordProvider;
use super::postgres::PostgresProvider;
use super::schema::{Filled, List, NamespaceName, Text, at_least, at_most, exactly_one};
use super::shared::{GoDuration, LabelSelector, SecretKeyRef};
use super::source::ObjectKind;
use super::ssh::SshProvider;
use super::status::Condition;
use super::vault::VaultProvider;

/// What a SecretStore is.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "penstock.dev",
    version = "v1alpha1",
    kind = "SecretStore",
    plural = "secretstores",
    shortname = "pstore",
    category = "penstock",
    namespaced,
    status = "StoreStatus",
    derive = "Default",
    derive = "PartialEq",
    doc = "A connection to one outside system, for the SecretSyncs and SecretRotations of its namespace. Whoever may create one can send Secrets of the namespace to the system.",
    annotation("helm.sh/resource-policy", "keep"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Provider", type_ = "string", json_path = ".status.provider"),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "!has(self.provider.kubernetes) || has(self.provider.kubernetes.kubeconfigRef) || has(self.provider.kubernetes.server)"
).message("a SecretStore reaches no other namespace of this cluster: use a ClusterSecretStore, or set kubernetes.kubeconfigRef or kubernetes.server for another cluster"))]
#[x_kube(validation = Rule::new(
    "(!has(self.provider.awsSecretsManager) || has(self.provider.awsSecretsManager.auth)) && (!has(self.provider.awsParameterStore) || has(self.provider.awsParameterStore.auth))"
).message("a SecretStore names the identity that it uses in auth: the operator's own serves ClusterSecretStores only"))]
pub struct SecretStoreSpec {
    /// The outside system.
    pub provider: Provider,
    /// How hard the system may be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// Lets the system tell about changes by a signed request to
    /// `/hooks/namespaces/<namespace>/<name>`. Absent: there is no such endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
}

/// What a ClusterSecretStore is.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "penstock.dev",
    version = "v1alpha1",
    kind = "ClusterSecretStore",
    plural = "clustersecretstores",
    shortname = "pcstore",
    category = "penstock",
    status = "StoreStatus",
    derive = "Default",
    derive = "PartialEq",
    doc = "A connection to one outside system, for the namespaces that `spec.allow` names. Its credentials lie in the operator's namespace.",
    annotation("helm.sh/resource-policy", "keep"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Provider", type_ = "string", json_path = ".status.provider"),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "!has(self.provider.kubernetes) || has(self.provider.kubernetes.kubeconfigRef) || has(self.provider.kubernetes.server) || (has(self.identity) && self.identity == 'operator')"
).message("another namespace of this cluster is reached with the operator's own identity: set identity: operator, or kubernetes.kubeconfigRef or kubernetes.server for another cluster"))]
#[x_kube(validation = Rule::new(
    "(!has(self.provider.awsSecretsManager) || has(self.provider.awsSecretsManager.auth) != (has(self.identity) && self.identity == 'operator')) && (!has(self.provider.awsParameterStore) || has(self.provider.awsParameterStore.auth) != (has(self.identity) && self.identity == 'operator'))"
).message("there is exactly one identity: set auth, or identity: operator without it"))]
pub struct ClusterSecretStoreSpec {
    /// The outside system.
    pub provider: Provider,
    /// How hard the system may be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// Lets the system tell about changes by a signed request to `/hooks/clusterstores/<name>`. Absent:
    /// there is no such endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
    /// credentials (those that the provider's fields name) or operator (the operator's own: its
    /// ServiceAccount or cloud identity). Absent: credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// What each namespace may do. A namespace may do only what an entry allows; without an entry, nothing.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<Allow, 64>", extend("x-kubernetes-list-type" = "atomic"))]
    pub allow: Vec<Allow>,
}

/// The outside system. Exactly one member.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = exactly_one(Provider::MEMBERS, "a store is exactly one system"))]
pub struct Provider {
    /// HashiCorp Vault or OpenBao.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vault: Option<VaultProvider>,
    /// Secrets and ConfigMaps of another namespace or cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<KubernetesProvider>,
    /// One project of Infisical.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub infisical: Option<InfisicalProvider>,
    /// Secret Manager of Google Cloud.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gcp_secret_manager: Option<GcpSecretManagerProvider>,
    /// Secrets of Azure Key Vault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub azure_key_vault: Option<AzureKeyVaultProvider>,
    /// One account of Bitwarden's password manager, or of Vaultwarden.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bitwarden: Option<BitwardenProvider>,
    /// One machine account of Bitwarden Secrets Manager.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bitwarden_secrets_manager: Option<BitwardenSecretsManagerProvider>,
    /// AWS Secrets Manager, one region of one account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aws_secrets_manager: Option<AwsProvider>,
    /// AWS Systems Manager Parameter Store, one region of one account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aws_parameter_store: Option<AwsProvider>,
    /// Files on a host, over SSH. Works in the CLI only; the operator refuses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssh: Option<SshProvider>,
    /// A PostgreSQL database, Supabase's too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgres: Option<PostgresProvider>,
    /// Doppler, configs of its projects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doppler: Option<DopplerProvider>,
    /// A Connect server of 1Password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one_password: Option<OnePasswordProvider>,
    /// Any service that answers an HTTP request with JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpProvider>,
}

one_of! {
    /// The outside system of a store.
    Provider => System {
        /// Vault or OpenBao.
        Vault(VaultProvider) = vault "vault",
        /// Another namespace or cluster.
        Kubernetes(KubernetesProvider) = kubernetes "kubernetes",
        /// Infisical.
        Infisical(InfisicalProvider) = infisical "infisical",
        /// Secret Manager of Google Cloud.
        GcpSecretManager(GcpSecretManagerProvider) = gcp_secret_manager "gcpSecretManager",
        /// Azure Key Vault.
        AzureKeyVault(AzureKeyVaultProvider) = azure_key_vault "azureKeyVault",
        /// Bitwarden's password manager.
        Bitwarden(BitwardenProvider) = bitwarden "bitwarden",
        /// Bitwarden Secrets Manager.
        BitwardenSecretsManager(BitwardenSecretsManagerProvider) = bitwarden_secrets_manager "bitwardenSecretsManager",
        /// AWS Secrets Manager.
        AwsSecretsManager(AwsProvider) = aws_secrets_manager "awsSecretsManager",
        /// AWS Systems Manager Parameter Store.
        AwsParameterStore(AwsProvider) = aws_parameter_store "awsParameterStore",
        /// Files on a host.
        Ssh(SshProvider) = ssh "ssh",
        /// A PostgreSQL database.
        Postgres(PostgresProvider) = postgres "postgres",
        /// Doppler.
        Doppler(DopplerProvider) = doppler "doppler",
        /// 1Password.
        OnePassword(OnePasswordProvider) = one_password "onePassword",
        /// Any service.
        Http(HttpProvider) = http "http",
    }
}

/// How hard a system may be asked, by all syncs of one installation together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Requests per second. Absent: as many as `concurrency` lets through. Whether set or not, a system that
    /// asks to wait is waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub requests_per_second: Option<u32>,
    /// Requests at the same time. Absent: 16.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 256))]
    pub concurrency: Option<u32>,
    /// How long one request may take. Absent: 30s.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = at_least("1s", "a login takes its time"), validation = at_most("5m", "a sync waits for the answer"))]
    pub timeout: Option<GoDuration>,
}

/// A signed request that tells about changes. Its body is only a hint; the values are always read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Key that signs the requests.
    pub secret: SecretKeyRef,
    /// How requests are signed: hmacSha256 (`t=<seconds>,v1=<hex>` in the header `X-Penstock-Signature`, where
    /// the hexadecimal digits are the HMAC-SHA-256 of `<seconds>.<body>`) or infisical (as Infisical's webhooks
    /// are, in the header `x-infisical-signature`). What is older than five minutes is refused.
    pub signature: WebhookSignature,
}

/// How requests to a webhook are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum WebhookSignature {
    /// HMAC with SHA-256 over time stamp and body.
    #[default]
    HmacSha256,
    /// As Infisical signs.
    Infisical,
}

/// Whose identity a store uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum Identity {
    /// That of the credentials which the provider's fields name.
    #[default]
    Credentials,
    /// The operator's own.
    Operator,
}

/// What some namespaces may do with a ClusterSecretStore.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = exactly_one(Allow::MEMBERS, "an entry names its namespaces in exactly one way ({} as selector takes all)"))]
pub struct Allow {
    /// Namespaces, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<List<NamespaceName, 256>>", length(min = 1))]
    pub namespaces: Option<Vec<String>>,
    /// Namespaces, by their labels. `{}` selects all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<LabelSelector>,
    /// Values that a source or target may set. What is not named here keeps the store's own value and cannot
    /// be set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<AllowAt>,
    /// Beginnings of the remote names (path and entry, joined by `/`) that are allowed, compared on segment
    /// borders, after templates, mapping and references. `{{ namespace }}` is replaced. Absent or empty: none;
    /// `/` allows all.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<Filled<1024>, 64>")]
    pub key_prefixes: Vec<String>,
    /// true: sources may read. Absent: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read: Option<bool>,
    /// true: targets may write. Absent: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write: Option<bool>,
    /// What `then` may do with this store's credentials.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<AllowAct, 16>", extend("x-kubernetes-list-type" = "atomic"))]
    pub act: Vec<AllowAct>,
    /// What a SecretRotation may rotate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotate: Option<AllowRotate>,
    /// true: notices may be sent. Absent: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notify: Option<bool>,
}

one_of! {
    /// Which namespaces an entry is about.
    Allow => AllowedNamespaces {
        /// By name.
        Names(Vec<String>) = namespaces "namespaces",
        /// By labels.
        Selector(LabelSelector) = namespace_selector "namespaceSelector",
    }
}

/// Values that a source or target may set, member by member.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AllowAt {
    /// Environments.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<Filled<253>, 32>")]
    pub environment: Vec<String>,
    /// Mounts (`options.vault.mount`).
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<Filled<253>, 32>")]
    pub mount: Vec<String>,
    /// Tables and queries, by their names in the store (`options.postgres.table`, `options.postgres.query`). A store
    /// with a single one needs none here.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<Filled<63>, 32>")]
    pub table: Vec<String>,
    /// Kinds of object (`options.kubernetes.kind`): Secret, ConfigMap.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<ObjectKind, 2>")]
    pub kind: Vec<ObjectKind>,
    /// What may lead out of the entry's prefixes and environments, to wherever the store's credentials reach:
    /// imports, references (`options.infisical`).
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<Follow, 2>")]
    pub follow: Vec<Follow>,
}

/// One kind of action that is allowed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AllowAct {
    /// ecsService, cloudRunService, containerApp, dispatch or pipeline.
    pub kind: ActionKind,
    /// Beginning of the names that are allowed: of the service, app, repository or project. `""` allows all.
    #[schemars(with = "Text<253>")]
    pub name_prefix: String,
}

/// Kinds of action that use a store's credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum ActionKind {
    /// A service of Amazon ECS.
    EcsService,
    /// A service of Google Cloud Run.
    CloudRunService,
    /// An Azure Container App.
    ContainerApp,
    /// A workflow of GitHub Actions.
    Dispatch,
    /// A CircleCI pipeline.
    Pipeline,
}

/// What may be rotated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AllowRotate {
    /// Beginnings of the remote names whose values may be replaced, compared on segment borders.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<Filled<1024>, 64>")]
    pub keys: Vec<String>,
    /// Roles (users of a database) whose passwords may be changed.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<Filled<253>, 64>")]
    pub roles: Vec<String>,
}

/// What is known about a store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoreStatus {
    /// Generation of the spec that this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready (a real login and a cheap read succeed), Reconciling and Stalled.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(
        with = "List<Condition, 16>",
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"])
    )]
    pub conditions: Vec<Condition>,
    /// Member of `spec.provider` that is set, for the column of `kubectl get`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<64>>")]
    pub provider: Option<String>,
    /// What the store can do: read, write, list, versions, tags, probe (tell cheaply whether something
    /// changed), notify (tell by itself, at once, that something changed), act, rotate.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<Text<32>, 16>", extend("x-kubernetes-list-type" = "set"))]
    pub capabilities: Vec<String>,
    /// The last failure, without anything that could be secret. Absent while the store is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<StoreError>,
}

/// A failure of a store, in our own words.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoreError {
    /// NotFound, Denied, Unavailable, Throttled or Invalid.
    #[schemars(with = "Text<64>")]
    pub class: String,
    /// What happened and what to do about it.
    #[schemars(with = "Text<1024>")]
    pub message: String,
}
