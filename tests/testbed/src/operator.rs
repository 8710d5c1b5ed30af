//! The operator under test: the real binary, as a process that can be hurt.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kube::Client;

use crate::chart::Installed;
use crate::endpoint::{Endpoint, EndpointError};
use crate::eventually::{Unmet, eventually};
use crate::keeper::{Exit, Keeper, KeeperError, Launch, Process, Signal, log_tail, read_log};
use crate::net::{NoFreePort, free_port};
use crate::usage::{Usage, UsageError};

static STARTED: AtomicUsize = AtomicUsize::new(1);

/// How the operator is to be run.
pub struct OperatorOptions {
    /// Name of its log and of messages; tests use the case's name.
    pub name: String,
    /// The `penstock` binary: `env!("CARGO_BIN_EXE_penstock")` in the root package's tests.
    pub binary: PathBuf,
    /// Kubeconfig of the identity that it runs as.
    pub kubeconfig: PathBuf,
    /// Arguments, beginning with the verb.
    pub arguments: Vec<String>,
    /// Environment variables besides `KUBECONFIG`, `PATH` and `HOME`.
    pub environment: BTreeMap<String, String>,
    /// URL that answers 2xx when it is ready, such as `http://127.0.0.1:…/readyz`.
    pub ready: String,
}

impl OperatorOptions {
    /// The operator of an installed chart: the chart's ServiceAccount, arguments and environment. Only the
    /// address that it listens on differs, because it runs on this machine: a free port of the loopback
    /// interface. It reaches the API server at `endpoint`; `client` must be allowed to create tokens.
    ///
    /// `name` must be used once per keeper.
    pub async fn of_chart(
        name: &str,
        binary: &Path,
        installed: &Installed,
        (client, endpoint): (&Client, &Endpoint),
        keeper: &Keeper,
    ) -> Result<Self, OperatorError> {
        let account = &installed.service_account;
        let token = account.token(client, &[]).await;
        let token = token.map_err(|error| OperatorError::ObtainToken(Box::new(error)))?;
        let kubeconfig = keeper.directory().join(format!("{name}.kubeconfig"));
        endpoint
            .kubeconfig(&token, Some(&account.namespace))
            .write(&kubeconfig)
            .map_err(OperatorError::WriteKubeconfig)?;
        let port = free_port().map_err(OperatorError::ChoosePort)?;
        let mut environment = installed.environment.clone();
        environment.insert("PENSTOCK_LISTEN".into(), format!("127.0.0.1:{port}"));
        Ok(Self {
            name: name.to_owned(),
            binary: binary.to_path_buf(),
            kubeconfig,
            arguments: installed.arguments.clone(),
            environment,
            ready: format!("http://127.0.0.1:{port}/readyz"),
        })
    }
}

/// Why the operator does not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// Its ServiceAccount got no token.
    #[error("cannot obtain a token for the operator")]
    ObtainToken(#[source] Box<kube::Error>),
    /// Its kubeconfig could not be written.
    #[error("cannot write the operator's kubeconfig")]
    WriteKubeconfig(#[source] EndpointError),
    /// There is no port for it.
    #[error("cannot choose a port")]
    ChoosePort(#[source] NoFreePort),
    /// Its folder could not be made or its log not be read.
    #[error("cannot use the operator's folder")]
    UseFolder(#[source] io::Error),
    /// It could not be started, ended or signalled.
    #[error("cannot run the operator")]
    Run(#[source] KeeperError),
    /// It did not become ready. The end of its log is part of the message.
    #[error("the operator did not become ready; its log ends with:\n{log}")]
    BecomeReady {
        /// The end of its log.
        log: String,
        /// What was seen last.
        #[source]
        source: Unmet,
    },
    /// It ended before it was ready.
    #[error("the operator ended with {exit}; its log ends with:\n{log}")]
    End {
        /// How.
        exit: Exit,
        /// The end of its log.
        log: String,
    },
    /// It cannot be measured.
    #[error("cannot measure the operator")]
    Measure(#[source] UsageError),
}

/// A running operator. Dropping it kills it. Its log is kept over restarts.
pub struct Operator {
    keeper: Arc<Keeper>,
    options: OperatorOptions,
    launch: Launch,
    process: Process,
}

impl Operator {
    /// Starts it; does not wait until it is ready.
    pub async fn start(
        keeper: &Arc<Keeper>,
        options: OperatorOptions,
    ) -> Result<Self, OperatorError> {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let directory = keeper
            .directory()
            .join(format!("operator-{number}-{}", options.name));
        fs::create_dir(&directory).map_err(OperatorError::UseFolder)?;
        let mut environment = options.environment.clone();
        let kubeconfig = options.kubeconfig.to_string_lossy().into_owned();
        environment.insert("KUBECONFIG".into(), kubeconfig);
        let launch = Launch {
            name: options.name.clone(),
            program: options.binary.clone(),
            arguments: options.arguments.clone(),
            environment,
            inherit: false,
            log: directory.join("operator.log"),
            directory,
        };
        let process = keeper
            .spawn(launch.clone())
            .await
            .map_err(OperatorError::Run)?;
        Ok(Self {
            keeper: Arc::clone(keeper),
            options,
            launch,
            process,
        })
    }

    /// Waits until it says that it is ready; an operator that ends meanwhile is an error at once.
    pub async fn await_ready(&self, deadline: Duration) -> Result<(), OperatorError> {
        crate::install_cryptography();
        let ready = eventually("the operator is ready", deadline, || async {
            match self.process.exit() {
                Some(exit) => Ok(Some(exit)),
                None => ask(&self.options.ready).await.map(|()| None),
            }
        });
        match ready.await {
            Ok(None) => Ok(()),
            Ok(Some(exit)) => Err(OperatorError::End {
                exit,
                log: log_tail(&self.launch.log),
            }),
            Err(source) => Err(OperatorError::BecomeReady {
                log: log_tail(&self.launch.log),
                source,
            }),
        }
    }

    /// Starts it again with the same options, after it has ended. The log goes on.
    pub async fn start_again(&mut self) -> Result<(), OperatorError> {
        self.process.kill().await.map_err(OperatorError::Run)?;
        let process = self.keeper.spawn(self.launch.clone()).await;
        self.process = process.map_err(OperatorError::Run)?;
        Ok(())
    }

    /// SIGTERM, and SIGKILL after `grace`.
    pub async fn terminate(&self, grace: Duration) -> Result<Exit, OperatorError> {
        self.process
            .terminate(grace)
            .await
            .map_err(OperatorError::Run)
    }

    /// SIGKILL; gone when this returns.
    pub async fn kill(&self) -> Result<Exit, OperatorError> {
        self.process.kill().await.map_err(OperatorError::Run)
    }

    /// SIGSTOP: a process that hangs, such as a leader that loses its Lease.
    pub async fn pause(&self) -> Result<(), OperatorError> {
        self.process
            .signal(Signal::Pause)
            .await
            .map_err(OperatorError::Run)
    }

    /// SIGCONT.
    pub async fn resume(&self) -> Result<(), OperatorError> {
        self.process
            .signal(Signal::Resume)
            .await
            .map_err(OperatorError::Run)
    }

    /// How it ended, if it has.
    pub fn exit(&self) -> Option<Exit> {
        self.process.exit()
    }

    /// Waits until it ends by itself.
    pub async fn wait(&self) -> Exit {
        self.process.wait().await
    }

    /// All that it has written so far, over all its runs.
    pub fn log(&self) -> Result<String, OperatorError> {
        read_log(&self.launch.log).map_err(OperatorError::UseFolder)
    }

    /// Its log, a file.
    pub fn log_path(&self) -> &Path {
        &self.launch.log
    }

    /// Resident memory and CPU time of the present run.
    pub fn usage(&self) -> Result<Usage, OperatorError> {
        self.process.usage().map_err(OperatorError::Measure)
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

async fn ask(url: &str) -> Result<(), String> {
    let answer = reqwest::get(url).await.map_err(|error| error.to_string())?;
    if answer.status().is_success() {
        Ok(())
    } else {
        Err(format!("{url} answers {}", answer.status()))
    }
}
