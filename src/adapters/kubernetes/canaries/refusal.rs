//! Why there is no canary of a workload.

use penstock_domain::fault::{Fault, FaultClass};

/// A canary of this workload could do harm, or would say nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    why: String,
    way_out: String,
}

impl Refusal {
    pub(super) fn new(why: impl Into<String>, way_out: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            way_out: way_out.into(),
        }
    }

    pub(super) fn fault(self, subject: &str) -> Fault {
        Fault::new(FaultClass::Invalid, subject, self.why).hint(self.way_out)
    }

    #[cfg(test)]
    pub(super) fn why(&self) -> &str {
        &self.why
    }
}
