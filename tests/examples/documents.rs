//! Every YAML file below `examples/` by the loader of the command line, strictly: no example has a typo, a field
//! that is gone, or a credential in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use penstock_cli::documents::{Documents, InputText, Namespaces, load, read_inputs};
use penstock_domain::admit::{CommandLine, Place, admit_at};
use penstock_domain::names::NamespaceName;
use serde_json::Value;

use super::Outcome;
use super::checkout::{Checkout, examples, files};

/// What makes a file one of ours.
const OURS: &str = "apiVersion: penstock.dev/";

fn is_yaml(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "yaml" || extension == "yml")
}

fn loaded(path: &Path) -> Result<Documents, super::Failure> {
    let namespace = NamespaceName::new("default")?;
    let namespaces = Namespaces {
        default: namespace.clone(),
        operator: namespace,
    };
    let input = InputText {
        name: Arc::from(path.display().to_string()),
        folder: path.parent().unwrap_or(path).to_owned(),
        trusted: false,
        text: std::fs::read_to_string(path)?.into(),
    };
    Ok(load(&[input], &namespaces)?)
}

#[test]
fn every_document_is_loaded_and_every_sync_is_admitted() -> Outcome {
    let (parameters, variables) = (BTreeMap::new(), BTreeSet::new());
    let mut of_ours = 0;
    for path in files(&examples()).iter().filter(|path| is_yaml(path)) {
        let documents = loaded(path)?;
        let count = documents.syncs.len() + documents.stores.len();
        if std::fs::read_to_string(path)?.contains(OURS) {
            assert!(count > 0, "{} holds nothing", path.display());
            of_ours += 1;
        }
        for (id, sync) in &documents.syncs {
            let place = Place::CommandLine(CommandLine {
                parameters: &parameters,
                variables: &variables,
                folder: &sync.origin.folder,
            });
            let admitted = admit_at(&sync.object, place);
            assert!(admitted.is_ok(), "{} {id}: {admitted:?}", path.display());
            // What needs this machine is refused by the operator.
            let spec = serde_json::to_string(&sync.object.spec)?;
            let local = ["\"file\":", "\"processEnvironment\":"];
            if local.iter().any(|word| spec.contains(word)) {
                let operator = admit_at(&sync.object, Place::Operator);
                assert!(operator.is_err(), "{} {id}", path.display());
            }
        }
    }
    assert!(of_ours >= 8, "only {of_ours} files are ours");
    Ok(())
}

/// Each names the system's own words for the least that it needs, and no credential but by reference.
#[test]
fn every_example_of_a_store_is_complete_and_holds_no_credential() -> Outcome {
    let checkout = Checkout::of("stores");
    for path in files(&examples().join("stores")) {
        assert!(is_yaml(&path), "{} is no YAML", path.display());
        let documents = loaded(&path)?;
        let name = path.display();
        assert!(!documents.stores.is_empty(), "{name} has a store");
        assert!(
            !documents.syncs.is_empty(),
            "{name} has a sync that uses it"
        );
        for (id, secret) in &documents.secrets {
            assert!(secret.data.is_empty(), "{name}: Secret {id} has values");
        }
        for (id, sync) in &documents.syncs {
            let admitted = admit_at(&sync.object, Place::Operator);
            assert!(admitted.is_ok(), "{name} {id}: {admitted:?}");
        }
        for store in documents.stores.values() {
            let provider = serde_json::to_value(&store.object.provider)?;
            let mut found = Vec::new();
            credentials(&provider, &mut found);
            assert!(found.is_empty(), "{name}: {found:?} are written out");
        }
        let text = std::fs::read_to_string(&path)?;
        assert!(
            text.to_lowercase().contains("least privilege"),
            "{name} says what the store's credentials need"
        );
        // The command line takes it, and would find what the sync names.
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let ran = checkout.shell(&format!("penstock plan --offline -f '{file}'"));
        assert_eq!(ran.status, 0, "{ran}");
    }
    Ok(())
}

/// Members that hold a credential as text.
fn credentials(value: &Value, found: &mut Vec<String>) {
    for (name, member) in value.as_object().into_iter().flatten() {
        let lower = name.to_lowercase();
        let words = ["secret", "token", "password", "privatekey", "accesskey"];
        let is_one = words.iter().any(|word| lower.contains(word));
        // An address, a mode or an id is none.
        let harmless = ["url", "id", "name", "kind", "uri"];
        let harmless = harmless.iter().any(|word| lower.ends_with(word));
        if is_one && !harmless && member.is_string() {
            found.push(name.clone());
        }
        credentials(member, found);
    }
    for item in value.as_array().into_iter().flatten() {
        credentials(item, found);
    }
}

#[test]
fn a_credential_that_is_written_out_is_found() {
    let mut found = Vec::new();
    let provider = serde_json::json!({"x": {"auth": {
        "token": "abc", "clientSecret": "abc", "tokenRef": {"name": "n", "key": "k"}, "tenantId": "t",
    }}});
    credentials(&provider, &mut found);
    assert_eq!(found, ["clientSecret", "token"]);
}

/// Folders are read as a whole, too: no two files of one stand in each other's way.
#[test]
fn folders_that_are_applied_as_a_whole_hold_together() -> Outcome {
    for folder in ["quickstart", "github-actions/deploy", "github-actions/ci"] {
        let inputs = read_inputs(&[examples().join(folder)], false, false)?;
        let namespace = NamespaceName::new("default")?;
        let namespaces = Namespaces {
            default: namespace.clone(),
            operator: namespace,
        };
        let documents = load(&inputs, &namespaces)?;
        assert_eq!(documents.syncs.len(), 1, "{folder}");
    }
    Ok(())
}
