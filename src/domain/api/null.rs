//! An explicit `null` is absence.
//!
//! A plain create drops a `null` where the schema does not allow one, server-side apply refuses it there
//! (both tried on 1.35), and templating tools write them all the time. So every optional field is
//! nullable in the schema (closed words apart, see [`super::crds`]), and what the API server then keeps is
//! read as absence.

use serde::{Deserialize, Deserializer};

/// Reads `null` as the empty collection; `Option` needs no such help.
pub(super) fn null_is_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
