//! What the record remembers of a rollout: enough to go on with it, or back, after any crash.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{RecordState, Rejection, StoredRevision};
use crate::conditions::Reason;
use crate::fault::{Fault, FaultClass};
use crate::keys::Revision;
use crate::validate::Objection;

/// How many revisions are remembered as revoked.
const REMEMBERED_REVOCATIONS: usize = 64;

/// A rollout that was begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RolloutRecord {
    /// What is rolled out.
    pub revision: Revision,
    /// What was in use and well before, to go back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<Revision>,
    /// Since when pods may have started on `revision`; of a rollback, since when on what it takes back.
    pub exposed: Timestamp,
    /// When each wave was seen healthy, where the next one waits for a pause.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub healthy: BTreeMap<String, Timestamp>,
    /// Every workload was healthy on it. Noted only where status tells of a change that waits instead.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub done: bool,
    /// It takes this revision back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes_back: Option<Revision>,
}

impl RecordState {
    /// Notes that `revision` is rolled out from now on. `proven`: the rollout of what was in use had ended well, so
    /// that one can go back to it.
    pub(crate) fn begin_rollout(&mut self, revision: &Revision, proven: bool, now: Timestamp) {
        let current = self.current.as_ref().map(|current| &current.revision);
        let Some(current) = current.filter(|current| *current != revision) else {
            return;
        };
        let unfinished = self
            .rollout
            .as_ref()
            .filter(|rollout| !proven && rollout.revision == *current);
        self.rollout = Some(RolloutRecord {
            revision: revision.clone(),
            former: match unfinished {
                Some(rollout) if rollout.takes_back.is_none() => rollout.former.clone(),
                _ => Some(current.clone()),
            },
            exposed: unfinished.map_or(now, |rollout| rollout.exposed),
            healthy: BTreeMap::new(),
            done: false,
            takes_back: None,
        });
    }

    /// Goes back from what is rolled out to `old`, which was in use before, and rejects what is taken back.
    pub(crate) fn go_back(&mut self, old: &Revision, rejection: Rejection, now: Timestamp) {
        let Some(at) = self.older.iter().position(|one| one.revision == *old) else {
            return;
        };
        let restored = self.older.remove(at);
        let exposed = self.rollout.as_ref().map_or(now, |rollout| rollout.exposed);
        self.rollout = Some(RolloutRecord {
            revision: restored.revision.clone(),
            former: None,
            exposed,
            healthy: BTreeMap::new(),
            done: false,
            takes_back: Some(rejection.revision.clone()),
        });
        // What was taken back is no good content: it is not kept.
        self.older.retain(|one| one.revision != rejection.revision);
        self.current = Some(restored);
        self.reject(rejection);
    }

    /// A content that is kept with its values, in use or older.
    pub fn stored(&self, revision: &str) -> Option<&StoredRevision> {
        let kept = self.current.iter().chain(&self.older);
        kept.into_iter()
            .find(|stored| stored.revision.as_str() == revision)
    }

    /// Whether a person has revoked it.
    pub fn is_revoked(&self, revision: &Revision) -> bool {
        self.revoked.contains(revision)
    }

    /// Purges revisions that leaked: none of them comes back. What is in use stays until something replaces it.
    pub(crate) fn revoke(&mut self, revisions: impl IntoIterator<Item = Revision>) {
        for revision in revisions.into_iter().take(REMEMBERED_REVOCATIONS) {
            if !self.revoked.contains(&revision) {
                self.revoked.insert(0, revision);
            }
        }
        self.revoked.truncate(REMEMBERED_REVOCATIONS);
        let revoked = &self.revoked;
        self.older
            .retain(|stored| !revoked.contains(&stored.revision));
        if let Some(rollout) = &mut self.rollout {
            rollout.former.take_if(|former| revoked.contains(former));
        }
    }

    /// Drops all older contents and all rejections, once per `wish`.
    pub(crate) fn forget(&mut self, wish: &str) {
        if self.forgotten.as_deref() == Some(wish) {
            return;
        }
        self.older.clear();
        self.rejected.clear();
        if let Some(rollout) = &mut self.rollout {
            rollout.former = None;
        }
        self.forgotten = Some(wish.to_owned());
    }
}

impl Rejection {
    /// What to tell of it, each time that the sources bring the candidate again.
    pub fn faults(&self) -> Vec<Fault> {
        let objections = self.objections.iter().map(Objection::rejected_before);
        objections.chain(self.cause_fault()).collect()
    }

    fn cause_fault(&self) -> Option<Fault> {
        let cause = self.cause.as_ref()?;
        let subject = format!("revision {}", self.revision);
        let message = format!("was tried and rejected: {cause}");
        let fault = Fault::new(FaultClass::Invalid, subject, message);
        Some(fault.because(Reason::RevisionRejected).hint(
            "It stays rejected until the source, `spec.validate` or `spec.rollout` changes, or somebody runs `penstock retry`",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::Bundle;

    fn stored(text: &str) -> StoredRevision {
        StoredRevision {
            revision: Revision::from_text(text),
            at: Timestamp::UNIX_EPOCH,
            bundle: Some(Bundle::default()),
            versions: BTreeMap::new(),
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn state(current: &str, older: &[&str]) -> RecordState {
        RecordState {
            current: Some(stored(current)),
            older: older.iter().map(|text| stored(text)).collect(),
            ..RecordState::default()
        }
    }

    fn former(state: &RecordState) -> Option<&str> {
        state
            .rollout
            .as_ref()?
            .former
            .as_ref()
            .map(Revision::as_str)
    }

    #[test]
    fn one_goes_back_to_what_was_well_and_not_to_what_never_was() {
        let mut state = state("a", &[]);
        let b = Revision::from_text("b");
        state.begin_rollout(&b, true, at(1));
        assert_eq!(former(&state), Some("a"));
        // Before `b` is everywhere, `c` comes: `b` has proved nothing.
        state.older = vec![stored("a")];
        state.current = Some(stored("b"));
        state.begin_rollout(&Revision::from_text("c"), false, at(5));
        assert_eq!(former(&state), Some("a"));
        assert_eq!(state.rollout.as_ref().unwrap().exposed, at(1));
        state.current = Some(stored("c"));
        state.begin_rollout(&Revision::from_text("d"), true, at(9));
        assert_eq!(former(&state), Some("c"));
    }

    #[test]
    fn what_is_revoked_is_gone_and_nobody_goes_back_to_it() {
        let mut state = state("b", &["a"]);
        state.begin_rollout(&Revision::from_text("c"), true, at(1));
        state.revoke([Revision::from_text("a"), Revision::from_text("b")]);
        assert!(state.older.is_empty() && former(&state).is_none());
        assert!(state.is_revoked(&Revision::from_text("a")));
        assert_eq!(state.current.unwrap().revision.as_str(), "b");
    }

    #[test]
    fn forgetting_happens_once_for_each_wish() {
        let mut state = state("b", &["a"]);
        state.forget("1");
        assert!(state.older.is_empty());
        state.older = vec![stored("c")];
        state.forget("1");
        assert_eq!(state.older.len(), 1);
    }
}
