//! `penstock get`: what a store holds under a path.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;

use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::items::{Item, ItemPlace, StoreItems};
use penstock_domain::secret::SecretValue;
use penstock_domain::text::nearest;
use serde::Serialize;

use super::{StoreVerbError, label, say};
use crate::arguments::OverviewForm;
use crate::exit::Ending;
use crate::output::{Streams, Tone, plain};

/// What stands for a value that is not shown. It tells no length.
const MASK: &str = "***";

/// What is shown, and how.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// Only this key.
    pub key: Option<&'a str>,
    /// Values, too.
    pub reveal: bool,
    /// The form.
    pub form: OverviewForm,
}

/// Shows an item, one key of it, or the names in a folder.
pub async fn get(
    items: &dyn StoreItems,
    place: &ItemPlace,
    shown: Shown<'_>,
    streams: &mut Streams,
) -> Result<Ending, StoreVerbError> {
    if place.path.is_folder() && shown.key.is_none() {
        return folder(items, place, shown.form, streams).await;
    }
    let mut item = items.read(place).await?;
    if !item.exists {
        return Err(absent(place).into());
    }
    if let Some(key) = shown.key {
        let value = item
            .keys
            .remove(key)
            .ok_or_else(|| no_key(place, &item, key))?;
        if shown.reveal && shown.form == OverviewForm::Text {
            return raw(&value, streams);
        }
        item.keys = BTreeMap::from([(key.to_owned(), value)]);
    }
    match shown.form {
        OverviewForm::Text => text(place, &item, shown.reveal, streams)?,
        OverviewForm::Json => {
            let page = json(place, &item, shown.reveal).map_err(StoreVerbError::WriteJson)?;
            say(streams, &page)?;
        }
    }
    Ok(Ending::Done)
}

async fn folder(
    items: &dyn StoreItems,
    place: &ItemPlace,
    form: OverviewForm,
    streams: &mut Streams,
) -> Result<Ending, StoreVerbError> {
    let names = items.list(place).await?;
    match form {
        OverviewForm::Text => {
            for name in names {
                say(streams, &plain(&name))?;
            }
        }
        OverviewForm::Json => {
            let page = serde_json::to_string_pretty(&serde_json::json!({"names": names}));
            say(streams, &page.map_err(StoreVerbError::WriteJson)?)?;
        }
    }
    Ok(Ending::Done)
}

/// The bytes and nothing else; a terminal gets a line end of its own.
fn raw(value: &SecretValue, streams: &mut Streams) -> Result<Ending, StoreVerbError> {
    let end: &[u8] = if io::IsTerminal::is_terminal(&io::stdout()) {
        b"\n"
    } else {
        b""
    };
    streams
        .out
        .write_all(value.expose())
        .and_then(|()| streams.out.write_all(end))
        .and_then(|()| streams.out.flush())
        .map_err(StoreVerbError::Print)?;
    Ok(Ending::Done)
}

fn text(
    place: &ItemPlace,
    item: &Item,
    reveal: bool,
    streams: &mut Streams,
) -> Result<(), StoreVerbError> {
    let mut head = label(place);
    if let Some(version) = &item.version {
        // Writing to a String cannot fail.
        let _ = write!(head, ", version {}", plain(version));
    }
    if !item.tags.is_empty() {
        let tags: Vec<String> = item.tags.iter().map(|tag| plain(tag)).collect();
        let _ = write!(head, ", tags {}", tags.join(", "));
    }
    let head = streams.style.paint(Tone::Strong, &head);
    say(streams, &head)?;
    let width = item.keys.keys().map(|key| plain(key).chars().count()).max();
    let width = width.unwrap_or_default().min(40);
    for (key, value) in &item.keys {
        let value = if reveal {
            value
                .expose_text()
                .map_or_else(|| "(no text)".to_owned(), plain)
        } else {
            MASK.to_owned()
        };
        say(streams, &format!("  {:width$}  {value}", plain(key)))?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Page<'a> {
    store: String,
    path: String,
    version: Option<&'a str>,
    tags: Vec<&'a str>,
    keys: BTreeMap<&'a str, Option<&'a str>>,
}

fn json(place: &ItemPlace, item: &Item, reveal: bool) -> Result<String, serde_json::Error> {
    let keys = item.keys.iter().map(|(key, value)| {
        let shown = reveal.then(|| value.expose_text()).flatten();
        (key.as_str(), shown)
    });
    serde_json::to_string_pretty(&Page {
        store: place.store.to_string(),
        path: place.path.to_text(),
        version: item.version.as_deref(),
        tags: item.tags.iter().map(String::as_str).collect(),
        keys: keys.collect(),
    })
}

fn absent(place: &ItemPlace) -> Fault {
    Fault::new(FaultClass::NotFound, label(place), "there is nothing")
        .hint("The names in a folder are listed by a path that ends in a slash")
}

fn no_key(place: &ItemPlace, item: &Item, key: &str) -> Fault {
    let message = format!("it has no key `{}`", key.escape_debug());
    let fault = Fault::new(FaultClass::NotFound, label(place), message);
    match nearest(key, item.keys.keys().map(String::as_str)) {
        Some(meant) => fault.hint(format!("Did you mean `{}`?", plain(meant))),
        None => fault,
    }
}
