//! The world without a cluster: what documents, variables and the invocation give the engine.
//!
//! - [`variables`]: the variables of the process and of named env files.
//! - [`credentials`]: where each key of a Secret comes from that stores and sources name, and how it is fetched.
//! - [`accountable`]: who did what, for the audit trail.
//! - [`catalog`]: stores among the documents.
//! - [`chosen_store`]: the one that a verb names.
//! - [`trust`]: what documents of strangers may not say.
//! - [`touches`]: which hosts, variables and files a run will touch, known before the first read.
//! - [`invocation`]: all of it together: the syncs that are meant, admitted.
//! - [`live`]: whether an operator already looks after a sync.
//! - [`memory`]: what `--record` and `--key` lead to.
//! - [`content`]: what syncs hold, for verbs that hand it on.
//! - [`progress`]: says what is waited for, when it takes long.
//! - [`session`]: one run of the engine over them.
//! - [`ports`]: ports for what this machine does not have.
//!
//! Nothing in here knows a vault or a file system: both come in as ports.

mod accountable;
mod catalog;
mod chosen_store;
mod content;
mod credentials;
mod invocation;
mod live;
mod memory;
mod ports;
mod progress;
mod session;
mod touches;
mod trust;
mod variables;

pub use self::accountable::{AccountableItems, ByUser};
pub use self::catalog::DocumentCatalog;
pub use self::content::{Contents, FindContent};
pub use self::credentials::{
    CredentialFlag, GivenCredential, LocalCredentials, SecretMap, StoreEntry, read_entry,
};
pub use self::invocation::{ChosenSync, Invocation, ReadInvocation};
pub use self::live::{LiveSync, LiveSyncs, NoLiveSyncs};
pub use self::ports::{AlwaysOpen, NoAudit, NoRecords, NoWorkloads, StoreNews};
pub use self::progress::Told;
pub use self::session::{Looked, Session, request};
pub use self::touches::{Touch, Touches, unencrypted_hosts};
pub use self::variables::{ReadVariables, Variables};
