//! `spec.transform`: new keys made of the merged ones, without any I/O.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::null::null_is_empty;
use super::one_of::one_of;
use super::schema::{Filled, List, Map, Text, exactly_one};
use super::shared::{ConfigMapKeyRef, MaskedText};

/// New keys made of the merged ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Transform {
    /// Keys to make; each replaces a key of that name from the sources.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[schemars(with = "Map<KeyTransform, 256>")]
    pub data: BTreeMap<String, KeyTransform>,
    /// Merged keys that may be absent: what is made of them in `data` is then left out, too, instead of
    /// being an error.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<Filled<512>, 256>")]
    pub optional: Vec<String>,
    /// all (the sources' keys and those of `data`) or declared (those of `data` only). Absent: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep: Option<Keep>,
}

/// Which keys remain after the transform.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum Keep {
    /// The sources' keys and the declared ones.
    #[default]
    All,
    /// The declared ones only.
    Declared,
}

/// How one key is made. Exactly one of `template`, `templateFrom`, `derive`, `sshPublicKey`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = exactly_one(KeyTransform::MEMBERS, "a key is made in exactly one way"))]
pub struct KeyTransform {
    /// Template (Jinja syntax) over the merged keys, such as
    /// `postgres://{{ DB_USER }}:{{ DB_PASSWORD | urlencode }}@db/app`. An unknown name is an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<65536>>")]
    pub template: Option<MaskedText>,
    /// Template that is kept in another object of the same namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_from: Option<TemplateFrom>,
    /// Derives a key from another by HKDF or HMAC, always the same from the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub derive: Option<Derive>,
    /// Public half of a private SSH key, in OpenSSH form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssh_public_key: Option<SshPublicKey>,
}

one_of! {
    /// How a key is made.
    KeyTransform => Making {
        /// By a template.
        Template(MaskedText) = template "template",
        /// By a template kept elsewhere.
        TemplateFrom(TemplateFrom) = template_from "templateFrom",
        /// Derived from another key.
        Derive(Derive) = derive "derive",
        /// Public half of a private SSH key.
        SshPublicKey(SshPublicKey) = ssh_public_key "sshPublicKey",
    }
}

/// Where a template is kept. Exactly one member.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = exactly_one(TemplateFrom::MEMBERS, "a template lies in an object"))]
pub struct TemplateFrom {
    /// Key of a ConfigMap of the same namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapKeyRef>,
}

one_of! {
    /// Where a template is kept.
    TemplateFrom => TemplatePlace {
        /// In a ConfigMap.
        ConfigMap(ConfigMapKeyRef) = config_map "configMap",
    }
}

/// A derived key. Exactly one of `hkdfSha256`, `hmacSha256`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = exactly_one(Derive::MEMBERS, "a key is derived by exactly one function"))]
pub struct Derive {
    /// Key of the bundle that holds the seed.
    #[schemars(with = "Filled<512>")]
    pub from: String,
    /// HKDF with SHA-256 (RFC 5869).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hkdf_sha256: Option<HkdfSha256>,
    /// HMAC with SHA-256 (RFC 2104); the seed is the key, 32 bytes come out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hmac_sha256: Option<HmacSha256>,
    /// How the bytes are written: base64url (not padded), base64 (padded), hex or raw (as they are).
    /// Absent: base64url.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encode: Option<Encoding>,
}

one_of! {
    /// The function that derives.
    Derive => Derivation {
        /// HKDF with SHA-256.
        HkdfSha256(HkdfSha256) = hkdf_sha256 "hkdfSha256",
        /// HMAC with SHA-256.
        HmacSha256(HmacSha256) = hmac_sha256 "hmacSha256",
    }
}

/// Parameters of HKDF.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HkdfSha256 {
    /// What the derived key is for; another `info` gives another key. May hold `{{ parameters }}` and
    /// columns of `forEach.nameFrom`.
    #[schemars(with = "Text<1024>")]
    pub info: String,
    /// Salt, as text. It is no secret. Absent: none (32 zero bytes, as RFC 5869 says).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<1024>>")]
    pub salt: Option<String>,
    /// Bytes to derive. Absent: 32.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 16, max = 64))]
    pub length: Option<u32>,
}

/// Parameters of HMAC.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HmacSha256 {
    /// What is authenticated; another message gives another key. May hold `{{ parameters }}` and columns
    /// of `forEach.nameFrom`.
    #[schemars(with = "Text<1024>")]
    pub message: String,
}

/// How bytes are written as text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum Encoding {
    /// URL-safe base64, not padded.
    #[default]
    Base64url,
    /// Standard base64, padded.
    Base64,
    /// Lower case hexadecimal.
    Hex,
    /// The bytes as they are.
    Raw,
}

/// The public half of a private SSH key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SshPublicKey {
    /// Key of the bundle that holds the private key, in OpenSSH form and without a passphrase.
    #[schemars(with = "Filled<512>")]
    pub from: String,
}
