//! The outside world: one folder per outside system, behind the ports of the domain.
//!
//! [`providers`] is the only file that names every store's adapter, [`open`] says what they have in common,
//! [`registry`] keeps them open and serves the ports. What lies on the machine itself is beside them in `local`.

pub mod blocking;
#[cfg(feature = "stores")]
mod credential_hash;
#[cfg(feature = "stores")]
#[allow(dead_code, reason = "some systems count otherwise")]
mod entries;
#[cfg(feature = "files")]
pub mod files;
pub mod http;
#[cfg(feature = "infisical")]
pub mod infisical;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
#[cfg(feature = "files")]
pub mod local;
pub mod open;
#[cfg(feature = "files")]
pub mod process_environment;
pub mod providers;
pub mod registry;
#[cfg(feature = "stores")]
#[allow(dead_code, reason = "not every system tells whether something changed")]
mod remembered;
#[cfg(feature = "kubernetes")]
pub mod remote_objects;
#[cfg(feature = "stores")]
#[allow(dead_code, reason = "each system uses its part of a session")]
mod session;
#[cfg(feature = "stores")]
#[allow(dead_code, reason = "each system names its part of what can be named")]
pub mod settings;
pub mod shared_reads;
#[cfg(feature = "vault")]
pub mod vault;

#[cfg(test)]
mod test_ports;
