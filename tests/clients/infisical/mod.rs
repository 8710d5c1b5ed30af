//! The official Python client of Infisical against our stand-in: it logs in, lists, reads, writes and reads the
//! errors, so that stand-in and client agree with somebody who has seen the real server.

use penstock_fakes::infisical::{Grant, Identity};
use penstock_fakes::{FakeInfisical, Listen};

use std::process::Stdio;

use penstock_testbed::Failure;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::{Outcome, python, python_package};

/// 1.0.18 asks for a newer `certifi` than every registry has.
const PACKAGE: &str = "infisicalsdk==1.0.17";

/// A stand-in with a project `demo`, and an identity that may do everything in it.
async fn stand_in() -> Result<FakeInfisical, Failure> {
    let fake = FakeInfisical::start(Listen::Http).await?;
    let mut model = fake.model();
    let identity = Identity {
        client_id: "client-1".to_owned(),
        client_secrets: ["secret-1".to_owned()].into(),
        ttl: 7200,
        max_ttl: 7200,
        grants: vec![Grant {
            write: true,
            ..Grant::reader("p-1")
        }],
        ..Identity::default()
    };
    model.identities.insert("i-1".to_owned(), identity);
    model.folder("p-1", "prod", "/");
    if let Some(project) = model.projects.get_mut("p-1") {
        "demo".clone_into(&mut project.slug);
    }
    drop(model);
    Ok(fake)
}

/// Runs a verb of ours on the store; its standard output.
async fn penstock(folder: &TempDir, words: &[&str], input: &str) -> Result<String, Failure> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_penstock"))
        .args(words)
        .args([
            "-q",
            "-f",
            "store.yaml",
            "--credential",
            "infisical/secret=env:SECRET",
        ])
        .current_dir(folder.path())
        .env_clear()
        .env("HOME", folder.path())
        .env("SECRET", "secret-1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).await?;
    }
    let output = child.wait_with_output().await?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?);
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Failure::because(format!("{words:?}: {said}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_we_set_the_official_client_reads_and_what_it_sets_we_get() -> Outcome {
    let Some(packages) = python_package(PACKAGE).await? else {
        return Ok(());
    };
    let fake = stand_in().await?;
    let address = fake.server().address();
    let folder = TempDir::new()?;
    let store = serde_json::json!({
        "apiVersion": "penstock.dev/v1alpha1", "kind": "SecretStore",
        "metadata": {"name": "infisical"},
        "spec": {"provider": {"infisical": {
            "address": address, "projectSlug": "demo", "environment": "prod",
            "auth": {"universal": {
                "clientId": "client-1", "clientSecretRef": {"name": "infisical", "key": "secret"},
            }},
        }}},
    });
    std::fs::write(folder.path().join("store.yaml"), store.to_string())?;
    let pem = "-----BEGIN KEY-----\nMIIB+/=\n-----END KEY-----\n";
    penstock(&folder, &["set", "infisical", "/fresh/deep", "PEM"], pem).await?;
    penstock(&folder, &["set", "infisical", "/fresh/deep", "NEXT"], "1\n").await?;
    penstock(&folder, &["set", "infisical", "/fresh/deep", "NEXT"], "2\n").await?;
    let said = python(&packages, include_str!("set.py"), &[&address]).await?;
    assert_eq!(said.trim(), "done", "{said}");
    let reveal = ["get", "infisical", "/fresh/deep", "THEIRS", "--reveal"];
    assert_eq!(penstock(&folder, &reveal, "").await?, "of the client");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_client_works_against_the_stand_in() -> Outcome {
    let Some(folder) = python_package(PACKAGE).await? else {
        return Ok(());
    };
    let fake = FakeInfisical::start(Listen::Http).await?;
    {
        let mut model = fake.model();
        let identity = Identity {
            client_id: "client-1".to_owned(),
            client_secrets: ["secret-1".to_owned()].into(),
            ttl: 7200,
            max_ttl: 7200,
            grants: vec![Grant {
                write: true,
                ..Grant::reader("p-1")
            }],
            ..Identity::default()
        };
        model.identities.insert("i-1".to_owned(), identity);
        model.put(("p-1", "prod", "/app"), "DB_URL", "postgres://${HOST}");
        model.put(("p-1", "prod", "/app"), "HOST", "db");
        model.put(("p-1", "prod", "/app/sub"), "DEEP", "1");
        if let Some(project) = model.projects.get_mut("p-1") {
            project.slug = "demo".to_owned();
        }
        let folder = model.folder("p-1", "prod", "/app");
        if let Some(secret) = folder.secrets.get_mut("HOST") {
            secret.tags = ["api".to_owned()].into();
        }
    }
    let script = include_str!("client.py");
    let said = python(&folder, script, &[&fake.server().address()]).await?;
    assert_eq!(said.trim(), "done", "{said}");
    let versions = ["v3", "v4"].map(|version| {
        let path = format!("/api/{version}/secrets");
        fake.server().count("GET", &path)
    });
    assert!(
        versions[0] > 5 && versions[1] == 0,
        "{versions:?}: it speaks version 3"
    );
    let model = fake.model();
    let left: Vec<_> = model.projects["p-1"].environments["prod"].folders["/app"]
        .secrets
        .keys()
        .collect();
    assert_eq!(left, ["DB_URL", "HOST", "RENAMED"]);
    Ok(())
}
