//! Verbs about revisions: what was in use, and back to it.

use penstock_domain::api::status::{RevisionOutcome, SecretSyncStatus};
use penstock_testbed::{Failure, eventually};

use super::super::stage::{Stage, Usage, on_shared_stage};
use super::super::{Outcome, SOON};
use super::{Told, penstock};

const COPY: &str = "
sources: [{name: vault, store: {name: vault}, path: $apps/$case}]
targets: [{name: env, secret: {}}]
";

async fn synced(stage: &Stage, case: &str, more: &str) -> Result<String, Failure> {
    stage.put(case, &[("A", "t0psecret-1")]).await?;
    let spec = format!("{}{more}", COPY.replace("$case", case));
    stage.sync(case, &spec).await?;
    stage.is_synced(case).await?;
    in_use(stage, case).await
}

async fn in_use(stage: &Stage, case: &str) -> Result<String, Failure> {
    let revision = stage.status(case).await?.revision;
    revision.ok_or_else(|| Failure::because("nothing is in use"))
}

async fn admin(stage: &Stage, arguments: &[&str]) -> Result<Told, Failure> {
    let kubeconfig = stage.control_plane().kubeconfig();
    penstock(&kubeconfig, stage.namespace().name(), arguments).await
}

async fn await_status(
    stage: &Stage,
    case: &str,
    what: &str,
    holds: impl Fn(&SecretSyncStatus) -> bool,
) -> Outcome {
    let met = eventually(format!("{case}: {what}"), SOON, || async {
        let status = stage
            .status(case)
            .await
            .map_err(|error| error.to_string())?;
        if holds(&status) {
            Ok(())
        } else {
            Err(format!("{status:?}"))
        }
    });
    Ok(met.await?)
}

#[tokio::test]
async fn a_rollback_stays_until_it_is_unpinned_and_each_is_one_restart() -> Outcome {
    on_shared_stage(async |stage| {
        const CASE: &str = "verb-rollback";
        let old = synced(stage, CASE, "").await?;
        stage.deploy(CASE, &[Usage::EnvFrom(CASE)]).await?;
        stage.started_before_now(CASE).await?;
        stage.put(CASE, &[("A", "t0psecret-2")]).await?;
        admin(stage, &["refresh", CASE, "--wait"])
            .await?
            .expect(0, &["ready"])?;
        stage.await_restarts(CASE, 1).await?;
        let history = admin(stage, &["history", CASE]).await?;
        history.expect(0, &[&old, "kept", "in use", "changed: A"])?;

        admin(stage, &["rollback", CASE, "--wait"])
            .await?
            .expect(0, &["is pinned", "ready (Synced)"])?;
        assert_eq!(stage.secret(CASE).await?["A"], "t0psecret-1");
        assert_eq!(in_use(stage, CASE).await?, old);
        stage.await_restarts(CASE, 2).await?;
        // News at the source change nothing while it is pinned.
        stage.put(CASE, &[("A", "t0psecret-3")]).await?;
        stage.refresh(CASE).await?;
        assert_eq!(stage.secret(CASE).await?["A"], "t0psecret-1");
        admin(stage, &["history", CASE])
            .await?
            .expect(0, &["in use, pinned"])?;

        admin(stage, &["unpin", CASE, "--wait"])
            .await?
            .expect(0, &["follows its sources again"])?;
        stage.await_secret(CASE, &[("A", "t0psecret-3")]).await?;
        stage.await_restarts(CASE, 3).await?;
        admin(stage, &["unpin", CASE])
            .await?
            .expect(0, &["is not pinned"])?;
        let unknown = admin(stage, &["rollback", CASE, "--to", "nothing"]).await?;
        unknown.expect(1, &["is not known", "penstock history"])
    })
    .await
}

#[tokio::test]
async fn a_leaked_revision_is_purged_and_refused_when_the_source_brings_it_again() -> Outcome {
    on_shared_stage(async |stage| {
        const CASE: &str = "verb-revoke";
        let leaked = synced(stage, CASE, "").await?;
        stage.put(CASE, &[("A", "t0psecret-2")]).await?;
        stage.refresh(CASE).await?;
        let nobody = admin(stage, &["revoke", CASE, "--revision", &leaked]).await?;
        nobody.expect(1, &["nobody can be asked here"])?;
        admin(stage, &["revoke", CASE, "--revision", &leaked, "--yes"])
            .await?
            .expect(0, &["revoked"])?;
        let gone = |status: &SecretSyncStatus| {
            status
                .history
                .iter()
                .all(|one| one.outcome != RevisionOutcome::Kept)
        };
        await_status(stage, CASE, "it is purged", gone).await?;
        stage.put(CASE, &[("A", "t0psecret-1")]).await?;
        stage.refresh(CASE).await?;
        stage
            .await_condition(CASE, ("Ready", "False"), "RevisionRevoked")
            .await?;
        assert_eq!(stage.secret(CASE).await?["A"], "t0psecret-2");
        admin(stage, &["forget", CASE, "--yes"])
            .await?
            .expect(0, &["are dropped"])?;
        // What was revoked stays revoked.
        stage.refresh(CASE).await?;
        stage
            .await_condition(CASE, ("Ready", "False"), "RevisionRevoked")
            .await
            .map(drop)
    })
    .await
}

#[tokio::test]
async fn a_change_waits_for_its_window_and_its_approval_and_a_person_lets_it_through() -> Outcome {
    on_shared_stage(async |stage| {
        const CASE: &str = "verb-window";
        // The first of January, for a minute.
        let rollout =
            "rollout: {approval: required, windows: [{schedule: \"0 0 1 1 *\", duration: 1m}]}\n";
        synced(stage, CASE, "").await?;
        let spec = format!("{}{rollout}", COPY.replace("$case", CASE));
        stage.sync(CASE, &spec).await?;
        stage.is_synced(CASE).await?;
        stage.put(CASE, &[("A", "t0psecret-2")]).await?;
        stage.refresh(CASE).await?;
        stage
            .await_condition(CASE, ("RolledOut", "False"), "WaitingForWindow")
            .await?;
        stage.is_synced(CASE).await?;
        assert_eq!(stage.secret(CASE).await?["A"], "t0psecret-1");
        let early = admin(stage, &["approve", CASE, "--rollout"]).await?;
        early.expect(1, &["no change of it waits"])?;
        let waiting = stage
            .status(CASE)
            .await?
            .rollout
            .and_then(|one| one.revision);
        let waiting = waiting.ok_or_else(|| Failure::because("no change waits"))?;
        admin(
            stage,
            &["approve", CASE, &waiting, "--rollout", "--now", "--wait"],
        )
        .await?
        .expect(0, &["is approved by", "ready (Synced)"])?;
        assert_eq!(stage.secret(CASE).await?["A"], "t0psecret-2");
        Ok(())
    })
    .await
}
