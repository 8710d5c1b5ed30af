//! Puts together what a verb needs that acts on a cluster.

use std::error::Error;
use std::io;
use std::sync::Arc;

use penstock_adapters::kubernetes::{ApiServer, ApiServerLimits, KubernetesSyncObjects};
use penstock_cli::arguments::{
    ApproveArguments, ClusterCommand, ForgetArguments, NamedSync, NamedSyncs, PlaceArguments,
    RefreshArguments, RevokeArguments, RollbackArguments, UnpinArguments,
};
use penstock_cli::commands::cluster::{self, ActError, Asked, Wanted};
use penstock_cli::exit::Ending;
use penstock_cli::output::Streams;
use penstock_controller::{ClusterSettings, ConnectError, connect};
use penstock_domain::names::{NameError, NamespaceName, ObjectName, SyncId};
use penstock_observability::hardening::harden_process;
use penstock_observability::metrics::Metrics;
use penstock_observability::panics::hide_panic_payloads;
use tokio::runtime::Builder;

use super::local;

/// Why there is no cluster to act on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenCluster {
    #[error("cannot start the runtime")]
    StartRuntime(#[source] io::Error),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("the namespace of the kubeconfig's context {0}; set --namespace")]
    NameNamespace(NameError),
}

/// A cluster, and a namespace in it.
struct Place {
    objects: KubernetesSyncObjects,
    namespace: NamespaceName,
}

impl Place {
    async fn open(arguments: &PlaceArguments) -> Result<Self, OpenCluster> {
        let settings = ClusterSettings {
            kubeconfig: arguments.kubeconfig.clone(),
            context: arguments.context.clone(),
        };
        let connection = connect(&settings, &Arc::new(Metrics::new())).await?;
        let namespace = match &arguments.namespace {
            Some(namespace) => namespace.clone(),
            None => NamespaceName::new(connection.default_namespace())
                .map_err(OpenCluster::NameNamespace)?,
        };
        let api = ApiServer::new(connection.client, ApiServerLimits::default());
        Ok(Self {
            objects: KubernetesSyncObjects::new(api),
            namespace,
        })
    }

    fn id(&self, name: &ObjectName) -> SyncId {
        SyncId {
            namespace: self.namespace.clone(),
            name: name.clone(),
        }
    }

    fn ids(&self, names: &[ObjectName]) -> Vec<SyncId> {
        names.iter().map(|name| self.id(name)).collect()
    }
}

/// Carries a verb out.
pub(crate) fn act(command: &ClusterCommand) -> Result<Ending, Box<dyn Error>> {
    if let Some(ending) = local::overview(command) {
        return ending;
    }
    hide_panic_payloads();
    harden_process()?;
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(OpenCluster::StartRuntime)?;
    runtime.block_on(async {
        let place = Place::open(&place(command)).await?;
        Ok(carry_out(command, &place, &mut Streams::of_process()).await?)
    })
}

fn place(command: &ClusterCommand) -> PlaceArguments {
    match command {
        ClusterCommand::Status(arguments) => arguments.of.place(),
        ClusterCommand::Explain(arguments) => arguments.of.place(),
        ClusterCommand::History(NamedSync { place, .. })
        | ClusterCommand::Suspend(NamedSyncs { place, .. })
        | ClusterCommand::Resume(NamedSyncs { place, .. })
        | ClusterCommand::Refresh(RefreshArguments {
            of: NamedSyncs { place, .. },
            ..
        })
        | ClusterCommand::Retry(RefreshArguments {
            of: NamedSyncs { place, .. },
            ..
        })
        | ClusterCommand::Approve(ApproveArguments {
            of: NamedSync { place, .. },
            ..
        })
        | ClusterCommand::Rollback(RollbackArguments {
            of: NamedSync { place, .. },
            ..
        })
        | ClusterCommand::Unpin(UnpinArguments {
            of: NamedSync { place, .. },
            ..
        })
        | ClusterCommand::Revoke(RevokeArguments {
            of: NamedSync { place, .. },
            ..
        })
        | ClusterCommand::Forget(ForgetArguments {
            of: NamedSync { place, .. },
            ..
        }) => place.clone(),
    }
}

async fn carry_out(
    command: &ClusterCommand,
    place: &Place,
    streams: &mut Streams,
) -> Result<Ending, ActError> {
    let objects = &place.objects;
    match command {
        ClusterCommand::Status(arguments) => {
            let ids = place.ids(&arguments.syncs);
            let wanted = if arguments.all_namespaces {
                Wanted::Everywhere
            } else if ids.is_empty() {
                Wanted::Of(&place.namespace)
            } else {
                Wanted::Named(&ids)
            };
            cluster::status(objects, wanted, arguments.output, streams).await
        }
        ClusterCommand::Explain(of) => {
            cluster::explain(objects, &place.id(&of.sync), streams).await
        }
        ClusterCommand::History(of) => {
            cluster::history(objects, &place.id(&of.sync), streams).await
        }
        ClusterCommand::Suspend(of) => {
            cluster::suspend(objects, &place.ids(&of.syncs), true, streams).await
        }
        ClusterCommand::Resume(of) => {
            cluster::suspend(objects, &place.ids(&of.syncs), false, streams).await
        }
        ClusterCommand::Refresh(arguments) => {
            let ids = place.ids(&arguments.of.syncs);
            let asked = (Asked::Read, ids.as_slice());
            cluster::refresh(objects, asked, arguments.wait, streams).await
        }
        ClusterCommand::Retry(arguments) => {
            let ids = place.ids(&arguments.of.syncs);
            let asked = (Asked::Retry, ids.as_slice());
            cluster::refresh(objects, asked, arguments.wait, streams).await
        }
        ClusterCommand::Rollback(arguments) => {
            let asked = (arguments.to.as_deref(), arguments.wait);
            cluster::rollback(objects, &place.id(&arguments.of.sync), asked, streams).await
        }
        ClusterCommand::Unpin(arguments) => {
            let sync = place.id(&arguments.of.sync);
            cluster::unpin(objects, &sync, arguments.wait, streams).await
        }
        ClusterCommand::Revoke(arguments) => {
            let asked = (arguments.revisions.as_slice(), arguments.yes);
            cluster::revoke(objects, &place.id(&arguments.of.sync), asked, streams).await
        }
        ClusterCommand::Forget(arguments) => {
            let sync = place.id(&arguments.of.sync);
            cluster::forget(objects, &sync, arguments.yes, streams).await
        }
        ClusterCommand::Approve(arguments) if arguments.rollout => {
            let asked = (arguments.hash.as_deref(), arguments.now, arguments.wait);
            cluster::approve_rollout(objects, &place.id(&arguments.of.sync), asked, streams).await
        }
        ClusterCommand::Approve(arguments) => {
            let asked = (arguments.hash.as_deref(), arguments.wait);
            cluster::approve(objects, &place.id(&arguments.of.sync), asked, streams).await
        }
    }
}
