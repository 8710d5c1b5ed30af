//! Whether a request is believed, and what comes of it.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use penstock_domain::api::store::Webhook;
use penstock_domain::hooks::RefuseHook;
use penstock_domain::names::{NamespaceName, ObjectName};
use penstock_domain::ports::Clock;
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::Credentials;
use penstock_observability::telemetry::{HookOutcome, HookReceived};
use tokio::time::Instant;

use super::addresses::Addresses;
use crate::hints::StoreHints;
use crate::world::{StoreKey, World};

/// Receives hints for the leader. Others cannot do anything about them.
pub struct HookReceiver {
    world: Arc<World>,
    credentials: Arc<dyn Credentials>,
    clock: Arc<dyn Clock>,
    hints: Arc<StoreHints>,
    addresses: Mutex<Addresses>,
}

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// It will be read.
    Accepted,
    /// There is no such endpoint, or the request is not signed as it should be: nobody is told which.
    Refused,
    /// This process does not lead, or cannot ask for the key.
    Unavailable,
}

impl HookReceiver {
    /// A receiver that knows of stores by `world`, fetches their keys by `credentials`, and hands on `hints`.
    pub fn new(
        world: Arc<World>,
        credentials: Arc<dyn Credentials>,
        clock: Arc<dyn Clock>,
        hints: Arc<StoreHints>,
    ) -> Self {
        Self {
            world,
            credentials,
            clock,
            hints,
            addresses: Mutex::default(),
        }
    }

    /// Whether an address may ask at all.
    pub(super) fn admits(&self, address: IpAddr) -> bool {
        let mut addresses = self
            .addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        addresses.admit(address, Instant::now())
    }

    /// Takes one request to `path`. `signature` gives a header by its name.
    pub(super) async fn receive(
        &self,
        path: &str,
        signature: impl Fn(&'static str) -> Option<String>,
        body: &[u8],
    ) -> Answer {
        if !self.hints.is_heard() {
            return Answer::Unavailable;
        }
        let named = store_of(path).and_then(|key| {
            let webhook = self.world.store(&key)?.webhook.clone()?;
            Some((key, webhook))
        });
        let Some((key, webhook)) = named else {
            return Answer::Refused;
        };
        let secret = match self.secret(&key, &webhook).await {
            Ok(secret) => secret,
            Err(answer) => {
                told(&key, HookOutcome::NoKey);
                return answer;
            }
        };
        let header = signature(webhook.signature.header()).unwrap_or_default();
        let now = self.clock.now();
        if let Err(refusal) = webhook.signature.verify(&secret, &header, body, now) {
            told(&key, outcome(refusal));
            return Answer::Refused;
        }
        told(&key, HookOutcome::Accepted);
        self.hints.hint(key);
        Answer::Accepted
    }

    async fn secret(&self, key: &StoreKey, webhook: &Webhook) -> Result<SecretValue, Answer> {
        let home = key.namespace().unwrap_or(self.world.operator_namespace());
        let name = ObjectName::new(webhook.secret.name.as_str()).map_err(|_| Answer::Refused)?;
        let secret = self
            .credentials
            .secret_key(home, &name, &webhook.secret.key)
            .await;
        secret.map_err(|fault| {
            if fault.class.is_transient() {
                Answer::Unavailable
            } else {
                Answer::Refused
            }
        })
    }
}

/// `/hooks/namespaces/<namespace>/<store>` or `/hooks/clusterstores/<store>`, and nothing else.
fn store_of(path: &str) -> Option<StoreKey> {
    let rest = path.strip_prefix("/hooks/")?;
    if let Some(name) = rest.strip_prefix("clusterstores/") {
        return Some(StoreKey::new(None, ObjectName::new(name).ok()?));
    }
    let (namespace, name) = rest.strip_prefix("namespaces/")?.split_once('/')?;
    let namespace = NamespaceName::new(namespace).ok()?;
    Some(StoreKey::new(Some(namespace), ObjectName::new(name).ok()?))
}

fn told(key: &StoreKey, outcome: HookOutcome) {
    HookReceived {
        kind: key.kind(),
        object: &key.to_string(),
        outcome,
    }
    .emit();
}

fn outcome(refusal: RefuseHook) -> HookOutcome {
    match refusal {
        RefuseHook::NoKey => HookOutcome::NoKey,
        RefuseHook::Malformed | RefuseHook::Wrong => HookOutcome::BadSignature,
        RefuseHook::Outdated => HookOutcome::Outdated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_one_store() {
        let named = |path: &str| store_of(path).map(|key| format!("{} {key}", key.kind()));
        assert_eq!(
            named("/hooks/namespaces/prod/infisical").as_deref(),
            Some("SecretStore prod/infisical")
        );
        assert_eq!(
            named("/hooks/clusterstores/shared.eu").as_deref(),
            Some("ClusterSecretStore shared.eu")
        );
        for path in [
            "",
            "/",
            "/hooks/",
            "/hooks/clusterstores/",
            "/hooks/clusterstores/a/b",
            "/hooks/namespaces/prod",
            "/hooks/namespaces/prod/",
            "/hooks/namespaces//a",
            "/hooks/namespaces/prod/a/b",
            "/hooks/namespaces/PROD/a",
            "/hooks/namespaces/../a",
            "/hooks/namespaces/prod/%61",
            "//hooks/clusterstores/a",
        ] {
            assert_eq!(named(path), None, "{path}");
        }
    }
}
