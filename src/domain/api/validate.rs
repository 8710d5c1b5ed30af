//! `spec.validate[]` (and a rotation's `verify[]`): what a value must pass before anything is written.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::null::null_is_empty;
use super::one_of::one_of;
use super::schema::{
    EntryName, Filled, List, Map, StatusCode, Text, WebAddress, at_least, exactly_one,
};
use super::shared::{GoDuration, MaskedText};
use super::then::HttpMethod;

/// One validator. Nothing is written while one of them rejects or cannot say. Exactly one of the
/// members says what is checked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = exactly_one(Validator::MEMBERS, "a validator checks exactly one thing"))]
pub struct Validator {
    /// Name of the validator, unique in the list. Conditions use it.
    #[schemars(with = "EntryName")]
    pub name: String,
    /// Key of the bundle whose value is checked. `expression` needs none; in a SecretRotation it is the
    /// new value, always.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<512>>")]
    pub key: Option<String>,

    /// Regular expression (Rust's regex syntax, linear time) that must be found in the value; `^` and `$`
    /// anchor it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<1024>>")]
    pub matching: Option<String>,
    /// Bounds of the value's length in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<LengthCheck>,
    /// Lower bound of the value's guessing effort.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entropy: Option<EntropyCheck>,
    /// JSON Schema (draft 2020-12, as JSON text) that the value, read as JSON, must match. References to
    /// other documents are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<16384>>")]
    pub json_schema: Option<String>,
    /// The value must be an X.509 certificate (PEM), the leaf first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateCheck>,
    /// The value must be a JSON web token. Its signature is not verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt: Option<JwtCheck>,
    /// An HTTP request made with the value must be answered as expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpCheck>,
    /// A connection must be possible to an address made of keys of the bundle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect: Option<ConnectCheck>,
    /// A login at PostgreSQL must succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgres: Option<LoginCheck>,
    /// A login at MySQL must succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mysql: Option<LoginCheck>,
    /// A login at Redis must succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redis: Option<LoginCheck>,
    /// CEL expression that must be true. It sees `size.KEY` (length in bytes) and `equal('KEY', 'OTHER')`,
    /// never a value.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<2048>>")]
    pub expression: Option<String>,

    /// Checks the value in use again this often, so that an expired one is known early; only the condition
    /// ValueHealthy shows it, nothing restarts. Absent: only new values are checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = at_least("10s", "it asks another system each time"))]
    pub every: Option<GoDuration>,
    /// How long one try may take. Absent: 10s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
}

one_of! {
    /// What a validator checks.
    Validator => Validation {
        /// A pattern.
        Matching(String) = matching "matching",
        /// The length.
        Length(LengthCheck) = length "length",
        /// The guessing effort.
        Entropy(EntropyCheck) = entropy "entropy",
        /// A JSON Schema.
        JsonSchema(String) = json_schema "jsonSchema",
        /// An X.509 certificate.
        Certificate(CertificateCheck) = certificate "certificate",
        /// A JSON web token.
        Jwt(JwtCheck) = jwt "jwt",
        /// An HTTP request.
        Http(HttpCheck) = http "http",
        /// A connection.
        Connect(ConnectCheck) = connect "connect",
        /// A login at PostgreSQL.
        Postgres(LoginCheck) = postgres "postgres",
        /// A login at MySQL.
        Mysql(LoginCheck) = mysql "mysql",
        /// A login at Redis.
        Redis(LoginCheck) = redis "redis",
        /// A CEL expression.
        Expression(String) = expression "expression",
    }
}

/// Bounds of a length.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.min) || !has(self.max) || self.min <= self.max").message("min is above max"))]
pub struct LengthCheck {
    /// Fewest bytes. Absent: no lower bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_048_576))]
    pub min: Option<u32>,
    /// Most bytes. Absent: no upper bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_048_576))]
    pub max: Option<u32>,
}

/// Guessing effort of a value, estimated by its length and the classes of its characters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntropyCheck {
    /// Fewest bits.
    #[schemars(range(min = 1, max = 4096))]
    pub min_bits: u32,
}

/// What a certificate must fulfil besides being one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificateCheck {
    /// Key of the bundle that holds the private key of the certificate; both must belong together.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<512>>")]
    pub private_key: Option<String>,
    /// Key of the bundle that holds CA certificates (PEM); the certificate's chain must end there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<512>>")]
    pub chain_to: Option<String>,
    /// Names that the certificate must be valid for.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<Filled<253>, 32>")]
    pub dns_names: Vec<String>,
    /// Shortest time that it must still be valid. Absent: it must be valid now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_validity: Option<GoDuration>,
}

/// What a token must fulfil besides being one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JwtCheck {
    /// Issuer (`iss`) that it must have.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<1024>>")]
    pub issuer: Option<String>,
    /// Audience (`aud`) that it must have.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<1024>>")]
    pub audience: Option<String>,
    /// Shortest time that it must still be valid. Absent: it must be valid now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_validity: Option<GoDuration>,
}

/// An HTTP request made with the value. 401 and 403 reject the value; 429, 5xx, timeouts and failing names
/// say nothing about it and are tried again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!self.url.contains('{{')").message("a value never goes into an address, where logs would keep it: put {{ value }} into a header or the body"))]
pub struct HttpCheck {
    /// Address of the request.
    #[schemars(with = "WebAddress")]
    pub url: String,
    /// GET, POST, PUT or PATCH. Absent: GET.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<HttpMethod>,
    /// Headers; `{{ value }}` is the value under test, such as `Authorization: "Bearer {{ value }}"`.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[schemars(with = "Map<Text<4096>, 32>")]
    pub header: BTreeMap<String, MaskedText>,
    /// Body; `{{ value }}` is the value under test.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<16384>>")]
    pub body: Option<MaskedText>,
    /// Status codes that accept the value. Absent or empty: 200 to 299.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<StatusCode, 16>")]
    pub expect_status: Vec<u16>,
    /// What the answer, read as JSON, must hold.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<JsonExpectation, 8>", extend("x-kubernetes-list-type" = "atomic"))]
    pub expect_json: Vec<JsonExpectation>,
}

/// What one place of a JSON answer must be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JsonExpectation {
    /// JSON pointer (RFC 6901) into the answer, such as `/data/active`.
    #[schemars(with = "Text<1024>")]
    pub pointer: String,
    /// Regular expression that must be found there; numbers and booleans count as their text. Absent: the
    /// place must exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<512>>")]
    pub matching: Option<String>,
}

/// A connection to an address.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectCheck {
    /// `host:port`. Absent: the value under test is the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<512>>")]
    pub address: Option<String>,
    /// true: a TLS handshake with a certificate valid for the host must succeed. Absent or false: a TCP
    /// connection is enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<bool>,
}

/// A login. At most three tries per value reach the server, so that no account is locked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.address) || has(self.user)").message("address needs user: the value under test is then the password"))]
pub struct LoginCheck {
    /// `host:port`. Absent: the value under test is a whole connection URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<512>>")]
    pub address: Option<String>,
    /// User to log in as; the value under test is the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<253>>")]
    pub user: Option<String>,
    /// Database to open. Absent: the server's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<253>>")]
    pub database: Option<String>,
    /// require (TLS with a valid certificate), or disable. Absent: require.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<LoginTls>,
}

/// Whether a login uses TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum LoginTls {
    /// TLS with a valid certificate.
    #[default]
    Require,
    /// No TLS; only to addresses that the administrator allows.
    Disable,
}
