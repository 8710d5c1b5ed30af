//! Work that takes processor time, on a thread of its own.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use penstock_domain::ports::{Offload, Work};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Runs work on one of the runtime's threads for what blocks, one piece at a time.
#[derive(Debug, Clone)]
pub struct BlockingThread(Arc<Semaphore>);

/// The turns of the whole process.
static PROCESS: LazyLock<BlockingThread> = LazyLock::new(BlockingThread::default);

impl BlockingThread {
    /// The one whose turns everybody in the process takes: what costs memory and time is done once at a time,
    /// whoever asks for it.
    pub fn of_the_process() -> Self {
        PROCESS.clone()
    }
}

impl Default for BlockingThread {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

#[async_trait]
impl Offload for BlockingThread {
    async fn run(&self, work: Work) {
        let Ok(turn) = Arc::clone(&self.0).acquire_owned().await else {
            return;
        };
        let ended = spawn_blocking(move || {
            work();
            // Kept until here: a call that is dropped must not let the next piece begin beside this one.
            drop(turn);
        });
        // A panic was told by its hook; whoever waits for the result finds none.
        drop(ended.await);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use tokio::sync::oneshot;

    use super::*;

    /// The only thread of this runtime would wait for itself if the work ran on it.
    #[tokio::test]
    async fn the_thread_that_asks_goes_on_meanwhile() {
        let offload = BlockingThread::default();
        let (release, released) = mpsc::channel();
        let (began, beginning) = oneshot::channel();
        let work = async {
            let work = move || {
                began.send(()).unwrap();
                released.recv().unwrap();
            };
            offload.run(Box::new(work)).await;
        };
        let others = async {
            beginning.await.unwrap();
            release.send(()).unwrap();
        };
        tokio::join!(work, others);
    }

    #[tokio::test]
    async fn one_piece_is_done_at_a_time_even_if_a_call_is_dropped() {
        let offload = BlockingThread::default();
        let under_way = Arc::new(AtomicUsize::new(0));
        let (release, released) = mpsc::channel();
        let (began, beginning) = oneshot::channel();
        let count = Arc::clone(&under_way);
        let first = offload.run(Box::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
            began.send(()).unwrap();
            released.recv().unwrap();
            count.fetch_sub(1, Ordering::SeqCst);
        }));
        tokio::select! {
            biased;
            () = first => panic!("it ends before it is released"),
            began = beginning => began.unwrap(),
        }
        // The first call is dropped, its work goes on.
        let (count, found) = (Arc::clone(&under_way), Arc::new(AtomicUsize::new(9)));
        let seen = Arc::clone(&found);
        let second = offload.run(Box::new(move || {
            seen.store(count.load(Ordering::SeqCst), Ordering::SeqCst);
        }));
        let mut second = Box::pin(second);
        assert!(futures::poll!(&mut second).is_pending());
        release.send(()).unwrap();
        second.await;
        assert_eq!(found.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_piece_that_panics_gives_its_turn_back() {
        let offload = BlockingThread::default();
        offload.run(Box::new(|| panic!("a bug"))).await;
        let (sender, receiver) = oneshot::channel();
        offload
            .run(Box::new(move || sender.send(()).unwrap()))
            .await;
        receiver.await.unwrap();
    }
}
