//! Content of the vault that no Secret can hold, or that is not what the spec says it is.

use serde_json::json;

use super::super::super::Outcome;
use super::super::super::stage::on_shared_stage;
use super::{Bad, play_all};

#[tokio::test]
async fn keys_that_kubernetes_or_we_do_not_accept() -> Outcome {
    play_all(vec![
        Bad::content(
            "key-name",
            "KeyNotAccepted",
            &["spec.targets[env]", "a b", "`rename`"],
            json!({"A": "t0psecret-1", "a b": "t0psecret-2"}),
        ),
        Bad::content(
            "key-steers",
            "KeyNotAccepted",
            &["spec.targets[env]", "LD_PRELOAD", "select.keys"],
            json!({"A": "t0psecret-1", "LD_PRELOAD": "t0psecret-2"}),
        ),
        Bad::content(
            "key-clash",
            "KeyConflict",
            &["spec.sources[0].rename", "a-b", "a_b", "select.exclude"],
            json!({"a-b": "t0psecret-1", "a_b": "t0psecret-2"}),
        )
        .read_by(
            "
            sources: [{name: vault, store: {name: vault}, path: $apps/$case, rename: {case: snake}}]
            targets: [{name: env, secret: {}}]
            ",
        ),
        Bad::content(
            "key-twice",
            "KeyConflict",
            &["spec.conflicts", "`A`", "laterWins"],
            json!({"A": "t0psecret-1"}),
        )
        .read_by(
            "
            conflicts: error
            sources:
            - {name: vault, store: {name: vault}, path: $apps/$case}
            - {name: again, store: {name: vault}, path: $apps/$case}
            targets: [{name: env, secret: {}}]
            ",
        ),
    ])
    .await
}

#[tokio::test]
async fn more_than_a_secret_holds() -> Outcome {
    // The vault takes no more than this in one entry.
    let half = format!("t0psecret{}", "x".repeat(600 * 1024));
    on_shared_stage(async |stage| {
        stage.put("large-other", &[("LARGE", &half)]).await?;
        Ok(())
    })
    .await?;
    play_all(vec![
        Bad::content(
            "large",
            "TooLarge",
            &["spec.targets[env]", "1048576", "LARGER", "Split the keys"],
            json!({"A": "t0psecret-1", "LARGER": format!("{half}x")}),
        )
        .read_by(
            "
            sources:
            - {name: vault, store: {name: vault}, path: $apps/$case}
            - {name: other, store: {name: vault}, path: $apps/large-other}
            targets: [{name: env, secret: {}}]
            ",
        ),
    ])
    .await
}

#[tokio::test]
async fn content_that_is_not_what_the_spec_says() -> Outcome {
    play_all(vec![
        Bad::content(
            "required",
            "RequiredKeyMissing",
            &["spec.sources[0].require", "DB_URL", "Put it there"],
            json!({"A": "t0psecret-1", "B": "t0psecret-2"}),
        )
        .read_by(
            "
            sources: [{name: vault, store: {name: vault}, path: $apps/$case, require: [DB_URL]}]
            targets: [{name: env, secret: {}}]
            ",
        ),
        Bad::content(
            "typed",
            "RequiredKeyMissing",
            &["spec.targets[env]", "tls.crt", "spec.transform.data"],
            json!({"A": "t0psecret-1", "B": "t0psecret-2"}),
        )
        .read_by(
            "
            sources: [{name: vault, store: {name: vault}, path: $apps/$case}]
            targets: [{name: env, secret: {type: kubernetes.io/tls}}]
            ",
        ),
        Bad::content(
            "not-base64",
            "RenderFailed",
            &["spec.sources[0].decode", "`A`", "decode: auto"],
            json!({"A": "t0psecret, plain"}),
        )
        .read_by(
            "
            sources: [{name: vault, store: {name: vault}, path: $apps/$case, decode: base64}]
            targets: [{name: env, secret: {}}]
            ",
        ),
        Bad::content(
            "not-json",
            "RenderFailed",
            &["spec.sources[0].extract", "`A`", "not JSON"],
            json!({"A": "{t0psecret"}),
        )
        .read_by(
            "
            sources: [{name: vault, store: {name: vault}, path: $apps/$case, extract: {format: json}}]
            targets: [{name: env, secret: {}}]
            ",
        ),
        Bad::content(
            "no-property",
            "RenderFailed",
            &["spec.sources[0].extract", "extract.property"],
            json!({"A": "{\"b\": \"t0psecret\"}"}),
        )
        .read_by(
            "
            sources: [{name: vault, store: {name: vault}, path: $apps/$case, extract: {property: c.d}}]
            targets: [{name: env, secret: {}}]
            ",
        ),
    ])
    .await
}
