//! That the grep of the stage finds what it looks for.

use super::stage::{marker, shows_value};

#[test]
fn a_marker_is_found_as_it_is_and_in_base64() {
    use base64::Engine as _;
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let value = marker("x");
    for text in [
        value.clone(),
        format!("before {value} after"),
        encode(&value),
        encode(&format!("a{value}b")),
        encode(&format!("ab{value}")),
        encode(&format!("abcd{value}ef")),
    ] {
        assert!(shows_value(&text), "{text}");
    }
    assert!(!shows_value("DB_URL hunter 2 aHVudGVy"));
}
