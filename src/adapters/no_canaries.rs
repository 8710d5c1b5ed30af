//! The port of canaries where nobody has switched them on.

use async_trait::async_trait;
use penstock_domain::canary::{CanaryCheck, CanaryView, CheckVerdict, Trial};
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::SyncId;
use penstock_domain::ports::Canaries;

/// Refuses each trial, and finds nothing to remove.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCanaries;

#[async_trait]
impl Canaries for NoCanaries {
    async fn start(&self, _: &SyncId, _: &Trial) -> Result<(), Fault> {
        Err(refused())
    }

    async fn look(&self, _: &SyncId, _: &Trial) -> Result<CanaryView, Fault> {
        Err(refused())
    }

    async fn check(&self, _: &SyncId, _: &Trial, _: &CanaryCheck) -> Result<CheckVerdict, Fault> {
        Err(refused())
    }

    async fn stop(&self, _: &SyncId) -> Result<(), Fault> {
        Ok(())
    }
}

fn refused() -> Fault {
    Fault::new(FaultClass::Denied, "canary", "is not switched on here").hint(
        "An administrator switches canaries on in the chart (`canaries.enabled`); the operator alone has them",
    )
}
