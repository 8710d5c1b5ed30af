//! Waves: groups of workloads that restart one after the other.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use kube::core::SelectorExt as _;

use crate::schedule::after;
use crate::sync::{WaveMembers, WavePlan};
use crate::workload::WorkloadView;

/// The waves of a rollout, as far as one pass has seen them.
#[derive(Debug)]
pub struct Waves<'a> {
    plans: &'a [WavePlan],
}

/// Which wave a workload belongs to: its place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WaveOf(pub usize);

impl<'a> Waves<'a> {
    /// The waves of a spec; none for all workloads at once.
    pub fn new(plans: &'a [WavePlan]) -> Self {
        Self { plans }
    }

    /// The first wave that takes `workload`. Without waves, and for whom no wave takes, the last.
    pub fn of(&self, workload: &WorkloadView) -> WaveOf {
        let takes = |plan: &WavePlan| match &plan.members {
            WaveMembers::Rest => true,
            WaveMembers::Labels(selector) => selector.matches(&workload.labels),
            WaveMembers::One(kind, name) => workload.id.kind == *kind && workload.id.name == *name,
        };
        let last = self.plans.len().saturating_sub(1);
        WaveOf(self.plans.iter().position(takes).unwrap_or(last))
    }

    /// All waves in order; one that is not named where there are none.
    pub fn in_order(&self) -> impl Iterator<Item = WaveOf> + use<> {
        (0..self.plans.len().max(1)).map(WaveOf)
    }

    /// The plan of a wave; none where there are no waves.
    pub fn plan(&self, wave: WaveOf) -> Option<&'a WavePlan> {
        self.plans.get(wave.0)
    }

    /// How many workloads of a wave may be restarting at the same time.
    pub fn max_parallel(&self, wave: WaveOf) -> usize {
        self.plan(wave).map_or(usize::MAX, |plan| plan.max_parallel)
    }

    /// When the wave after this one may begin, `healthy` saying when each was seen healthy.
    pub fn next_begins(
        &self,
        wave: WaveOf,
        healthy: &BTreeMap<String, Timestamp>,
        now: Timestamp,
    ) -> Timestamp {
        let Some(plan) = self.plan(wave).filter(|plan| plan.pause > Duration::ZERO) else {
            return now;
        };
        let since = healthy.get(&plan.name).copied().unwrap_or(now);
        after(since, plan.pause)
    }
}

#[cfg(test)]
mod tests {
    use kube::core::{Expression, Selector};

    use super::*;
    use crate::testing::deployment;

    fn wave(name: &str, members: WaveMembers, pause: u64) -> WavePlan {
        WavePlan {
            name: name.to_owned(),
            members,
            max_parallel: 2,
            pause: Duration::from_secs(pause),
        }
    }

    fn labels(value: &str) -> WaveMembers {
        let is = Expression::Equal("tier".to_owned(), value.to_owned());
        WaveMembers::Labels(Selector::from_iter([is]))
    }

    #[test]
    fn a_workload_belongs_to_the_first_wave_that_takes_it() {
        let plans = [
            wave("edge", labels("edge"), 0),
            wave("both", labels("edge"), 0),
            wave("rest", WaveMembers::Rest, 0),
        ];
        let waves = Waves::new(&plans);
        let mut edge = deployment("api", "panbot", &[]);
        edge.labels = [("tier".to_owned(), "edge".to_owned())].into();
        assert_eq!(waves.of(&edge), WaveOf(0));
        assert_eq!(waves.of(&deployment("b", "panbot", &[])), WaveOf(2));
        let none = Waves::new(&[]);
        assert_eq!(none.of(&edge), WaveOf(0));
        assert_eq!(none.in_order().count(), 1);
        assert_eq!(none.max_parallel(WaveOf(0)), usize::MAX);
    }

    #[test]
    fn a_pause_runs_from_when_the_wave_was_seen_healthy() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let plans = [wave("edge", WaveMembers::Rest, 60)];
        let waves = Waves::new(&plans);
        let seen = |healthy: &[(&str, i64)]| {
            let healthy = healthy.iter().map(|(name, s)| ((*name).to_owned(), at(*s)));
            waves.next_begins(WaveOf(0), &healthy.collect(), at(100))
        };
        assert_eq!(seen(&[]), at(160));
        assert_eq!(seen(&[("edge", 50)]), at(110));
    }
}
