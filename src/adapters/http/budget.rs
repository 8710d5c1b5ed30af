//! One bound for all bodies in flight, shared fairly by namespace.
//!
//! Small bodies take a small place. A body that outgrows it takes one of few large places, which holds the
//! largest body there may be, so whoever has one needs nothing more and finishes: no two readers can wait
//! for each other. A namespace may hold a quarter of the places of either kind.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::MAX_BODY_BYTES;

/// What fits into a small place, in bytes.
pub const SMALL_BODY_BYTES: usize = 64 * 1024;

const SMALL_PLACES: usize = 256;
const LARGE_PLACES: usize = 8;
/// A namespace may hold one place in this many.
const PART_OF_NAMESPACE: usize = 4;

/// The most bytes of bodies that are in flight at once: 80 MiB.
pub const BUDGET_BYTES: usize = SMALL_PLACES * SMALL_BODY_BYTES + LARGE_PLACES * MAX_BODY_BYTES;

/// The budget of one process.
#[derive(Debug)]
pub struct ByteBudget {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
    namespaces: Mutex<HashMap<String, Weak<Part>>>,
}

/// What one namespace may hold.
#[derive(Debug)]
struct Part {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

/// One namespace's part of the budget; a cluster-wide store has the empty namespace's.
#[derive(Debug, Clone)]
pub struct BudgetShare {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
    part: Arc<Part>,
}

/// A permit of the namespace's part and one of the whole. The semaphores are never closed, so both are
/// there; without them a body would merely go uncounted.
type Permits = [Option<OwnedSemaphorePermit>; 2];

/// The place of one body. Lives as long as the body.
#[derive(Debug)]
pub struct Place {
    share: BudgetShare,
    _small: Permits,
    large: Option<Permits>,
}

impl Default for ByteBudget {
    fn default() -> Self {
        Self {
            small: Arc::new(Semaphore::new(SMALL_PLACES)),
            large: Arc::new(Semaphore::new(LARGE_PLACES)),
            namespaces: Mutex::default(),
        }
    }
}

impl ByteBudget {
    /// The part of `namespace`.
    pub fn share(&self, namespace: &str) -> BudgetShare {
        let mut namespaces = self
            .namespaces
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        namespaces.retain(|_, share| share.strong_count() > 0);
        let part = namespaces
            .get(namespace)
            .and_then(Weak::upgrade)
            .unwrap_or_else(|| Arc::new(Part::new()));
        namespaces.insert(namespace.to_owned(), Arc::downgrade(&part));
        BudgetShare {
            small: Arc::clone(&self.small),
            large: Arc::clone(&self.large),
            part,
        }
    }
}

impl Part {
    fn new() -> Self {
        Self {
            small: Arc::new(Semaphore::new(SMALL_PLACES / PART_OF_NAMESPACE)),
            large: Arc::new(Semaphore::new(LARGE_PLACES / PART_OF_NAMESPACE)),
        }
    }
}

async fn take(part: &Arc<Semaphore>, whole: &Arc<Semaphore>) -> Permits {
    let own = Arc::clone(part).acquire_owned().await;
    let shared = Arc::clone(whole).acquire_owned().await;
    [own.ok(), shared.ok()]
}

impl BudgetShare {
    /// Takes a place for a body of at most [`SMALL_BODY_BYTES`], waiting in turn.
    pub async fn enter(&self) -> Place {
        Place {
            _small: take(&self.part.small, &self.small).await,
            share: self.clone(),
            large: None,
        }
    }
}

impl Place {
    /// Makes room for a body of up to [`MAX_BODY_BYTES`], waiting in turn.
    pub async fn grow(&mut self) {
        if self.large.is_none() {
            self.large = Some(take(&self.share.part.large, &self.share.large).await);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;

    use super::*;

    fn is_ready(future: impl Future) -> bool {
        futures::FutureExt::now_or_never(future).is_some()
    }

    async fn large(share: &BudgetShare) -> Place {
        let mut place = share.enter().await;
        place.grow().await;
        place
    }

    #[tokio::test]
    async fn a_namespace_cannot_take_every_large_place() {
        let budget = ByteBudget::default();
        let greedy = budget.share("a");
        let held = [large(&greedy).await, large(&greedy).await];
        assert!(!is_ready(large(&greedy)));
        assert!(
            !is_ready(large(&budget.share("a"))),
            "by another store of it"
        );
        assert!(is_ready(large(&budget.share("b"))));
        drop(held);
        assert!(is_ready(large(&greedy)));
    }

    #[tokio::test]
    async fn all_large_places_together_are_bounded() {
        let budget = ByteBudget::default();
        let shares: Vec<_> = ["a", "b", "c", "d", "e"]
            .map(|name| budget.share(name))
            .into();
        let mut held = Vec::new();
        for share in shares.iter().take(4) {
            held.push(large(share).await);
            held.push(large(share).await);
        }
        let last = shares.last().unwrap();
        let mut waiting = pin!(large(last));
        assert!(futures::poll!(&mut waiting).is_pending());
        assert!(is_ready(last.enter()), "small bodies still go through");
        held.pop();
        assert!(futures::poll!(&mut waiting).is_ready());
    }

    #[tokio::test]
    async fn small_places_are_bounded_and_come_back() {
        let budget = ByteBudget::default();
        let share = budget.share("");
        let mut held = Vec::new();
        for _ in 0..SMALL_PLACES / PART_OF_NAMESPACE {
            held.push(share.enter().await);
        }
        // So much was taken that tokio would make the next one wait its turn.
        tokio::task::yield_now().await;
        assert!(!is_ready(share.enter()));
        assert!(is_ready(budget.share("other").enter()));
        held.clear();
        assert!(is_ready(share.enter()));
    }
}
