//! The stand-in refuses what the real one refuses.

use serde_json::{Value, json};

use super::*;

struct Case {
    fake: FakeAzure,
    client: reqwest::Client,
    token: String,
}

type Answer = (u16, Value);

impl Case {
    async fn new() -> Self {
        let fake = FakeAzure::start(Listen::Http).await.unwrap();
        let token = {
            let mut model = fake.model();
            let rights = Rights {
                get: true,
                list: true,
                set: true,
            };
            model.rights.insert("c-1".to_owned(), rights);
            model.issue("c-1")
        };
        let client = crate::test_client();
        Self {
            fake,
            client,
            token,
        }
    }

    async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            let mark = if path.contains('?') { '&' } else { '?' };
            format!(
                "{}{path}{mark}api-version=7.4",
                self.fake.server().address()
            )
        };
        let method = http::Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.client.request(method, url).bearer_auth(&self.token);
        let response = request.body(body.to_string()).send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &json!({})).await
    }
}

fn code((status, body): &Answer) -> (u16, &str) {
    let error = &body["error"];
    let inner = error["innererror"]["code"].as_str();
    (
        *status,
        inner.or(error["code"].as_str()).unwrap_or_default(),
    )
}

#[tokio::test]
async fn names_values_and_tags_have_rules() {
    let case = Case::new().await;
    let value = json!({"value": "x"});
    for name in ["a_b", "a.b", &"x".repeat(128)] {
        let path = format!("/secrets/{name}");
        let answer = case.send("PUT", &path, &value).await;
        assert_eq!(code(&answer), (400, "BadParameter"), "{name}");
    }
    let large = json!({"value": "x".repeat(25 * 1024 + 1)});
    assert_eq!(case.send("PUT", "/secrets/a", &large).await.0, 400);
    let tags: serde_json::Map<_, _> = (0..16).map(|n| (n.to_string(), json!(""))).collect();
    let tagged = json!({"value": "x", "tags": tags});
    assert_eq!(case.send("PUT", "/secrets/a", &tagged).await.0, 400);
    assert_eq!(case.send("PUT", "/secrets/DB-URL", &value).await.0, 200);
    let (status, read) = case.get("/secrets/db-url").await;
    assert_eq!((status, &read["value"]), (200, &json!("x")));
    assert!(read["id"].as_str().unwrap().contains("/secrets/DB-URL/"));
    assert_eq!(
        code(&case.get("/secrets/other").await),
        (404, "SecretNotFound")
    );
}

#[tokio::test]
async fn a_disabled_secret_is_not_read_and_an_expired_one_is() {
    let case = Case::new().await;
    case.fake.model().put("a", "x").enabled = false;
    case.fake.model().put("b", "x").expires = Some(1);
    assert_eq!(code(&case.get("/secrets/a").await), (403, "SecretDisabled"));
    assert_eq!(case.get("/secrets/b").await.0, 200);
}

#[tokio::test]
async fn pages_follow_their_links() {
    let case = Case::new().await;
    for number in 0..30 {
        case.fake.model().put(&format!("s-{number:02}"), "x");
    }
    let (_, first) = case.get("/secrets?maxresults=25").await;
    assert_eq!(first["value"].as_array().map(Vec::len), Some(25));
    let (_, second) = case.get(first["nextLink"].as_str().unwrap()).await;
    assert_eq!(second["value"].as_array().map(Vec::len), Some(5));
    assert_eq!(second["nextLink"], Value::Null);
    assert_eq!(case.get("/secrets?maxresults=26").await.0, 400);
    assert_eq!(case.get("/secrets?$skiptoken=x").await.0, 400);
}

#[tokio::test]
async fn a_deleted_secret_keeps_its_name_for_a_while() {
    let case = Case::new().await;
    let value = json!({"value": "x"});
    case.fake.model().put("a", "x");
    assert_eq!(case.send("DELETE", "/secrets/a", &json!({})).await.0, 200);
    let put = case.send("PUT", "/secrets/a", &value).await;
    assert_eq!(code(&put), (409, "ObjectIsBeingDeleted"));
    assert_eq!(case.get("/deletedsecrets/a").await.0, 404);
    assert_eq!(case.get("/deletedsecrets/a").await.0, 200);
    let put = case.send("PUT", "/secrets/a", &value).await;
    assert_eq!(code(&put), (409, "ObjectIsDeletedButRecoverable"));
    let recover = "/deletedsecrets/a/recover";
    assert_eq!(case.send("POST", recover, &json!({})).await.0, 200);
    assert_eq!(case.get("/secrets/a").await.0, 200);
}

#[tokio::test]
async fn nobody_without_a_token_or_a_right_reads() {
    let mut case = Case::new().await;
    case.fake.model().put("a", "x");
    case.fake.model().rights.clear();
    assert_eq!(
        code(&case.get("/secrets/a").await),
        (403, "ForbiddenByRbac")
    );
    assert_eq!(code(&case.get("/secrets").await), (403, "ForbiddenByRbac"));
    case.token = "other".to_owned();
    assert_eq!(code(&case.get("/secrets/a").await), (401, "Unauthorized"));
}
