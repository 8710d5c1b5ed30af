//! `penstock-testbed build`.

use penstock_testbed::{Failure, Story, Tools, check_prerequisites};

use super::{interrupt, own_keeper};

pub(super) async fn build(optional: bool) -> Result<(), Failure> {
    if Tools::find().is_ok() {
        return Ok(());
    }
    let mut story = Story::on_stdout();
    if let Err(missing) = check_prerequisites() {
        if optional {
            story.line(&format!(
                "skipped: the servers for tests and demo; {missing}"
            ));
            return Ok(());
        }
        return Err(missing.into());
    }
    story.title(
        "Building the servers for tests and demo",
        "Kubernetes, etcd, kwok, Helm and OpenBao, from pinned sources. It takes minutes once; \
         the result stays in the user's cache.",
    );
    let keeper = own_keeper().await?;
    let built = tokio::select! {
        built = penstock_testbed::build(&mut story, &keeper) => built.map(drop).map_err(Failure::from),
        interrupted = interrupt::any() => Err(interrupted),
    };
    keeper.close().await;
    built
}
