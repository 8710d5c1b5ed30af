//! The invocation: documents, variables and arguments together, and the syncs that are meant, admitted.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use penstock_domain::admit::{CommandLine, Place, admit_at};
use penstock_domain::names::{NamespaceName, TargetName};
use penstock_domain::sync::{
    Destination, HostCommand, Origin as SourceOrigin, StoreKind, StoreReference, ValidatedSync,
    ValidatedTarget,
};
use penstock_domain::text::nearest;
use zeroize::Zeroizing;

use super::credentials::{CredentialFlag, SecretMap};
use super::touches::{Touches, follow};
use super::trust::refusals;
use super::variables::{ReadVariables, Variables};
use crate::arguments::InputArguments;
use crate::documents::{
    Documents, InputText, Namespaces, ObjectId, Origin, Problem, Problems, ReadInputs,
    StoreDocument, SyncDocument, load, read_inputs,
};
use crate::output::plain;

/// The largest env file.
const MAX_ENV_FILE_BYTES: u64 = 8 * 1024 * 1024;

/// The way out where a command is refused.
const ALLOW_COMMANDS: &str = "Read the command, then allow it with `--allow-commands`, or choose other targets with \
                              `--target`";

/// A sync that is meant.
#[derive(Debug, Clone)]
pub struct ChosenSync {
    /// The sync, admitted.
    pub sync: ValidatedSync,
    /// The targets that are meant; none for all of them.
    pub only: Option<BTreeSet<TargetName>>,
    /// Names this run, where it is to ask again about candidates that validators have rejected.
    pub retry: Option<String>,
    /// Where it stands.
    pub origin: Origin,
}

impl ChosenSync {
    /// The targets that are meant.
    pub fn targets(&self) -> impl Iterator<Item = &ValidatedTarget> {
        let meant = |target: &&ValidatedTarget| match &self.only {
            Some(only) => only.contains(&target.name),
            None => true,
        };
        self.sync.targets.iter().filter(meant)
    }

    /// The commands that run on hosts after a change of a target that is meant.
    fn commands(&self) -> impl Iterator<Item = (&ValidatedTarget, &HostCommand)> {
        self.targets()
            .filter_map(|target| match &target.destination {
                Destination::HostFile(host) => Some((target, host.command.as_ref()?)),
                _ => None,
            })
    }
}

/// All that an invocation says.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The documents.
    pub documents: Documents,
    /// The syncs that are meant, in the order of namespace and name; none only for verbs that work on a store.
    pub syncs: Vec<ChosenSync>,
    /// Where keys of Secrets come from.
    pub secrets: SecretMap,
    /// Variables of the process and of env files.
    pub variables: Variables,
    /// Where the credentials of ClusterSecretStores lie.
    pub operator_namespace: NamespaceName,
    /// What will be touched.
    pub touches: Touches,
    /// Commands of documents may run on hosts (`--allow-commands`).
    pub allow_commands: bool,
}

/// Why an invocation cannot be worked with.
#[derive(Debug, thiserror::Error)]
pub enum ReadInvocation {
    /// A file or folder cannot be read.
    #[error(transparent)]
    Inputs(#[from] ReadInputs),
    /// An env file cannot be read.
    #[error("cannot read the env file {path}")]
    ReadEnvFile {
        /// Its path.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// An env file is none.
    #[error(transparent)]
    Variables(#[from] ReadVariables),
    /// The documents are wrong.
    #[error(transparent)]
    Documents(#[from] Problems),
}

impl Invocation {
    /// Reads what `arguments` name. `process` are the variables of the process.
    pub fn read(arguments: &InputArguments, process: Variables) -> Result<Self, ReadInvocation> {
        let (inputs, variables) = texts(arguments, process)?;
        Ok(Self::of(arguments, &inputs, variables)?)
    }

    /// Fails where a command would run that nobody allowed: to be asked before anything is written.
    pub fn check_commands(&self) -> Result<(), Problems> {
        let mut problems = Problems::default();
        for chosen in self.syncs.iter().filter(|_| !self.allow_commands) {
            for (target, _) in chosen.commands() {
                let field = format!("spec.targets[{}].then[0].command", target.name);
                let at = Some(chosen.origin.find(&field));
                let message = "is refused without `--allow-commands`; nothing was written";
                let problem = Problem::new(at, field, message);
                problems.push(problem.hint(ALLOW_COMMANDS));
            }
        }
        problems.or(())
    }

    /// The same from texts: pure.
    pub fn of(
        arguments: &InputArguments,
        inputs: &[InputText],
        variables: Variables,
    ) -> Result<Self, Problems> {
        let ground = Ground::of(arguments, inputs)?;
        let syncs = choose(arguments, &ground.documents, &variables)?;
        check_stores(&syncs, &ground.documents, &ground.operator)?;
        let touches = follow(&syncs, &ground.documents, &ground.secrets, &ground.operator)?;
        let mut invocation = ground.invocation(syncs, variables, touches);
        invocation.allow_commands = arguments.reach.allow_commands;
        Ok(invocation)
    }
}

/// What documents say, before anything of it is chosen.
pub(super) struct Ground {
    pub(super) documents: Documents,
    pub(super) secrets: SecretMap,
    /// Where the credentials of ClusterSecretStores lie.
    pub(super) operator: NamespaceName,
}

impl Ground {
    /// Takes the texts apart.
    pub(super) fn of(arguments: &InputArguments, inputs: &[InputText]) -> Result<Self, Problems> {
        let operator = arguments.reach.operator_namespace.clone();
        let namespaces = Namespaces {
            default: arguments.namespace.clone(),
            operator: operator.unwrap_or_else(|| arguments.namespace.clone()),
        };
        let documents = load(inputs, &namespaces)?;
        if arguments.reach.trusted_stores.is_some() {
            Problems(refusals(&documents)).or(())?;
        }
        let flags = flags(arguments)?;
        let secrets = SecretMap::new(&documents, &flags, &namespaces.default).map_err(|bad| {
            let problems = bad.into_iter().map(|bad| {
                let origin = documents
                    .secrets
                    .get(&bad.secret)
                    .map(|secret| &secret.origin);
                let at = origin.map(|origin| origin.find("metadata.annotations"));
                Problem::new(at, bad.annotation, bad.message)
            });
            Problems(problems.collect())
        })?;
        Ok(Self {
            documents,
            secrets,
            operator: namespaces.operator,
        })
    }

    /// With what was chosen of it.
    pub(super) fn invocation(
        self,
        syncs: Vec<ChosenSync>,
        variables: Variables,
        touches: Touches,
    ) -> Invocation {
        Invocation {
            documents: self.documents,
            syncs,
            secrets: self.secrets,
            variables,
            operator_namespace: self.operator,
            touches,
            allow_commands: false,
        }
    }
}

/// The documents that `arguments` name, and all variables.
pub(super) fn texts(
    arguments: &InputArguments,
    process: Variables,
) -> Result<(Vec<InputText>, Variables), ReadInvocation> {
    let mut inputs = read_inputs(&arguments.paths, arguments.recursive, false)?;
    let trusted = arguments.reach.trusted_stores.as_slice();
    inputs.extend(read_inputs(trusted, arguments.recursive, true)?);
    let mut variables = process;
    for path in &arguments.reach.env_files {
        let content = env_file(path)?;
        variables.add_file(&plain(&path.display().to_string()), &content)?;
    }
    Ok((inputs, variables))
}

fn flags(arguments: &InputArguments) -> Result<Vec<&CredentialFlag>, Problems> {
    let (mut flags, mut problems) = (Vec::new(), Problems::default());
    for given in &arguments.reach.credentials {
        match &given.0 {
            Ok(flag) => flags.push(flag),
            Err(message) => problems.push(Problem::new(None, "--credential", message.as_str())),
        }
    }
    problems.or(flags)
}

fn env_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, ReadInvocation> {
    let failed = |source| ReadInvocation::ReadEnvFile {
        path: plain(&path.display().to_string()),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    let mut content = Zeroizing::new(Vec::new());
    file.take(MAX_ENV_FILE_BYTES + 1)
        .read_to_end(&mut content)
        .map_err(failed)?;
    if content.len() as u64 > MAX_ENV_FILE_BYTES {
        return Err(failed(io::Error::other("it is larger than 8 MiB")));
    }
    Ok(content)
}

/// The syncs that are meant, admitted.
fn choose(
    arguments: &InputArguments,
    documents: &Documents,
    variables: &Variables,
) -> Result<Vec<ChosenSync>, Problems> {
    let mut problems = Problems::default();
    let meant = named(arguments, documents, &mut problems);
    let parameters = arguments.set.iter().cloned().collect();
    let names = variables.names();
    let mut chosen = Vec::new();
    for document in &meant {
        let place = Place::CommandLine(CommandLine {
            parameters: &parameters,
            variables: &names,
            folder: &document.origin.folder,
        });
        match admit_at(&document.object, place) {
            Ok(sync) => chosen.push(ChosenSync {
                sync,
                only: None,
                retry: None,
                origin: document.origin.clone(),
            }),
            Err(found) => {
                let found = found.as_slice().iter();
                problems
                    .0
                    .extend(found.map(|fault| document.origin.problem(fault)));
            }
        }
    }
    check_parameters(arguments, &meant, &mut problems);
    if problems.0.is_empty() {
        narrow(arguments, &mut chosen, &mut problems);
    }
    problems.or(chosen)
}

fn named<'a>(
    arguments: &InputArguments,
    documents: &'a Documents,
    problems: &mut Problems,
) -> Vec<&'a SyncDocument> {
    if documents.syncs.is_empty() {
        let problem = Problem::new(None, "-f", "the documents hold no SecretSync");
        problems.push(
            problem.hint(
                "Name the file or folder that holds one; `--recursive` reads the folders below",
            ),
        );
    }
    let is = |id: &ObjectId, name: &str| id.to_string() == name || id.name.as_str() == name;
    for name in &arguments.only {
        if !documents.syncs.keys().any(|id| is(id, name)) {
            let known: Vec<&str> = documents.syncs.keys().map(|id| id.name.as_str()).collect();
            problems.push(unknown("--only", "SecretSync", name, &known));
        }
    }
    let all = arguments.only.is_empty();
    let meant = |id: &ObjectId| all || arguments.only.iter().any(|name| is(id, name));
    documents
        .syncs
        .iter()
        .filter(|(id, _)| meant(id))
        .map(|(_, document)| document)
        .collect()
}

fn unknown(flag: &str, what: &str, name: &str, known: &[&str]) -> Problem {
    let message = format!("no {what} is named `{}`", name.escape_debug());
    let hint = match nearest(name, known.iter().copied()) {
        Some(meant) => format!("Did you mean `{meant}`?"),
        None => format!("There are: {}", known.join(", ")),
    };
    Problem::new(None, flag, message).hint(hint)
}

/// A parameter that nobody declares is a typo.
fn check_parameters(arguments: &InputArguments, meant: &[&SyncDocument], problems: &mut Problems) {
    let known: BTreeSet<&str> = meant
        .iter()
        .flat_map(|document| document.object.spec.parameters.keys())
        .map(String::as_str)
        .collect();
    let known: Vec<&str> = known.into_iter().collect();
    for (name, _) in &arguments.set {
        if !known.contains(&name.as_str()) {
            problems.push(unknown(
                "--set",
                "parameter of these SecretSyncs",
                name,
                &known,
            ));
        }
    }
}

/// Applies `--target` and `--skip`.
fn narrow(arguments: &InputArguments, chosen: &mut Vec<ChosenSync>, problems: &mut Problems) {
    let all = |names: fn(&ValidatedSync) -> Vec<&str>| -> Vec<String> {
        let names: BTreeSet<&str> = chosen.iter().flat_map(|one| names(&one.sync)).collect();
        names.into_iter().map(str::to_owned).collect()
    };
    let targets = all(|sync| sync.targets.iter().map(|one| one.name.as_str()).collect());
    let sources = all(|sync| sync.sources.iter().map(|one| one.name.as_str()).collect());
    let mut check = |flag: &str, what: &str, name: &str, known: &[String]| {
        if !known.iter().any(|known| known == name) {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            problems.push(unknown(flag, what, name, &known));
        }
    };
    for name in &arguments.targets {
        check("--target", "target", name.as_str(), &targets);
    }
    for name in &arguments.skipped {
        check("--skip", "source", name.as_str(), &sources);
    }
    let only: BTreeSet<TargetName> = arguments.targets.iter().cloned().collect();
    for one in chosen.iter_mut() {
        if !only.is_empty() {
            one.only = Some(only.clone());
        }
        for source in &mut one.sync.sources {
            source.skipped |= arguments.skipped.contains(&source.name);
            if source.skipped {
                source.require.clear();
            }
        }
    }
    chosen.retain(|one| one.targets().next().is_some());
}

/// Every store that a chosen sync reads or writes stands among the documents, and those of files on hosts are such.
fn check_stores(
    syncs: &[ChosenSync],
    documents: &Documents,
    operator: &NamespaceName,
) -> Result<(), Problems> {
    let mut problems = Problems::default();
    for chosen in syncs {
        for (index, source) in chosen.sync.sources.iter().enumerate() {
            if let SourceOrigin::Store(reference) = &source.origin {
                let field = format!("spec.sources[{index}].store.name");
                let place = (chosen, documents, operator);
                if let Err(problem) = store_of(reference, field, place) {
                    problems.push(problem);
                }
            }
        }
        for target in chosen.targets() {
            if let Destination::HostFile(host) = &target.destination {
                let place = (chosen, documents, operator);
                if let Err(problem) = check_host(&host.store, &target.name, place) {
                    problems.push(problem);
                }
            }
        }
    }
    problems.or(())
}

/// A sync, and where its stores are looked for.
type Ask<'a> = (&'a ChosenSync, &'a Documents, &'a NamespaceName);

fn check_host(store: &StoreReference, target: &TargetName, ask: Ask<'_>) -> Result<(), Problem> {
    let field = format!("spec.targets[{target}].store.name");
    let document = store_of(store, field.clone(), ask)?;
    if document.object.provider.ssh.is_some() {
        return Ok(());
    }
    let at = Some(ask.0.origin.find(&field));
    let message = format!("{store} reaches no host, and `options.ssh` is for a store `ssh`");
    let problem = Problem::new(at, field, message);
    Err(problem.hint("Name a store whose provider is `ssh`"))
}

fn store_of<'a>(
    reference: &StoreReference,
    field: String,
    (chosen, documents, operator): Ask<'a>,
) -> Result<&'a StoreDocument, Problem> {
    let home = match reference.kind {
        StoreKind::Namespaced => &chosen.sync.id.namespace,
        StoreKind::Cluster => operator,
    };
    let found = documents.stores.get(&(home.clone(), reference.clone()));
    if let Some(document) = found {
        return Ok(document);
    }
    let known = documents
        .stores
        .keys()
        .filter(|(namespace, known)| namespace == home && known.kind == reference.kind);
    let known: Vec<&str> = known.map(|(_, known)| known.name.as_str()).collect();
    let at = Some(chosen.origin.find(&field));
    let message = format!("{reference} is not among the documents (namespace {home})");
    let hint = match nearest(reference.name.as_str(), known.iter().copied()) {
        Some(meant) => format!("Did you mean `{meant}`?"),
        None => "Name the file that holds it by another `-f`".to_owned(),
    };
    Err(Problem::new(at, field, message).hint(hint))
}
