//! From answers to merged keys.

use regex::Regex;

use crate::bundle::{MAX_BYTES, MAX_KEYS, Snapshot};
use crate::conditions::Reason;
use crate::names::SourceName;
use crate::render::fixtures::{
    content, entry, installation_key, key, pairs, rendered, sentences, snapshot, source, sync,
    tagged, texts,
};
use crate::render::{SourceAnswer, TemplateTexts, render};
use crate::sync::{Conflicts, Decode, Extract, ExtractFormat, KeyCase};

#[test]
fn one_source_gives_its_keys_with_their_provenance() {
    let sync = sync(vec![source("vault")]);
    let mut answer = snapshot(vec![tagged("database/DB_URL", "u", &["api"])]);
    answer.entries[0].version = Some("7".to_owned());
    let bundle = rendered(&sync, &[answer]).unwrap();
    let made = &bundle.0[&key("DB_URL")];
    assert_eq!(made.value.expose(), b"u");
    assert_eq!(
        made.provenance.source,
        Some(SourceName::new("vault").unwrap())
    );
    assert_eq!(made.provenance.path, "database");
    assert_eq!(made.provenance.version.as_deref(), Some("7"));
    assert!(made.provenance.tags.contains("api"));
}

#[test]
fn a_conflict_between_sources_or_folders_is_decided_by_the_spec() {
    let answers = [
        texts(&[("A", "first"), ("x/B", "x"), ("y/B", "y")]),
        texts(&[("A", "second")]),
    ];
    let cases = [
        (Conflicts::LaterWins, [("A", "second"), ("B", "y")]),
        (Conflicts::FirstWins, [("A", "first"), ("B", "x")]),
    ];
    let mut sync = sync(vec![source("one"), source("two")]);
    for (conflicts, expected) in cases {
        sync.conflicts = conflicts;
        let bundle = rendered(&sync, &answers).unwrap();
        assert_eq!(content(&bundle), pairs(&expected), "{conflicts:?}");
    }
    sync.conflicts = Conflicts::Error;
    assert_eq!(
        sentences(&rendered(&sync, &answers).unwrap_err()),
        [
            "KeyConflict spec.sources[0]: `B` comes more than once, from `x`, `y`",
            "KeyConflict spec.conflicts: `A` comes from more than one source: `one`, `two`",
        ]
    );
}

#[test]
fn answers_count_in_the_order_of_the_spec() {
    let sync = sync(vec![source("one"), source("two")]);
    let (first, second) = (texts(&[("A", "1")]), texts(&[("A", "2")]));
    let answers = [
        SourceAnswer {
            source: &sync.sources[1].name,
            snapshot: &second,
        },
        SourceAnswer {
            source: &sync.sources[0].name,
            snapshot: &first,
        },
    ];
    let render = |answers: &[SourceAnswer<'_>]| {
        render(
            &sync,
            answers,
            &TemplateTexts::default(),
            &installation_key(1),
        )
    };
    assert_eq!(content(&render(&answers).unwrap()), pairs(&[("A", "2")]));
    let twice = [answers[0], answers[0]];
    assert_eq!(render(&twice).unwrap_err()[0].reason, Reason::InternalError);
}

#[test]
fn two_names_of_one_folder_never_become_one_key_by_chance() {
    let mut sync = sync(vec![source("vault")]);
    sync.sources[0].rename.case = Some(KeyCase::ScreamingSnake);
    let answer = texts(&[("f/db-url", "1"), ("f/db.url", "2")]);
    for conflicts in [Conflicts::LaterWins, Conflicts::FirstWins, Conflicts::Error] {
        sync.conflicts = conflicts;
        assert_eq!(
            sentences(&rendered(&sync, std::slice::from_ref(&answer)).unwrap_err()),
            ["KeyConflict spec.sources[0].rename: `db-url`, `db.url` both become `DB_URL`"]
        );
    }
    sync.conflicts = Conflicts::LaterWins;
    let folders = texts(&[("f/db-url", "1"), ("g/db.url", "2")]);
    let bundle = rendered(&sync, &[folders]).unwrap();
    assert_eq!(content(&bundle), pairs(&[("DB_URL", "2")]));
}

#[test]
fn a_required_key_must_come_from_its_source_unless_that_did_not_answer() {
    let mut sync = sync(vec![source("vault"), source("fallback")]);
    sync.sources[0].require = vec![key("DB_URL"), key("TOKEN"), key("A")];
    let fallback = texts(&[("DB_URL", "x"), ("A", "x")]);
    let vault = texts(&[("A", "x")]);
    let faults = rendered(&sync, &[vault, fallback.clone()]).unwrap_err();
    assert_eq!(
        sentences(&faults),
        [
            "RequiredKeyMissing spec.sources[0].require: `DB_URL`, `TOKEN` is required and absent \
             from what source `vault` gives"
        ]
    );
    let only = [SourceAnswer {
        source: &sync.sources[1].name,
        snapshot: &fallback,
    }];
    let faults = render(
        &sync,
        &only,
        &TemplateTexts::default(),
        &installation_key(1),
    )
    .unwrap_err();
    assert!(faults[0].message.starts_with("`TOKEN` is"), "{faults:?}");
}

#[test]
fn documents_are_taken_apart_after_decoding_and_before_selecting() {
    let mut sync = sync(vec![source("vault"), source("file")]);
    sync.sources[0].decode = Some(Decode::Base64);
    sync.sources[0].extract = Some(Extract {
        format: Some(ExtractFormat::Json),
        property: "data".to_owned(),
    });
    sync.sources[0].select.matching = Some(Regex::new("^db").unwrap());
    sync.sources[0].rename.prefix = "X_".to_owned();
    sync.sources[1].extract = Some(Extract {
        format: None,
        property: String::new(),
    });
    // {"data": {"dbUrl": "u", "other": 1}}
    let vault = texts(&[(
        "apps/config",
        "eyJkYXRhIjogeyJkYlVybCI6ICJ1IiwgIm90aGVyIjogMX19",
    )]);
    let file = texts(&[("env", "A=1\nB='2'\nA=3\n")]);
    let bundle = rendered(&sync, &[vault, file]).unwrap();
    assert_eq!(
        content(&bundle),
        pairs(&[("A", "3"), ("B", "2"), ("X_dbUrl", "u")])
    );
    assert_eq!(
        bundle.0[&key("X_dbUrl")].provenance.path,
        "apps/config",
        "a member lies in its entry"
    );
}

#[test]
fn every_problem_of_every_source_is_told_at_once() {
    let mut sync = sync(vec![source("a"), source("b"), source("c")]);
    sync.sources[0].decode = Some(Decode::Base64);
    sync.sources[1].extract = Some(Extract {
        format: Some(ExtractFormat::Json),
        property: String::new(),
    });
    sync.sources[1].require = vec![key("K")];
    sync.sources[2].rename.strip_prefix = "all".to_owned();
    let answers = [
        texts(&[("one", "not base64!"), ("two", "aGk=")]),
        texts(&[("doc", "{")]),
        texts(&[("all", "x"), ("fine", "x")]),
    ];
    assert_eq!(
        sentences(&rendered(&sync, &answers).unwrap_err()),
        [
            "RenderFailed spec.sources[0].decode: the value of entry `one` is not base64",
            "RenderFailed spec.sources[1].extract: entry `doc`: the document is not JSON whose members all \
             have different names",
            "RequiredKeyMissing spec.sources[1].require: `K` is required and absent from what source `b` \
             gives",
            "KeyNotAccepted spec.sources[2].rename: the key that `all` becomes is empty",
        ]
    );
}

#[test]
fn entries_that_are_not_selected_cause_no_problem() {
    let mut sync = sync(vec![source("a")]);
    sync.sources[0].decode = Some(Decode::Base64);
    sync.sources[0].select.exclude.insert("one".to_owned());
    let answers = [texts(&[("one", "not base64!"), ("two", "aGk=")])];
    let bundle = rendered(&sync, &answers).unwrap();
    assert_eq!(content(&bundle), pairs(&[("two", "hi")]));
}

#[test]
fn a_bundle_is_bounded_in_keys_and_bytes() {
    let many = |count: usize, prefix: &str| {
        snapshot(
            (0..count)
                .map(|at| entry(&format!("{prefix}{at}"), "x"))
                .collect(),
        )
    };
    let big = || Snapshot {
        entries: vec![entry("big", vec![b'x'; MAX_BYTES / 2])],
        version: None,
    };
    let mut other = source("two");
    other.rename.prefix = "2".to_owned();
    let sync = sync(vec![source("one"), other]);
    assert!(rendered(&sync, &[many(MAX_KEYS, "k"), many(0, "")]).is_ok());
    for answers in [
        [many(MAX_KEYS + 1, "k"), many(0, "")],
        [many(MAX_KEYS, "k"), many(1, "l")],
        [big(), big()],
    ] {
        let faults = rendered(&sync, &answers).unwrap_err();
        assert_eq!(faults[0].reason, Reason::TooLarge, "{faults:?}");
    }
}
