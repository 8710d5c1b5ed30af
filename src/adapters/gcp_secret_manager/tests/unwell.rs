//! A server that is down, throttles, lies, or says half of what it wanted to.

use std::time::Duration;

use penstock_fakes::outage::Outage;

use super::*;

#[tokio::test]
async fn an_outage_of_any_kind_is_no_absence() {
    let fake = gcp().await;
    put(&fake, "A", "hunter2");
    let store = open(&fake, with_json("key")).await;
    read(&store, "A").await.unwrap();
    for outage in [
        Outage::Stumbles(500),
        Outage::Stumbles(503),
        Outage::Proxy(404, "<html>not found</html>".to_owned()),
        Outage::Proxy(404, "{}".to_owned()),
        Outage::Proxy(200, "<html>log in</html>".to_owned()),
        Outage::Proxy(200, "{\"secrets\":[".to_owned()),
        Outage::Proxy(200, "[]".to_owned()),
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
async fn a_damaged_payload_is_no_answer() {
    let fake = gcp().await;
    put(&fake, "A", "hunter2");
    put(&fake, "B", "hunter3");
    let store = open(&fake, with_json("key")).await;
    fake.model().behaviour.damage = true;
    for path in ["A", "/"] {
        let fault = read(&store, path).await.unwrap_err().fault;
        assert_eq!(fault.class, FaultClass::Unavailable);
        assert!(fault.to_string().contains("checksum"), "{fault}");
        assert!(!fault.to_string().contains("hunter"));
    }
    fake.model().behaviour.damage = false;
    read(&store, "/").await.unwrap();
}

#[tokio::test]
async fn one_denied_value_is_no_half_of_a_folder() {
    let fake = gcp().await;
    put(&fake, "A", "1");
    put(&fake, "B", "1");
    let grant = Grant {
        view: true,
        access: ["A".to_owned()].into(),
        admin: false,
    };
    fake.model().grants.insert(READER.to_owned(), grant);
    let store = open(&fake, with_json("key")).await;
    let fault = read(&store, "/").await.unwrap_err().fault;
    assert_eq!(fault.class, FaultClass::Denied);
    assert!(fault.to_string().contains("secret B"), "{fault}");
    read(&store, "A").await.unwrap();
}

#[tokio::test]
async fn a_list_without_an_end_is_given_up() {
    let fake = gcp().await;
    put(&fake, "A", "1");
    fake.model().behaviour.endless = true;
    let store = open(&fake, with_json("key")).await;
    assert_eq!(class(&store, "/").await, FaultClass::Unavailable);
}

#[tokio::test]
async fn pages_are_followed_to_the_last() {
    let fake = gcp().await;
    for number in 0..7 {
        put(&fake, &format!("K{number}"), "x");
    }
    fake.model().behaviour.page = 3;
    let store = open(&fake, with_json("key")).await;
    assert_eq!(read(&store, "/").await.unwrap().entries.len(), 7);
}

#[tokio::test]
async fn whoever_asks_for_patience_is_left_alone() {
    for named in [Some(40), None] {
        let fake = gcp().await;
        put(&fake, "A", "1");
        let store = open(&fake, with_json("key")).await;
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

#[tokio::test]
async fn what_is_answered_is_what_was_asked_for() {
    let fake = gcp().await;
    put(&fake, "A", "1");
    let store = open(&fake, with_json("key")).await;
    read(&store, "A").await.unwrap();
    for name in [
        "projects/1/secrets/B/versions/1",
        "projects/1/secrets/A/versions/x",
        "A",
    ] {
        let body = json!({"name": name, "payload": {"data": "eA=="}});
        fake.model().behaviour.outage = Some(Outage::Proxy(200, body.to_string()));
        assert_eq!(class(&store, "A").await, FaultClass::Unavailable, "{name}");
    }
}
