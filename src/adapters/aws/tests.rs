//! Whose identity is used, against the strict stand-in: each way, each refusal.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::sync::Arc;

use ipnet::IpNet;
use penstock_domain::api::aws::{
    AwsAccessKey, AwsAssumeRole, AwsAuth, AwsCredentialsFile, AwsKubernetesAuth, AwsProfile,
    AwsProvider,
};
use penstock_domain::api::shared::{SecretKeyRef, ServiceAccountRef};
use penstock_domain::api::store::{Identity, Provider};
use penstock_domain::bundle::Snapshot;
use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::{NamespaceName, ObjectName};
use penstock_domain::stores::access::RemotePath;
use penstock_domain::stores::{StoreLimits, StoreObject};
use penstock_domain::sync::{SourceOptions, StoreKind, StoreReference};
use penstock_fakes::aws::Role;
use penstock_fakes::{FakeAws, Listen};

use crate::http::ambient::Ambient;
use crate::http::client::HttpLayer;
use crate::http::test_server::{Received, Reply, TestServer};
use crate::open::{OpenedStore, StoreFailure, StoreQuery};
use crate::providers::{self, Reached};
use crate::test_failures::{Illness, Patient};
use crate::test_ports::{FakeCatalog, FakeCredentials, FakeObjects};
use crate::test_stores::OneStore;

pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/reader";
const KEY_ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn reference(key: &str) -> SecretKeyRef {
    SecretKeyRef {
        name: "aws".to_owned(),
        key: key.to_owned(),
    }
}

/// The key that the stand-in knows.
pub(crate) fn access_key() -> AwsAuth {
    AwsAuth {
        access_key: Some(AwsAccessKey {
            id: Some(KEY_ID.to_owned().into()),
            secret_ref: reference("secret"),
            ..AwsAccessKey::default()
        }),
        ..AwsAuth::default()
    }
}

fn kubernetes() -> AwsAuth {
    AwsAuth {
        kubernetes: Some(AwsKubernetesAuth {
            service_account: ServiceAccountRef {
                name: "reader".to_owned(),
                audiences: Vec::new(),
            },
            role_arn: ROLE.to_owned(),
            ..AwsKubernetesAuth::default()
        }),
        ..AwsAuth::default()
    }
}

fn file() -> AwsAuth {
    AwsAuth {
        credentials_file: Some(AwsCredentialsFile {
            secret_ref: reference("file"),
            profile: Some("dev".to_owned()),
        }),
        ..AwsAuth::default()
    }
}

pub(crate) fn provider(fake: &FakeAws, auth: Option<AwsAuth>) -> AwsProvider {
    AwsProvider {
        region: "eu-central-1".to_owned(),
        endpoint: Some(fake.server().address()),
        sts_endpoint: Some(fake.server().address()),
        auth,
        ..AwsProvider::default()
    }
}

/// SecretStore `aws` of namespace `prod`.
pub(crate) fn store_object(provider: Provider) -> StoreObject {
    StoreObject {
        reference: StoreReference {
            kind: StoreKind::Namespaced,
            name: ObjectName::new("aws").unwrap(),
        },
        home: NamespaceName::new("prod").unwrap(),
        uid: "u-1".to_owned(),
        generation: 1,
        provider,
        limits: StoreLimits {
            concurrency: NonZeroU32::new(16).unwrap(),
            ..StoreLimits::default()
        },
        identity: Identity::Credentials,
        allow: Vec::new(),
    }
}

pub(crate) fn secrets_manager(provider: AwsProvider) -> StoreObject {
    store_object(Provider {
        aws_secrets_manager: Some(provider),
        ..Provider::default()
    })
}

fn operators(provider: AwsProvider) -> StoreObject {
    let mut object = secrets_manager(provider);
    object.reference.kind = StoreKind::Cluster;
    object.identity = Identity::Operator;
    object
}

pub(crate) fn credentials() -> Arc<FakeCredentials> {
    FakeCredentials::new(&[
        ("prod/aws/secret", &format!("{SECRET}\n")),
        ("prod/aws/wrong", "hunter2"),
        ("prod/aws/token", "hunter2-token"),
        (
            "prod/aws/file",
            &format!(
                "[default]\naws_access_key_id=x\n[dev]\naws_access_key_id={KEY_ID}\naws_secret_access_key={SECRET}\n"
            ),
        ),
        ("prod/aws/evil", "[dev]\ncredential_process=/bin/sh -c id\n"),
    ])
}

pub(crate) fn reached(ambient: Ambient) -> Reached {
    let loopback = vec!["127.0.0.0/8".parse::<IpNet>().unwrap()];
    Reached {
        http: Arc::new(HttpLayer::new(loopback).with_ambient(ambient)),
        catalog: Arc::new(FakeCatalog::default()),
        credentials: credentials(),
        objects: Arc::new(FakeObjects),
    }
}

fn ambient(variables: &[(&str, &str)]) -> Ambient {
    let owned = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
    Ambient::of_process(variables.iter().map(owned))
}

pub(crate) async fn open_with(
    object: &StoreObject,
    ambient: Ambient,
) -> Result<Arc<dyn OpenedStore>, StoreFailure> {
    providers::open(object, &reached(ambient)).await
}

pub(crate) async fn open(object: &StoreObject) -> Arc<dyn OpenedStore> {
    open_with(object, Ambient::default()).await.unwrap()
}

/// What is asked; a path that ends in `/` is a folder.
pub(crate) fn query(path: &str) -> StoreQuery {
    StoreQuery {
        environment: None,
        path: RemotePath::parse(path).unwrap(),
        recursive: false,
        field: None,
        version: None,
        options: SourceOptions::None,
        on_behalf_of: None,
    }
}

/// `path name=value`, for each entry.
pub(crate) fn lines(snapshot: &Snapshot) -> Vec<String> {
    let line = |entry: &penstock_domain::bundle::SourceEntry| {
        let value = entry.value.expose_text().unwrap();
        format!("{} {}={value}", entry.path, entry.name)
    };
    snapshot.entries.iter().map(line).collect()
}

/// A region with one secret.
pub(crate) async fn region() -> FakeAws {
    let fake = FakeAws::start(Listen::Http).await.unwrap();
    fake.model().put("apps/db", "postgres://db");
    fake
}

fn trust(fake: &FakeAws, role: Role) {
    fake.model().roles.insert(ROLE.to_owned(), role);
}

async fn reads(store: &dyn OpenedStore) -> Result<(), Fault> {
    let snapshot = store.read("store", &query("apps/db")).await;
    let snapshot = snapshot.map_err(|failure| failure.fault)?;
    assert_eq!(lines(&snapshot), ["apps db=postgres://db"]);
    Ok(())
}

async fn open_and_read(object: &StoreObject, ambient: Ambient) -> Result<(), Fault> {
    let store = open_with(object, ambient).await;
    let store = store.map_err(|failure| failure.fault)?;
    reads(&*store).await
}

#[tokio::test]
async fn an_access_key_and_a_profile_of_a_file_sign_requests() {
    let fake = region().await;
    for auth in [access_key(), file()] {
        let object = secrets_manager(provider(&fake, Some(auth)));
        open_and_read(&object, Ambient::default()).await.unwrap();
    }
    assert_eq!(fake.sessions(), 0);
}

#[tokio::test]
async fn a_service_account_takes_on_a_role_once_for_all_readers() {
    let fake = region().await;
    trust(
        &fake,
        Role {
            tokens: ["jwt for SecretStore/prod/aws".to_owned()].into(),
            ..Role::default()
        },
    );
    let store = open(&secrets_manager(provider(&fake, Some(kubernetes())))).await;
    let both = futures::join!(reads(&*store), reads(&*store));
    both.0.unwrap();
    both.1.unwrap();
    reads(&*store).await.unwrap();
    assert_eq!(fake.sessions(), 1);
}

#[tokio::test]
async fn a_role_is_taken_on_with_word_and_tags() {
    let fake = region().await;
    let tags = [("team".to_owned(), "a b&c".to_owned())];
    trust(
        &fake,
        Role {
            keys: [KEY_ID.to_owned()].into(),
            external_id: Some("w&rd".to_owned()),
            tags: tags.clone().into(),
            ..Role::default()
        },
    );
    let of = |word: Option<&str>| {
        let mut provider = provider(&fake, Some(access_key()));
        provider.assume_role = Some(AwsAssumeRole {
            role_arn: ROLE.to_owned(),
            external_id: word.map(str::to_owned),
            tags: tags.clone().into(),
            duration: Some("15m".into()),
            ..AwsAssumeRole::default()
        });
        secrets_manager(provider)
    };
    open_and_read(&of(Some("w&rd")), Ambient::default())
        .await
        .unwrap();
    let refused = open_and_read(&of(None), Ambient::default())
        .await
        .unwrap_err();
    assert_eq!(refused.class, FaultClass::Denied);
    assert!(refused.to_string().contains("sts:AssumeRole"), "{refused}");
}

/// A key that takes on a role.
fn chained(fake: &FakeAws) -> AwsProvider {
    AwsProvider {
        assume_role: Some(AwsAssumeRole {
            role_arn: ROLE.to_owned(),
            ..AwsAssumeRole::default()
        }),
        ..provider(fake, Some(access_key()))
    }
}

#[tokio::test]
async fn a_session_that_aws_has_ended_is_replaced_within_the_read() {
    let fake = region().await;
    trust(
        &fake,
        Role {
            keys: [KEY_ID.to_owned()].into(),
            ..Role::default()
        },
    );
    // AWS ends it, whatever it said.
    let store = open(&secrets_manager(chained(&fake))).await;
    reads(&*store).await.unwrap();
    for (id, key) in &mut fake.model().keys {
        if id.starts_with("ASIA") {
            key.ends = Some(jiff::Timestamp::UNIX_EPOCH);
        }
    }
    reads(&*store).await.unwrap();
    assert_eq!(fake.sessions(), 2);
}

#[tokio::test]
async fn wrong_keys_are_told_without_telling_them() {
    let fake = region().await;
    let with = |change: &dyn Fn(&mut AwsAccessKey)| {
        let mut auth = access_key();
        change(auth.access_key.as_mut().unwrap());
        secrets_manager(provider(&fake, Some(auth)))
    };
    let objects = vec![
        with(&|key| key.secret_ref = reference("wrong")),
        with(&|key| key.id = Some("AKIAOTHER".to_owned().into())),
        with(&|key| key.session_token_ref = Some(reference("token"))),
    ];
    for object in objects {
        let store = open(&object).await;
        let failure = store.read("store", &query("apps/db")).await.unwrap_err();
        assert_eq!(failure.fault.class, FaultClass::Denied);
        assert_eq!(failure.fault.reason, Reason::CredentialsRefused);
        assert!(failure.blames_credentials);
        assert!(!format!("{failure:?}").contains("hunter2"));
        assert!(store.probe("store").await.is_err());
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_named() {
    let fake = region().await;
    fake.model().behaviour.clock_ahead = jiff::SignedDuration::from_mins(20);
    let store = open(&secrets_manager(provider(&fake, Some(access_key())))).await;
    let fault = reads(&*store).await.unwrap_err();
    assert!(fault.to_string().contains("clock"), "{fault}");
    let ahead = store.clock_ahead().unwrap().as_mins();
    assert!((19..=20).contains(&ahead));
}

#[tokio::test]
async fn a_file_that_leads_elsewhere_is_refused() {
    let fake = region().await;
    let mut auth = file();
    auth.credentials_file.as_mut().unwrap().secret_ref = reference("evil");
    let object = secrets_manager(provider(&fake, Some(auth)));
    let fault = open_and_read(&object, Ambient::default())
        .await
        .unwrap_err();
    assert_eq!(fault.class, FaultClass::Invalid);
    assert!(fault.to_string().contains("credential_process"), "{fault}");
    assert!(!fault.to_string().contains("/bin/sh"));
}

/// Everything that the process could be asked for.
fn tempting() -> Ambient {
    ambient(&[
        ("AWS_ACCESS_KEY_ID", KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
    ])
}

#[tokio::test]
async fn a_tenants_store_never_gets_the_operators_identity() {
    let fake = region().await;
    let anonymous = secrets_manager(provider(&fake, None));
    let mut claiming = anonymous.clone();
    claiming.identity = Identity::Operator;
    let mut credentials = anonymous.clone();
    credentials.reference.kind = StoreKind::Cluster;
    let mut profile = anonymous.clone();
    profile.provider.aws_secrets_manager.as_mut().unwrap().auth = Some(AwsAuth {
        profile: Some(AwsProfile {
            name: "default".to_owned(),
        }),
        ..AwsAuth::default()
    });
    for object in [&anonymous, &claiming, &credentials, &profile] {
        assert!(open_and_read(object, tempting()).await.is_err());
    }
    assert!(fake.server().seen().is_empty());
    // And the identity is a good one.
    let operators = operators(provider(&fake, None));
    open_and_read(&operators, tempting()).await.unwrap();
}

#[tokio::test]
async fn the_operators_identity_and_another_are_one_too_many() {
    let fake = region().await;
    let object = operators(provider(&fake, Some(access_key())));
    let fault = open_and_read(&object, tempting()).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Invalid);
    assert!(fault.subject.ends_with("awsSecretsManager.auth"), "{fault}");
}

#[tokio::test]
async fn a_token_file_of_the_environment_takes_on_its_role() {
    let fake = region().await;
    trust(
        &fake,
        Role {
            tokens: ["projected".to_owned()].into(),
            ..Role::default()
        },
    );
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), "projected\n").unwrap();
    let around = ambient(&[
        (
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            token.path().to_str().unwrap(),
        ),
        ("AWS_ROLE_ARN", ROLE),
    ]);
    let object = operators(provider(&fake, None));
    open_and_read(&object, around).await.unwrap();
}

fn keys_document() -> String {
    serde_json::json!({
        "Code": "Success", "AccessKeyId": "ASIACONTAINER", "SecretAccessKey": "s/1",
        "Token": "t==", "Expiration": "2999-01-01T00:00:00Z",
    })
    .to_string()
}

fn know_the_container(fake: &FakeAws) {
    let key = penstock_fakes::aws::Key {
        secret: "s/1".to_owned(),
        session_token: Some("t==".to_owned()),
        ends: None,
    };
    fake.model().keys.insert("ASIACONTAINER".to_owned(), key);
}

#[tokio::test]
async fn pod_identity_is_asked_with_the_token_of_its_file() {
    let fake = region().await;
    know_the_container(&fake);
    let service = TestServer::http(|request| {
        if request.header("authorization") == Some("pod token")
            && request.target == "/v1/credentials"
        {
            Reply::new(200, keys_document())
        } else {
            Reply::new(403, "")
        }
    })
    .await;
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), "pod token\n").unwrap();
    let address = format!("{}/v1/credentials", service.url());
    let around = ambient(&[
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &address),
        (
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
            token.path().to_str().unwrap(),
        ),
    ]);
    let object = operators(provider(&fake, None));
    open_and_read(&object, around).await.unwrap();
    assert_eq!(service.seen().len(), 1);
    // Without the token the service refuses, and nobody else is asked instead.
    let around = ambient(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &address)]);
    let fault = open_and_read(&object, around).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Unavailable);
}

fn metadata(request: &Received) -> Reply {
    let session = request.header("x-aws-ec2-metadata-token") == Some("imds session");
    let place = "/latest/meta-data/iam/security-credentials/";
    match (request.method.as_str(), request.target.as_str()) {
        ("PUT", "/latest/api/token")
            if request.header("x-aws-ec2-metadata-token-ttl-seconds") == Some("21600") =>
        {
            Reply::new(200, "imds session")
        }
        ("GET", target) if session && target == place => Reply::new(200, "node-role\n"),
        ("GET", target) if session && target == format!("{place}node-role") => {
            Reply::new(200, keys_document())
        }
        _ => Reply::new(401, ""),
    }
}

#[tokio::test]
async fn the_instance_is_asked_by_version_two_of_its_protocol() {
    let fake = region().await;
    know_the_container(&fake);
    let service = TestServer::http(metadata).await;
    let around = ambient(&[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &service.url())]);
    let object = operators(provider(&fake, None));
    open_and_read(&object, around).await.unwrap();
    assert_eq!(service.seen().len(), 3);
    let none = ambient(&[("AWS_EC2_METADATA_DISABLED", "true")]);
    let fault = open_and_read(&object, none).await.unwrap_err();
    assert_eq!(fault.reason, Reason::CredentialsRefused);
}

#[tokio::test]
async fn a_role_of_an_instance_that_is_no_name_is_not_asked_for() {
    let fake = region().await;
    let service = TestServer::http(|request| match request.method.as_str() {
        "PUT" => Reply::new(200, "imds session"),
        _ => Reply::new(200, "../../user-data"),
    })
    .await;
    let around = ambient(&[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &service.url())]);
    let object = operators(provider(&fake, None));
    assert!(open_and_read(&object, around).await.is_err());
    assert_eq!(service.seen().len(), 2);
}

#[tokio::test]
async fn a_person_uses_a_profile_of_the_own_files() {
    let fake = region().await;
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    let text = format!("[mine]\naws_access_key_id={KEY_ID}\naws_secret_access_key={SECRET}\n");
    std::fs::write(home.path().join(".aws/credentials"), text).unwrap();
    let of = |name: &str| {
        secrets_manager(provider(
            &fake,
            Some(AwsAuth {
                profile: Some(AwsProfile {
                    name: name.to_owned(),
                }),
                ..AwsAuth::default()
            }),
        ))
    };
    let person = || Ambient::default().of_person(Some(home.path().to_owned()));
    open_and_read(&of("mine"), person()).await.unwrap();
    let fault = open_and_read(&of("other"), person()).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Invalid);
    let operator = open_and_read(&of("mine"), Ambient::default()).await;
    assert_eq!(operator.unwrap_err().class, FaultClass::NotSupported);
}

#[tokio::test]
async fn addresses_of_a_namespace_are_public_and_have_no_path() {
    let fake = region().await;
    let with = |change: &dyn Fn(&mut AwsProvider)| {
        let mut provider = provider(&fake, Some(access_key()));
        change(&mut provider);
        secrets_manager(provider)
    };
    let closed = Reached {
        http: Arc::new(HttpLayer::new(Vec::<IpNet>::new())),
        ..reached(Ambient::default())
    };
    for address in [
        "http://169.254.169.254",
        "http://169.254.170.23",
        "https://127.0.0.1",
        "http://1.1.1.1",
    ] {
        for object in [
            with(&|provider| provider.endpoint = Some(address.to_owned())),
            with(&|provider| provider.sts_endpoint = Some(address.to_owned())),
        ] {
            let Err(failure) = providers::open(&object, &closed).await else {
                panic!("{address} is refused")
            };
            assert_eq!(failure.fault.reason, Reason::EgressDenied, "{address}");
        }
    }
    let wrong = vec![
        (
            with(&|provider| provider.endpoint = Some("https://aws.example/x".to_owned())),
            "endpoint",
        ),
        (
            with(&|provider| provider.region = "eu.evil.example/".to_owned()),
            "region",
        ),
        (with(&|provider| provider.region = String::new()), "region"),
    ];
    for (object, field) in wrong {
        let Err(failure) = open_with(&object, Ambient::default()).await else {
            panic!("{field} is refused")
        };
        assert_eq!(failure.fault.class, FaultClass::Invalid);
        assert!(failure.fault.subject.ends_with(field), "{}", failure.fault);
    }
}

#[test]
fn the_usual_hosts_are_those_of_the_partition() {
    let host = |region: &str| {
        AwsProvider {
            region: region.to_owned(),
            ..AwsProvider::default()
        }
        .usual_host("ssm")
    };
    assert_eq!(host("eu-central-1"), "ssm.eu-central-1.amazonaws.com");
    assert_eq!(host("us-gov-west-1"), "ssm.us-gov-west-1.amazonaws.com");
    assert_eq!(host("cn-north-1"), "ssm.cn-north-1.amazonaws.com.cn");
}

/// See [`crate::test_failures`]: a store at a region, whose identity `deny` takes something from.
pub(crate) fn patient_of(
    fake: FakeAws,
    (store, paths): (StoreObject, (&str, &str)),
    deny: impl Fn(&mut penstock_fakes::aws::Model) + Send + Sync + 'static,
) -> Patient {
    use penstock_fakes::aws::Outage as Own;
    use penstock_fakes::outage::Outage;
    let store = OneStore::with(store, credentials(), &["127.0.0.0/8"]);
    Patient::new(store, paths, move |illness| {
        let mut model = fake.model();
        match illness {
            Illness::Denied => deny(&mut model),
            Illness::Throttled => model.behaviour.throttle = 1000,
            illness => {
                model.behaviour.outage = illness.outage().map(|outage| match outage {
                    Outage::Stumbles(status) => Own::Answers(
                        status,
                        r#"{"__type":"InternalServiceError","Message":"PROVIDER SAYS"}"#.to_owned(),
                    ),
                    Outage::Proxy(status, body) => Own::Answers(status, body),
                    Outage::HangsUp => Own::HangsUp,
                    Outage::Half => Own::Half,
                });
            }
        }
        true
    })
}

/// A key that the region does not know.
pub(crate) fn wrong_key() -> AwsAuth {
    AwsAuth {
        access_key: Some(AwsAccessKey {
            id: Some(KEY_ID.to_owned().into()),
            secret_ref: reference("wrong"),
            ..AwsAccessKey::default()
        }),
        ..AwsAuth::default()
    }
}
