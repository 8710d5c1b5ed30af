//! Free ports on the loopback interface.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

/// Below the range that systems give to outgoing connections, so that a port stays free between
/// our look and the server's bind, and while a server is down and is to come back on it.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// No free port was found.
#[derive(Debug, thiserror::Error)]
#[error("found no free port between {FIRST} and {}", FIRST + COUNT)]
pub struct NoFreePort;

/// A port on 127.0.0.1 that nobody listens on, and that this process has not given out before.
pub fn free_port() -> Result<u16, NoFreePort> {
    // Its seed is random for each call: two processes do not walk the range in step.
    let random = RandomState::new();
    for attempt in 0..u32::from(COUNT) {
        let offset = u16::try_from(random.hash_one(attempt) % u64::from(COUNT)).unwrap_or(0);
        let port = FIRST + offset;
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        if free && taken.insert(port) {
            return Ok(port);
        }
    }
    Err(NoFreePort)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_and_can_be_bound() {
        let (one, two) = (free_port().unwrap(), free_port().unwrap());
        assert_ne!(one, two);
        TcpListener::bind((Ipv4Addr::LOCALHOST, one)).unwrap();
    }

    #[test]
    fn a_port_in_use_is_not_given_out() {
        let held: Vec<_> = (0..50)
            .filter_map(|_| free_port().ok())
            .filter_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok())
            .collect();
        let port = free_port().unwrap();
        assert!(
            held.iter()
                .all(|listener| listener.local_addr().unwrap().port() != port)
        );
    }
}
