//! The official Python client of Connect against our stand-in: it finds vaults and items by name and id, reads fields
//! and sections, and reads the errors, so that stand-in and client agree with somebody who has seen the real server.

use penstock_fakes::one_password::Field;
use penstock_fakes::{FakeOnePassword, Listen};

use super::{Outcome, python, python_package};

/// Newer ones ask for a newer `certifi` than every registry has.
const PACKAGE: &str = "onepasswordconnectsdk==1.5.1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_client_works_against_the_stand_in() -> Outcome {
    let Some(folder) = python_package(PACKAGE).await? else {
        return Ok(());
    };
    let fake = FakeOnePassword::start(Listen::Http).await?;
    let vault = {
        let mut model = fake.model();
        let vault = model.vault("infra");
        let foreign = model.vault("board");
        model.put(&foreign, "minutes", vec![Field::new("text", "x")]);
        let reach = [vault.clone()].into();
        model.tokens.insert("ey.x".to_owned(), reach);
        let prod = Field {
            section: "prod".to_owned(),
            ..Field::new("password", "p\n")
        };
        let empty = Field {
            value: None,
            ..Field::new("notesPlain", "")
        };
        let id = model.put(
            &vault,
            "db",
            vec![Field::new("username", "shop"), empty, prod],
        );
        if let Some(held) = model.vaults.get_mut(&vault)
            && let Some(item) = held.items.get_mut(&id)
        {
            item.tags = vec!["api".to_owned()];
        }
        vault
    };
    let script = include_str!("client.py");
    let arguments = [&fake.server().address(), "ey.x", &vault];
    let said = python(&folder, script, &arguments).await?;
    assert_eq!(said.trim(), "done", "{said}");
    Ok(())
}
