//! What holds for every format: what was written reads back, and a merge keeps the rest.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::names::Key;
use crate::secret::SecretValue;

const ALL: [FileFormat; 6] = [
    FileFormat::Dotenv,
    FileFormat::Export,
    FileFormat::DockerEnv,
    FileFormat::GithubEnv,
    FileFormat::Json,
    FileFormat::Yaml,
];

type Data = BTreeMap<Key, SecretValue>;

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

fn data(pairs: &[(&str, &str)]) -> Data {
    pairs
        .iter()
        .map(|(name, value)| (key(name), SecretValue::from(*value)))
        .collect()
}

fn keys(names: &[&str]) -> BTreeSet<Key> {
    names.iter().map(|name| key(name)).collect()
}

fn delimiter() -> Delimiter {
    Delimiter::from_random([7; 16])
}

fn written(format: FileFormat, data: &Data) -> Result<String, WriteDocument> {
    let document = render(format, data, &delimiter())?;
    Ok(document.expose_text().unwrap().to_owned())
}

fn changed(
    format: FileFormat,
    document: &str,
    set: &[(&str, &str)],
    remove: &[&str],
) -> Result<String, WriteDocument> {
    let (set, remove) = (data(set), keys(remove));
    let edit = Edit {
        set: &set,
        remove: &remove,
    };
    let document = merge(format, document.as_bytes(), edit, &delimiter())?;
    Ok(document.expose_text().unwrap().to_owned())
}

/// Texts made of what is special anywhere.
fn value() -> impl Strategy<Value = String> {
    let special = prop::sample::select(vec![
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
        "${A}",
        "$(id)",
        "\\n",
        "\u{feff}",
        "ü",
        "世",
        "😀",
        "\u{85}",
        "\u{2028}",
        "\u{7f}",
        "\u{1}",
        "x",
        "0",
        "null",
        "<<E",
        "penstock_",
        "-----BEGIN KEY-----\n",
    ]);
    prop::collection::vec(special, 0..12).prop_map(|parts| parts.concat())
}

fn some_data() -> impl Strategy<Value = Data> {
    prop::collection::btree_map("[A-Za-z_][A-Za-z0-9_]{0,6}", value(), 0..6).prop_map(|pairs| {
        pairs
            .iter()
            .map(|(name, value)| (key(name), SecretValue::from(value.as_str())))
            .collect()
    })
}

/// Lines of a document that is not ours.
fn foreign(format: FileFormat) -> impl Strategy<Value = String> {
    let lines = match format {
        FileFormat::Dotenv => vec![
            "# a comment\n",
            "\n",
            "  \t\n",
            "FOREIGN=1\n",
            "export OTHER = 'x # y'  # note\n",
            "not a line\r\n",
            "MULTI=\"a\n  b=c\n\"\n",
            "DUP=1\r\n",
            "DUP=2 # two\n",
            "#OURS=1\n",
            "E=\n",
        ],
        FileFormat::Export => vec![
            "# it's a comment\n",
            "\n",
            "export FOREIGN=1\n",
            "OTHER=\"x\" # note\n",
            "set -a\n",
            "echo $HOME\n",
            "export MULTI='a\nexport OURS_A=2\n'\n",
            "X=$Y\n",
        ],
        FileFormat::DockerEnv => vec![
            "# a comment\n",
            "\n",
            "FOREIGN=1\n",
            "  OTHER= x # y \n",
            "HOME\n",
            "a b=c\n",
            "Q='x'\r\n",
        ],
        FileFormat::GithubEnv => vec![
            "FOREIGN=1\n",
            "\n",
            "MULTI<<E\na\nOURS_A=1\nE\n",
            "line\n",
            "EMPTY<<E\nE\n",
        ],
        FileFormat::Yaml => vec!["# a comment\n", "\n", "  # indented\n"],
        FileFormat::Json => vec![],
    };
    prop::collection::vec(prop::sample::select(lines), 0..8).prop_map(|lines| lines.concat())
}

proptest! {
    #[test]
    fn what_was_written_reads_back(data in some_data()) {
        for format in ALL {
            let document = match render(format, &data, &delimiter()) {
                Ok(document) => document,
                Err(WriteDocument::Value { .. } | WriteDocument::NotText { .. }) => {
                    prop_assert!(format == FileFormat::DockerEnv, "{format:?} holds every text");
                    continue;
                }
                Err(other) => return Err(TestCaseError::fail(format!("{format:?}: {other}"))),
            };
            let found = observe(format, document.expose()).unwrap();
            prop_assert!(found == data, "{format:?}: {:?}", document.expose_text());
            if format != FileFormat::GithubEnv {
                let strict = read(format, document.expose()).unwrap();
                prop_assert_eq!(strict.len(), data.len());
            }
        }
    }

    #[test]
    fn a_second_write_changes_no_byte(data in some_data()) {
        for format in ALL {
            let Ok(document) = render(format, &data, &delimiter()) else { continue };
            let remove = BTreeSet::new();
            let edit = Edit { set: &data, remove: &remove };
            let other = Delimiter::from_random([8; 16]);
            let again = merge(format, document.expose(), edit, &other).unwrap();
            prop_assert!(again == document, "{format:?}");
        }
    }

    #[test]
    fn keys_come_and_go_and_the_rest_stays_byte_for_byte(
        (format, document) in prop::sample::select(vec![
            FileFormat::Dotenv, FileFormat::Export, FileFormat::DockerEnv, FileFormat::GithubEnv, FileFormat::Yaml,
        ]).prop_flat_map(|format| (Just(format), foreign(format))),
        first in value(),
        second in value(),
        mark in any::<bool>(),
    ) {
        let document = if mark { format!("\u{feff}{document}") } else { document };
        let steps = || -> Result<(String, String), WriteDocument> {
            let set = changed(format, &document, &[("OURS_A", &first), ("OURS_B", "b")], &[])?;
            let updated = changed(format, &set, &[("OURS_A", &second)], &[])?;
            Ok((set, changed(format, &updated, &[], &["OURS_A", "OURS_B"])?))
        };
        match steps() {
            Ok((set, removed)) => {
                prop_assert!(set.starts_with(&document), "{format:?}: new keys go to the end: {set:?}");
                prop_assert_eq!(removed, document, "{:?}", format);
            }
            Err(WriteDocument::Value { .. }) => prop_assert_eq!(format, FileFormat::DockerEnv),
            Err(other) => return Err(TestCaseError::fail(format!("{format:?}: {other} {document:?}"))),
        }
    }

    #[test]
    fn no_document_makes_a_reader_panic(document in value(), ours in value()) {
        for format in ALL {
            let _refused = read(format, document.as_bytes()).is_err();
            let outcome = changed(format, &document, &[("A", &ours)], &["B"]);
            if let Ok(merged) = outcome {
                let found = observe(format, merged.as_bytes()).unwrap();
                prop_assert!(found.get("A") == Some(&SecretValue::from(ours.as_str())));
            }
        }
    }
}

const UPDATED: &[(FileFormat, &str, &str)] = &[
    (
        FileFormat::Dotenv,
        "\u{feff}# c\r\nexport  A = 'x' # note\r\nB=1\r\n",
        "\u{feff}# c\r\nexport  A = new # note\r\nB=1\r\n",
    ),
    (FileFormat::Dotenv, "A= # note\n", "A=new # note\n"),
    (FileFormat::Dotenv, "A=old", "A=new"),
    (
        FileFormat::Dotenv,
        "A=1\nB=2\nA=3 # last\n",
        "B=2\nA=new # last\n",
    ),
    (
        FileFormat::Export,
        "export A=\"x\" # c\n",
        "export A='new' # c\n",
    ),
    (FileFormat::DockerEnv, "A=\"x\"\nB=1", "A=new\nB=1"),
    (
        FileFormat::GithubEnv,
        "A=x\nB=1\n",
        "A<<penstock_07070707070707070707070707070707\nnew\npenstock_07070707070707070707070707070707\nB=1\n",
    ),
    (
        FileFormat::Json,
        "{\"B\" : 1,\n\t\"A\":\"x\"  }\n",
        "{\"B\" : 1,\n\t\"A\":\"new\"  }\n",
    ),
    (
        FileFormat::Yaml,
        "# c\nA: x  # note\nB: [1, 2]\n",
        "# c\nA: \"new\"  # note\nB: [1, 2]\n",
    ),
    (
        FileFormat::Yaml,
        "A: |\n  x\n\n  y\n\nB: 1\n",
        "A: \"new\"\n\nB: 1\n",
    ),
    (FileFormat::Yaml, "A:\nB: 1\n", "A: \"new\"\nB: 1\n"),
    (
        FileFormat::Yaml,
        "'A': >-\n  x\n  # no comment\n# comment\n",
        "'A': \"new\"\n# comment\n",
    ),
    (
        FileFormat::Yaml,
        "---\nA: \"x\n  y\"\nB: {c: d}\n",
        "---\nA: \"new\"\nB: {c: d}\n",
    ),
];

#[test]
fn a_value_changes_where_it_stands() {
    for (format, document, expected) in UPDATED {
        let found = changed(*format, document, &[("A", "new")], &[]);
        assert_eq!(found.as_deref(), Ok(*expected), "{format:?}");
    }
}

const ADDED: &[(FileFormat, &str, &str, &str)] = &[
    (
        FileFormat::Dotenv,
        "B=1\r\n",
        "B=1\r\nA=\"it's\"\r\n",
        "A=\"it's\"\r\n",
    ),
    (
        FileFormat::Dotenv,
        "B=1",
        "B=1\nA=\"it's\"\n",
        "A=\"it's\"\n",
    ),
    (
        FileFormat::Json,
        "{\n    \"B\": 1\n}\n",
        "{\n    \"B\": 1,\n    \"A\": \"it's\"\n}\n",
        "{\n    \"A\": \"it's\"\n}\n",
    ),
    (
        FileFormat::Json,
        "{\"B\":1}",
        "{\"B\":1,\"A\": \"it's\"}",
        "{\"A\": \"it's\"}",
    ),
    (
        FileFormat::Json,
        "{}",
        "{\n  \"A\": \"it's\"\n}",
        "{\n  \"A\": \"it's\"\n}",
    ),
    (
        FileFormat::Json,
        "",
        "{\n  \"A\": \"it's\"\n}\n",
        "{\n  \"A\": \"it's\"\n}\n",
    ),
    (
        FileFormat::Yaml,
        "# c\nB:\n  - 1\n",
        "# c\nB:\n  - 1\nA: \"it's\"\n",
        "-",
    ),
    (FileFormat::Yaml, "", "A: \"it's\"\n", "A: \"it's\"\n"),
];

#[test]
fn keys_are_added_at_the_end_and_cut_out_whole() {
    for (format, document, added, swapped) in ADDED {
        let found = changed(*format, document, &[("A", "it's")], &[]);
        assert_eq!(found.as_deref(), Ok(*added), "{format:?}");
        let found = changed(*format, document, &[("A", "it's")], &["B"]);
        assert_eq!(found.as_deref().unwrap_or("-"), *swapped, "{format:?}");
    }
}

const REFUSED: &[(FileFormat, &str, &[u8], &str)] = &[
    (
        FileFormat::Dotenv,
        "a.b",
        b"hunter2",
        "the key `a.b` is no name of an environment variable",
    ),
    (
        FileFormat::Export,
        "1A",
        b"hunter2",
        "the key `1A` is no name of an environment variable",
    ),
    (
        FileFormat::GithubEnv,
        "ä",
        b"hunter2",
        "the key `ä` is no name of an environment variable",
    ),
    (
        FileFormat::DockerEnv,
        "A B",
        b"hunter2",
        "the key `A B` is no name of an environment variable",
    ),
    (
        FileFormat::Dotenv,
        "A",
        b"hunter2\0",
        "the value of `A` is not text, or holds a zero byte",
    ),
    (
        FileFormat::Json,
        "A",
        b"hunter2\xff",
        "the value of `A` is not text, or holds a zero byte",
    ),
    (
        FileFormat::DockerEnv,
        "A",
        b"hunter2\n",
        "the value of `A` spans lines, and Docker's env files have no quotes",
    ),
    (
        FileFormat::DockerEnv,
        "A",
        b"'hunter2'",
        "the value of `A` begins and ends with the same quote, which versions of Docker read differently",
    ),
    (
        FileFormat::DockerEnv,
        "A",
        &[b'x'; 64 * 1024],
        "the value of `A` is longer than the 64 KiB that Docker reads of a line",
    ),
    (
        FileFormat::GithubEnv,
        "NODE_OPTIONS",
        b"hunter2",
        "the value of `NODE_OPTIONS` would set what the runner of GitHub Actions does not let be set",
    ),
    (
        FileFormat::GithubEnv,
        "GITHUB_TOKEN",
        b"hunter2",
        "the value of `GITHUB_TOKEN` would set what the runner of GitHub Actions does not let be set",
    ),
];

#[test]
fn what_a_format_cannot_hold_is_refused_by_key_and_without_the_value() {
    for (format, name, value, expected) in REFUSED {
        let data = BTreeMap::from([(key(name), SecretValue::new(*value))]);
        let problem = written(*format, &data).unwrap_err();
        assert_eq!(problem.to_string(), *expected, "{format:?}");
        assert!(!format!("{problem:?}").contains("hunter2"), "{problem:?}");
    }
}

#[test]
fn a_line_of_ours_that_nobody_understands_is_not_written_over() {
    for (format, document) in [
        (FileFormat::Dotenv, "A='x'y\n"),
        (FileFormat::Export, "export A=$B\n"),
        (FileFormat::DockerEnv, "A\n"),
        (FileFormat::Yaml, "A: [1]\n"),
        (FileFormat::Yaml, "{A: x, B: y}\n"),
        (FileFormat::Yaml, "A: &a x\nB: *a\n"),
        (FileFormat::Dotenv, "B='x\nA=1\n"),
        (FileFormat::Json, "[1]"),
        (FileFormat::Json, "{\"A\": 1, \"A\": 2}"),
    ] {
        let outcome = changed(format, document, &[("A", "new")], &[]);
        let refused = matches!(
            outcome,
            Err(WriteDocument::Existing { .. } | WriteDocument::Unfaithful)
        );
        assert!(refused, "{format:?} {document:?}: {outcome:?}");
    }
}

#[test]
fn a_source_is_read_completely_or_not_at_all() {
    for (format, document) in [
        (FileFormat::Dotenv, "A=1\nB\n"),
        (FileFormat::Export, "A=1\nB=$A\n"),
        (FileFormat::DockerEnv, "A=1\nHOME\n"),
        (FileFormat::DockerEnv, "A='1'\n"),
        (FileFormat::GithubEnv, "A=1\n"),
        (FileFormat::Json, "{\"A\": 1"),
        (FileFormat::Yaml, "A: 1\nB: [2]\n"),
        (FileFormat::Yaml, "A: 1\n---\nA: 2\n"),
        (FileFormat::Yaml, "A: 1\nA: 2\n"),
        (FileFormat::Yaml, "- A\n"),
        (FileFormat::Yaml, "A: !!binary aGk=\n"),
    ] {
        assert!(
            read(format, document.as_bytes()).is_err(),
            "{format:?} {document:?}"
        );
    }
}

#[test]
fn values_are_what_stands_there() {
    let yaml = "A: 0123\nB: no\nC: 1.10 # c\nD: ~\nE:\nF: |\n  x\n  y\nG: 'it''s'\n\"H h\": \"\\u00fc\\n\"\n";
    let json = r#"{"A": 0123e, "B": "x"}"#;
    assert_eq!(
        read(FileFormat::Json, json.as_bytes()),
        Err(ReadDocument::NotJson)
    );
    let found: Vec<_> = read(FileFormat::Yaml, yaml.as_bytes())
        .unwrap()
        .into_iter()
        .map(|entry| (entry.name, entry.value.expose_text().unwrap().to_owned()))
        .collect();
    let expected = [
        ("A", "0123"),
        ("B", "no"),
        ("C", "1.10"),
        ("D", "~"),
        ("E", ""),
        ("F", "x\ny\n"),
        ("G", "it's"),
        ("H h", "ü\n"),
    ];
    assert_eq!(
        found,
        expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
}

#[test]
fn the_name_of_a_file_speaks_of_its_format() {
    for (name, expected) in [
        (".env", FileFormat::Dotenv),
        ("deploy/.env.local", FileFormat::Dotenv),
        ("a.json", FileFormat::Json),
        ("x.yaml/y.yml", FileFormat::Yaml),
        ("env.sh", FileFormat::Export),
        ("$GITHUB_ENV", FileFormat::GithubEnv),
        ("json", FileFormat::Dotenv),
    ] {
        assert_eq!(format_of(name), expected, "{name}");
    }
}

#[test]
fn ten_thousand_keys_are_merged() {
    let many: Data = (0..10_000)
        .map(|at| (key(&format!("KEY_{at}")), SecretValue::from("a value")))
        .collect();
    for format in ALL {
        let document = render(format, &many, &delimiter()).unwrap();
        assert_eq!(
            observe(format, document.expose()).unwrap().len(),
            10_000,
            "{format:?}"
        );
    }
}
