//! How often one address may ask.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

/// Requests at one go …
const BURST: u32 = 100;
/// … and one more each time this has passed.
const REFILL: Duration = Duration::from_millis(100);
/// Addresses that are remembered; while all of them are busy, no other is let in.
const MAX_ADDRESSES: usize = 4096;

/// What the addresses have left.
#[derive(Debug, Default)]
pub(super) struct Addresses(HashMap<IpAddr, Bucket>);

#[derive(Debug)]
struct Bucket {
    left: u32,
    /// Up to when refills have been counted.
    counted: Instant,
}

impl Addresses {
    /// Takes one request of `address`; false when it has none left.
    pub(super) fn admit(&mut self, address: IpAddr, now: Instant) -> bool {
        if !self.0.contains_key(&address) && self.0.len() >= MAX_ADDRESSES {
            let full = REFILL * BURST;
            self.0
                .retain(|_, bucket| now.duration_since(bucket.counted) < full);
            if self.0.len() >= MAX_ADDRESSES {
                return false;
            }
        }
        let bucket = self.0.entry(address).or_insert(Bucket {
            left: BURST,
            counted: now,
        });
        let passed = now.duration_since(bucket.counted).as_millis() / REFILL.as_millis();
        let refills = u32::try_from(passed).unwrap_or(u32::MAX);
        if bucket.left.saturating_add(refills) >= BURST {
            (bucket.left, bucket.counted) = (BURST, now);
        } else {
            bucket.left += refills;
            bucket.counted += REFILL * refills;
        }
        match bucket.left.checked_sub(1) {
            Some(left) => {
                bucket.left = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(number))
    }

    #[test]
    fn one_address_runs_dry_and_recovers_and_others_do_not_notice() {
        let mut addresses = Addresses::default();
        let start = Instant::now();
        let admitted = |addresses: &mut Addresses, count: u32, now| {
            (0..count)
                .filter(|_| addresses.admit(address(1), now))
                .count()
        };
        assert_eq!(admitted(&mut addresses, 200, start), 100);
        assert!(addresses.admit(address(2), start));
        let later = start + Duration::from_millis(1_050);
        assert_eq!(admitted(&mut addresses, 50, later), 10);
        assert_eq!(admitted(&mut addresses, 1, later + REFILL / 2), 1);
        let much_later = later + Duration::from_hours(1);
        assert_eq!(admitted(&mut addresses, 200, much_later), 100);
    }

    #[test]
    fn memory_is_bounded() {
        let mut addresses = Addresses::default();
        let start = Instant::now();
        for number in 0..10_000 {
            addresses.admit(address(number), start);
        }
        assert_eq!(addresses.0.len(), MAX_ADDRESSES);
        assert!(!addresses.admit(address(20_000), start));
        assert!(addresses.admit(address(20_000), start + Duration::from_mins(1)));
        assert_eq!(addresses.0.len(), 1);
    }
}
