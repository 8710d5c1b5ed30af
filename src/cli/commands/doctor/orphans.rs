//! What carries a label of ours in a cluster, and belongs to no SecretSync.

use std::collections::BTreeSet;

use penstock_domain::checkup::{Belonging, ClusterFacts};
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::{NamespaceName, ObjectName};
use penstock_domain::reserved::record_object_name;

use super::finding::Finding;
use crate::output::plain;

/// Parts that a record may have: 3 MiB in pieces of 700 KiB, and room.
const PARTS: u32 = 8;

/// Looks for orphans in a namespace.
pub(super) async fn orphans(facts: &dyn ClusterFacts, namespace: &NamespaceName) -> Vec<Finding> {
    let about = format!("namespace {namespace}");
    let found = async {
        let syncs = facts.syncs(namespace).await?;
        Ok::<_, Fault>((syncs, facts.belongings(namespace).await?))
    };
    match found.await {
        Ok((syncs, belongings)) => judge(&about, namespace, &syncs, &belongings),
        Err(fault) if fault.class == FaultClass::Denied => vec![Finding::notice(
            about,
            "you may not list Secrets here, so nobody has looked for orphans",
            "Let somebody look who may list Secrets of the namespace",
        )],
        Err(fault) => vec![Finding::fault(&fault)],
    }
}

fn judge(
    about: &str,
    namespace: &NamespaceName,
    syncs: &BTreeSet<String>,
    belongings: &[Belonging],
) -> Vec<Finding> {
    let records: BTreeSet<String> = syncs
        .iter()
        .filter_map(|name| ObjectName::new(name.as_str()).ok())
        .flat_map(|name| (0..PARTS).map(move |part| record_object_name(&name, part).to_string()))
        .collect();
    let mut findings = Vec::new();
    for one in belongings {
        let subject = format!("{} {namespace}/{}", one.kind, plain(&one.name));
        if one.record {
            if !records.contains(&one.name) {
                findings.push(Finding::notice(
                    subject,
                    "it is the record of a SecretSync that is not there",
                    "If the SecretSync comes back (a restore, GitOps), it goes on from there; else delete the Secret",
                ));
            }
        } else if let Some(owner) = one.owner.as_deref().and_then(|tag| owner(tag, namespace))
            && !syncs.contains(owner)
        {
            findings.push(Finding::notice(
                subject,
                format!("it was written for the SecretSync {}, which is not there", plain(owner)),
                "If nothing uses it, delete it; a SecretSync that takes it over says `adopt` at the target",
            ));
        }
    }
    if findings.is_empty() {
        let message = format!(
            "{} objects of ours, each with its SecretSync",
            belongings.len()
        );
        findings.push(Finding::good(about, message));
    }
    findings
}

/// The SecretSync of an owner tag (`<installation>/<namespace>/<name>`) of this namespace.
fn owner<'a>(tag: &'a str, namespace: &NamespaceName) -> Option<&'a str> {
    let mut parts = tag.splitn(3, '/');
    let (_, of, name) = (parts.next()?, parts.next()?, parts.next()?);
    (of == namespace.as_str()).then_some(name)
}
