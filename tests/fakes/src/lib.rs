//! Strict stand-ins for systems of which no registry offers a server.
//!
//! Each is written from the protocol of the system, answers as it does in the unhappy cases too, and refuses
//! what it refuses. [`Server`] is what they have in common. [`aws`] stands beside moto, which others have written
//! and which refuses less.

pub mod aws;
pub mod azure;
pub mod bitwarden;
pub mod bitwarden_sm;
pub mod doppler;
pub mod gcp;
mod ids;
pub mod infisical;
mod jwt;
pub mod one_password;
pub mod outage;
pub mod sealing;
mod server;

pub use aws::FakeAws;
pub use azure::FakeAzure;
pub use bitwarden::FakeBitwarden;
pub use bitwarden_sm::FakeBitwardenSm;
pub use doppler::FakeDoppler;
pub use gcp::FakeGcp;
pub use infisical::FakeInfisical;
pub use jwt::new_key;
pub use one_password::FakeOnePassword;
pub use server::{Handler, Listen, Reply, Request, Server, StartServer};

/// A client of the tests.
#[cfg(test)]
fn test_client() -> reqwest::Client {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| drop(rustls::crypto::aws_lc_rs::default_provider().install_default()));
    let client = reqwest::Client::builder().no_proxy().build();
    client.unwrap()
}
