//! The chart: what it renders, which rights it gives and withholds, what its policies refuse.

mod canaries;
mod policies;
mod rendering;
mod rights;
mod usage;
mod world;

use std::path::Path;

use kube::Client;
use penstock_testbed::{
    Chart, Failure, Installed, Namespace, Release, ServiceAccountName, Testbed,
};
use serde_json::{Value, json};

use crate::cluster::api::client_with_definitions;

/// What Argo Rollouts installs, as far as an operator sees it.
const ROLLOUTS: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: rollouts.argoproj.io}
spec:
  group: argoproj.io
  scope: Namespaced
  names: {kind: Rollout, plural: rollouts, singular: rollout}
  versions:
  - name: v1alpha1
    served: true
    storage: true
    schema:
      openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
";

/// The chart of this repository.
fn chart(testbed: &Testbed) -> Chart {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/penstock");
    Chart::new(&testbed.tools, &folder)
}

/// A release called `penstock`.
fn release(namespace: &str, values: Value) -> Release {
    Release {
        name: "penstock".to_owned(),
        namespace: namespace.to_owned(),
        values,
    }
}

/// An operator's namespace and one that it serves, with the chart installed.
struct Setting {
    admin: Client,
    own: Namespace,
    tenant: Namespace,
    installed: Installed,
}

impl Setting {
    /// Both namespaces are served.
    async fn install(testbed: &Testbed) -> Result<Self, Failure> {
        Self::install_for(
            testbed,
            |own, tenant| json!({"namespaces": [own, tenant], "crds": {"install": false}}),
        )
        .await
    }

    async fn install_for(
        testbed: &Testbed,
        values: impl FnOnce(&str, &str) -> Value,
    ) -> Result<Self, Failure> {
        let admin = client_with_definitions().await?;
        let admin = admin.ok_or_else(|| Failure::because("the control plane is gone"))?;
        let own = Namespace::create(&admin, "operator").await?;
        let tenant = Namespace::create(&admin, "tenant").await?;
        let release = release(own.name(), values(own.name(), tenant.name()));
        let installed = chart(testbed).install(&admin, &release).await?;
        Ok(Self {
            admin,
            own,
            tenant,
            installed,
        })
    }

    /// A client that is the operator.
    async fn operator(&self, testbed: &Testbed) -> Result<Client, Failure> {
        acting_as(testbed, &self.admin, &self.installed.service_account).await
    }

    /// The name that this installation gives to something of the whole cluster.
    fn cluster_name(&self, what: &str) -> String {
        format!("penstock-{}-{what}", self.own.name())
    }
}

async fn acting_as(
    testbed: &Testbed,
    admin: &Client,
    account: &ServiceAccountName,
) -> Result<Client, Failure> {
    let token = account.token(admin, &[]).await?;
    Ok(testbed.control_plane.endpoint().client(&token).await?)
}
