//! The keeper as seen by those who use it.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::{oneshot, watch};

use super::process::Process;
use super::protocol::{Exit, Launch, Message, Order, Request, Signal, VERSION};

/// Why something could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// The keeper's program did not start.
    #[error("cannot start the keeper {}", .program.display())]
    Start {
        /// Its path.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The keeper on disk speaks another version of the protocol.
    #[error(
        "the keeper {} is of another version: build it again with `cargo build -p penstock-testbed`",
        .program.display()
    )]
    Stale {
        /// Its path.
        program: PathBuf,
    },
    /// The keeper has ended.
    #[error("the keeper has ended")]
    Ended,
    /// The keeper refused an order.
    #[error("the keeper refused {name}: {reason}")]
    Refused {
        /// The program that the order was about.
        name: String,
        /// Why, in the system's words.
        reason: String,
    },
}

/// A running keeper. It ends, and with it everything it runs, when the last clone of the `Arc` is
/// dropped or when this process ends, in whatever way.
pub struct Keeper {
    input: Mutex<Option<ChildStdin>>,
    directory: PathBuf,
    next: AtomicU64,
    shared: Arc<Shared>,
    ended: watch::Receiver<bool>,
}

type Answer = Result<Started, String>;

/// What a spawn order brings: the process and the place where its end will be told.
pub(super) struct Started {
    pub(super) process: u32,
    pub(super) exit: watch::Receiver<Option<Exit>>,
}

#[derive(Default)]
struct Shared {
    pending: Mutex<HashMap<u64, oneshot::Sender<Answer>>>,
    exits: Mutex<HashMap<u32, watch::Sender<Option<Exit>>>>,
}

impl Keeper {
    /// Starts the keeper from `program`, which is `penstock-testbed` itself.
    pub async fn start(program: &Path) -> Result<Arc<Self>, KeeperError> {
        let failed = |source| KeeperError::Start {
            program: program.to_path_buf(),
            source,
        };
        // A group of its own: what kills ours with SIGKILL must not kill the one who cleans up.
        let mut child = Command::new(program)
            .arg("keeper")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (input, output) = pipes.ok_or(KeeperError::Ended)?;
        let shared = Arc::new(Shared::default());
        let (greet, greeting) = oneshot::channel();
        let (end, ended) = watch::channel(false);
        let listener = Arc::clone(&shared);
        thread::Builder::new()
            .name("keeper".into())
            .spawn(move || listen(child, output, &listener, greet, &end))
            .map_err(failed)?;
        let (version, directory) = greeting.await.map_err(|_| KeeperError::Ended)?;
        if version != VERSION {
            return Err(KeeperError::Stale {
                program: program.to_path_buf(),
            });
        }
        Ok(Arc::new(Self {
            input: Mutex::new(Some(input)),
            directory,
            next: AtomicU64::new(1),
            shared,
            ended,
        }))
    }

    /// The temporary directory, removed when the keeper ends.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Starts a program. It is killed when the [`Process`] is dropped.
    pub async fn spawn(self: &Arc<Self>, launch: Launch) -> Result<Process, KeeperError> {
        let name = launch.name.clone();
        let log = launch.log.clone();
        let started = self.order(&name, Order::Spawn(launch)).await?;
        Ok(Process::new(Arc::clone(self), name, log, started))
    }

    /// Ends the keeper and waits until everything is gone.
    pub async fn close(&self) {
        drop(lock(&self.input).take());
        let mut ended = self.ended.clone();
        // An error means that the listening thread has ended, too.
        drop(ended.wait_for(|ended| *ended).await);
    }

    pub(super) async fn signal(
        &self,
        name: &str,
        process: u32,
        signal: Signal,
    ) -> Result<(), KeeperError> {
        self.order(name, Order::Signal { process, signal })
            .await
            .map(|_| ())
    }

    /// Kills without waiting for an answer: for destructors.
    pub(super) fn kill_soon(&self, process: u32) {
        let signal = Signal::Kill;
        // A keeper that cannot be told has ended, and its children with it.
        drop(self.write(&Request {
            id: 0,
            order: Order::Signal { process, signal },
        }));
    }

    async fn order(&self, name: &str, order: Order) -> Result<Started, KeeperError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        lock(&self.shared.pending).insert(id, sender);
        if self.write(&Request { id, order }).is_err() {
            lock(&self.shared.pending).remove(&id);
            return Err(KeeperError::Ended);
        }
        let answer = answer.await.map_err(|_| KeeperError::Ended)?;
        answer.map_err(|reason| KeeperError::Refused {
            name: name.to_owned(),
            reason,
        })
    }

    fn write(&self, request: &Request) -> io::Result<()> {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        let mut input = lock(&self.input);
        let input = input.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        input.write_all(&line)?;
        input.flush()
    }
}

/// Reads the keeper's lines until there are no more, then collects the keeper itself.
fn listen(
    mut child: Child,
    output: ChildStdout,
    shared: &Shared,
    greet: oneshot::Sender<(u32, PathBuf)>,
    end: &watch::Sender<bool>,
) {
    let mut greet = Some(greet);
    for line in BufReader::new(output).lines() {
        let Ok(line) = line else { break };
        match serde_json::from_str(&line) {
            Ok(Message::Ready { version, directory }) => {
                if let Some(greet) = greet.take() {
                    // Nobody waits any more: the start was given up.
                    drop(greet.send((version, directory)));
                }
            }
            Ok(Message::Answer { id, outcome }) => shared.answer(id, outcome),
            Ok(Message::Exited { process, exit }) => {
                if let Some(told) = lock(&shared.exits).remove(&process) {
                    told.send_replace(Some(exit));
                }
            }
            Err(_) => break,
        }
    }
    drop(child.wait());
    lock(&shared.pending).clear();
    lock(&shared.exits).clear();
    end.send_replace(true);
}

impl Shared {
    fn answer(&self, id: u64, outcome: Result<u32, String>) {
        let answer = outcome.map(|process| {
            let mut exits = lock(&self.exits);
            let told = exits
                .entry(process)
                .or_insert_with(|| watch::channel(None).0);
            Started {
                process,
                exit: told.subscribe(),
            }
        });
        if let Some(waiting) = lock(&self.pending).remove(&id) {
            // Nobody waits any more: dropping the answer is right.
            drop(waiting.send(answer));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
