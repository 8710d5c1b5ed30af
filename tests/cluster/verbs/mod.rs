//! The command line's verbs as a person types them: real processes, a real API server, a running operator.

mod doctor;
mod documents;
mod revisions;
mod stores;
mod syncs;

use std::path::Path;

use penstock_testbed::Failure;
use tokio::process::Command;

/// The word that every value of a test holds: no verb may show it.
const MARKER: &str = "t0psecret";

/// What a process left behind.
#[derive(Debug)]
struct Told {
    status: i32,
    out: String,
    err: String,
}

impl Told {
    /// Fails, and shows everything, unless the process ended so and standard output and error hold these words.
    fn expect(&self, status: i32, words: &[&str]) -> Result<(), Failure> {
        let said = |word: &&str| self.out.contains(*word) || self.err.contains(*word);
        let missing: Vec<_> = words.iter().filter(|word| !said(word)).collect();
        if self.status == status && missing.is_empty() {
            return Ok(());
        }
        Err(Failure::because(format!(
            "expected {status} and {words:?}, without {missing:?}:\n{self:#?}"
        )))
    }
}

/// Runs `penstock` with a kubeconfig in a namespace, and without anybody to ask.
async fn penstock(kubeconfig: &Path, namespace: &str, arguments: &[&str]) -> Result<Told, Failure> {
    let output = Command::new(env!("CARGO_BIN_EXE_penstock"))
        .args(arguments)
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .args(["--namespace", namespace])
        .env_clear()
        .stdin(std::process::Stdio::null())
        .output()
        .await?;
    let told = Told {
        status: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout)?,
        err: String::from_utf8(output.stderr)?,
    };
    assert!(
        !told.out.contains(MARKER) && !told.err.contains(MARKER),
        "{told:#?}"
    );
    Ok(told)
}
