//! A folder on a host, and the documents that write into it.
#![expect(
    clippy::unwrap_used,
    reason = "support of tests: what is broken here ends the test"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use penstock_testbed::{Failure, Sshd, keeper};
use tokio::sync::OnceCell;

use super::super::stage::Stage;

/// What a case returns: an error fails it.
pub(super) type Outcome = Result<(), Failure>;

/// The host of all cases that do not break it. None where the machine has no OpenSSH.
pub(super) async fn host() -> Result<Option<&'static Sshd>, Failure> {
    static HOST: OnceCell<Option<Sshd>> = OnceCell::const_new();
    let host = HOST.get_or_try_init(own_host).await?;
    Ok(host.as_ref())
}

/// A host of one's own.
pub(super) async fn own_host() -> Result<Option<Sshd>, Failure> {
    match Sshd::start(keeper().await?).await {
        Ok(host) => Ok(Some(host)),
        Err(error) if error.is_missing() => {
            let message = format!("\nskipping files on hosts: {}\n\n", Failure::from(error));
            // Past the capture of tests that succeed: nobody should take a skipped case for a tested one.
            drop(std::io::stderr().write_all(message.as_bytes()));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// A folder on a host that nobody else uses, and a stage that knows how to log in.
pub(super) struct Corner {
    pub(super) stage: Stage,
    pub(super) folder: PathBuf,
    port: u16,
    user: String,
    host_key: String,
}

impl Corner {
    pub(super) fn new(host: &Sshd) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = host.folder().join(format!("corner-{number}"));
        fs::create_dir_all(&folder).unwrap();
        Self {
            stage: Stage::new().with("VPS_KEY", &host.private_key().unwrap()),
            folder,
            port: host.port(),
            user: host.user().to_owned(),
            host_key: host.host_key().unwrap(),
        }
    }

    /// The same, which reaches the host through another port.
    pub(super) fn through(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The same, which pins another key.
    pub(super) fn pinning(mut self, key: &str) -> Self {
        key.clone_into(&mut self.host_key);
        self
    }

    /// The same, which logs in with another key.
    pub(super) fn with_key(mut self, key: &str) -> Self {
        self.stage = self.stage.with("VPS_KEY", key);
        self
    }

    /// The store, and where its key comes from.
    pub(super) fn store(&self) -> String {
        let Self {
            folder,
            port,
            user,
            host_key,
            ..
        } = self;
        format!(
            "---
apiVersion: penstock.dev/v1alpha1
kind: SecretStore
metadata: {{name: vps}}
spec:
  limits: {{timeout: 10s}}
  provider:
    ssh:
      host: 127.0.0.1
      port: {port}
      user: {user}
      folder: {}
      hostKeys: ['{host_key}']
      privateKeyRef: {{name: vps, key: private-key}}
---
apiVersion: v1
kind: Secret
metadata: {{name: vps, annotations: {{penstock.dev/from.private-key: env:VPS_KEY}}}}
",
            folder.display()
        )
    }

    /// Writes `app.yaml`: these values into `.env`, with more in the target.
    pub(super) fn documents(&self, values: &[(&str, &str)], more: &str) -> &Self {
        self.named("app", values, more)
    }

    /// The same for a sync of another name.
    pub(super) fn named(&self, name: &str, values: &[(&str, &str)], more: &str) -> &Self {
        let values: Vec<String> = values
            .iter()
            .map(|(key, value)| format!("{key}: \"{value}\""))
            .collect();
        let sync = format!(
            "apiVersion: penstock.dev/v1alpha1
kind: SecretSync
metadata: {{name: {name}}}
spec:
  sources:
  - {{name: base, literal: {{{}}}}}
  targets:
  - name: env
    store: {{name: vps}}
    path: .env
{more}
",
            values.join(", ")
        );
        self.stage
            .file("app.yaml", &format!("{sync}{}", self.store()));
        self
    }

    /// Somebody else puts a file there.
    pub(super) fn put(&self, name: &str, text: &str) {
        fs::write(self.folder.join(name), text).unwrap();
    }

    /// What a file on the host holds; none when there is none.
    pub(super) fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.folder.join(name)).ok()
    }

    /// Its rights.
    pub(super) fn mode(&self, name: &str) -> u32 {
        let metadata = fs::metadata(self.folder.join(name)).unwrap();
        metadata.permissions().mode() & 0o7777
    }

    /// All that lies in the folder, and when each was written.
    pub(super) fn standing(&self) -> BTreeMap<String, std::time::SystemTime> {
        let entries = fs::read_dir(&self.folder).unwrap();
        entries
            .map(|entry| {
                let entry = entry.unwrap();
                let name = entry.file_name().into_string().unwrap();
                (name, entry.metadata().unwrap().modified().unwrap())
            })
            .collect()
    }

    /// The names of all that lies in the folder.
    pub(super) fn names(&self) -> Vec<String> {
        self.standing().into_keys().collect()
    }
}

/// A target that keeps what is not its own.
pub(super) const MERGE: &str = "    options: {ssh: {merge: true}}";
/// A target that is alone in its file.
pub(super) const ALONE: &str = "    options: {ssh: {}}";
