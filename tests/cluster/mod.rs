//! Cases on a real control plane and a real vault.
//!
//! Each begins with [`testbed`] and ends early where the servers are not built; a namespace and a
//! vault path of its own keep it apart from the others, which run at the same time.

mod api;
mod canary;
mod chart;
mod kubernetes;
mod operator;
mod smoke;
mod stage;
mod stamping;
mod substrate;
mod tenants;
mod vault;
mod verbs;

use std::io::Write;
use std::sync::Once;
use std::time::Duration;

use penstock_testbed::{Failure, Testbed, TestbedError, shared};

/// What a case returns: an error fails it.
type Outcome = Result<(), Failure>;

/// Long enough for a loaded machine; nobody waits that long unless something is broken.
const SOON: Duration = Duration::from_mins(1);

/// The servers, or none where this machine has not built them. With `PENSTOCK_REQUIRE_CLUSTER` set
/// that is an error, for machines that are meant to run everything.
async fn testbed() -> Result<Option<&'static Testbed>, &'static TestbedError> {
    match shared().await {
        Ok(testbed) => Ok(Some(testbed)),
        Err(error) if error.is_missing() && !is_required() => {
            tell_once(error);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn is_required() -> bool {
    std::env::var_os("PENSTOCK_REQUIRE_CLUSTER").is_some_and(|value| !value.is_empty())
}

/// Past the capture of tests that succeed: nobody should take a skipped case for a tested one.
fn tell_once(error: &TestbedError) {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| {
        let message = format!("\nskipping all cases that need a cluster: {error}\n\n");
        // A closed standard error is no reason to fail.
        drop(std::io::stderr().write_all(message.as_bytes()));
    });
}
