//! 1Password, over the REST API of its Connect server.
//!
//! Facts are those of the API's reference (`developer.1password.com/docs/connect/api-reference` and the OpenAPI
//! document of version 1.8 that it links) and of the official clients (`1Password/connect-sdk-go`,
//! `onepasswordconnectsdk`): ids of 26 lower case letters and digits, `name eq "…"` and `title eq "…"` as filters,
//! lists without fields and sections, error documents of `status` and `message`.
//!
//! - [`settings`] reads `spec.provider.onePassword`; [`answer`] judges answers, purely; [`store`] asks and is what the
//!   registry opens.
//! - A path is vault and item, each by name or id; a vault alone is all its items. An item gives an entry for each
//!   field that has a value: Connect leaves empty values out, so an empty field cannot be told from none. One-time
//!   passwords are not made: such a field is its seed. Files are not read.
//! - A field's name is its label. The path of an entry is the item's title, and the section's label below it. Tags are
//!   the item's.
//! - The list of a vault tells the version of each item, so a vault in which nothing changed is one request.

mod answer;
mod settings;
mod store;

pub use store::OnePasswordStore;

#[cfg(test)]
pub(crate) mod tests;
