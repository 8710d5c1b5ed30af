//! Asks other systems whether a value works (`spec.validate`).
//!
//! Each check is made once, within its time, under the egress policy of objects of a namespace: whoever writes a
//! SecretSync has chosen the address. What is no clear yes or no of the system that was asked is inconclusive.

mod connect;
mod http;

use std::sync::Arc;

use async_trait::async_trait;
use penstock_domain::names::SyncId;
use penstock_domain::ports::Validators;
use penstock_domain::secret::SecretValue;
use penstock_domain::validate::{RemoteCheck, Validator, Verdict};
use tokio::time::timeout;

use crate::http::client::HttpLayer;

/// Validators that reach over the network.
pub struct NetworkValidators {
    http: Arc<HttpLayer>,
}

impl NetworkValidators {
    /// Validators that use `http`.
    pub fn new(http: Arc<HttpLayer>) -> Self {
        Self { http }
    }
}

#[async_trait]
impl Validators for NetworkValidators {
    async fn ask(
        &self,
        sync: &SyncId,
        (validator, check): (&Validator, &RemoteCheck),
        value: &SecretValue,
    ) -> Verdict {
        let asking = async {
            match check {
                RemoteCheck::Http(request) => {
                    http::ask(&self.http, sync, (request, validator.timeout), value).await
                }
                RemoteCheck::Connect { address, tls } => {
                    connect::ask(&self.http, (address.as_deref(), *tls), value).await
                }
            }
        };
        timeout(validator.timeout, asking)
            .await
            .unwrap_or_else(|_| inconclusive("could not be tried: there was no answer in time"))
    }
}

fn inconclusive(why: impl Into<String>) -> Verdict {
    Verdict::Inconclusive {
        why: why.into(),
        retry_after: None,
    }
}

#[cfg(test)]
mod tests;
