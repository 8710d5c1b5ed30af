//! The stand-in refuses what the real one refuses.

use std::sync::Once;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;

const PROJECT: &str = "p-1";

struct Case {
    fake: FakeInfisical,
    client: reqwest::Client,
    token: String,
}

/// Status and body of an answer.
type Answer = (u16, Value);

impl Case {
    async fn new() -> Self {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| drop(rustls::crypto::aws_lc_rs::default_provider().install_default()));
        let fake = FakeInfisical::start(Listen::Http).await.unwrap();
        {
            let mut model = fake.model();
            model.folder(PROJECT, "prod", "/app");
            model.folder(PROJECT, "dev", "/");
            model.projects.get_mut(PROJECT).unwrap().slug = "demo".to_owned();
            let identity = Identity {
                client_id: "c".to_owned(),
                client_secrets: ["s".to_owned()].into(),
                ttl: 100,
                max_ttl: 250,
                grants: vec![Grant {
                    write: true,
                    ..Grant::reader(PROJECT)
                }],
                ..Identity::default()
            };
            model.identities.insert("i-1".to_owned(), identity);
        }
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut case = Self {
            fake,
            client,
            token: String::new(),
        };
        let (status, body) = case.log_in("s").await;
        assert_eq!(status, 200);
        case.token = body["accessToken"].as_str().unwrap().to_owned();
        case
    }

    async fn log_in(&self, secret: &str) -> Answer {
        let body = json!({"clientId": "c", "clientSecret": secret});
        self.post("/api/v1/auth/universal-auth/login", &body).await
    }

    async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let url = format!("{}{path}", self.fake.server().address());
        let method = http::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.client.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, Some(body)).await
    }
}

const LIST: &str = "/api/v4/secrets?projectId=p-1&environment=prod&secretPath=/app";

#[tokio::test]
async fn every_error_has_the_servers_shape_but_that_of_an_unknown_route() {
    let case = Case::new().await;
    for (path, status, error) in [
        ("/api/v4/secrets?environment=prod", 400, "BadRequest"),
        (
            "/api/v4/secrets?projectId=x&environment=prod",
            404,
            "NotFound",
        ),
        (
            "/api/v4/secrets?projectId=p-1&environment=never",
            404,
            "NotFound",
        ),
        (
            "/api/v4/secrets?projectId=p-1&environment=prod&secretPath=/never",
            404,
            "NotFound",
        ),
        (
            "/api/v4/secrets?projectId=p-1&environment=prod&recursive=yes",
            422,
            "ValidationFailure",
        ),
    ] {
        let (found, body) = case.get(path).await;
        assert_eq!(found, status, "{path}");
        assert_eq!(body["error"], error, "{path}");
        assert_eq!(body["statusCode"], status, "{path}");
        assert!(body["reqId"].is_string(), "{path}");
        assert_eq!(body["message"].is_array(), status == 422, "{path}");
    }
    let (status, body) = case.get("/api/v5/secrets").await;
    assert_eq!((status, &body["error"]), (404, &json!("Not Found")));
    assert!(body["reqId"].is_null());
}

#[tokio::test]
async fn who_asks_is_looked_at() {
    let mut case = Case::new().await;
    for (token, status, error) in [
        ("garbage", 403, "TokenError"),
        ("ey.J.x", 401, "UnauthorizedError"),
        ("st.1.unknown", 401, "UnauthorizedError"),
    ] {
        case.token = token.to_owned();
        let (found, body) = case.get(LIST).await;
        assert_eq!((found, &body["error"]), (status, &json!(error)), "{token}");
    }
}

#[tokio::test]
async fn three_wrong_secrets_lock_the_identity() {
    let case = Case::new().await;
    for _ in 0..3 {
        assert_eq!(case.log_in("wrong").await.0, 401);
    }
    assert_eq!(case.log_in("s").await.0, 401);
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(5)).await;
    tokio::time::resume();
    assert_eq!(case.log_in("s").await.0, 200);
    for _ in 0..5 {
        assert_eq!(case.log_in("wrong").await.0, 401);
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(30)).await;
        tokio::time::resume();
    }
    assert_eq!(case.log_in("s").await.0, 200, "with patience between them");
}

#[tokio::test]
async fn a_renewal_gives_the_same_token_until_the_limit_and_then_kills_it() {
    let case = Case::new().await;
    let body = json!({"accessToken": case.token});
    let renew = async || case.post("/api/v1/auth/token/renew", &body).await;
    for _ in 0..2 {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(70)).await;
        tokio::time::resume();
        let (status, answer) = renew().await;
        assert_eq!(status, 200);
        assert_eq!(answer["accessToken"], case.token.as_str());
    }
    assert_eq!(case.get(LIST).await.0, 200);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(70)).await;
    tokio::time::resume();
    assert_eq!(renew().await.0, 401, "210 s and 100 more are past 250");
    assert_eq!(case.get(LIST).await.0, 401, "and so it is gone");
}

#[tokio::test]
async fn a_token_dies_by_time_and_by_use() {
    let case = Case::new().await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(101)).await;
    tokio::time::resume();
    assert_eq!(case.get(LIST).await.0, 401);
    let mut case = Case::new().await;
    case.fake.model().identities.get_mut("i-1").unwrap().uses = 1;
    let (_, body) = case.log_in("s").await;
    body["accessToken"]
        .as_str()
        .unwrap()
        .clone_into(&mut case.token);
    assert_eq!(case.get(LIST).await.0, 200);
    assert_eq!(case.get(LIST).await.0, 400);
}

#[tokio::test]
async fn values_are_kept_without_blanks_around_them_but_one_line_break() {
    let case = Case::new().await;
    for (name, written, kept) in [
        ("A", " a ", "a"),
        ("B", "-----\nb\n", "-----\nb\n"),
        ("C", "\n c\n\n\n", "c\n"),
        ("D", "", ""),
    ] {
        let path = format!("/api/v4/secrets/{name}");
        let body = json!({"projectId": PROJECT, "environment": "prod", "secretPath": "/app", "secretValue": written});
        let (status, answer) = case.post(&path, &body).await;
        assert_eq!(status, 200);
        assert_eq!(answer["secret"]["secretValue"], kept, "{name}");
        assert_eq!(case.post(&path, &body).await.0, 400, "it exists");
    }
    let body = json!({"projectId": PROJECT, "environment": "prod", "secretPath": "/app", "secretValue": "v"});
    let (status, _) = case.post("/api/v4/secrets/a%3Ab", &body).await;
    assert_eq!(status, 422);
    let (status, _) = case
        .send("PATCH", "/api/v4/secrets/NEVER", Some(&body))
        .await;
    assert_eq!(status, 404);
    case.fake.model().behaviour.approval = true;
    let (status, answer) = case.send("PATCH", "/api/v4/secrets/A", Some(&body)).await;
    assert!(status == 200 && answer["approval"].is_object());
    let (_, answer) = case
        .get("/api/v4/secrets/A?projectId=p-1&environment=prod&secretPath=/app")
        .await;
    assert_eq!(answer["secret"]["secretValue"], "a");
}

#[tokio::test]
async fn a_batch_is_done_as_a_whole_or_not_at_all() {
    let case = Case::new().await;
    let batch = |mode: &str| {
        json!({
            "projectId": PROJECT, "environment": "prod", "secretPath": "/app", "mode": mode,
            "secrets": [{"secretKey": "A", "secretValue": "1"}, {"secretKey": "B", "secretValue": "2"}],
        })
    };
    let path = "/api/v4/secrets/batch";
    assert_eq!(
        case.send("PATCH", path, Some(&batch("failOnNotFound")))
            .await
            .0,
        404
    );
    let (status, answer) = case.send("PATCH", path, Some(&batch("ignore"))).await;
    assert_eq!((status, &answer["secrets"]), (200, &json!([])));
    case.fake.model().put((PROJECT, "prod", "/app"), "A", "0");
    assert_eq!(
        case.send("PATCH", path, Some(&batch("failOnNotFound")))
            .await
            .0,
        404
    );
    let list = case.get(LIST).await.1;
    assert_eq!(list["secrets"][0]["secretValue"], "0", "nothing was done");
    assert_eq!(
        case.send("PATCH", path, Some(&batch("upsert"))).await.0,
        200
    );
    assert_eq!(
        case.get(LIST).await.1["secrets"].as_array().unwrap().len(),
        2
    );
}

#[tokio::test]
async fn a_tag_belongs_to_its_parameters_and_dies_with_a_change() {
    let case = Case::new().await;
    case.fake.model().put((PROJECT, "prod", "/app"), "A", "1");
    let ask = async |path: &str, tag: Option<&str>| {
        let url = format!("{}{path}", case.fake.server().address());
        let mut request = case.client.get(url).bearer_auth(&case.token);
        if let Some(tag) = tag {
            request = request.header("if-none-match", tag);
        }
        let response = request.send().await.unwrap();
        let tag = response.headers()["etag"].to_str().unwrap().to_owned();
        (response.status().as_u16(), tag)
    };
    let (status, tag) = ask(LIST, None).await;
    assert_eq!(status, 200);
    assert_eq!(ask(LIST, Some(&tag)).await.0, 304);
    let other = format!("{LIST}&recursive=true");
    assert_eq!(ask(&other, Some(&tag)).await.0, 200);
    case.fake.model().put((PROJECT, "prod", "/app"), "A", "2");
    assert_eq!(ask(LIST, Some(&tag)).await.0, 200);
}

#[tokio::test]
async fn defaults_are_those_of_the_release() {
    let case = Case::new().await;
    {
        let mut model = case.fake.model();
        model.put((PROJECT, "prod", "/app"), "A", "${B}");
        model.put((PROJECT, "prod", "/app"), "B", "2");
    }
    let value = async || case.get(LIST).await.1["secrets"][0]["secretValue"].clone();
    assert_eq!(value().await, "2", "the newest expands by itself");
    case.fake.model().behaviour.old_spelling = true;
    assert_eq!(value().await, "${B}");
}
