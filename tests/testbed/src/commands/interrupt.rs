//! Being asked to stop.

use penstock_testbed::Failure;
use tokio::signal::unix::{SignalKind, signal};

/// A signal asked us to stop.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub(super) struct Interrupted;

/// Waits for SIGINT, SIGTERM or SIGHUP.
pub(super) async fn any() -> Failure {
    let signals = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ];
    let mut streams = Vec::new();
    for kind in signals {
        match signal(kind) {
            Ok(stream) => streams.push(stream),
            Err(error) => return error.into(),
        }
    }
    let received = streams.iter_mut().map(|stream| Box::pin(stream.recv()));
    futures::future::select_all(received).await;
    Interrupted.into()
}
