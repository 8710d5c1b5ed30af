//! `penstock version`.

use std::io::{self, Write};

/// The version of this build.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Prints the version, and the API versions that it serves.
pub fn print_version(writer: &mut impl Write) -> io::Result<()> {
    writeln!(writer, "penstock {VERSION}\napi penstock.dev/v1alpha1")
}
