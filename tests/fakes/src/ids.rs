//! Identifiers of things in our stand-ins: the same in every run.

use sha2::{Digest as _, Sha256};

/// The same identifier for the same text, in the form of a UUID.
pub(crate) fn uuid_of(text: &str) -> String {
    let hash = Sha256::digest(text);
    let part = |from: usize, to: usize| hex(hash.get(from..to).unwrap_or_default());
    [
        part(0, 4),
        part(4, 6),
        part(6, 8),
        part(8, 10),
        part(10, 16),
    ]
    .join("-")
}

/// Two digits for each byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |number: u8| char::from_digit(u32::from(number), 16).unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}
