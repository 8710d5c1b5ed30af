//! `penstock-fakes`: one of the stand-ins as a process.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use penstock_fakes::{
    FakeBitwarden, FakeBitwardenSm, FakeInfisical, Listen, Server, bitwarden, bitwarden_sm,
    infisical,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
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
    Infisical(Start),
    /// Bitwarden's password manager, the same way
    Bitwarden(Start),
    /// Bitwarden Secrets Manager, the same way; the line holds an access token, too
    BitwardenSm(Start),
}

#[derive(clap::Args)]
struct Start {
    /// What it holds: a JSON document (see seed.rs in its folder)
    #[arg(long)]
    seed: Option<PathBuf>,
    /// Port on the loopback interface; 0 is a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Speak TLS, under a certificate that is written to this file
    #[arg(long, value_name = "FILE")]
    tls: Option<PathBuf>,
}

impl Start {
    fn seed<T: DeserializeOwned>(&self) -> Result<Option<T>, Failure> {
        match &self.seed {
            None => Ok(None),
            Some(path) => Ok(Some(serde_json::from_slice(&std::fs::read(path)?)?)),
        }
    }

    fn listen(&self) -> Listen {
        if self.tls.is_some() {
            Listen::Https
        } else {
            Listen::Http
        }
    }

    /// Says where the server listens, and waits for the end.
    async fn serve(&self, server: &Server, mut line: Value) -> Result<(), Failure> {
        line["address"] = json!(server.address());
        if let (Some(path), Some(certificate)) = (&self.tls, server.certificate()) {
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
    match fake {
        Fake::Infisical(start) => {
            let seed = start.seed::<infisical::seed::Seed>()?;
            let model = seed.map(Into::into).unwrap_or_default();
            let fake = FakeInfisical::start_with(start.listen(), start.port, model).await?;
            start.serve(fake.server(), json!({})).await
        }
        Fake::Bitwarden(start) => {
            let seed = start.seed::<bitwarden::seed::Seed>()?;
            let model = seed.map(TryInto::try_into).transpose()?.unwrap_or_default();
            let fake = FakeBitwarden::start_with(start.listen(), start.port, model).await?;
            start.serve(fake.server(), json!({})).await
        }
        Fake::BitwardenSm(start) => {
            let seed = start.seed::<bitwarden_sm::seed::Seed>()?;
            let (model, token) = seed.unwrap_or_default().plant()?;
            let fake = FakeBitwardenSm::start_with(start.listen(), start.port, model).await?;
            let line = json!({"accessToken": token});
            start.serve(fake.server(), line).await
        }
    }
}
