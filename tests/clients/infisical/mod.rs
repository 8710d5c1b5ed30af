//! The official Python client of Infisical against our stand-in: it logs in, lists, reads, writes and reads the
//! errors, so that stand-in and client agree with somebody who has seen the real server.

use penstock_fakes::infisical::{Grant, Identity};
use penstock_fakes::{FakeInfisical, Listen};

use super::{Outcome, python, python_package};

/// 1.0.18 asks for a newer `certifi` than every registry has.
const PACKAGE: &str = "infisicalsdk==1.0.17";

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
