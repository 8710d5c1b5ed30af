//! The guessing effort of a value, from below: by its characters' classes, and by how often they repeat.

use std::collections::BTreeMap;

/// Bits of effort: the smaller of what the classes of characters and what their frequencies allow. It knows no
/// words and no patterns, so a value that fails is weak, and one that passes may still be.
pub(super) fn bits(value: &[u8]) -> f64 {
    by_classes(value).min(by_frequency(value))
}

type IsOfClass = fn(&u8) -> bool;

/// Length times the bits of one character of the classes that occur.
fn by_classes(value: &[u8]) -> f64 {
    let classes: [(IsOfClass, u32); 5] = [
        (u8::is_ascii_lowercase, 26),
        (u8::is_ascii_uppercase, 26),
        (u8::is_ascii_digit, 10),
        (|byte| byte.is_ascii() && !byte.is_ascii_alphanumeric(), 33),
        (|byte| !byte.is_ascii(), 128),
    ];
    let alphabet: u32 = classes
        .iter()
        .filter(|(belongs, _)| value.iter().any(belongs))
        .map(|(_, size)| size)
        .sum();
    length(value.len()) * f64::from(alphabet.max(1)).log2()
}

/// Length times the Shannon entropy of one byte.
fn by_frequency(value: &[u8]) -> f64 {
    let mut counts: BTreeMap<u8, usize> = BTreeMap::new();
    for byte in value {
        *counts.entry(*byte).or_default() += 1;
    }
    let total = length(value.len());
    // A short value cannot repeat itself, which says nothing against it: what each byte adds is at least that of
    // the classes where all bytes differ.
    if counts.len() == value.len() {
        return f64::INFINITY;
    }
    let each = counts.values().map(|count| {
        let share = length(*count) / total;
        -share * share.log2()
    });
    total * each.sum::<f64>()
}

fn length(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effort_grows_with_length_and_classes_and_shrinks_with_repetition() {
        let near = |value: &str, expected: f64| {
            let found = bits(value.as_bytes());
            assert!((found - expected).abs() < 0.5, "{value}: {found}");
        };
        near("", 0.0);
        near("a", 4.7);
        near("abcdefgh", 37.6);
        near("aB3$efgh", 52.6);
        near("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0.0);
        near("abababab", 8.0);
        assert!(bits("q8Zk2nVw5RtY7uPxE4sD".as_bytes()) > 80.0);
    }
}
