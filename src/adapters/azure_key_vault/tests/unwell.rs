//! A vault that is down, throttles, lies, or says half of what it wanted to.

use std::time::Duration;

use penstock_fakes::outage::Outage;
use serde_json::json;

use super::*;

#[tokio::test]
async fn an_outage_of_any_kind_is_no_absence() {
    let fake = azure().await;
    put(&fake, "A", "hunter2");
    let store = open(&fake, client_secret("secret")).await;
    read(&store, "A").await.unwrap();
    for outage in [
        Outage::Stumbles(500),
        Outage::Stumbles(503),
        Outage::Proxy(404, "<html>not found</html>".to_owned()),
        Outage::Proxy(404, String::new()),
        Outage::Proxy(200, "<html>log in</html>".to_owned()),
        Outage::Proxy(200, "{}".to_owned()),
        Outage::Proxy(200, "{\"value\":[".to_owned()),
        Outage::Proxy(204, String::new()),
        Outage::Proxy(401, "<html>log in</html>".to_owned()),
        Outage::Proxy(403, "blocked".to_owned()),
        Outage::HangsUp,
        Outage::Half,
    ] {
        fake.model().behaviour.outage = Some(outage.clone());
        for path in ["A", "/"] {
            let failure = read(&store, path).await.unwrap_err();
            assert_eq!(
                failure.fault.class,
                FaultClass::Unavailable,
                "{outage:?} {path}"
            );
            assert!(!failure.blames_credentials, "{outage:?}");
            assert!(!format!("{failure:?}").contains("hunter2"), "{outage:?}");
        }
        assert!(store.probe("store").await.is_err(), "{outage:?}");
    }
    fake.model().behaviour.outage = None;
    read(&store, "A").await.unwrap();
}

#[tokio::test]
async fn a_next_page_lies_in_no_other_vault() {
    let fake = azure().await;
    let elsewhere = FakeAzure::start(Listen::Http).await.unwrap();
    for number in 0..30 {
        put(&fake, &format!("K{number}"), "x");
    }
    let store = open(&fake, client_secret("secret")).await;
    assert_eq!(read(&store, "/").await.unwrap().entries.len(), 30);
    for link in [
        format!("{}/secrets", elsewhere.server().address()),
        format!("{}/deletedsecrets", fake.server().address()),
    ] {
        fake.model().behaviour.link = Some(link);
        assert_eq!(class(&store, "/").await, FaultClass::Unavailable);
    }
    assert!(elsewhere.server().seen().is_empty());
}

#[tokio::test]
async fn a_link_that_leads_in_circles_is_given_up() {
    let fake = azure().await;
    let store = open(&fake, client_secret("secret")).await;
    put(&fake, "A", "1");
    read(&store, "A").await.unwrap();
    let link = format!(
        "{}/secrets?api-version=7.4&$skiptoken=x",
        fake.server().address()
    );
    let body = json!({"value": [], "nextLink": link}).to_string();
    fake.model().behaviour.outage = Some(Outage::Proxy(200, body));
    assert_eq!(class(&store, "/").await, FaultClass::Unavailable);
}

#[tokio::test]
async fn a_deleted_secret_is_missing_while_its_name_is_kept() {
    let fake = azure().await;
    put(&fake, "A", "1");
    let store = open(&fake, client_secret("secret")).await;
    read(&store, "A").await.unwrap();
    fake.model().secrets.remove("a");
    assert_eq!(class(&store, "A").await, FaultClass::NotFound);
    assert!(read(&store, "/").await.unwrap().entries.is_empty());
}

#[tokio::test]
async fn whoever_asks_for_patience_is_left_alone() {
    for named in [Some(40), None] {
        let fake = azure().await;
        put(&fake, "A", "1");
        let store = open(&fake, client_secret("secret")).await;
        read(&store, "A").await.unwrap();
        fake.model().behaviour.throttle = Some(named);
        let fault = read(&store, "A").await.unwrap_err().fault;
        let wait = fault.retry_after().unwrap();
        match named {
            Some(seconds) => assert_eq!(wait, Duration::from_secs(seconds)),
            None => assert!(wait >= Duration::from_secs(20)),
        }
        let asked = fake.server().seen().len();
        let again = read(&store, "A").await.unwrap_err().fault;
        assert!(again.retry_after().is_some());
        assert_eq!(
            fake.server().seen().len(),
            asked,
            "nothing is sent meanwhile"
        );
    }
}
