//! Everything that a case stands on, and its preparation.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use kube::Client;
use penstock_testbed::{
    ApiProxy, Chart, ControlPlane, ControlPlaneOptions, Endpoint, Failure, FakeKubelet, Gate,
    Installed, Namespace, Operator, Release, Testbed, VaultClient,
};
use serde_json::{Value, json};

use super::setup::Setup;
use crate::cluster::SOON;
use crate::cluster::api::{client_with_definitions, define};

/// The mount of the vault that all stages share.
pub(super) const MOUNT: &str = "secret";
/// The name of the store on every stage, and of the Secret with its token.
const STORE: &str = "vault";
const TOKEN: &str = "vault-token";

/// What stays of a stage when a case ends: nothing in it belongs to the runtime of one test.
pub(super) struct Place {
    /// The kubelet of a control plane of its own, if it wants one.
    pub(super) _kubelet: Option<FakeKubelet>,
    /// A control plane of its own, if it has one.
    pub(super) own_plane: Option<ControlPlane>,
    /// The namespace that the operator serves.
    pub(super) namespace: String,
    /// The namespace that the operator lives in.
    pub(super) operator_namespace: String,
    /// What the chart gives the operator.
    pub(super) installed: Installed,
    /// The kubeconfig of the chart's account.
    pub(super) kubeconfig: PathBuf,
    /// Further arguments of the operator.
    pub(super) arguments: Vec<String>,
    /// The token that the store logs in with.
    pub(super) vault_token: String,
    /// The operator; none until it was started.
    pub(super) operator: tokio::sync::Mutex<Option<Operator>>,
    /// The logs of all operators that were started here.
    pub(super) logs: Mutex<Vec<PathBuf>>,
}

/// A namespace of one's own with an operator that serves it.
pub(in crate::cluster) struct Stage {
    pub(super) testbed: &'static Testbed,
    pub(super) place: Arc<Place>,
    pub(super) namespace: Namespace,
    pub(super) vault: VaultClient,
    pub(super) gate: Option<Gate>,
    pub(super) proxy: Option<ApiProxy>,
    /// Others play here, too.
    pub(super) shared: bool,
    /// The SecretSyncs that this case applied: what it shows when it fails.
    pub(super) syncs: Mutex<BTreeSet<String>>,
    pub(super) nonces: AtomicU64,
}

impl Stage {
    /// Prepares everything, and waits until operator and store are ready.
    pub(super) async fn raise(testbed: &'static Testbed, setup: Setup) -> Result<Self, Failure> {
        let mut stage = Box::pin(Self::prepare(testbed, setup)).await?;
        stage.start_operator().await?;
        stage.store_is_ready(STORE).await?;
        Ok(stage)
    }

    /// Enters a place that is prepared, with connections of one's own.
    pub(super) async fn visit(
        testbed: &'static Testbed,
        place: Arc<Place>,
    ) -> Result<Self, Failure> {
        let client = plane(testbed, place.own_plane.as_ref()).client().await?;
        Ok(Self {
            namespace: Namespace::named(&client, &place.namespace),
            vault: testbed.openbao.client()?,
            gate: None,
            proxy: None,
            shared: true,
            syncs: Mutex::default(),
            nonces: AtomicU64::new(1),
            testbed,
            place,
        })
    }

    pub(super) fn into_place(self) -> Arc<Place> {
        self.place
    }

    async fn prepare(testbed: &'static Testbed, setup: Setup) -> Result<Self, Failure> {
        let own_plane = own_plane(testbed, &setup).await?;
        let plane = plane(testbed, own_plane.as_ref());
        let kubelet = if setup.fake_kubelet {
            Some(FakeKubelet::start(plane).await?)
        } else {
            None
        };
        let admin = plane.client().await?;
        let operator_namespace = Namespace::create(&admin, "operator").await?;
        let namespace = Namespace::create(&admin, "stage").await?;
        let installed = install(
            testbed,
            &admin,
            (&operator_namespace, &namespace),
            &setup.values,
        )
        .await?;
        let proxy = if setup.proxied {
            Some(ApiProxy::start(plane.endpoint()).await?)
        } else {
            None
        };
        let endpoint = proxy
            .as_ref()
            .map_or(plane.endpoint(), |proxy| proxy.endpoint());
        let kubeconfig =
            kubeconfig(testbed, &admin, (endpoint, &installed), namespace.name()).await?;
        let gate = if setup.gated {
            Some(testbed.openbao.gate().await?)
        } else {
            None
        };
        let address = gate
            .as_ref()
            .map_or(testbed.openbao.address(), Gate::address);
        let vault_token = open_store(testbed, &namespace, &address).await?;
        let prepared = Place {
            _kubelet: kubelet,
            own_plane,
            namespace: namespace.name().to_owned(),
            operator_namespace: operator_namespace.name().to_owned(),
            installed,
            kubeconfig,
            arguments: setup.arguments,
            vault_token,
            operator: tokio::sync::Mutex::default(),
            logs: Mutex::default(),
        };
        Ok(Self {
            vault: testbed.openbao.client()?,
            place: Arc::new(prepared),
            shared: false,
            syncs: Mutex::default(),
            nonces: AtomicU64::new(1),
            testbed,
            namespace,
            gate,
            proxy,
        })
    }

    /// The namespace that the operator serves.
    pub(in crate::cluster) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The namespace that the operator lives in, as the administrator sees it.
    pub(in crate::cluster) fn operator_namespace(&self) -> Namespace {
        Namespace::named(self.client(), &self.place.operator_namespace)
    }

    /// A client that may do everything.
    pub(in crate::cluster) fn client(&self) -> &Client {
        self.namespace.client()
    }

    /// The servers below: the vault is everybody's.
    pub(in crate::cluster) fn testbed(&self) -> &'static Testbed {
        self.testbed
    }

    /// The control plane: everybody's, unless the case asked for one of its own.
    pub(in crate::cluster) fn control_plane(&self) -> &ControlPlane {
        plane(self.testbed, self.place.own_plane.as_ref())
    }

    /// What the operator asked of the API server. Only with [`Setup::proxied`].
    pub(in crate::cluster) fn proxy(&self) -> Result<&ApiProxy, Failure> {
        let proxy = self.proxy.as_ref();
        proxy.ok_or_else(|| Failure::because("this case asked for no proxy"))
    }
}

fn plane<'a>(testbed: &'a Testbed, own: Option<&'a ControlPlane>) -> &'a ControlPlane {
    own.unwrap_or(&testbed.control_plane)
}

async fn own_plane(testbed: &Testbed, setup: &Setup) -> Result<Option<ControlPlane>, Failure> {
    if !setup.own_control_plane {
        client_with_definitions().await?;
        return Ok(None);
    }
    let options = if setup.fake_kubelet {
        ControlPlaneOptions { nodes: 0 }
    } else {
        ControlPlaneOptions::default()
    };
    let plane = Box::pin(ControlPlane::start(
        &testbed.keeper,
        &testbed.tools,
        &options,
    ))
    .await?;
    define(&plane.client().await?).await?;
    Ok(Some(plane))
}

async fn install(
    testbed: &Testbed,
    admin: &Client,
    (own, served): (&Namespace, &Namespace),
    more: &Value,
) -> Result<Installed, Failure> {
    let mut values = json!({
        "namespaces": [served.name()],
        "crds": {"install": false},
        "clusterStores": {"enabled": false},
        // The vault of the tests listens on loopback.
        "egressAllow": ["127.0.0.0/8"],
        "log": {"level": "debug"},
    });
    if let (Some(values), Some(more)) = (values.as_object_mut(), more.as_object()) {
        values.extend(more.clone());
    }
    let release = Release {
        name: "penstock".to_owned(),
        namespace: own.name().to_owned(),
        values,
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/penstock");
    let chart = Chart::new(&testbed.tools, &folder);
    Ok(chart.install(admin, &release).await?)
}

/// The file that the operator acts with: the chart's account, at an endpoint.
async fn kubeconfig(
    testbed: &Testbed,
    admin: &Client,
    (endpoint, installed): (&Endpoint, &Installed),
    name: &str,
) -> Result<PathBuf, Failure> {
    let account = &installed.service_account;
    let token = account.token(admin, &[]).await?;
    let path = testbed
        .keeper
        .directory()
        .join(format!("{name}.kubeconfig"));
    endpoint
        .kubeconfig(&token, Some(&account.namespace))
        .write(&path)?;
    Ok(path)
}

/// A policy and a token for `apps/<namespace>` alone, and the store that uses them.
async fn open_store(
    testbed: &Testbed,
    namespace: &Namespace,
    address: &str,
) -> Result<String, Failure> {
    let vault = testbed.openbao.client()?;
    let name = namespace.name();
    let paths = ["data", "metadata"].map(|part| format!("{MOUNT}/{part}/apps/{name}"));
    let paths = paths.each_ref().map(String::as_str);
    vault.put_read_policy(name, &paths).await?;
    let token = vault.create_token(&[name], "1h", true).await?;
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": TOKEN},
        "stringData": {"token": token},
    });
    let store = json!({
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "SecretStore",
        "metadata": {"name": STORE},
        "spec": {"provider": {"vault": {
            "address": address,
            "mount": MOUNT,
            "caBundle": testbed.openbao.certificate_authority(),
            "auth": {"token": {"secretRef": {"name": TOKEN, "key": "token"}}},
        }}},
    });
    namespace.apply(&secret.to_string()).await?;
    namespace.apply(&store.to_string()).await?;
    Ok(token)
}

impl Stage {
    /// Ends the case: a failure shows the stage, a success must have leaked nothing.
    pub(super) async fn close(self, outcome: Result<(), Failure>) -> Result<(), Failure> {
        let outcome = match outcome {
            Ok(()) => self.leaks_nothing().await,
            failed => failed,
        };
        match outcome {
            Ok(()) => Ok(()),
            Err(failure) => Err(Failure::because(format!(
                "{failure}\n{}",
                self.picture().await
            ))),
        }
    }

    /// Waits until a store was found to work.
    pub(in crate::cluster) async fn store_is_ready(&self, name: &str) -> Result<(), Failure> {
        self.await_store_condition(name, ("Ready", "True"), "StoreReady")
            .await
    }
}

/// How long a stage waits for anything.
pub(super) const PATIENCE: std::time::Duration = SOON;
