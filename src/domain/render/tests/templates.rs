//! Templates, derivations and what absent keys mean to them.

use crate::bundle::{Provenance, Snapshot};
use crate::conditions::Reason;
use crate::names::ObjectName;
use crate::render::fixtures::{
    content, entry, installation_key, key, pairs, rendered, sentences, snapshot, source, sync,
    tagged, template_sync, texts,
};
use crate::render::{SourceAnswer, TemplateTexts, check_template, render, template_references};
use crate::sync::{Derivation, DerivationFunction, Encoding, Making};

const CERTIFICATES: &str = "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n\
    -----BEGIN CERTIFICATE-----\nBAUG\n-----END CERTIFICATE-----\n\
    -----BEGIN CERTIFICATE-----\nBwgJ\n-----END CERTIFICATE-----\n\
    -----BEGIN EC PRIVATE KEY-----\nCgsM\n-----END EC PRIVATE KEY-----\n";

fn answer() -> Snapshot {
    let mut answer = texts(&[
        ("USER", "bob"),
        ("PASSWORD", "p@ss/wörd"),
        ("db-url", "u"),
        ("keys", "shadowed"),
        ("JSON", r#"{"a": [1, {"b": "x"}], "t": "a\"b"}"#),
        ("PEM", CERTIFICATES),
        ("EMPTY", ""),
    ]);
    answer
        .entries
        .push(entry("BINARY", vec![0xff, 0xfe, 0x00, 0x01]));
    answer
}

fn out(template: &str) -> Result<String, Vec<String>> {
    let bundle =
        rendered(&template_sync(template), &[answer()]).map_err(|faults| sentences(&faults))?;
    Ok(content(&bundle).remove(0).1)
}

fn out_with_optional(template: &str) -> Result<Option<String>, Vec<String>> {
    let mut sync = template_sync(template);
    sync.transform.optional = [key("DSN"), key("opt-key")].into();
    let bundle = rendered(&sync, &[answer()]).map_err(|faults| sentences(&faults))?;
    Ok(content(&bundle).pop().map(|(_, value)| value))
}

const GOOD: &[(&str, &str)] = &[
    ("plain\n", "plain\n"),
    ("{{ USER }}:{{ keys['db-url'] }}", "bob:u"),
    ("{{ keys['keys'] }}", "shadowed"),
    (
        "postgres://{{ USER }}:{{ PASSWORD | urlencode }}@db",
        "postgres://bob:p%40ss%2Fw%C3%B6rd@db",
    ),
    ("{{ USER | b64encode }}", "Ym9i"),
    ("{{ 'Ym9i' | b64decode }}", "bob"),
    ("{{ 'YT9-' | b64urldecode }}", "a?~"),
    ("{{ BINARY | b64encode }}", "//4AAQ=="),
    ("{{ BINARY | b64urlencode }}", "__4AAQ"),
    (
        "{{ USER | sha256 }}",
        "81b637d8fcd2c6da6359e6963113a1170de795e4b725b84d1e0b4cfd9ec58ce9",
    ),
    ("{{ USER | upper }}{{ 'A B' | lower }}", "BOBa b"),
    ("[{{ '  x ' | trim }}]", "[x]"),
    ("{{ 'a-b-c' | replace('-', '_') }}", "a_b_c"),
    ("{{ NOPE | default('fallback') }}", "fallback"),
    (
        "{{ EMPTY | default('x') }}|{{ EMPTY | default('x', true) }}",
        "|x",
    ),
    ("{{ PASSWORD | json }}", "\"p@ss/wörd\""),
    (
        "{{ {'a': [1, true, 'x\"y']} | json }}",
        r#"{"a":[1,true,"x\"y"]}"#,
    ),
    ("{{ (JSON | fromjson).a[1].b }}", "x"),
    ("{{ (JSON | fromjson).t | json }}", r#""a\"b""#),
    ("{{ \"it's\" | quote }}", r"'it'\''s'"),
    ("{{ 'a,b,c' | split(',') | join('+') }}", "a+b+c"),
    ("{{ 'a,b,c' | split(',') | first }}", "a"),
    ("{{ 'a,b,c' | split(',') | last }}", "c"),
    ("{{ 'a\nb\n\nc' | indent(2) }}", "a\n  b\n\n  c"),
    (
        "{% for line in 'a\nb' | lines %}<{{ line }}>{% endfor %}",
        "<a><b>",
    ),
    ("{{ PASSWORD | length }}", "9"),
    (
        "{% if USER is defined and NOPE is not defined %}y{% endif %}",
        "y",
    ),
    ("{% if USER is startingwith('b') %}y{% endif %}", "y"),
    (
        "{% if USER is endingwith('x') %}y{% else %}n{% endif %}",
        "n",
    ),
    (
        "{% for name, value in keys | items %}{% if name == 'USER' %}{{ name }}={{ value }}\
         {% endif %}{% endfor %}",
        "USER=bob",
    ),
    (
        "{{ PEM | pem_leaf }}",
        "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n",
    ),
    (
        "{{ PEM | pem_chain }}",
        "-----BEGIN CERTIFICATE-----\nBAUG\n-----END CERTIFICATE-----\n\
         -----BEGIN CERTIFICATE-----\nBwgJ\n-----END CERTIFICATE-----\n",
    ),
    (
        "{{ PEM | pem_private_key }}",
        "-----BEGIN EC PRIVATE KEY-----\nCgsM\n-----END EC PRIVATE KEY-----\n",
    ),
    ("{{ PEM | pem('CERTIFICATE') | length }}", "3"),
    ("{% set x = USER ~ '!' %}{{ x }}", "bob!"),
    ("{# a comment #}{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
];

#[test]
fn filters_and_tests_do_what_their_names_say() {
    for (template, expected) in GOOD {
        assert_eq!(out(template).as_deref(), Ok(*expected), "{template}");
    }
}

#[test]
fn passwords_are_hashed_the_same_way_each_time() {
    let template = "{{ PASSWORD | htpasswd(USER, cost=4) }}\n{{ PASSWORD | bcrypt(cost=4) }}";
    let text = out(template).unwrap();
    assert_eq!(out(template).unwrap(), text);
    let (line, hash) = text.split_once('\n').unwrap();
    let in_line = line.strip_prefix("bob:").unwrap();
    assert!(bcrypt::verify("p@ss/wörd", in_line).unwrap());
    assert!(bcrypt::verify("p@ss/wörd", hash).unwrap());
    assert_ne!(in_line, hash, "the user is part of the salt");
}

const BAD: &[(&str, &str)] = &[
    (
        "{{ NOPE }}{{ USER }}{{ ALSO }}",
        "the template, line 1, uses what is absent: `ALSO`, `NOPE`",
    ),
    (
        "\n{{ keys['no-such'] }}",
        "the template, line 2, uses what is absent: `no-such`",
    ),
    (
        "{{ NOPE | upper }}",
        "the template, line 1, uses what is absent: `NOPE`",
    ),
    (
        "{% if NOPE %}{% endif %}",
        "the template, line 1, uses what is absent: `NOPE`",
    ),
    (
        "{{ keys[PASSWORD] }}",
        "the template, line 1, uses what is absent",
    ),
    (
        "{{ (JSON | fromjson).nope }}",
        "the template, line 1, uses what is absent",
    ),
    (
        "{{ BINARY }}",
        "the template uses as text what is not UTF-8: `BINARY`",
    ),
    (
        "{{ 'x' ~ BINARY ~ USER }}",
        "the template uses as text what is not UTF-8: `BINARY`",
    ),
    (
        "{{ BINARY | upper }}",
        "the template uses as text what is not UTF-8: `BINARY`",
    ),
    (
        "{{ BINARY | json }}",
        "the template uses as text what is not UTF-8: `BINARY`",
    ),
    (
        "{{ keys | json }}",
        "the template uses as text what is not UTF-8: `BINARY`",
    ),
    (
        "{{ PASSWORD | b64decode }}",
        "the template, line 1: `b64decode` was given something that is not base64 of its alphabet",
    ),
    (
        "{{ '//4=' | b64decode }}",
        "the template, line 1: `b64decode` gives bytes that are not UTF-8; use `decode` at the source \
         instead",
    ),
    (
        "{{ PASSWORD | fromjson }}",
        "the template, line 1: `fromjson` was given something that is not JSON",
    ),
    (
        "{{ USER | pem_leaf }}",
        "the template, line 1: `pem_leaf` finds none in the PEM text that it was given",
    ),
    (
        "{{ PASSWORD | htpasswd('a:b') }}",
        "the template, line 1: the user of `htpasswd` must be text without colon and control characters",
    ),
    (
        "{{ PASSWORD | bcrypt(cost=13) }}",
        "the template, line 1: the cost of bcrypt must be 4 to 12",
    ),
    (
        "{{ USER + 1 }}",
        "the template, line 1: an operation does not fit the kind of value that it is given",
    ),
    (
        "{{ USER | replace('a') }}",
        "the template, line 1: a filter or test is given too few or too many arguments",
    ),
    (
        "{{ keys | upper }}",
        "the template, line 1: a filter for text was given something else",
    ),
    (
        "{{ USER | nope }}",
        "the template uses the filter `nope`, which does not exist",
    ),
    (
        "{{ USER.upper() }}",
        "the template uses the method `upper`, which does not exist",
    ),
    (
        "{{ range(3) }}",
        "the template uses the function `range`, which does not exist",
    ),
    (
        "{% for a in 1 %}x{% endfor %}",
        "the template, line 1: an operation does not fit the kind of value that it is given",
    ),
];

#[test]
fn what_goes_wrong_is_told_without_values() {
    let path = "RenderFailed spec.transform.data.OUT.template: ";
    for (template, expected) in BAD {
        assert_eq!(
            out(template),
            Err(vec![format!("{path}{expected}")]),
            "{template}"
        );
    }
    for template in [
        "{{ USER",
        "{% include 'x' %}",
        "{% macro x() %}{% endmacro %}",
        "{% if %}",
    ] {
        let faults = out(template).unwrap_err();
        assert!(
            faults[0].contains("does not parse, line 1: "),
            "{template}: {faults:?}"
        );
    }
}

#[test]
fn a_template_can_neither_run_nor_write_without_end() {
    for template in [
        "{% for a in 'x' * 100000 %}{% for b in 'x' * 100000 %}{{ a }}{% endfor %}{% endfor %}",
        "{{ 'x' * 9000000 }}",
        "{% set x = 'x' * 1000000 %}{{ x }}{{ x }}",
        "{{ ('x' * 100000) | replace('x', 'y' * 10000) }}",
        "{{ ('\n' * 1000000) | indent(64) }}",
        "{{ ('x' * 1000000) | split('') | length }}",
        "{{ (('x' * 9000) | split('')) | join('y' * 100000) }}",
        "{% for a in [1] * 100000000 %}{% endfor %}",
    ] {
        let faults = out(template).unwrap_err();
        let bounded = ["more work", "writes more", "is larger than", "does not fit"]
            .iter()
            .any(|words| faults[0].contains(words));
        assert!(bounded, "{template}: {faults:?}");
    }
}

#[test]
fn absent_optional_keys_are_absent_and_no_error() {
    let cases: &[(&str, Option<&str>)] = &[
        ("{{ DSN }}", None),
        ("{{ DSN }}?env=prod", None),
        ("{{ USER }} {{ DSN }}", None),
        ("{{ keys['opt-key'] | trim }}{{ USER }}", None),
        ("{% if NOPE is defined %}x{% endif %}{{ DSN }}", None),
        ("{{ DSN | default('none') }}", Some("none")),
        (
            "{% if DSN %}dsn={{ DSN }}{% endif %}user={{ USER }}",
            Some("user=bob"),
        ),
        (
            "{% if DSN is defined %}{{ DSN }}{% else %}-{% endif %}",
            Some("-"),
        ),
    ];
    for (template, expected) in cases {
        let expected = expected.map(str::to_owned);
        assert_eq!(out_with_optional(template), Ok(expected), "{template}");
    }
}

#[test]
fn required_keys_stay_required_beside_optional_ones() {
    for template in ["{{ NOPE }} {{ DSN }}", "{% if NOPE %}{{ DSN }}{% endif %}"] {
        let faults = out_with_optional(template).unwrap_err();
        assert!(
            faults[0].contains("uses what is absent: `NOPE`"),
            "{template}: {faults:?}"
        );
    }
}

fn hkdf(from: &str) -> Making {
    Making::Derive(Derivation {
        from: key(from),
        function: DerivationFunction::HkdfSha256 {
            info: "api-server/bob".to_owned(),
            salt: String::new(),
            length: 32,
        },
        encode: Encoding::Hex,
    })
}

fn public(from: &str) -> Making {
    Making::SshPublicKey { from: key(from) }
}

#[test]
fn derivations_and_public_keys_take_merged_keys() {
    let mut sync = sync(vec![source("vault")]);
    sync.transform.data = [
        (key("API_KEY"), hkdf("JWT_SECRET")),
        (key("ABSENT"), hkdf("DSN")),
        (key("PUB"), public("DEPLOY_KEY")),
        (key("NO_PUB"), public("DSN")),
    ]
    .into();
    sync.transform.optional = [key("DSN")].into();
    sync.transform.keep_only_declared = true;
    let answer = texts(&[
        ("JWT_SECRET", "seed"),
        ("DEPLOY_KEY", include_str!("../testdata/ed25519.key")),
    ]);
    let bundle = rendered(&sync, std::slice::from_ref(&answer)).unwrap();
    let made = content(&bundle);
    assert_eq!(made.len(), 2);
    assert_eq!(made[0].1.len(), 64);
    let expected = include_str!("../testdata/ed25519.pub").trim_end();
    assert_eq!(made[1], ("PUB".to_owned(), expected.to_owned()));

    sync.transform.optional.clear();
    sync.transform
        .data
        .insert(key("BAD_PUB"), public("JWT_SECRET"));
    assert_eq!(
        sentences(&rendered(&sync, &[answer]).unwrap_err()),
        [
            "RenderFailed spec.transform.data.ABSENT.derive.from: `DSN` is absent",
            "RenderFailed spec.transform.data.BAD_PUB.sshPublicKey: `JWT_SECRET` is not a private key in \
             PEM form",
            "RenderFailed spec.transform.data.NO_PUB.sshPublicKey.from: `DSN` is absent",
        ]
    );
}

#[test]
fn made_keys_replace_merged_ones_and_see_only_merged_ones() {
    let mut sync = sync(vec![source("vault")]);
    sync.transform.data = [
        (key("USER"), Making::Template("<{{ USER }}>".into())),
        (
            key("TWICE"),
            Making::Template("{{ USER }}{{ USER }}".into()),
        ),
    ]
    .into();
    let answer = texts(&[("USER", "bob"), ("OTHER", "x")]);
    let bundle = rendered(&sync, std::slice::from_ref(&answer)).unwrap();
    assert_eq!(
        content(&bundle),
        pairs(&[("OTHER", "x"), ("TWICE", "bobbob"), ("USER", "<bob>")])
    );
    sync.transform.keep_only_declared = true;
    let bundle = rendered(&sync, std::slice::from_ref(&answer)).unwrap();
    assert_eq!(
        content(&bundle),
        pairs(&[("TWICE", "bobbob"), ("USER", "<bob>")])
    );
    sync.transform
        .data
        .insert(key("THIRD"), Making::Template("{{ TWICE }}".into()));
    let faults = rendered(&sync, &[answer]).unwrap_err();
    assert_eq!(faults.len(), 1);
    assert!(
        faults[0]
            .hint
            .as_ref()
            .unwrap()
            .contains("sources' keys only")
    );
}

#[test]
fn made_keys_carry_the_provenance_that_their_inputs_share() {
    let mut sync = sync(vec![source("vault")]);
    sync.transform.data = [
        (key("BOTH"), Making::Template("{{ A }}{{ B }}".into())),
        (key("CONST"), Making::Template("x".into())),
    ]
    .into();
    let answer = snapshot(vec![
        tagged("f/A", "1", &["api", "worker"]),
        tagged("f/B", "2", &["api"]),
    ]);
    let bundle = rendered(&sync, &[answer]).unwrap();
    let both = &bundle.0[&key("BOTH")].provenance;
    assert_eq!(both.path, "f");
    assert_eq!(both.tags, ["api".to_owned()].into());
    assert!(both.source.is_some());
    assert_eq!(bundle.0[&key("CONST")].provenance, Provenance::default());
}

#[test]
fn template_documents_come_from_outside() {
    let mut sync = sync(vec![source("vault")]);
    let config_map = ObjectName::new("app-config").unwrap();
    sync.transform.data.insert(
        key("app.yaml"),
        Making::TemplateFrom {
            config_map: config_map.clone(),
            key: key("app.yaml"),
        },
    );
    assert_eq!(
        template_references(&sync).collect::<Vec<_>>(),
        [(&config_map, &key("app.yaml"))]
    );
    let answer = texts(&[("USER", "bob")]);
    let answers = [SourceAnswer {
        source: &sync.sources[0].name,
        snapshot: &answer,
    }];
    let mut templates = TemplateTexts::default();
    let faults = render(&sync, &answers, &templates, &installation_key(1)).unwrap_err();
    assert_eq!(
        sentences(&faults),
        [
            "NotFound spec.transform.data[app.yaml].templateFrom: ConfigMap `app-config` has no key \
             `app.yaml`"
        ]
    );
    templates.insert(config_map, key("app.yaml"), "user: {{ USER }}\n".to_owned());
    let bundle = render(&sync, &answers, &templates, &installation_key(1)).unwrap();
    assert_eq!(
        content(&bundle),
        pairs(&[("USER", "bob"), ("app.yaml", "user: bob\n")])
    );
}

#[test]
fn a_templates_text_is_checked_without_keys() {
    assert_eq!(check_template("{{ A | upper }}"), Ok(()));
    for bad in [
        "{{ A",
        "{{ A | nope }}",
        "{% if x is nope %}{% endif %}",
        &"x".repeat(300_000),
    ] {
        assert!(check_template(bad).is_err());
    }
}

#[test]
fn faults_carry_a_reason_and_a_way_out() {
    let faults = rendered(&template_sync("{{ NOPE }}"), &[answer()]).unwrap_err();
    assert_eq!(faults[0].reason, Reason::RenderFailed);
    assert!(
        faults[0]
            .hint
            .as_ref()
            .unwrap()
            .contains("transform.optional")
    );
    let output = rendered(
        &template_sync("{% set x = 'x' * 1000000 %}{{ x }}{{ x }}"),
        &[answer()],
    );
    assert_eq!(output.unwrap_err()[0].reason, Reason::TooLarge);
}
