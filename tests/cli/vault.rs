//! With a real vault, and with one that dies in the middle.
#![expect(
    clippy::unwrap_used,
    reason = "support of tests: what is broken here ends the test"
)]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use penstock_testbed::{Failure, shared};

use super::stage::{Stage, literals, marker};

type Outcome = Result<(), Failure>;

/// A sync that reads `app` from the store `vault` at `address`, beside a literal.
fn documents(address: &str, authority: &str, on_unavailable: &str) -> String {
    let sync = literals(&[("FIXED", "x")], "").replace(
        "  targets:",
        &format!("  - {{name: vault, store: {{name: vault}}, path: cli/app, onUnavailable: {on_unavailable}}}\n  targets:"),
    );
    let bundle = if authority.is_empty() {
        String::new()
    } else {
        let lines = authority.trim_end().replace('\n', "\n        ");
        format!("      caBundle: |\n        {lines}\n")
    };
    format!(
        "{sync}---
apiVersion: penstock.dev/v1alpha1
kind: SecretStore
metadata: {{name: vault}}
spec:
  limits: {{timeout: 5s}}
  provider:
    vault:
      address: '{address}'
{bundle}      auth: {{token: {{secretRef: {{name: vault, key: token}}}}}}
"
    )
}

const SYNC: &str = "sync -f app.yaml -q --credential vault/token=env:VAULT_TOKEN";

#[tokio::test]
async fn a_vault_is_read_and_what_it_gave_stays_when_it_is_gone() -> Outcome {
    let testbed = match shared().await {
        Ok(testbed) => testbed,
        Err(error) if error.is_missing() => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let vault = testbed.openbao.client()?;
    vault
        .put_json(
            "secret",
            "cli/app",
            serde_json::json!({"TOKEN": marker("token")}),
        )
        .await?;
    vault
        .put_read_policy(
            "cli-app",
            &["secret/data/cli/app", "secret/metadata/cli/app"],
        )
        .await?;
    let token = vault.create_token(&["cli-app"], "1h", true).await?;
    let stage = Stage::new().with("VAULT_TOKEN", &token);
    let authority = testbed.openbao.certificate_authority();
    stage.file(
        "app.yaml",
        &documents(&testbed.openbao.address(), authority, "keepLast"),
    );
    let run = stage.penstock(SYNC).ended(0);
    assert!(
        !run.to_string().contains(&token),
        "the token is no better than a value"
    );
    assert!(stage.read("app.env").unwrap().contains(&marker("token")));
    let good = stage.files();

    // The vault is gone: what it gave stays, with one warning.
    let gone = closed_port();
    stage.file("app.yaml", &documents(&gone, "", "keepLast"));
    let run = stage.penstock(SYNC).ended(0);
    assert_eq!(run.stderr.matches("warning:").count(), 1, "{run}");
    stage.penstock(&format!("{SYNC} --strict")).ended(3);
    assert_eq!(stage.read("app.env").as_ref(), good.get("app.env"));
    Ok(())
}

#[tokio::test]
async fn the_login_of_one_store_may_lie_in_another() -> Outcome {
    let testbed = match shared().await {
        Ok(testbed) => testbed,
        Err(error) if error.is_missing() => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let vault = testbed.openbao.client()?;
    let paths = ["secret/data/cli-inner/*", "secret/metadata/cli-inner/*"];
    vault.put_read_policy("cli-inner", &paths).await?;
    let paths = ["secret/data/cli-outer/*", "secret/metadata/cli-outer/*"];
    vault.put_read_policy("cli-outer", &paths).await?;
    let inner = vault.create_token(&["cli-inner"], "1h", true).await?;
    let outer = vault.create_token(&["cli-outer"], "1h", true).await?;
    let login = serde_json::json!({"token": inner, "other": "x"});
    vault.put_json("secret", "cli-outer/login", login).await?;
    vault
        .put_json(
            "secret",
            "cli-inner/app",
            serde_json::json!({"TOKEN": marker("token")}),
        )
        .await?;
    let stage = Stage::new().with("OUTER", &outer);
    let authority = testbed.openbao.certificate_authority();
    let inner = documents(&testbed.openbao.address(), authority, "fail")
        .replace("cli/app", "cli-inner/app");
    let outer = documents(&testbed.openbao.address(), authority, "fail");
    let (_, outer) = outer.split_once("---").unwrap();
    let outer = outer.replace("name: vault", "name: outer");
    stage.file("app.yaml", &format!("{inner}---{outer}"));
    let login = "--credential outer/token=env:OUTER --credential vault/token=store:outer/cli-outer/login#token";
    stage
        .penstock(&format!("sync -f app.yaml -q {login}"))
        .ended(0);
    assert!(stage.read("app.env").unwrap().contains(&marker("token")));
    let run = stage.penstock(&format!(
        "plan -f app.yaml -q {}",
        login.replace("#token", "#missing")
    ));
    assert!(run.ended(1).stdout.contains("holds no such entry"));
    Ok(())
}

#[test]
fn a_vault_that_dies_in_the_middle_of_an_answer_changes_nothing() {
    for part in [
        "",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n{\"data\": {\"TOK",
    ] {
        let address = dying(part);
        let stage = Stage::new().with("VAULT_TOKEN", &marker("login"));
        stage.file("app.env", "");
        stage.file("app.yaml", &documents(&address, "", "fail"));
        let run = stage.penstock(SYNC).ended(1);
        assert!(run.stdout.contains("SourceUnavailable"), "{run}");
        assert_eq!(stage.read("app.env").as_deref(), Some(""));

        // The explicit fallback: what answered is written without it.
        let stage = Stage::new().with("VAULT_TOKEN", &marker("login"));
        stage.file("app.yaml", &documents(&address, "", "useOthers"));
        let run = stage.penstock(SYNC).ended(0);
        assert_eq!(run.stderr.matches("warning:").count(), 1, "{run}");
        assert!(stage.read("app.env").unwrap().contains("FIXED=x"));
    }
}

/// An address where nobody listens.
fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// The address of a server that answers every request with `part`, and then hangs up.
fn dying(part: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    // It ends with the process.
    drop(thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap(), part);
        }
    }));
    address
}

fn answer(mut stream: TcpStream, part: &str) {
    let mut request = [0; 4096];
    match stream.read(&mut request) {
        Ok(0) | Err(_) => {}
        Ok(_) => drop(stream.write_all(part.as_bytes())),
    }
}
