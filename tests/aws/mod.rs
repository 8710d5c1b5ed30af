//! The stores of AWS against moto, an emulator that other people have written.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "support of tests: what is broken here ends the test"
)]

mod contract;
mod reading;
mod server;
mod world;

use penstock_testbed::Failure;

type Outcome = Result<(), Failure>;
