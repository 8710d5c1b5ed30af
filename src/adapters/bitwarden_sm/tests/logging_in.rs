//! Access tokens, and what becomes of one that is refused or ends.

use std::time::Duration;

use penstock_domain::conditions::Reason;
use penstock_fakes::bitwarden_sm::Outage;

use super::*;

#[tokio::test]
async fn https_is_verified_against_the_given_authority() {
    let lab = Lab::listening(Listen::Https).await;
    lab.project("shop", &[("K", "1")]);
    let store = lab.open().await;
    assert_eq!(lines(&read(&store, "shop").await.unwrap()), ["shop K=1"]);
    let mut provider = lab.provider();
    provider.ca_bundle = None;
    let store = lab.open_object(&store_object(provider)).await.unwrap();
    let failure = read(&store, "shop").await.unwrap_err();
    assert!(
        failure.fault.message.contains("certificate"),
        "{}",
        failure.fault
    );
}

#[tokio::test]
async fn what_is_no_access_token_is_refused_before_anything_is_sent() {
    let mut lab = Lab::new().await;
    lab.token = "hunter2".to_owned();
    let failure = lab
        .open_object(&store_object(lab.provider()))
        .await
        .err()
        .unwrap();
    assert_eq!(failure.fault.class, FaultClass::Invalid);
    assert!(!format!("{failure:?}").contains("hunter2"));
    assert!(lab.fake.server().seen().is_empty());
}

#[tokio::test]
async fn an_address_within_the_cluster_and_the_operators_identity_are_refused() {
    let lab = Lab::new().await;
    let mut object = store_object(lab.provider());
    let credentials: Arc<dyn Credentials> = lab.credentials();
    let provider = object.provider.bitwarden_secrets_manager.clone().unwrap();
    let layer = HttpLayer::new(Vec::<IpNet>::new());
    let error = BitwardenSmStore::open(&object, &provider, &layer, &credentials).await;
    assert_eq!(error.err().unwrap().fault("s").reason, Reason::EgressDenied);
    object.reference.kind = StoreKind::Cluster;
    object.identity = Identity::Operator;
    let failure = lab.open_object(&object).await.err().unwrap();
    assert_eq!(failure.fault.class, FaultClass::Invalid);
    assert!(lab.fake.server().seen().is_empty());
}

#[tokio::test]
async fn a_revoked_token_is_told_and_never_reaches_the_limit() {
    let lab = Lab::new().await;
    lab.project("shop", &[("K", "1")]);
    for token in lab.fake.model().access_tokens.values_mut() {
        token.revoked = true;
    }
    let store = lab.open().await;
    tokio::time::pause();
    for _ in 0..60 {
        tokio::time::resume();
        let failure = read(&store, "shop").await.unwrap_err();
        tokio::time::pause();
        assert_eq!(failure.fault.reason, Reason::CredentialsRefused);
        assert!(failure.blames_credentials);
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    assert!(
        (1..=2).contains(&lab.fake.logins()),
        "{}",
        lab.fake.logins()
    );
}

#[tokio::test]
async fn a_token_whose_last_part_is_another_is_told_as_such() {
    let mut lab = Lab::new().await;
    lab.project("shop", &[("K", "1")]);
    let (login, _) = lab.token.split_once(':').unwrap();
    lab.token = format!("{login}:AAECAwQFBgcICQoLDA0ODw==");
    let store = lab.open().await;
    let failure = read(&store, "shop").await.unwrap_err();
    assert_eq!(failure.fault.reason, Reason::CredentialsRefused);
    assert!(failure.fault.hint.unwrap().contains("after the colon"));
}

#[tokio::test]
async fn a_dead_token_is_replaced_once_for_all_readers() {
    let lab = Lab::new().await;
    lab.project("shop", &[("K", "1")]);
    let store = lab.open().await;
    read(&store, "shop").await.unwrap();
    lab.fake.model().revoke_all();
    let answers = futures::future::join_all((0..20).map(|_| read(&store, "shop"))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(lab.fake.logins(), 2);
}

#[tokio::test]
async fn an_outage_of_any_kind_is_no_absence() {
    let lab = Lab::new().await;
    lab.project("shop", &[("K", "hunter2")]);
    let store = lab.open().await;
    read(&store, "shop").await.unwrap();
    for outage in [
        Outage::Stumbles(500),
        Outage::Proxy(404, "<html>not found</html>".to_owned()),
        // A server without Secrets Manager has no such route, and says so in its own shape.
        Outage::Proxy(
            404,
            r#"{"message":"Resource not found.","object":"error"}"#.to_owned(),
        ),
        Outage::Proxy(200, "<html>log in</html>".to_owned()),
        Outage::Proxy(200, r#"{"hasChanges":false,"secrets":null}"#.to_owned()),
        Outage::Proxy(200, r#"{"hasChanges":true,"secrets":null}"#.to_owned()),
        Outage::Proxy(204, String::new()),
        Outage::HangsUp,
        Outage::Half,
    ] {
        lab.fake.model().behaviour.outage = Some(outage.clone());
        let failure = read(&store, "shop").await.unwrap_err();
        assert_eq!(failure.fault.class, FaultClass::Unavailable, "{outage:?}");
        assert!(!failure.blames_credentials, "{outage:?}");
        assert!(!format!("{failure:?}").contains("hunter2"), "{outage:?}");
    }
    lab.fake.model().behaviour.outage = None;
    read(&store, "shop").await.unwrap();
    assert_eq!(lab.fake.logins(), 1);
}

#[tokio::test]
async fn a_throttling_server_is_left_alone_for_as_long_as_it_says() {
    let lab = Lab::new().await;
    lab.project("shop", &[("K", "1")]);
    let store = lab.open().await;
    read(&store, "shop").await.unwrap();
    lab.fake.model().behaviour.throttle = Some(12);
    let failure = read(&store, "shop").await.unwrap_err();
    assert_eq!(failure.fault.retry_after(), Some(Duration::from_secs(12)));
    lab.fake.model().behaviour.throttle = None;
    let asked = lab.fake.server().seen().len();
    let failure = read(&store, "shop").await.unwrap_err();
    assert_eq!(failure.fault.reason, Reason::Throttled);
    assert_eq!(lab.fake.server().seen().len(), asked);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(13)).await;
    tokio::time::resume();
    read(&store, "shop").await.unwrap();
}
