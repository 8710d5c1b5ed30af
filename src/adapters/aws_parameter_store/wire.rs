//! Requests and answers.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::aws::client::Action;

/// The most parameters of one page.
pub(super) const MAX_PAGE: u32 = 10;

pub(super) const GET: Action = Action {
    name: "GetParameter",
    permission: "ssm:GetParameter",
};
pub(super) const LIST: Action = Action {
    name: "GetParametersByPath",
    permission: "ssm:GetParametersByPath",
};

pub(super) const PUT: Action = Action {
    name: "PutParameter",
    permission: "ssm:PutParameter",
};
/// The kind of a parameter that is encrypted, with the account's own key unless another is named.
pub(super) const SECURE: &str = "SecureString";

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Put<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a str,
    /// Absent: the one it has.
    #[serde(rename = "Type", skip_serializing_if = "str::is_empty")]
    pub(super) kind: &'a str,
    pub(super) overwrite: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Get<'a> {
    pub(super) name: &'a str,
    pub(super) with_decryption: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct List<'a> {
    pub(super) path: &'a str,
    pub(super) recursive: bool,
    pub(super) with_decryption: bool,
    pub(super) max_results: u32,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) parameter_filters: &'a [Filter<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Filter<'a> {
    pub(super) key: &'static str,
    pub(super) option: &'static str,
    pub(super) values: [&'a str; 1],
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Got {
    pub(super) parameter: Parameter,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Page {
    pub(super) parameters: Vec<Parameter>,
    #[serde(default)]
    pub(super) next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) value: Zeroizing<String>,
    pub(super) version: u64,
    #[serde(rename = "Type", default)]
    pub(super) kind: String,
}
