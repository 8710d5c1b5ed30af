//! `examples/`: every document is loaded, and each folder is used as its README says, in a copy of its own, against
//! the stand-in of the vault and stand-ins of the commands that a machine may lack.
//!
//! Only what a reader has to fill in (❶ ❷ …) is filled in. All that the commands print is searched for values.

mod checkout;
mod circleci;
mod compose;
mod console;
mod documents;
mod github_actions;
mod infisical;
mod panbot;
mod runner;

use penstock_testbed::Failure;

type Outcome = Result<(), Failure>;
