//! The way to the API server.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kube::client::ClientBuilder;
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use penstock_domain::secret::SecretValue;
use penstock_observability::metrics::Metrics;
use penstock_observability::requests::CountRequests;
use secrecy::ExposeSecret as _;
use tower::timeout::TimeoutLayer;

/// How long the API server may take to begin an answer. The body of a watch may take as long as it likes.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How long a connection may take to stand.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// Which cluster is meant: by default the one that the process runs in, or the current context.
#[derive(Debug, Clone, Default)]
pub struct ClusterSettings {
    /// A kubeconfig file, instead of the usual ones.
    pub kubeconfig: Option<PathBuf>,
    /// A context, instead of the current one.
    pub context: Option<String>,
}

/// Why there is no way to a cluster.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig cannot be read.
    #[error("cannot read the kubeconfig {path}")]
    ReadKubeconfig {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: kube::config::KubeconfigError,
    },
    /// The kubeconfig does not lead to a cluster.
    #[error("the kubeconfig names no usable cluster, user or context")]
    UseKubeconfig(#[source] kube::config::KubeconfigError),
    /// Neither a kubeconfig nor a ServiceAccount is there.
    #[error(
        "no cluster is configured: run inside one, or point --kubeconfig (or KUBECONFIG) at one"
    )]
    FindCluster(#[source] kube::config::InferConfigError),
    /// The configuration holds something that the client cannot do.
    #[error("the cluster's configuration cannot be used")]
    BuildClient(#[source] kube::Error),
}

/// The ways to one API server.
#[derive(Clone)]
pub struct Connection {
    /// For everything but leases.
    pub client: Client,
    /// For leases alone, on connections of their own: a flood of other requests must not hold up a renewal.
    pub lease_client: Client,
    /// The token that the API server knows this process by, as it was at the start; none where it is another
    /// credential.
    pub own_token: Option<SecretValue>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl Connection {
    /// The namespace of the ServiceAccount, or of the kubeconfig's context.
    pub fn default_namespace(&self) -> &str {
        self.client.default_namespace()
    }
}

/// Prepares the ways to the API server. Asks it nothing yet.
pub async fn connect(
    settings: &ClusterSettings,
    metrics: &Arc<Metrics>,
) -> Result<Connection, ConnectError> {
    let mut config = config(settings).await?;
    let own_token = own_token(&config.auth_info);
    config.connect_timeout = Some(CONNECT_WITHIN);
    // Retries are scheduled where the object is known, with its own growing pauses.
    config.default_retry = false;
    let client = |config: Config| -> Result<Client, ConnectError> {
        let builder = ClientBuilder::try_from(config).map_err(ConnectError::BuildClient)?;
        Ok(builder
            .with_layer(&TimeoutLayer::new(ANSWER_WITHIN))
            .with_layer(&CountRequests::new(Arc::clone(metrics)))
            .build())
    };
    Ok(Connection {
        client: client(config.clone())?,
        lease_client: client(config)?,
        own_token,
    })
}

fn own_token(credentials: &AuthInfo) -> Option<SecretValue> {
    let inline = credentials
        .token
        .as_ref()
        .map(|token| SecretValue::from(token.expose_secret()));
    inline.or_else(|| {
        let token = std::fs::read(credentials.token_file.as_ref()?).ok()?;
        Some(SecretValue::new(token))
    })
}

async fn config(settings: &ClusterSettings) -> Result<Config, ConnectError> {
    let options = KubeConfigOptions {
        context: settings.context.clone(),
        ..KubeConfigOptions::default()
    };
    match &settings.kubeconfig {
        Some(path) => {
            let kubeconfig =
                Kubeconfig::read_from(path).map_err(|source| ConnectError::ReadKubeconfig {
                    path: path.clone(),
                    source,
                })?;
            Config::from_custom_kubeconfig(kubeconfig, &options)
                .await
                .map_err(ConnectError::UseKubeconfig)
        }
        None if settings.context.is_some() => Config::from_kubeconfig(&options)
            .await
            .map_err(ConnectError::UseKubeconfig),
        None => Config::infer().await.map_err(ConnectError::FindCluster),
    }
}
