//! The official Python client of Doppler against our stand-in: it asks who it is, lists, gets and downloads, and reads
//! the errors, so that stand-in and client agree with somebody who has seen the real server.

use penstock_fakes::doppler::Token;
use penstock_fakes::{FakeDoppler, Listen};

use super::{Outcome, python, python_package};

const PACKAGE: &str = "doppler-sdk==1.3.0";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_client_works_against_the_stand_in() -> Outcome {
    let Some(folder) = python_package(PACKAGE).await? else {
        return Ok(());
    };
    let fake = FakeDoppler::start(Listen::Http).await?;
    {
        let mut model = fake.model();
        model.put(("shop", "prd"), "DB_URL", "postgres://");
        model.put(("shop", "prd"), "API_KEY", "k\n");
        let service = Token::Service {
            project: "shop".to_owned(),
            config: "prd".to_owned(),
        };
        model.tokens.insert("dp.st.prd.x".to_owned(), service);
        let account = Token::Account(["shop".to_owned()].into());
        model.tokens.insert("dp.sa.x".to_owned(), account);
    }
    let script = include_str!("client.py");
    let arguments = [&fake.server().address(), "dp.st.prd.x", "dp.sa.x"];
    let said = python(&folder, script, &arguments).await?;
    assert_eq!(said.trim(), "done", "{said}");
    Ok(())
}
