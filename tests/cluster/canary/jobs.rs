//! Mode job, and CronJobs as checks.

use std::time::Duration;

use k8s_openapi::api::batch::v1::{CronJob, Job};
use penstock_domain::canary::{Canary, CanaryCheck, CheckQuestion, CheckVerdict, JobEnd};
use penstock_domain::fault::FaultClass;
use penstock_domain::names::ObjectName;
use penstock_domain::ports::Canaries as _;
use penstock_testbed::{Failure, eventually};
use serde_json::{Value, json};

use super::{Corner, Outcome, SOON, of_people, trial};

fn cron_job(name: &str, annotations: &Value, secret: &str) -> String {
    json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name, "annotations": annotations},
        "spec": {"schedule": "0 0 1 1 *", "suspend": true, "jobTemplate": {"spec": {"template": {"spec": {
            "restartPolicy": "OnFailure",
            "containers": [{"name": "try", "image": "any", "envFrom": [{"secretRef": {"name": secret}}]}]}}}}}})
    .to_string()
}

fn allowing() -> Value {
    json!({"penstock.dev/allow-run": "other, shop"})
}

fn run(name: &str, value: &str) -> Result<penstock_domain::canary::Trial, Failure> {
    trial(Canary::Job(ObjectName::new(name)?), value)
}

#[tokio::test]
async fn one_run_of_a_cron_job_tells_whether_the_value_works() -> Outcome {
    let Some(corner) = Corner::new().await? else {
        return Ok(());
    };
    corner
        .namespace
        .apply(&cron_job("smoke", &allowing(), "env"))
        .await?;
    let cron_jobs = corner.namespace.api::<CronJob>();
    let before = of_people(&cron_jobs.get("smoke").await?)?;
    for (value, expected) in [
        ("good", JobEnd::Succeeded),
        ("bad", JobEnd::Failed("ended with status 1".to_owned())),
    ] {
        let trial = run("smoke", value)?;
        corner.start(&trial).await?;
        corner.start(&trial).await?;
        assert_eq!(corner.made::<Job>().await?.items.len(), 1);
        let ended = corner.sees(&trial, "the job has ended", |view| view.job.is_some());
        assert_eq!(ended.await?.job, Some(expected));
        corner.start(&trial).await?;
        let still = corner.look(&trial).await?;
        assert!(still.job.is_some(), "a verdict stands: {still:?}");
        corner.canaries.stop(&corner.sync).await?;
        corner.is_clean().await?;
    }
    assert_eq!(before, of_people(&cron_jobs.get("smoke").await?)?);
    Ok(())
}

#[tokio::test]
async fn a_run_that_waits_or_hangs_has_no_end_and_is_never_taken_for_ready() -> Outcome {
    let Some(corner) = Corner::new().await? else {
        return Ok(());
    };
    corner
        .namespace
        .apply(&cron_job("smoke", &allowing(), "env"))
        .await?;
    for (value, started) in [("slow", true), ("unschedulable", false)] {
        let trial = run("smoke", value)?;
        corner.start(&trial).await?;
        let seen = corner.sees(&trial, "the pod is told", |view| {
            view.pods
                .iter()
                .any(|pod| pod.started.is_some() == started && (started || pod.trouble.is_some()))
        });
        let view = seen.await?;
        assert!(
            view.job.is_none() && view.pods[0].ready_since.is_none(),
            "{view:?}"
        );
        corner.canaries.stop(&corner.sync).await?;
        corner.is_clean().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_cron_job_is_run_for_those_whom_it_allows_and_only_against_the_candidate() -> Outcome {
    let Some(corner) = Corner::new().await? else {
        return Ok(());
    };
    corner
        .namespace
        .apply(&cron_job("closed", &json!({}), "env"))
        .await?;
    corner
        .namespace
        .apply(&cron_job(
            "of-another",
            &json!({"penstock.dev/allow-run": "shop2"}),
            "env",
        ))
        .await?;
    corner
        .namespace
        .apply(&cron_job("elsewhere", &allowing(), "other"))
        .await?;
    for (name, word) in [
        ("closed", "does not allow"),
        ("of-another", "does not allow"),
        ("elsewhere", "uses none"),
        ("nope", "does not exist"),
    ] {
        let fault = corner.start(&run(name, "good")?).await.unwrap_err();
        assert_eq!(fault.class, FaultClass::Invalid, "{fault}");
        assert!(
            fault.to_string().contains(word) && fault.hint.is_some(),
            "{fault}"
        );
    }
    corner.is_clean().await
}

fn check(cron_job: &str) -> Result<CanaryCheck, Failure> {
    Ok(CanaryCheck {
        name: "smoke".to_owned(),
        asks: CheckQuestion::CronJob(ObjectName::new(cron_job)?),
        every: Duration::from_secs(1),
        failure_limit: 0,
        timeout: Duration::from_mins(5),
    })
}

#[tokio::test]
async fn a_check_runs_a_cron_job_once_and_keeps_its_verdict() -> Outcome {
    let Some(corner) = Corner::new().await? else {
        return Ok(());
    };
    corner
        .namespace
        .apply(&cron_job("smoke", &allowing(), "env"))
        .await?;
    corner
        .namespace
        .apply(&cron_job("closed", &json!({}), "env"))
        .await?;
    let check = check("smoke")?;
    for (value, expected) in [
        ("good", CheckVerdict::Passed),
        (
            "bad",
            CheckVerdict::Failed("its job ended with status 1".to_owned()),
        ),
    ] {
        let trial = corner.trial(value).await?;
        corner.start(&trial).await?;
        let asked = corner.canaries.check(&corner.sync, &trial, &check).await?;
        assert_eq!(asked, CheckVerdict::Running);
        let verdict = eventually("the check has a verdict", SOON, || async {
            match corner.canaries.check(&corner.sync, &trial, &check).await {
                Ok(CheckVerdict::Running) => Err("it runs".to_owned()),
                Ok(verdict) => Ok(verdict),
                Err(fault) => Err(fault.to_string()),
            }
        });
        assert_eq!(verdict.await?, expected);
        let again = corner.canaries.check(&corner.sync, &trial, &check).await?;
        assert_eq!(again, expected);
        assert_eq!(corner.made::<Job>().await?.items.len(), 1);
        let view = corner.look(&trial).await?;
        assert!(
            view.job.is_none() && view.pods.len() <= 1,
            "a check is not the canary: {view:?}"
        );
        corner.canaries.stop(&corner.sync).await?;
        corner.is_clean().await?;
    }
    let trial = corner.trial("good").await?;
    let closed = corner
        .canaries
        .check(&corner.sync, &trial, &self::check("closed")?)
        .await?;
    let told = matches!(&closed, CheckVerdict::Inconclusive(why) if why.contains("allow-run"));
    assert!(told, "{closed:?}");
    Ok(())
}
