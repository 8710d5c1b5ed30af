//! What the server was asked, from its audit log.

use serde::Deserialize;

/// One request that the server took, in the order of taking. Values are not in the audit log: the
/// server writes keyed hashes in their place.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AuditedRequest {
    /// `read`, `list`, `create`, `update`, `delete` …
    pub operation: String,
    /// Path without `/v1/`, such as `secret/data/apps/panbot` or `auth/approle/login`.
    pub path: String,
    /// `X-Vault-Namespace`, with a final slash; empty for the root.
    #[serde(default, deserialize_with = "namespace_path")]
    pub namespace: String,
}

#[derive(Deserialize)]
struct Entry {
    r#type: String,
    request: AuditedRequest,
}

#[derive(Deserialize)]
struct Namespace {
    #[serde(default)]
    path: String,
}

fn namespace_path<'de, D: serde::Deserializer<'de>>(input: D) -> Result<String, D::Error> {
    Namespace::deserialize(input).map(|namespace| namespace.path)
}

/// Reads an audit log: one JSON document per line, of which the last may be half written.
pub(super) fn parse(log: &str) -> Vec<AuditedRequest> {
    let entries = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Entry>(line).ok());
    entries
        .filter(|entry| entry.r#type == "request")
        .map(|entry| entry.request)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_and_answers_are_not() {
        let log = concat!(
            r#"{"type":"request","request":{"operation":"read","path":"secret/data/a","namespace":{"id":"root"}}}"#,
            "\n",
            r#"{"type":"response","request":{"operation":"read","path":"secret/data/a"}}"#,
            "\n",
            r#"{"type":"request","request":{"operation":"list","path":"secret/metadata","namespace":{"id":"x","path":"team/"}}}"#,
            "\n",
            r#"{"type":"request","requ"#,
        );
        let requests = parse(log);
        assert_eq!(requests.len(), 2);
        assert_eq!(
            (
                requests[0].operation.as_str(),
                requests[0].namespace.as_str()
            ),
            ("read", "")
        );
        assert_eq!(requests[1].namespace, "team/");
    }
}
