//! Looking for values where none may be.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, ListParams};
use kube::core::NamespaceResourceScope;
use kube::{Resource, ResourceExt};
use penstock_testbed::Failure;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::place::Stage;

/// The word that every value of a test holds.
pub(super) const MARKER: &str = "t0psecret";
/// The same in base64, at each of the three places where it can begin; what neighbours change is cut off.
const ENCODED: [&str; 3] = ["dDBwc2VjcmV0", "QwcHNlY3Jld", "0MHBzZWNyZX"];

/// Whether a text holds the marker, plain or in base64.
pub(super) fn holds_marker(text: &str) -> bool {
    text.contains(MARKER) || ENCODED.iter().any(|encoded| text.contains(encoded))
}

impl Stage {
    /// Fails if a value, or the store's token, stands in the operator's log, or in a status, an event or an
    /// annotation of the namespace.
    pub(super) async fn leaks_nothing(&self) -> Result<(), Failure> {
        let mut leaks = Vec::new();
        let log = self.log();
        let lines = log.lines().filter(|line| self.shows_a_value(line));
        leaks.extend(lines.map(|line| format!("log: {line}")));
        // Not their specs: they may hold literals, and one of them may be unreadable.
        for kind in ["SecretSync", "SecretStore"] {
            for object in self.objects(kind).await? {
                if self.shows_a_value(&told(&object.data["status"])) {
                    leaks.push(format!("{kind} {}", object.name_any()));
                }
            }
        }
        self.look_at::<Event>(&mut leaks, told).await?;
        // The administrator's own hand edits stand in managedFields as names only.
        self.look_at::<Secret>(&mut leaks, |secret| told(&secret.metadata))
            .await?;
        self.look_at::<ConfigMap>(&mut leaks, |map| told(&map.metadata))
            .await?;
        self.look_at::<Deployment>(&mut leaks, told).await?;
        if leaks.is_empty() {
            return Ok(());
        }
        Err(Failure::because(format!(
            "values leaked:\n{}",
            leaks.join("\n")
        )))
    }

    async fn look_at<K>(
        &self,
        leaks: &mut Vec<String>,
        shown: impl Fn(&K) -> String,
    ) -> Result<(), Failure>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
        K: Clone + std::fmt::Debug + DeserializeOwned,
    {
        let api: Api<K> = self.namespace.api();
        for object in api.list(&ListParams::default()).await? {
            if self.shows_a_value(&shown(&object)) {
                leaks.push(format!("{} {}", K::kind(&()), object.name_any()));
            }
        }
        Ok(())
    }

    fn shows_a_value(&self, text: &str) -> bool {
        holds_marker(text) || text.contains(self.vault_token())
    }
}

fn told(part: &impl Serialize) -> String {
    serde_json::to_string(part).unwrap_or_default()
}

#[test]
fn the_marker_is_found_wherever_it_begins() {
    for plain in ["t0psecret", "xt0psecret", "xyt0psecrety", "a t0psecret b"] {
        assert!(holds_marker(plain), "{plain}");
    }
    // base64 of "t0psecret", "xt0psecret-1" and "xyt0psecret!".
    for encoded in ["dDBwc2VjcmV0", "eHQwcHNlY3JldC0x", "eHl0MHBzZWNyZXQh"] {
        assert!(holds_marker(encoded), "{encoded}");
    }
    assert!(!holds_marker("top secret"));
}
