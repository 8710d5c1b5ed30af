//! Verbs that look at a store among the documents, and change it.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use penstock_adapters::registry::Registry;
use penstock_cli::arguments::{
    GetArguments, ImportArguments, InitArguments, InputArguments, ItemArguments, SetArguments,
    StoreCommand, StoreName,
};
use penstock_cli::commands;
use penstock_cli::commands::store::{
    EnvFile, ImportChoices, InitChoices, Shown, StoreVerbError, get, import, init, required, set,
    take_value,
};
use penstock_cli::exit::Ending;
use penstock_cli::local::{AccountableItems, Invocation, Variables};
use penstock_cli::output::Streams;
use penstock_domain::formats::format_of;
use penstock_domain::items::ItemPlace;
use penstock_domain::ports::Audit;
use penstock_domain::sync::{SourceOptions, StoreReference};
use penstock_observability::hardening::harden_process;
use penstock_observability::panics::hide_panic_payloads;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use super::world::Trail;
use super::{OpenWorld, Purpose, key, world};

/// `penstock get`, `set`, `init` and `import`.
pub(crate) fn store(command: &StoreCommand) -> Result<Ending, Box<dyn Error>> {
    hide_panic_payloads();
    harden_process()?;
    let mut streams = Streams::of_process();
    let variables = Variables::of_process(std::env::vars_os());
    let (name, inputs) = named(command);
    let invocation = match command {
        StoreCommand::Init(_) => Invocation::read(&inputs, variables)?,
        _ => Invocation::read_store(&inputs, variables, name)?,
    };
    let reference = invocation.store(name)?;
    let reach = &inputs.reach;
    if reach.offline {
        commands::offline(&invocation.touches, &mut streams)?;
        return Ok(Ending::Done);
    }
    if !reach.quiet {
        commands::announce(&invocation.touches, &mut streams);
    }
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(OpenWorld::StartRuntime)?;
    let trail = Trail::open(command.audit(), &Arc::default()).map_err(OpenWorld::from)?;
    runtime.block_on(async {
        let call = Call {
            registry: world::registry(reach, &invocation, (None, Purpose::Look)),
            trail: trail.port(),
            reference,
            inputs: &inputs,
            invocation: &invocation,
        };
        let outcome = call.carry_out(command, &mut streams);
        let outcome = until_interrupted(outcome).await;
        let outcome = left(outcome, &mut streams);
        call.registry.close().await;
        trail.close();
        outcome
    })
}

/// The store that a verb names, and the documents that it stands among.
fn named(command: &StoreCommand) -> (&StoreName, InputArguments) {
    match command {
        StoreCommand::Get(get) => (&get.store, get.inputs.inputs()),
        StoreCommand::Set(set) => (&set.store, set.inputs.inputs()),
        StoreCommand::Import(import) => (&import.to, import.inputs.inputs()),
        StoreCommand::Init(init) => (&init.store, init.inputs.clone()),
    }
}

/// One verb, with what it works on.
struct Call<'a> {
    registry: Arc<Registry>,
    trail: Arc<dyn Audit>,
    reference: StoreReference,
    inputs: &'a InputArguments,
    invocation: &'a Invocation,
}

impl Call<'_> {
    async fn carry_out(
        &self,
        command: &StoreCommand,
        streams: &mut Streams,
    ) -> Result<Ending, Box<dyn Error>> {
        Ok(match command {
            StoreCommand::Get(arguments) => self.get(arguments, streams).await?,
            StoreCommand::Set(arguments) => self.set(arguments, streams).await?,
            StoreCommand::Init(arguments) => self.init(arguments, streams).await?,
            StoreCommand::Import(arguments) => {
                let undo = undo_folder().ok_or(OpenWorld::NoHome)?;
                self.import((arguments, undo), streams).await?
            }
        })
    }

    async fn get(
        &self,
        arguments: &GetArguments,
        streams: &mut Streams,
    ) -> Result<Ending, StoreVerbError> {
        let shown = Shown {
            key: arguments.key.as_deref(),
            reveal: arguments.reveal,
            form: arguments.output,
        };
        let place = self.place(&arguments.item);
        let mut items = self.items();
        if arguments.reveal {
            items = items.revealing(shown.key);
        }
        get(&items, &place, shown, streams).await
    }

    async fn set(
        &self,
        arguments: &SetArguments,
        streams: &mut Streams,
    ) -> Result<Ending, StoreVerbError> {
        let key = arguments.key.as_str();
        let value = take_value(key, arguments.exact, streams)?;
        let place = self.place(&arguments.item);
        set(&self.items(), &place, (key, value), streams).await
    }

    async fn init(
        &self,
        arguments: &InitArguments,
        streams: &mut Streams,
    ) -> Result<Ending, StoreVerbError> {
        let syncs = self.invocation.syncs.iter().map(|chosen| &chosen.sync);
        let required = required(syncs, &self.reference);
        let choices = InitChoices {
            generate: arguments.generate,
            yes: arguments.yes,
        };
        init(&self.items(), &required, choices, streams).await
    }

    async fn import(
        &self,
        (arguments, undo): (&ImportArguments, PathBuf),
        streams: &mut Streams,
    ) -> Result<Ending, StoreVerbError> {
        let format = arguments.format.unwrap_or_else(|| {
            let name = arguments.file.to_string_lossy();
            format_of(&name)
        });
        let file = EnvFile::read(&arguments.file, format)?;
        let place = self.place(&arguments.item);
        let choices = ImportChoices {
            secrets: &arguments.secrets,
            configuration: &arguments.configuration,
            guess: arguments.guess,
            replace: arguments.replace,
            yes: arguments.yes,
            undo: &undo,
        };
        import(&self.items(), (&file, &place), choices, streams).await
    }

    /// The items of stores, each read and write of which is told.
    fn items(&self) -> AccountableItems<'_> {
        AccountableItems::new(&*self.registry, &*self.trail)
    }

    fn place(&self, item: &ItemArguments) -> ItemPlace {
        ItemPlace {
            namespace: self.inputs.namespace.clone(),
            store: self.reference.clone(),
            environment: item.environment.clone(),
            options: match &item.mount {
                None => SourceOptions::None,
                Some(_) => SourceOptions::Vault {
                    mount: item.mount.clone(),
                },
            },
            path: item.path.clone(),
        }
    }
}

/// What the verb came to, unless somebody interrupts. A question hears that first: there, nothing was written yet.
async fn until_interrupted(
    verb: impl Future<Output = Result<Ending, Box<dyn Error>>>,
) -> Result<Ending, Box<dyn Error>> {
    let mut interrupts = signal(SignalKind::interrupt()).map_err(OpenWorld::ListenForSignals)?;
    tokio::select! {
        biased;
        outcome = verb => outcome,
        _ = interrupts.recv() => Err(StoreVerbError::Interrupted.into()),
    }
}

/// A prompt that was left is no failure: it ends as an interrupt does.
fn left(
    outcome: Result<Ending, Box<dyn Error>>,
    streams: &mut Streams,
) -> Result<Ending, Box<dyn Error>> {
    let error = match outcome {
        Ok(ending) => return Ok(ending),
        Err(error) => error,
    };
    match error.downcast_ref() {
        Some(StoreVerbError::Left | StoreVerbError::Interrupted) => {
            streams.tell(error.to_string());
            Ok(Ending::Interrupted)
        }
        _ => Err(error),
    }
}

/// Where files are put aside: beside the installation key, in a folder that nobody commits.
fn undo_folder() -> Option<PathBuf> {
    let key = key::usual_path()?;
    Some(key.parent()?.join("undo"))
}
