//! From what the sources answered to what the targets hold: pure, synchronous, deterministic.
//!
//! The way of a value, in this order:
//!
//! 1. [`decode`]: base64 of the whole value, where the source says so.
//! 2. [`extract`]: one entry that holds a document becomes its members (an env file, see [`formats`](crate::formats), or JSON).
//! 3. [`select`]: names, tags and patterns of the source's `select`; names are those at the source.
//! 4. [`rename`]: to keys of the bundle.
//! 5. [`merge`]: within one source, then across sources in their order, by `conflicts`; then `require`.
//! 6. [`transform`]: templates, derivations and public SSH keys over the merged keys.
//! 7. [`target`]: what one target takes of the bundle, and whether it may hold it.
//!
//! [`render`] does 1 to 6 and [`target_data`] does 7. Both collect every problem instead of stopping at
//! the first, and no message holds a byte of a value: only key names, field paths and our own sentences.
//! Equal input gives equal bytes: salts derive from the installation key, and there is no clock, no
//! environment and no randomness here.
//!
//! Values are zeroed when dropped, with one exception that cannot be helped: the template engine works on
//! copies of its own. It is handed only those keys that a template really looks up.

mod assemble;
mod decode;
mod derive;
mod extract;
mod faults;
mod merge;
mod pem;
mod refused;
mod rename;
mod select;
mod ssh;
mod take_apart;
mod target;
mod template;
mod transform;
mod typed;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;

pub use assemble::{SourceAnswer, TemplateTexts, hashes_passwords, render, template_references};
pub use extract::PropertyPath;
pub(crate) use faults::member_path;
pub use refused::{REFUSED_KEYS, REFUSED_PREFIXES, is_refused_key};
pub use take_apart::{DocumentPart, ReadDocumentPart, TakeApart, take_apart};
pub use target::{MAX_OBJECT_BYTES, target_data};
pub use template::{MAX_OUTPUT_BYTES, TemplateProblem, check_template};
