//! Every way to log in, and what becomes of a login that ends.

use std::time::Duration;

use penstock_domain::api::store::Identity;
use penstock_domain::conditions::Reason;

use super::*;

#[tokio::test]
async fn every_way_in_reads_the_folder() {
    let fake = infisical().await;
    put(&fake, "/app", "DB_URL", "postgres://");
    let mut by_reference = universal();
    let auth = by_reference.universal.as_mut().unwrap();
    auth.client_id = None;
    auth.client_id_ref = Some(secret_ref("clientId"));
    for auth in [universal(), by_reference, kubernetes(), service_token()] {
        let store = open(&fake, auth).await;
        let snapshot = read(&store, "app").await.unwrap();
        assert_eq!(lines(&snapshot), ["app DB_URL=postgres://"]);
        assert!(store.probe("store").await.is_ok());
    }
    let seen = fake.server().seen();
    let bearer = seen.last().unwrap().header("authorization").unwrap();
    assert_eq!(bearer, "Bearer st.1.hunter2", "its key stays here");
}

#[tokio::test]
async fn https_is_verified_against_the_given_authority() {
    let fake = FakeInfisical::start(Listen::Https).await.unwrap();
    let mut provider = provider(&fake, universal());
    let store = open_store(&store_object(provider.clone())).await.unwrap();
    let failure = read(&store, "app").await.unwrap_err();
    assert_eq!(
        failure.fault.reason,
        Reason::CredentialsRefused,
        "it answers"
    );
    provider.ca_bundle = None;
    let store = open_store(&store_object(provider)).await.unwrap();
    let failure = read(&store, "app").await.unwrap_err();
    assert!(
        failure.fault.message.contains("certificate"),
        "{}",
        failure.fault
    );
    assert!(failure.blames_credentials);
}

#[tokio::test]
async fn a_hundred_readers_share_one_login() {
    let fake = infisical().await;
    put(&fake, "/app", "K", "1");
    let store = open(&fake, universal()).await;
    let answers = futures::future::join_all((0..100).map(|_| read(&store, "app"))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(fake.logins(), 1);
}

#[tokio::test]
async fn a_refused_login_is_told_and_never_locks_the_identity() {
    let fake = infisical().await;
    put(&fake, "/app", "K", "1");
    fake.model()
        .identities
        .get_mut(IDENTITY)
        .unwrap()
        .client_secrets = ["another".to_owned()].into();
    let store = open(&fake, universal()).await;
    tokio::time::pause();
    for seconds in 0..120 {
        tokio::time::resume();
        let failure = read(&store, "app").await.unwrap_err();
        tokio::time::pause();
        assert_eq!(
            failure.fault.reason,
            Reason::CredentialsRefused,
            "{seconds}"
        );
        assert!(failure.blames_credentials);
        assert!(!format!("{failure:?}").contains("hunter2"));
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    assert!((2..=4).contains(&fake.logins()), "{}", fake.logins());
    fake.model()
        .identities
        .get_mut(IDENTITY)
        .unwrap()
        .client_secrets = ["hunter2-secret".to_owned()].into();
    tokio::time::advance(Duration::from_mins(2)).await;
    tokio::time::resume();
    read(&store, "app").await.unwrap();
}

#[tokio::test]
async fn a_token_is_renewed_until_its_limit_and_then_replaced() {
    let fake = infisical().await;
    put(&fake, "/app", "K", "1");
    {
        let mut model = fake.model();
        let machine = model.identities.get_mut(IDENTITY).unwrap();
        (machine.ttl, machine.max_ttl) = (3600, 3 * 3600);
    }
    let store = open(&fake, universal()).await;
    read(&store, "app").await.unwrap();
    let renewals = || fake.server().count("POST", "/api/v1/auth/token/renew");
    for expected in 1..=2 {
        tokio::time::pause();
        tokio::time::advance(Duration::from_mins(41)).await;
        tokio::time::resume();
        while renewals() < expected {
            tokio::task::yield_now().await;
        }
        store.client().tokens().settled().await;
        read(&store, "app").await.unwrap();
    }
    assert_eq!(fake.logins(), 1);
    // A third renewal would lead past the limit: the server would delete the token for it.
    for _ in 0..4 {
        tokio::time::pause();
        tokio::time::advance(Duration::from_mins(41)).await;
        tokio::time::resume();
        tokio::task::yield_now().await;
        store.client().tokens().settled().await;
        read(&store, "app").await.unwrap();
    }
    assert!(fake.logins() >= 2);
    assert_eq!(
        fake.server()
            .seen()
            .iter()
            .filter(|seen| seen.path.contains("/secrets"))
            .count(),
        7,
        "nobody was refused: each read was one request"
    );
}

#[tokio::test]
async fn a_dead_token_is_replaced_once_for_all_readers() {
    let fake = infisical().await;
    put(&fake, "/app", "K", "1");
    let store = open(&fake, universal()).await;
    read(&store, "app").await.unwrap();
    fake.model().revoke_all();
    let answers = futures::future::join_all((0..20).map(|_| read(&store, "app"))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(fake.logins(), 2);
}

#[tokio::test]
async fn a_token_that_the_jwt_library_refuses_is_no_denial() {
    let fake = infisical().await;
    put(&fake, "/app", "K", "1");
    {
        let mut model = fake.model();
        model.behaviour.expires_in_jwt = true;
        // The server's clock is ahead of what it told us.
        model.identities.get_mut(IDENTITY).unwrap().ttl = 30 * 24 * 3600;
    }
    let store = open(&fake, universal()).await;
    read(&store, "app").await.unwrap();
    fake.model().identities.get_mut(IDENTITY).unwrap().ttl = 1;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(5)).await;
    tokio::time::resume();
    read(&store, "app").await.unwrap();
    assert_eq!(fake.logins(), 2);
}

#[tokio::test]
async fn tokens_that_are_refused_as_soon_as_they_are_given_cause_no_storm() {
    let fake = infisical().await;
    put(&fake, "/app", "K", "1");
    let store = open(&fake, universal()).await;
    fake.model().behaviour.refuses_tokens = true;
    for _ in 0..10 {
        let failure = read(&store, "app").await.unwrap_err();
        assert_eq!(failure.fault.reason, Reason::CredentialsRefused);
    }
    assert_eq!(fake.logins(), 2);
    fake.model().behaviour.refuses_tokens = false;
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(1)).await;
    tokio::time::resume();
    read(&store, "app").await.unwrap();
}

#[tokio::test]
async fn a_service_token_that_is_revoked_is_told() {
    let fake = infisical().await;
    put(&fake, "/app", "K", "1");
    let store = open(&fake, service_token()).await;
    fake.model().service_tokens.clear();
    let failure = read(&store, "app").await.unwrap_err();
    assert_eq!(failure.fault.reason, Reason::CredentialsRefused);
    assert!(failure.blames_credentials);
    assert!(!format!("{failure:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_login_of_ours_is_given_back_and_a_given_token_is_not() {
    let fake = infisical().await;
    put(&fake, "/app", "K", "1");
    let store = open(&fake, universal()).await;
    read(&store, "app").await.unwrap();
    assert_eq!(fake.model().living_tokens(), 1);
    store.close().await;
    assert_eq!(fake.model().living_tokens(), 0);
    let store = open(&fake, service_token()).await;
    read(&store, "app").await.unwrap();
    store.close().await;
    assert_eq!(fake.server().count("POST", "/api/v1/auth/token/revoke"), 1);
}

#[tokio::test]
async fn the_operators_own_identity_is_not_for_infisical() {
    let fake = infisical().await;
    let mut object = store_object(provider(&fake, kubernetes()));
    object.identity = Identity::Operator;
    let failure = open_store(&object).await.err().unwrap();
    assert_eq!(failure.fault.class, FaultClass::Invalid);
    for audience in ["", "api", "https://kubernetes.default.svc"] {
        let mut provider = provider(&fake, kubernetes());
        let auth = provider.auth.kubernetes.as_mut().unwrap();
        auth.service_account.audiences = vec![audience.to_owned()];
        let failure = open_store(&store_object(provider)).await.err().unwrap();
        assert_eq!(failure.fault.class, FaultClass::Invalid, "{audience:?}");
    }
    assert!(fake.server().seen().is_empty());
}

#[tokio::test]
async fn a_tenant_reaches_no_server_inside_the_cluster() {
    let fake = infisical().await;
    let object = store_object(provider(&fake, universal()));
    let provider = object.provider.infisical.as_ref().unwrap();
    let credentials: Arc<dyn Credentials> = credentials();
    let closed = HttpLayer::new(Vec::<IpNet>::new());
    let Err(error) = InfisicalStore::open(&object, provider, &closed, &credentials).await else {
        panic!("refused")
    };
    let fault = error.fault("SecretStore infisical");
    assert_eq!(fault.reason, Reason::EgressDenied);
    assert_eq!(
        fault.subject,
        "SecretStore infisical spec.provider.infisical.address"
    );
}
