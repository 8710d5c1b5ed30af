//! Values that are hard to write down, and files full of them.

use std::collections::BTreeMap;

use penstock_domain::formats::{Delimiter, FileFormat, render};
use penstock_domain::names::Key;
use penstock_domain::secret::SecretValue;
use penstock_testbed::Failure;
use tempfile::NamedTempFile;

/// What is special to some reader.
const PARTS: [&str; 36] = [
    "'",
    "\"",
    "\\",
    "$",
    "`",
    "#",
    " #",
    " ",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "=",
    "{",
    "}",
    ":",
    ": ",
    "- ",
    "%",
    "!",
    "&",
    "*",
    "export ",
    "A=1",
    "${HOME}",
    "$(id)",
    "\\n",
    "ü",
    "世",
    "😀",
    "\u{85}",
    "\u{2028}",
    "\u{1}",
    "x",
    "0",
    "-----BEGIN KEY-----\nabc\n",
];

/// Whole values that people have.
const WHOLE: [&str; 12] = [
    "",
    "plain",
    "postgres://u:p%40ss@db:5432/x?sslmode=require&a=b",
    "it's",
    "two words",
    "p#ss $word `x`",
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA==\n-----END OPENSSH PRIVATE KEY-----\n",
    "{\"type\": \"service_account\", \"private_key\": \"-----BEGIN\\nabc\\n\"}",
    "C:\\Users\\x",
    "  leading and trailing  ",
    "\"quoted\"",
    "'quoted'",
];

/// A thousand values, always the same ones.
pub(super) fn values() -> Vec<String> {
    let mut state: usize = 0x9e37_79b9;
    let mut next = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut values: Vec<String> = WHOLE.iter().map(|&value| value.to_owned()).collect();
    while values.len() < 1000 {
        let length = 1 + next(8);
        values.push((0..length).map(|_| PARTS[next(PARTS.len())]).collect());
    }
    values
}

/// The values under the names `V0`, `V1`, …
pub(super) fn named(values: &[String]) -> BTreeMap<String, String> {
    let named = values.iter().enumerate();
    named
        .map(|(at, value)| (format!("V{at}"), value.clone()))
        .collect()
}

/// The file that Penstock writes of them.
pub(super) fn file(
    format: FileFormat,
    values: &BTreeMap<String, String>,
) -> Result<NamedTempFile, Failure> {
    let mut data = BTreeMap::new();
    for (name, value) in values {
        data.insert(Key::new(name.as_str())?, SecretValue::from(value.as_str()));
    }
    let document = render(format, &data, &Delimiter::from_random([9; 16]))?;
    let file = NamedTempFile::new()?;
    std::fs::write(file.path(), document.expose())?;
    Ok(file)
}

/// Fails with the first value that was read otherwise than it was written.
pub(super) fn must_equal(
    reader: &str,
    found: &BTreeMap<String, String>,
    expected: &BTreeMap<String, String>,
) {
    for (name, value) in expected {
        assert_eq!(found.get(name), Some(value), "{reader} reads {name}");
    }
}
