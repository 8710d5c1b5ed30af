//! `penstock set`: one key of one item.

use std::collections::BTreeMap;
use std::io::Read as _;

use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::items::{ItemPlace, StoreItems};
use penstock_domain::secret::SecretValue;
use zeroize::Zeroizing;

use super::{StoreVerbError, label, say};
use crate::exit::Ending;
use crate::output::{Hidden, Streams, plain, read_hidden};

/// The largest value that is taken.
pub(super) const MAX_VALUE_BYTES: u64 = 1024 * 1024;
/// The longest name of a key.
const MAX_KEY: usize = 253;

/// Takes a value from a person, who types it unseen, or from standard input. `exact` keeps a line end that stands
/// behind a single line, which `echo` puts there and nobody means.
pub fn take_value(
    key: &str,
    exact: bool,
    streams: &mut Streams,
) -> Result<SecretValue, StoreVerbError> {
    if streams.person {
        let prompt = format!("Value of {} (it is not shown): ", plain(key));
        let taken = read_hidden(&prompt, streams).map_err(StoreVerbError::TakeValue)?;
        return match taken {
            Hidden::Line(line) => Ok(line),
            Hidden::Left => Err(StoreVerbError::Left),
        };
    }
    let mut bytes = Zeroizing::new(Vec::new());
    let mut input = (&mut streams.input).take(MAX_VALUE_BYTES + 1);
    input
        .read_to_end(&mut bytes)
        .map_err(StoreVerbError::TakeValue)?;
    if bytes.len() as u64 > MAX_VALUE_BYTES {
        return Err(StoreVerbError::ValueTooLarge);
    }
    if !exact {
        drop_single_end(&mut bytes);
    }
    Ok(SecretValue::new(std::mem::take(&mut *bytes)))
}

fn drop_single_end(bytes: &mut Vec<u8>) {
    let first_end = bytes.iter().position(|byte| *byte == b'\n');
    if first_end.is_some_and(|at| at + 1 == bytes.len()) {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
}

/// Sets `key`; every other key stays. Whoever changed the item in the meantime loses nothing.
pub async fn set(
    items: &dyn StoreItems,
    place: &ItemPlace,
    (key, value): (&str, SecretValue),
    streams: &mut Streams,
) -> Result<Ending, StoreVerbError> {
    if key.is_empty() || key.len() > MAX_KEY || key.chars().any(char::is_control) {
        let message = format!("a key has 1 to {MAX_KEY} bytes and no control characters");
        return Err(Fault::new(FaultClass::Invalid, label(place), message).into());
    }
    let item = items.read(place).await?;
    let shown = plain(key);
    let before = item.keys.get(key);
    let what = match before {
        Some(before) if *before == value => {
            say(
                streams,
                &format!("{}: {shown} has this value already", label(place)),
            )?;
            return Ok(Ending::Done);
        }
        Some(_) => "changed",
        None => "added",
    };
    let keys = BTreeMap::from([(key.to_owned(), value)]);
    items.set(place, &keys, &item.state).await?;
    let others = item.keys.len() - usize::from(before.is_some());
    say(
        streams,
        &format!("{}: {shown} {what}, {others} others kept", label(place)),
    )?;
    Ok(Ending::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_single_line_is_not_part_of_it() {
        for (given, meant) in [
            ("hunter2\n", "hunter2"),
            ("hunter2\r\n", "hunter2"),
            ("hunter2", "hunter2"),
            ("", ""),
            ("\n", ""),
            ("-----BEGIN\nx\n-----END\n", "-----BEGIN\nx\n-----END\n"),
        ] {
            let mut bytes = given.as_bytes().to_vec();
            drop_single_end(&mut bytes);
            assert_eq!(bytes, meant.as_bytes(), "{given:?}");
        }
    }
}
