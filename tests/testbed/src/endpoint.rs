//! Where an API server is reached, and files that tell others.

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use serde_json::json;

/// Why a client or a kubeconfig could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The kubeconfig is not one.
    #[error("cannot read the kubeconfig")]
    Read(#[source] KubeconfigError),
    /// The client could not be set up.
    #[error("cannot make a client")]
    MakeClient(#[source] Box<kube::Error>),
    /// The file could not be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// An address that speaks the Kubernetes API: the API server, or a proxy in front of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// URL without a path.
    pub address: String,
    /// The authority in PEM that signed its certificate; none where it speaks plain HTTP.
    pub certificate_authority: Option<String>,
}

impl Endpoint {
    /// The kubeconfig of one bearer token. `namespace` is the context's default.
    pub fn kubeconfig(&self, token: &str, namespace: Option<&str>) -> KubeconfigText {
        let mut cluster = json!({"server": self.address});
        if let Some(authority) = &self.certificate_authority {
            cluster["certificate-authority-data"] = json!(STANDARD.encode(authority));
        }
        let mut context = json!({"cluster": "testbed", "user": "testbed"});
        if let Some(namespace) = namespace {
            context["namespace"] = json!(namespace);
        }
        let document = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "testbed", "cluster": cluster}],
            "users": [{"name": "testbed", "user": {"token": token}}],
            "contexts": [{"name": "testbed", "context": context}],
            "current-context": "testbed",
        });
        KubeconfigText(format!("{document:#}\n"))
    }

    /// A client with a bearer token. Make one per test: its connections belong to the runtime that
    /// it is made in.
    pub async fn client(&self, token: &str) -> Result<kube::Client, EndpointError> {
        self.kubeconfig(token, None).client().await
    }
}

/// The text of a kubeconfig. JSON, which is YAML. It holds a token, so it has no `Debug`.
pub struct KubeconfigText(String);

impl KubeconfigText {
    /// Writes it to a file that only this user can read.
    pub fn write(&self, path: &Path) -> Result<(), EndpointError> {
        write_private(path, &self.0).map_err(|source| EndpointError::Write {
            path: path.to_path_buf(),
            source,
        })
    }

    /// A client with this kubeconfig.
    pub async fn client(&self) -> Result<kube::Client, EndpointError> {
        crate::install_cryptography();
        let kubeconfig = Kubeconfig::from_yaml(&self.0).map_err(EndpointError::Read)?;
        let config =
            kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
                .await
                .map_err(EndpointError::Read)?;
        kube::Client::try_from(config).map_err(|error| EndpointError::MakeClient(Box::new(error)))
    }
}

/// Writes a file that only this user can read.
pub(crate) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;

    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_names_address_authority_token_and_namespace() {
        let endpoint = Endpoint {
            address: "https://127.0.0.1:1".into(),
            certificate_authority: Some("PEM".into()),
        };
        let text = endpoint.kubeconfig("t0ken", Some("prod")).0;
        let read = Kubeconfig::from_yaml(&text).unwrap();
        let cluster = read.clusters[0].cluster.clone().unwrap();
        assert_eq!(cluster.server.as_deref(), Some("https://127.0.0.1:1"));
        assert_eq!(cluster.certificate_authority_data.as_deref(), Some("UEVN"));
        let context = read.contexts[0].context.clone().unwrap();
        assert_eq!(context.namespace.as_deref(), Some("prod"));
    }
}
