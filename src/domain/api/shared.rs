//! What several resources share: references, durations, selectors, text that cannot be printed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::null::null_is_empty;
use super::schema::{DURATION, Filled, List, Map, ObjectName, ObjectNameTemplate, Text};

/// A duration as Go writes it: `30s`, `10m`, `1h30m`.
///
/// The text is kept as it was written, so that an object is read and written back unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GoDuration(pub String);

/// Why a text is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read duration: write numbers with the units ms, s, m or h, such as 30s, 10m or 1h30m")]
pub struct ReadDuration;

impl GoDuration {
    /// The longest text that is a duration.
    pub const MAX_LENGTH: u32 = 32;

    /// The duration meant, or the reason why there is none: the API server checks the shape, the
    /// CLI's input has passed no API server. Exact to the nanosecond.
    pub fn to_duration(&self) -> Result<Duration, ReadDuration> {
        if self.0.is_empty() || self.0.len() > Self::MAX_LENGTH as usize {
            return Err(ReadDuration);
        }
        let mut rest = self.0.as_str();
        let mut total = Duration::ZERO;
        while !rest.is_empty() {
            let (whole, after) = digits(rest).ok_or(ReadDuration)?;
            let (fraction, after) = match after.strip_prefix('.') {
                Some(after) => digits(after).ok_or(ReadDuration)?,
                None => ("", after),
            };
            let (unit, after) = unit(after).ok_or(ReadDuration)?;
            // Nine digits before and nine after the point, in hours, stay far below 2¹²⁸ ns.
            let nanos: u128 = format!("{whole}{fraction:0<9}")
                .parse()
                .map_err(|_| ReadDuration)?;
            let part = nanos * unit.as_nanos() / 1_000_000_000;
            total += Duration::from_nanos_u128(part);
            rest = after;
        }
        Ok(total)
    }
}

/// One to nine digits, and what follows them.
fn digits(text: &str) -> Option<(&str, &str)> {
    let end = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    (1..=9).contains(&end).then(|| text.split_at(end))
}

/// A unit, and what follows it.
fn unit(text: &str) -> Option<(Duration, &str)> {
    const UNITS: [(&str, Duration); 4] = [
        ("ms", Duration::from_millis(1)),
        ("s", Duration::from_secs(1)),
        ("m", Duration::from_mins(1)),
        ("h", Duration::from_hours(1)),
    ];
    UNITS
        .iter()
        .find_map(|(name, unit)| text.strip_prefix(name).map(|rest| (*unit, rest)))
}

impl From<&str> for GoDuration {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl JsonSchema for GoDuration {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "GoDuration".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "maxLength": Self::MAX_LENGTH,
            "x-kubernetes-validations": [{
                "rule": format!("self.matches('{DURATION}')"),
                "message": "not a duration: write numbers with the units ms, s, m or h, such as 30s, 10m or 1h30m",
            }],
        })
    }
}

/// Text that may hold a secret: a literal, a template, a header. It cannot be printed.
///
/// On the wire it is plain text; only [`fmt::Debug`] masks it.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MaskedText(String);

impl MaskedText {
    /// The text itself. Never pass it to a log, an error or a status.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for MaskedText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for MaskedText {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for MaskedText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// One key of a Secret.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// Name of the Secret. For an object in a namespace it is a Secret of that namespace; for a
    /// ClusterSecretStore a Secret of the operator's namespace.
    #[schemars(with = "ObjectName")]
    pub name: String,
    /// Key within the Secret's data.
    #[schemars(with = "super::schema::DataKey")]
    pub key: String,
}

/// One key of a ConfigMap.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapKeyRef {
    /// Name of the ConfigMap. For an object in a namespace it is a ConfigMap of that namespace; for
    /// a ClusterSecretStore a ConfigMap of the operator's namespace.
    #[schemars(with = "ObjectName")]
    pub name: String,
    /// Key within the ConfigMap's data.
    #[schemars(with = "super::schema::DataKey")]
    pub key: String,
}

/// A ServiceAccount whose token is requested for one store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAccountRef {
    /// Name of the ServiceAccount: of the store's namespace, or for a ClusterSecretStore of the
    /// operator's. It must carry the annotation penstock.dev/accept-from with the name of the store.
    #[schemars(with = "ObjectName")]
    pub name: String,
    /// Audiences of the token. Absent or empty: the store's own, `SecretStore/<namespace>/<name>` or
    /// `ClusterSecretStore/<name>`, so that the token opens nothing else. Those of the API server are refused.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<Text<253>, 8>")]
    pub audiences: Vec<String>,
}

/// The kind of a store.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[schemars(description = "")]
pub enum StoreKind {
    /// A store of the same namespace.
    #[default]
    SecretStore,
    /// A store of the whole cluster; its `allow` list decides what a namespace may do with it.
    ClusterSecretStore,
}

/// Which store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoreRef {
    /// Name of the SecretStore or ClusterSecretStore. May hold `{{ parameters }}`.
    #[schemars(with = "ObjectNameTemplate")]
    pub name: String,
    /// SecretStore (of this namespace) or ClusterSecretStore. Absent: SecretStore.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<StoreKind>,
}

impl StoreRef {
    /// The kind, with absence resolved.
    pub fn kind(&self) -> StoreKind {
        self.kind.unwrap_or_default()
    }
}

/// The kinds of workload that can be restarted.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[schemars(description = "")]
pub enum WorkloadKind {
    /// `apps/v1` Deployment.
    Deployment,
    /// `apps/v1` StatefulSet.
    StatefulSet,
    /// `apps/v1` DaemonSet.
    DaemonSet,
    /// `argoproj.io/v1alpha1` Rollout, where its CRD is installed.
    Rollout,
}

/// One workload of the namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadRef {
    /// Deployment, StatefulSet, DaemonSet or (Argo) Rollout.
    pub kind: WorkloadKind,
    /// Name of the workload, in the namespace of the SecretSync.
    #[schemars(with = "ObjectName")]
    pub name: String,
}

/// How a label is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "")]
pub enum LabelOperator {
    /// The label has one of the values.
    In,
    /// The label is absent or has none of the values.
    NotIn,
    /// The label is present.
    Exists,
    /// The label is absent.
    DoesNotExist,
}

/// One requirement on labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(
        "self.operator in ['In', 'NotIn'] ? (has(self.values) && self.values.size() > 0) : !has(self.values) || self.values.size() == 0"
    ).message("In and NotIn need values; Exists and DoesNotExist take none")
)]
pub struct LabelRequirement {
    /// Key of the label.
    #[schemars(with = "Filled<317>")]
    pub key: String,
    /// In, NotIn, Exists or DoesNotExist.
    pub operator: LabelOperator,
    /// Values for In and NotIn; empty for the others.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<Text<63>, 32>")]
    pub values: Vec<String>,
}

/// A label selector as Kubernetes has it, bounded. All requirements must hold; an empty selector
/// matches everything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LabelSelector {
    /// Labels that must be present with exactly these values.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[schemars(with = "Map<Text<63>, 32>")]
    pub match_labels: BTreeMap<String, String>,
    /// Further requirements on labels.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<LabelRequirement, 16>", extend("x-kubernetes-list-type" = "atomic"))]
    pub match_expressions: Vec<LabelRequirement>,
}

impl From<&LabelSelector> for meta::LabelSelector {
    fn from(selector: &LabelSelector) -> Self {
        let requirement = |requirement: &LabelRequirement| meta::LabelSelectorRequirement {
            key: requirement.key.clone(),
            operator: match requirement.operator {
                LabelOperator::In => "In",
                LabelOperator::NotIn => "NotIn",
                LabelOperator::Exists => "Exists",
                LabelOperator::DoesNotExist => "DoesNotExist",
            }
            .to_owned(),
            values: (!requirement.values.is_empty()).then(|| requirement.values.clone()),
        };
        Self {
            match_labels: (!selector.match_labels.is_empty())
                .then(|| selector.match_labels.clone()),
            match_expressions: (!selector.match_expressions.is_empty())
                .then(|| selector.match_expressions.iter().map(requirement).collect()),
        }
    }
}

/// A parameter of an object, set by the CLI's `--set NAME=VALUE`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Parameter {
    /// Value used when `--set` gives none; in the cluster always. A parameter without a default must
    /// be given, so it works in the CLI only. Never put a secret here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<1024>>")]
    pub default: Option<String>,
}

/// Whom to tell, and when.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// Store that carries notices (Slack, Discord, Teams and so on).
    pub store: StoreRef,
    /// What to tell: Synced (a change arrived everywhere), Drifted (tampering was found), RolledBack
    /// (a new value was taken back), Failed (the sync needs a person).
    #[schemars(with = "List<NoticeEvent, 8>", length(min = 1))]
    pub on: Vec<NoticeEvent>,
}

/// What a notice can be about.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[schemars(description = "")]
pub enum NoticeEvent {
    /// A change arrived at every target, and the workloads run on it.
    Synced,
    /// A target was changed by somebody else.
    Drifted,
    /// A new value was taken back.
    RolledBack,
    /// The sync cannot go on without a person.
    Failed,
}
