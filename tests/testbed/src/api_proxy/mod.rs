//! A plain-HTTP door to the API server that counts requests and can interfere with chosen ones.
//!
//! The operator under test gets a kubeconfig with the proxy's address. Bearer tokens pass through,
//! watches stream through. Requests are counted by verb, resource and subresource
//! ([`ApiProxy::counts`]); a [`Trap`] waits for the k-th request that matches a [`Filter`], and then
//! holds it, swallows its answer or answers itself, while the test does something terrible.

mod forward;
mod proxy;
mod request;
mod trap;

pub use proxy::{ApiProxy, ProxyError};
pub use request::{ApiRequest, Count, Filter, Verb};
pub use trap::{Snare, Trap};
