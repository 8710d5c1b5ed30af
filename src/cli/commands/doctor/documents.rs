//! Stores and syncs among documents: findings of what was tried.

use std::time::Duration;

use jiff::SignedDuration;
use penstock_domain::fault::Fault;
use penstock_domain::stores::{Capabilities, Capability, Quota};
use penstock_domain::sync::StoreReference;

use super::finding::{Finding, Grade};
use crate::output::plain;
use crate::report::{SyncReport, SyncState, Trouble};

/// Clocks that differ by more than this make logins fail that depend on time.
const MAX_SKEW: SignedDuration = SignedDuration::from_secs(30);
/// Less than one in so many requests left is worth a word.
const SCARCE: u64 = 10;
/// A login and a read that take longer are worth a word.
const SLOW: Duration = Duration::from_secs(2);

/// How a login and a cheap read went.
#[derive(Debug, Clone, Default)]
pub struct Tried {
    /// How long they took.
    pub took: Duration,
    /// How far the store's clock is ahead of ours, where it told the time.
    pub ahead: Option<SignedDuration>,
    /// How much more it may be asked, where it told.
    pub quota: Option<Quota>,
    /// Its hosts that are asked without TLS, those of this machine left out.
    pub unencrypted: Vec<String>,
}

/// How a store was found.
pub fn checked_store(
    store: &StoreReference,
    outcome: &Result<Capabilities, Fault>,
    tried: &Tried,
) -> Vec<Finding> {
    let about = store.to_string();
    let mut findings: Vec<Finding> = tried
        .unencrypted
        .iter()
        .map(|host| {
            let message = format!(
                "{} is asked without TLS: whoever is in between reads along",
                plain(host)
            );
            Finding::bad(
                &about,
                message,
                "Write `https://`, with `caBundle` where its authority is your own",
            )
        })
        .collect();
    match outcome {
        Ok(capabilities) => findings.extend(answered(&about, capabilities, tried)),
        Err(fault) => findings.push(Finding::fault(fault)),
    }
    findings
}

fn answered(about: &str, capabilities: &Capabilities, tried: &Tried) -> Vec<Finding> {
    let Tried {
        took, ahead, quota, ..
    } = tried;
    let words: Vec<&str> = capabilities
        .iter()
        .copied()
        .map(Capability::as_str)
        .collect();
    let message = format!(
        "reached, logged in and read in {} ms; it can {}",
        took.as_millis(),
        words.join(", ")
    );
    let mut findings = vec![Finding::good(about, message)];
    if *took > SLOW {
        let message = format!("login and one read took {:.1} s", took.as_secs_f32());
        let advice = "See what stands between; every sync waits as long for its first read";
        findings.push(Finding::notice(about, message, advice));
    }
    findings.extend(quota.map(|quota| left(about, quota)));
    if let Some(ahead) = ahead.filter(|ahead| ahead.abs() > MAX_SKEW) {
        let direction = if ahead.is_negative() {
            "behind"
        } else {
            "ahead of"
        };
        let message = format!("its clock is {} s {direction} ours", ahead.abs().as_secs());
        let advice = "Set both by NTP: tokens and certificates are refused early or late";
        findings.push(Finding::bad(about, message, advice));
    }
    findings
}

/// How much more a store may be asked.
fn left(about: &str, quota: Quota) -> Finding {
    let message = format!(
        "{} of {} requests are left in this window",
        quota.remaining, quota.limit
    );
    if quota.remaining.saturating_mul(SCARCE) > quota.limit {
        return Finding::good(about, message);
    }
    let advice = "Ask less often (`interval`), or less at a time (`spec.limits`); webhooks make up for a long interval";
    Finding::notice(about, message, advice)
}

/// How a sync was found: a plan of it, of which nothing is carried out.
pub fn checked_sync(sync: &SyncReport) -> Vec<Finding> {
    let about = format!("SecretSync {}/{}", sync.namespace, sync.name);
    let mut findings: Vec<Finding> = Vec::new();
    let troubles = sync.problems.iter().chain(&sync.stale);
    let blocked = sync
        .targets
        .iter()
        .filter_map(|target| target.blocked.as_ref());
    for trouble in troubles.chain(blocked) {
        let finding = troubled(&about, trouble);
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
    if let Some(held) = &sync.held {
        findings.push(Finding {
            grade: Grade::Notice,
            ..troubled(&about, held)
        });
    }
    if sync.state == SyncState::Suspended {
        let advice = "Take `spec.suspend` away when it shall go on";
        findings.push(Finding::notice(&about, "it is suspended", advice));
    }
    if findings.is_empty() {
        let keys: usize = sync.targets.iter().map(|target| target.keys.len()).sum();
        let message = format!(
            "its sources give all that it requires; {keys} keys in {} targets",
            sync.targets.len()
        );
        findings.push(Finding::good(about, message));
    }
    findings
}

fn troubled(about: &str, trouble: &Trouble) -> Finding {
    let message = format!(
        "{}: {} ({})",
        trouble.subject, trouble.message, trouble.reason
    );
    let advice = trouble.hint.clone().unwrap_or_else(|| {
        format!(
            "The reason {} is explained in the list of reasons, src/domain/conditions.rs",
            trouble.reason
        )
    });
    Finding::bad(about, message, advice)
}
