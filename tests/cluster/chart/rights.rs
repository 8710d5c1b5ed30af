//! What the API server lets the operator do, under the chart's own roles.

use k8s_openapi::api::authorization::v1::ResourceAttributes;
use penstock_testbed::{Namespace, may};

use super::Setting;
use crate::cluster::{Outcome, testbed};

/// `verb group/resource[/subresource] [name]`, as the cases below are written.
fn attributes(line: &str, namespace: Option<&str>) -> ResourceAttributes {
    let mut words = line.split(' ').map(str::to_owned);
    let verb = words.next();
    let path = words.next().unwrap_or_default();
    let mut parts = path.split('/').map(str::to_owned);
    ResourceAttributes {
        verb,
        group: parts.next(),
        resource: parts.next(),
        subresource: parts.next(),
        name: words.next(),
        namespace: namespace.map(str::to_owned),
        ..ResourceAttributes::default()
    }
}

/// In every namespace, served or not, and in none: the way out of the operator's job.
const NEVER: [&str; 26] = [
    "create /serviceaccounts/token",
    "create /serviceaccounts/token default",
    "impersonate /serviceaccounts",
    "impersonate /users",
    "create /pods",
    "create /pods/exec",
    "get /pods/log",
    "update /pods/ephemeralcontainers",
    "create apps/deployments",
    "update apps/deployments",
    "delete apps/deployments",
    "patch apps/deployments/scale",
    "patch apps/replicasets",
    "create batch/jobs",
    "update /secrets",
    "deletecollection /secrets",
    "create penstock.dev/secretsyncs",
    "delete penstock.dev/secretsyncs",
    "approve penstock.dev/secretsyncs",
    "patch penstock.dev/secretstores",
    "patch penstock.dev/clustersecretstores",
    "create rbac.authorization.k8s.io/roles",
    "bind rbac.authorization.k8s.io/roles",
    "escalate rbac.authorization.k8s.io/clusterroles",
    "patch /namespaces",
    "patch apiextensions.k8s.io/customresourcedefinitions",
];

/// In a namespace that is served, and in no other.
const SERVED: [&str; 13] = [
    "list /secrets",
    "get /secrets other",
    "create /secrets",
    "patch /secrets other",
    "delete /secrets other",
    "patch /configmaps other",
    "list penstock.dev/secretsyncs",
    "patch penstock.dev/secretsyncs/status other",
    "patch apps/deployments other",
    "patch apps/daemonsets other",
    "list argoproj.io/rollouts",
    "list /pods",
    "create events.k8s.io/events",
];

#[tokio::test]
async fn the_operator_reaches_what_it_serves_and_nothing_else() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let setting = Setting::install(testbed).await?;
    let foreign = Namespace::create(&setting.admin, "foreign").await?;
    let account = &setting.installed.service_account;
    let places = [
        Some(setting.tenant.name()),
        Some(foreign.name()),
        Some("kube-system"),
        None,
    ];
    for place in places {
        for line in NEVER {
            let allowed = may(&setting.admin, account, attributes(line, place)).await?;
            assert!(!allowed, "{line} is allowed in {place:?}");
        }
        for line in SERVED {
            let allowed = may(&setting.admin, account, attributes(line, place)).await?;
            assert_eq!(
                allowed,
                place == Some(setting.tenant.name()),
                "{line} in {place:?}"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_operator_takes_one_lease_and_reads_one_definition() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let setting = Setting::install(testbed).await?;
    let account = &setting.installed.service_account;
    let own = Some(setting.own.name());
    for (line, place, expected) in [
        ("update coordination.k8s.io/leases penstock", own, true),
        ("update coordination.k8s.io/leases other", own, false),
        ("list coordination.k8s.io/leases", own, false),
        (
            "update coordination.k8s.io/leases penstock",
            Some("kube-system"),
            false,
        ),
        ("get /secrets penstock-installation-key", own, true),
        (
            "get apiextensions.k8s.io/customresourcedefinitions secretsyncs.penstock.dev",
            None,
            true,
        ),
        (
            "list apiextensions.k8s.io/customresourcedefinitions",
            None,
            false,
        ),
        ("watch penstock.dev/clustersecretstores", None, true),
        (
            "patch penstock.dev/clustersecretstores/status other",
            None,
            true,
        ),
        ("list /namespaces", None, false),
        ("watch /namespaces kube-system", None, false),
    ] {
        let allowed = may(&setting.admin, account, attributes(line, place)).await?;
        assert_eq!(allowed, expected, "{line} in {place:?}");
    }
    Ok(())
}
