//! The outside world: one folder per outside system, behind the ports of the domain.
//!
//! [`providers`] is the only file that names every store's adapter, [`open`] says what they have in common,
//! [`registry`] keeps them open and serves the ports. What lies on the machine itself is beside them in `local`.

pub mod blocking;
#[cfg(any(feature = "vault", feature = "kubernetes", feature = "infisical"))]
mod credential_hash;
#[cfg(any(feature = "vault", feature = "infisical"))]
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
#[cfg(feature = "kubernetes")]
pub mod remote_objects;
#[cfg(any(feature = "vault", feature = "infisical"))]
#[cfg_attr(
    not(all(feature = "vault", feature = "infisical")),
    expect(dead_code, reason = "each system uses its part of a session")
)]
mod session;
#[cfg(any(feature = "vault", feature = "infisical"))]
pub mod settings;
pub mod shared_reads;
#[cfg(feature = "vault")]
pub mod vault;

#[cfg(test)]
mod test_ports;
