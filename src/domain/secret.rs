//! Secret bytes: they cannot be printed, and are zeroed when the last holder lets go.

use std::fmt;
use std::sync::Arc;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The bytes of one secret. Clones share the bytes; `Debug` shows a mask, and there is neither
/// `Display` nor `Serialize`, so a value leaves only where somebody writes [`SecretValue::expose`].
#[derive(Clone)]
pub struct SecretValue(Arc<Zeroizing<Vec<u8>>>);

impl SecretValue {
    /// Takes the bytes. They are moved, not copied; the caller keeps no second copy alive.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Arc::new(Zeroizing::new(bytes.into())))
    }

    /// The bytes in clear. Whoever calls this answers for where they go.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The bytes as text, when they are UTF-8.
    pub fn expose_text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Compares in constant time for values of equal length.
impl PartialEq for SecretValue {
    fn eq(&self, other: &Self) -> bool {
        bool::from(self.0.as_slice().ct_eq(other.0.as_slice()))
    }
}

impl Eq for SecretValue {}

impl fmt::Debug for SecretValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretValue(***)")
    }
}

impl From<&str> for SecretValue {
    fn from(text: &str) -> Self {
        Self::new(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_neither_bytes_nor_length() {
        let value = SecretValue::from("hunter2");
        assert_eq!(
            format!("{value:?} {:#?}", Some(&value)),
            "SecretValue(***) Some(\n    SecretValue(***),\n)"
        );
    }

    #[test]
    fn equality_is_by_content() {
        assert_eq!(SecretValue::from("a"), SecretValue::new(b"a".to_vec()));
        assert_ne!(SecretValue::from("a"), SecretValue::from("ab"));
    }
}
