//! What the command line writes into files, as other programs read it.

mod docker;
mod readers;
mod values;

use std::io::Write as _;

use penstock_testbed::Failure;

/// What a case returns: an error fails it.
type Outcome = Result<(), Failure>;

/// Past the capture of tests that succeed: nobody should take a skipped case for a tested one.
fn skipped(what: &str, why: &str) {
    let message = format!("\nskipping {what}: {why}\n\n");
    // A closed standard error is no reason to fail.
    drop(std::io::stderr().write_all(message.as_bytes()));
}
