//! Verbs that act on SecretSyncs.

use std::path::PathBuf;

use penstock_testbed::{Failure, ServiceAccountName};
use serde_json::Value;

use super::super::Outcome;
use super::super::stage::{Stage, on_shared_stage};
use super::{Told, penstock};

const COPY: &str = "
sources: [{name: vault, store: {name: vault}, path: $apps/$case}]
targets: [{name: env, secret: {}}]
";

const EIGHT: &[(&str, &str)] = &[
    ("K1", "t0psecret-1"),
    ("K2", "t0psecret-2"),
    ("K3", "t0psecret-3"),
    ("K4", "t0psecret-4"),
    ("K5", "t0psecret-5"),
    ("K6", "t0psecret-6"),
    ("K7", "t0psecret-7"),
    ("K8", "t0psecret-8"),
];

async fn synced(stage: &Stage, case: &str, fields: &[(&str, &str)]) -> Outcome {
    stage.put(case, fields).await?;
    stage.sync(case, &COPY.replace("$case", case)).await?;
    stage.is_synced(case).await
}

/// Runs a verb as the administrator.
async fn admin(stage: &Stage, arguments: &[&str]) -> Result<Told, Failure> {
    let kubeconfig = stage.control_plane().kubeconfig();
    penstock(&kubeconfig, stage.namespace().name(), arguments).await
}

/// The kubeconfig of somebody who may look at and change SecretSyncs, and has no right to approve.
async fn editor(stage: &Stage) -> Result<PathBuf, Failure> {
    let name = "verbs-editor";
    stage
        .apply(&format!(
            "
apiVersion: v1
kind: ServiceAccount
metadata: {{name: {name}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: {name}}}
rules:
- {{apiGroups: [penstock.dev], resources: [secretsyncs], verbs: [get, list, patch]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: {name}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: {name}}}
subjects: [{{kind: ServiceAccount, name: {name}, namespace: $namespace}}]
"
        ))
        .await?;
    let namespace = stage.namespace().name();
    let account = ServiceAccountName::new(namespace, name);
    let token = account.token(stage.client(), &[]).await?;
    let path = stage
        .testbed()
        .keeper
        .directory()
        .join(format!("{namespace}-{name}.kubeconfig"));
    let endpoint = stage.control_plane().endpoint();
    endpoint.kubeconfig(&token, Some(namespace)).write(&path)?;
    Ok(path)
}

#[tokio::test]
async fn a_refresh_brings_news_at_once_and_status_tells_that_all_is_well() -> Outcome {
    on_shared_stage(async |stage| {
        synced(stage, "verb-refresh", &[("A", "t0psecret-1")]).await?;
        admin(stage, &["status", "verb-refresh"])
            .await?
            .expect(0, &["verb-refresh", "ready", "Synced", "1/1"])?;
        stage.put("verb-refresh", &[("A", "t0psecret-2")]).await?;
        admin(stage, &["refresh", "verb-refresh", "--wait"])
            .await?
            .expect(0, &["/verb-refresh: ready (Synced), 1/1 targets"])?;
        assert_eq!(stage.secret("verb-refresh").await?["A"], "t0psecret-2");
        let revision = stage
            .status("verb-refresh")
            .await?
            .revision
            .unwrap_or_default();
        admin(stage, &["history", "verb-refresh"])
            .await?
            .expect(0, &[&revision, "in use", "penstock-record-verb-refresh"])?;
        admin(stage, &["explain", "verb-refresh"]).await?.expect(
            0,
            &[
                "is ready",
                "vault: Ready",
                "env: Synced, 1 key",
                "What was told last",
            ],
        )?;
        let told = admin(stage, &["status", "verb-refresh", "--output", "json"]).await?;
        let page: Value = serde_json::from_str(&told.out)?;
        assert_eq!(page["syncs"][0]["ready"], true, "{page}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_plan_is_approved_by_hash_by_those_who_may_and_only_while_it_is_the_one() -> Outcome {
    on_shared_stage(async |stage| {
        const CASE: &str = "verb-approve";
        synced(stage, CASE, EIGHT).await?;
        admin(stage, &["approve", CASE, "0000000000000000"])
            .await?
            .expect(1, &["no plan of it waits"])?;
        let half = EIGHT.get(..3).unwrap_or_default();
        stage.put(CASE, half).await?;
        stage.refresh(CASE).await?;
        stage
            .await_condition(CASE, ("Ready", "False"), "ApprovalRequired")
            .await?;
        let pending = stage.status(CASE).await?.pending_plan;
        let hash = pending.map(|pending| pending.hash).unwrap_or_default();

        admin(stage, &["status", CASE]).await?.expect(
            2,
            &["not ready", &format!("a person to approve plan {hash}")],
        )?;
        admin(stage, &["explain", CASE]).await?.expect(
            0,
            &[
                "K4, K5, K6, K7, K8",
                &format!("penstock approve {CASE} {hash}"),
            ],
        )?;
        // Nobody is there to be asked, another plan is not this one, and not everybody may.
        admin(stage, &["approve", CASE])
            .await?
            .expect(1, &["nobody can be asked", &hash])?;
        admin(stage, &["approve", CASE, "0000000000000000"])
            .await?
            .expect(1, &["another one by now", &hash])?;
        let editor = editor(stage).await?;
        penstock(&editor, stage.namespace().name(), &["approve", CASE, &hash])
            .await?
            .expect(1, &["would lose K4", "forbids you", "penstock-approver"])?;
        assert_eq!(stage.secret(CASE).await?.len(), EIGHT.len());

        admin(stage, &["approve", CASE, &hash, "--wait"])
            .await?
            .expect(
                0,
                &[&format!("plan {hash} is approved by "), "ready (Synced)"],
            )?;
        stage.await_secret(CASE, half).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_is_suspended_rests_until_it_is_resumed() -> Outcome {
    on_shared_stage(async |stage| {
        const CASE: &str = "verb-suspend";
        synced(stage, CASE, &[("A", "t0psecret-1")]).await?;
        admin(stage, &["suspend", CASE])
            .await?
            .expect(0, &["suspended: nothing is read"])?;
        stage
            .await_condition(CASE, ("Ready", "False"), "Suspended")
            .await?;
        stage.put(CASE, &[("A", "t0psecret-2")]).await?;
        admin(stage, &["refresh", CASE])
            .await?
            .expect(1, &["penstock resume"])?;
        admin(stage, &["explain", CASE])
            .await?
            .expect(0, &["is suspended", "penstock resume verb-suspend"])?;
        admin(stage, &["status", CASE])
            .await?
            .expect(2, &["suspended"])?;
        assert_eq!(stage.secret(CASE).await?["A"], "t0psecret-1");
        admin(stage, &["resume", CASE])
            .await?
            .expect(0, &["resumed"])?;
        stage.await_secret(CASE, &[("A", "t0psecret-2")]).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_is_not_there_or_not_allowed_is_told_with_the_way_out() -> Outcome {
    on_shared_stage(async |stage| {
        for verb in [
            "explain", "history", "refresh", "suspend", "resume", "approve", "status",
        ] {
            admin(stage, &[verb, "nobody-made-this"])
                .await?
                .expect(1, &["nobody-made-this: does not exist"])?;
        }
        let editor = editor(stage).await?;
        penstock(&editor, "kube-system", &["status"])
            .await?
            .expect(1, &["forbids you to list secretsyncs"])?;
        admin(stage, &["rollbac", "x"])
            .await?
            .expect(64, &["unrecognized subcommand"])
    })
    .await
}
