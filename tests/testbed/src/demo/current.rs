//! The cluster of the current kubeconfig context, and asking before it is touched.

use std::io::IsTerminal;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, ListParams};
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config, ResourceExt};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::story::Story;

/// Why the current context cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CurrentError {
    /// There is no kubeconfig, or it is not one.
    #[error("cannot use the kubeconfig")]
    Read(#[source] KubeconfigError),
    /// It names no current context.
    #[error("the kubeconfig has no current context: kubectl config use-context …")]
    NoContext,
    /// The client could not be set up.
    #[error("cannot make a client")]
    MakeClient(#[source] Box<kube::Error>),
    /// The demo counts requests with a proxy of its own, which cannot do what the kubeconfig asks for.
    #[error(
        "the context asks for {0}, which the proxy that counts the operator's requests cannot do"
    )]
    Unusual(&'static str),
    /// There is nobody to ask.
    #[error("standard input is no terminal, so nobody can be asked; --yes goes on without")]
    NobodyToAsk,
    /// The answer was no.
    #[error("nothing was done")]
    Declined,
    /// Another operator might serve the demo's namespace, too.
    #[error(
        "{0} serves all namespaces of this cluster, so it would do what the demo's own operator is to do"
    )]
    Occupied(String),
}

/// The current context.
pub(super) struct Current {
    /// Its name.
    pub(super) context: String,
    /// A client as the person in front of the terminal.
    pub(super) client: Client,
    /// Where its API server is.
    pub(super) endpoint: Endpoint,
}

impl Current {
    /// Reads the kubeconfig as kubectl does (`KUBECONFIG`, else `~/.kube/config`). Asks nobody.
    pub(super) async fn read() -> Result<Self, CurrentError> {
        crate::install_cryptography();
        let kubeconfig = Kubeconfig::read().map_err(CurrentError::Read)?;
        let context = kubeconfig.current_context.clone();
        let context = context.filter(|name| !name.is_empty());
        let context = context.ok_or(CurrentError::NoContext)?;
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .map_err(CurrentError::Read)?;
        let endpoint = endpoint(&config)?;
        let client =
            Client::try_from(config).map_err(|error| CurrentError::MakeClient(Box::new(error)))?;
        Ok(Self {
            context,
            client,
            endpoint,
        })
    }

    /// Says what is about to happen where, and asks whether to go on. `yes` is the answer given in advance.
    pub(super) async fn consent(
        &self,
        story: &mut Story,
        namespace: &str,
        yes: bool,
    ) -> Result<(), CurrentError> {
        story.line("");
        story.say(&format!(
            "Context {} at {}.",
            self.context, self.endpoint.address
        ));
        story.say(&format!(
            "The demo makes the namespace {namespace}, installs Penstock's chart for that namespace alone, and the \
             definitions of penstock.dev unless they are there. The operator and the vault run on this machine. At \
             the end, and on Ctrl-C, it removes what it has made, and nothing else.",
        ));
        if yes {
            return Ok(());
        }
        if !std::io::stdin().is_terminal() {
            return Err(CurrentError::NobodyToAsk);
        }
        story.ask("Go on? [y/N]");
        let mut answer = String::new();
        let read = BufReader::new(tokio::io::stdin())
            .read_line(&mut answer)
            .await;
        let agreed = matches!(answer.trim().to_lowercase().as_str(), "y" | "yes");
        if read.is_ok() && agreed {
            Ok(())
        } else {
            Err(CurrentError::Declined)
        }
    }

    /// Fails where an operator is installed that serves every namespace.
    pub(super) async fn is_free(&self) -> Result<(), Failure> {
        let deployments: Api<Deployment> = Api::all(self.client.clone());
        let ours = ListParams::default().labels("app.kubernetes.io/name=penstock");
        let listed = deployments.list(&ours).await?;
        match listed.items.iter().find(|one| serves_all(one)) {
            None => Ok(()),
            Some(one) => {
                let namespace = one.namespace().unwrap_or_default();
                let name = format!("deployment {namespace}/{}", one.name_any());
                Err(CurrentError::Occupied(name).into())
            }
        }
    }
}

fn serves_all(operator: &Deployment) -> bool {
    let pod = operator
        .spec
        .as_ref()
        .and_then(|spec| spec.template.spec.as_ref());
    let containers = pod.iter().flat_map(|pod| &pod.containers);
    let mut variables = containers.flat_map(|container| container.env.iter().flatten());
    variables.any(|variable| {
        variable.name == "PENSTOCK_ALL_NAMESPACES" && variable.value.as_deref() == Some("true")
    })
}

fn endpoint(config: &Config) -> Result<Endpoint, CurrentError> {
    let unusual = [
        (config.accept_invalid_certs, "unverified TLS"),
        (config.proxy_url.is_some(), "a proxy"),
        (config.tls_server_name.is_some(), "another server name"),
    ];
    if let Some((_, what)) = unusual.iter().find(|(asked, _)| *asked) {
        return Err(CurrentError::Unusual(what));
    }
    let authority = config
        .root_cert
        .as_ref()
        .map(|certificates| certificates.iter().map(|der| pem(der)).collect());
    Ok(Endpoint {
        address: config
            .cluster_url
            .to_string()
            .trim_end_matches('/')
            .to_owned(),
        certificate_authority: authority,
    })
}

/// One certificate in PEM (RFC 7468: lines of 64 characters).
fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut lines = vec!["-----BEGIN CERTIFICATE-----".to_owned()];
    let letters: Vec<char> = text.chars().collect();
    lines.extend(letters.chunks(64).map(|line| line.iter().collect()));
    lines.push("-----END CERTIFICATE-----\n".to_owned());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config::new("https://127.0.0.1:6443/".parse().unwrap())
    }

    #[test]
    fn an_endpoint_has_the_address_without_a_path_and_the_authority_in_pem() {
        let mut config = config();
        config.root_cert = Some(vec![vec![7; 100]]);
        let endpoint = endpoint(&config).unwrap();
        assert_eq!(endpoint.address, "https://127.0.0.1:6443");
        let authority = endpoint.certificate_authority.unwrap();
        assert!(authority.starts_with("-----BEGIN CERTIFICATE-----\nBwcH"));
        assert!(authority.lines().all(|line| line.len() <= 64));
    }

    #[test]
    fn what_the_proxy_cannot_do_is_refused_by_name() {
        let mut config = config();
        config.accept_invalid_certs = true;
        let error = endpoint(&config).unwrap_err().to_string();
        assert!(error.contains("unverified TLS"), "{error}");
    }

    #[test]
    fn an_operator_for_all_namespaces_is_noticed() {
        let operator = |variables: serde_json::Value| -> Deployment {
            let pod = serde_json::json!({"containers": [{"name": "penstock", "env": variables}]});
            let spec = serde_json::json!({"selector": {}, "template": {"spec": pod}});
            serde_json::from_value(serde_json::json!({"spec": spec})).unwrap()
        };
        let variable = |name: &str| serde_json::json!([{"name": name, "value": "true"}]);
        assert!(serves_all(&operator(variable("PENSTOCK_ALL_NAMESPACES"))));
        assert!(!serves_all(&operator(variable("PENSTOCK_CLUSTER_STORES"))));
    }
}
