//! Objects, and what the API server says to each.

use serde_json::Value;

use super::objects::{
    cluster_store, object, rollout, rotation, source, sync, target, validator, vault, yaml,
};

/// What the API server is to say.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expected {
    /// The object is accepted.
    Accepted,
    /// It is refused, in words that hold all of these.
    Refused(&'static [&'static str]),
}

/// One object to try.
pub(super) struct Case {
    /// What is special about it.
    pub(super) name: &'static str,
    /// The object.
    pub(super) object: Value,
    /// What the API server is to say.
    pub(super) expected: Expected,
}

fn accepted(name: &'static str, object: Value) -> Case {
    Case {
        name,
        object,
        expected: Expected::Accepted,
    }
}

fn refused(name: &'static str, object: Value, parts: &'static [&'static str]) -> Case {
    Case {
        name,
        object,
        expected: Expected::Refused(parts),
    }
}

/// Every object to try.
pub(super) fn cases() -> Vec<Case> {
    [
        specs(),
        bundles(),
        sources(),
        targets(),
        validators(),
        rollouts(),
        stores(),
        cluster_stores(),
        others(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn specs() -> Vec<Case> {
    const DURATION: &[&str] = &["spec.interval", "not a duration", "30s, 10m or 1h30m"];
    let many: Vec<_> = (0..33)
        .map(|n| format!("{{name: s{n}, store: {{name: v}}}}"))
        .collect();
    vec![
        accepted("the smallest sync", sync("{}")),
        refused(
            "no spec",
            object("SecretSync", &Value::Null),
            &["spec", "Required"],
        ),
        refused(
            "no targets",
            sync("{targets: []}"),
            &["spec.targets", "at least 1"],
        ),
        refused(
            "no sources",
            sync("{sources: []}"),
            &["spec.sources", "at least 1"],
        ),
        refused(
            "more sources than the limit",
            sync(&format!("{{sources: [{}]}}", many.join(", "))),
            &["spec.sources", "at most 32"],
        ),
        accepted("an interval at the limit", sync("{interval: 10s}")),
        accepted("an interval of two units", sync("{interval: 1h30m}")),
        accepted("an interval of null", sync("{interval: null}")),
        refused(
            "an interval below the limit",
            sync("{interval: 1s}"),
            &["spec.interval", "at least 10s", "webhook"],
        ),
        refused(
            "an interval without a unit",
            sync("{interval: '10'}"),
            DURATION,
        ),
        refused("a negative interval", sync("{interval: -5m}"), DURATION),
        refused(
            "an interval that is a number",
            sync("{interval: 10}"),
            &["spec.interval", "must be of type string"],
        ),
        refused(
            "an interval that is too long a text",
            sync(&format!("{{interval: {}s}}", "1".repeat(40))),
            &["spec.interval", "Too long"],
        ),
        refused(
            "an unknown word",
            sync("{conflicts: lastWins}"),
            &["spec.conflicts", "laterWins", "firstWins", "error"],
        ),
        refused(
            "two targets of one name",
            sync("{targets: [{name: a, secret: {}}, {name: a, configMap: {}}]}"),
            &["spec.targets[1]", "Duplicate"],
        ),
        refused(
            "revisions kept and not kept",
            sync("{history: {keep: none, older: 2}}"),
            &["spec.history", "remove older and maxAge"],
        ),
    ]
}

fn bundles() -> Vec<Case> {
    vec![
        refused(
            "rows of an odd name",
            sync("{forEach: {source: vault, as: 'a b', nameFrom: [id]}}"),
            &["spec.forEach.as", "letters, digits"],
        ),
        refused(
            "more rows than the limit",
            sync("{forEach: {source: vault, as: user, nameFrom: [id], maxItems: 1001}}"),
            &["spec.forEach.maxItems", "1000"],
        ),
        refused(
            "a notice about nothing",
            sync("{notify: [{store: {name: chat}, on: []}]}"),
            &["spec.notify[0].on", "at least 1"],
        ),
        refused(
            "a key made in two ways",
            sync("{transform: {data: {A: {template: x, sshPublicKey: {from: B}}}}}"),
            &["spec.transform.data[A]", "exactly one way", "templateFrom"],
        ),
        refused(
            "a key derived by nothing",
            sync("{transform: {data: {A: {derive: {from: B}}}}}"),
            &["spec.transform.data[A].derive", "hkdfSha256, hmacSha256"],
        ),
        refused(
            "too short a derived key",
            sync("{transform: {data: {A: {derive: {from: B, hkdfSha256: {info: x, length: 8}}}}}}"),
            &["length", "16"],
        ),
    ]
}

fn sources() -> Vec<Case> {
    const ONE: &[&str] = &[
        "spec.sources[0]",
        "exactly one place: set one of store, secret, configMap, literal, file, processEnvironment",
    ];
    vec![
        accepted(
            "a Secret",
            source("secret: {name: overrides, optional: true}"),
        ),
        accepted("a literal", source("literal: {LEVEL: info}")),
        accepted("a file, for the CLI", source("file: {path: .env}")),
        accepted("the process, for the CLI", source("processEnvironment: {}")),
        accepted(
            "one member and a null one",
            source("store: null, secret: {name: overrides}"),
        ),
        refused(
            "two members",
            source("store: {name: v}, secret: {name: s}"),
            ONE,
        ),
        refused("no member", source("rename: {prefix: A_}"), ONE),
        refused("only a null member", source("store: null"), ONE),
        refused(
            "a path in a Secret",
            source("secret: {name: s}, path: a"),
            &["spec.sources[0]", "set them beside store"],
        ),
        refused(
            "an odd object name",
            source("secret: {name: My_Secret}"),
            &[
                "spec.sources[0].secret.name",
                "lower case",
                "{{ parameters }}",
            ],
        ),
        accepted(
            "an object name with a parameter",
            source("secret: {name: 'web-{{ tenant }}'}"),
        ),
        refused(
            "an odd name",
            sync("{sources: [{name: Vault, store: {name: v}}]}"),
            &["spec.sources[0].name", "lower case"],
        ),
        refused(
            "too long a name",
            sync(&format!(
                "{{sources: [{{name: {}, store: {{name: v}}}}]}}",
                "a".repeat(64)
            )),
            &["spec.sources[0].name", "Too long"],
        ),
        refused(
            "another kind of store",
            source("store: {name: v, kind: Vault}"),
            &["spec.sources[0].store.kind", "ClusterSecretStore"],
        ),
        refused(
            "options of two stores",
            source("store: {name: v}, options: {vault: {}, kubernetes: {}}"),
            &["spec.sources[0].options", "one store", "vault, kubernetes"],
        ),
    ]
}

fn targets() -> Vec<Case> {
    const ONE: &[&str] = &[
        "spec.targets[0]",
        "exactly one place: set one of secret, configMap, store, file",
    ];
    vec![
        accepted("a ConfigMap", target("configMap: {name: web}")),
        accepted(
            "a store",
            target("store: {name: aws}, path: web, as: json, after: rollout"),
        ),
        refused("two places", target("secret: {}, configMap: {}"), ONE),
        refused("no place", target("adopt: always"), ONE),
        refused(
            "a layout in a Secret",
            target("secret: {}, as: json"),
            &["spec.targets[0]", "set them beside store"],
        ),
        refused(
            "an unknown adoption",
            target("secret: {}, adopt: yes-please"),
            &["spec.targets[0].adopt", "ifEqual"],
        ),
        refused(
            "an action that does nothing",
            target("secret: {}, then: [{}]"),
            &[
                "spec.targets[0].then[0]",
                "redeploy, dispatch, pipeline, http",
            ],
        ),
        refused(
            "an address with credentials",
            target("secret: {}, healthCheck: {url: 'https://me:pw@example.com/'}"),
            &["spec.targets[0].healthCheck.url", "holds no credentials"],
        ),
        refused(
            "an impossible status",
            target("secret: {}, healthCheck: {url: 'https://example.com/', expectStatus: [42]}"),
            &["expectStatus", "100"],
        ),
    ]
}

fn validators() -> Vec<Case> {
    vec![
        accepted("a pattern", validator("matching: '^.{16,}$'")),
        accepted(
            "a request",
            validator(
                "http: {url: 'https://api.example.com/v1', header: {Authorization: 'Bearer {{ value }}'}}, every: 5m",
            ),
        ),
        refused(
            "two checks",
            validator("matching: a, length: {min: 1}"),
            &["spec.validate[0]", "exactly one thing", "matching, length"],
        ),
        refused(
            "no check",
            validator("every: 5m"),
            &["spec.validate[0]", "exactly one thing"],
        ),
        refused(
            "a value in an address",
            validator("http: {url: 'https://api.example.com/{{ value }}'}"),
            &["spec.validate[0].http", "header or the body"],
        ),
        refused(
            "too often",
            validator("matching: a, every: 1s"),
            &["spec.validate[0].every", "at least 10s"],
        ),
        refused(
            "bounds the wrong way round",
            validator("length: {min: 5, max: 2}"),
            &["spec.validate[0].length", "min is above max"],
        ),
        refused(
            "a login without a user",
            validator("postgres: {address: 'db:5432'}"),
            &["spec.validate[0].postgres", "user"],
        ),
    ]
}

fn rollouts() -> Vec<Case> {
    vec![
        accepted("no restart", rollout("strategy: {none: {}}")),
        accepted(
            "waves",
            rollout(
                "waves: [{name: edge, selector: {matchLabels: {tier: edge}}}, {name: rest, rest: {}}]",
            ),
        ),
        refused(
            "two strategies",
            rollout("strategy: {restart: {}, none: {}}"),
            &["spec.rollout.strategy", "exactly one strategy"],
        ),
        refused(
            "a canary of no mode",
            rollout("strategy: {canary: {}}"),
            &["spec.rollout.strategy.canary.mode", "Required"],
        ),
        refused(
            "a job canary without a job",
            rollout("strategy: {canary: {mode: job}}"),
            &["canary", "set cronJob to its name"],
        ),
        refused(
            "a pod canary with a job",
            rollout("strategy: {canary: {mode: pod, cronJob: smoke}}"),
            &["canary", "checks[].cronJob"],
        ),
        refused(
            "a workload canary without a workload",
            rollout("strategy: {canary: {mode: workload}}"),
            &["canary", "set workload to it"],
        ),
        refused(
            "a check that asks nothing",
            rollout("strategy: {canary: {mode: pod, checks: [{name: a}]}}"),
            &["checks[0]", "http, cronJob, prometheus, webhook, url"],
        ),
        refused(
            "a wave of no workloads",
            rollout("waves: [{name: edge}]"),
            &["spec.rollout.waves[0]", "selector, rest"],
        ),
        refused(
            "two states of the old value",
            rollout("previous: {unknown: {}, validFor: 1h}"),
            &["spec.rollout.previous", "exactly one state"],
        ),
        refused(
            "a schedule that is none",
            rollout("windows: [{schedule: daily, duration: 8h}]"),
            &["spec.rollout.windows[0].schedule", "five fields"],
        ),
        refused(
            "In without values",
            rollout("workloads: {selector: {matchExpressions: [{key: a, operator: In}]}}"),
            &["matchExpressions[0]", "In and NotIn need values"],
        ),
        refused(
            "a kind that cannot restart",
            rollout("workloads: {list: [{kind: Pod, name: a}]}"),
            &["list[0].kind", "StatefulSet"],
        ),
        refused(
            "a workload twice",
            rollout(
                "workloads: {list: [{kind: Deployment, name: a}, {kind: Deployment, name: a}]}",
            ),
            &["list[1]", "Duplicate"],
        ),
    ]
}

fn stores() -> Vec<Case> {
    const OTHER_CLUSTER: &str = "{provider: {kubernetes: {namespace: shared, server: {address: 'https://k', caBundle: pem, tokenRef: {name: a, key: b}}}}}";
    vec![
        accepted("Vault by token", vault("{}")),
        accepted(
            "Vault by AppRole",
            vault("{auth: {appRole: {roleId: r, secretIdRef: {name: a, key: b}}}}"),
        ),
        accepted(
            "Vault by ServiceAccount",
            vault("{auth: {kubernetes: {role: r, serviceAccount: {name: a}}}}"),
        ),
        accepted(
            "another cluster",
            object("SecretStore", &yaml(OTHER_CLUSTER)),
        ),
        refused(
            "no system",
            object("SecretStore", &yaml("{provider: {}}")),
            &["spec.provider", "exactly one system"],
        ),
        refused(
            "no login",
            vault("{auth: {}}"),
            &["spec.provider.vault.auth", "token, appRole, kubernetes"],
        ),
        refused(
            "two logins",
            vault(
                "{auth: {token: {secretRef: {name: a, key: b}}, kubernetes: {role: r, serviceAccount: {name: a}}}}",
            ),
            &["spec.provider.vault.auth", "exactly one way to log in"],
        ),
        refused(
            "a role id twice",
            vault(
                "{auth: {appRole: {roleId: r, roleIdRef: {name: a, key: b}, secretIdRef: {name: a, key: b}}}}",
            ),
            &["appRole", "roleId, roleIdRef"],
        ),
        refused(
            "authorities in two places",
            vault("{caBundle: pem, caSecretRef: {name: a, key: b}}"),
            &[
                "spec.provider.vault",
                "caBundle, caSecretRef, caConfigMapRef",
            ],
        ),
        refused(
            "an address without a scheme",
            vault("{address: 'vault:8200'}"),
            &["spec.provider.vault.address", "https://"],
        ),
        refused(
            "a third version of KV",
            vault("{kvVersion: 3}"),
            &["kvVersion", "less than or equal to 2"],
        ),
        refused(
            "another namespace of this cluster",
            object(
                "SecretStore",
                &yaml("{provider: {kubernetes: {namespace: other}}}"),
            ),
            &["spec", "use a ClusterSecretStore"],
        ),
    ]
}

fn cluster_stores() -> Vec<Case> {
    const NAMESPACES: &[&str] = &["spec.allow[0]", "namespaces, namespaceSelector"];
    vec![
        accepted("allowed to nobody", cluster_store("{}")),
        accepted(
            "allowed to all",
            cluster_store("{allow: [{namespaceSelector: {}, keyPrefixes: [/], read: true}]}"),
        ),
        refused(
            "allowed to whom",
            cluster_store("{allow: [{read: true}]}"),
            NAMESPACES,
        ),
        refused(
            "allowed twice",
            cluster_store("{allow: [{namespaces: [a], namespaceSelector: {}}]}"),
            NAMESPACES,
        ),
        refused(
            "allowed to no namespace",
            cluster_store("{allow: [{namespaces: []}]}"),
            &["spec.allow[0].namespaces", "at least 1"],
        ),
        refused(
            "patience beyond the limit",
            cluster_store("{limits: {timeout: 10m}}"),
            &["spec.limits.timeout", "at most 5m"],
        ),
        accepted(
            "another namespace, as the operator",
            cluster_store("{identity: operator, provider: {kubernetes: {namespace: other}}}"),
        ),
        refused(
            "another namespace, as whom",
            cluster_store("{provider: {kubernetes: {namespace: other}}}"),
            &["spec", "set identity: operator"],
        ),
    ]
}

fn others() -> Vec<Case> {
    let stamp = |spec: &Value| {
        object(
            "ClusterSecretSync",
            &serde_json::json!({"namespaceSelector": {}, "template": {"spec": spec}}),
        )
    };
    vec![
        accepted("a stamped sync", stamp(&sync("{}")["spec"])),
        refused(
            "a stamped sync that is wrong",
            stamp(&sync("{interval: 1s}")["spec"]),
            &["spec.template.spec.interval", "at least 10s"],
        ),
        accepted("a rotation by age", rotation("{}")),
        refused(
            "a rotation by age and clock",
            rotation("{schedule: {cron: '0 3 1 * *'}}"),
            &["spec", "schedule, maxAge"],
        ),
        refused(
            "a rotation that is never due",
            rotation("{maxAge: null}"),
            &["spec", "schedule, maxAge"],
        ),
        refused(
            "a rotation of nothing",
            rotation("{generator: {}}"),
            &["spec.generator", "password, bytes, uuid, sshKey"],
        ),
        refused(
            "a rotation that never rests",
            rotation("{maxAge: 1m}"),
            &["spec.maxAge", "at least 1h"],
        ),
        refused(
            "a short password",
            rotation("{generator: {password: {length: 4}}}"),
            &["spec.generator.password.length", "12"],
        ),
    ]
}
