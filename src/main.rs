//! Composition root of the `penstock` binary.

fn main() {}
