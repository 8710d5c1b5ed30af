//! Bearer tokens for servers of our own.

use std::fmt::Write;
use std::hash::{BuildHasher, RandomState};

/// 128 random bits in hexadecimal. Good enough for a server on the loopback interface that lives
/// as long as a test.
pub(crate) fn random_token() -> String {
    let mut token = String::with_capacity(32);
    for half in 0..2_u8 {
        // Writing to a String cannot fail.
        let _ = write!(token, "{:016x}", RandomState::new().hash_one(half));
    }
    token
}
