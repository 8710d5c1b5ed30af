//! Lying in wait for one request.

use std::sync::{Arc, Mutex, PoisonError};

use hyper::StatusCode;
use tokio::sync::{oneshot, watch};

use super::request::{ApiRequest, Filter};

/// What happens to the request that is caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Snare {
    /// It is held back. [`Trap::release`] lets it through; dropping the trap cuts its connection,
    /// and the API server never sees it.
    Hold,
    /// It is done, and its answer is held back. [`Trap::release`] lets the answer through; dropping
    /// the trap cuts the connection, and the client never learns.
    HoldAnswer,
    /// It is done, and the connection is cut in place of an answer.
    DropAnswer,
    /// It is not done; this status is answered at once.
    Answer(StatusCode),
}

/// A trap that was set. Dropped unsprung, it is taken away; dropped sprung, what it holds is cut.
pub struct Trap {
    pub(super) caught: watch::Receiver<Option<ApiRequest>>,
    release: Mutex<Option<oneshot::Sender<()>>>,
}

impl Trap {
    /// Waits until the trap has caught its request; for [`Snare::HoldAnswer`] and
    /// [`Snare::DropAnswer`] the API server has done it by then. `None` when the proxy has ended.
    pub async fn sprung(&self) -> Option<ApiRequest> {
        let mut caught = self.caught.clone();
        let request = caught.wait_for(Option::is_some).await.ok()?;
        request.clone()
    }

    /// What it has caught, if anything.
    pub fn caught(&self) -> Option<ApiRequest> {
        self.caught.borrow().clone()
    }

    /// Lets through what is held.
    pub fn release(&self) {
        let mut release = self.release.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(release) = release.take() {
            // Nobody waits: nothing was held, or its client has gone.
            let _ = release.send(());
        }
    }
}

/// The proxy's side of a trap.
pub(super) struct Armed {
    filter: Filter,
    snare: Snare,
    left: usize,
    caught: watch::Sender<Option<ApiRequest>>,
    released: oneshot::Receiver<()>,
}

/// What a request that was caught has to go through.
pub(super) struct Catch {
    pub(super) snare: Snare,
    pub(super) caught: watch::Sender<Option<ApiRequest>>,
    /// Ends well on release, with an error when the trap is dropped.
    pub(super) released: oneshot::Receiver<()>,
}

/// All traps of one proxy, the oldest first.
#[derive(Clone, Default)]
pub(super) struct Traps(Arc<Mutex<Vec<Armed>>>);

impl Traps {
    /// Sets a trap for the `nth` (from 1) matching request from now on.
    pub(super) fn set(&self, filter: Filter, nth: usize, snare: Snare) -> Trap {
        let (caught, seen) = watch::channel(None);
        let (release, released) = oneshot::channel();
        let armed = Armed {
            filter,
            snare,
            left: nth.max(1),
            caught,
            released,
        };
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(armed);
        Trap {
            caught: seen,
            release: Mutex::new(Some(release)),
        }
    }

    /// Runs a request past all traps; the oldest whose turn it is catches it.
    pub(super) fn pass(&self, request: &ApiRequest) -> Option<Catch> {
        let mut traps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those whose owner has dropped them.
        traps.retain(|trap| !trap.caught.is_closed());
        let mut sprung = None;
        for (index, trap) in traps.iter_mut().enumerate() {
            if trap.filter.matches(request) {
                trap.left = trap.left.saturating_sub(1);
                if trap.left == 0 {
                    sprung = Some(index);
                    break;
                }
            }
        }
        let armed = traps.remove(sprung?);
        Some(Catch {
            snare: armed.snare,
            caught: armed.caught,
            released: armed.released,
        })
    }
}

#[cfg(test)]
mod tests {
    use hyper::Method;

    use super::*;

    fn write(name: &str) -> ApiRequest {
        let uri = format!("/api/v1/namespaces/a/secrets/{name}")
            .parse()
            .unwrap();
        ApiRequest::read(&Method::PATCH, &uri).unwrap()
    }

    #[test]
    fn the_nth_match_is_caught_and_no_other() {
        let traps = Traps::default();
        let _trap = traps.set(Filter::writes().name("x"), 2, Snare::Hold);
        assert!(traps.pass(&write("x")).is_none());
        assert!(traps.pass(&write("y")).is_none());
        assert!(traps.pass(&write("x")).is_some());
        assert!(traps.pass(&write("x")).is_none());
    }

    #[test]
    fn a_dropped_trap_catches_nothing() {
        let traps = Traps::default();
        drop(traps.set(Filter::writes(), 1, Snare::Hold));
        assert!(traps.pass(&write("x")).is_none());
    }

    #[tokio::test]
    async fn release_is_told_apart_from_drop() {
        let traps = Traps::default();
        let trap = traps.set(Filter::any(), 1, Snare::Hold);
        let caught = traps.pass(&write("x")).unwrap();
        trap.release();
        assert!(caught.released.await.is_ok());
        let trap = traps.set(Filter::any(), 1, Snare::Hold);
        let caught = traps.pass(&write("x")).unwrap();
        drop(trap);
        assert!(caught.released.await.is_err());
    }
}
