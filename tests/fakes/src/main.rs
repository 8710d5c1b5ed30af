//! `penstock-fakes`: one of the stand-ins as a process.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use penstock_fakes::infisical::Model;
use penstock_fakes::infisical::seed::Seed;
use penstock_fakes::{FakeInfisical, Listen};
use serde_json::json;
use tokio::io::AsyncReadExt as _;

/// Strict stand-ins for systems that no registry offers a server of.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    fake: Fake,
}

#[derive(Subcommand)]
enum Fake {
    /// Infisical: says where it listens in one line of JSON, and runs until its standard input ends
    Infisical {
        /// What it holds: a JSON document (see src/infisical/seed.rs)
        #[arg(long)]
        seed: Option<PathBuf>,
        /// Port on the loopback interface; 0 is a free one
        #[arg(long, default_value_t = 0)]
        port: u16,
        /// Speak TLS, under a certificate that is written to this file
        #[arg(long, value_name = "FILE")]
        tls: Option<PathBuf>,
    },
}

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => {
            let outcome = runtime.block_on(run(Arguments::parse().fake));
            // A thread may still read standard input.
            runtime.shutdown_background();
            outcome
        }
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // There is nowhere else to say it.
            drop(writeln!(io::stderr(), "penstock-fakes: {failure}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(fake: Fake) -> Result<(), Failure> {
    let Fake::Infisical { seed, port, tls } = fake;
    let model = match seed {
        None => Model::default(),
        Some(path) => serde_json::from_slice::<Seed>(&std::fs::read(path)?)?.into(),
    };
    let listen = if tls.is_some() {
        Listen::Https
    } else {
        Listen::Http
    };
    let fake = FakeInfisical::start_with(listen, port, model).await?;
    let mut line = json!({"address": fake.server().address()});
    if let (Some(path), Some(certificate)) = (&tls, fake.server().certificate()) {
        std::fs::write(path, certificate)?;
        line["ca"] = json!(path);
    }
    writeln!(io::stdout(), "{line}")?;
    io::stdout().flush()?;
    let (mut input, mut rest) = (tokio::io::stdin(), Vec::new());
    tokio::select! {
        read = input.read_to_end(&mut rest) => drop(read?),
        stopped = tokio::signal::ctrl_c() => stopped?,
    }
    Ok(())
}
