//! `spec.rollout.waves`.

use std::time::Duration;

use super::problems::Problems;
use super::rollout::label_selector;
use super::words::{duration, unique};
use crate::api::defaults;
use crate::api::rollout::{Wave, WaveScope};
use crate::canary::{CanaryMode, CanaryPlan};
use crate::sync::{WaveMembers, WavePlan};

/// The name of the wave that a canary of mode `workload` is.
const CANARY_WAVE: &str = "canary";
/// The name of the wave that has whatever no other one has.
const REST_WAVE: &str = "rest";

/// Checks the waves. A canary of mode `workload` is the first of them.
pub(super) fn waves(
    problems: &mut Problems,
    list: &[Wave],
    canary: Option<&CanaryPlan>,
) -> Vec<WavePlan> {
    let names = list.iter().map(|wave| wave.name.as_str());
    unique(problems, names, |at| {
        format!("spec.rollout.waves[{at}].name")
    });
    let mut waves: Vec<WavePlan> = first(canary).into_iter().collect();
    for (at, listed) in list.iter().enumerate() {
        let field = format!("spec.rollout.waves[{at}]");
        let is_final = at + 1 == list.len();
        waves.extend(wave(problems, &field, listed, is_final));
    }
    let has_rest = |wave: &WavePlan| matches!(wave.members, WaveMembers::Rest);
    if !waves.is_empty() && !waves.iter().any(has_rest) {
        // Whoever no wave names is not forgotten: it comes last.
        waves.push(WavePlan {
            name: REST_WAVE.to_owned(),
            members: WaveMembers::Rest,
            max_parallel: if list.is_empty() { usize::MAX } else { 1 },
            pause: Duration::ZERO,
        });
    }
    waves
}

fn first(canary: Option<&CanaryPlan>) -> Option<WavePlan> {
    let canary = canary?;
    let CanaryMode::Workload { workload } = &canary.mode else {
        return None;
    };
    let (kind, name) = workload.clone();
    Some(WavePlan {
        name: CANARY_WAVE.to_owned(),
        members: WaveMembers::One(kind, name),
        max_parallel: 1,
        pause: canary.soak,
    })
}

fn wave(problems: &mut Problems, field: &str, wave: &Wave, last: bool) -> Option<WavePlan> {
    let members = match wave.variant() {
        Ok(WaveScope::Rest(_)) if !last => {
            problems.invalid_hint(
                format!("{field}.rest"),
                "takes all that is left, and other waves follow",
                "Put it last",
            );
            WaveMembers::Rest
        }
        Ok(WaveScope::Rest(_)) => WaveMembers::Rest,
        Ok(WaveScope::Selector(selector)) => {
            let hint = "Say `rest: {}` in the last wave for all that is left";
            let field = format!("{field}.selector");
            WaveMembers::Labels(label_selector(problems, &field, selector, hint)?)
        }
        Err(error) => {
            problems.invalid(field, error.to_string());
            return None;
        }
    };
    let parallel = wave.max_parallel.unwrap_or(defaults::WAVE_MAX_PARALLEL);
    if parallel == 0 {
        problems.invalid(format!("{field}.maxParallel"), "is zero");
    }
    Some(WavePlan {
        name: wave.name.clone(),
        members,
        max_parallel: usize::try_from(parallel.max(1)).unwrap_or(usize::MAX),
        pause: duration(
            problems,
            &format!("{field}.pause"),
            wave.pause.as_ref(),
            (Duration::ZERO, Duration::ZERO),
        ),
    })
}
