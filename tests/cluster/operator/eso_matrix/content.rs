//! What of the vault reaches the Secret, and in which form.

use serde_json::json;

use super::super::super::Outcome;
use super::super::super::stage::on_shared_stage;
use super::arrives;

#[tokio::test]
async fn values_of_two_entries_become_two_keys() -> Outcome {
    arrives(
        "case-01",
        &[
            ("case-01/user", json!({"value": "t0psecret-ada"})),
            ("case-01/password", json!({"value": "t0psecret-1", "other": "t0psecret-2"})),
        ],
        "
        sources:
        - {name: user, store: {name: vault}, path: $apps/case-01/user, rename: {map: {value: USER}}}
        - {name: password, store: {name: vault}, path: $apps/case-01/password, field: value, rename: {map: {value: PASSWORD}}}
        targets: [{name: env, secret: {name: case-01}}]
        ",
        &[("USER", "t0psecret-ada"), ("PASSWORD", "t0psecret-1")],
    )
    .await
}

#[tokio::test]
async fn a_secret_without_a_name_is_called_like_the_sync() -> Outcome {
    arrives(
        "case-02",
        &[("case-02", json!({"USER": "t0psecret-ada"}))],
        super::COPY,
        &[("USER", "t0psecret-ada")],
    )
    .await
}

#[tokio::test]
async fn a_property_of_a_json_value_becomes_a_key() -> Outcome {
    let document = json!({"db": {"password": "t0psecret-1"}, "user": "t0psecret-2"}).to_string();
    arrives(
        "case-03",
        &[("case-03", json!({"json": document}))],
        "
        sources:
        - name: vault
          store: {name: vault}
          path: $apps/case-03
          field: json
          extract: {property: db.password}
          rename: {map: {json: DB_PASSWORD}}
        targets: [{name: env, secret: {name: case-03}}]
        ",
        &[("DB_PASSWORD", "t0psecret-1")],
    )
    .await
}

#[tokio::test]
async fn a_property_reaches_a_secret_without_a_name() -> Outcome {
    let document = json!({"user": "t0psecret-ada"}).to_string();
    arrives(
        "case-04",
        &[("case-04", json!({"json": document}))],
        "
        sources: [{name: vault, store: {name: vault}, path: $apps/case-04, extract: {property: user}}]
        targets: [{name: env, secret: {}}]
        ",
        &[("json", "t0psecret-ada")],
    )
    .await
}

#[tokio::test]
async fn a_template_makes_a_key_of_a_secret_with_type_labels_and_annotations() -> Outcome {
    on_shared_stage(async |stage| {
        stage
            .put(
                "case-05",
                &[("USER", "t0psecret-ada"), ("PASSWORD", "t0psecret-1/2")],
            )
            .await?;
        stage
            .sync(
                "case-05",
                "
                sources: [{name: vault, store: {name: vault}, path: $apps/case-05}]
                transform:
                  keep: declared
                  data:
                    URL: {template: 'postgres://{{ USER }}:{{ PASSWORD | urlencode }}@db/app'}
                targets:
                - name: env
                  secret:
                    type: example.com/connection
                    labels: {team: api}
                    annotations: {example.com/contact: ada}
                ",
            )
            .await?;
        let url = "postgres://t0psecret-ada:t0psecret-1%2F2@db/app";
        let secret = stage.await_secret("case-05", &[("URL", url)]).await?;
        assert_eq!(secret.type_.as_deref(), Some("example.com/connection"));
        let metadata = &secret.metadata;
        assert_eq!(
            metadata
                .labels
                .as_ref()
                .map(|labels| labels["team"].as_str()),
            Some("api")
        );
        let annotations = metadata.annotations.as_ref();
        assert_eq!(
            annotations.map(|annotations| annotations["example.com/contact"].as_str()),
            Some("ada")
        );
        stage.is_synced("case-05").await
    })
    .await
}

#[tokio::test]
async fn a_template_sees_all_keys_and_keeps_its_own_words() -> Outcome {
    arrives(
        "case-06",
        &[("case-06", json!({"a-b": "t0psecret-1", "USER": "t0psecret-ada"}))],
        r##"
        sources: [{name: vault, store: {name: vault}, path: $apps/case-06}]
        transform:
          keep: declared
          data:
            list: {template: "{% for name, value in keys | items %}{{ name }}={{ value }};{% endfor %}"}
            config: {template: "# ours\nuser = {{ USER | upper }}\ndash = {{ keys['a-b'] }}\n"}
        targets: [{name: env, secret: {}}]
        "##,
        &[
            ("list", "USER=t0psecret-ada;a-b=t0psecret-1;"),
            ("config", "# ours\nuser = T0PSECRET-ADA\ndash = t0psecret-1\n"),
        ],
    )
    .await
}

#[tokio::test]
async fn a_template_in_a_config_map_is_used_and_followed() -> Outcome {
    let config_map = |text: &str| {
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "case-07"},
            "data": {"app.ini": text, "MODE": "plain"},
        })
        .to_string()
    };
    on_shared_stage(async |stage| {
        stage.put("case-07", &[("USER", "t0psecret-ada")]).await?;
        stage.apply(&config_map("user={{ USER }}")).await?;
        stage
            .sync(
                "case-07",
                "
                sources:
                - {name: vault, store: {name: vault}, path: $apps/case-07}
                - {name: settings, configMap: {name: case-07}, select: {keys: [MODE]}}
                transform: {data: {app.ini: {templateFrom: {configMap: {name: case-07, key: app.ini}}}}}
                targets: [{name: env, secret: {}, select: {keys: [app.ini, MODE]}}]
                ",
            )
            .await?;
        let first = [("app.ini", "user=t0psecret-ada"), ("MODE", "plain")];
        stage.await_secret("case-07", &first).await?;
        stage.apply(&config_map("name={{ USER }}")).await?;
        let second = [("app.ini", "name=t0psecret-ada"), ("MODE", "plain")];
        stage.await_secret("case-07", &second).await?;
        stage.is_synced("case-07").await
    })
    .await
}

/// Strings as they are, everything else as JSON: nothing is rounded or reordered.
#[tokio::test]
async fn all_members_of_a_json_document_become_keys() -> Outcome {
    let document = r#"{"USER": "t0psecret-ada", "PORT": 5432, "BIG": 12345678901234567890.10, "LIST": ["t0psecret-1", 2]}"#;
    arrives(
        "case-08",
        &[("case-08", json!({"json": document}))],
        "
        sources: [{name: vault, store: {name: vault}, path: $apps/case-08, extract: {format: json}}]
        targets: [{name: env, secret: {}}]
        ",
        &[
            ("USER", "t0psecret-ada"),
            ("PORT", "5432"),
            ("BIG", "12345678901234567890.10"),
            ("LIST", r#"["t0psecret-1", 2]"#),
        ],
    )
    .await
}

#[tokio::test]
async fn a_subtree_of_a_json_document_becomes_keys() -> Outcome {
    let document =
        json!({"env": {"prod": {"USER": "t0psecret-ada"}, "dev": {"USER": "t0psecret-eve"}}});
    arrives(
        "case-09",
        &[("case-09", json!({"json": document.to_string()}))],
        "
        sources: [{name: vault, store: {name: vault}, path: $apps/case-09, extract: {property: env.prod}}]
        targets: [{name: env, secret: {}}]
        ",
        &[("USER", "t0psecret-ada")],
    )
    .await
}

#[tokio::test]
async fn extracted_keys_are_renamed_by_pattern() -> Outcome {
    let document =
        json!({"db-user": "t0psecret-ada", "db-password": "t0psecret-1", "x": "t0psecret-x"});
    arrives(
        "case-10",
        &[("case-10", json!({"json": document.to_string()}))],
        "
        sources:
        - name: vault
          store: {name: vault}
          path: $apps/case-10
          extract: {format: json}
          rename:
            replace: [{matching: '^db-(.*)$', with: 'database-${1}'}]
            case: screamingSnake
        targets: [{name: env, secret: {}}]
        ",
        &[
            ("DATABASE_USER", "t0psecret-ada"),
            ("DATABASE_PASSWORD", "t0psecret-1"),
            ("X", "t0psecret-x"),
        ],
    )
    .await
}

#[tokio::test]
async fn a_path_leads_through_arrays_and_names_with_dots() -> Outcome {
    let document = json!({"users": [{"token": "t0psecret-1"}, {"a.b": {"token": "t0psecret-2"}}]});
    arrives(
        "case-11",
        &[("case-11", json!({"json": document.to_string()}))],
        r"
        sources:
        - {name: first, store: {name: vault}, path: $apps/case-11, extract: {property: users.0}}
        - name: second
          store: {name: vault}
          path: $apps/case-11
          extract: {property: 'users.1.a\.b.token'}
          rename: {map: {json: SECOND}}
        targets: [{name: env, secret: {}}]
        ",
        &[("token", "t0psecret-1"), ("SECOND", "t0psecret-2")],
    )
    .await
}

/// `ada:t0psecret-1` in base64.
const DOCKER_CONFIG: &str = r#"{"auths":{"registry.example.com":{"auth":"YWRhOnQwcHNlY3JldC0x"}}}"#;

#[tokio::test]
async fn a_whole_value_makes_a_pull_secret() -> Outcome {
    on_shared_stage(async |stage| {
        stage.put("case-12", &[("config", DOCKER_CONFIG)]).await?;
        stage
            .sync(
                "case-12",
                "
                sources: [{name: vault, store: {name: vault}, path: $apps/case-12, rename: {map: {config: .dockerconfigjson}}}]
                targets: [{name: pull, secret: {type: kubernetes.io/dockerconfigjson}}]
                ",
            )
            .await?;
        let expected = [(".dockerconfigjson", DOCKER_CONFIG)];
        let secret = stage.await_secret("case-12", &expected).await?;
        assert_eq!(secret.type_.as_deref(), Some("kubernetes.io/dockerconfigjson"));
        stage.is_synced("case-12").await
    })
    .await
}

#[tokio::test]
async fn a_property_makes_a_pull_secret() -> Outcome {
    arrives(
        "case-13",
        &[(
            "case-13",
            json!({"json": json!({"registry": DOCKER_CONFIG}).to_string()}),
        )],
        "
        sources:
        - name: vault
          store: {name: vault}
          path: $apps/case-13
          extract: {property: registry}
          rename: {map: {json: .dockerconfigjson}}
        targets: [{name: pull, secret: {type: kubernetes.io/dockerconfigjson}}]
        ",
        &[(".dockerconfigjson", DOCKER_CONFIG)],
    )
    .await
}

/// No real key: what counts is that every byte of its lines arrives, the last line's end too.
const PRIVATE_KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\ndDBwc2VjcmV0LW9uZQ==\n-----END OPENSSH PRIVATE KEY-----\n";

#[tokio::test]
async fn a_private_key_arrives_to_the_last_byte() -> Outcome {
    arrives(
        "case-14",
        &[("case-14", json!({"key": PRIVATE_KEY}))],
        "
        sources: [{name: vault, store: {name: vault}, path: $apps/case-14, rename: {map: {key: ssh-privatekey}}}]
        targets: [{name: ssh, secret: {type: kubernetes.io/ssh-auth}}]
        ",
        &[("ssh-privatekey", PRIVATE_KEY)],
    )
    .await
}

#[tokio::test]
async fn a_private_key_in_a_property_arrives_to_the_last_byte() -> Outcome {
    arrives(
        "case-15",
        &[(
            "case-15",
            json!({"json": json!({"ssh": {"private": PRIVATE_KEY}}).to_string()}),
        )],
        "
        sources:
        - name: vault
          store: {name: vault}
          path: $apps/case-15
          extract: {property: ssh.private}
          rename: {map: {json: ssh-privatekey}}
        targets: [{name: ssh, secret: {type: kubernetes.io/ssh-auth}}]
        ",
        &[("ssh-privatekey", PRIVATE_KEY)],
    )
    .await
}

/// `t0psecret?>1` in both alphabets.
#[tokio::test]
async fn values_are_decoded_as_their_source_says() -> Outcome {
    let (standard, url_safe) = ("dDBwc2VjcmV0Pz4+", "dDBwc2VjcmV0Pz4-");
    arrives(
        "case-17",
        &[
            ("case-17/standard", json!({"standard": standard})),
            ("case-17/url", json!({"url": url_safe})),
            (
                "case-17/auto",
                json!({"one": standard, "two": url_safe, "three": "t0psecret, plain"}),
            ),
            ("case-17/as-it-is", json!({"raw": standard})),
        ],
        "
        sources:
        - {name: standard, store: {name: vault}, path: $apps/case-17/standard, decode: base64}
        - {name: url, store: {name: vault}, path: $apps/case-17/url, decode: base64url}
        - {name: auto, store: {name: vault}, path: $apps/case-17/auto, decode: auto}
        - {name: raw, store: {name: vault}, path: $apps/case-17/as-it-is}
        targets: [{name: env, secret: {}}]
        ",
        &[
            ("standard", "t0psecret?>>"),
            ("url", "t0psecret?>>"),
            ("one", "t0psecret?>>"),
            ("two", "t0psecret?>>"),
            ("three", "t0psecret, plain"),
            ("raw", standard),
        ],
    )
    .await
}

#[tokio::test]
async fn entries_are_found_by_a_pattern_of_their_names() -> Outcome {
    arrives(
        "case-18",
        &[
            ("case-18/db-user", json!({"value": "t0psecret-ada"})),
            ("case-18/db-password", json!({"value": "t0psecret-1"})),
            ("case-18/cache", json!({"value": "t0psecret-2"})),
            ("case-18/deeper/db-host", json!({"value": "t0psecret-3"})),
        ],
        "
        sources: [{name: vault, store: {name: vault}, path: $apps/case-18/, field: value, select: {matching: ^db-}}]
        targets: [{name: env, secret: {}}]
        ",
        &[("db-user", "t0psecret-ada"), ("db-password", "t0psecret-1")],
    )
    .await
}

#[tokio::test]
async fn found_entries_are_renamed() -> Outcome {
    arrives(
        "case-19",
        &[
            (
                "case-19/goblin-prod-api-key",
                json!({"value": "t0psecret-1"}),
            ),
            ("case-19/goblin-prod-dsn", json!({"value": "t0psecret-2"})),
            ("case-19/goblin-dev-dsn", json!({"value": "t0psecret-3"})),
        ],
        "
        sources:
        - name: vault
          store: {name: vault}
          path: $apps/case-19/
          field: value
          select: {matching: ^goblin-prod-}
          rename: {stripPrefix: goblin-prod-, case: screamingSnake, prefix: APP_}
        targets: [{name: env, secret: {}}]
        ",
        &[("APP_API_KEY", "t0psecret-1"), ("APP_DSN", "t0psecret-2")],
    )
    .await
}

#[tokio::test]
async fn a_folder_limits_what_is_found_on_segment_borders() -> Outcome {
    arrives(
        "case-20",
        &[
            ("case-20/api/one", json!({"A": "t0psecret-1"})),
            ("case-20/api/deeper/two", json!({"B": "t0psecret-2"})),
            ("case-20/api-internal/three", json!({"C": "t0psecret-3"})),
            ("case-20/four", json!({"D": "t0psecret-4"})),
        ],
        "
        sources: [{name: vault, store: {name: vault}, path: $apps/case-20/api/, select: {recursive: true}}]
        targets: [{name: env, secret: {}}]
        ",
        &[("A", "t0psecret-1"), ("B", "t0psecret-2")],
    )
    .await
}

#[tokio::test]
async fn entries_are_found_by_their_tags() -> Outcome {
    on_shared_stage(async |stage| {
        let entries = [
            ("case-21/one", "A", [("component", "api"), ("tier", "prod")]),
            ("case-21/two", "B", [("component", "web"), ("tier", "prod")]),
            ("case-21/three", "C", [("component", "api"), ("tier", "dev")]),
        ];
        for (path, key, tags) in entries {
            stage.put(path, &[(key, "t0psecret-1")]).await?;
            stage.tag(path, &tags).await?;
        }
        stage.put("case-21/none", &[("D", "t0psecret-1")]).await?;
        let sync = async |name: &str, tags: &str| {
            let spec = "
                sources: [{name: vault, store: {name: vault}, path: $apps/case-21/, select: {tags: TAGS}}]
                targets: [{name: env, secret: {}}]
                ";
            stage.sync(name, &spec.replace("TAGS", tags)).await
        };
        sync("case-21-any", "{any: ['component=api', 'component=web']}").await?;
        sync("case-21-all", "{all: ['component=api', 'tier=prod']}").await?;
        sync("case-21-key", "{any: [tier], all: ['component=api']}").await?;
        let expected = |keys: &[&'static str]| -> Vec<(&'static str, &'static str)> {
            keys.iter().map(|key| (*key, "t0psecret-1")).collect()
        };
        stage.await_secret("case-21-any", &expected(&["A", "B", "C"])).await?;
        stage.await_secret("case-21-all", &expected(&["A"])).await?;
        stage.await_secret("case-21-key", &expected(&["A", "C"])).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn tags_and_a_folder_limit_together_and_targets_select_by_both() -> Outcome {
    on_shared_stage(async |stage| {
        for (path, key) in [("api/one", "A"), ("api/two", "B"), ("web/three", "C")] {
            let path = format!("case-22/{path}");
            stage.put(&path, &[(key, "t0psecret-1")]).await?;
            if key != "B" {
                stage.tag(&path, &[("component", "api")]).await?;
            }
        }
        stage
            .sync(
                "case-22",
                "
                sources: [{name: vault, store: {name: vault}, path: $apps/case-22/, select: {recursive: true}}]
                targets:
                - {name: both, secret: {name: case-22}, select: {tags: {any: [component]}, paths: [$apps/case-22/api]}}
                - {name: tags, secret: {name: case-22-tags}, select: {tags: {any: ['component=api']}}}
                - {name: paths, secret: {name: case-22-paths}, select: {paths: [$apps/case-22/api]}}
                ",
            )
            .await?;
        stage.await_secret("case-22", &[("A", "t0psecret-1")]).await?;
        stage
            .await_secret("case-22-tags", &[("A", "t0psecret-1"), ("C", "t0psecret-1")])
            .await?;
        stage
            .await_secret("case-22-paths", &[("A", "t0psecret-1"), ("B", "t0psecret-1")])
            .await?;
        Ok(())
    })
    .await
}

/// What is not secret can go to a ConfigMap, from the same sync.
#[tokio::test]
async fn a_config_map_takes_what_is_not_secret() -> Outcome {
    on_shared_stage(async |stage| {
        stage
            .put(
                "case-75",
                &[
                    ("MODE", "t0psecret, not really"),
                    ("PASSWORD", "t0psecret-1"),
                ],
            )
            .await?;
        stage
            .sync(
                "case-75",
                "
                sources: [{name: vault, store: {name: vault}, path: $apps/case-75}]
                targets:
                - {name: settings, configMap: {}, select: {keys: [MODE]}}
                - {name: env, secret: {}, select: {keys: [PASSWORD]}}
                ",
            )
            .await?;
        stage.is_synced("case-75").await?;
        stage
            .await_secret("case-75", &[("PASSWORD", "t0psecret-1")])
            .await?;
        let settings = stage.config_map("case-75").await?;
        let settings: Vec<_> = settings
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        assert_eq!(settings, [("MODE", "t0psecret, not really")]);
        Ok(())
    })
    .await
}
