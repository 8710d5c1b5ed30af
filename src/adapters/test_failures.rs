//! Every class of failure of every store, as it shows in the store's `Ready` and in the syncs: the right class and
//! reason, a way out, and nothing that somebody else has written. Files over SSH are tried on a real server elsewhere.

use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::stores::StoreProbe;
use penstock_domain::sync::ValidatedSource;
use penstock_fakes::outage::Outage;

use crate::http::test_server::Reply;
use crate::test_stores::OneStore;

/// What others write, in the stand-ins' own errors too: it must not be told.
const FOREIGN: &[&str] = &[
    "PROVIDER SAYS",
    "The message of the service",
    "Caller is not authorized",
    "AADSTS",
    "AKV10000",
    "Something went wrong",
    "Internal server error",
    "permission denied",
    "An error occurred",
    "Trace ID",
    "hunter2",
];

/// What befalls a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Illness {
    /// The credentials do not open what is asked for.
    Denied,
    /// It asks for patience.
    Throttled,
    /// It says that it is broken.
    Stumbling,
    /// Something before it answers that there is nothing.
    Foreign,
    /// The connection breaks before the answer.
    HangsUp,
    /// It breaks in the answer.
    Half,
}

impl Illness {
    const ALL: [Self; 6] = [
        Self::Denied,
        Self::Throttled,
        Self::Stumbling,
        Self::Foreign,
        Self::HangsUp,
        Self::Half,
    ];

    /// As the stand-ins have it.
    pub(crate) fn outage(self) -> Option<Outage> {
        match self {
            Self::Denied | Self::Throttled => None,
            Self::Stumbling => Some(Outage::Stumbles(500)),
            Self::Foreign => Some(Outage::Proxy(404, "<html>PROVIDER SAYS".to_owned())),
            Self::HangsUp => Some(Outage::HangsUp),
            Self::Half => Some(Outage::Half),
        }
    }

    /// As an answer to everything; the bodies are those of a server that stumbles and of one that throttles.
    pub(crate) fn reply(self, stumbling: &str, throttled: &str) -> Reply {
        match self {
            Self::Denied => Reply::new(403, "PROVIDER SAYS"),
            Self::Throttled => Reply::new(429, throttled).header("retry-after", "12"),
            Self::Stumbling => Reply::new(500, stumbling),
            Self::Foreign => Reply::new(404, "<html>PROVIDER SAYS"),
            Self::HangsUp => Reply::hang_up(),
            Self::Half => Reply::new(200, "{\"data\":").header("content-length", "400"),
        }
    }

    fn shows(self, fault: &Fault) -> bool {
        match self {
            Self::Denied => fault.class == FaultClass::Denied,
            Self::Throttled => {
                matches!(fault.class, FaultClass::Throttled { .. })
                    && fault.reason == Reason::Throttled
            }
            Self::Stumbling | Self::Foreign | Self::HangsUp | Self::Half => {
                (&fault.class, fault.reason) == (&FaultClass::Unavailable, Reason::Unavailable)
            }
        }
    }
}

type Infect = dyn Fn(Illness) -> bool + Send + Sync;

/// A store that works, one thing that is there and one that is not, and a way to make it ill.
pub(crate) struct Patient {
    store: OneStore,
    there: ValidatedSource,
    absent: ValidatedSource,
    infect: Box<Infect>,
}

impl Patient {
    /// `infect` holds the server, and answers whether such a system can have the illness.
    pub(crate) fn new(
        store: OneStore,
        (there, absent): (&str, &str),
        infect: impl Fn(Illness) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self {
            there: store.source(there),
            absent: store.source(absent),
            store,
            infect: Box::new(infect),
        }
    }

    async fn read(&self, source: &ValidatedSource) -> Result<(), Fault> {
        self.store.read(source).await.map(drop)
    }

    async fn check(&self) -> Result<(), Fault> {
        self.store.registry.check(&self.store.store).await.map(drop)
    }
}

#[cfg(all(
    feature = "vault",
    feature = "kubernetes",
    feature = "infisical",
    feature = "gcp-secret-manager",
    feature = "azure-key-vault",
    feature = "bitwarden",
    feature = "bitwarden-secrets-manager",
    feature = "aws-secrets-manager",
    feature = "aws-parameter-store",
    feature = "doppler",
    feature = "onepassword",
    feature = "http-service",
))]
mod table;
