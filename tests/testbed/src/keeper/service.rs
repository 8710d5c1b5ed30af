//! A program that can be ended and started again with the same settings.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::client::{Keeper, KeeperError};
use super::process::Process;
use super::protocol::{Exit, Launch, Signal};

/// A program that may be running or not.
pub struct Service {
    keeper: Arc<Keeper>,
    launch: Launch,
    running: Mutex<Option<Process>>,
}

impl Service {
    /// A service that is not started yet.
    pub fn new(keeper: &Arc<Keeper>, launch: Launch) -> Self {
        Self {
            keeper: Arc::clone(keeper),
            launch,
            running: Mutex::new(None),
        }
    }

    /// The file that it writes its output to, all runs in one.
    pub fn log_path(&self) -> &Path {
        &self.launch.log
    }

    /// Starts it, unless it runs.
    pub async fn start(&self) -> Result<(), KeeperError> {
        let mut running = self.running.lock().await;
        if running
            .as_ref()
            .is_none_or(|process| process.exit().is_some())
        {
            *running = Some(self.keeper.spawn(self.launch.clone()).await?);
        }
        Ok(())
    }

    /// Ends it with SIGKILL and waits until it is gone.
    pub async fn kill(&self) -> Result<(), KeeperError> {
        if let Some(process) = self.running.lock().await.take() {
            process.kill().await?;
        }
        Ok(())
    }

    /// Ends it with SIGTERM, and with SIGKILL after `grace`, and waits until it is gone.
    pub async fn terminate(&self, grace: Duration) -> Result<Option<Exit>, KeeperError> {
        match self.running.lock().await.take() {
            Some(process) => process.terminate(grace).await.map(Some),
            None => Ok(None),
        }
    }

    /// Sends a signal, if it runs.
    pub async fn signal(&self, signal: Signal) -> Result<(), KeeperError> {
        match self.running.lock().await.as_ref() {
            Some(process) => process.signal(signal).await,
            None => Ok(()),
        }
    }

    /// How the last run ended, if it has.
    pub async fn exit(&self) -> Option<Exit> {
        self.running.lock().await.as_ref().and_then(Process::exit)
    }

    /// Its process id, if it runs.
    pub async fn id(&self) -> Option<u32> {
        let running = self.running.lock().await;
        let alive = running.as_ref().filter(|process| process.exit().is_none());
        alive.map(Process::id)
    }
}
