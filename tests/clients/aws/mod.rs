//! Amazon's own Python client against our stand-in: it signs, lists, reads, writes, takes on roles and reads the errors,
//! so that stand-in and client agree with somebody who has seen the real service.

use penstock_fakes::aws::Role;
use penstock_fakes::{FakeAws, Listen};

use super::{Outcome, python, python_package};

const PACKAGE: &str = "boto3==1.44.8";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_client_works_against_the_stand_in() -> Outcome {
    let Some(folder) = python_package(PACKAGE).await? else {
        return Ok(());
    };
    let fake = FakeAws::start(Listen::Http).await?;
    {
        let mut model = fake.model();
        let role = Role {
            keys: ["AKIDEXAMPLE".to_owned()].into(),
            tokens: ["projected".to_owned()].into(),
            external_id: Some("w&rd".to_owned()),
            tags: [("team".to_owned(), "a b".to_owned())].into(),
        };
        model
            .roles
            .insert("arn:aws:iam::123456789012:role/reader".to_owned(), role);
        model.deny("secretsmanager:GetSecretValue", "closed/");
        model.put("closed/x", "1");
    }
    let script = include_str!("client.py");
    let said = python(&folder, script, &[&fake.server().address()]).await?;
    assert_eq!(said.trim(), "done", "{said}");
    assert!(fake.calls("secretsmanager.BatchGetSecretValue") > 0);
    Ok(())
}
