//! Every way to log in, what is refused before anything is sent, and what a dead token does.

use penstock_domain::conditions::Reason;
use penstock_domain::names::NamespaceName;
use penstock_fakes::gcp::Provider as Pool;

use super::*;
use crate::http::ambient::Ambient;

#[tokio::test]
async fn a_key_signs_an_assertion_and_one_login_serves_all() {
    let fake = gcp().await;
    put(&fake, "A", "1");
    let store = open(&fake, with_json("key")).await;
    let reads = futures::future::join_all((0..20).map(|_| read(&store, "A"))).await;
    assert!(reads.iter().all(Result::is_ok));
    assert_eq!(fake.logins(), 1);
}

#[tokio::test]
async fn a_person_logs_in_by_a_refresh_token() {
    let fake = gcp().await;
    put(&fake, "A", "1");
    let store = open(&fake, with_json("user")).await;
    assert_eq!(lines(&read(&store, "A").await.unwrap()), [" A=1"]);
    fake.model().users.clear();
    fake.model().revoke_all();
    let failure = read(&store, "A").await.unwrap_err();
    assert_eq!(failure.fault.reason, Reason::CredentialsRefused);
    assert!(failure.blames_credentials);
    assert!(failure.fault.to_string().contains("invalid_grant"));
}

#[tokio::test]
async fn a_service_account_of_the_cluster_is_exchanged_and_impersonates() {
    let fake = gcp().await;
    put(&fake, "A", "1");
    let subject = "principal://pool/subject/reader";
    {
        let mut model = fake.model();
        let token = "jwt for SecretStore/prod/gcp".to_owned();
        let pool = Pool {
            tokens: [(token, subject.to_owned())].into(),
        };
        model.providers.insert(POOL.to_owned(), pool);
    }
    let store = open(&fake, federated(Some(READER))).await;
    let failure = read(&store, "A").await.unwrap_err();
    assert_eq!(failure.fault.class, FaultClass::Denied);
    let hint = failure.fault.hint.unwrap();
    assert!(hint.contains("workloadIdentityUser"), "{hint}");

    let account = |fake: &FakeGcp| {
        let mut model = fake.model();
        let account = model.accounts.get_mut(READER).unwrap();
        account.impersonators.insert(subject.to_owned());
    };
    account(&fake);
    let store = open(&fake, federated(Some(READER))).await;
    read(&store, "A").await.unwrap();

    let own = open(&fake, federated(None)).await;
    assert_eq!(
        class(&own, "A").await,
        FaultClass::Denied,
        "without a right"
    );
    let grants = [("A".to_owned())].into();
    let grant = Grant {
        access: grants,
        ..Grant::default()
    };
    fake.model().grants.insert(subject.to_owned(), grant);
    assert_eq!(lines(&read(&own, "A").await.unwrap()), [" A=1"]);
}

#[tokio::test]
async fn a_token_of_a_secret_is_exchanged_too() {
    let fake = gcp().await;
    put(&fake, "A", "1");
    let mut auth = federated(None);
    let identity = auth.workload_identity.as_mut().unwrap();
    identity.service_account = None;
    identity.token_ref = Some(secret_ref("token"));
    let pool = Pool {
        tokens: [("token of ci".to_owned(), READER.to_owned())].into(),
    };
    fake.model().providers.insert(POOL.to_owned(), pool);
    let store = open(&fake, auth).await;
    read(&store, "A").await.unwrap();
    assert_eq!(fake.server().count("POST", "/v1/token"), 1);
}

#[tokio::test]
async fn a_dead_token_costs_one_login_and_a_dead_account_no_storm() {
    let fake = gcp().await;
    put(&fake, "A", "1");
    let store = open(&fake, with_json("key")).await;
    read(&store, "A").await.unwrap();
    fake.model().revoke_all();
    read(&store, "A").await.unwrap();
    assert_eq!(fake.logins(), 2);
    fake.model().accounts.clear();
    fake.model().revoke_all();
    for _ in 0..10 {
        let failure = read(&store, "A").await.unwrap_err();
        assert_eq!(failure.fault.reason, Reason::CredentialsRefused);
    }
    assert_eq!(fake.logins(), 3);
}

#[tokio::test]
async fn a_token_is_replaced_before_it_ends() {
    let fake = gcp().await;
    put(&fake, "A", "1");
    fake.model().behaviour.ttl = 1;
    let store = open(&fake, with_json("key")).await;
    let mut reads = 0;
    // The stand-in refuses a token that has ended; whoever replaces it in time is never refused.
    while fake.logins() < 3 {
        read(&store, "A").await.unwrap();
        reads += 1;
        tokio::task::yield_now().await;
    }
    assert_eq!(fake.accesses(), reads, "no request is sent twice");
}

#[tokio::test]
async fn addresses_of_a_document_are_refused() {
    let fake = gcp().await;
    let failure = open_store(&store_object(provider(&fake, with_json("evil"))))
        .await
        .map(|_| ())
        .unwrap_err();
    assert_eq!(failure.fault.class, FaultClass::Invalid);
    assert!(failure.fault.to_string().contains("token_uri"));
    assert!(fake.server().seen().is_empty());
}

#[tokio::test]
async fn the_operators_own_identity_serves_no_store_of_a_namespace() {
    let fake = gcp().await;
    let mut object = store_object(provider(&fake, with_json("key")));
    object.identity = Identity::Operator;
    assert!(open_store(&object).await.is_err());
    let mut object = store_object(provider(&fake, with_json("key")));
    object.provider.gcp_secret_manager.as_mut().unwrap().auth = None;
    assert!(open_store(&object).await.is_err());
    assert!(fake.server().seen().is_empty());
}

#[tokio::test]
async fn every_address_passes_the_egress_policy() {
    let fake = gcp().await;
    for field in 0..4 {
        for address in [
            "http://169.254.169.254",
            "https://10.0.0.1",
            "http://1.1.1.1",
        ] {
            let mut provider = provider(&fake, with_json("key"));
            let endpoints = provider.endpoints.as_mut().unwrap();
            let endpoint = match field {
                0 => &mut endpoints.secret_manager,
                1 => &mut endpoints.oauth2,
                2 => &mut endpoints.sts,
                _ => &mut endpoints.iam_credentials,
            };
            *endpoint = Some(address.to_owned());
            let failure = open_store(&store_object(provider)).await.map(|_| ());
            let fault = failure.unwrap_err().fault;
            assert_eq!(fault.reason, Reason::EgressDenied, "{address}: {fault}");
        }
    }
}

#[tokio::test]
async fn a_cluster_store_takes_its_key_from_the_operators_namespace() {
    let fake = gcp().await;
    put(&fake, "A", "1");
    let mut object = store_object(provider(&fake, with_json("key")));
    object.reference.kind = StoreKind::Cluster;
    object.home = NamespaceName::new("penstock-system").unwrap();
    let provider = object.provider.gcp_secret_manager.as_ref().unwrap();
    let credentials = credentials();
    let port: Arc<dyn Credentials> = Arc::clone(&credentials) as _;
    GcpStore::open(&object, provider, &layer(), &port)
        .await
        .unwrap();
    assert_eq!(credentials.fetched(), ["penstock-system/gcp/key"]);
}

fn surrounded(variables: &[(&str, &str)]) -> HttpLayer {
    let own = |(name, value): &(&str, &str)| ((*name).into(), (*value).into());
    layer().with_ambient(Ambient::of_process(variables.iter().map(own)))
}

fn operators_own(fake: &FakeGcp) -> StoreObject {
    let mut provider = provider(fake, with_json("key"));
    provider.auth = None;
    let mut object = store_object(provider);
    object.reference.kind = StoreKind::Cluster;
    object.home = NamespaceName::new("penstock-system").unwrap();
    object.identity = Identity::Operator;
    object
}

async fn open_at(object: &StoreObject, layer: &HttpLayer) -> Result<GcpStore, StoreFailure> {
    let provider = object.provider.gcp_secret_manager.as_ref().unwrap();
    let credentials: Arc<dyn Credentials> = credentials();
    GcpStore::open(object, provider, layer, &credentials)
        .await
        .map_err(|error| error.fault("store").into())
}

#[tokio::test]
async fn the_operators_own_identity_serves_cluster_stores_that_say_so() {
    let fake = gcp().await;
    put(&fake, "A", "1");
    let host = fake.server().address().replace("http://", "");
    let layer = surrounded(&[("GCE_METADATA_HOST", &host)]);
    let object = operators_own(&fake);
    let store = open_at(&object, &layer).await.unwrap();
    assert!(read(&store, "A").await.is_err(), "nobody is attached");
    fake.model().attached = Some(READER.to_owned());
    let store = open_at(&object, &layer).await.unwrap();
    assert_eq!(lines(&read(&store, "A").await.unwrap()), [" A=1"]);
    let asked = fake.server().count("GET", "/computeMetadata/");
    assert_eq!(asked, 2);

    let mut of_namespace = object.clone();
    of_namespace.reference.kind = StoreKind::Namespaced;
    let mut with_key = object.clone();
    with_key.provider.gcp_secret_manager.as_mut().unwrap().auth = Some(with_json("key"));
    for object in [of_namespace, with_key] {
        assert!(open_at(&object, &layer).await.is_err());
    }
    assert_eq!(fake.server().count("GET", "/computeMetadata/"), asked);
}

#[tokio::test]
async fn a_person_is_who_gcloud_says() {
    let fake = gcp().await;
    put(&fake, "A", "1");
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".config/gcloud");
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("application_default_credentials.json");
    let user = json!({
        "type": "authorized_user", "client_id": "client", "client_secret": "hunter2-client",
        "refresh_token": "hunter2-refresh", "account": "", "universe_domain": "googleapis.com",
    });
    std::fs::write(&file, user.to_string()).unwrap();
    let ambient = Ambient::default().of_person(Some(home.path().to_owned()));
    let layer = layer().with_ambient(ambient);
    let object = operators_own(&fake);
    let store = open_at(&object, &layer).await.unwrap();
    assert_eq!(lines(&read(&store, "A").await.unwrap()), [" A=1"]);

    let external =
        json!({"type": "external_account", "credential_source": {"file": "/etc/passwd"}});
    std::fs::write(&file, external.to_string()).unwrap();
    let fault = open_at(&object, &layer)
        .await
        .map(|_| ())
        .unwrap_err()
        .fault;
    assert!(fault.to_string().contains("external_account"), "{fault}");
}
