use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::cluster_sync::ClusterSecretSync;
use super::crds::all_crds;
use super::rotation::{SecretRotation, SecretRotationSpec};
use super::secret_sync::SecretSync;
use super::shared::{GoDuration, MaskedText, ReadDuration};
use super::source::{Origin, Source};
use super::store::{ClusterSecretStore, SecretStore};

/// Everything that a SecretSync can say, as the design writes it.
const EVERYTHING: &str = r#"
apiVersion: penstock.dev/v1alpha1
kind: SecretSync
metadata: {name: panbot, namespace: prod}
spec:
  parameters: {tenant: {default: dev}}
  interval: 10m
  suspend: false
  conflicts: laterWins
  sources:
  - name: vault
    store: {name: infisical, kind: ClusterSecretStore}
    environment: prod
    path: /
    field: password
    extract: {format: json, property: data.env}
    decode: base64
    version: "3"
    options: {vault: {mount: kv}}
    select:
      recursive: true
      tags: {any: [api, worker], all: [prod]}
      keys: [DB_URL]
      matching: "^(DB|LLM)_"
      exclude: [DB_OLD]
    rename:
      stripPrefix: "goblin-prod-"
      replace: [{matching: "-", with: "_"}]
      map: {old: NEW}
      case: screamingSnake
      prefix: "APP_"
    require: [DB_URL]
    onUnavailable: keepLast
  - name: overrides
    secret: {name: panbot-overrides, optional: true}
  - name: settings
    configMap: {name: panbot-settings}
  - name: fixed
    literal: {LOG_LEVEL: info}
  - name: local
    file: {path: "{{ tenant }}.env", format: dotenv, optional: true}
    skipWhen: {variablesSet: [APP_NAME, ENVIRONMENT]}
  - name: process
    processEnvironment: {}
    select: {matching: "^APP_"}
  forEach: {source: users, as: user, nameFrom: [id], maxItems: 100}
  transform:
    data:
      DATABASE_URL: {template: "postgres://{{ DB_USER }}:{{ DB_PASSWORD | urlencode }}@db/panbot"}
      API_SERVER_KEY:
        derive:
          from: JWT_SECRET
          hkdfSha256: {info: "api-server/{{ user.id }}", length: 32}
          encode: base64url
      SIGNATURE: {derive: {from: JWT_SECRET, hmacSha256: {message: app}}}
      DEPLOY_KEY_PUB: {sshPublicKey: {from: DEPLOY_KEY}}
      app.yaml: {templateFrom: {configMap: {name: app-config, key: app.yaml}}}
    optional: [SENTRY_DSN]
    keep: all
  targets:
  - name: app
    secret:
      name: panbot-env
      type: Opaque
      labels: {app: panbot}
      annotations: {example.com/team: web}
      immutable: false
      recreate: false
    select: {tags: {any: [api]}, sources: [vault], paths: [/app], keys: [DB_URL], matching: "^DB"}
    adopt: never
    share: none
    onDelete: retain
    tampering: repair
    wave: edge
  - name: settings
    configMap: {name: panbot-settings-out}
  - name: aws
    store: {name: aws-prod}
    path: panbot/prod
    as: json
    naming: {prefix: "p-", suffix: "-s", case: keep}
    options: {kubernetes: {kind: Secret}}
    after: rollout
    then:
    - redeploy: {ecsService: {cluster: main, service: api}}
    - dispatch: {repository: acme/api, event: secrets-changed}
    - pipeline: {project: gh/acme/api, branch: main}
      store: {name: circleci}
    - http: {url: "https://example.com/hook", method: POST}
    healthCheck: {url: "https://example.com/health", expectStatus: [200], deadline: 5m}
    cleanupGrace: 1h
  - name: dotenv
    file: {path: .env, format: dotenv, merge: true}
  validate:
  - name: llm
    key: LLM_API_KEY
    http:
      url: "https://api.example.com/v1/models"
      header: {Authorization: "Bearer {{ value }}"}
      expectStatus: [200]
    every: 5m
  - {name: length, key: DB_PASSWORD, matching: "^.{16,}$"}
  rollout:
    workloads: {discover: {}}
    strategy:
      canary:
        mode: pod
        soak: 2m
        deadline: 5m
        labels: strip
        checks:
        - {name: ready, http: {port: 8080, path: /healthz}}
        - {name: smoke, cronJob: {name: smoke}}
        - name: errors
          prometheus: {address: "https://prometheus", query: "rate(x[1m])", successCondition: "result.all(x, x < 1.0)"}
          failureLimit: 2
        - {name: gate, webhook: {url: "https://gate.example.com"}}
        - {name: front, url: {url: "https://www.example.com/health"}}
    waves:
    - {name: edge, selector: {matchLabels: {tier: edge}}, maxParallel: 1, pause: 1m}
    - {name: rest, rest: {}}
    deadline: 10m
    onFailure: rollback
    previous: {unknown: {}}
    onTampering: affected
    budget: {maxRestarts: 3, per: 1h}
    windows: [{schedule: "0 9 * * 1-5", duration: 8h, timeZone: Europe/Berlin, hold: write}]
    approval: none
  guards: {maxDeletes: 10}
  history: {older: 2, maxAge: 720h}
  notify: [{store: {name: discord}, on: [Synced, Drifted, RolledBack, Failed]}]
"#;

const CLUSTER_STORE: &str = r#"
apiVersion: penstock.dev/v1alpha1
kind: ClusterSecretStore
metadata: {name: openbao}
spec:
  provider:
    vault:
      address: https://openbao.example.com:8200
      namespace: team
      mount: secret
      kvVersion: 2
      caConfigMapRef: {name: ca, key: ca.crt}
      tlsServerName: openbao
      auth:
        kubernetes:
          mount: kubernetes
          role: penstock
          serviceAccount: {name: vault-login, audiences: [vault]}
  limits: {requestsPerSecond: 20, concurrency: 4, timeout: 10s}
  webhook: {secret: {name: hook, key: key}, signature: hmacSha256}
  identity: credentials
  allow:
  - namespaces: [prod]
    at: {environment: [prod], mount: [kv], kind: [Secret]}
    keyPrefixes: ["apps/{{ namespace }}/"]
    read: true
    write: false
    act: [{kind: ecsService, namePrefix: "panbot-"}]
    rotate: {keys: [apps/db], roles: [app]}
    notify: true
  - namespaceSelector: {matchExpressions: [{key: tier, operator: In, values: [dev]}]}
    read: true
"#;

const STORE: &str = r#"
apiVersion: penstock.dev/v1alpha1
kind: SecretStore
metadata: {name: other-cluster, namespace: prod}
spec:
  provider:
    kubernetes:
      namespace: shared
      server:
        address: https://other.example.com:6443
        caBundle: "-----BEGIN CERTIFICATE-----"
        tokenRef: {name: other, key: token}
"#;

const ROTATION: &str = r#"
apiVersion: penstock.dev/v1alpha1
kind: SecretRotation
metadata: {name: db, namespace: prod}
spec:
  schedule: {cron: "0 3 1 */3 *", timeZone: Europe/Berlin, jitter: 1h}
  store: {name: openbao}
  path: apps/db
  key: password
  field: value
  generator: {password: {length: 40, symbols: "-_", avoidAmbiguous: true}}
  overlap: 24h
  verify: [{name: login, postgres: {address: "db:5432", user: app}}]
  apply: {postgresRole: {store: {name: db}, role: app}}
  retire: {after: 48h}
  adopt: never
  suspend: false
"#;

/// Reads `yaml` as a `T` and asserts that writing it gives the same document: no field is unknown, none is
/// added.
fn reads_all_of<T: DeserializeOwned + Serialize>(yaml: &str) -> T {
    let document: Value = serde_saphyr::from_str(yaml).unwrap();
    let typed: T = serde_json::from_value(document.clone()).unwrap();
    assert_eq!(serde_json::to_value(&typed).unwrap(), document);
    typed
}

#[test]
fn a_secret_sync_reads_every_field_of_the_design() {
    reads_all_of::<SecretSync>(EVERYTHING);
}

#[test]
fn a_cluster_secret_sync_stamps_every_field_of_a_secret_sync() {
    let sync: Value = serde_saphyr::from_str(EVERYTHING).unwrap();
    let document = serde_json::json!({
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "ClusterSecretSync",
        "metadata": {"name": "panbot"},
        "spec": {
            "namespaceSelector": {"matchLabels": {"team": "web"}},
            "name": "panbot",
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": sync["spec"]},
        },
    });
    reads_all_of::<ClusterSecretSync>(&document.to_string());
}

#[test]
fn stores_and_rotations_read_every_field_of_the_design() {
    reads_all_of::<ClusterSecretStore>(CLUSTER_STORE);
    reads_all_of::<SecretStore>(STORE);
    reads_all_of::<SecretRotation>(ROTATION);
}

#[test]
fn what_may_hold_a_secret_is_not_in_debug_output() {
    let marker = "s3cr3t-marker";
    let document = EVERYTHING
        .replace("LOG_LEVEL: info", &format!("LOG_LEVEL: {marker}"))
        .replace("postgres://{{ DB_USER }}", &format!("postgres://{marker}"))
        .replace("Bearer {{ value }}", &format!("Bearer {marker}"));
    assert_eq!(document.matches(marker).count(), 3);
    let sync: SecretSync = reads_all_of(&document);
    assert!(!format!("{sync:?} {sync:#?}").contains(marker));
    assert_eq!(format!("{:?}", MaskedText::from(marker)), "***");
}

#[test]
fn unknown_fields_are_ignored_so_that_a_newer_definition_does_not_break_an_older_operator() {
    let with_news = EVERYTHING.replace("interval: 10m", "interval: 10m\n  fromTheFuture: {a: 1}");
    let sync: SecretSync = serde_saphyr::from_str(&with_news).unwrap();
    assert_eq!(sync.spec.interval, Some("10m".into()));
}

/// Every place of `value` that may be `null` by `schema`, as JSON pointers.
fn nullable_places(schema: &JSONSchemaProps, value: &Value, at: &str, found: &mut Vec<String>) {
    for (name, member) in value.as_object().into_iter().flatten() {
        let place = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        match (&schema.properties, &schema.additional_properties) {
            (Some(properties), _) if properties.contains_key(name) => {
                let property = &properties[name];
                if property.nullable == Some(true) {
                    found.push(place.clone());
                }
                nullable_places(property, member, &place, found);
            }
            (_, Some(JSONSchemaPropsOrBool::Schema(values))) => {
                nullable_places(values, member, &place, found);
            }
            _ => {}
        }
    }
    if let (Some(items), Some(JSONSchemaPropsOrArray::Schema(schema))) =
        (value.as_array(), &schema.items)
    {
        for (index, item) in items.iter().enumerate() {
            nullable_places(schema, item, &format!("{at}/{index}"), found);
        }
    }
}

#[test]
fn null_is_read_as_absence_wherever_the_api_server_keeps_it() {
    let document: Value = serde_saphyr::from_str(EVERYTHING).unwrap();
    let crd = all_crds().pop().unwrap();
    assert_eq!(crd.spec.names.kind, "SecretSync");
    let schema = crd.spec.versions[0]
        .schema
        .as_ref()
        .unwrap()
        .open_api_v3_schema
        .clone()
        .unwrap();
    let mut places = Vec::new();
    nullable_places(&schema, &document, "", &mut places);
    assert!(places.len() > 100, "{} places", places.len());
    for place in places {
        let (parent, name) = place.rsplit_once('/').unwrap();
        let mut with_null = document.clone();
        *with_null.pointer_mut(&place).unwrap() = Value::Null;
        let mut without = document.clone();
        without
            .pointer_mut(parent)
            .unwrap()
            .as_object_mut()
            .unwrap()
            .remove(name);
        let read: SecretSync =
            serde_json::from_value(with_null).unwrap_or_else(|error| panic!("{place}: {error}"));
        assert_eq!(serde_json::to_value(&read).unwrap(), without, "{place}");
    }
}

#[test]
fn a_one_of_gives_its_one_member() {
    let mut source = Source {
        literal: Some([("A".into(), "b".into())].into()),
        ..Source::default()
    };
    assert!(matches!(source.variant(), Ok(Origin::Literal(_))));
    source.secret = Some(super::source::ObjectSource::default());
    assert_eq!(
        source.variant().unwrap_err().to_string(),
        "set only one of secret, literal"
    );
    assert_eq!(
        SecretRotationSpec::default()
            .variant()
            .unwrap_err()
            .to_string(),
        "set one of schedule, maxAge"
    );
}

#[test]
fn durations_are_read_as_go_writes_them() {
    for (text, seconds) in [
        ("30s", 30.0),
        ("10m", 600.0),
        ("1h30m", 5400.0),
        ("1.5h", 5400.0),
        ("250ms", 0.25),
    ] {
        assert_eq!(
            GoDuration::from(text)
                .to_duration()
                .map(|read| read.as_secs_f64()),
            Ok(seconds),
            "{text}"
        );
    }
    for text in [
        "",
        "10",
        "m",
        "-5m",
        "+5m",
        "1d",
        "1h ",
        " 1h",
        "1e3s",
        "infs",
        "1us",
        "99999999999999999999h",
    ] {
        assert_eq!(
            GoDuration::from(text).to_duration(),
            Err(ReadDuration),
            "{text}"
        );
    }
}
