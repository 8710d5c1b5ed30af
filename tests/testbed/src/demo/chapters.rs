//! What is told, one chapter after the other. Every claim is a condition that is waited for.

use std::collections::BTreeMap;
use std::time::Duration;

use super::shop::{AppState, NAME, Shop, SyncState};
use super::stage::{INTERVAL, MOUNT, PATH, Stage};
use crate::api_proxy::ApiRequest;
use crate::eventually::{Unmet, eventually};
use crate::failure::Failure;
use crate::objects::apply;
use crate::story::{Detail, Story};
use crate::token::random_token;

/// Longer than any pause of the operator; nobody waits that long unless something is broken.
const SOON: Duration = Duration::from_mins(1);
/// A real node may have to pull the image first.
const PODS: Duration = Duration::from_mins(3);
/// Pods tell their start in whole seconds of another clock: one that started two seconds before an edit may
/// have started on it, and is restarted to be sure.
const AGE: Duration = Duration::from_secs(4);
/// How often the vault is to be read while nothing may be written.
const QUIET_READS: usize = 2;
/// Lines of the operator's log that are shown when something did not come true.
const LAST_WORDS: usize = 12;

type Outcome = Result<(), Failure>;

/// The story under way.
pub(super) struct Tour<'a> {
    story: &'a mut Story,
    stage: Stage,
    /// What the vault holds, and the Secret is to hold.
    content: BTreeMap<&'static str, String>,
    /// How often the operator was asked to read at once.
    refreshes: usize,
    /// How often the vault's content changed while the Deployment was there.
    changes: u64,
}

impl<'a> Tour<'a> {
    pub(super) fn new(story: &'a mut Story, stage: Stage) -> Self {
        Self {
            story,
            stage,
            content: BTreeMap::new(),
            refreshes: 0,
            changes: 0,
        }
    }

    /// All chapters. A claim that does not come true is told as such, and ends it with what the operator said
    /// last.
    pub(super) async fn tell(mut self) -> Outcome {
        if let Err(failure) = self.chapters().await {
            self.last_words().await;
            return Err(failure);
        }
        Ok(())
    }

    async fn chapters(&mut self) -> Outcome {
        self.appears().await?;
        self.follows().await?;
        self.is_repaired().await?;
        self.outlives_the_vault().await?;
        self.is_not_fooled().await?;
        self.costs_nothing().await
    }

    async fn appears(&mut self) -> Outcome {
        self.story.chapter("A vault path becomes a Secret");
        self.content = [("API_KEY", value(24)), ("DB_URL", value(31))].into();
        self.story.command(&format!(
            "bao kv put -mount={MOUNT} {PATH} API_KEY=… DB_URL=…"
        ));
        self.write_entry().await?;
        self.show("apply -f examples/quickstart/store.yaml -f examples/quickstart/sync.yaml");
        self.apply(&self.stage.quickstart.store).await?;
        self.apply(&self.stage.quickstart.sync).await?;
        self.await_content("the Secret appears").await?;
        let keys = self.content.iter();
        let keys: Vec<String> = keys
            .map(|(key, value)| format!("{key}  {} characters", value.len()))
            .collect();
        self.story
            .quote(&format!("secret/{NAME}\n  {}", keys.join("\n  ")));
        self.show("apply -f examples/quickstart/app.yaml");
        self.apply(&self.stage.quickstart.app).await?;
        self.await_app("the Deployment runs on it", 0).await?;
        self.settle().await?;
        self.cite_condition("Ready").await
    }

    async fn follows(&mut self) -> Outcome {
        self.story
            .chapter("The vault changes: the Secret follows, the Deployment rolls, once");
        let before = self.stage.shop.app().await?;
        self.change("API_KEY", 40).await?;
        self.story.say(&format!(
            "It is read every {} seconds here; nobody has to ask.",
            INTERVAL.as_secs()
        ));
        self.await_content("the Secret has followed").await?;
        self.await_one_rollout(&before).await?;
        self.cite_event("Restarted", 0).await
    }

    async fn is_repaired(&mut self) -> Outcome {
        self.story.chapter("Somebody edits the Secret");
        let before = self
            .await_age("the pods have been running for a while")
            .await?;
        let told = self.stage.shop.events().await?.len();
        self.edit("API_KEY").await?;
        self.await_content("the edit is undone").await?;
        self.cite_event("Repaired", told).await?;
        self.nobody_restarted(
            &before,
            "no pod was restarted: none had started on the edit",
        )
        .await
    }

    async fn outlives_the_vault(&mut self) -> Outcome {
        self.story.chapter("The vault goes away: nothing is lost");
        let before = self.stage.shop.app().await?;
        self.stage.vault.stop().await?;
        self.story.done("OpenBao was killed");
        self.refresh().await?;
        self.await_sync("the status says so", |sync| sync.is("Stale", "True"))
            .await?;
        self.cite_condition("Stale").await?;
        self.edit("DB_URL").await?;
        self.await_content("an edit is still undone, from the sealed record")
            .await?;
        self.show(&format!("delete secret {NAME}"));
        self.stage.shop.delete_secret().await?;
        self.await_content("the whole Secret is back, without the vault")
            .await?;
        self.nobody_restarted(&before, "the same pods still run")
            .await
    }

    async fn is_not_fooled(&mut self) -> Outcome {
        self.story
            .chapter("It comes back, with the path deleted by mistake");
        let before = self.stage.shop.app().await?;
        self.story
            .step("the vault runs again", self.stage.vault.start_again())
            .await?;
        self.story
            .command(&format!("bao kv delete -mount={MOUNT} {PATH}"));
        self.stage.entries.delete(MOUNT, PATH).await?;
        self.refresh().await?;
        let nonce = self.refreshes.to_string();
        self.await_sync("the operator has read it", |sync| sync.has_seen(&nonce))
            .await?;
        self.cite_condition("Stale").await?;
        self.await_content("the Secret keeps what it had").await?;
        self.nobody_restarted(&before, "and the pods know nothing of it")
            .await?;
        self.change("DB_URL", 36).await?;
        self.refresh().await?;
        self.await_content("a new value flows at once").await?;
        self.await_one_rollout(&before).await
    }

    async fn costs_nothing(&mut self) -> Outcome {
        self.story.chapter("Nothing changes: nothing is written");
        self.settle().await?;
        let before = self.stage.shop.app().await?;
        let reads = count_reads(&self.stage)?;
        self.stage.proxy.reset();
        let stage = &self.stage;
        let watching = |detail| watch_reads(stage, reads, detail);
        let what = format!("the vault was read {QUIET_READS} times");
        self.story.detailed_step(&what, watching).await?;
        let written: Vec<String> = writes(&self.stage).iter().map(describe).collect();
        if !written.is_empty() {
            let seen = written.join(", ");
            return self.untrue("the API server was written to 0 times", &seen);
        }
        self.story.done("the API server was written to 0 times");
        let rollouts = before.revision.saturating_sub(1);
        let what = format!(
            "{} changes in the vault, {rollouts} rollouts of the Deployment, all told",
            self.changes
        );
        if rollouts != self.changes {
            return self.untrue(&what, &before.to_string());
        }
        self.story.done(&what);
        Ok(())
    }

    /// Changes one key in the vault.
    async fn change(&mut self, key: &'static str, length: usize) -> Outcome {
        self.content.insert(key, value(length));
        self.changes += 1;
        self.story.command(&format!(
            "bao kv put -mount={MOUNT} {PATH} {key}=…   # {length} characters now"
        ));
        self.write_entry().await
    }

    async fn write_entry(&self) -> Outcome {
        let content: Vec<(&str, &str)> = self
            .content
            .iter()
            .map(|(key, value)| (*key, value.as_str()))
            .collect();
        self.stage.entries.put(MOUNT, PATH, &content).await?;
        Ok(())
    }

    /// Edits the Secret by hand.
    async fn edit(&mut self, key: &str) -> Outcome {
        let patch = format!(r#"{{"stringData":{{"{key}":"edited by hand"}}}}"#);
        self.show(&format!("patch secret {NAME} -p '{patch}'"));
        self.stage.shop.edit_secret(key, "edited by hand").await?;
        Ok(())
    }

    /// Asks the operator to read now.
    async fn refresh(&mut self) -> Outcome {
        self.refreshes += 1;
        let nonce = self.refreshes.to_string();
        self.show(&format!(
            "annotate secretsync {NAME} --overwrite penstock.dev/refresh={nonce}"
        ));
        self.stage.shop.refresh(&nonce).await?;
        Ok(())
    }

    async fn await_content(&mut self, what: &str) -> Outcome {
        let (shop, content) = (&self.stage.shop, &self.content);
        let waiting = eventually("the Secret holds what it should", SOON, || async {
            let secret = shop.secret().await.map_err(|error| error.to_string())?;
            differences(content, secret.as_ref())
        });
        self.story.step(what, waiting).await?;
        Ok(())
    }

    /// Waits until the SecretSync is as it should be.
    async fn await_sync(&mut self, what: &str, holds: impl Fn(&SyncState) -> bool) -> Outcome {
        let waiting = sync_becomes(&self.stage.shop, what, holds);
        self.story.step(what, waiting).await?;
        Ok(())
    }

    /// Waits until nothing is under way.
    async fn settle(&self) -> Outcome {
        let what = "the SecretSync is settled";
        sync_becomes(&self.stage.shop, what, SyncState::is_settled).await?;
        Ok(())
    }

    /// Waits until all pods are ready and of a template that is newer than `revision`.
    async fn await_app(&mut self, what: &str, revision: u64) -> Result<AppState, Failure> {
        let shop = &self.stage.shop;
        let waiting = eventually("the rollout is over", PODS, || async {
            let app = Box::pin(shop.app()).await;
            let app = app.map_err(|error| error.to_string())?;
            if app.is_settled() && app.revision > revision {
                Ok(app)
            } else {
                Err(app.to_string())
            }
        });
        Ok(self.story.step(what, waiting).await?)
    }

    /// Waits until no pod can be taken for one that started on what happens next.
    async fn await_age(&mut self, what: &str) -> Result<AppState, Failure> {
        let shop = &self.stage.shop;
        let waiting = eventually("the pods have aged", SOON, || async {
            let app = Box::pin(shop.app()).await;
            let app = app.map_err(|error| error.to_string())?;
            if app.is_older_than(AGE) {
                Ok(app)
            } else {
                Err(app.to_string())
            }
        });
        Ok(self.story.step(what, waiting).await?)
    }

    async fn await_one_rollout(&mut self, before: &AppState) -> Outcome {
        let after = self
            .await_app("both pods were replaced", before.revision)
            .await?;
        self.settle().await?;
        let what = format!(
            "one rollout: revision {} → {}",
            before.revision, after.revision
        );
        let once = after.revision == before.revision + 1
            && after.replica_sets == before.replica_sets + 1
            && after.shares_pods_with(before) == 0;
        if !once {
            return self.untrue(&what, &after.to_string());
        }
        self.story.done(&what);
        Ok(())
    }

    async fn nobody_restarted(&mut self, before: &AppState, what: &str) -> Outcome {
        let now = self.stage.shop.app().await?;
        if now.revision != before.revision || now.shares_pods_with(before) != before.pods.len() {
            return self.untrue(what, &now.to_string());
        }
        self.story.done(what);
        Ok(())
    }

    /// Waits for an Event with `reason` after the first `told` ones, and cites it.
    async fn cite_event(&mut self, reason: &str, told: usize) -> Outcome {
        let shop = &self.stage.shop;
        let event = eventually(format!("an Event {reason}"), SOON, || async {
            let events = shop.events().await.map_err(|error| error.to_string())?;
            let news = events.get(told..).unwrap_or_default();
            let found = news.iter().find(|event| event.starts_with(reason));
            found.cloned().ok_or_else(|| format!("{news:?}"))
        })
        .await?;
        self.story.cite(&event);
        Ok(())
    }

    async fn cite_condition(&mut self, condition: &str) -> Outcome {
        let sync = self.stage.shop.sync().await?;
        self.story.cite(&sync.says(condition));
        Ok(())
    }

    async fn apply(&self, yaml: &str) -> Outcome {
        apply(&self.stage.client, Some(&self.stage.namespace), yaml).await?;
        Ok(())
    }

    /// The command that the reader would type.
    fn show(&mut self, arguments: &str) {
        let command = format!("{} {arguments}", self.stage.kubectl);
        self.story.command(&command);
    }

    fn untrue(&mut self, what: &str, seen: &str) -> Outcome {
        self.story.failed(what, &seen);
        Err(Failure::because(format!("{what}: {seen}")))
    }

    /// What may explain a failure.
    async fn last_words(&mut self) {
        self.story.line("");
        if let Ok(sync) = self.stage.shop.sync().await {
            self.story.say("The SecretSync:");
            self.story.say(&sync.to_string());
        }
        if let Ok(log) = self.stage.operator.log() {
            self.story.say("The operator said last:");
            let lines: Vec<&str> = log.lines().collect();
            let first = lines.len().saturating_sub(LAST_WORDS);
            // Whole lines: whoever reads them looks for something.
            for line in lines.get(first..).unwrap_or_default() {
                self.story.line(line);
            }
        }
    }
}

async fn sync_becomes(
    shop: &Shop,
    what: &str,
    holds: impl Fn(&SyncState) -> bool,
) -> Result<(), Unmet> {
    let holds = &holds;
    eventually(what, SOON, || async move {
        let sync = shop.sync().await.map_err(|error| error.to_string())?;
        if holds(&sync) {
            Ok(())
        } else {
            Err(sync.to_string())
        }
    })
    .await
}

/// How often the path was read, or asked for news.
fn count_reads(stage: &Stage) -> Result<usize, Failure> {
    let data = stage.vault.count("read", &format!("{MOUNT}/data/{PATH}"))?;
    let metadata = stage
        .vault
        .count("read", &format!("{MOUNT}/metadata/{PATH}"))?;
    Ok(data + metadata)
}

/// Waits until the vault has been read often enough since it had been read `before` times.
async fn watch_reads(stage: &Stage, before: usize, detail: Detail) -> Result<(), Unmet> {
    eventually("the vault is read", SOON, || async {
        let reads = count_reads(stage).map_err(|failure| failure.to_string())?;
        let reads = reads.saturating_sub(before);
        detail.set(format!(
            "{reads} so far, and {} writes",
            writes(stage).len()
        ));
        if reads >= QUIET_READS {
            Ok(())
        } else {
            Err(format!("{reads} reads"))
        }
    })
    .await
}

/// Writes of the operator since the counter was reset; Leases and Events are not among them.
fn writes(stage: &Stage) -> Vec<ApiRequest> {
    let mut requests = stage.proxy.requests();
    requests.retain(|request| request.is_write() && !request.is_chatter());
    requests
}

fn describe(request: &ApiRequest) -> String {
    format!("{} {} {}", request.verb, request.resource, request.name)
}

/// Which keys are not as they should be. No values.
fn differences(
    content: &BTreeMap<&'static str, String>,
    secret: Option<&BTreeMap<String, Vec<u8>>>,
) -> Result<(), String> {
    let Some(secret) = secret else {
        return Err("there is no Secret".to_owned());
    };
    let mut found = Vec::new();
    for (key, value) in content {
        match secret.get(*key) {
            None => found.push(format!("{key} is missing")),
            Some(held) if held != value.as_bytes() => {
                found.push(format!(
                    "{key} is another one, of {} characters",
                    held.len()
                ));
            }
            Some(_) => {}
        }
    }
    let extra = secret
        .keys()
        .filter(|key| !content.contains_key(key.as_str()));
    found.extend(extra.map(|key| format!("{key} is too many")));
    if found.is_empty() {
        Ok(())
    } else {
        Err(found.join(", "))
    }
}

/// A value that nobody has seen before.
fn value(length: usize) -> String {
    let mut value = String::new();
    while value.len() < length {
        value.push_str(&random_token());
    }
    value.truncate(length);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(pairs: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        let pairs = pairs.iter();
        pairs
            .map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()))
            .collect()
    }

    #[test]
    fn differences_name_keys_and_lengths_and_no_values() {
        let content: BTreeMap<&str, String> = [("A", "one".into()), ("B", "two".into())].into();
        assert_eq!(
            differences(&content, Some(&secret(&[("A", "one"), ("B", "two")]))),
            Ok(())
        );
        let seen = differences(&content, Some(&secret(&[("A", "hunter2"), ("C", "x")])));
        assert_eq!(
            seen.unwrap_err(),
            "A is another one, of 7 characters, B is missing, C is too many"
        );
        assert!(differences(&content, None).is_err());
    }

    #[test]
    fn values_have_the_asked_length_and_differ() {
        assert_eq!(value(40).len(), 40);
        assert_ne!(value(24), value(24));
    }
}
