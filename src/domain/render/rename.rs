//! Names at the source become keys of the bundle.

use crate::names::{Key, NameError};
use crate::sync::{KeyCase, Rename};

/// The longest name that renaming works on; keys are shorter still.
const MAX_NAME: usize = 4096;

/// The key that `name` becomes: strip the prefix, replace one pattern after the other, map whole names,
/// change the case, put the prefix in front.
pub(super) fn rename(name: &str, rules: &Rename) -> Result<Key, NameError> {
    let too_long = NameError::TooLong {
        limit: Key::MAX_LENGTH,
    };
    if name.len() > MAX_NAME {
        return Err(too_long);
    }
    let mut text = name
        .strip_prefix(rules.strip_prefix.as_str())
        .unwrap_or(name)
        .to_owned();
    for (pattern, with) in &rules.replace {
        text = pattern.replace_all(&text, with.as_str()).into_owned();
        if text.len() > MAX_NAME {
            return Err(too_long);
        }
    }
    if let Some(whole) = rules.map.get(&text) {
        text.clone_from(whole);
    }
    if let Some(case) = rules.case {
        text = in_case(&text, case);
    }
    Key::new(format!("{}{text}", rules.prefix))
}

fn in_case(text: &str, case: KeyCase) -> String {
    match case {
        KeyCase::Upper => text.to_uppercase(),
        KeyCase::Lower => text.to_lowercase(),
        KeyCase::ScreamingSnake => joined(text, "_", |_, word| word.to_uppercase()),
        KeyCase::Snake => joined(text, "_", |_, word| word.to_lowercase()),
        KeyCase::Kebab => joined(text, "-", |_, word| word.to_lowercase()),
        KeyCase::Pascal => joined(text, "", |_, word| capitalised(word)),
        KeyCase::Camel => joined(text, "", |at, word| match at {
            0 => word.to_lowercase(),
            _ => capitalised(word),
        }),
    }
}

fn joined(text: &str, separator: &str, change: fn(usize, &str) -> String) -> String {
    words(text)
        .iter()
        .enumerate()
        .map(|(at, word)| change(at, word))
        .collect::<Vec<_>>()
        .join(separator)
}

fn capitalised(word: &str) -> String {
    let mut characters = word.chars();
    match characters.next() {
        Some(first) => first
            .to_uppercase()
            .chain(characters.as_str().to_lowercase().chars())
            .collect(),
        None => String::new(),
    }
}

/// The words of a name: anything but letters and digits separates, and so does the step from a small
/// letter or digit to a capital (`dbUrl`) and the last capital of a row before a small letter (`HTTPServer`).
fn words(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    for (at, &character) in characters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| characters.get(at));
        let after = characters.get(at + 1);
        let starts = character.is_uppercase()
            && (before.is_some_and(|before| before.is_lowercase() || before.is_numeric())
                || (before.is_some_and(|before| before.is_uppercase())
                    && after.is_some_and(|after| after.is_lowercase())));
        if (starts || !character.is_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if character.is_alphanumeric() {
            word.push(character);
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    fn pattern(text: &str) -> Regex {
        Regex::new(text).unwrap()
    }

    #[test]
    fn the_order_is_strip_replace_map_case_prefix() {
        let rules = Rename {
            strip_prefix: "goblin-prod-".to_owned(),
            replace: vec![
                (pattern("-"), "_".to_owned()),
                (pattern("^db_(.*)$"), "database_$1".to_owned()),
            ],
            map: [("database_url".to_owned(), "DatabaseUrl".to_owned())].into(),
            case: Some(KeyCase::ScreamingSnake),
            prefix: "app_".to_owned(),
        };
        for (name, expected) in [
            ("goblin-prod-db-url", "app_DATABASE_URL"),
            ("goblin-prod-token", "app_TOKEN"),
            ("db-host", "app_DATABASE_HOST"),
        ] {
            assert_eq!(rename(name, &rules).unwrap().as_str(), expected, "{name}");
        }
    }

    #[test]
    fn without_rules_a_name_stays() {
        assert_eq!(
            rename("a.b-C_d e", &Rename::default()).unwrap().as_str(),
            "a.b-C_d e"
        );
    }

    #[test]
    fn every_case_of_one_name() {
        let cases: &[(&str, KeyCase, &str)] = &[
            ("dbUrl-v2.name", KeyCase::ScreamingSnake, "DB_URL_V2_NAME"),
            ("HTTPServerURL", KeyCase::Snake, "http_server_url"),
            ("db2Url", KeyCase::Kebab, "db2-url"),
            ("DB_URL", KeyCase::Camel, "dbUrl"),
            ("DB_URL", KeyCase::Pascal, "DbUrl"),
            ("db-Url", KeyCase::Upper, "DB-URL"),
            ("db-Url", KeyCase::Lower, "db-url"),
            ("__a__b__", KeyCase::Snake, "a_b"),
        ];
        for (name, case, expected) in cases {
            assert_eq!(in_case(name, *case), *expected, "{name} {case:?}");
        }
    }

    #[test]
    fn names_that_are_no_keys_are_refused() {
        let empty = Rename {
            strip_prefix: "gone".to_owned(),
            ..Rename::default()
        };
        assert_eq!(rename("gone", &empty), Err(NameError::Empty));
        let only_marks = Rename {
            case: Some(KeyCase::Snake),
            ..Rename::default()
        };
        assert_eq!(rename("---", &only_marks), Err(NameError::Empty));
        assert!(rename("a\nb", &Rename::default()).is_err());
        let growing = Rename {
            replace: vec![(pattern("a"), "a".repeat(200)); 4],
            ..Rename::default()
        };
        assert_eq!(
            rename(&"a".repeat(100), &growing),
            Err(NameError::TooLong { limit: 512 }),
            "growth stops before it costs memory"
        );
    }
}
