//! `penstock doctor`: tries what the documents say, and looks at the cluster.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use penstock_adapters::files::record::FOLDER;
use penstock_adapters::files::{FileRecords, would_be_committed};
use penstock_adapters::kubernetes::{ApiServer, ApiServerLimits, KubernetesFacts};
use penstock_adapters::registry::Registry;
use penstock_cli::arguments::{DoctorArguments, OverviewForm, RecordPlace};
use penstock_cli::commands;
use penstock_cli::commands::doctor::{
    ClusterPlace, Diagnosis, Finding, Grade, Tried, checked_store, checked_sync, cluster,
};
use penstock_cli::exit::{CommandError, Ending};
use penstock_cli::local::{Invocation, Session, Variables, unencrypted_hosts};
use penstock_cli::output::Streams;
use penstock_controller::{ClusterSettings, SystemClock, connect};
use penstock_domain::names::NamespaceName;
use penstock_domain::ports::Clock as _;
use penstock_domain::stores::StoreProbe as _;
use penstock_domain::sync::{Origin, ValidatedSync};
use penstock_observability::hardening::harden_process;
use penstock_observability::metrics::Metrics;
use penstock_observability::panics::hide_panic_payloads;
use tokio::runtime::Builder;

use super::world::World;
use super::{OpenWorld, Purpose};

/// Where the chart's README installs the operator.
const USUAL_NAMESPACE: &str = "penstock";

/// `penstock doctor`
pub(crate) fn doctor(arguments: &DoctorArguments) -> Result<Ending, Box<dyn Error>> {
    hide_panic_payloads();
    harden_process()?;
    let mut streams = Streams::of_process();
    let inputs = arguments.inputs();
    let invocation = if inputs.paths.is_empty() {
        None
    } else {
        let variables = Variables::of_process(std::env::vars_os());
        let mut invocation = Invocation::read(&inputs, variables)?;
        invocation.remember_by(&arguments.state, &inputs.namespace)?;
        Some(invocation)
    };
    if let Some(invocation) = &invocation {
        if inputs.reach.offline {
            commands::offline(&invocation.touches, &mut streams)?;
            return Ok(Ending::Done);
        }
        if !inputs.reach.quiet {
            commands::announce(&invocation.touches, &mut streams);
        }
    }
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(OpenWorld::StartRuntime)?;
    let diagnosis = runtime.block_on(async {
        let mut diagnosis = Diagnosis::default();
        if let Some(invocation) = invocation {
            let given = (&inputs, &arguments.state, Purpose::Look);
            let world = World::open(given, invocation).await?;
            let findings = documents(&world.session, &world.registry).await;
            diagnosis.findings.extend(findings);
            let place = arguments.state.record.as_ref();
            let left = left_records(&world.session.invocation, place);
            diagnosis.findings.extend(left);
            world.close().await;
        }
        if arguments.looks_at_cluster() {
            diagnosis.findings.extend(look_at_cluster(arguments).await?);
        }
        Ok::<_, OpenWorld>(diagnosis)
    })?;
    print(&diagnosis, arguments.output, &mut streams)?;
    Ok(diagnosis.ending())
}

async fn documents(session: &Session, registry: &Arc<Registry>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for ((_, reference), document) in &session.invocation.documents.stores {
        let begin = Instant::now();
        let outcome = registry.check(&document.object).await;
        let took = begin.elapsed();
        let tried = Tried {
            took,
            ahead: registry.clock_ahead(&document.object).await,
            quota: registry.quota(&document.object).await,
            unencrypted: unencrypted_hosts(&document.object.provider),
        };
        findings.extend(checked_store(reference, &outcome, &tried));
    }
    let looked = session.look_at_all(&[]).await;
    let report = session.report(&looked).await;
    findings.extend(report.syncs.iter().flat_map(checked_sync));
    for chosen in &session.invocation.syncs {
        findings.extend(files(&chosen.sync).await);
    }
    findings
}

/// Files that are read, and would end up in a commit. Those that are written are looked at where they are planned.
async fn files(sync: &ValidatedSync) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in &sync.sources {
        let Origin::File { place, .. } = &source.origin else {
            continue;
        };
        if let Some(fault) = would_be_committed(&place.folder.join(&place.path)).await {
            findings.push(Finding {
                grade: Grade::Notice,
                ..Finding::fault(&fault)
            });
        }
    }
    findings
}

/// Records in folders that belong to no SecretSync of the documents.
fn left_records(invocation: &Invocation, place: Option<&RecordPlace>) -> Vec<Finding> {
    let folders: BTreeSet<PathBuf> = match place {
        Some(RecordPlace::Folder(folder)) => [folder.clone()].into(),
        None => invocation
            .syncs
            .iter()
            .map(|chosen| chosen.sync.folder.join(FOLDER))
            .collect(),
        Some(RecordPlace::None | RecordPlace::Cluster | RecordPlace::Store(_)) => BTreeSet::new(),
    };
    let known = || invocation.syncs.iter().map(|chosen| &chosen.sync.id);
    let left = folders
        .into_iter()
        .flat_map(|folder| FileRecords::new(folder).of_others(known()));
    left.map(|path| {
        let message = "it is the record of a SecretSync that is not among the documents";
        let advice =
            "Name its document by another `-f`; if there is none any more, delete the file";
        Finding::notice(path.display().to_string(), message, advice)
    })
    .collect()
}

async fn look_at_cluster(arguments: &DoctorArguments) -> Result<Vec<Finding>, OpenWorld> {
    let reach = &arguments.reach;
    let settings = ClusterSettings {
        kubeconfig: reach.kubeconfig.clone(),
        context: reach.context.clone(),
    };
    let connection = connect(&settings, &Arc::new(Metrics::new())).await?;
    let api = ApiServer::new(connection.client, ApiServerLimits::default());
    let usual = || NamespaceName::new(USUAL_NAMESPACE).ok();
    let operator = reach.operator_namespace.clone().or_else(usual);
    let place = ClusterPlace {
        operator: operator.unwrap_or_else(|| arguments.namespace.clone()),
        namespace: arguments.namespace.clone(),
        now: SystemClock.now(),
    };
    Ok(cluster(&KubernetesFacts::new(api), &place).await)
}

fn print(
    diagnosis: &Diagnosis,
    form: OverviewForm,
    streams: &mut Streams,
) -> Result<(), CommandError> {
    let page = match form {
        OverviewForm::Text => diagnosis.text(streams.style),
        OverviewForm::Json => diagnosis.json().map_err(CommandError::WriteJson)? + "\n",
    };
    streams
        .out
        .write_all(page.as_bytes())
        .and_then(|()| streams.out.flush())
        .map_err(CommandError::Print)
}
