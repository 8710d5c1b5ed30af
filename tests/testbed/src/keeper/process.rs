//! One running program.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::client::{Keeper, KeeperError, Started};
use super::protocol::{Exit, Signal};
use crate::usage::{Usage, UsageError};

const TAIL_LINES: usize = 30;

/// A program that the keeper runs for us. Dropping it kills it.
pub struct Process {
    keeper: Arc<Keeper>,
    name: String,
    log: PathBuf,
    id: u32,
    exit: watch::Receiver<Option<Exit>>,
}

impl Process {
    pub(super) fn new(keeper: Arc<Keeper>, name: String, log: PathBuf, started: Started) -> Self {
        Self {
            keeper,
            name,
            log,
            id: started.process,
            exit: started.exit,
        }
    }

    /// Its name, as given in [`Launch`](super::Launch).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The file that it writes its output to.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// All that it has written so far.
    pub fn log(&self) -> io::Result<String> {
        read_log(&self.log)
    }

    /// How it ended, if it has.
    pub fn exit(&self) -> Option<Exit> {
        *self.exit.borrow()
    }

    /// Waits until it ends.
    pub async fn wait(&self) -> Exit {
        let mut exit = self.exit.clone();
        let known = exit.wait_for(Option::is_some).await;
        known.ok().and_then(|exit| *exit).unwrap_or(Exit {
            code: None,
            signal: None,
        })
    }

    /// Sends a signal to its process group.
    pub async fn signal(&self, signal: Signal) -> Result<(), KeeperError> {
        self.keeper.signal(&self.name, self.id, signal).await
    }

    /// Ends it with SIGKILL and waits until it is gone. One that has ended already is fine.
    pub async fn kill(&self) -> Result<Exit, KeeperError> {
        self.end(Signal::Kill).await
    }

    /// Ends it with SIGTERM, and with SIGKILL after `grace`, and waits until it is gone.
    pub async fn terminate(&self, grace: Duration) -> Result<Exit, KeeperError> {
        match tokio::time::timeout(grace, self.end(Signal::Terminate)).await {
            Ok(ended) => ended,
            Err(_too_late) => self.kill().await,
        }
    }

    /// Memory and CPU time that it uses now.
    pub fn usage(&self) -> Result<Usage, UsageError> {
        Usage::of(self.id)
    }

    async fn end(&self, signal: Signal) -> Result<Exit, KeeperError> {
        match self.signal(signal).await {
            Ok(()) => Ok(self.wait().await),
            Err(error) => self.exit().ok_or(error),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.exit().is_none() {
            self.keeper.kill_soon(self.id);
        }
    }
}

/// The end of a log, for an error message.
pub(crate) fn log_tail(path: &Path) -> String {
    let log = read_log(path).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    let start = lines.len().saturating_sub(TAIL_LINES);
    lines.get(start..).unwrap_or_default().join("\n")
}

/// Reads a log; bytes that are not UTF-8 are replaced.
pub(crate) fn read_log(path: &Path) -> io::Result<String> {
    std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}
