//! `penstock-testbed up`.

use std::io::{self, Write};
use std::sync::Arc;

use clap::Args;
use penstock_testbed::{ControlPlaneOptions, Failure, Keeper, Story, Testbed, Tools};
use serde::Serialize;
use tokio::io::AsyncReadExt;

use super::{interrupt, own_keeper};

#[derive(Args)]
pub(super) struct Options {
    /// Fake nodes
    #[arg(long, default_value_t = 2)]
    nodes: usize,
    /// Print one line of JSON with all addresses, paths and tokens, and stop when standard input
    /// ends
    #[arg(long)]
    json: bool,
}

/// What there is and where, for a program that started us.
#[derive(Serialize)]
struct Endpoints {
    kubeconfig: String,
    kubernetes: String,
    admin_token: String,
    path: String,
    vault_address: String,
    vault_ca: String,
    vault_token: String,
    directory: String,
}

pub(super) async fn up(options: Options) -> Result<(), Failure> {
    let keeper = own_keeper().await?;
    let outcome = tokio::select! {
        outcome = run(&options, Arc::clone(&keeper)) => outcome,
        _stopped = interrupt::any() => Ok(()),
    };
    keeper.close().await;
    outcome
}

async fn run(options: &Options, keeper: Arc<Keeper>) -> Result<(), Failure> {
    let plane = ControlPlaneOptions {
        nodes: options.nodes,
    };
    if options.json {
        let testbed = Testbed::start(keeper, Tools::find()?, &plane).await?;
        let mut line = serde_json::to_vec(&endpoints(&testbed))?;
        line.push(b'\n');
        io::stdout().write_all(&line)?;
        io::stdout().flush()?;
        let mut rest = Vec::new();
        tokio::io::stdin().read_to_end(&mut rest).await?;
        return Ok(());
    }
    let mut story = Story::on_stdout();
    story.title(
        "A local control plane",
        "Kubernetes 1.35 with fake nodes, and OpenBao with TLS.",
    );
    let tools = penstock_testbed::build(&mut story, &keeper).await?;
    let starting = Testbed::start(keeper, tools, &plane);
    let testbed = story.step("started", starting).await?;
    explain(&mut story, &endpoints(&testbed));
    std::future::pending().await
}

fn endpoints(testbed: &Testbed) -> Endpoints {
    let folders: Vec<_> = testbed
        .tools
        .folders()
        .iter()
        .map(|folder| folder.display().to_string())
        .collect();
    Endpoints {
        kubeconfig: testbed.control_plane.kubeconfig().display().to_string(),
        kubernetes: testbed.control_plane.endpoint().address.clone(),
        admin_token: testbed.control_plane.admin_token().to_owned(),
        path: folders.join(":"),
        vault_address: testbed.openbao.address(),
        vault_ca: testbed
            .openbao
            .certificate_authority_path()
            .display()
            .to_string(),
        vault_token: testbed.openbao.root_token().to_owned(),
        directory: testbed.keeper.directory().display().to_string(),
    }
}

fn explain(story: &mut Story, endpoints: &Endpoints) {
    story.line("");
    story.say("In another terminal:");
    story.line("");
    for (name, value) in [
        ("KUBECONFIG", &endpoints.kubeconfig),
        ("PATH", &format!("{}:$PATH", endpoints.path)),
        ("BAO_ADDR", &endpoints.vault_address),
        ("BAO_CACERT", &endpoints.vault_ca),
        ("BAO_TOKEN", &endpoints.vault_token),
    ] {
        story.line(&format!("export {name}={value}"));
    }
    story.line("");
    story.say("Ctrl-C stops everything and removes it.");
}
