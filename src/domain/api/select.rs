//! Selection of keys, on the way in (`sources[].select`) and on the way out (`targets[].select`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::null::null_is_empty;
use super::schema::{EntryName, Filled, List};

/// Which keys of a source to take. Everything that is set must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceSelect {
    /// true: also the folders below. Absent or false: this folder only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recursive: Option<bool>,
    /// By the tags that the store knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<TagSelect>,
    /// By name, as the store has it. Absent or empty: every key.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<Filled<512>, 1000>")]
    pub keys: Vec<String>,
    /// By regular expression (Rust's regex syntax, linear time), found anywhere in the key unless
    /// anchored by `^` and `$`. May hold `{{ parameters }}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<512>>")]
    pub matching: Option<String>,
    /// Keys to leave out, by name.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<Filled<512>, 1000>")]
    pub exclude: Vec<String>,
}

/// Which keys of the bundle a target gets. Everything that is set must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetSelect {
    /// By the tags that a key brought from its source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<TagSelect>,
    /// By the names of the sources that a key came from. A key made by `transform` comes from where all of
    /// its inputs do. Absent or empty: every source.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<EntryName, 32>")]
    pub sources: Vec<String>,
    /// By the paths that a key came from, on segment borders. Absent or empty: every path.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<Filled<1024>, 64>")]
    pub paths: Vec<String>,
    /// By name. Absent or empty: every key.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<Filled<512>, 1000>")]
    pub keys: Vec<String>,
    /// By regular expression (Rust's regex syntax, linear time), found anywhere in the key unless
    /// anchored by `^` and `$`. May hold `{{ parameters }}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<512>>")]
    pub matching: Option<String>,
}

/// By tags. If both are set, both must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TagSelect {
    /// Takes what has at least one of these tags.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<Filled<253>, 64>")]
    pub any: Vec<String>,
    /// Takes what has every one of these tags.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<Filled<253>, 64>")]
    pub all: Vec<String>,
}

/// The case of keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum KeyCase {
    /// As it is.
    #[default]
    Keep,
    /// `UPPER`: letters only, separators stay.
    Upper,
    /// `lower`: letters only, separators stay.
    Lower,
    /// `snake_case`.
    Snake,
    /// `SCREAMING_SNAKE_CASE`.
    ScreamingSnake,
    /// `kebab-case`.
    Kebab,
    /// `camelCase`.
    Camel,
    /// `PascalCase`.
    Pascal,
}
