use serde_json::{Value, json};

use super::*;

fn asked(folder: &str) -> Asked {
    Asked {
        environment: "prod".to_owned(),
        folder: RemotePath::parse(folder).unwrap(),
        recursive: false,
        imports: true,
        references: false,
    }
}

fn row(name: &str, value: &str) -> Value {
    json!({
        "secretKey": name, "secretValue": value, "secretValueHidden": false, "secretPath": "/app",
        "environment": "prod", "version": 3, "type": "shared",
        "tags": [{"slug": "api", "name": "API"}],
    })
}

fn listed(body: &Value) -> Result<Vec<Secret>, Rejection> {
    list(body.to_string().as_bytes(), &asked("app"))
}

/// `folder name=value`
fn lines(secrets: &[Secret]) -> Vec<String> {
    let line = |secret: &Secret| {
        let value = secret.value.expose_text().unwrap();
        format!("{} {}={value}", secret.folder, secret.name)
    };
    secrets.iter().map(line).collect()
}

fn rejected(status: u16, body: &Value) -> Rejection {
    good(status, body.to_string().as_bytes()).unwrap_err()
}

#[test]
fn every_failure_of_the_server_has_its_class() {
    for (status, error, expected) in [
        (400, "BadRequest", Rejection::BadRequest),
        (401, "UnauthorizedError", Rejection::DeadToken),
        (403, "TokenError", Rejection::DeadToken),
        (403, "PermissionDenied", Rejection::Denied),
        (403, "ForbiddenError", Rejection::Denied),
        (403, "PermissionBoundaryError", Rejection::Denied),
        (403, "PolicyViolationError", Rejection::Denied),
        (404, "NotFound", Rejection::Missing),
        (410, "Gone", Rejection::NoRoute),
        (422, "ValidationFailure", Rejection::Unprocessable),
        (500, "InternalServerError", Rejection::Stumbled(500)),
        (504, "GatewayTimeout", Rejection::Stumbled(504)),
        (418, "Teapot", Rejection::Unbelievable(418)),
        (404, "Teapot", Rejection::Unbelievable(404)),
    ] {
        let body = json!({"reqId": "r", "statusCode": status, "message": "m", "error": error});
        assert_eq!(rejected(status, &body), expected, "{status} {error}");
    }
    // `message` is a list where parameters are wrong, and `details` may be anything.
    let body = json!({"reqId": "r", "statusCode": 422, "error": "ValidationFailure",
        "message": [{"code": "x", "path": ["a"], "message": "m"}], "details": [1]});
    assert_eq!(rejected(422, &body), Rejection::Unprocessable);
}

#[test]
fn what_is_not_in_the_servers_shape_says_nothing() {
    let route = json!({"message": "Route GET:/api/v4/secrets not found", "error": "Not Found", "statusCode": 404});
    assert_eq!(rejected(404, &route), Rejection::NoRoute);
    for (status, body) in [
        (404, ""),
        (404, "<html>404</html>"),
        (404, "null"),
        (
            404,
            r#"{"statusCode":404,"error":"NotFound","message":"m"}"#,
        ),
        (
            404,
            r#"{"reqId":"r","statusCode":400,"error":"NotFound","message":"m"}"#,
        ),
        (404, r#"{"reqId":"r","statusCode":404,"error":"NotFound"}"#),
        (404, r#"["r",404,"NotFound","m"]"#),
        (401, "<html>log in</html>"),
        (403, r#"{"message":"Forbidden"}"#),
        (204, ""),
        (302, ""),
        (304, ""),
        (600, ""),
    ] {
        assert_eq!(
            good(status, body.as_bytes()),
            Err(Rejection::Unbelievable(status)),
            "{status} {body}"
        );
    }
    assert_eq!(good(503, b"<html>"), Err(Rejection::Stumbled(503)));
}

#[test]
fn a_throttled_answer_names_its_wait_or_none() {
    let wait = |message: &str| {
        let body = json!({"reqId": "r", "statusCode": 429, "message": message, "error": "RateLimitExceeded"});
        rejected(429, &body)
    };
    for (message, seconds) in [
        (
            "Rate limit exceeded. Please try again in 12 seconds",
            Some(12),
        ),
        ("Please try again in 1 second", Some(1)),
        ("Rate limit exceeded", None),
        ("in many seconds", None),
        ("in -5 seconds", None),
        ("in 99999999999999999999999 seconds", None),
    ] {
        let expected = seconds.map(Duration::from_secs);
        assert_eq!(wait(message), Rejection::Throttled(expected), "{message}");
    }
    assert_eq!(
        good(429, b"<html>slow down</html>"),
        Err(Rejection::Throttled(None)),
        "what guards the cloud"
    );
}

#[test]
fn a_list_is_read_in_an_order_of_its_own() {
    let body = json!({"secrets": [row("B", "2"), row("A", "1\n")], "imports": []});
    let secrets = listed(&body).unwrap();
    assert_eq!(lines(&secrets), ["app A=1\n", "app B=2"]);
    assert_eq!(secrets[0].version, Some(3));
    assert_eq!(secrets[0].tags, BTreeSet::from(["api".to_owned()]));
    // Whatever may be absent is.
    let bare = json!({"secrets": [{"secretKey": "A", "secretValue": ""}]});
    assert_eq!(lines(&listed(&bare).unwrap()), ["app A="]);
    assert_eq!(listed(&json!({"secrets": []})), Ok(Vec::new()));
}

#[test]
fn a_masked_value_is_never_one() {
    for (hidden, value) in [
        (json!(true), MASK),
        (json!(true), "something else"),
        (json!(null), MASK),
        (json!(false), MASK),
    ] {
        let mut masked = row("K", value);
        masked["secretValueHidden"] = hidden;
        let expected = Err(Rejection::Masked("K".to_owned()));
        let direct = json!({"secrets": [row("A", "1"), masked], "imports": []});
        assert_eq!(listed(&direct), expected);
        let import = json!({"secretPath": "/shared", "environment": "prod", "secrets": [masked]});
        let imported = json!({"secrets": [row("A", "1")], "imports": [import]});
        assert_eq!(listed(&imported), expected, "shadowed or not");
    }
}

#[test]
fn a_secret_of_the_folder_wins_over_imports_and_the_last_import_over_the_first() {
    let import = |path: &str, names: &[&str]| {
        let secrets: Vec<Value> = names
            .iter()
            .map(|name| json!({"secretKey": name, "secretValue": path}))
            .collect();
        json!({"secretPath": path, "environment": "dev", "secrets": secrets})
    };
    let body = json!({
        "secrets": [row("A", "own")],
        "imports": [import("/one", &["A", "B", "C"]), import("/two", &["A", "B"])],
    });
    let secrets = listed(&body).unwrap();
    assert_eq!(
        lines(&secrets),
        ["one C=/one", "two B=/two", "app A=own"],
        "what wins stands last"
    );
    let alone = Asked {
        imports: false,
        ..asked("app")
    };
    let secrets = list(body.to_string().as_bytes(), &alone).unwrap();
    assert_eq!(lines(&secrets), ["app A=own"], "what nobody asked for");
}

#[test]
fn personal_values_are_nobody_elses() {
    let mut personal = row("A", "mine");
    personal["type"] = json!("personal");
    let body = json!({"secrets": [row("A", "ours"), personal]});
    assert_eq!(lines(&listed(&body).unwrap()), ["app A=ours"]);
}

#[test]
fn what_lies_elsewhere_is_not_the_answer() {
    let elsewhere = |field: &str, value: &str| {
        let mut row = row("A", "1");
        row[field] = json!(value);
        listed(&json!({"secrets": [row]}))
    };
    assert_eq!(elsewhere("environment", "dev"), Err(Rejection::Elsewhere));
    for path in ["/", "/application", "/app/sub", "/other", "/app/../x", "//"] {
        assert_eq!(
            elsewhere("secretPath", path),
            Err(Rejection::Elsewhere),
            "{path}"
        );
    }
    let recursive = Asked {
        recursive: true,
        ..asked("app")
    };
    let below = |path: Value| {
        let mut row = row("A", "1");
        row["secretPath"] = path;
        list(json!({"secrets": [row]}).to_string().as_bytes(), &recursive)
    };
    assert_eq!(lines(&below(json!("/app/sub")).unwrap()), ["app/sub A=1"]);
    assert_eq!(below(json!("/application")), Err(Rejection::Elsewhere));
    assert_eq!(below(json!(null)), Err(Rejection::Elsewhere));
}

#[test]
fn half_an_answer_is_none() {
    let body = json!({"secrets": [row("A", "1"), row("B", "2")], "imports": []}).to_string();
    for length in 0..body.len() {
        let half = &body.as_bytes()[..length];
        assert_eq!(
            list(half, &asked("app")),
            Err(Rejection::Unbelievable(200)),
            "{length}"
        );
    }
    for body in [
        json!({}),
        json!([]),
        json!({"secrets": null}),
        json!({"secrets": [{"secretKey": "A"}]}),
        json!({"secrets": [{"secretKey": "A", "secretValue": null}]}),
        json!({"secrets": [{"secretKey": "A", "secretValue": 1}]}),
        json!({"secrets": [row("A", "1"), row("A", "2")]}),
    ] {
        assert_eq!(listed(&body), Err(Rejection::Unbelievable(200)), "{body}");
    }
}

#[test]
fn a_single_secret_has_the_name_that_was_asked_for() {
    let body = json!({"secret": row("A", "1")}).to_string();
    let read = |asked: &Asked, name: &str| single(body.as_bytes(), asked, name);
    assert_eq!(read(&asked("app"), "A").unwrap().folder, "app");
    assert_eq!(read(&asked("app"), "B"), Err(Rejection::Unbelievable(200)));
    assert!(read(&asked("other"), "A").is_ok(), "by import");
    let alone = Asked {
        imports: false,
        ..asked("other")
    };
    assert_eq!(read(&alone, "A"), Err(Rejection::Elsewhere));
}

#[test]
fn a_project_is_read_in_every_shape() {
    let inner = json!({"id": "p-1", "environments": [{"slug": "prod", "name": "Production"}]});
    for body in [
        inner.clone(),
        json!({"project": inner}),
        json!({"workspace": inner}),
    ] {
        let project = project(body.to_string().as_bytes()).unwrap();
        assert_eq!(project.id, "p-1");
        assert!(project.has("prod") && !project.has("dev"));
    }
    assert!(project(b"{}").is_err());
    assert!(project(br#"{"project":null}"#).is_err());
}

#[test]
fn errors_hold_nothing_of_the_answer() {
    let body = json!({"reqId": "r", "statusCode": 403, "error": "hunter2", "message": "hunter2"});
    assert!(!format!("{:?}", rejected(403, &body)).contains("hunter2"));
    let body = json!({"secrets": [row("A", "hunter2"), {"secretKey": 1}]});
    assert!(!format!("{:?}", listed(&body)).contains("hunter2"));
}
