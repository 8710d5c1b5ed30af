//! The stand-in refuses what the real one refuses.

use serde_json::{Value, json};

use super::*;

const READER: &str = "reader@shop.iam.gserviceaccount.com";

struct Case {
    fake: FakeGcp,
    client: reqwest::Client,
    token: String,
}

type Answer = (u16, Value);

impl Case {
    async fn new() -> Self {
        let fake = FakeGcp::start(Listen::Http).await.unwrap();
        let token = {
            let mut model = fake.model();
            let grant = Grant {
                admin: true,
                ..Grant::default()
            };
            model.grants.insert(READER.to_owned(), grant);
            model.issue(READER)
        };
        let client = crate::test_client();
        Self {
            fake,
            client,
            token,
        }
    }

    async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let url = format!("{}/v1/projects/shop{path}", self.fake.server().address());
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

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, body).await
    }
}

fn word((status, body): &Answer) -> (u16, &str) {
    (
        *status,
        body["error"]["status"].as_str().unwrap_or_default(),
    )
}

#[tokio::test]
async fn ids_labels_payloads_and_checksums_have_rules() {
    let case = Case::new().await;
    let plain = json!({"replication": {"automatic": {}}});
    for id in ["", "a.b", "a%2Fb", &"x".repeat(256)] {
        let answer = case.post(&format!("/secrets?secretId={id}"), &plain).await;
        assert_eq!(word(&answer), (400, "INVALID_ARGUMENT"), "{id}");
    }
    assert_eq!(case.post("/secrets?secretId=a", &plain).await.0, 200);
    assert_eq!(
        word(&case.post("/secrets?secretId=a", &plain).await),
        (409, "ALREADY_EXISTS")
    );
    assert_eq!(
        word(&case.post("/secrets?secretId=b", &json!({})).await).0,
        400
    );
    let upper = json!({"replication": {"automatic": {}}, "labels": {"Env": "x"}});
    assert_eq!(case.post("/secrets?secretId=b", &upper).await.0, 400);
    for (payload, status) in [
        (json!({"data": "aGVsbG8=", "dataCrc32c": "2591144780"}), 200),
        (
            json!({"data": "aGVsbG8=", "dataCrc32c": 2_591_144_780_i64}),
            200,
        ),
        (json!({"data": "aGVsbG8=", "dataCrc32c": "2591144781"}), 400),
        (json!({"data": "%"}), 400),
        (json!({"data": ""}), 400),
    ] {
        let answer = case
            .post("/secrets/a:addVersion", &json!({"payload": payload}))
            .await;
        assert_eq!(answer.0, status, "{payload}");
    }
    let (_, body) = case.get("/secrets/a/versions/latest:access").await;
    assert_eq!(
        body,
        json!({
            "name": "projects/123456789012/secrets/a/versions/2",
            "payload": {"data": "aGVsbG8=", "dataCrc32c": "2591144780"},
        })
    );
}

#[tokio::test]
async fn versions_have_states_and_the_newest_is_latest_in_any() {
    let case = Case::new().await;
    let place = Place::global("shop");
    for value in ["one", "two"] {
        case.fake.model().put(&place, "a", value);
    }
    assert_eq!(
        case.post("/secrets/a/versions/2:disable", &json!({}))
            .await
            .0,
        200
    );
    let latest = case.get("/secrets/a/versions/latest:access").await;
    assert_eq!(word(&latest), (400, "FAILED_PRECONDITION"));
    assert_eq!(case.get("/secrets/a/versions/1:access").await.0, 200);
    assert_eq!(
        case.post("/secrets/a/versions/2:destroy", &json!({}))
            .await
            .0,
        200
    );
    let enabled = case.post("/secrets/a/versions/2:enable", &json!({})).await;
    assert_eq!(word(&enabled), (400, "FAILED_PRECONDITION"));
    let third = case.get("/secrets/a/versions/3:access").await;
    assert_eq!(word(&third), (404, "NOT_FOUND"));
}

#[tokio::test]
async fn an_etag_must_match_and_regions_are_apart() {
    let case = Case::new().await;
    case.fake.model().put(&Place::global("shop"), "a", "x");
    let (_, shown) = case.get("/secrets/a").await;
    let labels = json!({"labels": {"env": "prod"}, "etag": shown["etag"]});
    let path = "/secrets/a?updateMask=labels";
    assert_eq!(case.send("PATCH", path, &labels).await.0, 200);
    let stale = case.send("PATCH", path, &labels).await;
    assert_eq!(word(&stale), (400, "FAILED_PRECONDITION"));
    assert_eq!(case.get("/locations/europe-west3/secrets/a").await.0, 404);
    let (_, listed) = case.get("/secrets?filter=labels.env%3Dprod").await;
    assert_eq!(listed["secrets"].as_array().map(Vec::len), Some(1));
    let (_, listed) = case.get("/secrets?filter=labels.env%3Ddev").await;
    assert_eq!(listed, json!({}));
}

#[tokio::test]
async fn nobody_without_a_token_or_a_grant_reads() {
    let mut case = Case::new().await;
    case.fake.model().put(&Place::global("shop"), "a", "x");
    case.fake.model().grants.clear();
    let access = "/secrets/a/versions/1:access";
    assert_eq!(word(&case.get(access).await), (403, "PERMISSION_DENIED"));
    assert_eq!(
        word(&case.get("/secrets").await),
        (403, "PERMISSION_DENIED")
    );
    case.token = "other".to_owned();
    assert_eq!(word(&case.get(access).await), (401, "UNAUTHENTICATED"));
}

#[test]
fn moments_are_written_as_dates() {
    for (seconds, date) in [
        (0, "1970-01-01T00:00:00Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (1_767_225_599, "2025-12-31T23:59:59Z"),
    ] {
        assert_eq!(login::rfc3339(seconds), date);
    }
    assert_eq!(checksum::crc32c(b"123456789"), 3_808_858_755);
}
