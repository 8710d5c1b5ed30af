//! The stand-in of Infisical that the examples read, under the names that stand in them.

use penstock_fakes::infisical::{Grant, Identity};
use penstock_fakes::{FakeInfisical, Listen};

use super::checkout::Checkout;
use crate::cli::marker;

/// What stands in the examples until somebody fills it in.
const ADDRESS: &str = "https://app.infisical.com";
const PROJECT: &str = "00000000-0000-4000-8000-000000000000";
const CLIENT: &str = "00000000-0000-4000-8000-000000000001";
const CLIENT_SECRET: &str = "CLIENT_SECRET=fill-me";

/// One project, and one identity that may do with it what `write` says.
pub(super) async fn infisical(write: bool) -> Result<FakeInfisical, super::Failure> {
    let fake = FakeInfisical::start(Listen::Http).await?;
    let identity = Identity {
        client_id: CLIENT.to_owned(),
        client_secrets: [client_secret()].into(),
        ttl: 7200,
        max_ttl: 7200,
        grants: vec![Grant {
            write,
            ..Grant::reader(PROJECT)
        }],
        ..Identity::default()
    };
    fake.model().identities.insert("i-1".to_owned(), identity);
    Ok(fake)
}

/// What the identity logs in with.
pub(super) fn client_secret() -> String {
    marker("client-secret")
}

/// Puts a secret with tags there.
pub(super) fn put(
    fake: &FakeInfisical,
    at: (&str, &str),
    (name, value): (&str, &str),
    tags: &[&str],
) {
    let mut model = fake.model();
    let (environment, path) = at;
    model.put((PROJECT, environment, path), name, value);
    if let Some(project) = model.projects.get_mut(PROJECT) {
        for tag in tags {
            project.tags.insert(format!("tag-{tag}"), (*tag).to_owned());
        }
    }
    let folder = model.folder(PROJECT, environment, path);
    let secret = folder.secrets.entry(name.to_owned()).or_default();
    secret.tags = tags.iter().map(ToString::to_string).collect();
}

/// The value of a secret as it is now.
pub(super) fn value(
    fake: &FakeInfisical,
    (environment, path): (&str, &str),
    name: &str,
) -> Option<String> {
    let mut model = fake.model();
    let secret = model.folder(PROJECT, environment, path).secrets.get(name)?;
    secret.versions.last().map(|version| version.value.clone())
}

/// Fills in the address of the stand-in, and the credentials where the example has a place for them.
pub(super) fn fill_in(checkout: &Checkout, fake: &FakeInfisical) {
    checkout.fill_in(ADDRESS, &fake.server().address());
    if checkout.path("infisical.env.example").is_file() {
        let secret = format!("CLIENT_SECRET={}", client_secret());
        checkout.fill_in(CLIENT_SECRET, &secret);
    }
}
