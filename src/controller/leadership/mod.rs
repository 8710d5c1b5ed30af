//! Who may write, when there are several replicas.
//!
//! One replica holds a Lease in the operator's namespace and renews it. Nobody trusts anybody's clock: a
//! candidate waits until it has seen the same lease unchanged for the whole lease duration, and the leader
//! stops writing a fixed time after the *beginning* of its last successful renewal, measured on its own
//! monotonic clock, which is before any candidate can be done waiting. What a write has already sent when
//! the leadership ends is caught by its resourceVersion or uid.
//!
//! - [`election`]: what to do, given what the lease says (pure).
//! - [`fence`]: whether a write may start now.
//! - [`term`]: the loop that holds the lease.
//! - [`lease`]: the Lease object.

mod election;
mod fence;
mod lease;
mod term;

#[cfg(test)]
mod tests;

pub use self::fence::WriteFence;
pub use self::lease::LeaseObject;
pub use self::term::{Leadership, Standing};
