//! Files on a host, over SSH: sources and targets of the command line.
//!
//! | module | duty |
//! |---|---|
//! | [`settings`] | reads `spec.provider.ssh`: the keys that the host may show, the key to log in with |
//! | [`connection`] | one connection: a judged address, a pinned host key, a login, a command |
//! | [`sftp`] | the requests of SFTP 3 that are needed, strictly bounded |
//! | [`place`], [`lock`], [`replace`] | which file is meant, one run at a time, one visible step |
//! | [`files`] | observing, writing and removing with them |
//! | [`store`] | what the registry opens |
//! | [`error`] | what goes wrong, in our words |
//!
//! Files are reached by SFTP and not by commands: it needs no shell (accounts that may do nothing else will do),
//! quotes nothing, tells what failed by numbers, sets modes when it makes a file, and replaces one in a single step
//! (`posix-rename@openssh.com`). What a write makes of what stands there is the work of `files::content`, as for
//! files on this machine.
//!
//! What SFTP does not have: a lock that goes with its holder (see [`lock`]), the identity of a file (another one
//! of the same owner, mode and path counts as the same), and a way to make the folder's entries durable.

mod connection;
mod error;
mod files;
mod lock;
mod place;
mod replace;
mod settings;
mod sftp;
mod store;

pub use self::error::SshError;
pub use self::store::SshStore;
