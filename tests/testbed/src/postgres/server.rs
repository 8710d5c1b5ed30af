//! Starting, stopping and killing the server.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;

use super::client::PostgresClient;
use crate::certificates::{Authority, CertificateError};
use crate::endpoint::write_private;
use crate::eventually::{Unmet, eventually};
use crate::gate::{Gate, GateError};
use crate::keeper::{Keeper, KeeperError, Launch, Service, log_tail};
use crate::net::{NoFreePort, free_port};
use crate::shared::{TestbedError, keeper};
use crate::tools::{NotBuilt, ToolSet, Tools};

const STARTING: Duration = Duration::from_mins(1);
const PASSWORD: &str = "t0psecret-superuser";

/// Why the database does not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// Its programs are not built.
    #[error(transparent)]
    NotBuilt(#[from] NotBuilt),
    /// There is no keeper.
    #[error(transparent)]
    Keeper(#[from] TestbedError),
    /// A file could not be written.
    #[error("cannot use the database's folder")]
    UseFolder(#[source] io::Error),
    /// A certificate could not be made.
    #[error("cannot make the database's certificate")]
    Certify(#[source] CertificateError),
    /// There is no port for it.
    #[error("cannot choose a port")]
    ChoosePort(#[source] NoFreePort),
    /// The program could not be started or ended.
    #[error("cannot run the database")]
    Run(#[source] KeeperError),
    /// Root may give nobody a user namespace here.
    #[error("the database runs as no root, and this root may make no user namespace")]
    NotPermitted,
    /// `initdb` failed.
    #[error("cannot lay out a database:\n{0}")]
    LayOut(String),
    /// It did not come up in time.
    #[error("the database did not come up")]
    ComeUp(#[source] Unmet),
    /// Nobody answers on its port.
    #[error("cannot reach the database")]
    Reach(#[source] io::Error),
    /// It refused a statement.
    #[error("the database refuses a statement")]
    Ask(#[source] tokio_postgres::Error),
}

impl PostgresError {
    /// Whether something was never built, or cannot be here: a reason to skip, not to fail.
    pub fn is_missing(&self) -> bool {
        match self {
            Self::NotBuilt(_) | Self::NotPermitted => true,
            Self::Keeper(error) => error.is_missing(),
            _ => false,
        }
    }
}

/// A running PostgreSQL. Dropping it kills it.
pub struct Postgres {
    service: Service,
    port: u16,
    authority: String,
}

impl Postgres {
    /// Starts one with nothing in it.
    pub async fn start(keeper: &Arc<Keeper>, tools: &Tools) -> Result<Self, PostgresError> {
        let port = free_port().map_err(PostgresError::ChoosePort)?;
        let directory = keeper.directory().join(format!("postgres-{port}"));
        let authority = lay_out(&directory)?;
        initialise(keeper, tools, &directory).await?;
        let mut arguments = vec!["-D".to_owned(), "data".to_owned()];
        for setting in [
            &format!("port={port}"),
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "ssl=on",
            "ssl_cert_file=../server.crt",
            "ssl_key_file=../server.key",
            "fsync=off",
            "max_connections=100",
            "shared_buffers=16MB",
        ] {
            arguments.extend(["-c".to_owned(), setting.to_owned()]);
        }
        let server = Self {
            service: Service::new(keeper, launch(tools, "postgres", &arguments, &directory)),
            port,
            authority,
        };
        server.start_again().await?;
        Ok(server)
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its authority in PEM.
    pub fn certificate_authority(&self) -> &str {
        &self.authority
    }

    /// A superuser's connection to `database`. Make one per test: it belongs to the runtime that it is made in.
    pub async fn client(&self, database: &str) -> Result<PostgresClient, PostgresError> {
        PostgresClient::connect(self.port, database, PASSWORD).await
    }

    /// The superuser's password; the user is `postgres`.
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// A door of one's own to this database, on another port, with the same certificate.
    pub async fn gate(&self) -> Result<Gate, GateError> {
        Gate::open(self.port).await
    }

    /// Kills it. The data stay.
    pub async fn kill(&self) -> Result<(), PostgresError> {
        self.service.kill().await.map_err(PostgresError::Run)
    }

    /// Starts it on the same port with the same data. What was killed may take a moment to let go of them.
    pub async fn start_again(&self) -> Result<(), PostgresError> {
        let up = eventually("the database answers", STARTING, || async {
            self.service
                .start()
                .await
                .map_err(|error| error.to_string())?;
            let answered = self.client("postgres").await;
            answered
                .map(drop)
                .map_err(|error| format!("{error}: {}", log_tail(self.service.log_path())))
        });
        up.await.map_err(PostgresError::ComeUp)
    }
}

/// The database of this test binary, started on first use; it ends with the process. Tests run in parallel on it,
/// each in a database of its own. A test that kills it starts its own.
pub async fn shared_postgres() -> Result<&'static Postgres, &'static PostgresError> {
    static SHARED: OnceCell<Result<Postgres, PostgresError>> = OnceCell::const_new();
    let start = || async {
        let tools = Tools::find_set(ToolSet::Database)?;
        let keeper = keeper().await?;
        Postgres::start(keeper, &tools).await
    };
    SHARED.get_or_init(start).await.as_ref()
}

/// Writes certificates, and gives back the authority's.
fn lay_out(directory: &Path) -> Result<String, PostgresError> {
    let authority = Authority::new("postgres").map_err(PostgresError::Certify)?;
    let server = authority
        .server("postgres", &["db.test"])
        .map_err(PostgresError::Certify)?;
    fs::create_dir_all(directory).map_err(PostgresError::UseFolder)?;
    for (name, text) in [
        ("server.crt", server.certificate.as_str()),
        ("server.key", &server.key),
        ("password", PASSWORD),
    ] {
        write_private(&directory.join(name), text).map_err(PostgresError::UseFolder)?;
    }
    Ok(authority.certificate().to_owned())
}

async fn initialise(
    keeper: &Arc<Keeper>,
    tools: &Tools,
    directory: &Path,
) -> Result<(), PostgresError> {
    let arguments = "-D data --username=postgres --pwfile=password --auth=scram-sha-256 --encoding=UTF8 \
                     --locale=C --no-sync --no-instructions";
    let arguments: Vec<String> = arguments.split_whitespace().map(str::to_owned).collect();
    let process = keeper
        .spawn(launch(tools, "initdb", &arguments, directory))
        .await
        .map_err(PostgresError::Run)?;
    if process.wait().await.success() {
        return Ok(());
    }
    let log = log_tail(process.log_path());
    Err(if log.contains("unshare") {
        PostgresError::NotPermitted
    } else {
        PostgresError::LayOut(log)
    })
}

fn launch(tools: &Tools, program: &str, arguments: &[String], directory: &Path) -> Launch {
    let path = tools.postgres(program);
    let mut all = Vec::new();
    let program_of = if is_root() {
        all.extend(["--user".to_owned(), path.to_string_lossy().into_owned()]);
        PathBuf::from("unshare")
    } else {
        path
    };
    all.extend_from_slice(arguments);
    Launch {
        name: program.to_owned(),
        program: program_of,
        arguments: all,
        environment: BTreeMap::new(),
        inherit: false,
        directory: directory.to_owned(),
        log: directory.join(format!("{program}.log")),
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
