//! What the stand-in refuses; that it agrees with a real client is shown where that client runs.

use serde_json::{Value, json};

use super::owner::{Owner, Plain};
use super::*;
use crate::sealing::Kdf;

struct Fixture {
    fake: FakeBitwarden,
    owner: Owner,
    http: reqwest::Client,
}

impl Fixture {
    async fn new() -> Self {
        let fake = FakeBitwarden::start(Listen::Http).await.unwrap();
        let known = ("a@b.test", "pass word");
        let owner = Owner::sign_up(&mut fake.model(), known, Kdf::Pbkdf2(5000), "secret").unwrap();
        Self {
            fake,
            owner,
            http: crate::test_client(),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.fake.server().address())
    }

    async fn log_in(&self, change: impl Fn(&mut Vec<(String, String)>)) -> (u16, Value) {
        let id = format!("user.{}", self.owner.id);
        let mut form: Vec<_> = [
            ("grant_type", "client_credentials"),
            ("scope", "api"),
            ("client_id", id.as_str()),
            ("client_secret", "secret"),
            ("deviceType", "8"),
            ("deviceIdentifier", "d"),
            ("deviceName", "n"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        change(&mut form);
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&form)
            .finish();
        let request = self.http.post(self.url("/identity/connect/token"));
        let kind = "application/x-www-form-urlencoded";
        let response = request
            .header("content-type", kind)
            .body(body)
            .send()
            .await
            .unwrap();
        (
            response.status().as_u16(),
            response.json().await.unwrap_or_default(),
        )
    }

    async fn token(&self) -> String {
        let (status, body) = self.log_in(|_| ()).await;
        assert_eq!(status, 200, "{body}");
        body["access_token"].as_str().unwrap().to_owned()
    }

    async fn call(&self, method: &str, path: &str, token: &str, body: &Value) -> (u16, Value) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.http.request(method, self.url(path)).bearer_auth(token);
        let response = request.json(body).send().await.unwrap();
        (
            response.status().as_u16(),
            response.json().await.unwrap_or_default(),
        )
    }
}

#[tokio::test]
async fn a_login_is_refused_as_each_server_refuses_it() {
    let fixture = Fixture::new().await;
    let set = |name: &'static str, value: &'static str| {
        move |form: &mut Vec<(String, String)>| {
            for (known, old) in form.iter_mut() {
                if known == name {
                    value.clone_into(old);
                }
            }
        }
    };
    let (status, body) = fixture.log_in(set("client_secret", "wrong")).await;
    assert_eq!(
        (status, body["error"].as_str()),
        (400, Some("invalid_client"))
    );
    let (_, body) = fixture.log_in(set("scope", "api.secrets")).await;
    assert_eq!(body["error"], "invalid_scope");
    let (_, body) = fixture.log_in(set("client_id", "organization.1")).await;
    assert_eq!(body["error"], "invalid_client");
    fixture.fake.model().behaviour.flavour = Flavour::Vaultwarden;
    let (status, body) = fixture.log_in(set("client_secret", "wrong")).await;
    assert_eq!((status, body["error"].as_str()), (400, Some("")));
    assert_eq!(body["errorModel"]["object"], "error");
    let (status, body) = fixture.log_in(set("deviceIdentifier", "")).await;
    assert_eq!((status, body["error"].as_str()), (400, Some("")));
    fixture.fake.model().behaviour.two_factor = true;
    let (_, body) = fixture.log_in(|_| ()).await;
    assert_eq!(body["error"], "invalid_grant");
}

#[tokio::test]
async fn the_eleventh_login_of_a_minute_is_throttled() {
    let fixture = Fixture::new().await;
    for _ in 0..10 {
        fixture.token().await;
    }
    let (status, body) = fixture.log_in(|_| ()).await;
    assert_eq!((status, body["object"].as_str()), (429, Some("error")));
}

#[tokio::test]
async fn items_are_taken_only_as_ciphertext_and_on_what_is_there() {
    let fixture = Fixture::new().await;
    let token = fixture.token().await;
    let key = &fixture.owner.key;
    let plain = Plain::Login(None, "x");
    let mut item = Value::Object(owner::members(key, "n", plain).unwrap());
    let (status, made) = fixture.call("POST", "/api/ciphers", &token, &item).await;
    assert_eq!(status, 200, "{made}");
    let path = format!("/api/ciphers/{}", made["id"].as_str().unwrap());
    for (name, value) in [
        ("name", json!("clear")),
        ("notes", json!(key.seal("x".repeat(9000)).unwrap())),
        ("type", json!(99)),
    ] {
        let mut bad = item.clone();
        bad[name] = value;
        let (status, body) = fixture.call("PUT", &path, &token, &bad).await;
        assert_eq!(status, 400, "{name}");
        assert!(body["validationErrors"].is_object(), "{name}");
    }
    item["lastKnownRevisionDate"] = json!("2020-01-02T03:04:05Z");
    let (status, body) = fixture.call("PUT", &path, &token, &item).await;
    assert_eq!(status, 400);
    assert!(body["message"].as_str().unwrap().contains("out of date"));
    item["lastKnownRevisionDate"] = made["revisionDate"].clone();
    let (status, _) = fixture.call("PUT", &path, &token, &item).await;
    assert_eq!(status, 200);
    let (status, _) = fixture
        .call("GET", "/api/ciphers/none", &token, &json!({}))
        .await;
    assert_eq!(status, 404);
    let (status, _) = fixture.call("GET", "/api/sync", "none", &json!({})).await;
    assert_eq!(status, 401);
}

#[tokio::test]
async fn an_account_sees_its_own_and_its_organisations() {
    let fixture = Fixture::new().await;
    {
        let mut model = fixture.fake.model();
        let known = ("c@d.test", "pass word");
        let other = Owner::sign_up(&mut model, known, Kdf::Pbkdf2(5000), "s").unwrap();
        other
            .put(&mut model, None, "theirs", Plain::Note("x"))
            .unwrap();
        fixture
            .owner
            .put(&mut model, None, "mine", Plain::Note("x"))
            .unwrap();
    }
    let token = fixture.token().await;
    let (status, body) = fixture.call("GET", "/api/sync", &token, &json!({})).await;
    assert_eq!(status, 200);
    assert_eq!(body["ciphers"].as_array().unwrap().len(), 1);
}
