//! Checks that ask over the network.

use std::collections::BTreeMap;
use std::time::Duration;

use penstock_domain::api::canary::Scheme;
use penstock_domain::canary::{CanaryCheck, CheckQuestion, CheckVerdict, NumberCondition, Trial};
use penstock_domain::names::{Key, ObjectName};
use penstock_domain::ports::Canaries as _;
use penstock_testbed::{Failure, POD_ADDRESS};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{Corner, Outcome};

/// A server that says the same to everybody, and what it was asked first.
struct Server {
    port: u16,
    asked: tokio::sync::mpsc::UnboundedReceiver<String>,
}

impl Server {
    async fn new(status: u16, body: &str) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let answer = format!(
            "HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        let (tell, asked) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut bytes = vec![0; 16 * 1024];
                let count = stream.read(&mut bytes).await.unwrap_or(0);
                bytes.truncate(count);
                drop(tell.send(String::from_utf8_lossy(&bytes).into_owned()));
                drop(stream.write_all(answer.as_bytes()).await);
            }
        });
        Ok(Self { port, asked })
    }

    async fn was_asked(&mut self) -> String {
        self.asked.recv().await.unwrap_or_default()
    }
}

async fn ask(corner: &Corner, trial: &Trial, asks: CheckQuestion) -> Result<CheckVerdict, Failure> {
    let check = CanaryCheck {
        name: "one".to_owned(),
        asks,
        every: Duration::from_secs(1),
        failure_limit: 0,
        timeout: Duration::from_secs(20),
    };
    Ok(corner.canaries.check(&corner.sync, trial, &check).await?)
}

#[tokio::test]
async fn a_port_of_the_pod_is_asked_at_its_own_address() -> Outcome {
    let Some(corner) = Corner::new().await? else {
        return Ok(());
    };
    let at = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"n": "web"}},
            "template": {"metadata": {"labels": {"n": "web"}, "annotations": {POD_ADDRESS: "127.0.0.1"}},
                "spec": {"containers": [{"name": "app", "image": "any", "envFrom": [{"secretRef": {"name": "env"}}]}]}}}});
    corner.namespace.apply(&at.to_string()).await?;
    let kind = penstock_domain::sync::WorkloadKind::Deployment;
    let trial = corner.trial_of(kind, "web", "good").await?;
    let pod_http = |port, path: &str| CheckQuestion::PodHttp {
        port,
        path: path.to_owned(),
        scheme: Scheme::Http,
        headers: BTreeMap::from([("x-probe".to_owned(), "1".to_owned().into())]),
        expect_status: Vec::new(),
    };
    let early = ask(&corner, &trial, pod_http(1, "/")).await?;
    assert!(matches!(early, CheckVerdict::Inconclusive(_)), "{early:?}");
    corner.start(&trial).await?;
    let ready = corner.sees(&trial, "the canary is ready", |view| {
        view.pods.iter().any(|pod| pod.ready_since.is_some())
    });
    ready.await?;
    let mut good = Server::new(204, "").await?;
    let verdict = ask(&corner, &trial, pod_http(good.port, "/healthz?full=1")).await?;
    assert_eq!(verdict, CheckVerdict::Passed);
    let asked = good.was_asked().await;
    assert!(
        asked.starts_with("GET /healthz?full=1 ") && asked.contains("x-probe: 1"),
        "{asked}"
    );
    let bad = Server::new(500, "hunter2").await?;
    let verdict = ask(&corner, &trial, pod_http(bad.port, "/")).await?;
    assert_eq!(
        verdict,
        CheckVerdict::Failed("127.0.0.1 answered 500".to_owned())
    );
    let nobody = penstock_testbed::free_port()?;
    let verdict = ask(&corner, &trial, pod_http(nobody, "/")).await?;
    assert!(
        matches!(verdict, CheckVerdict::Inconclusive(_)),
        "{verdict:?}"
    );
    Ok(())
}

#[tokio::test]
async fn prometheus_and_webhooks_are_asked_with_what_the_namespace_gives() -> Outcome {
    let Some(corner) = Corner::new().await? else {
        return Ok(());
    };
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "monitoring"},
        "stringData": {"header": "Bearer t0ken\n"}});
    corner.namespace.apply(&secret.to_string()).await?;
    let trial = corner.trial("good").await?;
    let authorization = |key: &str| -> Result<_, Failure> {
        Ok(Some((ObjectName::new("monitoring")?, Key::new(key)?)))
    };
    let body = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"0.01"]}]}}"#;
    let mut server = Server::new(200, body).await?;
    let address = format!("http://127.0.0.1:{}/prometheus", server.port);
    let query = |key: &str| -> Result<_, Failure> {
        Ok(CheckQuestion::Prometheus {
            address: address.clone(),
            query: "sum(rate(errors{namespace=\"{{ namespace }}\"}[1m]))".to_owned(),
            condition: NumberCondition::parse("result.all(x, x < 0.05)")
                .ok_or_else(|| Failure::because("no condition"))?,
            authorization: authorization(key)?,
        })
    };
    assert_eq!(
        ask(&corner, &trial, query("header")?).await?,
        CheckVerdict::Passed
    );
    let asked = server.was_asked().await;
    assert!(
        asked.starts_with("GET /prometheus/api/v1/query?query=sum%28rate%28"),
        "{asked}"
    );
    assert!(
        asked.contains(corner.namespace.name())
            && asked.contains("authorization: Bearer t0ken\r\n"),
        "{asked}"
    );
    let without = ask(&corner, &trial, query("nope")?).await?;
    assert!(
        matches!(&without, CheckVerdict::Inconclusive(why) if why.contains("nope")),
        "{without:?}"
    );

    let mut no = Server::new(422, "hunter2").await?;
    let webhook = CheckQuestion::Webhook {
        url: format!("http://127.0.0.1:{}/verdict", no.port),
        method: penstock_domain::api::then::HttpMethod::Post,
        headers: BTreeMap::new(),
        authorization: None,
        body: None,
    };
    let verdict = ask(&corner, &trial, webhook).await?;
    assert_eq!(
        verdict,
        CheckVerdict::Failed("127.0.0.1 answered 422".to_owned())
    );
    let asked = no.was_asked().await;
    assert!(
        asked.starts_with("POST /verdict ") && asked.contains("\"name\":\"shop\""),
        "{asked}"
    );

    let private = CheckQuestion::Url {
        url: "https://10.0.0.1/".to_owned(),
        expect_status: Vec::new(),
    };
    let verdict = ask(&corner, &trial, private).await?;
    assert!(
        matches!(&verdict, CheckVerdict::Inconclusive(why) if why.contains("private")),
        "{verdict:?}"
    );
    Ok(())
}
