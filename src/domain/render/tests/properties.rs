//! What holds for any content.

use proptest::prelude::*;
use regex::Regex;

use crate::bundle::{Bundle, Snapshot, SourceEntry};
use crate::render::fixtures::{content, key, rendered, snapshot, source, sync, tagged, target};
use crate::render::target_data;
use crate::secret::SecretValue;
use crate::sync::{
    Conflicts, Decode, Derivation, DerivationFunction, Destination, Encoding, Extract,
    ExtractFormat, KeyCase, Making, SecretType, ValidatedSync,
};

/// Names that collide often, exactly and after renaming.
fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "db-url", "db.url", "DB_URL", "dbUrl", "token", "TOKEN", "x", "y", "PATH",
    ])
    .prop_map(str::to_owned)
}

fn any_entry() -> impl Strategy<Value = SourceEntry> {
    (
        name(),
        prop::sample::select(vec!["", "a", "a/b", "ab"]),
        prop::sample::subsequence(vec!["api", "worker", "prod"], 0..=3),
        "[a-z0-9]{0,8}",
    )
        .prop_map(|(name, path, tags, value)| SourceEntry {
            path: path.to_owned(),
            ..tagged(&name, &value, &tags)
        })
}

fn any_answer() -> impl Strategy<Value = Snapshot> {
    prop::collection::vec(any_entry(), 0..12).prop_map(snapshot)
}

/// An answer whose entries all have different names.
fn distinct_answer() -> impl Strategy<Value = Snapshot> {
    any_answer().prop_map(|mut answer| {
        let mut seen = std::collections::BTreeSet::new();
        answer
            .entries
            .retain(|entry| seen.insert(entry.name.clone()));
        answer
    })
}

fn busy_sync(conflicts: Conflicts) -> ValidatedSync {
    let mut sync = sync(vec![source("one"), source("two")]);
    sync.conflicts = conflicts;
    sync.sources[0].rename.case = Some(KeyCase::ScreamingSnake);
    sync.sources[1].rename.prefix = "db".to_owned();
    sync.transform.optional = [key("TOKEN"), key("X")].into();
    sync.transform.data = [
        (
            key("ALL"),
            Making::Template(
                "{% for name, value in keys | items %}{{ name }}={{ value | quote }}\n{% endfor %}"
                    .into(),
            ),
        ),
        (
            key("HASH"),
            Making::Template("{{ TOKEN | default('t') | bcrypt(cost=4) }}".into()),
        ),
        (
            key("DERIVED"),
            Making::Derive(Derivation {
                from: key("X"),
                function: DerivationFunction::HmacSha256 {
                    message: "m".to_owned(),
                },
                encode: Encoding::Hex,
            }),
        ),
    ]
    .into();
    sync
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rendering_twice_gives_the_same(one in any_answer(), two in any_answer()) {
        let sync = busy_sync(Conflicts::LaterWins);
        let answers = [one, two];
        let first = rendered(&sync, &answers);
        prop_assert_eq!(&first, &rendered(&sync, &answers));
        if let Ok(bundle) = first {
            let target = target("app");
            prop_assert_eq!(target_data(&bundle, &target), target_data(&bundle, &target));
        }
    }

    #[test]
    fn the_order_of_different_names_means_nothing(
        (one, shuffled) in distinct_answer().prop_flat_map(|answer| {
            let shuffled = Just(answer.entries.clone()).prop_shuffle().prop_map(snapshot);
            (Just(answer), shuffled)
        }),
        two in distinct_answer(),
    ) {
        let sync = sync(vec![source("one"), source("two")]);
        let plain = rendered(&sync, &[one, two.clone()]).unwrap();
        prop_assert_eq!(&plain, &rendered(&sync, &[shuffled, two]).unwrap());
        let mut some = target("app");
        some.select.matching = Some(Regex::new("^[a-z]").unwrap());
        some.select.tags_any = ["api".to_owned()].into();
        prop_assert!(target_data(&plain, &some).is_ok());
    }

    #[test]
    fn later_wins_and_first_wins_are_mirror_images(
        one in any_answer(),
        two in any_answer(),
        three in any_answer(),
    ) {
        let mut forward = sync(vec![source("one"), source("two"), source("three")]);
        forward.conflicts = Conflicts::LaterWins;
        let mut backward = sync(vec![source("three"), source("two"), source("one")]);
        backward.conflicts = Conflicts::FirstWins;
        let mut answers = [one, two, three];
        let later = rendered(&forward, &answers).unwrap();
        answers.reverse();
        for answer in &mut answers {
            answer.entries.reverse();
        }
        prop_assert_eq!(later, rendered(&backward, &answers).unwrap());
    }

    #[test]
    fn renaming_loses_no_name_silently(answer in any_answer()) {
        for conflicts in [Conflicts::LaterWins, Conflicts::FirstWins] {
            let mut sync = sync(vec![source("one")]);
            sync.conflicts = conflicts;
            sync.sources[0].rename.case = Some(KeyCase::ScreamingSnake);
            let mut folder = answer.clone();
            folder.entries.retain(|entry| entry.path == "a");
            let names: std::collections::BTreeSet<&str> =
                folder.entries.iter().map(|entry| entry.name.as_str()).collect();
            if let Ok(bundle) = rendered(&sync, std::slice::from_ref(&folder)) {
                prop_assert_eq!(bundle.0.len(), names.len());
            }
        }
    }

    #[test]
    fn a_lone_source_with_unique_names_arrives_whole(answer in distinct_answer()) {
        let bundle = rendered(&sync(vec![source("one")]), std::slice::from_ref(&answer)).unwrap();
        let mut expected: Vec<(String, String)> = answer
            .entries
            .iter()
            .map(|entry| {
                let value = entry.value.expose_text().unwrap().to_owned();
                (entry.name.clone(), value)
            })
            .collect();
        expected.sort();
        prop_assert_eq!(content(&bundle), expected);
    }

    #[test]
    fn no_message_and_no_debug_text_holds_a_value(
        marker in "[a-z]{4}[0-9]{12}",
        shape in 0..7_usize,
        conflicts in prop::sample::select(vec![
            Conflicts::LaterWins,
            Conflicts::FirstWins,
            Conflicts::Error,
        ]),
    ) {
        let value = match shape {
            0 => marker.clone(),
            1 => format!("{{\"a\": \"{marker}\""),
            2 => format!("{{\"a\": \"{marker}\", \"a\": 1}}"),
            3 => format!("A={marker}\n{marker}"),
            4 => format!("-----BEGIN PRIVATE KEY-----\n{marker}\n"),
            5 => format!("{{{{ {marker} | nope }}}}"),
            _ => format!("{marker}\u{fffd}"),
        };
        let mut bytes = value.clone().into_bytes();
        if shape == 6 {
            bytes.push(0xff);
        }
        for text in everything_said_about(&bytes, conflicts) {
            prop_assert!(!text.contains(&marker), "{}", text);
        }
    }
}

/// Every text that rendering gives out when one value is used in every way that can fail.
fn everything_said_about(value: &[u8], conflicts: Conflicts) -> Vec<String> {
    let entries = |names: &[&str]| {
        let entries = names.iter().map(|name| SourceEntry {
            value: SecretValue::new(value),
            ..tagged(name, "", &["api"])
        });
        snapshot(entries.collect())
    };
    let answers = [entries(&["f/S", "g/S", "LD_PRELOAD", "b"]), entries(&["S"])];
    let mut said = vec![format!("{answers:?}")];
    for sync in failing_syncs(conflicts) {
        let outcome = rendered(&sync, &answers);
        said.push(format!("{outcome:?}"));
        match outcome {
            Ok(bundle) => said.extend(said_of_targets(&bundle)),
            Err(faults) => said.extend(faults.iter().map(ToString::to_string)),
        }
    }
    said
}

fn said_of_targets(bundle: &Bundle) -> Vec<String> {
    let types = [
        SecretType::DockerConfigJson,
        SecretType::Tls,
        SecretType::SshAuth,
        SecretType::Opaque,
    ];
    let mut said = Vec::new();
    for secret_type in types {
        let mut target = target("app");
        if let Destination::Secret(secret) = &mut target.destination {
            secret.secret_type = secret_type;
        }
        let data = target_data(bundle, &target);
        said.push(format!("{data:?}"));
        let faults = data.err().into_iter().flatten();
        said.extend(faults.map(|fault| fault.to_string()));
    }
    said
}

const FAILING_TEMPLATES: &[&str] = &[
    "{{ S + 1 }}",
    "{{ keys[S] }}",
    "{{ S | b64decode }}",
    "{{ S | fromjson }}",
    "{{ S | pem_leaf }}",
    "{{ NOPE }}{{ S }}",
    "{{ S[S] }}",
    "{{ S() }}",
    "{{ S.nope }}",
    "{{ 'x' | htpasswd(S ~ ':') }}",
    "{{ S | split(1, 2, 3, 4) }}",
    "{{ S | indent(S) }}",
    "{{ S | bcrypt(cost=S) }}",
    "{% for a in S %}{{ a.b.c }}{% endfor %}",
    "{% set a, b = S %}",
    "{{ {}[S].x }}",
    "{{ S * 100000000 }}",
    "{{ -S }}",
];

fn failing_syncs(conflicts: Conflicts) -> Vec<ValidatedSync> {
    let with = |conflicts, change: &dyn Fn(&mut ValidatedSync)| {
        let mut sync = sync(vec![source("one"), source("two")]);
        sync.conflicts = conflicts;
        change(&mut sync);
        sync
    };
    let mut syncs = vec![with(conflicts, &|_| {})];
    for how in [Decode::Base64, Decode::Base64Url] {
        syncs.push(with(conflicts, &|sync| sync.sources[0].decode = Some(how)));
    }
    for (format, property) in [
        (ExtractFormat::Json, ""),
        (ExtractFormat::Json, "a.b"),
        (ExtractFormat::Dotenv, ""),
    ] {
        syncs.push(with(conflicts, &|sync| {
            sync.sources[0].extract = Some(Extract {
                format: Some(format),
                property: property.to_owned(),
            });
        }));
    }
    let templates = FAILING_TEMPLATES
        .iter()
        .map(|text| Making::Template((*text).into()));
    for making in templates.chain([Making::SshPublicKey { from: key("S") }]) {
        syncs.push(with(Conflicts::LaterWins, &|sync| {
            sync.transform.data.insert(key("OUT"), making.clone());
        }));
    }
    syncs
}
