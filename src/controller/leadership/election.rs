//! What to do about the lease, given what it says. Pure: the time is a parameter.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// A Lease, as far as an election needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeaseView {
    /// Who holds it; empty when it was released.
    pub(crate) holder: String,
    /// How long it lasts without a renewal.
    pub(crate) duration: Duration,
    /// How often it changed hands.
    pub(crate) transitions: i32,
    /// Since when it has been held.
    pub(crate) acquired: Option<Timestamp>,
    /// The object's version: any renewal changes it.
    pub(crate) resource_version: String,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// There is no lease: make one.
    Create,
    /// It is free, or its holder has been silent for too long: take it, in exactly this version.
    Take {
        /// The version that the write must name.
        resource_version: String,
        /// How often it will have changed hands.
        transitions: i32,
    },
    /// It is ours: renew it.
    Renew {
        /// The version that the write must name.
        resource_version: String,
        /// How often it changed hands.
        transitions: i32,
    },
    /// Another holds it.
    StandBy {
        /// Who.
        leader: String,
    },
    /// It is gone, deleted by hand, while another may still count on it.
    Wait,
}

/// What one candidate knows.
#[derive(Debug)]
pub(crate) struct Election {
    identity: String,
    /// How long a lease of ours lasts; those of others say so themselves.
    lasting: Duration,
    /// The lease as it was seen last, and since when it has looked like that.
    seen: Option<(LeaseView, Instant)>,
    /// Until when another may count on a lease that is no longer there.
    rival_until: Option<Instant>,
}

impl Election {
    pub(crate) fn new(identity: String, lasting: Duration) -> Self {
        Self {
            identity,
            lasting,
            seen: None,
            rival_until: None,
        }
    }

    /// Somebody else wrote the lease between our look and our write.
    pub(crate) fn lose_race(&mut self, now: Instant) {
        self.rival_until = Some(now + self.lasting);
    }

    /// Takes in what the lease says now, and decides.
    pub(crate) fn decide(&mut self, lease: Option<LeaseView>, now: Instant) -> Step {
        let Some(lease) = lease else {
            self.seen = None;
            return match self.rival_until {
                Some(until) if now < until => Step::Wait,
                _ => Step::Create,
            };
        };
        let since = match &self.seen {
            Some((seen, since)) if *seen == lease => *since,
            _ => now,
        };
        let silent = now.saturating_duration_since(since);
        let LeaseView {
            holder,
            duration,
            transitions,
            resource_version,
            acquired: _,
        } = lease.clone();
        self.seen = Some((lease, since));
        if holder == self.identity {
            Step::Renew {
                resource_version,
                transitions,
            }
        } else if holder.is_empty() || silent >= duration {
            Step::Take {
                resource_version,
                transitions: transitions.saturating_add(1),
            }
        } else {
            self.rival_until = Some(now + duration);
            Step::StandBy { leader: holder }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(15);

    fn lease(holder: &str, version: u32) -> LeaseView {
        LeaseView {
            holder: holder.to_owned(),
            duration: LEASE,
            transitions: 3,
            acquired: None,
            resource_version: version.to_string(),
        }
    }

    fn take(version: u32) -> Step {
        Step::Take {
            resource_version: version.to_string(),
            transitions: 4,
        }
    }

    #[test]
    fn a_missing_lease_is_made_and_a_free_one_taken() {
        let mut election = Election::new("me".to_owned(), LEASE);
        let now = Instant::now();
        assert_eq!(election.decide(None, now), Step::Create);
        assert_eq!(election.decide(Some(lease("", 7)), now), take(7));
    }

    #[test]
    fn our_own_lease_is_renewed() {
        let mut election = Election::new("me".to_owned(), LEASE);
        let renew = Step::Renew {
            resource_version: "7".to_owned(),
            transitions: 3,
        };
        assert_eq!(election.decide(Some(lease("me", 7)), Instant::now()), renew);
    }

    #[test]
    fn a_silent_leader_is_waited_for_from_when_we_first_saw_its_lease() {
        let mut election = Election::new("me".to_owned(), LEASE);
        let start = Instant::now();
        let stand_by = Step::StandBy {
            leader: "other".to_owned(),
        };
        assert_eq!(election.decide(Some(lease("other", 7)), start), stand_by);
        let almost = start + LEASE.saturating_sub(Duration::from_millis(1));
        assert_eq!(election.decide(Some(lease("other", 7)), almost), stand_by);
        assert_eq!(
            election.decide(Some(lease("other", 7)), start + LEASE),
            take(7)
        );
    }

    #[test]
    fn a_lease_that_vanishes_is_not_taken_while_its_holder_counts_on_it() {
        let mut election = Election::new("me".to_owned(), LEASE);
        let start = Instant::now();
        election.decide(Some(lease("other", 7)), start);
        assert_eq!(election.decide(None, start + LEASE / 2), Step::Wait);
        assert_eq!(election.decide(None, start + LEASE), Step::Create);
    }

    #[test]
    fn each_renewal_by_the_leader_starts_the_wait_anew() {
        let mut election = Election::new("me".to_owned(), LEASE);
        let start = Instant::now();
        let stand_by = Step::StandBy {
            leader: "other".to_owned(),
        };
        assert_eq!(election.decide(Some(lease("other", 7)), start), stand_by);
        assert_eq!(
            election.decide(Some(lease("other", 8)), start + LEASE),
            stand_by
        );
        assert_eq!(
            election.decide(Some(lease("other", 8)), start + LEASE + LEASE),
            take(8)
        );
    }
}
