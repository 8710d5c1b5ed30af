//! Puts together what a verb needs that works on this machine, without an operator.

mod cluster;
mod doctor;
mod key;
mod overview;
mod records;
mod store;
mod world;

use std::error::Error;
use std::io;
use std::process::Command;

use penstock_adapters::files::FileFailure;
use penstock_cli::arguments::{
    EnvArguments, ExecArguments, InputArguments, PlanArguments, RenderArguments, StateArguments,
    SyncArguments,
};
use penstock_cli::commands;
use penstock_cli::exit::{CommandError, Ending};
use penstock_cli::local::{Invocation, Session, Variables};
use penstock_cli::output::Streams;
use penstock_controller::ConnectError;
use penstock_domain::fault::Fault;
use penstock_domain::stores::access::ParsePath;
use penstock_observability::audit::OpenAudit;
use penstock_observability::hardening::harden_process;
use penstock_observability::panics::hide_panic_payloads;
use tokio::runtime::Builder;

pub(crate) use self::doctor::doctor;
pub(crate) use self::overview::overview;
pub(crate) use self::store::store;
use self::world::World;

/// Why a verb could not begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenWorld {
    #[error("cannot start the runtime")]
    StartRuntime(#[source] io::Error),
    #[error("cannot listen for signals")]
    ListenForSignals(#[source] io::Error),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    OpenAudit(#[from] OpenAudit),
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error("the operating system gives no random bytes")]
    ReadRandomness(#[source] getrandom::Error),
    #[error("cannot make an installation key")]
    MakeKey(#[source] FileFailure),
    #[error("cannot read the installation key from {place}")]
    ReadKey { place: String, source: io::Error },
    #[error("the variable {name}, which --key names, is not set or is no text")]
    NoVariable { name: String },
    #[error("there is no cluster")]
    NoCluster,
    #[error("the path of --record")]
    RecordPath(#[source] ParsePath),
    #[error("what lies at --key is no text")]
    KeyIsNoText,
    #[error(
        "there is no place for the installation key: neither XDG_STATE_HOME nor HOME is set. Name one by --key"
    )]
    NoHome,
}

/// What a verb will do, which decides what may be made for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Look: nothing is made, no key either.
    Look,
    /// Hand contents on: as looking, and targets mean nothing.
    HandOn,
    /// Write.
    Write,
}

/// `penstock plan`
pub(crate) fn plan(arguments: &PlanArguments) -> Result<Ending, Box<dyn Error>> {
    let given = (&arguments.inputs, &arguments.state, Purpose::Look);
    verb(given, async |session, streams| {
        commands::plan::plan(session, arguments.output, streams).await
    })
}

/// `penstock sync`
pub(crate) fn sync(arguments: &SyncArguments) -> Result<Ending, Box<dyn Error>> {
    let purpose = if arguments.dry_run {
        Purpose::Look
    } else {
        Purpose::Write
    };
    let given = (&arguments.inputs, &arguments.state, purpose);
    verb(given, async |session, streams| {
        commands::sync::sync(session, arguments, streams).await
    })
}

/// `penstock env`
pub(crate) fn env(arguments: &EnvArguments) -> Result<Ending, Box<dyn Error>> {
    let given = (&arguments.inputs, &arguments.state, Purpose::HandOn);
    verb(given, async |session, streams| {
        commands::env::env(session, arguments, streams).await
    })
}

/// `penstock render`
pub(crate) fn render(arguments: &RenderArguments) -> Result<Ending, Box<dyn Error>> {
    let given = (&arguments.inputs, &arguments.state, Purpose::HandOn);
    verb(given, async |session, streams| {
        commands::render::render(session, arguments, streams).await
    })
}

/// `penstock exec`: the command begins when everything of ours has ended.
pub(crate) fn exec(arguments: &ExecArguments) -> Result<Ending, Box<dyn Error>> {
    let mut streams = Streams::of_process();
    let given = (&arguments.inputs, &arguments.state, Purpose::HandOn);
    let command: Option<Command> =
        on_this_machine(given, &mut streams, async |session, streams| {
            commands::exec::command(session, &arguments.command, streams).await
        })?;
    Ok(match command {
        Some(command) => commands::exec::become_command(command, &mut streams),
        None => Ending::Done,
    })
}

type Given<'a> = (&'a InputArguments, &'a StateArguments, Purpose);

fn verb(
    given: Given<'_>,
    verb: impl AsyncFnOnce(&Session, &mut Streams) -> Result<Ending, CommandError>,
) -> Result<Ending, Box<dyn Error>> {
    let mut streams = Streams::of_process();
    let ending = on_this_machine(given, &mut streams, verb)?;
    Ok(ending.unwrap_or(Ending::Done))
}

/// Reads the documents, says what will be touched, opens the world, runs `verb` in it, and closes the world. With
/// `--offline` it ends after the second step, with nothing.
fn on_this_machine<T>(
    (inputs, state, purpose): Given<'_>,
    streams: &mut Streams,
    verb: impl AsyncFnOnce(&Session, &mut Streams) -> Result<T, CommandError>,
) -> Result<Option<T>, Box<dyn Error>> {
    hide_panic_payloads();
    harden_process()?;
    let mut invocation = Invocation::read(inputs, Variables::of_process(std::env::vars_os()))?;
    if purpose == Purpose::HandOn {
        invocation.touches.leave_out_targets();
    }
    invocation.remember_by(state, &inputs.namespace)?;
    if inputs.reach.offline {
        commands::offline(&invocation.touches, streams)?;
        return Ok(None);
    }
    if !inputs.reach.quiet {
        commands::announce(&invocation.touches, streams);
    }
    // What takes long waits for the network; hashing and files have threads of their own.
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(OpenWorld::StartRuntime)?;
    runtime.block_on(async {
        let world = World::open((inputs, state, purpose), invocation).await?;
        let outcome = verb(&world.session, streams).await;
        world.close().await;
        Ok(Some(outcome?))
    })
}
