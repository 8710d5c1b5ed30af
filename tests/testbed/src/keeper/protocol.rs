//! What the keeper and its client say to each other: one JSON document per line.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Raised whenever a message changes its shape, so that a stale keeper is noticed.
pub(super) const VERSION: u32 = 1;

/// A program to start.
#[derive(Clone, Serialize, Deserialize)]
pub struct Launch {
    /// Name in messages and of the log file, such as `etcd`.
    pub name: String,
    /// The program: a path, or a name that is looked up in `PATH`.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Environment variables. Without `inherit` these, `PATH` and `HOME` (the working directory)
    /// are all that the program sees, so that a developer's own settings cannot leak in.
    pub environment: BTreeMap<String, String>,
    /// Whether the program sees the environment of the keeper, too.
    pub inherit: bool,
    /// Working directory.
    pub directory: PathBuf,
    /// File that standard output and standard error are appended to.
    pub log: PathBuf,
}

/// The environment may hold tokens: only the names are shown.
impl fmt::Debug for Launch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Launch")
            .field("name", &self.name)
            .field("program", &self.program)
            .field("environment", &self.environment.keys())
            .finish_non_exhaustive()
    }
}

/// A signal for a program's whole process group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signal {
    /// SIGTERM: asks it to end.
    Terminate,
    /// SIGINT: what Ctrl-C sends.
    Interrupt,
    /// SIGKILL: ends it at once, in the middle of whatever it does.
    Kill,
    /// SIGSTOP: freezes it; its sockets stay open and unanswered.
    Pause,
    /// SIGCONT: lets a frozen one go on.
    Resume,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Its exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
}

impl Exit {
    /// Whether it ended by itself with code 0.
    pub fn success(self) -> bool {
        self.code == Some(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal) {
            (Some(code), _) => write!(formatter, "exit code {code}"),
            (None, Some(signal)) => write!(formatter, "signal {signal}"),
            (None, None) => formatter.write_str("an unknown status"),
        }
    }
}

/// From the client.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) id: u64,
    pub(super) order: Order,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order {
    Spawn(Launch),
    Signal { process: u32, signal: Signal },
}

/// From the keeper.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Message {
    /// The first line.
    Ready { version: u32, directory: PathBuf },
    /// The answer to a request: the process id, or why it could not be done.
    Answer {
        id: u64,
        outcome: Result<u32, String>,
    },
    /// A program ended.
    Exited { process: u32, exit: Exit },
}
