//! Many hints become a few reads: the first reads at once, those within the next seconds are one more read.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::world::StoreKey;

/// Hints within so long after a read are gathered into one more.
pub(crate) const GATHER: Duration = Duration::from_secs(5);

/// What to do about a hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read {
    /// Now.
    Now,
    /// At this moment; nobody does so yet.
    At(Instant),
    /// One that will begin later is on its way already.
    Coming,
}

/// When each store was last read because of a hint, or will be.
#[derive(Debug, Default)]
pub(crate) struct Gathering(HashMap<StoreKey, Instant>);

impl Gathering {
    /// Takes in a hint about `store`.
    pub(crate) fn hint(&mut self, store: &StoreKey, now: Instant) -> Read {
        // Only stores that exist and sign, or are open, come so far: there are as many of them as there are stores.
        self.0.retain(|_, read| now < *read + GATHER);
        match self.0.get_mut(store) {
            None => {
                self.0.insert(store.clone(), now);
                Read::Now
            }
            Some(read) if *read > now => Read::Coming,
            Some(read) => {
                *read += GATHER;
                Read::At(*read)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use penstock_domain::names::ObjectName;

    use super::*;

    fn store(name: &str) -> StoreKey {
        StoreKey::new(None, ObjectName::new(name).unwrap())
    }

    #[test]
    fn a_storm_is_one_read_at_once_and_one_each_while() {
        let mut gathering = Gathering::default();
        let start = Instant::now();
        let second = Duration::from_secs(1);
        assert_eq!(gathering.hint(&store("a"), start), Read::Now);
        assert_eq!(
            gathering.hint(&store("b"), start),
            Read::Now,
            "another store"
        );
        let next = start + GATHER;
        assert_eq!(gathering.hint(&store("a"), start + second), Read::At(next));
        for seconds in 1..5 {
            let now = start + second * seconds;
            assert_eq!(gathering.hint(&store("a"), now), Read::Coming);
        }
        // The gathered read has begun: what comes now may not be in it.
        let after = next + second;
        assert_eq!(gathering.hint(&store("a"), after), Read::At(next + GATHER));
        assert_eq!(gathering.hint(&store("a"), after), Read::Coming);
        let quiet = next + GATHER * 3;
        assert_eq!(gathering.hint(&store("a"), quiet), Read::Now);
        assert_eq!(gathering.0.len(), 1, "what is over is forgotten");
    }
}
