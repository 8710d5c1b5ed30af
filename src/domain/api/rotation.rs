//! SecretRotation: a new value on a schedule or on demand, written to a store.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::null::null_is_empty;
use super::one_of::one_of;
use super::schema::{
    CronExpression, Filled, List, Map, StatusCode, Text, WebAddress, at_least, exactly_one,
};
use super::shared::{GoDuration, MaskedText, SecretKeyRef, StoreRef};
use super::status::Condition;
use super::then::HttpMethod;
use super::transform::Encoding;
use super::validate::Validator;

/// What a SecretRotation does.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "penstock.dev",
    version = "v1alpha1",
    kind = "SecretRotation",
    plural = "secretrotations",
    shortname = "prot",
    category = "penstock",
    namespaced,
    status = "SecretRotationStatus",
    derive = "Default",
    derive = "PartialEq",
    doc = "Makes a new value on a schedule or on demand and writes it to a store, keeping the previous one for an overlap; SecretSyncs carry it on.",
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
    printcolumn(name = "Rotated", type_ = "date", json_path = ".status.lastRotated"),
    printcolumn(name = "Next", type_ = "string", json_path = ".status.nextDue"),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = exactly_one(SecretRotationSpec::MEMBERS, "a rotation is due in exactly one way"))]
pub struct SecretRotationSpec {
    /// When a new value is made, by the clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<RotationSchedule>,
    /// A new value is made when the current one is this old. At least 1h.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = at_least("1h", "every rotation restarts what uses the value"))]
    pub max_age: Option<GoDuration>,
    /// Store that the new value is written to.
    pub store: StoreRef,
    /// Where in the store: folder, path or prefix in the store's own words. Absent: the store's root.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<1024>>")]
    pub path: Option<String>,
    /// Name of the entry that is rotated.
    #[schemars(with = "Filled<253>")]
    pub key: String,
    /// Field of the entry, where an entry has several. Absent: the store's own default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<253>>")]
    pub field: Option<String>,
    /// How the new value is made.
    pub generator: Generator,
    /// How long the previous value stays good, and kept, beside the new one. Absent: 24h.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlap: Option<GoDuration>,
    /// What the new value must pass before it is told to anybody, in this order.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<Validator, 16>", extend("x-kubernetes-list-type" = "atomic"))]
    pub verify: Vec<Validator>,
    /// How the system that the value opens is told about the new one. Absent: it needs no telling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apply: Option<Apply>,
    /// When the previous value is removed. Absent: never by us.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retire: Option<Retire>,
    /// Whether a value that exists already and is not ours may be rotated: never or always. Absent: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adopt: Option<RotationAdopt>,
    /// true: no new value is made until it is false again. Absent: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
}

one_of! {
    /// When a rotation is due.
    SecretRotationSpec => Due {
        /// By the clock.
        Schedule(RotationSchedule) = schedule "schedule",
        /// By age.
        MaxAge(GoDuration) = max_age "maxAge",
    }
}

/// When a new value is made, by the clock.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RotationSchedule {
    /// Five fields of cron, such as `0 3 1 */3 *`.
    #[schemars(with = "CronExpression")]
    pub cron: String,
    /// IANA name of the time zone, such as `Europe/Berlin`. Absent: UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<64>>")]
    pub time_zone: Option<String>,
    /// Most delay after the scheduled time, chosen once per rotation. Absent: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<GoDuration>,
}

/// How a new value is made. Exactly one of `password`, `bytes`, `uuid`, `sshKey`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = exactly_one(Generator::MEMBERS, "a value is made in exactly one way"))]
pub struct Generator {
    /// A password of printable characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<PasswordGenerator>,
    /// Random bytes, written as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<BytesGenerator>,
    /// A random UUID (version 4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uuid: Option<UuidGenerator>,
    /// A private SSH key in OpenSSH form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssh_key: Option<SshKeyGenerator>,
}

one_of! {
    /// How a value is made.
    Generator => Generation {
        /// A password.
        Password(PasswordGenerator) = password "password",
        /// Random bytes.
        Bytes(BytesGenerator) = bytes "bytes",
        /// A UUID.
        Uuid(UuidGenerator) = uuid "uuid",
        /// A private SSH key.
        SshKey(SshKeyGenerator) = ssh_key "sshKey",
    }
}

/// A password of printable characters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasswordGenerator {
    /// Characters. Absent: 32.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 12, max = 1024))]
    pub length: Option<u32>,
    /// Symbols that may occur besides letters and digits. Absent or empty: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<64>>")]
    pub symbols: Option<String>,
    /// true: characters that look alike (`0O1lI`) do not occur. Absent: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avoid_ambiguous: Option<bool>,
}

/// Random bytes, written as text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BytesGenerator {
    /// Bytes. Absent: 32.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 16, max = 1024))]
    pub length: Option<u32>,
    /// base64url (not padded), base64 (padded), hex or raw (as they are). Absent: base64url.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encode: Option<Encoding>,
}

/// A random UUID takes no settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UuidGenerator {}

/// A private SSH key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SshKeyGenerator {
    /// ed25519 or rsa4096. Absent: ed25519.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<SshKeyAlgorithm>,
    /// Comment of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<253>>")]
    pub comment: Option<String>,
}

/// Kinds of SSH key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum SshKeyAlgorithm {
    /// Ed25519.
    #[default]
    Ed25519,
    /// RSA with 4096 bits.
    Rsa4096,
}

/// How the system that the value opens is told. Exactly one of `http`, `postgresRole`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = exactly_one(Apply::MEMBERS, "the new value is applied in exactly one way, or apply is left out"))]
pub struct Apply {
    /// An HTTP request that carries the new value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpApply>,
    /// The password of a PostgreSQL role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgres_role: Option<PostgresRoleApply>,
}

one_of! {
    /// How the system that the value opens is told.
    Apply => Application {
        /// By a request.
        Http(HttpApply) = http "http",
        /// By changing the password of a role.
        PostgresRole(PostgresRoleApply) = postgres_role "postgresRole",
    }
}

/// An HTTP request that carries the new value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!self.url.contains('{{')").message("a value never goes into an address, where logs would keep it: put {{ value }} into a header or the body"))]
pub struct HttpApply {
    /// Address of the request.
    #[schemars(with = "WebAddress")]
    pub url: String,
    /// GET, POST, PUT or PATCH. Absent: POST.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<HttpMethod>,
    /// Headers; `{{ value }}` is the new value, `{{ previous }}` the one before.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[schemars(with = "Map<Text<4096>, 32>")]
    pub header: BTreeMap<String, MaskedText>,
    /// Whole value of the `Authorization` header, from a Secret of this namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization: Option<SecretKeyRef>,
    /// Body; `{{ value }}` is the new value, `{{ previous }}` the one before.
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

/// The password of a PostgreSQL role.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PostgresRoleApply {
    /// Store of the database, whose credentials may change the role.
    pub store: StoreRef,
    /// Role whose password is changed.
    #[schemars(with = "Filled<63>")]
    pub role: String,
}

/// When the previous value is removed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retire {
    /// Wait after every SecretSync that reads the value has rolled the new one out. At least the overlap
    /// passes in any case.
    pub after: GoDuration,
}

/// Whether a foreign value may be rotated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum RotationAdopt {
    /// It is left alone and reported.
    #[default]
    Never,
    /// It is rotated when it is due.
    Always,
}

/// What is known about a SecretRotation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretRotationStatus {
    /// Generation of the spec that this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, Reconciling and Stalled.
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
    /// The value in use: a keyed hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<128>>")]
    pub revision: Option<String>,
    /// When the last new value was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_rotated: Option<Time>,
    /// When the next one is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_due: Option<Time>,
    /// The last value of the annotation penstock.dev/refresh that was honoured.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<253>>")]
    pub refresh: Option<String>,
    /// The durable memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<super::status::RecordStatus>,
}
