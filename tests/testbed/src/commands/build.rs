//! `penstock-testbed build`.

use penstock_testbed::{Failure, Story, ToolSet, Tools, check_prerequisites};

use super::{interrupt, own_keeper};

pub(super) async fn build(optional: bool) -> Result<(), Failure> {
    if Tools::find().is_ok() && Tools::find_set(ToolSet::Database).is_ok() {
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
        "Kubernetes, etcd, kwok, Helm, OpenBao and PostgreSQL, from pinned sources. It takes minutes once; \
         the result stays in the user's cache.",
    );
    let keeper = own_keeper().await?;
    let all = async {
        penstock_testbed::build(&mut story, &keeper).await?;
        penstock_testbed::build_set(ToolSet::Database, &mut story, &keeper).await
    };
    let built = tokio::select! {
        built = all => built.map(drop).map_err(Failure::from),
        interrupted = interrupt::any() => Err(interrupted),
    };
    keeper.close().await;
    built
}
