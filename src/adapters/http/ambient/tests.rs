use std::io::Write as _;

use ipnet::IpNet;
use penstock_domain::api::store::Provider;
use penstock_domain::names::{NamespaceName, ObjectName};
use penstock_domain::sync::{StoreKind, StoreReference};

use super::super::egress::Refusal;
use super::super::endpoint::ParseAddress;
use super::super::test_server::{Reply, TestServer};
use super::*;

fn ambient(variables: &[(&str, &str)]) -> Ambient {
    let owned = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
    Ambient::of_process(variables.iter().map(owned))
}

fn store(kind: StoreKind, identity: Identity) -> StoreObject {
    StoreObject {
        reference: StoreReference {
            kind,
            name: ObjectName::new("cloud").unwrap(),
        },
        home: NamespaceName::new("penstock-system").unwrap(),
        uid: "u-1".to_owned(),
        generation: 1,
        provider: Provider::default(),
        limits: StoreLimits::default(),
        identity,
        allow: Vec::new(),
    }
}

fn granted(variables: &[(&str, &str)]) -> OperatorIdentity {
    let store = store(StoreKind::Cluster, Identity::Operator);
    ambient(variables).grant(&store).unwrap()
}

fn authority(service: CredentialService, variables: &[(&str, &str)]) -> Option<String> {
    let place = granted(variables).0.place(service).unwrap();
    place.map(|place| place.authority)
}

#[test]
fn no_store_but_the_administrators_that_says_so_gets_the_identity() {
    let ambient = ambient(&[("AWS_ACCESS_KEY_ID", "AKIA")]);
    for (kind, identity) in [
        (StoreKind::Namespaced, Identity::Credentials),
        (StoreKind::Namespaced, Identity::Operator),
        (StoreKind::Cluster, Identity::Credentials),
    ] {
        let Err(error) = ambient.grant(&store(kind, identity)) else {
            panic!("{kind:?} {identity:?} is refused")
        };
        assert_eq!(error, UseAmbient::NotGranted);
        let fault = error.fault("SecretStore a");
        assert_eq!(fault.class, FaultClass::Denied);
        assert_eq!(fault.reason, Reason::CredentialsRefused);
    }
    assert!(
        ambient
            .grant(&store(StoreKind::Cluster, Identity::Operator))
            .is_ok()
    );
}

#[test]
fn a_process_without_surroundings_has_no_identity() {
    let none = Ambient::default();
    let identity = none
        .grant(&store(StoreKind::Cluster, Identity::Operator))
        .unwrap();
    assert_eq!(identity.variable("AWS_ACCESS_KEY_ID"), None);
    assert!(matches!(none.person(), Err(UseAmbient::NoPerson)));
}

#[test]
fn variables_of_others_are_not_kept_and_values_are_not_shown() {
    let ambient = ambient(&[
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
        ("DATABASE_URL", "postgres://hunter2"),
        ("AWS_PROFILE", ""),
    ]);
    assert_eq!(
        format!("{ambient:?}"),
        r#"Ambient(["AWS_SECRET_ACCESS_KEY"])"#
    );
}

#[test]
fn each_service_has_its_documented_place() {
    use CredentialService::*;
    let none: &[(&str, &str)] = &[];
    assert_eq!(
        authority(AwsInstance, none).as_deref(),
        Some("169.254.169.254")
    );
    assert_eq!(
        authority(
            AwsInstance,
            &[("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv6")]
        )
        .as_deref(),
        Some("[fd00:ec2::254]")
    );
    assert_eq!(
        authority(AwsInstance, &[("AWS_EC2_METADATA_DISABLED", "True")]),
        None
    );
    assert_eq!(authority(AwsContainer, none), None);
    assert_eq!(
        authority(
            AwsContainer,
            &[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x")]
        )
        .as_deref(),
        Some("169.254.170.2")
    );
    assert_eq!(
        authority(GoogleMetadata, none).as_deref(),
        Some("169.254.169.254")
    );
    assert_eq!(
        authority(
            GoogleMetadata,
            &[("GCE_METADATA_HOST", "metadata.google.internal")]
        )
        .as_deref(),
        Some("169.254.169.254")
    );
    assert_eq!(
        authority(AzureInstance, none).as_deref(),
        Some("169.254.169.254")
    );
    assert_eq!(authority(AzureApp, none), None);
    assert_eq!(
        authority(
            AzureApp,
            &[("IDENTITY_ENDPOINT", "http://localhost:42356/msi/token")]
        )
        .as_deref(),
        Some("127.0.0.1:42356")
    );
}

#[test]
fn an_address_of_the_environment_must_be_one_of_a_credential_service() {
    use CredentialService::*;
    let full = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
    for address in [
        "http://169.254.170.23/v1/credentials",
        "http://[fd00:ec2::23]/v1/credentials",
        "http://127.0.0.1:51679/get",
        "http://[::1]:51679/get",
    ] {
        assert!(
            authority(AwsContainer, &[(full, address)]).is_some(),
            "{address}"
        );
    }
    for (service, variable, address) in [
        (AwsContainer, full, "http://10.0.0.1/creds"),
        (AwsContainer, full, "http://1.1.1.1/creds"),
        (AwsContainer, full, "http://evil.example/creds"),
        (AwsContainer, full, "https://169.254.170.23/creds"),
        (AwsContainer, full, "http://u:p@169.254.170.23/creds"),
        (AwsContainer, full, "file:///etc/passwd"),
        (
            AwsContainer,
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "@evil.example/",
        ),
        (
            AwsContainer,
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            ".evil.example/",
        ),
        (
            AwsInstance,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT",
            "http://10.0.0.1",
        ),
        (GoogleMetadata, "GCE_METADATA_HOST", "evil.example"),
        (GoogleMetadata, "GCE_METADATA_HOST", "8.8.8.8"),
        (
            AzureInstance,
            "AZURE_POD_IDENTITY_AUTHORITY_HOST",
            "http://10.0.0.1",
        ),
        (AzureApp, "IDENTITY_ENDPOINT", "http://10.0.0.1/msi/token"),
    ] {
        let Err(error) = granted(&[(variable, address)]).0.place(service) else {
            panic!("{address} is refused")
        };
        assert_eq!(error, UseAmbient::Address { variable }, "{address}");
        assert!(
            !error.fault("store").to_string().contains("evil"),
            "not repeated"
        );
    }
}

#[tokio::test]
async fn a_granted_identity_reaches_the_service_and_asks_below_its_path() {
    let server = TestServer::http(|_| Reply::new(200, "{}")).await;
    let address = format!("{}/v1/credentials?id=7", server.url());
    let identity = granted(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &address)]);
    // Nothing is on the administrator's list.
    let layer = HttpLayer::new(Vec::<IpNet>::new());
    let client = identity
        .service(&layer, CredentialService::AwsContainer)
        .unwrap()
        .unwrap();
    let request = client.get(&["more"]).query("a", "b");
    assert_eq!(client.http.send(&request).await.unwrap().status, 200);
    assert_eq!(server.seen()[0].target, "/v1/credentials/more?id=7&a=b");
}

#[tokio::test]
async fn a_service_that_sends_us_elsewhere_is_not_followed() {
    let elsewhere = TestServer::http(|_| Reply::new(200, "{}")).await;
    let location = format!("{}/stolen", elsewhere.url());
    let server = TestServer::http(move |_| Reply::new(307, "").header("location", &location)).await;
    let identity = granted(&[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &server.url())]);
    let layer = HttpLayer::new(Vec::<IpNet>::new());
    let client = identity
        .service(&layer, CredentialService::AwsInstance)
        .unwrap()
        .unwrap();
    assert!(client.http.send(&client.get(&["latest"])).await.is_err());
    assert!(elsewhere.seen().is_empty());
}

#[test]
fn the_client_of_a_store_is_refused_what_the_identity_may_ask() {
    let layer = HttpLayer::new(Vec::<IpNet>::new()).with_ambient(ambient(&[]));
    for origin in [Origin::Namespace, Origin::Administrator] {
        for address in [INSTANCE, INSTANCE_V6, CONTAINER, "http://169.254.170.23"] {
            let refused = layer.client(&ClientSettings {
                address,
                origin,
                namespace: "",
                tls: &TlsSettings::default(),
                limits: &StoreLimits::default(),
            });
            assert_eq!(
                refused.err(),
                Some(OpenClient::Address(ParseAddress::Refused(
                    Refusal::Metadata
                ))),
                "{address}"
            );
        }
    }
}

#[tokio::test]
async fn token_files_are_read_anew_and_bounded() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"one").unwrap();
    let path = file.path().to_str().unwrap().to_owned();
    let identity = granted(&[("AWS_WEB_IDENTITY_TOKEN_FILE", &path)]);
    let read = || identity.file("AWS_WEB_IDENTITY_TOKEN_FILE");
    assert_eq!(read().await, Ok(Some(SecretValue::from("one"))));
    std::fs::write(&path, "two").unwrap();
    assert_eq!(read().await, Ok(Some(SecretValue::from("two"))));
    std::fs::write(
        &path,
        vec![b'x'; usize::try_from(MAX_FILE_BYTES).unwrap() + 1],
    )
    .unwrap();
    let failed = Err(UseAmbient::File {
        variable: "AWS_WEB_IDENTITY_TOKEN_FILE",
    });
    assert_eq!(read().await, failed, "too large");
    drop(file);
    assert_eq!(read().await, failed, "gone");
    assert_eq!(
        granted(&[]).file("AWS_WEB_IDENTITY_TOKEN_FILE").await,
        Ok(None)
    );
}

#[tokio::test]
async fn a_person_has_files_at_home_or_where_a_variable_says() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    std::fs::write(home.path().join(".aws/credentials"), "usual").unwrap();
    let elsewhere = home.path().join("other");
    std::fs::write(&elsewhere, "named").unwrap();
    let variable = "AWS_SHARED_CREDENTIALS_FILE";
    let of = |variables: &[(&str, &str)]| {
        ambient(variables)
            .of_person(Some(home.path().to_owned()))
            .person()
            .unwrap()
    };
    let usual = of(&[]).file(variable, ".aws/credentials").await;
    assert_eq!(usual, Ok(Some(SecretValue::from("usual"))));
    let named = of(&[(variable, elsewhere.to_str().unwrap())]);
    let named = named.file(variable, ".aws/credentials").await;
    assert_eq!(named, Ok(Some(SecretValue::from("named"))));
    assert_eq!(of(&[]).file(variable, ".aws/none").await, Ok(None));
}
