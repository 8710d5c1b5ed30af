//! SecretSyncs that hold a contradiction, or ask for what is refused or not there yet.

use super::super::super::Outcome;
use super::{Bad, play_all};

#[tokio::test]
async fn templates_and_patterns_that_cannot_be_read() -> Outcome {
    play_all(vec![
        Bad::spec(
            "template",
            "InvalidSpec",
            &["spec.transform.data.URL.template", "line 1"],
            "
            sources: [{name: vault, store: {name: vault}, path: $apps/$case}]
            transform: {data: {URL: {template: 'x {{ A'}}}
            targets: [{name: env, secret: {}}]
            ",
        ),
        Bad::spec(
            "filter",
            "InvalidSpec",
            &["spec.transform.data.URL.template", "shout"],
            "
            sources: [{name: vault, store: {name: vault}, path: $apps/$case}]
            transform: {data: {URL: {template: '{{ A | shout }}'}}}
            targets: [{name: env, secret: {}}]
            ",
        ),
        Bad::spec(
            "unknown-key",
            "RenderFailed",
            &["spec.transform.data.URL.template", "NOPE", "transform.optional"],
            "
            sources: [{name: vault, store: {name: vault}, path: $apps/$case}]
            transform: {data: {URL: {template: '{{ A }}{{ NOPE }}'}}}
            targets: [{name: env, secret: {}}]
            ",
        ),
        Bad::spec(
            "pattern",
            "InvalidSpec",
            &["spec.sources[0].select.matching", "unclosed group"],
            "
            sources: [{name: vault, store: {name: vault}, path: $apps/$case, select: {matching: '(A'}}]
            targets: [{name: env, secret: {}}]
            ",
        ),
        Bad::spec(
            "group",
            "InvalidSpec",
            &["spec.sources[0].rename.replace[0].with", "${1}"],
            "
            sources: [{name: vault, store: {name: vault}, path: $apps/$case, rename: {replace: [{matching: A, with: $1_x}]}}]
            targets: [{name: env, secret: {}}]
            ",
        ),
    ])
    .await
}

#[tokio::test]
async fn types_labels_and_names_that_are_refused() -> Outcome {
    play_all(vec![
        Bad::spec(
            "type",
            "InvalidSpec",
            &[
                "spec.targets[env].secret.type",
                "service-account-token",
                "Use Opaque",
            ],
            "
            sources: [{name: vault, store: {name: vault}, path: $apps/$case}]
            targets: [{name: env, secret: {type: kubernetes.io/service-account-token}}]
            ",
        ),
        Bad::spec(
            "label",
            "InvalidSpec",
            &[
                "spec.targets[env].secret.labels",
                "helm.toolkit.fluxcd.io/name",
            ],
            "
            sources: [{name: vault, store: {name: vault}, path: $apps/$case}]
            targets: [{name: env, secret: {labels: {helm.toolkit.fluxcd.io/name: x}}}]
            ",
        ),
        Bad::spec(
            "record",
            "InvalidSpec",
            &["spec.targets[env].secret.name", "Penstock's own"],
            "
            sources: [{name: vault, store: {name: vault}, path: $apps/$case}]
            targets: [{name: env, secret: {name: penstock-record-other}}]
            ",
        ),
        Bad::spec(
            "record-read",
            "InvalidSpec",
            &["spec.sources[0].secret.name", "Penstock's own"],
            "
            sources: [{name: theirs, secret: {name: penstock-record-other}}]
            targets: [{name: env, secret: {}}]
            ",
        ),
        Bad::spec(
            "circle",
            "InvalidSpec",
            &["spec.targets[env]"],
            "
            sources: [{name: self, secret: {name: $sync}}]
            targets: [{name: env, secret: {}}]
            ",
        ),
    ])
    .await
}

#[tokio::test]
async fn what_is_not_there_yet_is_refused_by_its_field() -> Outcome {
    play_all(vec![
        Bad::spec(
            "file",
            "NotSupported",
            &["spec.sources[0].file", "CLI only"],
            "
            sources: [{name: file, file: {path: .env}}]
            targets: [{name: env, secret: {}}]
            ",
        ),
        Bad::spec(
            "validate",
            "NotSupported",
            &["spec.validate[0].certificate", "not supported"],
            "
            sources: [{name: vault, store: {name: vault}, path: $apps/$case}]
            targets: [{name: env, secret: {}}]
            validate: [{name: certificate, key: A, certificate: {}}]
            ",
        ),
        Bad::spec(
            "store-target",
            "NotSupported",
            &["spec.targets[other].store"],
            "
            sources: [{name: vault, store: {name: vault}, path: $apps/$case}]
            targets:
            - {name: env, secret: {}}
            - {name: other, store: {name: vault}, path: x}
            ",
        ),
        Bad::spec(
            "for-each",
            "NotSupported",
            &["spec.forEach"],
            "
            sources: [{name: vault, store: {name: vault}, path: $apps/$case}]
            targets: [{name: env, secret: {}}]
            forEach: {source: vault, as: user, nameFrom: [id]}
            ",
        ),
    ])
    .await
}

#[tokio::test]
async fn all_problems_of_a_spec_stand_in_one_condition() -> Outcome {
    play_all(vec![Bad::spec(
        "several",
        "InvalidSpec",
        &[
            "spec.sources[0].select.matching",
            "spec.transform.data.URL.template",
            "spec.targets[env].secret.type",
            "spec.notify",
        ],
        "
        sources: [{name: vault, store: {name: vault}, path: $apps/$case, select: {matching: '(A'}}]
        transform: {data: {URL: {template: '{{ A'}}}
        targets: [{name: env, secret: {type: bootstrap.kubernetes.io/token}}]
        notify: [{store: {name: discord}, on: [Synced]}]
        ",
    )])
    .await
}
