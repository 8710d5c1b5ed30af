//! One set of servers for all tests of a binary.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::OnceCell;

use crate::control_plane::{ControlPlane, ControlPlaneError, ControlPlaneOptions};
use crate::keeper::{Keeper, KeeperError};
use crate::openbao::{OpenBao, OpenBaoError};
use crate::tools::{NotBuilt, Tools};

/// The name of this package's program.
const PROGRAM: &str = "penstock-testbed";

/// Why there are no servers.
#[derive(Debug, thiserror::Error)]
pub enum TestbedError {
    /// The servers are not built.
    #[error(transparent)]
    NotBuilt(#[from] NotBuilt),
    /// The keeper's program is not built.
    #[error(
        "{PROGRAM} is not where cargo builds it: run `cargo build -p {PROGRAM}`, \
         or set PENSTOCK_TESTBED to its path"
    )]
    NoKeeper,
    /// The keeper does not work.
    #[error("cannot keep servers")]
    Keep(#[source] KeeperError),
    /// The control plane does not work.
    #[error("cannot start the control plane")]
    StartControlPlane(#[source] ControlPlaneError),
    /// The vault does not work.
    #[error("cannot start the vault")]
    StartVault(#[source] OpenBaoError),
}

impl TestbedError {
    /// Whether something was never built: a reason to skip, not to fail.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::NotBuilt(_) | Self::NoKeeper)
    }
}

/// A control plane and a vault.
pub struct Testbed {
    /// Runs whatever else a test needs.
    pub keeper: Arc<Keeper>,
    /// Where the programs are.
    pub tools: Tools,
    /// Kubernetes.
    pub control_plane: ControlPlane,
    /// The vault.
    pub openbao: OpenBao,
}

impl Testbed {
    /// Starts both, at the same time. `keeper` is the path of `penstock-testbed`.
    pub async fn start(
        keeper: Arc<Keeper>,
        tools: Tools,
        options: &ControlPlaneOptions,
    ) -> Result<Self, TestbedError> {
        let (control_plane, openbao) = tokio::join!(
            Box::pin(ControlPlane::start(&keeper, &tools, options)),
            Box::pin(OpenBao::start(&keeper, &tools)),
        );
        Ok(Self {
            control_plane: control_plane.map_err(TestbedError::StartControlPlane)?,
            openbao: openbao.map_err(TestbedError::StartVault)?,
            keeper,
            tools,
        })
    }
}

/// The keeper of this test binary, started on first use; it ends with the process.
pub async fn keeper() -> Result<&'static Arc<Keeper>, TestbedError> {
    static KEEPER: OnceCell<Arc<Keeper>> = OnceCell::const_new();
    KEEPER
        .get_or_try_init(|| async {
            let program = program().ok_or(TestbedError::NoKeeper)?;
            Keeper::start(&program).await.map_err(TestbedError::Keep)
        })
        .await
}

/// The servers of this test binary, started on first use; they end with the process. Tests run in
/// parallel on them, each in a namespace and under a vault path of its own. A test that breaks a
/// server for everybody starts its own, or puts a [`Gate`](crate::Gate) before it.
///
/// Nothing is built here: what is not in the cache is an error that says so. Servers that did not
/// start once are not tried again.
pub async fn shared() -> Result<&'static Testbed, &'static TestbedError> {
    static SHARED: OnceCell<Result<Testbed, TestbedError>> = OnceCell::const_new();
    let start = || async {
        let tools = Tools::find()?;
        let keeper = Arc::clone(keeper().await?);
        Testbed::start(keeper, tools, &ControlPlaneOptions::default()).await
    };
    SHARED.get_or_init(start).await.as_ref()
}

/// Where this package's program is: `PENSTOCK_TESTBED`, else beside this program, or one folder
/// up, where cargo puts it for a test in `deps`.
fn program() -> Option<PathBuf> {
    if let Some(program) = std::env::var_os("PENSTOCK_TESTBED") {
        return Some(program.into());
    }
    let own = std::env::current_exe().ok()?;
    let mut folders = own.ancestors().skip(1).take(2);
    folders.find_map(|folder| Some(folder.join(PROGRAM)).filter(|program| program.is_file()))
}
