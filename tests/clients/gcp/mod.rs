//! Google's own Python client against our stand-in: it signs, exchanges and impersonates, makes secrets and versions,
//! reads them and the errors, so that stand-in and client agree with somebody who knows the real service.

use penstock_fakes::gcp::{Grant, Provider, ServiceAccount};
use penstock_fakes::{FakeGcp, Listen, new_key};
use serde_json::json;

use super::{Outcome, python, python_package};

const PACKAGE: &str = "google-cloud-secret-manager==2.24.0";
const ACCOUNT: &str = "writer@shop.iam.gserviceaccount.com";
const POOL: &str =
    "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k";
const SUBJECT: &str = "principal://pool/subject/ci";

#[ignore = "not seen to the end with the official client yet"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_client_works_against_the_stand_in() -> Outcome {
    let Some(packages) = python_package(PACKAGE).await? else {
        return Ok(());
    };
    let fake = FakeGcp::start(Listen::Https).await?;
    let address = fake.server().address();
    let (key, public) = new_key();
    {
        let mut model = fake.model();
        let account = ServiceAccount {
            keys: [("k-1".to_owned(), public)].into(),
            impersonators: [SUBJECT.to_owned()].into(),
        };
        model.accounts.insert(ACCOUNT.to_owned(), account);
        let grant = Grant {
            admin: true,
            ..Grant::default()
        };
        model.grants.insert(ACCOUNT.to_owned(), grant);
        let pool = Provider {
            tokens: [("token of ci".to_owned(), SUBJECT.to_owned())].into(),
        };
        model.providers.insert(POOL.to_owned(), pool);
    }
    let folder = tempfile::tempdir()?;
    let document = json!({
        "type": "service_account", "project_id": "shop", "private_key_id": "k-1", "private_key": key,
        "client_email": ACCOUNT, "client_id": "1", "token_uri": format!("{address}/token"),
    });
    let certificate = fake.server().certificate().unwrap_or_default();
    std::fs::write(folder.path().join("ca.crt"), certificate)?;
    std::fs::write(folder.path().join("key.json"), document.to_string())?;
    std::fs::write(folder.path().join("token"), "token of ci")?;
    let script = include_str!("client.py");
    let place = folder.path().to_string_lossy();
    let said = python(&packages, script, &[&address, &place]).await?;
    assert_eq!(said.trim(), "done", "{said}");
    assert!(fake.logins() >= 3, "two assertions and an exchange");
    assert!(fake.accesses() >= 3);
    Ok(())
}
