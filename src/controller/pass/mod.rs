//! One turn of one object: what it needs is gathered, the engine runs, and what is news is written.

mod cleanup;
mod memory;
mod stamp;
mod status;
mod store;
mod sync;

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use penstock_domain::engine::{Engine, EventNote};
use penstock_domain::ports::Clock;
use penstock_domain::stores::StoreProbe;
use penstock_observability::metrics::Metrics;
use tokio::sync::Notify;
use tokio::time::Instant;

pub(crate) use self::memory::{ObjectMemory, StoreMemory, SyncMemory};
use crate::events::{EventPublisher, Regarding, Repetition};
use crate::queue::Causes;
use crate::run::OpenStores;
use crate::world::{Wake, World};

/// What every turn has at hand.
pub(crate) struct Worker {
    /// What is known of the cluster.
    pub(crate) world: Arc<World>,
    /// Runs passes.
    pub(crate) engine: Engine,
    /// Checks stores.
    pub(crate) probe: Arc<dyn StoreProbe>,
    /// Stores that are kept open.
    pub(crate) stores: Arc<dyn OpenStores>,
    /// The way to the API server.
    pub(crate) client: Client,
    /// Where Events are left.
    pub(crate) events: EventPublisher,
    /// How often stores are checked.
    pub(crate) store_check_interval: Duration,
    /// Whether ClusterSecretSyncs are stamped, or told that they are not.
    pub(crate) stamps: bool,
    /// Where turns are counted.
    pub(crate) metrics: Arc<Metrics>,
}

/// Why an object has its turn, and what may come in between.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TurnCall<'a> {
    /// Why.
    pub(crate) causes: Causes,
    /// Told when a target changes while the turn is under way.
    pub(crate) repair: &'a Notify,
}

/// What a turn came to.
#[derive(Debug, Default)]
pub(crate) struct TurnEnd {
    /// When the next one is wanted.
    pub(crate) next: NextTurn,
    /// Whether the object must rest, because its status was written.
    pub(crate) rests: bool,
    /// Whether other objects than before are read by name.
    pub(crate) references_changed: bool,
    /// Who must be woken for it.
    pub(crate) wakes: Vec<Wake>,
}

impl TurnEnd {
    /// The end of the last turn: the object is no more.
    fn gone() -> Self {
        Self {
            next: NextTurn::Gone,
            ..Self::default()
        }
    }
}

/// When the next turn is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum NextTurn {
    /// After this pause.
    After(Duration),
    /// When something changes.
    #[default]
    WhenWoken,
    /// Never: the object is no more.
    Gone,
}

/// How soon a turn is repeated when somebody else's write came in between. The watch brings it by then.
const AFTER_CONFLICT: Duration = Duration::from_secs(1);

impl Worker {
    /// Whether a write may start now.
    fn may_write(&self) -> bool {
        self.engine.ports.fence.may_write()
    }

    fn clock(&self) -> &dyn Clock {
        self.engine.ports.clock.as_ref()
    }

    /// Publishes what is news.
    fn tell(&self, regarding: &Regarding, notes: &[EventNote], repetition: &mut Repetition) {
        for EventNote {
            warning,
            reason,
            message,
        } in notes
        {
            if repetition.is_news(*reason, message, Instant::now()) {
                self.events
                    .tell(regarding.clone(), *warning, *reason, message.clone());
            } else {
                self.events.withhold(*reason);
            }
        }
    }
}
