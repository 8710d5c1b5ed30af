//! `spec.provider.http`: any service that answers with a document.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::null::null_is_empty;
use super::schema::{Filled, Identifier, List, Map, StatusCode, Text, WebAddress, at_most_one};
use super::shared::{ConfigMapKeyRef, MaskedText, SecretKeyRef};

/// A service that is asked by one HTTP request for each source, and answers with JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = at_most_one(
        &["caBundle", "caSecretRef", "caConfigMapRef"],
        "the CA certificates lie in one place",
    ),
    validation = Rule::new("!has(self.body) || (has(self.method) && self.method == 'POST')")
        .message("a body is sent with method: POST"),
)]
pub struct HttpProvider {
    /// Address that the `path` of a source is added to, such as `https://config.example.com/v1`. Nothing secret
    /// belongs here: addresses end up in logs.
    #[schemars(with = "WebAddress")]
    pub address: String,
    /// GET or POST. Absent: GET. A POST must change nothing at the service: it is sent at every read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<HttpMethod>,
    /// Query parameters, the same for all sources.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[schemars(with = "Map<Text<1024>, 16>")]
    pub query: BTreeMap<String, String>,
    /// Headers. A value may hold `{{ name }}` of one of `secrets`.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[schemars(with = "Map<Text<4096>, 16>")]
    pub headers: BTreeMap<String, MaskedText>,
    /// Body of a POST: a JSON document, in whose strings `{{ name }}` of one of `secrets` may stand.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<16384>>")]
    pub body: Option<MaskedText>,
    /// What headers and body may hold.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<HttpSecret, 8>", extend("x-kubernetes-list-type" = "atomic"))]
    pub secrets: Vec<HttpSecret>,
    /// How the service says that there is nothing at a path. Absent: no answer is taken to say so, 404 neither,
    /// because it may come from anything on the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_found: Option<HttpNotFound>,
    /// CA certificates (PEM) that the server's certificate must chain to, instead of the usual ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<65536>>")]
    pub ca_bundle: Option<String>,
    /// CA certificates (PEM) in a Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<SecretKeyRef>,
    /// CA certificates (PEM) in a ConfigMap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_config_map_ref: Option<ConfigMapKeyRef>,
    /// Name that the server's certificate must be valid for. Absent: the host of the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<253>>")]
    pub tls_server_name: Option<String>,
}

/// How a service is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schemars(description = "")]
pub enum HttpMethod {
    /// GET
    #[default]
    Get,
    /// POST
    Post,
}

/// A credential that templates name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpSecret {
    /// Name that templates use.
    #[schemars(with = "Identifier")]
    pub name: String,
    /// Where it is kept. Blanks and line breaks at the ends are left out.
    pub secret_ref: SecretKeyRef,
}

/// The answer of a service that has nothing at a path.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpNotFound {
    /// Status of the answer. Absent: 404.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<StatusCode>")]
    pub status: Option<i32>,
    /// Member of the answer's JSON document that tells it from others, such as `error.code`, or a JSONPath.
    #[schemars(with = "Filled<253>")]
    pub property: String,
    /// What that member says.
    #[schemars(with = "Filled<253>")]
    pub equals: String,
}

/// Options of a source in a service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpSourceOptions {
    /// Part of the answer that holds the entries: members and array indices joined by dots, such as `data.items`, or a
    /// JSONPath that leads to one part, such as `$.items[?@.key == 'DB_URL'].value` (names, indices, wildcards, and
    /// filters with `==`, `!=` and `&&`). An object gives an entry for each member; anything else is one entry, named
    /// like the last part of the path. Absent: the whole answer, which must be an object.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<1024>>")]
    pub result: Option<String>,
    /// true: the answer is taken as it is, byte for byte, as one entry named like the last part of the path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw: Option<bool>,
}
