//! A cluster: definitions, one's own rights, and the operator.

use jiff::{SignedDuration, Timestamp};
use penstock_domain::api::crds::all_crds;
use penstock_domain::checkup::{
    Action, ClusterFacts, DefinitionState, OperatorDeployment, OperatorLease,
};
use penstock_domain::names::NamespaceName;

use super::finding::Finding;
use super::orphans::orphans;

/// What people do to SecretSyncs.
const ACTIONS: [(&str, &str); 4] = [
    ("get", "to look at them"),
    ("list", "for `penstock status`"),
    ("patch", "to refresh, suspend and resume them"),
    ("approve", "to approve plans that wait"),
];

/// Where to look.
#[derive(Debug, Clone)]
pub struct ClusterPlace {
    /// The namespace of SecretSyncs.
    pub namespace: NamespaceName,
    /// The operator's own.
    pub operator: NamespaceName,
    /// The time that ages count to.
    pub now: Timestamp,
}

/// Looks at a cluster.
pub async fn cluster(facts: &dyn ClusterFacts, place: &ClusterPlace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for ours in all_crds() {
        let name = ours.metadata.name.clone().unwrap_or_default();
        let about = format!("definition {name}");
        findings.push(match facts.definition(&ours).await {
            Ok(DefinitionState::Current) => Finding::good(about, "there, and of this version"),
            Ok(DefinitionState::Missing) => {
                Finding::bad(about, "the cluster does not know it", INSTALL)
            }
            Ok(DefinitionState::Other) => {
                Finding::bad(about, "it is that of another version", INSTALL)
            }
            Err(fault) => Finding::fault(&fault),
        });
    }
    for (verb, why) in ACTIONS {
        findings.push(right(facts, (verb, why), &place.namespace).await);
    }
    match facts.deployments(&place.operator).await {
        Ok(found) => findings.extend(running(&found, &place.operator)),
        Err(fault) => findings.push(Finding::fault(&fault)),
    }
    match facts.leases(&place.operator).await {
        Ok(found) => findings.push(led(&found, place)),
        Err(fault) => findings.push(Finding::fault(&fault)),
    }
    findings.extend(orphans(facts, &place.namespace).await);
    findings
}

const INSTALL: &str =
    "`penstock crd | kubectl apply --server-side --force-conflicts -f -`, or upgrade the chart";

async fn right(
    facts: &dyn ClusterFacts,
    (verb, why): (&str, &str),
    namespace: &NamespaceName,
) -> Finding {
    let action = Action {
        verb,
        group: "penstock.dev",
        resource: "secretsyncs",
    };
    let about = format!("your rights in namespace {namespace}");
    match facts.may(action, namespace).await {
        Ok(true) => Finding::good(about, format!("you may {verb} SecretSyncs")),
        Ok(false) => Finding::notice(
            about,
            format!("you may not {verb} SecretSyncs, {why}"),
            "If you should: ask for the chart's role penstock-viewer, penstock-editor or penstock-approver",
        ),
        Err(fault) => Finding::fault(&fault),
    }
}

fn running(found: &[OperatorDeployment], namespace: &NamespaceName) -> Vec<Finding> {
    if found.is_empty() {
        let about = format!("operator in namespace {namespace}");
        let advice = "Install the chart, or name its namespace by --operator-namespace";
        return vec![Finding::bad(about, "there is no Deployment of it", advice)];
    }
    let judge = |one: &OperatorDeployment| {
        let about = format!("Deployment {namespace}/{}", one.name);
        let version = one.version.as_deref().unwrap_or("unknown");
        let message = format!(
            "{} of {} replicas are available, version {version}",
            one.available, one.wanted
        );
        if one.available > 0 {
            Finding::good(about, message)
        } else {
            let advice = format!(
                "`kubectl -n {namespace} describe deployment {}` and its pods' logs say why",
                one.name
            );
            Finding::bad(about, message, advice)
        }
    };
    found.iter().map(judge).collect()
}

/// Whether somebody leads. Leases of others may lie in the same namespace: one that is ours and alive is enough.
fn led(found: &[OperatorLease], place: &ClusterPlace) -> Finding {
    let about = format!("leader in namespace {}", place.operator);
    let alive = found.iter().find(|lease| is_alive(lease, place.now));
    if let Some((lease, holder)) = alive.and_then(|lease| Some((lease, lease.holder.as_ref()?))) {
        return Finding::good(about, format!("{holder} holds the Lease {}", lease.name));
    }
    let message = if found.is_empty() {
        "there is no Lease".to_owned()
    } else {
        let names: Vec<&str> = found.iter().map(|lease| lease.name.as_str()).collect();
        format!(
            "nobody holds a Lease that was renewed in time: {}",
            names.join(", ")
        )
    };
    let advice = "See whether the operator runs, and whether its clock and that of this machine agree; without leader \
                  election there is no Lease";
    Finding::bad(about, message, advice)
}

fn is_alive(lease: &OperatorLease, now: Timestamp) -> bool {
    let lasts = SignedDuration::from_secs(i64::from(lease.seconds.max(1)));
    lease.holder.is_some()
        && lease
            .renewed
            .is_some_and(|renewed| now.duration_since(renewed) <= lasts * 2)
}
