//! The table: each store with each failure.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;

use futures::future::join_all;
use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};

use super::{FOREIGN, Illness, Patient};

type Wanted = Pin<Box<dyn Future<Output = Patient>>>;
/// Its argument: whether the system takes the credentials.
type Make = Box<dyn Fn(bool) -> Wanted>;

fn patients() -> Vec<(&'static str, Make)> {
    macro_rules! of {
        ($($name:literal => $patient:path,)+) => {
            vec![$(($name, Box::new(|trusted| Box::pin($patient(trusted)) as Wanted) as Make)),+]
        };
    }
    of! {
        "vault" => crate::vault::tests::patient,
        "kubernetes" => crate::remote_objects::tests::patient,
        "infisical" => crate::infisical::tests::patient,
        "gcpSecretManager" => crate::gcp_secret_manager::tests::patient,
        "azureKeyVault" => crate::azure_key_vault::tests::patient,
        "bitwarden" => crate::bitwarden::tests::patient,
        "bitwardenSecretsManager" => crate::bitwarden_sm::tests::patient,
        "awsSecretsManager" => crate::aws_secrets_manager::tests::patient,
        "awsParameterStore" => crate::aws_parameter_store::tests::patient,
        "doppler" => crate::doppler::tests::patient,
        "onePassword" => crate::one_password::tests::patient,
        "http" => crate::http_service::tests::patient,
    }
}

/// What is wrong with how a failure is told.
fn complaints(
    what: &str,
    told: Result<(), Fault>,
    is_right: impl Fn(&Fault) -> bool,
) -> Vec<String> {
    let Err(fault) = told else {
        return vec![format!("{what}: no failure")];
    };
    let mut complaints = Vec::new();
    if !is_right(&fault) {
        complaints.push(format!("{what}: {:?} {:?}", fault.class, fault.reason));
    }
    if fault.hint.as_deref().unwrap_or_default().is_empty() {
        complaints.push(format!("{what}: no way out in `{fault}`"));
    }
    let printed = format!("{fault} {fault:?}");
    let foreign = FOREIGN.iter().filter(|text| printed.contains(**text));
    complaints.extend(foreign.map(|text| format!("{what}: `{text}` in `{fault}`")));
    complaints
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_failure_of_every_store_is_told_in_its_class_with_a_way_out() {
    let each = patients().into_iter().map(|(system, make)| async move {
        let mut found = Vec::new();
        for illness in Illness::ALL {
            let patient = make(true).await;
            let well = (patient.read(&patient.there).await, patient.check().await);
            assert_eq!(well, (Ok(()), Ok(())), "{system} is well");
            if !(patient.infect)(illness) {
                continue;
            }
            let (read, check) = (patient.read(&patient.there).await, patient.check().await);
            let shows = |fault: &Fault| illness.shows(fault);
            found.extend(complaints(
                &format!("{system} {illness:?} sync"),
                read,
                shows,
            ));
            // Whoever may not read one thing may well be able to log in, and of what a service answers at its very
            // address nothing is known.
            let is_checked =
                illness != Illness::Denied && (system, illness) != ("http", Illness::Foreign);
            if is_checked {
                found.extend(complaints(
                    &format!("{system} {illness:?} Ready"),
                    check,
                    shows,
                ));
            }
        }
        let patient = make(true).await;
        let absent = patient.read(&patient.absent).await;
        found.extend(complaints(&format!("{system} absent"), absent, |fault| {
            fault.class == FaultClass::NotFound
        }));
        let patient = make(false).await;
        let refused = |fault: &Fault| fault.reason == Reason::CredentialsRefused;
        let (read, check) = (patient.read(&patient.there).await, patient.check().await);
        found.extend(complaints(&format!("{system} refused sync"), read, refused));
        found.extend(complaints(
            &format!("{system} refused Ready"),
            check,
            refused,
        ));
        found
    });
    let found: Vec<String> = join_all(each).await.into_iter().flatten().collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Whoever adds a store adds it to the table.
#[test]
fn the_table_has_every_store_but_files_on_hosts_and_databases() {
    let source = include_str!("../providers.rs");
    let systems = source.split_once("systems! {").unwrap().1;
    let systems = systems.split_once("\n}").unwrap().0;
    let count = systems.lines().filter(|line| line.contains("=>")).count();
    let named: BTreeSet<&str> = patients().into_iter().map(|(name, _)| name).collect();
    assert_eq!(named.len() + 2, count, "all but ssh and postgres");
}
