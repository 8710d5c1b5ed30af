//! What a case wants of its stage, and the way onto it.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use penstock_testbed::{Failure, Testbed};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::place::{Place, Stage};
use crate::cluster::{Outcome, testbed};

/// What a case wants besides a namespace, a vault path, a store and an operator.
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent wishes of one case"
)]
#[derive(Clone, Debug)]
pub(in crate::cluster) struct Setup {
    pub(super) proxied: bool,
    pub(super) gated: bool,
    pub(super) own_control_plane: bool,
    pub(super) fake_kubelet: bool,
    pub(super) values: Value,
    pub(super) arguments: Vec<String>,
}

impl Setup {
    /// Nothing besides.
    pub(in crate::cluster) fn new() -> Self {
        Self {
            proxied: false,
            gated: false,
            own_control_plane: false,
            fake_kubelet: false,
            values: json!({}),
            arguments: Vec::new(),
        }
    }

    /// The operator reaches the API server through a proxy that counts and traps: [`Stage::proxy`].
    #[must_use]
    pub(in crate::cluster) fn proxied(mut self) -> Self {
        self.proxied = true;
        self
    }

    /// The store reaches the vault through a door that can be shut: [`Stage::set_door`].
    #[must_use]
    pub(in crate::cluster) fn gated(mut self) -> Self {
        self.gated = true;
        self
    }

    /// A control plane that nobody else uses, for cases that change definitions. Takes seconds.
    #[must_use]
    pub(in crate::cluster) fn own_control_plane(mut self) -> Self {
        self.own_control_plane = true;
        self
    }

    /// A control plane of its own whose pods live by the values that they are given: see [`FakeKubelet`].
    ///
    /// [`FakeKubelet`]: penstock_testbed::FakeKubelet
    #[must_use]
    pub(in crate::cluster) fn fake_kubelet(mut self) -> Self {
        self.fake_kubelet = true;
        self.own_control_plane()
    }

    /// ClusterSecretStores are served. Everybody's stores on a shared control plane would be, too, so it is
    /// one of the case's own.
    #[must_use]
    pub(in crate::cluster) fn cluster_stores(self) -> Self {
        self.own_control_plane()
            .value("clusterStores", json!({"enabled": true}))
    }

    /// A value of the chart.
    #[must_use]
    pub(in crate::cluster) fn value(mut self, name: &str, value: Value) -> Self {
        self.values[name] = value;
        self
    }

    /// A further argument of the operator.
    #[must_use]
    pub(in crate::cluster) fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }
}

/// Plays a case on a stage of its own, which it may disturb as it likes. A case that fails shows what the
/// stage looked like; one that succeeds has left no value where none may be.
pub(in crate::cluster) async fn on_stage<F>(setup: Setup, case: F) -> Outcome
where
    F: AsyncFnOnce(&mut Stage) -> Outcome,
{
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let mut stage = Box::pin(Stage::raise(testbed, setup)).await?;
    let outcome = Box::pin(caught(case(&mut stage))).await;
    stage.close(outcome).await
}

/// Plays a case on the stage that all plain cases share: one operator, one namespace. Such a case has names
/// and vault paths of its own, and does nothing to the operator, the store or the vault as a whole.
pub(in crate::cluster) async fn on_shared_stage<F>(case: F) -> Outcome
where
    F: AsyncFnOnce(&Stage) -> Outcome,
{
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let place = shared_place(testbed).await?;
    let stage = Stage::visit(testbed, place).await?;
    let outcome = caught(case(&stage)).await;
    stage.close(outcome).await
}

/// The shared place, prepared on first use; one that failed is not tried again.
async fn shared_place(testbed: &'static Testbed) -> Result<Arc<Place>, Failure> {
    static SHARED: OnceCell<Result<Arc<Place>, String>> = OnceCell::const_new();
    let prepare = || async {
        let stage = Box::pin(Stage::raise(testbed, Setup::new())).await;
        stage
            .map(Stage::into_place)
            .map_err(|error| error.to_string())
    };
    let place = SHARED.get_or_init(prepare).await;
    place.clone().map_err(Failure::because)
}

/// A panic is an error, too, so that an `assert!` also shows the stage.
async fn caught(case: impl Future<Output = Outcome>) -> Outcome {
    let outcome = AssertUnwindSafe(case).catch_unwind().await;
    outcome.unwrap_or_else(|panic| Err(Failure::because(words(panic.as_ref()))))
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("the case panicked").to_owned()
}
