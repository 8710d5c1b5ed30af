//! The outside world: one folder per outside system, behind the ports of the domain.
//!
//! [`providers`] is the only file that names every store's adapter, [`open`] says what they have in common,
//! [`registry`] keeps them open and serves the ports. What lies on the machine itself is beside them in `local`.

#[cfg(any(feature = "doppler", feature = "onepassword", feature = "http-service"))]
mod asking;
#[cfg(feature = "aws")]
#[allow(dead_code, reason = "each service calls its part of the actions")]
pub mod aws;
#[cfg(feature = "aws-parameter-store")]
pub mod aws_parameter_store;
#[cfg(feature = "aws-secrets-manager")]
pub mod aws_secrets_manager;
#[cfg(feature = "azure-key-vault")]
pub mod azure_key_vault;
#[cfg(feature = "bitwarden")]
pub mod bitwarden;
#[cfg(any(feature = "bitwarden", feature = "bitwarden-secrets-manager"))]
#[allow(dead_code, reason = "each of the two uses its part")]
mod bitwarden_common;
#[cfg(feature = "bitwarden-secrets-manager")]
pub mod bitwarden_sm;
pub mod blocking;
#[cfg(feature = "stores")]
mod credential_hash;
#[cfg(feature = "doppler")]
pub mod doppler;
#[cfg(feature = "stores")]
#[allow(dead_code, reason = "some systems count otherwise")]
mod entries;
#[cfg(feature = "files")]
pub mod files;
#[cfg(feature = "oauth")]
mod flat_names;
#[cfg(feature = "gcp-secret-manager")]
pub mod gcp_secret_manager;
pub mod http;
#[cfg(feature = "http-service")]
pub mod http_service;
#[cfg(feature = "infisical")]
pub mod infisical;
#[cfg(feature = "oauth")]
#[allow(dead_code, reason = "each cloud signs in its own way")]
mod jwt;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
#[cfg(feature = "files")]
pub mod local;
pub mod no_canaries;
#[cfg(feature = "oauth")]
mod oauth;
#[cfg(feature = "onepassword")]
pub mod one_password;
pub mod open;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "files")]
pub mod process_environment;
#[cfg(feature = "oauth")]
mod property;
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
#[cfg(feature = "ssh")]
pub mod ssh;
pub mod store_records;
pub mod validators;
#[cfg(feature = "vault")]
pub mod vault;

#[cfg(feature = "stores")]
#[cfg(test)]
#[allow(dead_code, reason = "a build with few systems uses a part of it")]
mod test_failures;
#[cfg(test)]
mod test_ports;
#[cfg(feature = "stores")]
#[cfg(test)]
#[allow(dead_code, reason = "a build with few systems uses a part of it")]
mod test_stores;
