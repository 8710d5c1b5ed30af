//! What the stand-in refuses; that it agrees with the official SDK is shown where that SDK runs.

use serde_json::{Value, json};

use super::organization::Organization;
use super::*;

struct Fixture {
    fake: FakeBitwardenSm,
    organization: Organization,
    project: String,
    token: String,
    http: reqwest::Client,
}

impl Fixture {
    async fn new() -> Self {
        let fake = FakeBitwardenSm::start(Listen::Http).await.unwrap();
        let (organization, project, token) = {
            let mut model = fake.model();
            let organization = Organization::found(&mut model).unwrap();
            let project = organization.project(&mut model, "shop").unwrap();
            let grant = Grant {
                read: true,
                write: false,
            };
            let grants = [(project.as_str(), grant)];
            let (_, token) = organization.machine(&mut model, &grants).unwrap();
            (organization, project, token)
        };
        let mut fixture = Self {
            fake,
            organization,
            project,
            token: String::new(),
            http: crate::test_client(),
        };
        let (status, body) = fixture.log_in(&token, "api.secrets").await;
        assert_eq!(status, 200, "{body}");
        body["access_token"]
            .as_str()
            .unwrap()
            .clone_into(&mut fixture.token);
        fixture
    }

    async fn log_in(&self, token: &str, scope: &str) -> (u16, Value) {
        let mut parts = token.split(['.', ':']).skip(1);
        let (id, secret) = (parts.next().unwrap(), parts.next().unwrap());
        let body = format!(
            "grant_type=client_credentials&scope={scope}&client_id={id}&client_secret={secret}"
        );
        let url = format!("{}/identity/connect/token", self.fake.server().address());
        let kind = "application/x-www-form-urlencoded";
        let request = self.http.post(url).header("content-type", kind).body(body);
        let response = request.send().await.unwrap();
        (
            response.status().as_u16(),
            response.json().await.unwrap_or_default(),
        )
    }

    async fn call(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let url = format!("{}/api{path}", self.fake.server().address());
        let request = self.http.request(method, url).bearer_auth(&self.token);
        let response = request.json(body).send().await.unwrap();
        (
            response.status().as_u16(),
            response.json().await.unwrap_or_default(),
        )
    }
}

#[tokio::test]
async fn a_login_needs_its_scope_and_a_living_token() {
    let fixture = Fixture::new().await;
    let token = {
        let mut model = fixture.fake.model();
        let machine = model.machines.keys().next().unwrap().clone();
        fixture
            .organization
            .token(&mut model, &machine, [7; 16])
            .unwrap()
    };
    let (status, body) = fixture.log_in(&token, "api").await;
    assert_eq!(
        (status, body["error"].as_str()),
        (400, Some("invalid_scope"))
    );
    for known in fixture.fake.model().access_tokens.values_mut() {
        known.revoked = true;
    }
    let (status, body) = fixture.log_in(&token, "api.secrets").await;
    assert_eq!(
        (status, body["error"].as_str()),
        (400, Some("invalid_client"))
    );
}

#[tokio::test]
async fn what_a_machine_account_may_not_see_or_write_is_not_there() {
    let fixture = Fixture::new().await;
    let (mine, theirs) = {
        let mut model = fixture.fake.model();
        let other = fixture.organization.project(&mut model, "other").unwrap();
        let put = |model: &mut Model, project: &str| {
            let texts = ("K", "v", "");
            fixture
                .organization
                .secret(model, Some(project), texts)
                .unwrap()
        };
        (put(&mut model, &fixture.project), put(&mut model, &other))
    };
    let (status, body) = fixture
        .call("GET", &format!("/secrets/{mine}"), &json!({}))
        .await;
    assert_eq!((status, body["object"].as_str()), (200, Some("secret")));
    let (status, _) = fixture
        .call("GET", &format!("/secrets/{theirs}"), &json!({}))
        .await;
    assert_eq!(status, 404);
    let both = json!({"ids": [mine, theirs]});
    let (status, _) = fixture.call("POST", "/secrets/get-by-ids", &both).await;
    assert_eq!(status, 404, "one that is missing hides all");
    let twice = json!({"ids": [mine, mine]});
    let (status, _) = fixture.call("POST", "/secrets/get-by-ids", &twice).await;
    assert_eq!(status, 400);
    let sealed = fixture.organization.key().seal("x").unwrap();
    let body = json!({"key": sealed, "value": sealed, "note": sealed, "projectIds": []});
    let (status, _) = fixture
        .call("PUT", &format!("/secrets/{mine}"), &body)
        .await;
    assert_eq!(status, 404, "it may only read");
}

#[tokio::test]
async fn a_sync_is_everything_or_nothing_and_never_from_the_future() {
    let fixture = Fixture::new().await;
    let organization = fixture.fake.model().organization.clone();
    let path = |date: &str| format!("/organizations/{organization}/secrets/sync{date}");
    let (_, body) = fixture.call("GET", &path(""), &json!({})).await;
    assert_eq!(body["hasChanges"], true);
    for machine in fixture.fake.model().machines.values_mut() {
        machine.revision = 0;
    }
    let past = path("?lastSyncedDate=2026-01-02T03:04:05Z");
    let (_, body) = fixture.call("GET", &past, &json!({})).await;
    assert_eq!(
        (&body["hasChanges"], &body["secrets"]),
        (&json!(false), &Value::Null)
    );
    let future = path("?lastSyncedDate=2999-01-02T03:04:05Z");
    assert_eq!(fixture.call("GET", &future, &json!({})).await.0, 400);
    let other = "/organizations/00000000-0000-4000-8000-000000000000/secrets/sync";
    assert_eq!(fixture.call("GET", other, &json!({})).await.0, 404);
}
