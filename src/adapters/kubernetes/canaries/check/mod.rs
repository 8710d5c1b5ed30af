//! Checks of a canary: each is asked once, within its time.
//!
//! Only a verdict about the revision is one. Whatever else is answered, or not answered, says nothing; no answer's
//! text goes into a verdict.

mod answer;
mod prometheus;
mod web;

use std::net::IpAddr;

use http::Method;
use jiff::{SignedDuration, Timestamp};
use penstock_domain::api::canary::Scheme;
use penstock_domain::api::then::HttpMethod;
use penstock_domain::canary::{
    CanaryCheck, CheckQuestion, CheckVerdict, JobEnd, NumberCondition, Trial,
};
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::{Key, ObjectName, SyncId};
use penstock_domain::secret::SecretValue;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::clone::text;
use super::names::{Marks, Role};
use super::seen::counting;
use super::{KubernetesCanaries, jobs};
use crate::kubernetes::request::{Address, Resource};
use answer::Judgement;
use web::Question;

impl KubernetesCanaries {
    pub(super) async fn ask(
        &self,
        sync: &SyncId,
        trial: &Trial,
        check: &CanaryCheck,
    ) -> Result<CheckVerdict, Fault> {
        if let CheckQuestion::CronJob(cron_job) = &check.asks {
            return self.ask_job((sync, trial), check, cron_job).await;
        }
        let asking = self.ask_web((sync, trial), check);
        timeout(check.timeout, asking)
            .await
            .unwrap_or_else(|_| Ok(unknown("there was no answer in time")))
    }

    async fn ask_web(
        &self,
        (sync, trial): (&SyncId, &Trial),
        check: &CanaryCheck,
    ) -> Result<CheckVerdict, Fault> {
        let filling = Filling { sync, trial };
        match &check.asks {
            CheckQuestion::PodHttp { .. } => self.ask_pod((sync, trial), check).await,
            CheckQuestion::Prometheus {
                address,
                query,
                condition,
                authorization,
            } => {
                let query = filling.fill(query);
                let question = prometheus::question(address, &query);
                self.ask_prometheus((sync, check), question, (condition, authorization.as_ref()))
                    .await
            }
            CheckQuestion::Webhook {
                url,
                method,
                headers,
                authorization,
                body,
            } => {
                let mut question = Question::new(wire(*method), url);
                question.headers(headers);
                if let Some(body) = body {
                    question.body(filling.fill(body.expose()), None);
                } else if *method != HttpMethod::Get {
                    question.body(filling.json(), Some("application/json"));
                }
                if let Err(unknown) = self
                    .authorise(sync, &mut question, authorization.as_ref())
                    .await
                {
                    return Ok(unknown);
                }
                let answer = question.send(&self.http, sync, check.timeout).await;
                Ok(answer::judge(answer, &Judgement::Webhook))
            }
            CheckQuestion::Url { url, expect_status } => {
                let question = Question::new(Method::GET, url);
                let answer = question.send(&self.http, sync, check.timeout).await;
                Ok(answer::judge(answer, &Judgement::Url(expect_status)))
            }
            CheckQuestion::CronJob(_) => Ok(unknown("runs as a job")),
        }
    }

    async fn ask_prometheus(
        &self,
        (sync, check): (&SyncId, &CanaryCheck),
        mut question: Question,
        (condition, authorization): (&NumberCondition, Option<&(ObjectName, Key)>),
    ) -> Result<CheckVerdict, Fault> {
        if let Err(unknown) = self.authorise(sync, &mut question, authorization).await {
            return Ok(unknown);
        }
        let answer = question.send(&self.http, sync, check.timeout).await;
        Ok(prometheus::judge(answer, condition))
    }

    async fn ask_pod(
        &self,
        (sync, trial): (&SyncId, &Trial),
        check: &CanaryCheck,
    ) -> Result<CheckVerdict, Fault> {
        let CheckQuestion::PodHttp {
            port,
            path,
            scheme,
            headers,
            expect_status,
        } = &check.asks
        else {
            return Ok(unknown("asks no pod"));
        };
        let Some(address) = self.address(sync, trial).await? else {
            return Ok(unknown("its pod has no address yet"));
        };
        let scheme = match scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        let host = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        let url = format!("{scheme}://{host}:{port}{path}");
        let mut question = Question::new(Method::GET, &url).at_pod(address);
        question.headers(headers);
        let answer = question.send(&self.http, sync, check.timeout).await;
        Ok(answer::judge(answer, &Judgement::Pod(expect_status)))
    }

    /// The address of the canary's pod, as its node says.
    async fn address(&self, sync: &SyncId, trial: &Trial) -> Result<Option<IpAddr>, Fault> {
        let marks = Marks::of(sync, trial);
        let pods = self.canary_pods((sync, trial), &marks).await?;
        let pod = counting(&pods).into_iter().next();
        let address = pod.and_then(|pod| pod.status.pod_ip.as_deref());
        Ok(address.and_then(|text| text.parse().ok()))
    }

    /// Adds the `Authorization` header, from a Secret of the namespace. Without it nobody can say.
    async fn authorise(
        &self,
        sync: &SyncId,
        question: &mut Question,
        authorization: Option<&(ObjectName, Key)>,
    ) -> Result<(), CheckVerdict> {
        let Some((name, key)) = authorization else {
            return Ok(());
        };
        let reading = self
            .credentials
            .secret_key(&sync.namespace, name, key.as_str());
        let value: SecretValue = reading
            .await
            .map_err(|fault| unknown(format!("has no authorization: {fault}")))?;
        question.credential(&value);
        Ok(())
    }

    /// Runs a CronJob once against the candidate, and looks how it does. One that the cluster ended is run again.
    async fn ask_job(
        &self,
        (sync, trial): (&SyncId, &Trial),
        check: &CanaryCheck,
        cron_job: &ObjectName,
    ) -> Result<CheckVerdict, Fault> {
        let marks = Marks::of(sync, trial);
        let role = Role::Check(&check.name);
        let name = marks.name(role, cron_job.as_str());
        let Some(job) = self.own(sync, &marks, (Resource::Job, &name)).await? else {
            return self.start_check((sync, trial), cron_job, role).await;
        };
        let uid = text(&job, "/metadata/uid");
        let owners = [uid.to_owned()].into();
        let pods = self.pods_of(sync, &marks.selector(role), &owners).await?;
        let statuses: Vec<_> = pods.iter().map(|pod| pod.status.clone()).collect();
        match jobs::ended(&job, &statuses) {
            Some(JobEnd::Succeeded) => Ok(CheckVerdict::Passed),
            Some(JobEnd::Failed(why)) => Ok(CheckVerdict::Failed(format!("its job {why}"))),
            Some(JobEnd::Cluster(why)) => {
                let address = Address {
                    resource: Resource::Job,
                    namespace: &sync.namespace,
                    name: &name,
                };
                self.delete(address, uid).await?;
                Ok(unknown(format!("its job {why}")))
            }
            None => {
                let limit = SignedDuration::try_from(check.timeout).unwrap_or(SignedDuration::MAX);
                let started = statuses.iter().filter_map(|pod| pod.start_time.as_ref());
                let first = started.map(|time| time.0).min();
                let late =
                    first.is_some_and(|first| Timestamp::now().duration_since(first) > limit);
                Ok(if late {
                    CheckVerdict::Failed("its job did not end in its time".to_owned())
                } else {
                    CheckVerdict::Running
                })
            }
        }
    }

    async fn start_check(
        &self,
        (sync, trial): (&SyncId, &Trial),
        cron_job: &ObjectName,
        role: Role<'_>,
    ) -> Result<CheckVerdict, Fault> {
        let workshop = self.workshop(sync, trial).await?;
        let wanted = match self.run_of(&workshop, cron_job, role).await {
            Ok(wanted) => wanted,
            // What a person has to put right says nothing about the revision.
            Err(fault) if fault.class == FaultClass::Invalid => {
                return Ok(unknown(fault.to_string()));
            }
            Err(fault) => return Err(fault),
        };
        self.make_candidates(&workshop).await?;
        self.ensure(&workshop, (Resource::Job, &wanted)).await?;
        Ok(CheckVerdict::Running)
    }
}

/// What the words between braces stand for. All three are plain names.
struct Filling<'a> {
    sync: &'a SyncId,
    trial: &'a Trial,
}

impl Filling<'_> {
    fn words(&self) -> [(&'static str, &str); 3] {
        [
            ("namespace", self.sync.namespace.as_str()),
            ("name", self.sync.name.as_str()),
            ("revision", self.trial.revision.as_str()),
        ]
    }

    fn fill(&self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            filled.push_str(before);
            let word = after.split_once("}}").and_then(|(word, behind)| {
                let words = self.words();
                let (_, value) = words.iter().find(|(name, _)| *name == word.trim())?;
                Some(((*value).to_owned(), behind))
            });
            if let Some((value, behind)) = word {
                filled.push_str(&value);
                rest = behind;
            } else {
                // Not ours: PromQL and JSON have braces, too.
                filled.push_str("{{");
                rest = after;
            }
        }
        filled.push_str(rest);
        filled
    }

    fn json(&self) -> String {
        let words = self.words();
        let object: serde_json::Map<String, Value> = words
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        Value::Object(object).to_string()
    }
}

fn wire(method: HttpMethod) -> Method {
    match method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Patch => Method::PATCH,
    }
}

fn unknown(why: impl Into<String>) -> CheckVerdict {
    CheckVerdict::Inconclusive(why.into())
}

#[cfg(test)]
mod tests;
