//! `penstock init`: makes what syncs require and a store lacks. What is there stays as it is.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use penstock_domain::fault::FaultClass;
use penstock_domain::items::{Item, ItemPlace, StoreItems};
use penstock_domain::secret::SecretValue;
use penstock_domain::text::key_list;
use zeroize::Zeroizing;

use super::required::Required;
use super::{StoreVerbError, label, say};
use crate::exit::Ending;
use crate::output::Streams;

/// Random bytes of a value that is generated: 256 bits.
const RANDOM_BYTES: usize = 32;

/// How keys are made.
#[derive(Debug, Clone, Copy)]
pub struct InitChoices {
    /// With random values; else empty.
    pub generate: bool,
    /// Without asking.
    pub yes: bool,
}

/// Makes keys that are required and missing, after asking.
pub async fn init(
    items: &dyn StoreItems,
    required: &Required,
    choices: InitChoices,
    streams: &mut Streams,
) -> Result<Ending, StoreVerbError> {
    for sentence in &required.unclear {
        streams.tell(format!("left out: {sentence}"));
    }
    let mut missing = Vec::new();
    for (place, keys) in &required.items {
        let item = match items.read(place).await {
            Ok(item) => item,
            // Not every path is one of an item that could hold a key.
            Err(fault) if fault.class == FaultClass::Invalid => {
                streams.tell(format!("left out: {}: {fault}", label(place)));
                continue;
            }
            Err(fault) => return Err(fault.into()),
        };
        let lacks: Vec<String> = keys
            .iter()
            .filter(|key| !item.keys.contains_key(*key))
            .cloned()
            .collect();
        if !lacks.is_empty() {
            missing.push((place, item, lacks));
        }
    }
    if missing.is_empty() {
        say(streams, "Nothing is missing.")?;
        return Ok(Ending::Done);
    }
    let how = if choices.generate {
        "random values"
    } else {
        "empty values"
    };
    for (place, item, lacks) in &missing {
        let new = if item.exists { "" } else { " (new)" };
        say(
            streams,
            &format!("{}{new}: {} with {how}", label(place), key_list(lacks)),
        )?;
    }
    if !choices.yes {
        if !streams.person {
            streams.tell("Nothing was made. --yes makes it.");
            return Ok(Ending::Changes);
        }
        let agreed = streams.agree_or_leave("Make these keys?").await;
        if !agreed
            .map_err(StoreVerbError::Ask)?
            .ok_or(StoreVerbError::Left)?
        {
            streams.tell("Nothing was made.");
            return Ok(Ending::Failed);
        }
    }
    for (place, item, lacks) in &missing {
        make(items, place, (item, lacks), choices.generate).await?;
        say(
            streams,
            &format!("{}: made {}", label(place), key_list(lacks)),
        )?;
    }
    Ok(Ending::Done)
}

async fn make(
    items: &dyn StoreItems,
    place: &ItemPlace,
    (item, lacks): (&Item, &[String]),
    generate: bool,
) -> Result<(), StoreVerbError> {
    let value = |_: &String| {
        if generate {
            random()
        } else {
            Ok(SecretValue::new(Vec::new()))
        }
    };
    let keys = lacks.iter().map(|key| Ok((key.clone(), value(key)?)));
    let keys: BTreeMap<String, SecretValue> = keys.collect::<Result<_, StoreVerbError>>()?;
    // Whoever made one of them in the meantime wins: the state that was seen is no longer the item's.
    Ok(items.set(place, &keys, &item.state).await?)
}

fn random() -> Result<SecretValue, StoreVerbError> {
    let mut bytes = Zeroizing::new([0; RANDOM_BYTES]);
    getrandom::fill(bytes.as_mut_slice()).map_err(StoreVerbError::ReadRandomness)?;
    Ok(SecretValue::new(URL_SAFE_NO_PAD.encode(bytes.as_slice())))
}
