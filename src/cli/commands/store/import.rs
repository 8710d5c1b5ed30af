//! `penstock import`: moves the secrets of an env file into a store.
//!
//! In this order, so that no value is ever in neither place: into the store, read back and compared, the whole file
//! put aside, the file rewritten without them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::items::{ItemPlace, StoreItems};
use penstock_domain::names::Key;
use penstock_domain::secret::SecretValue;
use penstock_domain::text::key_list;

use super::file::EnvFile;
use super::moving::{Kind, Moving, guess};
use super::{StoreVerbError, label, say};
use crate::exit::Ending;
use crate::output::{Streams, plain};

/// What was chosen beforehand.
#[derive(Debug, Clone, Copy)]
pub struct ImportChoices<'a> {
    /// Keys that move.
    pub secrets: &'a [String],
    /// Keys that stay.
    pub configuration: &'a [String],
    /// Take what each key most likely is, without asking.
    pub guess: bool,
    /// Replace other values that the store has.
    pub replace: bool,
    /// Do not ask whether to begin.
    pub yes: bool,
    /// Where the file is put aside.
    pub undo: &'a Path,
}

/// Moves keys of `file` to `place`.
pub async fn import(
    items: &dyn StoreItems,
    (file, place): (&EnvFile, &ItemPlace),
    choices: ImportChoices<'_>,
    streams: &mut Streams,
) -> Result<Ending, StoreVerbError> {
    let keys = file.keys()?;
    let secrets = choose(file, keys, choices, streams).await?;
    if secrets.is_empty() {
        say(streams, "Nothing moves: no key was chosen as a secret.")?;
        return Ok(Ending::Done);
    }
    // What cannot be taken out of the file is not put into the store either.
    let moved = secrets
        .keys()
        .filter_map(|name| Key::new(name.as_str()).ok())
        .collect();
    let rest = file.without(&moved)?;
    let item = items.read(place).await?;
    let moving = Moving::of(&secrets, &item);
    show(file, place, &moving, streams)?;
    if !moving.differing.is_empty() && !choices.replace {
        return Err(differing(place, &moving.differing).into());
    }
    if !choices.yes {
        if !streams.person {
            streams.tell("Nothing was moved. --yes moves it.");
            return Ok(Ending::Changes);
        }
        let agreed = streams.agree_or_leave("Move these keys?").await;
        if !agreed
            .map_err(StoreVerbError::Ask)?
            .ok_or(StoreVerbError::Left)?
        {
            streams.tell("Nothing was moved.");
            return Ok(Ending::Failed);
        }
    }
    let written: BTreeMap<String, SecretValue> = secrets
        .iter()
        .filter(|(name, _)| !moving.equal.contains(*name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if !written.is_empty() {
        items.set(place, &written, &item.state).await?;
    }
    let there = items.read(place).await?;
    let lost: Vec<&String> = secrets
        .iter()
        .filter(|(name, value)| there.keys.get(*name) != Some(*value))
        .map(|(name, _)| name)
        .collect();
    if !lost.is_empty() {
        return Err(not_read_back(place, &lost).into());
    }
    let undo = file.put_aside(choices.undo)?;
    file.replace(&rest)?;
    let path = file.path().display();
    say(
        streams,
        &format!(
            "{} keys are in {} and no longer in {path}.\nTo undo: cp -- '{}' '{path}'. That file holds the values: delete it when all is well.",
            secrets.len(),
            label(place),
            undo.display()
        ),
    )?;
    Ok(Ending::Done)
}

/// The keys that move.
async fn choose(
    file: &EnvFile,
    keys: BTreeMap<String, SecretValue>,
    choices: ImportChoices<'_>,
    streams: &mut Streams,
) -> Result<BTreeMap<String, SecretValue>, StoreVerbError> {
    let named = choices.secrets.iter().chain(choices.configuration);
    if let Some(key) = named.clone().find(|name| !keys.contains_key(*name)) {
        return Err(StoreVerbError::NoSuchKey {
            path: file.path().to_path_buf(),
            key: key.clone(),
        });
    }
    let open: Vec<&str> = keys
        .keys()
        .filter(|name| !named.clone().any(|named| named == *name))
        .map(String::as_str)
        .collect();
    if !open.is_empty() && !choices.guess && !streams.person {
        return Err(StoreVerbError::Undecided {
            keys: plain(&key_list(&open)),
        });
    }
    let mut secrets = BTreeMap::new();
    for (name, value) in keys {
        let kind = if choices.secrets.contains(&name) {
            Kind::Secret
        } else if choices.configuration.contains(&name) {
            Kind::Configuration
        } else if choices.guess {
            guess(&name, &value)
        } else {
            ask(&name, guess(&name, &value), streams).await?
        };
        if kind == Kind::Secret {
            secrets.insert(name, value);
        }
    }
    Ok(secrets)
}

async fn ask(name: &str, likely: Kind, streams: &mut Streams) -> Result<Kind, StoreVerbError> {
    let offer = match likely {
        Kind::Secret => "[S]ecret or [c]onfiguration",
        Kind::Configuration => "[s]ecret or [C]onfiguration",
    };
    loop {
        let question = format!("{}: {offer}?", plain(name));
        let answer = streams.ask_or_leave(&question).await;
        match answer
            .map_err(StoreVerbError::Ask)?
            .as_deref()
            .map(str::to_ascii_lowercase)
            .as_deref()
        {
            None => return Err(StoreVerbError::Left),
            Some("") => return Ok(likely),
            Some("s" | "secret") => return Ok(Kind::Secret),
            Some("c" | "configuration") => return Ok(Kind::Configuration),
            Some(_) => {}
        }
    }
}

fn show(
    file: &EnvFile,
    place: &ItemPlace,
    moving: &Moving,
    streams: &mut Streams,
) -> Result<(), StoreVerbError> {
    let head = format!("{} to {}:", file.path().display(), label(place));
    say(streams, &head)?;
    for (names, what) in [
        (&moving.new, "move"),
        (&moving.equal, "are there already, and leave the file"),
        (&moving.differing, "replace another value"),
    ] {
        if !names.is_empty() {
            let names: Vec<&String> = names.iter().collect();
            say(streams, &format!("  {what}: {}", plain(&key_list(&names))))?;
        }
    }
    Ok(())
}

fn differing(place: &ItemPlace, names: &BTreeSet<String>) -> Fault {
    let names: Vec<&String> = names.iter().collect();
    let message = format!("it has other values of {}", key_list(&names));
    Fault::new(FaultClass::Conflict, label(place), message)
        .hint("Nothing was moved. --replace puts those of the file in their place")
}

fn not_read_back(place: &ItemPlace, names: &[&String]) -> Fault {
    let message = format!(
        "it does not give back what was written: {}",
        key_list(names)
    );
    Fault::new(FaultClass::Unavailable, label(place), message).hint("The file is as it was")
}
