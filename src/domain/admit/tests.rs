use super::admit;
use crate::api::secret_sync::SecretSync;
use crate::conditions::Reason;
use crate::sync::{
    Adopt, Conflicts, Destination, Making, Origin, SecretType, SourceOptions, StoreKind,
    ValidatedSync, WorkloadKind, WorkloadScope,
};

fn object(spec: &str) -> SecretSync {
    let yaml = format!(
        "apiVersion: penstock.dev/v1alpha1\nkind: SecretSync\n\
         metadata: {{name: panbot, namespace: prod, generation: 3}}\nspec:\n{spec}"
    );
    serde_saphyr::from_str(&yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"))
}

/// A spec that is good, with `more` beside it.
pub(super) fn with(more: &str) -> SecretSync {
    object(&format!(
        "  sources: [{{name: vault, store: {{name: openbao}}, path: apps/panbot}}]\n\
         \x20 targets: [{{name: env, secret: {{}}}}]\n{more}"
    ))
}

fn with_source(source: &str) -> SecretSync {
    object(&format!(
        "  sources: [{source}]\n  targets: [{{name: env, secret: {{}}}}]\n"
    ))
}

fn with_target(target: &str) -> SecretSync {
    object(&format!(
        "  sources: [{{name: vault, store: {{name: openbao}}}}]\n  targets: [{target}]\n"
    ))
}

pub(super) fn admitted(object: &SecretSync) -> ValidatedSync {
    admit(object).unwrap_or_else(|problems| panic!("{problems}"))
}

/// `reason field: message` of each problem.
pub(super) fn problems(object: &SecretSync) -> Vec<String> {
    let problems = admit(object).map(|_| ()).unwrap_err();
    let problems = problems.as_slice().iter();
    problems
        .map(|problem| {
            format!(
                "{} {}: {}",
                problem.reason, problem.subject, problem.message
            )
        })
        .collect()
}

#[test]
fn the_common_case_gets_every_default() {
    let sync = admitted(&with(""));
    assert_eq!(sync.id.to_string(), "prod/panbot");
    assert_eq!(sync.generation, 3);
    assert_eq!(sync.interval.as_secs(), 600);
    assert!(!sync.suspend);
    assert_eq!(sync.conflicts, Conflicts::LaterWins);
    assert_eq!(sync.max_deletes, Some(10));
    assert_eq!(sync.history.older, 2);
    assert_eq!(sync.history.max_age.as_secs(), 720 * 3600);
    assert!(sync.history.keep_values);
    let source = &sync.sources[0];
    assert_eq!(source.path, "apps/panbot");
    assert!(
        matches!(&source.origin, Origin::Store(store) if store.kind == StoreKind::Namespaced
            && store.name.as_str() == "openbao")
    );
    let target = &sync.targets[0];
    assert_eq!(target.destination.object_name(), "panbot");
    assert_eq!(target.destination.kind(), "Secret");
    assert_eq!(target.adopt, Adopt::Never);
    assert!(target.repair && !target.share_keys && !target.delete_with_sync);
    assert!(sync.rollout.restart && sync.rollout.after_tampering);
    assert_eq!(sync.rollout.workloads, WorkloadScope::Discover);
    assert_eq!(sync.rollout.deadline.as_secs(), 600);
    assert_eq!(
        (
            sync.rollout.max_restarts,
            sync.rollout.restart_window.as_secs()
        ),
        (3, 3600)
    );
}

/// Everything that this version can do.
const FULL: &str = r#"
  interval: 30s
  suspend: true
  conflicts: error
  sources:
  - name: vault
    store: {name: openbao, kind: ClusterSecretStore}
    environment: prod
    path: /apps/panbot/
    field: password
    extract: {property: data.0.env}
    decode: auto
    version: "3"
    options: {vault: {mount: kv/}}
    select: {recursive: true, tags: {any: [api], all: [prod]}, keys: [a], matching: "^DB_", exclude: [b]}
    rename: {stripPrefix: "x-", replace: [{matching: "^(.)-", with: "${1}_"}], map: {old: NEW}, case: screamingSnake, prefix: "P_"}
    require: [P_DB_URL]
    onUnavailable: useOthers
  - {name: secret, secret: {name: overrides, optional: true}}
  - {name: map, configMap: {name: settings}}
  - {name: fixed, literal: {LOG_LEVEL: info}}
  transform:
    data:
      URL: {template: "postgres://{{ DB_USER | urlencode }}@db\n"}
      KEY: {derive: {from: SEED, hkdfSha256: {info: api}, encode: hex}}
      MAC: {derive: {from: SEED, hmacSha256: {message: m}}}
      PUB: {sshPublicKey: {from: DEPLOY}}
      app.yaml: {templateFrom: {configMap: {name: app, key: app.yaml}}}
    optional: [SENTRY_DSN]
    keep: declared
  targets:
  - name: env
    secret: {name: out, type: kubernetes.io/tls, labels: {team: a}, annotations: {example.com/x: y}, immutable: true, recreate: true}
    select: {tags: {any: [api]}, sources: [vault], paths: [/apps/], keys: [LD_PRELOAD], matching: "."}
    adopt: ifEqual
    onDelete: delete
    tampering: report
    after: immediately
  - {name: map, configMap: {name: out}, share: keys, adopt: always}
  rollout:
    workloads: {selector: {matchLabels: {app: api}, matchExpressions: [{key: tier, operator: In, values: [a, b]}]}}
    strategy: {none: {}}
    deadline: 5m
    onFailure: hold
    previous: {unknown: {}}
    onTampering: never
    budget: {maxRestarts: 1, per: 10m}
    approval: none
  guards: {maxDeletes: 0}
  history: {keep: none}
"#;

#[test]
fn everything_that_this_version_can_do_is_carried_over() {
    let sync = admitted(&object(FULL));
    assert!(sync.suspend);
    assert_eq!(sync.conflicts, Conflicts::Error);
    let source = &sync.sources[0];
    assert_eq!(source.path, "apps/panbot/");
    assert_eq!(
        source.options,
        SourceOptions::Vault {
            mount: Some("kv/".to_owned())
        }
    );
    assert_eq!(source.rename.replace.len(), 1);
    assert!(source.select.recursive && source.select.matching.is_some());
    assert_eq!(sync.sources.len(), 4);
    assert_eq!(sync.transform.data.len(), 5);
    assert!(sync.transform.keep_only_declared);
    assert!(
        matches!(&sync.transform.data["URL"], Making::Template(text) if text.expose().ends_with('\n'))
    );
    let Destination::Secret(secret) = &sync.targets[0].destination else {
        panic!("a Secret");
    };
    assert_eq!(secret.secret_type, SecretType::Tls);
    assert!(secret.immutable && secret.recreate);
    assert_eq!(sync.targets[0].select.paths, ["apps"]);
    assert!(sync.targets[0].delete_with_sync && !sync.targets[0].repair);
    assert!(sync.targets[1].share_keys);
    assert_eq!(
        sync.rollout.workloads,
        WorkloadScope::Selector("app=api,tier in (a,b)".to_owned())
    );
    assert!(!sync.rollout.restart && !sync.rollout.after_tampering);
    assert_eq!(sync.max_deletes, Some(0));
    assert!(!sync.history.keep_values);
    assert_eq!(sync.history.older, 0);
}

#[test]
fn listed_workloads_are_carried_over() {
    let sync = admitted(&with(
        "  rollout: {workloads: {list: [{kind: Deployment, name: api}, {kind: Rollout, name: api}]}}",
    ));
    let WorkloadScope::List(list) = sync.rollout.workloads else {
        panic!("a list");
    };
    let kinds: Vec<WorkloadKind> = list.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [WorkloadKind::Deployment, WorkloadKind::Rollout]);
}

const NOT_YET: &[(&str, &str)] = &[
    (
        "  forEach: {source: vault, as: user, nameFrom: [id]}",
        "forEach",
    ),
    (
        "  validate: [{name: a, key: K, jsonSchema: \"{}\"}]",
        "validate[0].jsonSchema",
    ),
    (
        "  validate: [{name: a, key: K, certificate: {}}]",
        "validate[0].certificate",
    ),
    (
        "  validate: [{name: a, key: K, postgres: {}}]",
        "validate[0].postgres",
    ),
    (
        "  validate: [{name: a, key: K, expression: \"true\"}]",
        "validate[0].expression",
    ),
    ("  notify: [{store: {name: d}, on: [Failed]}]", "notify"),
    (
        "  transform: {data: {K: {derive: {from: S, hkdfSha256: {info: \"{{ u.id }}\"}}}}}",
        "transform.data.K.derive.hkdfSha256.info",
    ),
];

const SOURCES_NOT_YET: &[(&str, &str)] = &[
    ("{name: f, file: {path: .env}}", "sources[0].file"),
    (
        "{name: p, processEnvironment: {}}",
        "sources[0].processEnvironment",
    ),
    (
        "{name: v, store: {name: s}, skipWhen: {variablesSet: [A]}}",
        "sources[0].skipWhen",
    ),
];

const TARGETS_NOT_YET: &[(&str, &str)] = &[
    (
        "{name: aws, store: {name: aws}, path: x}",
        "targets[aws].store",
    ),
    ("{name: f, file: {path: .env}}", "targets[f].file"),
    ("{name: e, secret: {}, wave: edge}", "targets[e].wave"),
    ("{name: e, secret: {}, after: rollout}", "targets[e].after"),
    (
        "{name: e, secret: {}, then: [{http: {url: \"https://a.example\"}}]}",
        "targets[e].then",
    ),
    (
        "{name: e, secret: {}, healthCheck: {url: \"https://a.example\"}}",
        "targets[e].healthCheck",
    ),
];

#[test]
fn what_this_version_cannot_do_is_refused_by_field() {
    let rest = NOT_YET.iter().map(|(more, field)| (with(more), field));
    let sources = SOURCES_NOT_YET.iter();
    let sources = sources.map(|(source, field)| (with_source(source), field));
    let targets = TARGETS_NOT_YET.iter();
    let targets = targets.map(|(target, field)| (with_target(target), field));
    for (object, field) in rest.chain(sources).chain(targets) {
        let problems = admit(&object).map(|_| ()).unwrap_err();
        let fields: Vec<&str> = problems
            .as_slice()
            .iter()
            .map(|problem| problem.subject.as_str())
            .collect();
        assert_eq!(fields, [format!("spec.{field}")]);
        assert_eq!(problems.reason(), Reason::NotSupported, "{field}");
    }
}

const BAD_SOURCES: &[(&str, &str)] = &[
    (
        "{name: V, store: {name: s}}",
        ".name: does not consist of lower case letters, digits and inner hyphens",
    ),
    (
        "{name: v}",
        ": set one of store, secret, configMap, literal, file, processEnvironment",
    ),
    (
        "{name: v, store: {name: s}, secret: {name: s}}",
        ": set only one of store, secret",
    ),
    (
        "{name: v, store: {name: \"{{ t }}\"}}",
        ".store.name: holds `{{`, which a parameter that `spec.parameters` declares would replace",
    ),
    (
        "{name: v, secret: {name: penstock-record-x}}",
        ".secret.name: names an object of Penstock's own",
    ),
    (
        "{name: v, secret: {name: penstock-installation-key}}",
        ".secret.name: names an object of Penstock's own",
    ),
    (
        "{name: v, store: {name: s}, path: a/../b}",
        ".path: holds an empty segment, `.` or `..`",
    ),
    (
        "{name: v, secret: {name: s}, path: a}",
        ".path: describes an entry of a store, and this source reads from none",
    ),
    (
        "{name: v, store: {name: s}, environment: \"\"}",
        ".environment: is empty",
    ),
    (
        "{name: v, store: {name: s}, extract: {property: a..b}}",
        ".extract.property: is not a row of up to 32 names and indices joined by dots, such as \
         `data.users.0.token`",
    ),
    (
        "{name: v, store: {name: s}, extract: {format: dotenv, property: a}}",
        ".extract.property: an env file has no properties",
    ),
    (
        "{name: v, store: {name: s}, options: {vault: {}, kubernetes: {}}}",
        ".options: options belong to one store: set only one of vault, kubernetes",
    ),
    (
        "{name: v, store: {name: s}, select: {matching: \"(\"}}",
        ".select.matching: is not a regular expression: `unclosed group`",
    ),
    (
        "{name: v, store: {name: s}, rename: {replace: [{matching: a, with: \"$1\"}]}}",
        ".rename.replace[0].with: names the group `1`, which the pattern does not have",
    ),
    (
        "{name: v, store: {name: s}, rename: {map: {a: \"\"}}}",
        ".rename.map.a: is empty",
    ),
    (
        "{name: v, store: {name: s}, require: [a, \"\\n\"]}",
        ".require[1]: does not consist of printable characters",
    ),
    ("{name: v, literal: {\"\": x}}", ".literal[]: is empty"),
];

#[test]
fn options_of_infisical_say_what_they_say_and_no_more() {
    for (options, imports, references) in [
        ("{}", None, None),
        ("{imports: true}", Some(true), None),
        (
            "{imports: false, references: true}",
            Some(false),
            Some(true),
        ),
    ] {
        let source = format!("{{name: v, store: {{name: s}}, options: {{infisical: {options}}}}}");
        let sync = admitted(&with_source(&source));
        let expected = SourceOptions::Infisical {
            imports,
            references,
        };
        assert_eq!(sync.sources[0].options, expected, "{options}");
    }
}

#[test]
fn mistakes_in_a_source_are_told_by_field() {
    for (source, expected) in BAD_SOURCES {
        let expected = format!("InvalidSpec spec.sources[0]{expected}");
        assert_eq!(problems(&with_source(source)), [expected], "{source}");
    }
}

const BAD_TARGETS: &[(&str, &str)] = &[
    (
        "{name: T, secret: {}}",
        "[0].name: does not consist of lower case letters, digits and inner hyphens",
    ),
    (
        "{name: t}",
        "[t]: set one of secret, configMap, store, file",
    ),
    (
        "{name: t, secret: {name: penstock-record-x}}",
        "[t].secret.name: names an object of Penstock's own",
    ),
    (
        "{name: t, secret: {type: kubernetes.io/service-account-token}}",
        "[t].secret.type: `kubernetes.io/service-account-token` is not a type that may be written",
    ),
    (
        "{name: t, secret: {labels: {penstock.dev/managed: \"true\"}}}",
        "[t].secret.labels[penstock.dev/managed]: `penstock.dev/managed` may not be set on a target",
    ),
    (
        "{name: t, secret: {labels: {a: \"b c\"}}}",
        "[t].secret.labels.a: `b c` is no value of a label",
    ),
    (
        "{name: t, configMap: {annotations: {meta.helm.sh/release-name: x}}}",
        "[t].configMap.annotations[meta.helm.sh/release-name]: `meta.helm.sh/release-name` may not be set on \
         a target",
    ),
    (
        "{name: t, secret: {recreate: true}, share: keys}",
        "[t].share: cannot be `keys` beside `recreate: true`: making the object anew would take the keys of \
         the others",
    ),
    (
        "{name: t, secret: {}, path: a}",
        "[t].path: describes a store, and this target writes to none",
    ),
    (
        "{name: t, secret: {}, select: {sources: [nope]}}",
        "[t].select.sources: names the source `nope`, which does not exist",
    ),
    (
        "{name: t, secret: {}, select: {paths: [../x]}}",
        "[t].select.paths[0]: holds an empty segment, `.` or `..`",
    ),
    (
        "{name: a, secret: {}}, {name: b, secret: {name: panbot}}",
        "[b]: writes the Secret `panbot`, which target `a` writes, too",
    ),
    (
        "{name: a, secret: {}}, {name: a, configMap: {}}",
        "[1].name: `a` comes twice in the list",
    ),
];

#[test]
fn mistakes_in_a_target_are_told_by_field() {
    for (target, expected) in BAD_TARGETS {
        let expected = format!("InvalidSpec spec.targets{expected}");
        assert_eq!(problems(&with_target(target)), [expected], "{target}");
    }
}

const BAD_REST: &[(&str, &str)] = &[
    ("  interval: 5s", "interval: is shorter than 10s"),
    (
        "  interval: soon",
        "interval: read duration: write numbers with the units ms, s, m or h, such as 30s, 10m or 1h30m",
    ),
    ("  history: {older: 21}", "history.older: is more than 20"),
    (
        "  history: {keep: none, older: 1}",
        "history.keep: `none` keeps no revision: remove older and maxAge",
    ),
    (
        "  rollout: {deadline: 0s}",
        "rollout.deadline: is shorter than 1s",
    ),
    (
        "  rollout: {budget: {maxRestarts: 0}}",
        "rollout.budget.maxRestarts: is zero",
    ),
    (
        "  rollout: {workloads: {list: []}}",
        "rollout.workloads.list: is empty",
    ),
    (
        "  rollout: {workloads: {selector: {}}}",
        "rollout.workloads.selector: is empty and would match every workload of the namespace",
    ),
    (
        "  rollout: {workloads: {selector: {matchLabels: {a: \"b,c=d\"}}}}",
        "rollout.workloads.selector: `b,c=d` is no value of a label",
    ),
    (
        "  rollout: {workloads: {list: [{kind: Deployment, name: a}, {kind: Deployment, name: a}]}}",
        "rollout.workloads.list[1]: Deployment `a` comes twice",
    ),
    (
        "  rollout: {strategy: {}}",
        "rollout.strategy: set one of restart, canary, none",
    ),
    (
        "  transform: {keep: declared}",
        "transform.keep: keeps what `data` declares, and `data` declares nothing",
    ),
    (
        "  transform: {data: {K: {template: \"{{ A | nope }}\"}}}",
        "transform.data.K.template: the template uses the filter `nope`, which does not exist",
    ),
    (
        "  transform: {data: {K: {template: \"a\\n{{ A\"}}}",
        "transform.data.K.template: the template does not parse, line 2: unexpected end of input, expected \
         end of variable block",
    ),
    (
        "  transform: {data: {K: {derive: {from: S}}}}",
        "transform.data.K.derive: set one of hkdfSha256, hmacSha256",
    ),
    (
        "  transform: {data: {K: {derive: {from: S, hkdfSha256: {info: x, length: 8}}}}}",
        "transform.data.K.derive.hkdfSha256.length: is not between 16 and 64",
    ),
    (
        "  transform: {data: {K: {templateFrom: {configMap: {name: a, key: \"a b\"}}}}}",
        "transform.data.K.templateFrom.configMap.key: is no key of a ConfigMap",
    ),
];

#[test]
fn mistakes_elsewhere_are_told_by_field() {
    for (more, expected) in BAD_REST {
        let expected = format!("InvalidSpec spec.{expected}");
        assert_eq!(problems(&with(more)), [expected], "{more}");
    }
}

#[test]
fn a_sync_does_not_feed_on_itself() {
    let object = object(
        "  sources: [{name: a, secret: {name: out}}, {name: b, configMap: {name: out}}]\n\
         \x20 targets: [{name: t, secret: {name: out}}]",
    );
    assert_eq!(
        problems(&object),
        ["InvalidSpec spec.targets[t]: writes the Secret `out`, which spec.sources[0] reads"]
    );
}

#[test]
fn a_sync_may_not_be_named_so_that_its_target_would_be_ours() {
    let mut object = with("");
    object.metadata.name = Some("penstock-installation-key".to_owned());
    assert_eq!(
        problems(&object),
        ["InvalidSpec spec.targets[env].secret.name: names an object of Penstock's own"]
    );
}

#[test]
fn every_problem_is_told_at_once_in_one_message() {
    let object = object(
        r#"
  interval: 1s
  parameters: {t: {}}
  sources: [{name: a, store: {name: s}, path: ".."}, {name: a, file: {path: x}}]
  targets: [{name: t, secret: {type: bootstrap.kubernetes.io/token}}]
  validate: [{name: v, key: K, matching: x}]
"#,
    );
    let problems = admit(&object).map(|_| ()).unwrap_err();
    assert_eq!(problems.reason(), Reason::InvalidSpec);
    let fields: Vec<&str> = problems
        .as_slice()
        .iter()
        .map(|problem| problem.subject.as_str())
        .collect();
    assert_eq!(
        fields,
        [
            "spec.parameters.t",
            "spec.interval",
            "spec.sources[1].name",
            "spec.sources[0].path",
            "spec.sources[1].file",
            "spec.targets[t].secret.type",
        ]
    );
    let message = problems.to_string();
    for field in fields {
        assert!(message.contains(field), "{message}");
    }
}

#[test]
fn neither_problems_nor_the_checked_sync_show_values() {
    let good = object(
        "  sources: [{name: v, literal: {K: hunter2}}]\n  targets: [{name: t, secret: {}}]\n\
         \x20 transform: {data: {T: {template: \"hunter2 {{ K }}\"}}}",
    );
    assert!(!format!("{:?}", admitted(&good)).contains("hunter2"));
    let bad = object(
        "  sources: [{name: v, literal: {K: hunter2, \"\": hunter2}}]\n  targets: [{name: t, secret: {}}]\n\
         \x20 transform: {data: {T: {template: \"hunter2 {{ K\"}}}",
    );
    let problems = admit(&bad).map(|_| ()).unwrap_err();
    assert_eq!(problems.as_slice().len(), 2);
    assert!(!format!("{problems} {problems:?}").contains("hunter2"));
}

#[test]
fn names_of_the_object_are_checked() {
    let mut object = with("");
    object.metadata.namespace = None;
    assert_eq!(
        problems(&object),
        ["InvalidSpec metadata.namespace: is empty"]
    );
}

mod on_the_command_line {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    use super::super::{CommandLine, Place, admit_at};
    use super::{Destination, Origin, ValidatedSync, admit, object, problems, with_source};
    use crate::api::secret_sync::SecretSync;
    use crate::sync::{DerivationFunction, FileFormat, Making};

    fn admitted(
        object: &SecretSync,
        set: &[(&str, &str)],
        variables: &[&str],
    ) -> Result<ValidatedSync, String> {
        let parameters: BTreeMap<String, String> = set
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let variables: BTreeSet<String> = variables.iter().map(|name| (*name).to_owned()).collect();
        let place = Place::CommandLine(CommandLine {
            parameters: &parameters,
            variables: &variables,
            folder: Path::new("deploy"),
        });
        admit_at(object, place).map_err(|problems| problems.to_string())
    }

    const EVERYWHERE: &str = r#"
  parameters: {tenant: {default: dev}, who: {default: a.b}}
  sources:
  - {name: v, store: {name: "vault-{{tenant}}"}, environment: "{{ tenant }}", path: "apps/{{ who }}/{{ tenant }}",
     select: {matching: "^{{ who }}_"}, rename: {stripPrefix: "{{ tenant }}-", prefix: "{{ tenant }}_"}}
  - {name: s, secret: {name: "s-{{ tenant }}"}}
  - {name: c, configMap: {name: "c-{{ tenant }}"}}
  - {name: l, literal: {K: "{{ tenant }}"}}
  transform:
    data:
      T: {template: "{{ tenant }}"}
      D: {derive: {from: K, hkdfSha256: {info: "api/{{ tenant }}"}}}
  targets:
  - {name: t, secret: {name: "out-{{ tenant }}"}, select: {matching: "{{ tenant }}$"}}
"#;

    #[test]
    fn parameters_go_into_names_paths_prefixes_and_patterns_and_never_into_values() {
        for (set, tenant) in [
            (&[][..], "dev"),
            (&[("tenant", "prod"), ("other", "x")], "prod"),
        ] {
            let sync = admitted(&object(EVERYWHERE), set, &[]).unwrap();
            let [v, s, c, l] = &sync.sources[..] else {
                panic!()
            };
            assert!(
                matches!(&v.origin, Origin::Store(store) if store.name.as_str() == format!("vault-{tenant}"))
            );
            assert_eq!(v.environment.as_deref(), Some(tenant));
            assert_eq!(v.path, format!("apps/a.b/{tenant}"));
            assert_eq!(v.rename.strip_prefix, format!("{tenant}-"));
            assert_eq!(v.rename.prefix, format!("{tenant}_"));
            let pattern = v.select.matching.as_ref().unwrap();
            assert!(pattern.is_match("a.b_X") && !pattern.is_match("aXb_X"));
            assert!(
                matches!(&s.origin, Origin::Secret { name, .. } if name.as_str() == format!("s-{tenant}"))
            );
            assert!(
                matches!(&c.origin, Origin::ConfigMap { name, .. } if name.as_str() == format!("c-{tenant}"))
            );
            assert!(matches!(&l.origin, Origin::Literal(values)
                if values["K"].expose_text() == Some("{{ tenant }}")));
            assert!(
                matches!(&sync.transform.data["T"], Making::Template(text) if text.expose() == "{{ tenant }}")
            );
            assert!(
                matches!(&sync.transform.data["D"], Making::Derive(derivation)
                if matches!(&derivation.function, DerivationFunction::HkdfSha256 { info, .. }
                    if *info == format!("api/{tenant}")))
            );
            let target = &sync.targets[0];
            assert_eq!(target.destination.object_name(), format!("out-{tenant}"));
            assert_eq!(
                target.select.matching.as_ref().unwrap().as_str(),
                format!("{tenant}$")
            );
        }
        assert_eq!(
            admit(&object(EVERYWHERE)).unwrap().sources[0].path,
            "apps/a.b/dev"
        );
    }

    #[test]
    fn a_parameter_is_declared_and_has_a_value_that_fits() {
        let with = |parameters: &str, path: &str| {
            object(&format!(
                "  parameters: {parameters}\n  sources: [{{name: v, store: {{name: s}}, path: \"{path}\"}}]\n\
                 \x20 targets: [{{name: t, secret: {{}}}}]\n"
            ))
        };
        for (parameters, path, set, problem) in [
            (
                "{tenant: {default: dev}}",
                "{{ tennant }}",
                &[][..],
                "Did you mean `tenant`?",
            ),
            (
                "{tenant: {default: dev}}",
                "{{ zzz }}",
                &[],
                "does not declare",
            ),
            (
                "{tenant: {default: dev}}",
                "a/{{ tenant",
                &[],
                "never closes",
            ),
            ("{tenant: {}}", "{{ tenant }}", &[], "--set tenant=VALUE"),
            (
                "{tenant: {}}",
                "x/{{ tenant }}",
                &[("tenant", "..")],
                "spec.sources[0].path",
            ),
            (
                "{tenant: {}}",
                "{{ tenant }}",
                &[("tenant", "a\nb")],
                "control characters",
            ),
            (
                "{\"1x\": {default: a}}",
                "a",
                &[],
                "is no name of a parameter",
            ),
        ] {
            let refusal = admitted(&with(parameters, path), set, &[]).unwrap_err();
            assert!(refusal.contains(problem), "{refusal}");
        }
    }

    #[test]
    fn the_operator_takes_no_parameter_without_a_default() {
        let open = object(
            "  parameters: {tenant: {}}\n  sources: [{name: v, store: {name: s}, path: \"{{ tenant }}\"}]\n\
             \x20 targets: [{name: t, secret: {}}]\n",
        );
        let sync = admitted(&open, &[("tenant", "a/b")], &[]);
        assert_eq!(sync.unwrap().sources[0].path, "a/b");
        assert!(problems(&open)[0].contains("has no value"));
    }

    #[test]
    fn files_lie_beside_their_document() {
        let sync = admitted(
            &object(
                "  sources: [{name: a, file: {path: base.yaml, optional: true}}]\n\
                 \x20 targets: [{name: t, file: {path: .env, merge: true}}, {name: j, file: {path: x, format: json}}]\n",
            ),
            &[],
            &[],
        )
        .unwrap();
        let Origin::File { place, optional } = &sync.sources[0].origin else {
            panic!()
        };
        assert_eq!(
            (place.path.as_str(), place.format, *optional),
            ("base.yaml", FileFormat::Yaml, true)
        );
        assert_eq!(place.folder, Path::new("deploy"));
        let Destination::File(file) = &sync.targets[0].destination else {
            panic!()
        };
        assert_eq!((file.place.format, file.merge), (FileFormat::Dotenv, true));
        assert_eq!(
            (
                sync.targets[0].destination.kind(),
                sync.targets[0].destination.object_name()
            ),
            ("File", ".env")
        );
        assert_eq!(sync.folder, Path::new("deploy"));

        let same = object(
            "  sources: [{name: a, file: {path: ./x/.env}}]\n\
             \x20 targets: [{name: t, file: {path: x//.env}}, {name: u, file: {path: x/.env}}]\n",
        );
        let refusal = admitted(&same, &[], &[]).unwrap_err();
        assert!(
            refusal.contains("must not feed on itself") && refusal.contains("writes, too"),
            "{refusal}"
        );
        let written = with_source("{name: a, file: {path: x, format: githubEnv}}");
        assert!(
            admitted(&written, &[], &[])
                .unwrap_err()
                .contains("to write, not to read")
        );
    }

    fn with_target(target: &str) -> SecretSync {
        object(&format!(
            "  sources: [{{name: v, store: {{name: vps}}, path: base.env}}]\n  targets: [{target}]\n"
        ))
    }

    #[test]
    fn a_file_on_a_host_is_a_target_in_a_store_and_the_operator_refuses_it() {
        let host = with_target(
            "{name: t, store: {name: vps}, path: deploy/app.json, options: {ssh: {merge: true}}, \
             then: [{command: {run: \" up \", timeout: 1m}}]}",
        );
        let sync = admitted(&host, &[], &[]).unwrap();
        let destination = &sync.targets[0].destination;
        let Destination::HostFile(file) = destination else {
            panic!()
        };
        assert_eq!(
            (destination.kind(), destination.object_name()),
            ("HostFile", "vps:deploy/app.json")
        );
        assert_eq!(
            (file.file.place.format, file.file.merge),
            (FileFormat::Json, true)
        );
        let command = file.command.as_ref().unwrap();
        assert_eq!(
            (command.run.as_str(), command.timeout.as_secs()),
            ("up", 60)
        );
        assert!(!destination.is_object() && !destination.carries_marks());
        assert_eq!(
            problems(&host),
            [
                "NotSupported spec.targets[t].options.ssh: works in the CLI only; the operator refuses it"
            ]
        );
        let other = with_target("{name: t, store: {name: vps}, path: deploy/app.json, as: json}");
        assert!(
            admitted(&other, &[], &[])
                .unwrap_err()
                .contains("spec.targets[t].store")
        );
    }

    /// The store, the path and what else a target on a host says; and what is wrong with it.
    const SENSELESS: [(&str, &str); 10] = [
        ("store: {name: s}", "names no file"),
        ("store: {name: s}, path: a/", "names no file"),
        ("store: {name: s}, path: a/../b", "`.` or `..`"),
        ("store: {name: s}, path: a, as: json", "spec.targets[t].as"),
        (
            "store: {name: s}, path: a, naming: {prefix: x}",
            "spec.targets[t].naming",
        ),
        (
            "store: {name: vps}, path: base.env",
            "must not feed on itself",
        ),
        (
            "store: {name: s}, path: a, then: [{http: {url: 'https://x'}}]",
            "only a `command`",
        ),
        (
            "store: {name: s}, path: a, then: [{command: {run: a}}, {command: {run: b}}]",
            "one command at most",
        ),
        (
            "store: {name: s}, path: a, then: [{command: {run: ' ', timeout: 2h}}]",
            "is longer than 1h",
        ),
        (
            "store: {name: s, kind: ClusterSecretStore}, path: a, then: [{command: {run: a}}]",
            "no command on the host of a ClusterSecretStore",
        ),
    ];

    #[test]
    fn what_makes_no_sense_for_a_file_on_a_host_is_told() {
        let refused = |target: &str, problem: &str| {
            let refusal = admitted(&with_target(target), &[], &[]).unwrap_err();
            assert!(refusal.contains(problem), "{target}: {refusal}");
        };
        for (target, problem) in SENSELESS {
            refused(
                &format!("{{name: t, {target}, options: {{ssh: {{}}}}}}"),
                problem,
            );
        }
        let at = "name: t, store: {name: s}, path: a";
        refused(
            &format!("{{{at}, options: {{ssh: {{format: githubEnv}}}}}}"),
            "not of a host",
        );
        refused(
            &format!("{{{at}, options: {{ssh: {{}}, vault: {{mount: m}}}}}}"),
            "belong to one store",
        );
        let one = format!("{{{at}, options: {{ssh: {{}}}}}}");
        let two = one.replace("name: t", "name: u");
        refused(&format!("{one}, {two}"), "writes, too");
        refused(
            "{name: t, secret: {}, then: [{command: {run: a}}]}",
            "spec.targets[t].then",
        );
        refused(
            &one.replace("options", "then: [{command: {run: ' '}}], options"),
            "then[0].command.run",
        );
    }

    #[test]
    fn the_environment_is_taken_by_name_and_a_source_may_depend_on_it() {
        let all = with_source("{name: e, processEnvironment: {}}");
        assert!(
            admitted(&all, &[], &[])
                .unwrap_err()
                .contains("the whole environment is never taken")
        );
        let some = with_source(
            "{name: e, processEnvironment: {}, select: {matching: ^APP_}, skipWhen: {variablesSet: [A, B]}}",
        );
        let skipped =
            |variables: &[&str]| admitted(&some, &[], variables).unwrap().sources[0].skipped;
        assert!(!skipped(&[]) && !skipped(&["A"]) && skipped(&["A", "B", "C"]));
    }
}

const BAD_VALIDATORS: &[(&str, &str)] = &[
    (
        "{name: v, matching: x}",
        ".key: name the key whose value is checked",
    ),
    (
        "{name: v, key: K, length: {}}",
        ".length: has no bound: set min or max",
    ),
    (
        "{name: v, key: K, matching: x, timeout: 2m}",
        ".timeout: is longer than 60 s",
    ),
    (
        "{name: v, key: K, matching: x, every: 1s}",
        ".every: is shorter than 10s",
    ),
    (
        "{name: v, key: K, http: {url: \"https://a.example/?k={{ value }}\"}}",
        ".http.url: holds `{{`: a value never goes into an address, where logs would keep it",
    ),
    (
        "{name: v, key: K, http: {url: \"https://me@a.example/\"}}",
        ".http.url: is no address of the web",
    ),
    (
        "{name: v, key: K, http: {url: \"https://a.example\", header: {X-Key: \"{{ key }}\"}}}",
        ".http.header[X-Key]: only `{{ value }}` is replaced there",
    ),
    (
        "{name: v, key: K, http: {url: \"https://a.example\", header: {Host: b}}}",
        ".http.header.Host: is set by the request itself: leave it out",
    ),
    (
        "{name: v, key: K, http: {url: \"https://a.example\", body: x}}",
        ".http.body: a GET has no body: set method",
    ),
    (
        "{name: v, key: K, connect: {address: a.example}}",
        ".connect.address: must be `host:port`",
    ),
];

#[test]
fn mistakes_in_a_validator_are_told_by_field() {
    for (validator, expected) in BAD_VALIDATORS {
        let expected = format!("InvalidSpec spec.validate[0]{expected}");
        let object = with(&format!("  validate: [{validator}]\n"));
        assert_eq!(problems(&object), [expected], "{validator}");
    }
}

#[test]
fn a_verdict_holds_as_long_as_its_rules() {
    let rules = |more: &str| admitted(&with(more)).rules;
    let one = rules("  validate: [{name: v, key: K, matching: x}]\n");
    assert_eq!(
        one,
        rules("  validate: [{name: v, key: K, matching: x}]\n  interval: 1h\n")
    );
    assert_ne!(one, rules("  validate: [{name: v, key: K, matching: y}]\n"));
    assert_ne!(
        one,
        rules("  validate: [{name: v, key: K, matching: x}]\n  rollout: {deadline: 1m}\n")
    );
}
