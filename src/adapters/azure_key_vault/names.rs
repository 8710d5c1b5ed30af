//! How keys are called in a vault, whose names consist of letters, digits and `-`, and do not differ by case.
//!
//! With `underscores` a key's `_` is a `-` in the vault, and every `-` of the vault a `_` here. Both ways are one to
//! one: a key of letters, digits and `_` has one name, and a name has one key. A key with `-` or `.` has no name.

use penstock_domain::api::azure_key_vault::AzureNames;

/// The key that a name stands for.
pub(super) fn key_of(names: AzureNames, name: &str) -> String {
    match names {
        AzureNames::Verbatim => name.to_owned(),
        AzureNames::Underscores => name.replace('-', "_"),
    }
}

/// The name in the vault of what a path says, which may be the key or the name itself.
pub(super) fn name_of(names: AzureNames, text: &str) -> String {
    match names {
        AzureNames::Verbatim => text.to_owned(),
        AzureNames::Underscores => text.replace('_', "-"),
    }
}

/// Whether a text can be the name of a secret.
pub(super) fn is_name(text: &str) -> bool {
    (1..=127).contains(&text.len()) && text.bytes().all(is_letter)
}

/// Whether a byte can stand in the name of a secret.
pub(super) fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_names_map_one_to_one() {
        let names = AzureNames::Underscores;
        for key in ["A", "DB_URL", "a_b_c", "_A", "A_", "A__B", "x1"] {
            let name = name_of(names, key);
            assert!(is_name(&name), "{name}");
            assert_eq!(key_of(names, &name), key);
        }
        for name in ["DB-URL", "a-b", "A", "-a-"] {
            assert_eq!(name_of(names, &key_of(names, name)), name);
        }
        assert_eq!(key_of(AzureNames::Verbatim, "DB-URL"), "DB-URL");
        assert!(!is_name(&name_of(AzureNames::Verbatim, "DB_URL")));
    }

    #[test]
    fn names_have_their_letters_and_length() {
        for (text, sound) in [
            ("a-B-9", true),
            ("", false),
            ("a_b", false),
            ("a.b", false),
            ("a/b", false),
            ("ü", false),
        ] {
            assert_eq!(is_name(text), sound, "{text}");
        }
        assert!(is_name(&"x".repeat(127)) && !is_name(&"x".repeat(128)));
    }
}
