//! Takes what is needed out of a kubeconfig: inline fields of an allow-list, and nothing else.
//!
//! A kubeconfig can name commands to run, files to read and proxies to go through. Whoever writes one here
//! may have none of that done by the operator, so a file that asks for it is refused as a whole.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use penstock_domain::secret::SecretValue;
use serde::Deserialize;
use serde_json::Value;

use crate::http::tls::{ClientIdentity, TlsSettings};

/// The most bytes of a kubeconfig.
const MAX_BYTES: usize = 256 * 1024;

/// What is taken out of a kubeconfig.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) address: String,
    pub(super) tls: TlsSettings,
    pub(super) token: Option<SecretValue>,
}

/// Why a kubeconfig is refused. Nothing of its text is told but fields from a list of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ReadKubeconfig {
    #[error("is larger than {MAX_BYTES} bytes")]
    TooLarge,
    #[error("is no kubeconfig")]
    Shape,
    #[error("has no context, cluster or user of the name that it refers to")]
    Dangling,
    #[error("uses `{0}`: only inline certificates and tokens are read")]
    Refused(&'static str),
    #[error("has a field that is not allowed: only inline certificates and tokens are read")]
    Unknown,
    #[error("has a certificate or key that is no base64")]
    Encoding,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Kubeconfig {
    current_context: String,
    contexts: Vec<Named>,
    clusters: Vec<Named>,
    users: Vec<Named>,
}

/// An element of one of the three lists: a name, and the rest under the name of the list.
#[derive(Deserialize)]
struct Named {
    name: String,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

/// Fields that are refused by name, because people may have them in good faith.
const REFUSED: [&str; 15] = [
    "exec",
    "auth-provider",
    "tokenFile",
    "client-certificate",
    "client-key",
    "certificate-authority",
    "proxy-url",
    "insecure-skip-tls-verify",
    "username",
    "password",
    "as",
    "as-uid",
    "as-groups",
    "as-user-extra",
    "disable-compression",
];

const CONTEXT: [&str; 3] = ["cluster", "user", "namespace"];
const CLUSTER: [&str; 3] = ["server", "certificate-authority-data", "tls-server-name"];
const USER: [&str; 3] = ["token", "client-certificate-data", "client-key-data"];

/// Reads a kubeconfig.
pub(super) fn read(text: &str) -> Result<Access, ReadKubeconfig> {
    if text.len() > MAX_BYTES {
        return Err(ReadKubeconfig::TooLarge);
    }
    let options = serde_saphyr::options! { with_snippet: false };
    let file: Kubeconfig =
        serde_saphyr::from_str_with_options(text, options).map_err(|_| ReadKubeconfig::Shape)?;
    let context = fields(&file.contexts, &file.current_context, "context", &CONTEXT)?;
    let name_of = |field| context.get(field).ok_or(ReadKubeconfig::Dangling);
    let cluster = fields(&file.clusters, name_of("cluster")?, "cluster", &CLUSTER)?;
    let user = fields(&file.users, name_of("user")?, "user", &USER)?;
    let identity = match (
        user.get("client-certificate-data"),
        user.get("client-key-data"),
    ) {
        (None, None) => None,
        (Some(certificates), Some(key)) => Some(ClientIdentity {
            certificates: decode(certificates)?,
            key: SecretValue::new(decode(key)?),
        }),
        _ => return Err(ReadKubeconfig::Shape),
    };
    Ok(Access {
        address: cluster.get("server").ok_or(ReadKubeconfig::Shape)?.clone(),
        tls: TlsSettings {
            ca: cluster
                .get("certificate-authority-data")
                .map(|text| decode(text))
                .transpose()?,
            server_name: cluster.get("tls-server-name").cloned(),
            identity,
        },
        token: user
            .get("token")
            .map(|token| SecretValue::from(token.trim())),
    })
}

/// The fields of the element `name` of a list, all of them allowed texts.
fn fields(
    list: &[Named],
    name: &str,
    member: &str,
    allowed: &[&str],
) -> Result<BTreeMap<String, String>, ReadKubeconfig> {
    let element = list
        .iter()
        .find(|element| element.name == name)
        .ok_or(ReadKubeconfig::Dangling)?;
    let Some(Value::Object(found)) = element.rest.get(member) else {
        return Err(ReadKubeconfig::Shape);
    };
    let mut fields = BTreeMap::new();
    for (field, value) in found {
        if !allowed.contains(&field.as_str()) {
            // What is off, or empty, asks for nothing.
            if matches!(value, Value::Null | Value::Bool(false)) {
                continue;
            }
            let known = REFUSED.iter().find(|refused| **refused == field.as_str());
            return Err(known.map_or(ReadKubeconfig::Unknown, |name| {
                ReadKubeconfig::Refused(name)
            }));
        }
        let text = value.as_str().ok_or(ReadKubeconfig::Shape)?;
        fields.insert(field.clone(), text.to_owned());
    }
    Ok(fields)
}

fn decode(text: &str) -> Result<Vec<u8>, ReadKubeconfig> {
    STANDARD
        .decode(text.trim())
        .map_err(|_| ReadKubeconfig::Encoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(cluster: &str, user: &str) -> String {
        format!(
            "apiVersion: v1
kind: Config
preferences: {{}}
current-context: main
contexts:
- name: other
  context: {{cluster: nowhere, user: nobody}}
- name: main
  context: {{cluster: east, user: reader, namespace: ignored}}
clusters:
- name: east
  cluster: {{server: 'https://east.example.com:6443', {cluster}}}
users:
- name: other
  user: {{exec: {{command: evil}}}}
- name: reader
  user: {{{user}}}
"
        )
    }

    #[test]
    fn inline_fields_are_taken() {
        let text = file(
            "certificate-authority-data: Q0E=, tls-server-name: east",
            "token: 't-1', client-certificate-data: Q0VSVA==, client-key-data: S0VZ",
        );
        let access = read(&text).unwrap();
        assert_eq!(access.address, "https://east.example.com:6443");
        assert_eq!(access.tls.ca.as_deref(), Some(&b"CA"[..]));
        assert_eq!(access.tls.server_name.as_deref(), Some("east"));
        assert_eq!(access.token, Some(SecretValue::from("t-1")));
        let identity = access.tls.identity.unwrap();
        assert_eq!(identity.certificates, b"CERT");
        assert_eq!(identity.key, SecretValue::from("KEY"));
    }

    #[test]
    fn what_runs_reads_or_leads_elsewhere_is_refused() {
        for (cluster, user, field) in [
            ("", "exec: {command: sh, args: [-c, id]}", "exec"),
            ("", "auth-provider: {name: gcp}", "auth-provider"),
            (
                "",
                "tokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token",
                "tokenFile",
            ),
            ("", "token: a, tokenFile: /etc/passwd", "tokenFile"),
            ("", "client-certificate: /etc/a.crt", "client-certificate"),
            ("", "client-key: /etc/a.key", "client-key"),
            ("", "username: admin", "username"),
            ("", "password: hunter2", "password"),
            ("", "token: a, as: system:admin", "as"),
            (
                "certificate-authority: /etc/ca.crt",
                "token: a",
                "certificate-authority",
            ),
            ("proxy-url: 'http://evil.test'", "token: a", "proxy-url"),
            (
                "insecure-skip-tls-verify: true",
                "token: a",
                "insecure-skip-tls-verify",
            ),
        ] {
            let error = read(&file(cluster, user)).unwrap_err();
            assert_eq!(error, ReadKubeconfig::Refused(field));
        }
        let error = read(&file("", "hunter2: x")).unwrap_err();
        assert_eq!(error, ReadKubeconfig::Unknown);
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn what_is_switched_off_asks_for_nothing() {
        let text = file("insecure-skip-tls-verify: false", "token: a, exec: null");
        assert!(read(&text).is_ok());
    }

    #[test]
    fn anything_else_is_no_kubeconfig() {
        for text in [
            "",
            "hunter2",
            "{}",
            "[]",
            "a: &a [*a]",
            "current-context: x",
        ] {
            assert_eq!(read(text), Err(ReadKubeconfig::Shape), "{text}");
        }
        let dangling =
            file("", "token: a").replace("current-context: main", "current-context: gone");
        assert_eq!(read(&dangling), Err(ReadKubeconfig::Dangling));
        let half = file("", "client-certificate-data: Q0E=");
        assert_eq!(read(&half), Err(ReadKubeconfig::Shape));
        let garbled = file("certificate-authority-data: '%%'", "token: a");
        assert_eq!(read(&garbled), Err(ReadKubeconfig::Encoding));
        let large = format!("{}#{}", file("", "token: a"), "x".repeat(MAX_BYTES));
        assert_eq!(read(&large), Err(ReadKubeconfig::TooLarge));
    }
}
