//! Verbs that work from documents, on targets in a cluster.

use std::path::{Path, PathBuf};

use penstock_testbed::Failure;
use tempfile::TempDir;
use tokio::process::Command;

use super::super::Outcome;
use super::super::stage::{Stage, Usage, on_shared_stage};
use super::{MARKER, Told};

/// A folder of documents, beside a cluster.
struct Desk<'a> {
    stage: &'a Stage,
    folder: TempDir,
}

impl<'a> Desk<'a> {
    fn new(stage: &'a Stage) -> Result<Self, Failure> {
        let folder = TempDir::new()?;
        Ok(Self { stage, folder })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes the document of a sync `name` of literals into the Secret of that name.
    fn write(&self, name: &str, values: &[(&str, &str)]) -> Outcome {
        std::fs::write(self.path().join("sync.yaml"), document(name, values))?;
        Ok(())
    }

    /// Runs `penstock VERB -f .` with more arguments.
    async fn penstock(&self, verb: &str, more: &[&str]) -> Result<Told, Failure> {
        let kubeconfig: PathBuf = self.stage.control_plane().kubeconfig();
        let output = Command::new(env!("CARGO_BIN_EXE_penstock"))
            .args([verb, "-q", "-f", "."])
            .args(["--namespace", self.stage.namespace().name()])
            .args(more)
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.path().join("home"))
            .stdin(std::process::Stdio::null())
            .output()
            .await?;
        let told = Told {
            status: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout)?,
            err: String::from_utf8(output.stderr)?,
        };
        let shown = told.out.contains(MARKER) || told.err.contains(MARKER);
        assert!(!shown, "{told:#?}");
        Ok(told)
    }
}

fn document(name: &str, values: &[(&str, &str)]) -> String {
    let values: Vec<String> = values
        .iter()
        .map(|(key, value)| format!("{key}: {value}"))
        .collect();
    format!(
        "apiVersion: penstock.dev/v1alpha1
kind: SecretSync
metadata: {{name: {name}}}
spec:
  sources: [{{name: fixed, literal: {{{}}}}}]
  targets: [{{name: env, secret: {{}}}}]
",
        values.join(", ")
    )
}

#[tokio::test]
async fn a_secret_is_written_from_documents_and_its_workloads_restart_once() -> Outcome {
    on_shared_stage(async |stage| {
        let desk = Desk::new(stage)?;
        desk.write("desk-write", &[("A", "t0psecret-1"), ("B", "t0psecret-2")])?;
        desk.penstock("plan", &[])
            .await?
            .expect(2, &["2 to create"])?;
        assert!(stage.find_secret("desk-write").await?.is_none());
        desk.penstock("sync", &[])
            .await?
            .expect(0, &["Secret desk-write written"])?;
        assert_eq!(stage.secret("desk-write").await?["A"], "t0psecret-1");
        desk.penstock("plan", &[])
            .await?
            .expect(0, &["nothing to do"])?;

        stage
            .deploy("desk-user", &[Usage::EnvFrom("desk-write")])
            .await?;
        stage.started_before_now("desk-user").await?;
        let before = stage.restarts("desk-user").await?;
        desk.write("desk-write", &[("A", "t0psecret-3"), ("B", "t0psecret-2")])?;
        let plan = desk.penstock("plan", &[]).await?;
        plan.expect(2, &["1 to update", "would restart Deployment desk-user"])?;
        desk.penstock("sync", &[])
            .await?
            .expect(0, &["restarted Deployment desk-user"])?;
        stage.await_restarts("desk-user", before + 1).await?;
        desk.penstock("plan", &[])
            .await?
            .expect(0, &["nothing to do"])?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_a_live_operator_owns_is_planned_and_left_alone_until_it_is_suspended() -> Outcome {
    on_shared_stage(async |stage| {
        let desk = Desk::new(stage)?;
        desk.write("desk-live", &[("A", "t0psecret-1"), ("B", "t0psecret-2")])?;
        stage
            .apply(&document(
                "desk-live",
                &[("A", "t0psecret-1"), ("B", "t0psecret-2")],
            ))
            .await?;
        stage.is_synced("desk-live").await?;

        // Without the operator's key: contents are compared, and what only its record knows is said to be unknown.
        let same = desk.penstock("plan", &[]).await?;
        same.expect(
            0,
            &["nothing to do", "sealed under another installation key"],
        )?;
        desk.write("desk-live", &[("A", "t0psecret-9"), ("B", "t0psecret-2")])?;
        let plan = desk.penstock("plan", &[]).await?;
        plan.expect(2, &["1 to update, 1 unchanged"])?;
        desk.penstock("sync", &[]).await?.expect(1, &["owned by"])?;

        // With it: the operator's own plan, and still nothing is written while it lives.
        let operator = stage.operator_namespace().name().to_owned();
        let key = ["--key", "cluster", "--operator-namespace", &operator];
        desk.penstock("plan", &key)
            .await?
            .expect(2, &["1 to update, 1 unchanged"])?;
        let refused = desk.penstock("sync", &key).await?;
        refused.expect(1, &["lives in the cluster", "suspend it first"])?;
        assert_eq!(stage.secret("desk-live").await?["A"], "t0psecret-1");

        let suspend = serde_json::json!({"spec": {"suspend": true}});
        stage.patch_sync("desk-live", suspend).await?;
        desk.penstock("sync", &key)
            .await?
            .expect(0, &["Secret desk-live written"])?;
        assert_eq!(stage.secret("desk-live").await?["A"], "t0psecret-9");
        Ok(())
    })
    .await
}
