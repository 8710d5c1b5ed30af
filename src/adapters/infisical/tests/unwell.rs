//! A server that is down, throttles, lies, or says half of what it wanted to.

use std::time::Duration;

use penstock_domain::conditions::Reason;
use penstock_fakes::infisical::Outage;

use super::*;

#[tokio::test]
async fn every_absence_has_its_class() {
    let fake = infisical().await;
    put(&fake, "/app", "K", "1");
    let store = open(&fake, universal()).await;
    assert_eq!(class(&store, "never").await, FaultClass::NotFound);
    let environment = StoreQuery {
        environment: Some("never".to_owned()),
        ..query("app")
    };
    let failure = store.read("store", &environment).await.unwrap_err();
    assert_eq!(failure.fault.class, FaultClass::NotFound);
    let mut provider = provider(&fake, universal());
    provider.project_id = Some("another".to_owned());
    let other = open_store(&store_object(provider)).await.unwrap();
    assert_eq!(class(&other, "app").await, FaultClass::NotFound);
    fake.model().folder(PROJECT, "prod", "/empty");
    assert!(read(&store, "empty").await.unwrap().entries.is_empty());
}

#[tokio::test]
async fn an_outage_of_any_kind_is_no_absence() {
    let fake = infisical().await;
    put(&fake, "/app", "K", "hunter2");
    let store = open(&fake, universal()).await;
    read(&store, "app").await.unwrap();
    for outage in [
        Outage::Stumbles(500),
        Outage::Stumbles(504),
        Outage::Proxy(404, "<html>not found</html>".to_owned()),
        Outage::Proxy(404, "{}".to_owned()),
        Outage::Proxy(200, "<html>log in</html>".to_owned()),
        Outage::Proxy(200, r#"{"secrets":[]"#.to_owned()),
        Outage::Proxy(200, "{}".to_owned()),
        Outage::Proxy(204, String::new()),
        Outage::Proxy(304, String::new()),
        Outage::Proxy(401, "<html>log in</html>".to_owned()),
        Outage::Proxy(403, "blocked".to_owned()),
        Outage::Proxy(503, String::new()),
        Outage::HangsUp,
        Outage::Half,
    ] {
        fake.model().behaviour.outage = Some(outage.clone());
        let failure = read(&store, "app").await.unwrap_err();
        assert_eq!(failure.fault.class, FaultClass::Unavailable, "{outage:?}");
        assert!(!failure.blames_credentials, "{outage:?}");
        assert!(!format!("{failure:?}").contains("hunter2"), "{outage:?}");
        assert!(store.probe("store").await.is_err(), "{outage:?}");
    }
    fake.model().behaviour.outage = None;
    read(&store, "app").await.unwrap();
    assert_eq!(fake.logins(), 1, "none of it was the token's fault");
}

#[tokio::test]
async fn a_login_that_does_not_work_out_is_no_refusal() {
    let fake = infisical().await;
    put(&fake, "/app", "K", "1");
    fake.model().behaviour.outage = Some(Outage::Proxy(401, "<html>".to_owned()));
    let store = open(&fake, universal()).await;
    let failure = read(&store, "app").await.unwrap_err();
    assert_eq!(failure.fault.class, FaultClass::Unavailable);
    fake.model().behaviour.outage = None;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(3)).await;
    tokio::time::resume();
    read(&store, "app").await.unwrap();
}

#[tokio::test]
async fn a_throttling_server_is_left_alone_for_as_long_as_it_says() {
    for with_headers in [true, false] {
        let fake = infisical().await;
        put(&fake, "/app", "K", "1");
        let store = open(&fake, universal()).await;
        read(&store, "app").await.unwrap();
        {
            let mut model = fake.model();
            model.behaviour.throttle = Some(12);
            model.behaviour.limit_headers = with_headers;
        }
        let failure = read(&store, "app").await.unwrap_err();
        assert_eq!(failure.fault.reason, Reason::Throttled);
        assert_eq!(failure.fault.retry_after(), Some(Duration::from_secs(12)));
        fake.model().behaviour.throttle = None;
        let asked = fake.server().seen().len();
        for _ in 0..5 {
            let failure = read(&store, "app").await.unwrap_err();
            assert_eq!(failure.fault.reason, Reason::Throttled, "{with_headers}");
        }
        assert_eq!(fake.server().seen().len(), asked, "nobody knocks meanwhile");
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(13)).await;
        tokio::time::resume();
        read(&store, "app").await.unwrap();
    }
}

#[tokio::test]
async fn an_unknown_throttle_is_a_minute_or_a_little_more() {
    let fake = infisical().await;
    let store = open(&fake, universal()).await;
    read(&store, "app").await.unwrap();
    fake.model().behaviour.outage = Some(Outage::Proxy(429, "slow down".to_owned()));
    let failure = read(&store, "app").await.unwrap_err();
    let wait = failure.fault.retry_after().unwrap();
    assert!((60..=70).contains(&wait.as_secs()), "{wait:?}");
}

#[tokio::test]
async fn a_server_that_answers_another_secret_is_not_believed() {
    let fake = infisical().await;
    put(&fake, "/app", "K", "1");
    let store = open(&fake, universal()).await;
    read(&store, "app").await.unwrap();
    let another = r#"{"secret":{"secretKey":"L","secretValue":"1","version":1}}"#;
    fake.model().behaviour.outage = Some(Outage::Proxy(200, another.to_owned()));
    let named = StoreQuery {
        field: Some("K".to_owned()),
        ..query("app")
    };
    let failure = store.read("store", &named).await.unwrap_err();
    assert_eq!(failure.fault.class, FaultClass::Unavailable);
}
