//! Documents: what `-f` names, read within bounds, checked, and told apart.
//!
//! The way of a document, in this order:
//!
//! 1. [`files`]: which files are meant, and their bytes. The only part that touches the outside.
//! 2. [`tree`]: YAML (and JSON, which is YAML) into a tree of nodes that know where they stand.
//! 3. [`schema`]: the tree against the schema of its kind, which is the one that the API server has. A field
//!    that nobody knows is an error here, with the name that was most likely meant.
//! 4. [`load`]: the tree into the types of `penstock.dev/v1alpha1`, or into what a Secret or ConfigMap holds.
//!    Kinds of others are left out quietly.
//! 5. [`set`]: what was found, by kind, namespace and name, each once.
//!
//! Problems point into the file ([`problem`]): line, column, and the name of the field. Never a value: the
//! line itself is not shown, because nobody can tell which part of it is secret.

mod files;
mod load;
mod problem;
mod schema;
mod set;
mod tree;

#[cfg(test)]
mod tests;

pub use self::files::{InputText, ReadInputs, read_inputs};
pub use self::load::{Namespaces, load};
pub use self::problem::{Pointer, Problem, Problems};
pub use self::set::{
    ConfigMapDocument, Documents, ObjectId, Origin, SecretDocument, StoreDocument, SyncDocument,
};
