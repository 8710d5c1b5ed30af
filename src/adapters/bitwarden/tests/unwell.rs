//! A server that is down, throttles, lies, or says half of what it wanted to.

use std::time::Duration;

use penstock_domain::conditions::Reason;
use penstock_fakes::bitwarden::Outage;

use super::*;

#[tokio::test]
async fn an_outage_of_any_kind_is_no_absence() {
    let lab = Lab::new().await;
    lab.folder("app", &[("K", "hunter2")]);
    let store = lab.open().await;
    read(&store, "app").await.unwrap();
    for outage in [
        Outage::Stumbles(500),
        Outage::Stumbles(503),
        Outage::Proxy(404, "<html>not found</html>".to_owned()),
        Outage::Proxy(404, "{}".to_owned()),
        Outage::Proxy(200, "<html>log in</html>".to_owned()),
        Outage::Proxy(200, "1767323045678".to_owned()),
        Outage::Proxy(200, r#"{"object":"sync","ciphers":[]}"#.to_owned()),
        Outage::Proxy(204, String::new()),
        Outage::Proxy(403, "blocked".to_owned()),
        Outage::HangsUp,
        Outage::Half,
    ] {
        lab.fake.model().behaviour.outage = Some(outage.clone());
        let failure = read(&store, "app").await.unwrap_err();
        assert_eq!(failure.fault.class, FaultClass::Unavailable, "{outage:?}");
        assert!(!failure.blames_credentials, "{outage:?}");
        assert!(!format!("{failure:?}").contains("hunter2"), "{outage:?}");
    }
    lab.fake.model().behaviour.outage = None;
    read(&store, "app").await.unwrap();
    assert_eq!(lab.fake.logins(), 1, "none of it was the token's fault");
}

#[tokio::test]
async fn a_page_to_log_in_is_no_refusal() {
    let lab = Lab::new().await;
    lab.folder("app", &[("K", "1")]);
    let store = lab.open().await;
    read(&store, "app").await.unwrap();
    lab.fake.model().behaviour.outage = Some(Outage::Proxy(401, "<html>".to_owned()));
    for _ in 0..5 {
        let failure = read(&store, "app").await.unwrap_err();
        assert_eq!(failure.fault.class, FaultClass::Unavailable);
        assert!(!failure.blames_credentials);
    }
    assert_eq!(lab.fake.logins(), 2, "one more, and no storm");
    lab.fake.model().behaviour.outage = None;
    read(&store, "app").await.unwrap();
}

#[tokio::test]
async fn a_throttling_server_is_left_alone_for_as_long_as_it_says() {
    for silent in [false, true] {
        let lab = Lab::new().await;
        lab.folder("app", &[("K", "1")]);
        let store = lab.open().await;
        read(&store, "app").await.unwrap();
        {
            let mut model = lab.fake.model();
            model.behaviour.throttle = Some(12);
            model.behaviour.silent_throttle = silent;
        }
        let failure = read(&store, "app").await.unwrap_err();
        assert_eq!(failure.fault.reason, Reason::Throttled);
        let wait = Duration::from_secs(if silent { 60 } else { 12 });
        assert_eq!(failure.fault.retry_after(), Some(wait));
        lab.fake.model().behaviour.throttle = None;
        let asked = lab.fake.server().seen().len();
        for _ in 0..5 {
            let failure = read(&store, "app").await.unwrap_err();
            assert_eq!(failure.fault.reason, Reason::Throttled);
        }
        assert_eq!(
            lab.fake.server().seen().len(),
            asked,
            "nobody knocks meanwhile"
        );
        tokio::time::pause();
        tokio::time::advance(wait + Duration::from_secs(1)).await;
        tokio::time::resume();
        read(&store, "app").await.unwrap();
    }
}

#[tokio::test]
async fn an_empty_vault_is_a_complete_answer() {
    let lab = Lab::new().await;
    let store = lab.open().await;
    assert!(read(&store, "").await.unwrap().entries.is_empty());
    assert_eq!(class(&store, "app").await, FaultClass::NotFound);
}

#[tokio::test]
async fn a_reader_who_gives_up_leaves_the_store_usable() {
    let lab = Lab::new().await;
    lab.folder("app", &[("K", "1")]);
    let store = lab.open().await;
    for _ in 0..3 {
        let mut reading = Box::pin(read(&store, "app"));
        assert!(futures::poll!(&mut reading).is_pending());
        drop(reading);
    }
    read(&store, "app").await.unwrap();
}
