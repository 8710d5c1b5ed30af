//! Bitwarden's official SDK against our stand-in: it logs in, lists, reads, writes and reads the errors, so that
//! stand-in and client agree with somebody who has seen the real server.

use penstock_fakes::bitwarden_sm::Grant;
use penstock_fakes::bitwarden_sm::organization::Organization;
use penstock_fakes::{FakeBitwardenSm, Listen};
use tempfile::TempDir;

use super::{Outcome, python, python_package};

const PACKAGE: &str = "bitwarden-sdk==2.1.0";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_sdk_works_against_the_stand_in() -> Outcome {
    let Some(folder) = python_package(PACKAGE).await? else {
        return Ok(());
    };
    // The SDK speaks https only.
    let fake = FakeBitwardenSm::start(Listen::Https).await?;
    let (organization, project, token) = {
        let mut model = fake.model();
        let owner = Organization::found(&mut model)?;
        let project = owner.project(&mut model, "shop")?;
        let texts = ("DB_URL", "postgres://db\n", "a note");
        owner.secret(&mut model, Some(&project), texts)?;
        let all = Grant {
            read: true,
            write: true,
        };
        let (_, token) = owner.machine(&mut model, &[(project.as_str(), all)])?;
        (model.organization.clone(), project, token)
    };
    let place = TempDir::with_prefix("penstock-bws-")?;
    let authority = place.path().join("ca.pem");
    std::fs::write(&authority, fake.server().certificate().unwrap_or_default())?;
    let authority = authority.display().to_string();
    let address = fake.server().address();
    let arguments = [
        address.as_str(),
        &authority,
        &token,
        &organization,
        &project,
    ];
    let said = python(&folder, include_str!("client.py"), &arguments).await?;
    assert_eq!(said.trim(), "done", "{said}");
    assert_eq!(fake.model().secrets.len(), 1, "what it made, it deleted");
    Ok(())
}
