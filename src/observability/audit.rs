//! The audit trail: one JSON object per line, for every read, write, refusal, approval and restart (rule 10).
//!
//! Entries are written by a thread of their own, so that a slow disk or a full pipe never holds up a pass.
//! What does not fit into its queue is counted as lost, loudly: see `penstock_audit_entries_lost_total`.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use jiff::Timestamp;
use penstock_domain::audit::AuditEntry;
use penstock_domain::ports::Audit;
use serde::Serialize;

use crate::metrics::Metrics;
use crate::telemetry::AuditEntryLost;

/// Entries that wait for the writer at most.
const QUEUE: usize = 8_192;

/// Where the audit trail goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum AuditSink {
    /// Standard output; the log goes to standard error.
    #[default]
    Stdout,
    /// Standard error, between the log lines.
    Stderr,
    /// A file that is appended to and made with mode 0600.
    File(PathBuf),
}

impl FromStr for AuditSink {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "stdout" => Self::Stdout,
            "stderr" => Self::Stderr,
            path => Self::File(PathBuf::from(path)),
        })
    }
}

/// Why the audit trail could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenAudit {
    /// The file cannot be opened for appending.
    #[error("cannot open the audit file {path}")]
    OpenFile {
        /// Its path, as given.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// No thread for the writer.
    #[error("cannot start the writer of the audit trail")]
    StartWriter(#[source] io::Error),
}

/// The audit trail, open for entries. Closing (or dropping) it writes what still waits.
#[derive(Debug)]
pub struct AuditTrail {
    queue: Mutex<Option<SyncSender<Box<[u8]>>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    metrics: Arc<Metrics>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    time: Timestamp,
    /// Tells the trail from log lines where both go to one place.
    audit: &'static str,
    #[serde(flatten)]
    entry: &'a AuditEntry,
}

/// The form of the lines; a change of meaning gets another number.
const FORM: &str = "v1";

impl AuditTrail {
    /// Opens `sink`.
    pub fn open(sink: &AuditSink, metrics: Arc<Metrics>) -> Result<Self, OpenAudit> {
        let output: Box<dyn Write + Send> = match sink {
            AuditSink::Stdout => Box::new(io::stdout()),
            AuditSink::Stderr => Box::new(io::stderr()),
            AuditSink::File(path) => {
                let mut options = OpenOptions::new();
                options.append(true).create(true);
                #[cfg(unix)]
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
                let file = options.open(path).map_err(|source| OpenAudit::OpenFile {
                    path: path.clone(),
                    source,
                })?;
                Box::new(file)
            }
        };
        Self::start(output, metrics)
    }

    fn start(output: Box<dyn Write + Send>, metrics: Arc<Metrics>) -> Result<Self, OpenAudit> {
        let (queue, entries) = sync_channel(QUEUE);
        let counters = Arc::clone(&metrics);
        let writer = Builder::new()
            .name("audit".to_owned())
            .spawn(move || write_entries(&entries, output, &counters))
            .map_err(OpenAudit::StartWriter)?;
        Ok(Self {
            queue: Mutex::new(Some(queue)),
            writer: Mutex::new(Some(writer)),
            metrics,
        })
    }

    /// Writes what still waits and closes the trail; later entries are lost, and counted.
    pub fn close(&self) {
        drop(
            self.queue
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        let writer = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(writer) = writer {
            // A writer that panicked has said so through the panic hook.
            drop(writer.join());
        }
    }
}

impl Drop for AuditTrail {
    fn drop(&mut self) {
        self.close();
    }
}

impl Audit for AuditTrail {
    fn record(&self, entry: AuditEntry) {
        let line = Line {
            time: Timestamp::now(),
            audit: FORM,
            entry: &entry,
        };
        let accepted = serde_json::to_vec(&line).is_ok_and(|line| {
            let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue
                .as_ref()
                .is_some_and(|queue| queue.try_send(line.into_boxed_slice()).is_ok())
        });
        if !accepted {
            AuditEntryLost {
                why: "its queue is full or closed",
            }
            .emit(&self.metrics);
        }
    }
}

/// Writes entries until the queue closes; flushes whenever it runs empty.
fn write_entries(entries: &Receiver<Box<[u8]>>, output: Box<dyn Write + Send>, metrics: &Metrics) {
    let mut output = BufWriter::new(output);
    while let Ok(first) = entries.recv() {
        let mut next = Ok(first);
        while let Ok(line) = next {
            if output
                .write_all(&line)
                .and_then(|()| output.write_all(b"\n"))
                .is_err()
            {
                AuditEntryLost {
                    why: "its sink refuses it",
                }
                .emit(metrics);
            }
            next = entries.try_recv();
        }
        if output.flush().is_err() {
            AuditEntryLost {
                why: "its sink refuses it",
            }
            .emit(metrics);
        }
        if matches!(next, Err(TryRecvError::Disconnected)) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use penstock_domain::audit::AuditAction;
    use penstock_domain::conditions::Reason;
    use penstock_domain::names::{NamespaceName, ObjectName, SyncId};

    use super::*;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Broken;

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::other("no space"))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn entry(failure: Option<Reason>) -> AuditEntry {
        AuditEntry {
            sync: Some(SyncId {
                namespace: NamespaceName::new("prod").unwrap(),
                name: ObjectName::new("panbot").unwrap(),
            }),
            by: None,
            action: AuditAction::Write,
            object: "Secret panbot-env".to_owned(),
            keys: vec!["DB_URL".to_owned()],
            revision: Some("1a2b3c4d-00ff00ff00ff00ff".to_owned()),
            failure,
        }
    }

    #[test]
    fn every_entry_is_one_line_and_closing_writes_them_all() {
        let memory = Memory::default();
        let trail = AuditTrail::start(Box::new(memory.clone()), Arc::default()).unwrap();
        for _ in 0..100 {
            trail.record(entry(None));
        }
        trail.record(entry(Some(Reason::Denied)));
        trail.close();

        let text = String::from_utf8(memory.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 101);
        let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(last["audit"], "v1");
        assert_eq!(last["sync"]["name"], "panbot");
        assert_eq!(last["action"], "write");
        assert_eq!(last["keys"][0], "DB_URL");
        assert_eq!(last["failure"], "Denied");
        assert!(last["time"].as_str().unwrap().parse::<Timestamp>().is_ok());
    }

    #[test]
    fn what_cannot_be_written_is_counted() {
        let metrics = Arc::new(Metrics::new());
        let trail = AuditTrail::start(Box::new(Broken), Arc::clone(&metrics)).unwrap();
        trail.record(entry(None));
        trail.close();
        let after_failure = metrics.audit_lost.get();
        assert!(after_failure >= 1);
        trail.record(entry(None));
        assert_eq!(metrics.audit_lost.get(), after_failure + 1);
    }

    #[test]
    fn sinks_are_two_words_or_a_path() {
        assert_eq!("stdout".parse(), Ok(AuditSink::Stdout));
        assert_eq!("stderr".parse(), Ok(AuditSink::Stderr));
        assert_eq!(
            "/var/log/a".parse(),
            Ok(AuditSink::File("/var/log/a".into()))
        );
    }
}
