//! What every store's spec may name: keys of Secrets and ConfigMaps of its home, authorities, a ServiceAccount.

use penstock_domain::api::shared::{ConfigMapKeyRef, SecretKeyRef, ServiceAccountRef};
use penstock_domain::api::store::Identity;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::ObjectName;
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::{Credentials, StoreObject, TokenRequest};

use crate::http::ambient::{OperatorIdentity, UseAmbient};

/// How long a ServiceAccount's token for one login lives: the shortest that Kubernetes gives out.
const TOKEN_LIFETIME_SECONDS: i64 = 600;

/// Why the settings of a store cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadSettings {
    /// A field of `spec.provider.<system>` makes no sense.
    #[error("read the settings: {field} {message}")]
    Field {
        /// The field below the system's.
        field: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// A Secret, ConfigMap or ServiceAccount that the store names.
    #[error("fetch what the store logs in with")]
    Fetch(#[source] Fault),
    /// The operator's own identity.
    #[error("use the operator's own identity")]
    Ambient(#[source] UseAmbient),
}

impl ReadSettings {
    /// A field that makes no sense.
    pub(crate) fn field(field: &'static str, message: impl Into<String>) -> Self {
        Self::Field {
            field,
            message: message.into(),
        }
    }

    /// The fault; `provider` leads to the system's fields, such as `SecretStore a spec.provider.vault`.
    pub(crate) fn fault(&self, provider: &str) -> Fault {
        match self {
            Self::Field { field, message } => {
                Fault::new(FaultClass::Invalid, format!("{provider}.{field}"), message)
            }
            Self::Fetch(fault) => fault.clone(),
            Self::Ambient(error) => error.fault(provider),
        }
    }
}

/// Fetches what one store names. Nothing else can be named through it than what lies in the store's home.
pub(crate) struct Named<'a> {
    store: &'a StoreObject,
    credentials: &'a dyn Credentials,
}

impl<'a> Named<'a> {
    /// Refuses a store that wants the operator's own identity, which goes to the API server alone.
    pub(crate) fn of(
        store: &'a StoreObject,
        credentials: &'a dyn Credentials,
    ) -> Result<Self, ReadSettings> {
        if store.identity == Identity::Operator {
            return Err(ReadSettings::field(
                "auth",
                "the operator's own identity goes to the API server alone: set identity: credentials",
            ));
        }
        Ok(Self { store, credentials })
    }

    /// The same for a store that has been granted the operator's own identity: it still may name authorities.
    pub(crate) fn beside(
        store: &'a StoreObject,
        credentials: &'a dyn Credentials,
        _granted: &OperatorIdentity,
    ) -> Self {
        Self { store, credentials }
    }

    /// One key of a Secret, byte for byte.
    pub(crate) async fn secret(
        &self,
        field: &'static str,
        reference: &SecretKeyRef,
    ) -> Result<SecretValue, ReadSettings> {
        let name = object_name(field, &reference.name)?;
        self.credentials
            .secret_key(&self.store.home, &name, &reference.key)
            .await
            .map_err(ReadSettings::Fetch)
    }

    /// One key of a Secret, without blanks and line breaks at the ends.
    pub(crate) async fn token(
        &self,
        field: &'static str,
        reference: &SecretKeyRef,
    ) -> Result<SecretValue, ReadSettings> {
        Ok(trimmed(&self.secret(field, reference).await?))
    }

    /// The authorities to trust, wherever they lie: written out, in a Secret or in a ConfigMap.
    pub(crate) async fn authorities(
        &self,
        places: (
            &Option<String>,
            &Option<SecretKeyRef>,
            &Option<ConfigMapKeyRef>,
        ),
    ) -> Result<Option<Vec<u8>>, ReadSettings> {
        match places {
            (None, None, None) => Ok(None),
            (Some(bundle), None, None) => Ok(Some(bundle.clone().into_bytes())),
            (None, Some(reference), None) => {
                let value = self.secret("caSecretRef", reference).await?;
                Ok(Some(value.expose().to_vec()))
            }
            (None, None, Some(reference)) => {
                let name = object_name("caConfigMapRef", &reference.name)?;
                let text = self
                    .credentials
                    .config_map_key(&self.store.home, &name, &reference.key)
                    .await
                    .map_err(ReadSettings::Fetch)?;
                Ok(Some(text.into_bytes()))
            }
            _ => Err(ReadSettings::field(
                "caBundle",
                "set one of caBundle, caSecretRef, caConfigMapRef",
            )),
        }
    }

    /// Asks for tokens of a ServiceAccount that serve this store only. `field` is where the store names it.
    pub(crate) fn token_request(
        &self,
        field: &'static str,
        account: &ServiceAccountRef,
    ) -> Result<TokenRequest, ReadSettings> {
        Ok(TokenRequest {
            namespace: self.store.home.clone(),
            service_account: object_name(field, &account.name)?,
            audiences: audiences(self.store, field, account)?,
            store: self.store.reference.name.clone(),
            lifetime_seconds: TOKEN_LIFETIME_SECONDS,
        })
    }
}

fn object_name(field: &'static str, name: &str) -> Result<ObjectName, ReadSettings> {
    ObjectName::new(name).map_err(|error| ReadSettings::field(field, error.to_string()))
}

/// Whom a ServiceAccount's token is for: the store's own audience unless others are given. An empty list,
/// or an audience of the API server, would make a token that opens the cluster.
fn audiences(
    store: &StoreObject,
    field: &'static str,
    account: &ServiceAccountRef,
) -> Result<Vec<String>, ReadSettings> {
    if account.audiences.is_empty() {
        let reference = &store.reference;
        return Ok(vec![if store.is_cluster() {
            format!("ClusterSecretStore/{}", reference.name)
        } else {
            format!("SecretStore/{}/{}", store.home, reference.name)
        }]);
    }
    let cluster = |audience: &String| {
        let name = audience.trim().trim_start_matches("https://");
        name.is_empty() || name == "api" || name.starts_with("kubernetes.default")
    };
    if account.audiences.iter().any(cluster) {
        return Err(ReadSettings::field(
            field,
            "has audiences that are empty texts or the API server's",
        ));
    }
    Ok(account.audiences.clone())
}

/// Without blanks and line breaks at the ends, which editors and `echo` leave behind.
pub(crate) fn trimmed(value: &SecretValue) -> SecretValue {
    SecretValue::new(value.expose().trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_around_a_token_are_not_part_of_it() {
        assert_eq!(
            trimmed(&SecretValue::from(" s.abc\r\n")),
            SecretValue::from("s.abc")
        );
    }
}
