//! One check of a store.

use std::sync::Arc;
use std::time::Duration;

use penstock_domain::api::status::ConditionStatus;
use penstock_domain::api::store::{ClusterSecretStore, SecretStore, StoreStatus};
use penstock_domain::conditions::ConditionType;
use penstock_domain::fault::Fault;
use penstock_domain::names::NamespaceName;
use penstock_domain::report::store::{CheckedStore, checked};
use penstock_domain::schedule::Next;
use penstock_domain::stores::Capabilities;
use penstock_domain::sync::{StoreKind, StoreReference};
use penstock_observability::telemetry::StoreChecked;

use super::status::{Holder, Write, write_status};
use super::sync::API_VERSION;
use super::{AFTER_CONFLICT, NextTurn, StoreMemory, TurnEnd, Worker};
use crate::events::Regarding;
use crate::queue::{Causes, Urgency};
use crate::world::{Change, References, StoreKey, Subject, TrackedStore, Wake};

/// How soon a store that was ready is checked again before it is called anything else: a blip is no news.
const SECOND_LOOK: Duration = Duration::from_secs(5);

impl Worker {
    /// One check of one store.
    pub(crate) async fn check_store(
        &self,
        key: &StoreKey,
        causes: Causes,
        memory: &mut StoreMemory,
    ) -> TurnEnd {
        if causes.contain(Causes::SOURCE) || causes.contain(Causes::DELETION) {
            self.close_store(key); // what it logs in with changed, or it is gone
        }
        let Some(store) = self.world.store(key) else {
            return TurnEnd::gone();
        };
        memory.belong_to(&store.uid);
        let subject = Subject::Store(key.clone());
        let references_changed = self.world.refer(subject, References::of_store(&store));
        let found = match &store.object {
            Ok(object) => self.probe.check(object).await, // I/O: a login and a cheap read
            Err(fault) => Err(fault.clone()),
        };
        let former = store.status();
        let was_ready = is_ready(&former);
        if let Err(fault) = &found
            && was_ready
            && fault.class.is_transient()
            && memory.first_doubt()
        {
            let next = NextTurn::After(SECOND_LOOK.max(fault.retry_after().unwrap_or_default()));
            return TurnEnd {
                next,
                references_changed,
                ..TurnEnd::default()
            };
        }
        let about = CheckedStore {
            former: &former,
            generation: store.generation,
            provider: store.provider.as_deref(),
        };
        let (status, notes) = checked(about, &found, self.clock().now()); // pure
        self.tell(&regarding(&store), &notes, &mut memory.repetition);
        self.store_checked(&store, &found, status != former);
        let write = self.write_store(&store, &status).await; // I/O: one status write, if there is news
        let heals = found.is_ok() && !was_ready && former != StoreStatus::default();
        TurnEnd {
            next: self.next_check(&write, &found, memory),
            rests: matches!(write, StoreWrite::Done),
            references_changed,
            wakes: if heals {
                self.wake_dependants(key)
            } else {
                Vec::new()
            },
        }
    }

    fn close_store(&self, key: &StoreKey) {
        let kind = match key.namespace() {
            Some(_) => StoreKind::Namespaced,
            None => StoreKind::Cluster,
        };
        let home = key.namespace().unwrap_or(self.world.operator_namespace());
        self.stores.close_one(
            home,
            &StoreReference {
                kind,
                name: key.name().clone(),
            },
        );
    }

    fn store_checked(&self, store: &TrackedStore, found: &Result<Capabilities, Fault>, news: bool) {
        let failure = found
            .as_ref()
            .err()
            .map(|fault| (fault.reason, fault.to_string()));
        StoreChecked {
            kind: store.key.kind(),
            object: &store.key.to_string(),
            failure: failure
                .as_ref()
                .map(|(reason, why)| (*reason, why.as_str())),
            news,
        }
        .emit(&self.metrics);
    }

    /// Those whose reads failed read again; the others have nothing due and do nothing.
    fn wake_dependants(&self, key: &StoreKey) -> Vec<Wake> {
        let wake = |subject| Wake {
            subject,
            urgency: Urgency::Routine,
            causes: Causes::SCHEDULE,
        };
        self.world.dependants(key).into_iter().map(wake).collect()
    }

    fn next_check(
        &self,
        write: &StoreWrite,
        found: &Result<Capabilities, Fault>,
        memory: &mut StoreMemory,
    ) -> NextTurn {
        let next = match (write, found) {
            (StoreWrite::Overtaken, _) => Next::After(AFTER_CONFLICT),
            (_, Err(fault)) if fault.class.is_transient() => Next::Retry {
                at_least: fault.retry_after().unwrap_or_default(),
                at_most: self.store_check_interval,
            },
            (StoreWrite::Failed, _) => Next::Retry {
                at_least: AFTER_CONFLICT,
                at_most: self.store_check_interval,
            },
            _ => Next::Interval(self.store_check_interval),
        };
        let pause = memory.pause(next, found.is_err());
        pause.map_or(NextTurn::WhenWoken, NextTurn::After)
    }

    async fn write_store(&self, store: &TrackedStore, status: &StoreStatus) -> StoreWrite {
        if !self.may_write() {
            return StoreWrite::Overtaken;
        }
        let holder = Holder {
            kind: store.key.kind(),
            namespace: store.key.namespace().map(NamespaceName::as_str),
            name: store.key.name().as_str(),
            uid: &store.uid,
            resource_version: &store.resource_version,
        };
        let (client, metrics, old) = (&self.client, &self.metrics, store.status_value());
        let (outcome, written) = if holder.namespace.is_some() {
            let write = write_status::<SecretStore>(client, metrics, &holder, &old, status).await;
            split(write, TrackedStore::of_namespace)
        } else {
            let home = self.world.operator_namespace();
            let write =
                write_status::<ClusterSecretStore>(client, metrics, &holder, &old, status).await;
            split(write, |lean| TrackedStore::of_cluster(lean, home))
        };
        if let Some(store) = written {
            self.world
                .apply(Change::Store(store.key.clone(), Some(Arc::new(store))));
        }
        outcome
    }
}

/// What became of a store's status.
enum StoreWrite {
    Nothing,
    Done,
    Overtaken,
    Failed,
}

fn split<K>(
    write: Write<K>,
    track: impl FnOnce(crate::objects::Lean<K>) -> Option<TrackedStore>,
) -> (StoreWrite, Option<TrackedStore>) {
    match write {
        Write::Nothing => (StoreWrite::Nothing, None),
        Write::Done(object) => (StoreWrite::Done, track(*object)),
        Write::Overtaken => (StoreWrite::Overtaken, None),
        Write::Failed => (StoreWrite::Failed, None),
    }
}

fn is_ready(status: &StoreStatus) -> bool {
    status.conditions.iter().any(|condition| {
        condition.condition_type == ConditionType::Ready.as_str()
            && condition.status == ConditionStatus::True
    })
}

fn regarding(store: &TrackedStore) -> Regarding {
    Regarding {
        api_version: API_VERSION,
        kind: store.key.kind(),
        namespace: store.key.namespace().map(ToString::to_string),
        name: store.key.name().to_string(),
        uid: store.uid.to_string(),
    }
}
