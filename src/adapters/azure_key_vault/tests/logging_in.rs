//! Every way to log in, what is refused before anything is sent, and what a dead token does.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use penstock_domain::conditions::Reason;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::http::ambient::Ambient;

#[tokio::test]
async fn one_login_serves_all() {
    let fake = azure().await;
    put(&fake, "A", "1");
    let store = open(&fake, client_secret("secret")).await;
    let reads = futures::future::join_all((0..20).map(|_| read(&store, "A"))).await;
    assert!(reads.iter().all(Result::is_ok));
    assert_eq!(fake.logins(), 1);
}

#[tokio::test]
async fn a_refusal_says_what_to_do_and_there_is_no_storm() {
    let fake = azure().await;
    put(&fake, "A", "1");
    for (key, word) in [("wrong", "not its id"), ("old", "expired")] {
        let store = open(&fake, client_secret(key)).await;
        let logins = fake.logins();
        for _ in 0..5 {
            let failure = read(&store, "A").await.unwrap_err();
            assert_eq!(failure.fault.reason, Reason::CredentialsRefused);
            assert!(failure.blames_credentials);
            let text = failure.fault.to_string();
            assert!(
                text.contains(word) && text.contains("invalid_client"),
                "{text}"
            );
            assert!(
                !text.contains("hunter2") && !text.contains("AADSTS"),
                "{text}"
            );
        }
        assert_eq!(fake.logins(), logins + 1);
    }
}

#[tokio::test]
async fn a_certificate_signs_an_assertion() {
    let fake = azure().await;
    put(&fake, "A", "1");
    let (key, public) = penstock_fakes::new_key();
    let pair = rcgen::KeyPair::from_pem(&key).unwrap();
    let parameters = rcgen::CertificateParams::new(vec!["penstock.example".to_owned()]).unwrap();
    let made = parameters.self_signed(&pair).unwrap();
    let thumbprint = URL_SAFE_NO_PAD.encode(Sha256::digest(made.der()));
    let credentials = credentials();
    credentials.set("prod/azure/crt", &made.pem());
    credentials.set("prod/azure/key", &key);
    let object = store_object(provider(&fake, certificate()));
    let store = open_with(&object, Arc::clone(&credentials)).await.unwrap();
    let fault = read(&store, "A").await.unwrap_err().fault;
    assert!(
        fault.to_string().contains("certificate is uploaded"),
        "{fault}"
    );
    {
        let mut model = fake.model();
        let application = model.applications.get_mut(CLIENT).unwrap();
        application.certificates.insert(thumbprint, public);
    }
    let store = open_with(&object, Arc::clone(&credentials)).await.unwrap();
    assert_eq!(lines(&read(&store, "A").await.unwrap()), [" A=1"]);

    credentials.set("prod/azure/crt", "a PFX");
    let failure = open_with(&object, credentials).await.map(|_| ());
    assert!(failure.unwrap_err().fault.to_string().contains("PEM"));
}

#[tokio::test]
async fn a_service_account_of_the_cluster_is_an_application() {
    let fake = azure().await;
    put(&fake, "A", "1");
    let store = open(&fake, federated()).await;
    let fault = read(&store, "A").await.unwrap_err().fault;
    assert!(
        fault.to_string().contains("federated credential"),
        "{fault}"
    );
    {
        let mut model = fake.model();
        let application = model.applications.get_mut(CLIENT).unwrap();
        let token = "jwt for api://AzureADTokenExchange".to_owned();
        application.federated.insert(token);
    }
    let store = open(&fake, federated()).await;
    assert_eq!(lines(&read(&store, "A").await.unwrap()), [" A=1"]);
}

#[tokio::test]
async fn a_dead_token_costs_one_login() {
    let fake = azure().await;
    put(&fake, "A", "1");
    let store = open(&fake, client_secret("secret")).await;
    read(&store, "A").await.unwrap();
    fake.model().revoke_all();
    read(&store, "A").await.unwrap();
    assert_eq!(fake.logins(), 2);
}

#[tokio::test]
async fn a_challenge_is_told_and_never_followed() {
    let fake = azure().await;
    put(&fake, "A", "1");
    let foreign = FakeAzure::start(Listen::Http).await.unwrap();
    let store = open(&fake, client_secret("secret")).await;
    read(&store, "A").await.unwrap();
    for (challenge, word) in [
        (
            format!("{}/{TENANT}", foreign.server().address()),
            "another authority",
        ),
        (
            format!(
                "{}/00000000-0000-4000-8000-0000000000bb",
                fake.server().address()
            ),
            "another directory",
        ),
    ] {
        let store = open(&fake, client_secret("secret")).await;
        read(&store, "A").await.unwrap();
        fake.model().behaviour.challenge = Some(challenge);
        fake.model().behaviour.dead_on_arrival = true;
        let fault = read(&store, "A").await.unwrap_err().fault;
        assert_eq!(fault.reason, Reason::CredentialsRefused);
        assert!(fault.to_string().contains(word), "{fault}");
        fake.model().behaviour.dead_on_arrival = false;
        fake.model().behaviour.challenge = None;
    }
    assert!(foreign.server().seen().is_empty());
}

#[tokio::test]
async fn a_clouds_token_goes_to_no_other_address() {
    let fake = azure().await;
    let mut own = provider(&fake, client_secret("secret"));
    own.authority = None;
    let fault = open_store(&store_object(own))
        .await
        .map(|_| ())
        .unwrap_err()
        .fault;
    assert_eq!(fault.class, FaultClass::Invalid);
    assert!(fault.to_string().contains("vaultUrl"), "{fault}");
    for address in [
        "http://169.254.169.254",
        "https://10.0.0.1",
        "http://1.1.1.1",
    ] {
        let mut vault = provider(&fake, client_secret("secret"));
        vault.vault_url = address.to_owned();
        let mut authority = provider(&fake, client_secret("secret"));
        authority.authority.as_mut().unwrap().address = address.to_owned();
        for provider in [vault, authority] {
            let failure = open_store(&store_object(provider)).await.map(|_| ());
            let fault = failure.unwrap_err().fault;
            assert_eq!(fault.reason, Reason::EgressDenied, "{address}: {fault}");
        }
    }
    assert!(fake.server().seen().is_empty());
}

#[tokio::test]
async fn the_operators_own_identity_serves_no_store_of_a_namespace() {
    let fake = azure().await;
    let mut object = store_object(provider(&fake, client_secret("secret")));
    object.identity = Identity::Operator;
    assert!(open_store(&object).await.is_err());
    let mut object = store_object(provider(&fake, client_secret("secret")));
    object.provider.azure_key_vault.as_mut().unwrap().auth = None;
    assert!(open_store(&object).await.is_err());
    assert!(fake.server().seen().is_empty());
}

fn surrounded(variables: &[(&str, &str)]) -> HttpLayer {
    let own = |(name, value): &(&str, &str)| ((*name).into(), (*value).into());
    layer().with_ambient(Ambient::of_process(variables.iter().map(own)))
}

fn operators_own(fake: &FakeAzure) -> StoreObject {
    let mut provider = provider(fake, client_secret("secret"));
    provider.auth = None;
    let mut object = store_object(provider);
    object.reference.kind = StoreKind::Cluster;
    object.home = NamespaceName::new("penstock-system").unwrap();
    object.identity = Identity::Operator;
    object
}

async fn open_at(object: &StoreObject, layer: &HttpLayer) -> Result<AzureStore, StoreFailure> {
    let provider = object.provider.azure_key_vault.as_ref().unwrap();
    let credentials: Arc<dyn Credentials> = credentials();
    AzureStore::open(object, provider, layer, &credentials)
        .await
        .map_err(|error| error.fault("store").into())
}

#[tokio::test]
async fn a_managed_identity_serves_cluster_stores_that_say_so() {
    let fake = azure().await;
    put(&fake, "A", "1");
    fake.model().attached = Some(CLIENT.to_owned());
    let address = fake.server().address();
    let layer = surrounded(&[("AZURE_POD_IDENTITY_AUTHORITY_HOST", &address)]);
    let object = operators_own(&fake);
    let store = open_at(&object, &layer).await.unwrap();
    assert_eq!(lines(&read(&store, "A").await.unwrap()), [" A=1"]);
    assert_eq!(fake.server().count("GET", "/metadata/"), 1);

    let mut other = object.clone();
    let provider = other.provider.azure_key_vault.as_mut().unwrap();
    provider.managed_identity_client_id = Some("another".to_owned());
    let store = open_at(&other, &layer).await.unwrap();
    let fault = read(&store, "A").await.unwrap_err().fault;
    assert!(
        fault.to_string().contains("managedIdentityClientId"),
        "{fault}"
    );

    let asked = fake.server().count("GET", "/metadata/");
    let mut of_namespace = object.clone();
    of_namespace.reference.kind = StoreKind::Namespaced;
    let mut with_secret = object.clone();
    with_secret.provider.azure_key_vault.as_mut().unwrap().auth = Some(client_secret("secret"));
    for object in [of_namespace, with_secret] {
        assert!(open_at(&object, &layer).await.is_err());
    }
    assert_eq!(fake.server().count("GET", "/metadata/"), asked);
}

#[tokio::test]
async fn the_operators_federated_token_is_read_for_each_login() {
    let fake = azure().await;
    put(&fake, "A", "1");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "first\n").unwrap();
    let layer = surrounded(&[
        ("AZURE_FEDERATED_TOKEN_FILE", file.to_str().unwrap()),
        ("AZURE_CLIENT_ID", CLIENT),
        ("AZURE_TENANT_ID", TENANT),
    ]);
    let store = open_at(&operators_own(&fake), &layer).await.unwrap();
    for token in ["first", "second"] {
        std::fs::write(&file, token).unwrap();
        {
            let mut model = fake.model();
            let application = model.applications.get_mut(CLIENT).unwrap();
            application.federated = [token.to_owned()].into();
            model.revoke_all();
        }
        assert_eq!(
            lines(&read(&store, "A").await.unwrap()),
            [" A=1"],
            "{token}"
        );
    }
    assert_eq!(fake.logins(), 2);
}
