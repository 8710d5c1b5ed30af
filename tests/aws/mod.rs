//! The stores of AWS against moto, an emulator that other people have written.

mod contract;
mod reading;
mod server;
mod world;

use penstock_testbed::Failure;

type Outcome = Result<(), Failure>;
