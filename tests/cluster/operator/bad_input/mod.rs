//! Bad input ends in a condition and an event that name the field, the reason and the way out. Every target
//! stays as it was, nothing is made of it where nothing was, others go on, and good input mends it.
//!
//! | file | what is bad |
//! |---|---|
//! | [`specs`] | the SecretSync itself |
//! | [`content`] | what the vault holds |
//! | [`stores`] | the store, or the way to it |
//! | [`targets`] | what stands where we want to write |
//! | [`unreadable`] | objects that this version cannot read, and could not have been written today |

mod content;
mod specs;
mod stores;
mod targets;
mod unreadable;

use futures::future::join_all;
use penstock_testbed::Failure;
use serde_json::Value;

use super::super::Outcome;
use super::super::stage::{Stage, on_shared_stage};

/// A spec that works: a plain copy of the entry that is called like the case.
const GOOD: &str = "
sources: [{name: vault, store: {name: vault}, path: $apps/$case}]
targets: [{name: env, secret: {}}]
";
const GOOD_CONTENT: &[(&str, &str)] = &[("A", "t0psecret-1"), ("B", "t0psecret-2")];

/// One way to get it wrong.
struct Bad {
    /// What the syncs and the vault path are called.
    case: &'static str,
    /// The spec; `$case` stands for `case`, and none is [`GOOD`].
    spec: Option<&'static str>,
    /// What the vault holds instead of [`GOOD_CONTENT`].
    content: Option<Value>,
    /// What is told: the reason, and words of the message.
    reason: &'static str,
    words: &'static [&'static str],
    /// Whether the last good content counts on, so that a sync that has some is Stale and not unready.
    keeps_last: bool,
}

impl Bad {
    /// A spec that is wrong.
    fn spec(
        case: &'static str,
        reason: &'static str,
        words: &'static [&'static str],
        spec: &'static str,
    ) -> Self {
        Self {
            case,
            spec: Some(spec),
            content: None,
            reason,
            words,
            keeps_last: false,
        }
    }

    /// Content that is wrong, for a spec that may be [`GOOD`].
    fn content(
        case: &'static str,
        reason: &'static str,
        words: &'static [&'static str],
        content: Value,
    ) -> Self {
        Self {
            case,
            spec: None,
            content: Some(content),
            reason,
            words,
            keeps_last: false,
        }
    }

    fn read_by(mut self, spec: &'static str) -> Self {
        self.spec = Some(spec);
        self
    }

    fn keeps_last(mut self) -> Self {
        self.keeps_last = true;
        self
    }

    fn condition(&self) -> (&'static str, &'static str) {
        if self.keeps_last {
            ("Stale", "True")
        } else {
            ("Ready", "False")
        }
    }

    fn spec_for(&self, sync: &str) -> String {
        let spec = self.spec.unwrap_or(GOOD).replace("$case", self.case);
        spec.replace("$sync", sync)
    }

    async fn play(&self) -> Outcome {
        on_shared_stage(async |stage| {
            self.harms_nothing_that_stands(stage).await?;
            self.makes_nothing_anew(stage).await
        })
        .await
    }

    /// A sync that works turns bad, and good again; its Secret and its neighbour notice nothing.
    async fn harms_nothing_that_stands(&self, stage: &Stage) -> Outcome {
        let sync = self.case;
        stage.put(sync, GOOD_CONTENT).await?;
        stage.sync(sync, &GOOD.replace("$case", sync)).await?;
        stage.await_secret(sync, GOOD_CONTENT).await?;
        stage.is_synced(sync).await?;
        let before = stage.secret_object(sync).await?;

        if let Some(content) = &self.content {
            stage.put_json(sync, content.clone()).await?;
        }
        stage.sync(sync, &self.spec_for(sync)).await?;
        if self.content.is_some() {
            stage.refresh(sync).await?;
        }
        let condition = stage
            .await_condition(sync, self.condition(), self.reason)
            .await?;
        self.names_it_all(&condition.message)?;
        stage.await_event(sync, self.reason, self.words).await?;
        let after = stage.secret_object(sync).await?;
        assert_eq!(after, before, "the Secret was touched");
        goes_on(stage, sync).await?;

        stage
            .put(sync, &[("A", "t0psecret-3"), ("B", "t0psecret-2")])
            .await?;
        stage.sync(sync, &GOOD.replace("$case", sync)).await?;
        stage.refresh(sync).await?;
        stage
            .await_secret(sync, &[("A", "t0psecret-3"), ("B", "t0psecret-2")])
            .await?;
        stage.is_synced(sync).await?;
        if let Some(content) = &self.content {
            stage.put_json(sync, content.clone()).await?;
        }
        Ok(())
    }

    /// A sync that was bad from the beginning makes no Secret.
    async fn makes_nothing_anew(&self, stage: &Stage) -> Outcome {
        let sync = format!("{}-fresh", self.case);
        stage.sync(&sync, &self.spec_for(&sync)).await?;
        let condition = stage
            .await_condition(&sync, ("Ready", "False"), self.reason)
            .await?;
        self.names_it_all(&condition.message)?;
        stage.await_event(&sync, self.reason, self.words).await?;
        assert!(
            stage.find_secret(&sync).await?.is_none(),
            "a Secret was made"
        );
        Ok(())
    }

    fn names_it_all(&self, message: &str) -> Outcome {
        match self.words.iter().find(|word| !message.contains(*word)) {
            None => Ok(()),
            Some(word) => Err(Failure::because(format!(
                "the condition does not say {word:?}: {message}"
            ))),
        }
    }
}

/// Another sync of the namespace still follows the vault.
async fn goes_on(stage: &Stage, case: &str) -> Outcome {
    let neighbour = format!("{case}-neighbour");
    let spec = GOOD.replace("$case", &neighbour);
    for value in ["t0psecret-1", "t0psecret-2"] {
        stage.put(&neighbour, &[("N", value)]).await?;
        stage.sync(&neighbour, &spec).await?;
        stage.refresh(&neighbour).await?;
        stage.await_secret(&neighbour, &[("N", value)]).await?;
    }
    Ok(())
}

/// Plays all of them at the same time, and tells of every one that goes wrong.
async fn play_all(cases: Vec<Bad>) -> Outcome {
    let plays = cases
        .iter()
        .map(|bad| async { (bad.case, bad.play().await) });
    let failures: Vec<String> = join_all(plays)
        .await
        .into_iter()
        .filter_map(|(case, outcome)| Some(format!("=== {case}: {}", outcome.err()?)))
        .collect();
    if failures.is_empty() {
        return Ok(());
    }
    Err(Failure::because(failures.join("\n")))
}
