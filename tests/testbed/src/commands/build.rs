//! `penstock-testbed build`.

use penstock_testbed::{BuildError, Story, Tools};

use super::{Failure, interrupt, own_keeper};

pub(super) async fn build(optional: bool) -> Result<(), Failure> {
    let mut story = Story::on_stdout();
    if Tools::find().is_ok() {
        return Ok(());
    }
    story.title(
        "Building the servers for tests and demo",
        "Kubernetes, etcd, kwok, Helm and OpenBao, from pinned sources. It takes minutes once; \
         the result stays in the user's cache.",
    );
    let keeper = own_keeper().await?;
    let built = tokio::select! {
        built = penstock_testbed::build(&mut story, &keeper) => built.map_err(Failure::from),
        signal = interrupt::any() => Err(signal),
    };
    keeper.close().await;
    match built {
        Ok(_) => Ok(()),
        Err(error) => {
            let lacking = error
                .downcast_ref::<BuildError>()
                .filter(|error| matches!(error, BuildError::Prerequisites(_)));
            match lacking.filter(|_| optional) {
                Some(lacking) => {
                    story.failed("Tests and demo that need the servers are skipped", lacking);
                    Ok(())
                }
                None => Err(error),
            }
        }
    }
}
