//! The pauses between two attempts of a watch.

use std::time::Duration;

use kube::runtime::utils::Backoff;
use kube::runtime::watcher::DefaultBackoff;

/// Pauses that grow to half a minute, and begin anew when nothing has failed for two minutes.
///
/// kube begins anew with every item of a watch, and the first item of a list that will be refused comes before the
/// refusal: its own pauses never grow where a right is missing or a definition is gone.
#[derive(Default)]
pub(crate) struct GrowingPauses(DefaultBackoff);

impl Iterator for GrowingPauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.0.next()
    }
}

impl Backoff for GrowingPauses {
    fn reset(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_although_every_attempt_begins_well() {
        let mut pauses = GrowingPauses::default();
        let mut attempt = || {
            pauses.reset();
            pauses.next().unwrap()
        };
        assert!(attempt() < Duration::from_secs(2));
        let later = (0..4).map(|_| attempt()).last().unwrap();
        assert!(later > Duration::from_secs(10), "{later:?}");
    }
}
