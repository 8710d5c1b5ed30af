//! Names that have been checked once and need no second look.
//!
//! Every string that names something in Kubernetes or in a bundle is one of these, so that a function
//! which takes an [`ObjectName`] cannot be handed a path, and limits stand in one place.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a string is no such name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The string is empty.
    #[error("is empty")]
    Empty,
    /// The string is longer than the limit.
    #[error("is longer than {limit} characters")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// The string holds a character that is not allowed, or one in a place where it is not.
    #[error("does not consist of {allowed}")]
    Charset {
        /// What is allowed, in words.
        allowed: &'static str,
    },
}

fn is_label(text: &str) -> bool {
    let edge = |byte: Option<u8>| {
        byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    edge(text.bytes().next())
        && edge(text.bytes().last())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn check(
    text: &str,
    limit: usize,
    allowed: &'static str,
    ok: fn(&str) -> bool,
) -> Result<(), NameError> {
    if text.is_empty() {
        Err(NameError::Empty)
    } else if text.len() > limit {
        Err(NameError::TooLong { limit })
    } else if ok(text) {
        Ok(())
    } else {
        Err(NameError::Charset { allowed })
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $limit:expr, $allowed:expr, $ok:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(Box<str>);

        impl $type {
            /// The longest this name may be, in bytes.
            pub const MAX_LENGTH: usize = $limit;

            /// Checks `text` and takes it as a name.
            pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                check(&text, $limit, $allowed, $ok)?;
                Ok(Self(text.into_boxed_str()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0.into()
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// A Kubernetes namespace: an RFC 1123 label.
    NamespaceName, 63, "lower case letters, digits and inner hyphens", is_label
);
name!(
    /// The name of a Kubernetes object: an RFC 1123 subdomain.
    ObjectName, 253, "lower case letters, digits, inner hyphens and dots",
    |text| text.split('.').all(is_label)
);
name!(
    /// The name of a source within its sync: an RFC 1123 label.
    SourceName, 63, "lower case letters, digits and inner hyphens", is_label
);
name!(
    /// The name of a target within its sync: an RFC 1123 label.
    TargetName, 63, "lower case letters, digits and inner hyphens", is_label
);
name!(
    /// A key of a bundle: any text without control characters. Each target checks what it accepts:
    /// see [`Key::is_kubernetes`].
    Key, 512, "printable characters",
    |text| !text.chars().any(char::is_control)
);

impl Key {
    /// Whether Kubernetes accepts this as a key of a Secret or ConfigMap: at most 253 of
    /// `[-._a-zA-Z0-9]`, neither `.` nor starting with `..`
    /// (`IsConfigMapKey` in k8s.io/apimachinery).
    pub fn is_kubernetes(&self) -> bool {
        let text = self.as_str();
        text.len() <= 253
            && text != "."
            && !text.starts_with("..")
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    }
}

impl Key {
    /// Whether it can name a variable of a process everywhere: `[A-Za-z_][A-Za-z0-9_]*` (POSIX, XBD 8.1, and
    /// lower case letters, which everybody accepts).
    pub fn is_variable(&self) -> bool {
        let mut bytes = self.as_str().bytes();
        bytes
            .next()
            .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    }
}

/// Which SecretSync is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SyncId {
    /// Its namespace.
    pub namespace: NamespaceName,
    /// Its name.
    pub name: ObjectName,
}

impl fmt::Display for SyncId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_to_the_rules_of_kubernetes() {
        for good in ["a", "panbot", "a-b", "0", "a.b-c.d"] {
            assert!(ObjectName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a_b", "a..b", ".a", "a/b", "ä"] {
            assert!(ObjectName::new(bad).is_err(), "{bad}");
        }
        assert_eq!(
            NamespaceName::new("a".repeat(64)),
            Err(NameError::TooLong { limit: 63 })
        );
        assert!(NamespaceName::new("a.b").is_err());
    }

    #[test]
    fn keys_are_wider_than_what_kubernetes_accepts() {
        for key in ["DB_URL", "tls.crt", "a-b.c", ".dockerconfigjson"] {
            assert!(Key::new(key).unwrap().is_kubernetes(), "{key}");
        }
        for key in ["..data", ".", "a b", "a/b", "ü"] {
            assert!(!Key::new(key).unwrap().is_kubernetes(), "{key}");
        }
        assert!(Key::new("a\nb").is_err());
        assert!(Key::new("").is_err());
    }
}
