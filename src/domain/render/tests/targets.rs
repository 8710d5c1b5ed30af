//! What targets take and refuse.

use crate::bundle::Bundle;
use crate::conditions::Reason;
use crate::names::SourceName;
use crate::render::fixtures::{
    entry, key, rendered, sentences, snapshot, source, sync, tagged, target, texts,
};
use crate::render::{MAX_OBJECT_BYTES, target_data};
use crate::sync::{Destination, SecretType, ValidatedTarget};

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n";
const PRIVATE_KEY: &str = "-----BEGIN PRIVATE KEY-----\nAQID\n-----END PRIVATE KEY-----\n";

fn bundle_of(pairs: &[(&str, &str)]) -> Bundle {
    rendered(&sync(vec![source("vault")]), &[texts(pairs)]).unwrap()
}

fn typed(secret_type: SecretType) -> ValidatedTarget {
    let mut target = target("app");
    if let Destination::Secret(secret) = &mut target.destination {
        secret.secret_type = secret_type;
    }
    target
}

fn refused(bundle: &Bundle, target: &ValidatedTarget) -> Vec<String> {
    sentences(&target_data(bundle, target).unwrap_err())
}

#[test]
fn a_target_takes_what_every_part_of_its_selection_agrees_on() {
    let sync = sync(vec![source("one"), source("two")]);
    let one = snapshot(vec![
        tagged("db/A", "1", &["api", "prod"]),
        tagged("db/x/B", "2", &["worker"]),
        tagged("dbx/C", "3", &["api"]),
    ]);
    let bundle = rendered(&sync, &[one, texts(&[("D", "4")])]).unwrap();
    let names = |target: &ValidatedTarget| {
        let data = target_data(&bundle, target).unwrap();
        data.keys().map(ToString::to_string).collect::<String>()
    };
    let mut all = target("app");
    assert_eq!(names(&all), "ABCD");
    all.select.paths = vec!["db".to_owned()];
    assert_eq!(names(&all), "AB");
    all.select.tags_any = ["api".to_owned()].into();
    assert_eq!(names(&all), "A");
    all.select.tags_all = ["staging".to_owned()].into();
    assert_eq!(names(&all), "");
    let mut one = target("app");
    one.select.sources = [SourceName::new("two").unwrap()].into();
    assert_eq!(names(&one), "D");
    let mut some = target("app");
    some.select.matching = Some(regex::Regex::new("^[AB]$").unwrap());
    some.select.keys = [key("B"), key("D")].into();
    assert_eq!(names(&some), "B");
}

#[test]
fn key_names_that_kubernetes_refuses_are_told_by_name() {
    let bundle = bundle_of(&[("a b", "x"), ("fine", "x"), ("ü", "x")]);
    assert_eq!(
        refused(&bundle, &target("app")),
        [
            "KeyNotAccepted spec.targets[app][a b]: Kubernetes does not accept the key `a b`",
            "KeyNotAccepted spec.targets[app][ü]: Kubernetes does not accept the key `ü`",
        ]
    );
}

#[test]
fn keys_that_steer_programs_are_refused_unless_spelt_out() {
    let bundle = bundle_of(&[("LD_PRELOAD", "x"), ("A", "x"), ("https_proxy", "x")]);
    let mut target = target("app");
    let faults = target_data(&bundle, &target).unwrap_err();
    assert_eq!(faults.len(), 2);
    for fault in &faults {
        assert_eq!(fault.reason, Reason::KeyNotAccepted);
        assert!(fault.hint.as_ref().unwrap().contains("select.keys"));
    }
    target.select.matching = Some(regex::Regex::new(".").unwrap());
    assert!(
        target_data(&bundle, &target).is_err(),
        "a pattern spells nothing out"
    );
    target.select.keys = [key("LD_PRELOAD"), key("A")].into();
    assert_eq!(target_data(&bundle, &target).unwrap().len(), 2);
}

#[test]
fn typed_secrets_hold_what_their_type_says() {
    let docker = r#"{"auths": {"ghcr.io": {"auth": "eA=="}}}"#;
    let good: &[(SecretType, &[(&str, &str)])] = &[
        (SecretType::Opaque, &[]),
        (
            SecretType::DockerConfigJson,
            &[(".dockerconfigjson", docker)],
        ),
        (
            SecretType::Tls,
            &[
                ("tls.crt", CERTIFICATE),
                ("tls.key", PRIVATE_KEY),
                ("ca.crt", "x"),
            ],
        ),
        (SecretType::SshAuth, &[("ssh-privatekey", PRIVATE_KEY)]),
        (SecretType::BasicAuth, &[("username", "x")]),
        (SecretType::BasicAuth, &[("password", "x")]),
        (SecretType::Custom("example.com/x".to_owned()), &[]),
    ];
    for (secret_type, pairs) in good {
        let data = target_data(&bundle_of(pairs), &typed(secret_type.clone()));
        assert!(data.is_ok(), "{secret_type:?}: {data:?}");
    }
}

type Pairs = &'static [(&'static str, &'static str)];

const BAD_TYPES: &[(SecretType, Pairs, &str)] = &[
    (
        SecretType::DockerConfigJson,
        &[(".dockerconfigjson", "{\"auths\": 1}")],
        "RenderFailed spec.targets[app][.dockerconfigjson]: `.dockerconfigjson` is not a JSON object \
         with `auths`",
    ),
    (
        SecretType::DockerConfigJson,
        &[],
        "RequiredKeyMissing spec.targets[app]: a Secret of type kubernetes.io/dockerconfigjson needs \
         `.dockerconfigjson`",
    ),
    (
        SecretType::Tls,
        &[("tls.crt", PRIVATE_KEY), ("tls.key", PRIVATE_KEY)],
        "RenderFailed spec.targets[app][tls.crt]: `tls.crt` is not a PEM certificate",
    ),
    (
        SecretType::Tls,
        &[("tls.crt", CERTIFICATE)],
        "RequiredKeyMissing spec.targets[app]: a Secret of type kubernetes.io/tls needs `tls.key`",
    ),
    (
        SecretType::SshAuth,
        &[("ssh-privatekey", "hunter2")],
        "RenderFailed spec.targets[app][ssh-privatekey]: `ssh-privatekey` is not a PEM private key",
    ),
    (
        SecretType::BasicAuth,
        &[("user", "x")],
        "RequiredKeyMissing spec.targets[app]: a Secret of type kubernetes.io/basic-auth needs \
         `username` or `password`",
    ),
];

#[test]
fn typed_secrets_that_lack_or_bend_a_key_are_refused() {
    for (secret_type, pairs, expected) in BAD_TYPES {
        assert_eq!(
            refused(&bundle_of(pairs), &typed(secret_type.clone())),
            [*expected],
        );
    }
}

#[test]
fn a_target_holds_one_mebibyte_of_values() {
    let sync = sync(vec![source("vault")]);
    let sized = |bytes: usize| {
        let answer = snapshot(vec![
            entry("big", vec![b'x'; bytes - 1]),
            entry("small", "x"),
        ]);
        rendered(&sync, &[answer]).unwrap()
    };
    assert!(target_data(&sized(MAX_OBJECT_BYTES), &target("app")).is_ok());
    assert_eq!(
        refused(&sized(MAX_OBJECT_BYTES + 1), &target("app")),
        [
            "TooLarge spec.targets[app]: the values are larger than the 1048576 bytes that a Secret holds; \
             the largest is `big`"
        ]
    );
}
