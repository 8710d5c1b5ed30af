//! Findings and how they are printed.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use penstock_domain::checkup::{
    Action, Belonging, ClusterFacts, DefinitionState, OperatorDeployment, OperatorLease,
};
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::{NamespaceName, ObjectName};
use penstock_domain::stores::{Capabilities, Capability, Quota};
use penstock_domain::sync::{StoreKind, StoreReference};

use super::*;
use crate::output::Style;

/// A cluster that is well, or one in which nothing is.
struct Facts {
    well: bool,
}

const NOW: &str = "2026-11-23T12:00:00Z";

#[async_trait]
impl ClusterFacts for Facts {
    async fn definition(&self, ours: &CustomResourceDefinition) -> Result<DefinitionState, Fault> {
        let name = ours.metadata.name.as_deref().unwrap_or_default();
        Ok(match (self.well, name.starts_with("cluster")) {
            (true, _) => DefinitionState::Current,
            (false, true) => DefinitionState::Missing,
            (false, false) => DefinitionState::Other,
        })
    }

    async fn may(&self, action: Action<'_>, _: &NamespaceName) -> Result<bool, Fault> {
        Ok(self.well || action.verb == "get")
    }

    async fn deployments(&self, _: &NamespaceName) -> Result<Vec<OperatorDeployment>, Fault> {
        Ok(vec![OperatorDeployment {
            name: "penstock".to_owned(),
            wanted: 2,
            available: if self.well { 2 } else { 0 },
            version: Some("0.1.0".to_owned()),
        }])
    }

    async fn syncs(&self, _: &NamespaceName) -> Result<BTreeSet<String>, Fault> {
        Ok(BTreeSet::from(["shop".to_owned()]))
    }

    async fn belongings(&self, _: &NamespaceName) -> Result<Vec<Belonging>, Fault> {
        let one = |kind, name: &str, record, owner: Option<&str>| Belonging {
            kind,
            name: name.to_owned(),
            record,
            owner: owner.map(str::to_owned),
        };
        let mut found = vec![
            one("Secret", "penstock-record-shop", true, None),
            one("Secret", "penstock-record1-shop", true, None),
            one("Secret", "shop", false, Some("i-1/prod/shop")),
            one("Secret", "common", false, Some("shared")),
            one("Secret", "elsewhere", false, Some("i-1/other/gone")),
        ];
        if !self.well {
            found.push(one("Secret", "penstock-record-gone", true, None));
            found.push(one("ConfigMap", "left", false, Some("i-1/prod/gone")));
        }
        Ok(found)
    }

    async fn leases(&self, _: &NamespaceName) -> Result<Vec<OperatorLease>, Fault> {
        let renewed = if self.well {
            "2026-11-23T11:59:58Z"
        } else {
            "2026-11-23T10:00:00Z"
        };
        Ok(vec![OperatorLease {
            name: "penstock".to_owned(),
            holder: Some("penstock-0".to_owned()),
            renewed: Some(renewed.parse::<Timestamp>().unwrap()),
            seconds: 15,
        }])
    }
}

async fn looked_at(well: bool) -> Diagnosis {
    let place = ClusterPlace {
        namespace: NamespaceName::new("prod").unwrap(),
        operator: NamespaceName::new("penstock").unwrap(),
        now: NOW.parse().unwrap(),
    };
    Diagnosis {
        findings: cluster(&Facts { well }, &place).await,
    }
}

#[tokio::test]
async fn a_cluster_that_is_well_gives_nothing_to_do() {
    let diagnosis = looked_at(true).await;
    assert_eq!(diagnosis.ending().status(), 0);
    assert!(
        diagnosis
            .findings
            .iter()
            .all(|finding| finding.advice.is_none())
    );
    insta::assert_snapshot!(diagnosis.text(Style::default()));
}

#[tokio::test]
async fn whatever_is_wrong_comes_with_what_to_do() {
    let diagnosis = looked_at(false).await;
    assert_eq!(diagnosis.ending().status(), 1);
    let wrong = diagnosis
        .findings
        .iter()
        .filter(|finding| finding.grade != Grade::Good);
    assert!(wrong.clone().count() > 5 && wrong.clone().all(|finding| finding.advice.is_some()));
    insta::assert_snapshot!(diagnosis.text(Style::default()));
}

#[test]
fn a_store_is_judged_by_login_time_and_clock() {
    let store = StoreReference {
        kind: StoreKind::Namespaced,
        name: ObjectName::new("openbao").unwrap(),
    };
    let can: Result<Capabilities, Fault> = Ok([Capability::Read, Capability::List].into());
    let cannot = Err(Fault::new(
        FaultClass::Unavailable,
        "SecretStore openbao",
        "cannot be reached",
    ));
    let tried = |seconds: Option<i64>| Tried {
        took: Duration::from_millis(12),
        ahead: seconds.map(SignedDuration::from_secs),
        ..Tried::default()
    };
    let quota = |limit, remaining| Tried {
        quota: Some(Quota { limit, remaining }),
        ..tried(None)
    };
    let slow = Tried {
        took: Duration::from_secs(3),
        ..Tried::default()
    };
    let plain = Tried {
        unencrypted: vec!["vault.example.com:8200".to_owned()],
        ..tried(None)
    };
    let findings = [
        checked_store(&store, &can, &tried(Some(1))),
        checked_store(&store, &can, &slow),
        checked_store(&store, &can, &tried(Some(-90))),
        checked_store(&store, &can, &quota(200, 199)),
        checked_store(&store, &can, &quota(200, 20)),
        checked_store(&store, &can, &plain),
        checked_store(&store, &cannot, &tried(None)),
    ];
    let diagnosis = Diagnosis {
        findings: findings.concat(),
    };
    insta::assert_snapshot!(diagnosis.text(Style::default()));
}
