//! The operator of a stage: hurting it, and reading what it says.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, DeleteParams, ListParams};
use penstock_testbed::{Exit, Failure, Operator, OperatorOptions, free_port};

use super::place::{PATIENCE, Stage};

impl Stage {
    /// Starts the operator; it must not run already.
    pub(super) async fn start_operator(&mut self) -> Result<(), Failure> {
        let operator = self.start_replica("penstock-0").await?;
        *self.place.operator.lock().await = Some(operator);
        Ok(())
    }

    /// Starts another replica of the same release, and waits until it says that it is ready. It ends when
    /// it is dropped.
    pub(in crate::cluster) async fn start_replica(
        &self,
        identity: &str,
    ) -> Result<Operator, Failure> {
        let binary = PathBuf::from(env!("CARGO_BIN_EXE_penstock"));
        self.start_binary(identity, binary).await
    }

    /// Starts a process of a newer version, as an upgrade would: the same program under another version. It
    /// ends when it is dropped.
    pub(in crate::cluster) async fn start_newer_version(
        &self,
        identity: &str,
    ) -> Result<Operator, Failure> {
        let binary = self.testbed.keeper.directory().join("penstock-newer");
        let binary = newer_version(binary).await?;
        self.start_binary(&format!("{identity}-newer"), binary)
            .await
    }

    async fn start_binary(&self, identity: &str, binary: PathBuf) -> Result<Operator, Failure> {
        let port = free_port()?;
        let installed = &self.place.installed;
        let mut environment = installed.environment.clone();
        environment.insert("PENSTOCK_LISTEN".into(), format!("127.0.0.1:{port}"));
        environment.insert("PENSTOCK_IDENTITY".into(), identity.to_owned());
        let options = OperatorOptions {
            name: format!("{}-{identity}", self.place.namespace),
            binary,
            kubeconfig: self.place.kubeconfig.clone(),
            arguments: [&installed.arguments[..], &self.place.arguments[..]].concat(),
            environment,
            ready: format!("http://127.0.0.1:{port}/readyz"),
        };
        let operator = Operator::start(&Arc::clone(&self.testbed.keeper), options).await?;
        let logs = &self.place.logs;
        logs.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(operator.log_path().to_path_buf());
        operator.await_ready(PATIENCE).await?;
        Ok(operator)
    }

    /// SIGKILL; the operator is gone when this returns.
    pub(in crate::cluster) async fn kill_operator(&mut self) -> Result<Exit, Failure> {
        let place = self.place.operator.lock().await;
        let operator = place.as_ref().ok_or_else(no_operator)?;
        Ok(operator.kill().await?)
    }

    /// SIGTERM, and SIGKILL if that does not end it in a minute.
    pub(in crate::cluster) async fn stop_operator(&mut self) -> Result<Exit, Failure> {
        let place = self.place.operator.lock().await;
        let operator = place.as_ref().ok_or_else(no_operator)?;
        Ok(operator.terminate(PATIENCE).await?)
    }

    /// Starts it again after it has ended, and waits until it is ready. The Lease of an operator that was
    /// killed counts as run out: nobody waits for it.
    pub(in crate::cluster) async fn revive_operator(&mut self) -> Result<(), Failure> {
        let leases: Api<Lease> = self.operator_namespace().api();
        leases
            .delete_collection(&DeleteParams::default(), &ListParams::default())
            .await?;
        let mut place = self.place.operator.lock().await;
        let operator = place.as_mut().ok_or_else(no_operator)?;
        operator.start_again().await?;
        Ok(operator.await_ready(PATIENCE).await?)
    }

    /// Asks something of the operator's process: what it uses, or that it pauses.
    pub(in crate::cluster) async fn with_operator<T>(
        &self,
        ask: impl AsyncFnOnce(&Operator) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let place = self.place.operator.lock().await;
        ask(place.as_ref().ok_or_else(no_operator)?).await
    }

    /// All that the operators of this stage have written so far.
    pub(in crate::cluster) fn log(&self) -> String {
        let logs = self.place.logs.lock();
        let logs = logs.unwrap_or_else(PoisonError::into_inner);
        let read = |path: &PathBuf| std::fs::read(path).unwrap_or_default();
        let texts = logs.iter().map(read);
        texts
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .collect()
    }

    /// The lines of the log that hold all of `words`.
    pub(in crate::cluster) fn log_lines(&self, words: &[&str]) -> Vec<String> {
        let log = self.log();
        let wanted = |line: &&str| words.iter().all(|word| line.contains(word));
        log.lines().filter(wanted).map(str::to_owned).collect()
    }
}

fn no_operator() -> Failure {
    Failure::because("the operator was not started")
}

/// What the program calls itself.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A copy of the program that calls itself by a newer version, of as many bytes, everywhere.
async fn newer_version(copy: PathBuf) -> Result<PathBuf, Failure> {
    let newer: String = VERSION
        .chars()
        .map(|letter| if letter.is_ascii_digit() { '9' } else { letter })
        .collect();
    let mut program = std::fs::read(env!("CARGO_BIN_EXE_penstock"))?;
    let places: Vec<usize> = program
        .windows(VERSION.len())
        .enumerate()
        .filter(|(_, bytes)| *bytes == VERSION.as_bytes())
        .map(|(at, _)| at)
        .collect();
    for at in places {
        program[at..at + newer.len()].copy_from_slice(newer.as_bytes());
    }
    std::fs::write(&copy, program)?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&copy, mode)?;
    let told = tokio::process::Command::new(&copy)
        .arg("--version")
        .output()
        .await?;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.contains(&newer), "{told}");
    Ok(copy)
}
