//! The keeper's own process.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, SystemTime};

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use rustix::process::{Pid, Signal as OsSignal, kill_process_group};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal as Incoming, SignalKind, signal};

use super::protocol::{Exit, Launch, Message, Order, Request, Signal, VERSION};

const PREFIX: &str = "penstock-testbed-";
const LOCK: &str = "keeper.lock";
/// Time that killed programs get to disappear; only an uninterruptible system call needs any.
const GRACE: Duration = Duration::from_secs(10);
/// A directory younger than this may belong to a keeper that has not locked it yet.
const ABANDONED_AFTER: Duration = Duration::from_mins(1);

/// Why the keeper cannot keep.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The temporary directory could not be made or locked.
    #[error("cannot make the temporary directory")]
    MakeDirectory(#[source] io::Error),
    /// Signals could not be subscribed to.
    #[error("cannot listen for signals")]
    Listen(#[source] io::Error),
    /// The client could not be greeted.
    #[error("cannot write to standard output")]
    Greet(#[source] io::Error),
}

/// Serves one client on standard input and output until the input ends, or SIGTERM, SIGINT or
/// SIGHUP arrives; then kills everything it started and removes its directory, unless
/// `PENSTOCK_TESTBED_KEEP` is set (for a look at logs).
///
/// Must run on the main thread of a current-thread runtime: children are told to die with the
/// thread that started them.
pub async fn serve() -> Result<(), ServeError> {
    remove_abandoned(&std::env::temp_dir());
    let room = Room::make().map_err(ServeError::MakeDirectory)?;
    let listen = |kind| signal(kind).map_err(ServeError::Listen);
    let mut signals = [
        listen(SignalKind::terminate())?,
        listen(SignalKind::interrupt())?,
        listen(SignalKind::hangup())?,
    ];
    let mut keep = Keep {
        dies_with_us: dies_with_us().await,
        groups: BTreeMap::new(),
        exits: FuturesUnordered::new(),
    };
    say(&Message::Ready {
        version: VERSION,
        directory: room.path().to_path_buf(),
    })
    .map_err(ServeError::Greet)?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        tokio::select! {
            line = lines.next_line() => match line {
                Ok(Some(line)) => keep.obey(&line),
                Ok(None) | Err(_) => break,
            },
            Some((process, exit)) = keep.exits.next() => keep.note(process, exit),
            () = any(&mut signals) => break,
        }
    }
    keep.end().await;
    room.remove();
    Ok(())
}

struct Keep {
    dies_with_us: bool,
    groups: BTreeMap<u32, Pid>,
    exits: FuturesUnordered<BoxFuture<'static, (u32, Exit)>>,
}

impl Keep {
    fn obey(&mut self, line: &str) {
        let Ok(request) = serde_json::from_str::<Request>(line) else {
            return;
        };
        let outcome = match request.order {
            Order::Spawn(launch) => self.spawn(&launch),
            Order::Signal { process, signal } => self.signal(process, signal),
        };
        hear(&Message::Answer {
            id: request.id,
            outcome,
        });
    }

    fn spawn(&mut self, launch: &Launch) -> Result<u32, String> {
        let child = start(launch, self.dies_with_us)
            .map_err(|error| format!("cannot start {}: {error}", launch.program.display()))?;
        let process = child.id().ok_or("it ended at once")?;
        let group = i32::try_from(process)
            .ok()
            .and_then(Pid::from_raw)
            .ok_or("it has no process id")?;
        self.groups.insert(process, group);
        self.exits.push(wait(process, child).boxed());
        Ok(process)
    }

    fn signal(&self, process: u32, signal: Signal) -> Result<u32, String> {
        let group = *self.groups.get(&process).ok_or("it has ended")?;
        let signal = match signal {
            Signal::Terminate => OsSignal::TERM,
            Signal::Interrupt => OsSignal::INT,
            Signal::Kill => OsSignal::KILL,
            Signal::Pause => OsSignal::STOP,
            Signal::Resume => OsSignal::CONT,
        };
        kill_process_group(group, signal)
            .map(|()| process)
            .map_err(|error| error.to_string())
    }

    fn note(&mut self, process: u32, exit: Exit) {
        if let Some(group) = self.groups.remove(&process) {
            // What the program itself left behind. Failing means that there is nothing.
            let _ = kill_process_group(group, OsSignal::KILL);
        }
        hear(&Message::Exited { process, exit });
    }

    async fn end(&mut self) {
        for group in self.groups.values() {
            let _ = kill_process_group(*group, OsSignal::KILL);
        }
        let all_gone = async { while self.exits.next().await.is_some() {} };
        drop(tokio::time::timeout(GRACE, all_gone).await);
    }
}

async fn wait(process: u32, mut child: Child) -> (u32, Exit) {
    let exit = child.wait().await.map_or(
        Exit {
            code: None,
            signal: None,
        },
        |status: ExitStatus| Exit {
            code: status.code(),
            signal: status.signal(),
        },
    );
    (process, exit)
}

fn start(launch: &Launch, dies_with_us: bool) -> io::Result<Child> {
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&launch.log)?;
    let mut command = if dies_with_us {
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--"])
            .arg(&launch.program);
        command
    } else {
        Command::new(&launch.program)
    };
    if !launch.inherit {
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &launch.directory);
    }
    command
        .args(&launch.arguments)
        .envs(&launch.environment)
        .current_dir(&launch.directory)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0)
        .spawn()
}

/// Whether `setpriv` of util-linux is here: with it, children end even when the keeper itself is
/// killed with SIGKILL.
async fn dies_with_us() -> bool {
    Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "--", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await
        .is_ok_and(|status| status.success())
}

async fn any(signals: &mut [Incoming; 3]) {
    let received = signals.iter_mut().map(|signal| signal.recv().boxed());
    futures::future::select_all(received).await;
}

fn say(message: &Message) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    let mut output = io::stdout().lock();
    output.write_all(&line)?;
    output.flush()
}

/// Tells the client, which may be gone: then the end of the input is next.
fn hear(message: &Message) {
    drop(say(message));
}

/// The temporary directory, locked for as long as the keeper lives.
struct Room {
    directory: TempDir,
    lock: File,
}

impl Room {
    fn make() -> io::Result<Self> {
        let private = Permissions::from_mode(0o700);
        let directory = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(private)
            .tempdir()?;
        let lock = File::create(directory.path().join(LOCK))?;
        lock.lock()?;
        Ok(Self { directory, lock })
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn remove(self) {
        if std::env::var_os("PENSTOCK_TESTBED_KEEP").is_some() {
            // Without the lock file no later keeper takes it for abandoned.
            drop(std::fs::remove_file(self.path().join(LOCK)));
            drop(self.directory.keep());
        } else {
            drop(self.directory.close());
        }
        drop(self.lock);
    }
}

/// Removes the directories of keepers that were killed with SIGKILL: those whose lock is free.
fn remove_abandoned(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if ours && is_abandoned(&entry.path().join(LOCK)) {
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
}

fn is_abandoned(lock: &Path) -> bool {
    let Ok(file) = File::open(lock) else {
        return false;
    };
    let old = file
        .metadata()
        .and_then(|metadata| metadata.modified())
        .ok()
        .and_then(|modified| SystemTime::now().duration_since(modified).ok())
        .is_some_and(|age| age > ABANDONED_AFTER);
    old && !matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room_of_age(parent: &Path, age: Duration) -> (std::path::PathBuf, File) {
        let room = parent.join(format!("{PREFIX}{}", age.as_secs()));
        std::fs::create_dir(&room).unwrap();
        let lock = File::create(room.join(LOCK)).unwrap();
        lock.set_modified(SystemTime::now() - age).unwrap();
        (room, lock)
    }

    #[test]
    fn only_old_rooms_that_nobody_holds_are_removed() {
        let parent = tempfile::tempdir().unwrap();
        let (abandoned, _) = room_of_age(parent.path(), 2 * ABANDONED_AFTER);
        let (new, _) = room_of_age(parent.path(), Duration::ZERO);
        let (held, lock) = room_of_age(parent.path(), 3 * ABANDONED_AFTER);
        lock.lock().unwrap();
        let foreign = parent.path().join("something-else");
        std::fs::create_dir(&foreign).unwrap();
        remove_abandoned(parent.path());
        assert!(!abandoned.exists());
        assert!(new.exists() && held.exists() && foreign.exists());
    }
}
