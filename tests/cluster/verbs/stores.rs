//! Verbs that look at stores and change them, on a real OpenBao.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;

use penstock_testbed::{Failure, Testbed, VaultClient};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::super::{Outcome, testbed};
use super::{MARKER, Told};

/// A folder with the document of a store, and a path of its own in it.
pub(super) struct Desk {
    vault: VaultClient,
    folder: TempDir,
    mount: String,
    path: String,
    token: String,
}

impl Desk {
    /// A store at `mount` whose token may do `capabilities` below the path.
    pub(super) async fn new(
        testbed: &Testbed,
        (mount, case): (&str, &str),
        capabilities: &[&str],
    ) -> Result<Self, Failure> {
        let vault = testbed.openbao.client()?;
        let name = format!("verbs-{case}");
        let rule = |path: &str| {
            let capabilities = json!(capabilities);
            format!("path \"{path}\" {{ capabilities = {capabilities} }}\n")
        };
        let rules = ["data", "metadata"]
            .map(|part| rule(&format!("{mount}/{part}/{name}/*")))
            .concat();
        let rules = rules
            + &rule(&format!("{mount}/{name}/*"))
            + &rule(&format!("{mount}/metadata/{name}"));
        vault
            .post(
                &format!("sys/policies/acl/{name}"),
                json!({"policy": rules}),
            )
            .await?;
        let desk = Self {
            token: vault.create_token(&[&name], "1h", true).await?,
            folder: TempDir::with_prefix("penstock-verbs-")?,
            mount: mount.to_owned(),
            path: name,
            vault,
        };
        let store = json!({
            "apiVersion": "penstock.dev/v1alpha1",
            "kind": "SecretStore",
            "metadata": {"name": "openbao"},
            "spec": {"provider": {"vault": {
                "address": testbed.openbao.address(),
                "mount": mount,
                "caBundle": testbed.openbao.certificate_authority(),
                "auth": {"token": {"secretRef": {"name": "vault", "key": "token"}}},
            }}},
        });
        fs::write(desk.at("store.yaml"), store.to_string())?;
        Ok(desk)
    }

    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn item(&self, name: &str) -> String {
        format!("{}/{name}", self.path)
    }

    pub(super) async fn put(&self, name: &str, fields: Value) -> Outcome {
        self.vault
            .put_json(&self.mount, &self.item(name), fields)
            .await?;
        Ok(())
    }

    /// The fields of an item as the vault has them.
    async fn fields(&self, name: &str) -> Result<Value, Failure> {
        let path = format!("{}/data/{}", self.mount, self.item(name));
        let answer = self.vault.ask(reqwest::Method::GET, &path, None).await?;
        Ok(answer["data"]["data"].clone())
    }

    /// Runs a verb with `input` on standard input; whoever does not say `--reveal` sees no value.
    pub(super) async fn penstock(&self, arguments: &[&str], input: &str) -> Result<Told, Failure> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_penstock"))
            .args(arguments)
            .args([
                "-f",
                "store.yaml",
                "--credential",
                "vault/token=env:VAULT_TOKEN",
            ])
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.at("home"))
            .env("VAULT_TOKEN", &self.token)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            let written = stdin.write_all(input.as_bytes()).await;
            // A verb that reads none of it may have closed the pipe.
            written.or_else(|error| match error.kind() {
                io::ErrorKind::BrokenPipe => Ok(()),
                _ => Err(error),
            })?;
        }
        let output = child.wait_with_output().await?;
        let told = Told {
            status: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout)?,
            err: String::from_utf8(output.stderr)?,
        };
        let shown = format!("{}{}", told.out, told.err);
        let revealed = arguments.contains(&"--reveal");
        assert!(revealed || !shown.contains(MARKER), "{told:#?}");
        assert!(!shown.contains(&self.token), "{told:#?}");
        Ok(told)
    }
}

pub(super) const ALL: &[&str] = &["create", "read", "update", "list"];

#[tokio::test]
async fn a_key_is_shown_and_set_and_everything_beside_it_stays() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let desk = Desk::new(testbed, ("secret", "set"), ALL).await?;
    let before = json!({"URL": "t0psecret-1", "PORT": 8080, "LIST": ["t0psecret-2", 1.50]});
    desk.put("shop", before).await?;
    let shop = desk.item("shop");
    desk.penstock(&["get", "openbao", &shop], "")
        .await?
        .expect(
            0,
            &[
                "version 1",
                "PORT  ***",
                "URL   ***",
                "connects to 127.0.0.1",
            ],
        )?;
    let folder = format!("{}/", desk.path);
    desk.penstock(&["get", "openbao", &folder, "-q"], "")
        .await?
        .expect(0, &["shop"])?;
    let told = desk
        .penstock(&["get", "openbao", &shop, "URL", "--reveal", "-q"], "")
        .await?;
    assert_eq!((told.status, told.out.as_str()), (0, "t0psecret-1"));

    desk.penstock(&["set", "openbao", &shop, "URL"], "t0psecret-3\n")
        .await?
        .expect(0, &["URL changed, 2 others kept"])?;
    let after = json!({"URL": "t0psecret-3", "PORT": 8080, "LIST": ["t0psecret-2", 1.50]});
    assert_eq!(desk.fields("shop").await?, after);
    desk.penstock(&["set", "openbao", &shop, "URL"], "t0psecret-3\n")
        .await?
        .expect(0, &["has this value already"])?;
    desk.penstock(&["get", "openbao", &shop], "")
        .await?
        .expect(0, &["version 2"])?;

    // What was deleted counts on: the next write is version 3, not the first.
    desk.vault.delete("secret", &shop).await?;
    desk.penstock(&["get", "openbao", &shop], "")
        .await?
        .expect(1, &["there is nothing"])?;
    desk.penstock(&["set", "openbao", &shop, "NEW"], "t0psecret-4\n")
        .await?
        .expect(0, &["NEW added, 0 others"])?;
    desk.penstock(&["get", "openbao", &shop], "")
        .await?
        .expect(0, &["version 3"])?;
    desk.penstock(&["get", "openboa", &shop], "")
        .await?
        .expect(1, &["Did you mean `openbao`?"])?;
    Ok(())
}

/// Everybody reads, then everybody writes: whoever comes too late is told, and tries again.
#[tokio::test]
async fn of_many_who_set_keys_at_the_same_time_nobody_loses_one() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let desk = Desk::new(testbed, ("secret", "race"), ALL).await?;
    let item = desk.item("shared");
    let keys = ["K1", "K2", "K3", "K4", "K5", "K6"];
    let set = async |key: &str| -> Result<(), Failure> {
        loop {
            let told = desk
                .penstock(&["set", "openbao", &item, key, "-q"], "t0psecret")
                .await?;
            if told.status == 0 {
                return Ok(());
            }
            told.expect(1, &["in the meantime"])?;
        }
    };
    let outcomes = futures::future::join_all(keys.map(&set)).await;
    outcomes.into_iter().collect::<Result<Vec<_>, _>>()?;
    let fields = desk.fields("shared").await?;
    let found: Vec<&str> = fields
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, _)| key.as_str())
        .collect();
    assert_eq!(found, keys);
    Ok(())
}

#[tokio::test]
async fn version_1_of_the_engine_is_changed_as_well_as_it_can_be() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let vault = testbed.openbao.client()?;
    vault.enable_kv("verbs-kv1", 1).await?;
    let desk = Desk::new(testbed, ("verbs-kv1", "kv1"), ALL).await?;
    let item = desk.item("shop");
    desk.penstock(&["set", "openbao", &item, "A"], "t0psecret-1\n")
        .await?
        .expect(0, &["A added"])?;
    desk.penstock(&["set", "openbao", &item, "B"], "-----BEGIN\nt0psecret\n")
        .await?
        .expect(0, &["1 others kept"])?;
    let told = desk
        .penstock(&["get", "openbao", &item, "B", "--reveal", "-q"], "")
        .await?;
    assert_eq!(told.out, "-----BEGIN\nt0psecret\n");
    desk.penstock(&["get", "openbao", &item], "")
        .await?
        .expect(0, &["A  ***", "B  ***"])
}

#[tokio::test]
async fn a_token_that_may_only_read_changes_nothing() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let desk = Desk::new(testbed, ("secret", "readonly"), &["read", "list"]).await?;
    desk.put("shop", json!({"A": "t0psecret-1"})).await?;
    let item = desk.item("shop");
    desk.penstock(&["set", "openbao", &item, "A"], "t0psecret-2\n")
        .await?
        .expect(
            1,
            &["the token may not write", "Grant `create` and `update`"],
        )?;
    assert_eq!(desk.fields("shop").await?, json!({"A": "t0psecret-1"}));
    Ok(())
}

#[tokio::test]
async fn what_a_sync_requires_is_made_once_and_never_overwritten() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let desk = Desk::new(testbed, ("secret", "init"), ALL).await?;
    desk.put("shop", json!({"goblin-URL": "t0psecret-1"}))
        .await?;
    let sync = json!({
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "SecretSync",
        "metadata": {"name": "shop"},
        "spec": {
            "sources": [{
                "name": "vault", "store": {"name": "openbao"}, "path": desk.item("shop"),
                "rename": {"stripPrefix": "goblin-"}, "require": ["URL", "JWT_SECRET"],
            }],
            "targets": [{"name": "env", "file": {"path": "app.env"}}],
        },
    });
    fs::write(desk.at("sync.yaml"), sync.to_string())?;
    let init = ["init", "openbao", "-f", "sync.yaml"];
    desk.penstock(&init, "").await?.expect(
        2,
        &["goblin-JWT_SECRET with empty values", "--yes makes it"],
    )?;
    let generate = ["init", "openbao", "-f", "sync.yaml", "--generate", "--yes"];
    desk.penstock(&generate, "")
        .await?
        .expect(0, &["made goblin-JWT_SECRET"])?;
    let made = desk.fields("shop").await?;
    assert_eq!(made["goblin-URL"], "t0psecret-1");
    assert_eq!(made["goblin-JWT_SECRET"].as_str().map(str::len), Some(43));
    desk.penstock(&generate, "")
        .await?
        .expect(0, &["Nothing is missing"])?;
    assert_eq!(desk.fields("shop").await?, made);
    Ok(())
}

#[tokio::test]
async fn secrets_of_an_env_file_move_into_the_vault_and_can_be_had_back() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let desk = Desk::new(testbed, ("secret", "import"), ALL).await?;
    desk.put("shop", json!({"THEIRS": "t0psecret-0"})).await?;
    let env =
        "# shop\nDB_PASSWORD='t0psecret-1'\nPORT=8080\nKEY=\"-----BEGIN\nt0psecret-2\n-----END\"\n";
    fs::write(desk.at(".env"), env)?;
    let item = desk.item("shop");
    let import = ["import", ".env", "--to", "openbao", &item];
    desk.penstock(&import, "")
        .await?
        .expect(1, &["nobody can be asked", "DB_PASSWORD, KEY, PORT"])?;
    let guess = ["import", ".env", "--to", "openbao", &item, "--guess"];
    desk.penstock(&guess, "")
        .await?
        .expect(2, &["move: DB_PASSWORD, KEY", "--yes moves it"])?;
    assert_eq!(fs::read_to_string(desk.at(".env"))?, env);

    let go = [
        "import", ".env", "--to", "openbao", &item, "--guess", "--yes",
    ];
    desk.penstock(&go, "")
        .await?
        .expect(0, &["2 keys are in", "To undo: cp"])?;
    assert_eq!(fs::read_to_string(desk.at(".env"))?, "# shop\nPORT=8080\n");
    let moved = json!({
        "THEIRS": "t0psecret-0", "DB_PASSWORD": "t0psecret-1", "KEY": "-----BEGIN\nt0psecret-2\n-----END",
    });
    assert_eq!(desk.fields("shop").await?, moved);
    let undo = desk.at("home/.local/state/penstock/undo/.env.1");
    assert_eq!(fs::read_to_string(undo)?, env);
    desk.penstock(&go, "").await?.expect(0, &["Nothing moves"])
}
