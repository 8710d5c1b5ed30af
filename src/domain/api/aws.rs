//! `spec.provider.awsSecretsManager` and `spec.provider.awsParameterStore`: two stores of Amazon Web Services.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::null::null_is_empty;
use super::one_of::one_of;
use super::schema::{Filled, Map, Text, WebAddress, at_least, at_most, at_most_one, exactly_one};
use super::shared::{ConfigMapKeyRef, GoDuration, MaskedText, SecretKeyRef, ServiceAccountRef};

/// A connection to one region of one account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = at_most_one(
    &["caBundle", "caSecretRef", "caConfigMapRef"],
    "the CA certificates lie in one place",
))]
pub struct AwsProvider {
    /// Region, such as `eu-central-1`.
    #[schemars(with = "AwsRegion")]
    pub region: String,
    /// Address of the service, without a path, where it is not the region's usual one: a VPC endpoint, a FIPS
    /// endpoint, another partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<WebAddress>")]
    pub endpoint: Option<String>,
    /// Address of the Security Token Service, without a path, where it is not the region's usual one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<WebAddress>")]
    pub sts_endpoint: Option<String>,
    /// CA certificates (PEM) that the certificates of `endpoint` and `stsEndpoint` must chain to, instead of the
    /// usual ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<65536>>")]
    pub ca_bundle: Option<String>,
    /// CA certificates (PEM) in a Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<SecretKeyRef>,
    /// CA certificates (PEM) in a ConfigMap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_config_map_ref: Option<ConfigMapKeyRef>,
    /// Whose identity is used. To be left out with `identity: operator`, and with nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<AwsAuth>,
    /// Role that this identity takes on. Absent: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assume_role: Option<AwsAssumeRole>,
}

impl AwsProvider {
    /// The usual host of `service` in the region (AWS General Reference, "Service endpoints").
    pub fn usual_host(&self, service: &str) -> String {
        let region = &self.region;
        let domain = if region.starts_with("cn-") {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        };
        format!("{service}.{region}.{domain}")
    }

    /// Whether the Security Token Service is asked.
    pub fn asks_sts(&self) -> bool {
        let kubernetes = self
            .auth
            .as_ref()
            .is_some_and(|auth| auth.kubernetes.is_some());
        kubernetes || self.assume_role.is_some()
    }
}

/// A region: a label of a host name.
enum AwsRegion {}

impl JsonSchema for AwsRegion {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AwsRegion".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "minLength": 1, "maxLength": 32, "pattern": "^[a-z0-9-]+$",
        })
    }
}

/// Whose identity is used. Exactly one of `accessKey`, `kubernetes`, `credentialsFile`, `profile`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = exactly_one(AwsAuth::MEMBERS, "there is exactly one identity"))]
pub struct AwsAuth {
    /// An access key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key: Option<AwsAccessKey>,
    /// A ServiceAccount that a role trusts (IAM roles for service accounts).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<AwsKubernetesAuth>,
    /// A profile of a credentials file that lies in a Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials_file: Option<AwsCredentialsFile>,
    /// A profile of the person who runs the command (`~/.aws/credentials`). Works in the CLI only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<AwsProfile>,
}

one_of! {
    /// Whose identity is used.
    AwsAuth => AwsLogin {
        /// An access key.
        AccessKey(AwsAccessKey) = access_key "accessKey",
        /// A ServiceAccount.
        Kubernetes(AwsKubernetesAuth) = kubernetes "kubernetes",
        /// A credentials file in a Secret.
        CredentialsFile(AwsCredentialsFile) = credentials_file "credentialsFile",
        /// A profile of a person.
        Profile(AwsProfile) = profile "profile",
    }
}

/// An access key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = exactly_one(AwsAccessKey::MEMBERS, "the access key id is given once"))]
pub struct AwsAccessKey {
    /// Access key id, written out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<128>>")]
    pub id: Option<MaskedText>,
    /// Access key id, in a Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_ref: Option<SecretKeyRef>,
    /// Secret access key, in a Secret.
    pub secret_ref: SecretKeyRef,
    /// Session token, in a Secret, where the key is a temporary one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_token_ref: Option<SecretKeyRef>,
}

one_of! {
    /// The id of an access key.
    AwsAccessKey => AwsAccessKeyId {
        /// Written out.
        Inline(MaskedText) = id "id",
        /// In a Secret.
        Reference(SecretKeyRef) = id_ref "idRef",
    }
}

/// A ServiceAccount that a role trusts, by an OIDC provider for the cluster's issuer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsKubernetesAuth {
    /// ServiceAccount whose token is shown to AWS. The OIDC provider must have one of its audiences; usual there
    /// is `sts.amazonaws.com`.
    pub service_account: ServiceAccountRef,
    /// Role that trusts it.
    #[schemars(with = "Filled<2048>")]
    pub role_arn: String,
    /// Name of the session, for the audit trail of AWS. Absent: `penstock`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<64>>")]
    pub session_name: Option<String>,
    /// How long a session lasts. Absent: 1h.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = at_least("15m", "AWS gives none that is shorter"), validation = at_most("12h", "AWS gives none that is longer"))]
    pub duration: Option<GoDuration>,
}

/// A profile of a credentials file. Only keys that stand in it are used: what names a command, a file, an address
/// or another profile is refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsCredentialsFile {
    /// Where the file's text is kept.
    pub secret_ref: SecretKeyRef,
    /// Profile. Absent: `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<128>>")]
    pub profile: Option<String>,
}

/// A profile of the person who runs the command.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsProfile {
    /// Name of the profile.
    #[schemars(with = "Filled<128>")]
    pub name: String,
}

/// A role that an identity takes on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsAssumeRole {
    /// Role, by its ARN.
    #[schemars(with = "Filled<2048>")]
    pub role_arn: String,
    /// Word that the role's trust policy asks for, where the account is somebody else's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<1224>>")]
    pub external_id: Option<String>,
    /// Name of the session, for the audit trail of AWS. Absent: `penstock`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<64>>")]
    pub session_name: Option<String>,
    /// Tags of the session, which policies can ask for.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[schemars(with = "Map<Text<256>, 50>")]
    pub tags: BTreeMap<String, String>,
    /// How long a session lasts. Absent: 1h, which is also the most where the identity is a role's session itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = at_least("15m", "AWS gives none that is shorter"), validation = at_most("12h", "AWS gives none that is longer"))]
    pub duration: Option<GoDuration>,
}

/// Options of a source in AWS Secrets Manager.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsSecretsManagerSourceOptions {
    /// Tags that a secret must have, all of them, to be read at all: what has not is not asked for, so that the
    /// policy of the identity may be bound to these tags. Absent: every secret of the folder.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[schemars(with = "Map<Text<256>, 8>")]
    pub tags: BTreeMap<String, String>,
}
