//! Cases about the running operator, each on a [`stage`](super::stage).
//!
//! [`CASES.md`](CASES.md) maps what others test to what is tested here.

mod bad_input;
mod cases;
mod eso_matrix;
mod first_sync;
mod infisical;
mod kills;
mod panbot;
mod postgres;
mod rollouts;
mod rules;
mod shared_reads;
