//! Hints that something in a store has changed, whoever gives them: many become a few reads.

use std::sync::{Mutex, PoisonError};

use penstock_domain::names::NamespaceName;
use penstock_domain::stores::StoreNotices;
use penstock_domain::sync::StoreReference;
use tokio::sync::mpsc::Sender;
use tokio::time::Instant;

use crate::hooks::gathering::{Gathering, Read};
use crate::world::{Change, StoreKey};

/// Takes in hints for the leader. Others cannot do anything about them, and whoever leads next reads everything
/// anew.
#[derive(Default)]
pub struct StoreHints {
    changes: Mutex<Option<Sender<Change>>>,
    gathering: Mutex<Gathering>,
}

impl StoreHints {
    /// This process leads: hints go here.
    pub(crate) fn begin(&self, changes: Sender<Change>) {
        *self.changes.lock().unwrap_or_else(PoisonError::into_inner) = Some(changes);
    }

    /// This process leads no longer.
    pub(crate) fn end(&self) {
        *self.changes.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether this process leads.
    pub(crate) fn is_heard(&self) -> bool {
        self.leading().is_some()
    }

    /// Whoever reads from `store` reads: at once, or with those who are told of in the next seconds.
    pub(crate) fn hint(&self, store: StoreKey) {
        let Some(changes) = self.leading() else {
            return;
        };
        let read = {
            let mut gathering = self
                .gathering
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            gathering.hint(&store, Instant::now())
        };
        let at = match read {
            Read::Coming => return,
            Read::Now => Instant::now(),
            Read::At(at) => at,
        };
        tokio::spawn(async move {
            tokio::time::sleep_until(at).await;
            drop(changes.send(Change::Hook(store)).await);
        });
    }

    fn leading(&self) -> Option<Sender<Change>> {
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        changes.clone().filter(|changes| !changes.is_closed())
    }
}

impl StoreNotices for StoreHints {
    fn changed(&self, home: &NamespaceName, store: &StoreReference) {
        self.hint(StoreKey::meant_by(home, store));
    }
}

#[cfg(test)]
mod tests {
    use penstock_domain::names::ObjectName;
    use penstock_domain::sync::StoreKind;
    use tokio::sync::mpsc::channel;

    use super::*;

    fn store(kind: StoreKind) -> StoreReference {
        StoreReference {
            kind,
            name: ObjectName::new("db").unwrap(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_storm_the_first_wakes_at_once_and_the_rest_once_more() {
        let hints = StoreHints::default();
        let home = NamespaceName::new("prod").unwrap();
        hints.changed(&home, &store(StoreKind::Namespaced));
        let (sender, mut changes) = channel(16);
        hints.begin(sender);
        let begun = Instant::now();
        for _ in 0..1_000 {
            hints.changed(&home, &store(StoreKind::Namespaced));
        }
        for seconds in [0, 5] {
            let Some(Change::Hook(key)) = changes.recv().await else {
                panic!("no hint");
            };
            assert_eq!(key.to_string(), "prod/db");
            assert_eq!(begun.elapsed().as_secs(), seconds);
        }
        hints.changed(&home, &store(StoreKind::Cluster));
        let Some(Change::Hook(key)) = changes.recv().await else {
            panic!("no hint");
        };
        assert_eq!(key.namespace(), None, "a store of the cluster, at once");
        hints.end();
        hints.changed(&home, &store(StoreKind::Cluster));
        assert!(changes.recv().await.is_none(), "nobody leads");
    }
}
